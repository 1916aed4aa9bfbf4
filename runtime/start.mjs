// Starts a program of this project, in a process or in a worker: `node runtime/start.mjs FILE.ts ARGS…`. Its
// files and those of its packages are put together once for each state of them, and what the engine compiled
// of them is kept beside. It refuses to know what it starts.
import { createHash } from 'node:crypto'
import {
  accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync,
  writeFileSync
} from 'node:fs'
import { createRequire, isBuiltin, SourceMap } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { threadId } from 'node:worker_threads'

const root = dirname(import.meta.dirname)
const place = join(root, 'node_modules/.citizen-card/programs')
/** What decides beside its sources how a program comes out. */
const makers = [import.meta.filename, join(root, 'tsconfig.json')]
/** In JavaScript alone, as all that they bring along: part of each program that asks for them. */
const inside = new Set([
  '@fastify/swagger', '@fastify/type-provider-typebox', 'ajv-formats', 'bullmq', 'decimal.js', 'fastify',
  'fastify-plugin', 'ioredis', 'openid-client', 'pg', 'pino', 'saxes', 'typebox', 'yaml', 'yazl'
])

const [node, own, file, ...args] = process.argv
if (file === undefined) throw new Error(`which program? node ${own} FILE.ts ARGS…`)
const entry = resolve(file)
/** They stay modules and leave packages where they are, since tap looks at both. */
const isTest = entry.startsWith(join(root, 'test/'))
process.argv = [node, entry, ...args]
process.setSourceMapsEnabled(true)
await run()

/** Where nothing may be written, by a loader. */
async function run () {
  const program = await programOf(entry).catch(error => {
    if (!mayNot(error)) throw error
    return null
  })
  if (program !== null && !isTest) return await runScript(program)
  if (program === null) (await import('tsx/esm/api')).register()
  await import(pathToFileURL(program ?? entry).href)
}

function mayNot ({ code }) {
  return ['EACCES', 'EPERM', 'EROFS'].includes(code)
}

/**
 * The engine takes back what it compiled the last time. That is kept once the program is up, or at its end,
 * and anew where the engine is another one or has other flags.
 */
async function runScript (program) {
  mapStacks(program)
  const kept = `${program}.kept`
  const cachedData = readIfThere(kept)
  const script = new Script(readFileSync(program, 'utf8'), {
    filename: program, ...cachedData === null ? {} : { cachedData }
  })
  const start = script.runInThisContext()
  const keep = () => {
    process.off('exit', keep)
    try {
      put(kept, script.createCachedData())
    } catch (error) {
      if (!mayNot(error)) throw error
    }
  }
  const isKept = cachedData !== null && !script.cachedDataRejected
  if (!isKept) process.on('exit', keep)
  await start(createRequire(program))
  if (!isKept) keep()
}

/** Stacks name the sources; the map is read with the first of them. */
function mapStacks (program) {
  let map = null
  const told = frame => {
    const [line, column] = [frame.getLineNumber(), frame.getColumnNumber()]
    const found = frame.getFileName() === program ? map.findEntry(line - 1, column - 1) : {}
    if (found.originalSource === undefined) return String(frame)
    const source = resolve(place, found.originalSource)
    const at = `${source}:${found.originalLine + 1}:${found.originalColumn + 1}`
    return String(frame).replace(`${program}:${line}:${column}`, () => at)
  }
  Error.prepareStackTrace = (error, frames) => {
    map ??= new SourceMap(JSON.parse(readFileSync(`${program}.map`, 'utf8')))
    return [String(error), ...frames.map(frame => `    at ${told(frame)}`)].join('\n')
  }
}

function readIfThere (path) {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return null
  }
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
    absWorkingDir: root, outfile: join(place, `${name}.mjs`),
    bundle: true, platform: 'node', format: 'esm', target: 'node20',
    sourcemap: 'external', sourcesContent: false, write: false, metafile: true, logLevel: 'error',
    ...isTest
      ? { entryPoints: [entry], packages: 'external', plugins: [places()] }
      : {
          stdin: { contents: `import ${JSON.stringify(entry)}`, resolveDir: root },
          supported: { 'dynamic-import': false }, plugins: [places(), packages()]
        }
  })
  const sources = Object.keys(metafile.inputs).filter(input => !/^<stdin>$|^apart:/.test(input))
  const inputs = [...makers, ...sources.map(input => resolve(root, input))]
    .map(path => ({ path, state: stateOf(path) }))
  const program = join(place, `${name}-${digestOf(JSON.stringify(inputs))}.mjs`)
  const [map, code] = [...outputFiles].sort((one, other) => one.path < other.path ? 1 : -1)
  put(`${program}.map`, map.text)
  put(program, isTest
    ? `${code.text}\n//# sourceMappingURL=${basename(program)}.map\n`
    : `(async require => { 'use strict'; ${code.text}\n})`)
  put(note, JSON.stringify({ program, inputs }))
  forgetOld(name)
  return program
}

/** What stays apart is required: a script that was kept cannot import. */
function packages () {
  return { name: 'packages', setup }
  function setup (build) {
    build.onResolve({ filter: /^[^./#]/ }, ({ path, importer, namespace }) => {
      if (namespace === 'apart') return { path, external: true }
      const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/')
      const isOurs = !importer.includes('/node_modules/')
      const isInside = inside.has(name) && existsSync(join(root, 'node_modules', name)) // some are optional
      return !isBuiltin(path) && (isInside || !isOurs) ? undefined : { path, namespace: 'apart' }
    })
    build.onLoad({ filter: /./, namespace: 'apart' }, ({ path }) =>
      ({ contents: `module.exports = require(${JSON.stringify(path)})` }))
  }
}

/** A module asks where it lies to find the files beside it: that is where its source is. */
function places () {
  return { name: 'places', setup }
  function setup (build) {
    build.onResolve({ filter: /^file:/ }, ({ path }) => ({ path: fileURLToPath(path) }))
    build.onLoad({ filter: /\.[cm]?[jt]s$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      if (!/import\.meta\.|\b__(?:dirname|filename)\b/.test(source)) return undefined
      const literal = value => JSON.stringify(value)
      const [dirName, fileName] = [literal(dirname(path)), literal(path)]
      const hasOwn = /\b(?:const|let|var) __(?:dirname|filename)\b/.test(source)
      const asks = !hasOwn && /\b__(?:dirname|filename)\b/.test(source)
      const names = asks ? `var __dirname = ${dirName}, __filename = ${fileName};` : ''
      const contents = names + source.replaceAll('import.meta.dirname', dirName)
        .replaceAll('import.meta.filename', fileName)
        .replaceAll('import.meta.url', literal(pathToFileURL(path).href))
      return { contents, loader: path.endsWith('ts') ? 'ts' : 'js' }
    })
  }
}

function put (path, text) {
  const making = `${path}.${process.pid}.${threadId}`
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
