// Starts a program of this project, in a process or in a worker: `node runtime/start.mjs FILE.ts ARGS…`. Its
// files are put together once for each state of them: a ledger is up after 0.8 s of processor time; through a
// loader that looks at each of its modules it was 2.9. It refuses to know what it starts.
import { createHash } from 'node:crypto'
import {
  accessSync, constants, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(import.meta.dirname)
const place = join(root, 'node_modules/.citizen-card/programs')
/** What decides beside its sources how a program comes out. Packages stay outside of it. */
const makers = [import.meta.filename, join(root, 'tsconfig.json')]

const [node, own, file, ...args] = process.argv
if (file === undefined) throw new Error(`which program? node ${own} FILE.ts ARGS…`)
const entry = resolve(file)
process.argv = [node, entry, ...args]
process.setSourceMapsEnabled(true)
await run()

/** Where nothing may be written, by a loader. */
async function run () {
  const program = await programOf(entry).catch(error => {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error
    return null
  })
  if (program === null) (await import('tsx/esm/api')).register()
  await import(pathToFileURL(program ?? entry).href)
}

/** Where the program lies that is made of `entry` and of all it imports, as they are now. */
async function programOf (entry) {
  const name = `${basename(entry, '.ts')}-${digestOf(entry)}`
  const note = join(place, `${name}.json`)
  return freshIn(note) ?? await make(entry, name, note)
}

/** `note` tells of a program with which files it was made; null where one of them is another now. */
function freshIn (note) {
  try {
    const { program, inputs } = JSON.parse(readFileSync(note, 'utf8'))
    const isFresh = statSync(program).isFile() && inputs.every(({ path, state }) => stateOf(path) === state)
    return isFresh ? program : null
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return null
  }
}

function stateOf (path) {
  const { mtimeMs, size } = statSync(path)
  return `${mtimeMs} ${size}`
}

function digestOf (text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/**
 * Others may make the same at this moment: each file gets its name when it is whole, the note last. Throws
 * before anything is made where nothing may be written.
 */
async function make (entry, name, note) {
  mkdirSync(place, { recursive: true })
  accessSync(place, constants.W_OK)
  const { build } = await import('esbuild')
  const { metafile, outputFiles } = await build({
    absWorkingDir: root, entryPoints: [entry], outfile: join(place, `${name}.mjs`),
    bundle: true, packages: 'external', platform: 'node', format: 'esm', target: 'node20',
    sourcemap: 'external', sourcesContent: false, write: false, metafile: true, logLevel: 'error',
    plugins: [places()]
  })
  const inputs = [...makers, ...Object.keys(metafile.inputs).map(input => resolve(root, input))]
    .map(path => ({ path, state: stateOf(path) }))
  const program = join(place, `${name}-${digestOf(JSON.stringify(inputs))}.mjs`)
  const [map, code] = [...outputFiles].sort((one, other) => one.path < other.path ? 1 : -1)
  put(`${program}.map`, map.text)
  put(program, `${code.text}\n//# sourceMappingURL=${basename(program)}.map\n`)
  put(note, JSON.stringify({ program, inputs }))
  forgetOld(name)
  return program
}

/** A module asks where it lies to find the files beside it: that is where its source is. */
function places () {
  return { name: 'places', setup }
  function setup (build) {
    build.onResolve({ filter: /^file:/ }, ({ path }) => ({ path: fileURLToPath(path) }))
    build.onLoad({ filter: /\.m?[jt]s$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      if (!source.includes('import.meta.')) return undefined
      const literal = value => JSON.stringify(value)
      const contents = source.replaceAll('import.meta.dirname', literal(dirname(path)))
        .replaceAll('import.meta.filename', literal(path))
        .replaceAll('import.meta.url', literal(pathToFileURL(path).href))
      return { contents, loader: path.endsWith('ts') ? 'ts' : 'js' }
    })
  }
}

function put (path, text) {
  const making = `${path}.${process.pid}`
  writeFileSync(making, text, { flush: true })
  renameSync(making, path)
}

/** Somebody may just be starting what was made a moment ago. */
function forgetOld (name) {
  for (const file of readdirSync(place).filter(one => one.startsWith(`${name}-`))) {
    const path = join(place, file)
    const found = statSync(path, { throwIfNoEntry: false })
    if (found !== undefined && found.mtimeMs < Date.now() - 3_600_000) rmSync(path, { force: true })
  }
}
