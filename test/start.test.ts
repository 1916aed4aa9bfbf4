// How programs are put together before they start: once for each state of what they are made of, and not at
// all where nothing may be written.
import { spawnSync } from 'node:child_process'
import {
  appendFileSync, chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'

const root = process.cwd()
const nobody = 65_534

/** start.mjs with a program of two files and the packages that putting together needs. */
function newHouse (t: Test) {
  const house = mkdtempSync(join(tmpdir(), 'start-'))
  t.teardown(() => rmSync(house, { recursive: true, force: true }))
  chmodSync(house, 0o755)
  const at = (path: string) => join(house, path)
  mkdirSync(at('node_modules/.citizen-card'), { recursive: true })
  mkdirSync(at('runtime'))
  // Copies: the clone may lie where a stranger may not even look, as in the home of root.
  for (const name of ['esbuild', 'tsx', '@esbuild']) {
    cpSync(join(root, 'node_modules', name), at(`packages/node_modules/${name}`), { recursive: true })
    symlinkSync(at(`packages/node_modules/${name}`), at(`node_modules/${name}`))
  }
  cpSync(join(root, 'runtime/start.mjs'), at('runtime/start.mjs'))
  writeFileSync(at('package.json'), '{ "type": "module" }')
  writeFileSync(at('tsconfig.json'), '{}')
  writeFileSync(at('said.ts'), 'export const said: string = \'one\'\n')
  writeFileSync(at('main.ts'),
    'import { said } from \'./said.ts\'\nconsole.log(said, process.argv.slice(2).join())\n')
  return {
    at,
    /** What the program says. Throws where it ends otherwise than in order. */
    run: (uid?: number): string => {
      const command = ['runtime/start.mjs', 'main.ts', 'a', 'b']
      const { stdout, stderr, status } = spawnSync(process.execPath, command,
        { cwd: house, encoding: 'utf8', ...uid === undefined ? {} : { uid } })
      if (status !== 0) throw new Error(stderr)
      return stdout.trim()
    },
    made: () => readdirSync(at('node_modules/.citizen-card/programs')).filter(file => file.endsWith('.mjs'))
  }
}

t.test('put together once, and again when anything that decides is another', async t => {
  const { at, run, made } = newHouse(t)
  t.equal(run(), 'one a,b')
  t.equal(run(), 'one a,b')
  t.equal(made().length, 1, 'the second start found it')
  writeFileSync(at('said.ts'), 'export const said: string = \'three\'\n')
  t.equal(run(), 'three a,b', 'a source')
  t.equal(made().length, 2)
  appendFileSync(at('runtime/start.mjs'), '\n')
  t.equal(run(), 'three a,b')
  t.equal(made().length, 3, 'what puts together')
  appendFileSync(at('tsconfig.json'), '\n')
  t.equal(run(), 'three a,b')
  t.equal(made().length, 4, 'how sources are read')
})

t.test('where nothing may be written it starts all the same, and makes nothing to throw away', async t => {
  const { at, run } = newHouse(t)
  rmSync(at('node_modules/esbuild'))
  mkdirSync(at('node_modules/esbuild'))
  writeFileSync(at('node_modules/esbuild/index.js'), 'throw new Error(\'asked to put together\')')
  t.throws(run, /asked to put together/, 'where it may be written')
  for (const path of ['node_modules/.citizen-card', 'node_modules/.citizen-card/programs']) {
    mkdirSync(at(path), { recursive: true })
    chmodSync(at(path), 0o555)
    t.equal(run(process.getuid?.() === 0 ? nobody : undefined), 'one a,b', path)
    chmodSync(at(path), 0o755)
  }
})
