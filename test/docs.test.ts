// Documents that are made from code are what the code would make now.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { reasonsPage } from '../bin/reasons-page.ts'
import { alertKinds } from '../schemas/alert.ts'
import { reasonNumbers, verdictReasons } from '../schemas/reasons.ts'
import { watchItemKinds } from '../schemas/watch.ts'

const root = join(import.meta.dirname, '..')

t.test('the page of reasons', async t => {
  t.equal(readFileSync(join(root, 'docs/reasons.md'), 'utf8'), reasonsPage(),
    'out of date: npx tsx bin/reasons-page.ts > docs/reasons.md')
})

t.test('the page of the watch tells each alert as the API describes it, and each kind of item', async t => {
  const page = readFileSync(join(root, 'docs/watch.md'), 'utf8')
  const told = [...page.matchAll(/^\| `(\w+)` \| (.+?) \| .+ \|$/gm)].map(([, kind, means]) => [kind, means])
  t.strictSame(Object.fromEntries(told), alertKinds)
  for (const kind of watchItemKinds) t.match(page, new RegExp(`^\\| [BE] \`${kind}\``, 'm'), kind)
})

t.test('numbers of reasons', async t => {
  const numbers = Object.values(reasonNumbers)
  t.equal(new Set(numbers).size, numbers.length, 'each number once')
  t.equal(numbers.length, Object.keys(verdictReasons).length)
})

t.test('what the README names is there', async t => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const scripts = Object.keys((JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }).scripts)
  for (const [, script = ''] of readme.matchAll(/npm run ([a-z]+)/g)) t.ok(scripts.includes(script), `npm run ${script}`)
  for (const [, path = ''] of readme.matchAll(/\]\(((?!http)[^)#]+)\)/g)) {
    t.doesNotThrow(() => readFileSync(join(root, path.replace(/\/$/, '/limits.ts'))), path)
  }
})
