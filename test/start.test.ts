// How programs are put together before they start: once for each state of what they are made of, and not at
// all where nothing may be written.
import { spawnSync } from 'node:child_process'
import {
  appendFileSync, chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync,
  writeFileSync
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
    made: (ending = '.mjs') =>
      readdirSync(at('node_modules/.citizen-card/programs')).filter(file => file.endsWith(ending))
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

t.test('what was compiled is kept, taken back, and made anew where it is of no use', async t => {
  const { at, run, made } = newHouse(t)
  const kept = () => at(`node_modules/.citizen-card/programs/${made('.kept')[0]}`)
  run()
  t.equal(made('.kept').length, 1)
  const first = readFileSync(kept())
  t.equal(run(), 'one a,b')
  t.same(readFileSync(kept()), first, 'taken back')
  writeFileSync(kept(), 'of another engine')
  t.equal(run(), 'one a,b')
  t.not(readFileSync(kept(), 'latin1'), 'of another engine')
})

t.test('a program that ends by itself or in the middle, and one that imports late', async t => {
  const { at, run, made } = newHouse(t)
  writeFileSync(at('main.ts'), 'const name: string = \'node:os\'\n' +
    'const { EOL } = await import(name)\nconst { said } = await import(\'./said.ts\')\n' +
    'console.log(said + EOL)\nprocess.exit(0)\n')
  t.equal(run(), 'one')
  t.equal(made('.kept').length, 1)
  t.equal(run(), 'one', 'from what is kept')
  for (const from of ['anew', 'from what is kept']) {
    writeFileSync(at('said.ts'), 'export type Said = string\n\nthrow new Error(\'in vain\')\n')
    t.throws(run, { message: new RegExp(`in vain\\n +at .*${at('said.ts')}:3:7`) }, `${from}: the source`)
  }
})

t.test('a package lies inside, a binding and what is not there outside', async t => {
  const { at, run, made } = newHouse(t)
  for (const name of ['pg', 'bound']) {
    mkdirSync(at(`node_modules/${name}`))
    writeFileSync(at(`node_modules/${name}/package.json`), '{}')
    writeFileSync(at(`node_modules/${name}/index.js`),
      'module.exports = { where: __filename, os: typeof require(\'os\').EOL }')
  }
  writeFileSync(at('main.ts'), 'import pg from \'pg\'\nimport bound from \'bound\'\n' +
    'const nowhere = await import(\'openid-client\').catch(error => error.code)\n' +
    'console.log(pg.where, pg.os, bound.where, nowhere)\n')
  const [inside, outside] = [at('node_modules/pg/index.js'), at('node_modules/bound/index.js')]
  t.equal(run(), `${inside} string ${outside} MODULE_NOT_FOUND`)
  t.equal(run(), `${inside} string ${outside} MODULE_NOT_FOUND`)
  const [program] = made()
  const text = readFileSync(at(`node_modules/.citizen-card/programs/${program}`), 'utf8')
  t.match(text, /module\.exports = \{ where/, 'once')
  appendFileSync(at('node_modules/pg/index.js'), '\n')
  run()
  t.equal(made().length, 2, 'and decides with the sources')
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
