// Who may import whom: the table, and a check that answers `path:line: X must not import Y`, one line each.
// Reads import specifiers only; whether a name is used is the compiler's business.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, normalize, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** What each folder may import besides itself. A folder that is not named here may import nothing of ours. */
const folders: Readonly<Record<string, readonly string[]>> = {
  schemas: [],
  runtime: ['schemas'],
  gateway: ['schemas', 'runtime'],
  ledger: ['schemas', 'runtime'],
  'terminal-sim': ['schemas', 'runtime'],
  console: ['schemas', 'runtime'],
  bin: ['schemas', 'runtime'],
  bench: ['schemas', 'runtime', 'bin', 'terminal-sim', 'gateway', 'ledger'],
  test: ['schemas', 'runtime', 'bin', 'bench', 'terminal-sim', 'gateway', 'ledger', 'console']
}

const io = [
  'child_process', 'dgram', 'dns', 'fs', 'fs/promises', 'http', 'http2', 'https', 'net', 'timers',
  'timers/promises', 'tls', 'worker_threads'
].map(name => `node:${name}`)

/** Stricter inside a folder: a path that starts as on the left must not reach what is on the right. */
const refusals: readonly { from: string, to: readonly string[], why: string }[] = [
  { from: 'schemas/', to: io, why: 'schemas do no I/O' },
  { from: 'ledger/core/', to: [...io, 'ledger/store/', 'ledger/http/', 'ledger/jobs/'], why: 'core is pure' },
  {
    from: 'terminal-sim/auditor/', to: ['schemas/tariff/', 'schemas/epurse/', 'schemas/clearing-file/'],
    why: 'the auditor prices, signs and parses nothing with the code it audits'
  }
]

/** Packages with one home each, so that they can be replaced; everything else may be imported anywhere. */
const homes: Readonly<Record<string, readonly RegExp[]>> = {
  pcsclite: [/^gateway\/pcsc\/port\.ts$/, /^test\/support\//],
  'openid-client': [/^ledger\/people\/oidc\.ts$/],
  'oidc-provider': [/^test\//],
  pkcs11js: [/^ledger\/keys\/cryptoki\.ts$/],
  serialport: [/^gateway\/[^/]+\/port\.ts$/],
  'decimal.js': [/^ledger\/core\/rounding\.ts$/],
  yazl: [/^ledger\/exports\/xlsx\.ts$/],
  react: [/^console\//],
  'react-dom': [/^console\/(my\/)?main\.tsx$/],
  'playwright-core': [/^test\//, /^bench\/pages\.ts$/],
  bullmq: [/^ledger\/jobs\//],
  ioredis: [/^ledger\/jobs\//, /^test\//],
  pg: [/^ledger\/store\//, /^ledger\/[^/]*main\.ts$/, /^(bin|runtime|bench|test)\//]
}

export type Violation = { path: string, line: number, text: string }

/** All violations below `root`, by path and line. */
export function checkImports (root: string): Violation[] {
  return Object.keys(folders).flatMap(folder => sourceFiles(join(root, folder)))
    .map(file => relative(root, file).split(sep).join('/')).sort()
    .flatMap(path => checkFile(path, readFileSync(join(root, path), 'utf8')))
}

/** The violations of one file, whose path is relative to the root and written with slashes. */
export function checkFile (path: string, source: string): Violation[] {
  return importsOf(path, source).flatMap(({ specifier, line }) => {
    const target = targetOf(path, specifier)
    const why = specifier.startsWith('.') ? refusalOfOurs(path, target) : refusalOfOthers(path, target)
    const text = `${path}:${line}: ${dirname(path)} must not import ${target} (${why})`
    return why === null ? [] : [{ path, line, text }]
  })
}

/** Null when the import of one of our files is fine, else the reason. */
function refusalOfOurs (path: string, target: string): string | null {
  const [from = '', to = ''] = [path, target].map(each => each.split('/')[0])
  const narrower = narrowerRefusal(path, target)
  if (narrower !== null || from === to || folders[from]?.includes(to) === true) return narrower
  const allowed = ['itself', ...folders[from] ?? []].join(', ')
  return `${from} may import ${allowed}`
}

/** The same for packages and for what Node brings along. */
function refusalOfOthers (path: string, target: string): string | null {
  const home = homes[packageOf(target)]
  if (home === undefined || home.some(pattern => pattern.test(path))) return narrowerRefusal(path, target)
  return 'that package has its one place elsewhere'
}

function narrowerRefusal (path: string, target: string): string | null {
  const reaches = (to: string) => to.endsWith('/') ? target.startsWith(to) : target === to
  return refusals.find(({ from, to }) => path.startsWith(from) && to.some(reaches))?.why ?? null
}

/** `a/b.ts` for a relative import, `node:fs` for a built-in module, the specifier itself otherwise. */
function targetOf (path: string, specifier: string): string {
  if (specifier.startsWith('.')) return normalize(join(dirname(path), specifier)).split(sep).join('/')
  return isBuiltin(specifier) && !specifier.startsWith('node:') ? `node:${specifier}` : specifier
}

const packageOf = (specifier: string): string =>
  specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')

/** Import and export declarations, import(), require(), import types; found by TypeScript's own scanner. */
function importsOf (path: string, source: string): { specifier: string, line: number }[] {
  const { importedFiles } = ts.preProcessFile(source, true, true)
  const lineOf = (position: number) => source.slice(0, position).split('\n').length
  return importedFiles.map(({ fileName, pos }) => ({ specifier: fileName, line: lineOf(pos) }))
}

function sourceFiles (dir: string): string[] {
  if (!existsSync(dir)) return []
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.(tsx?|mjs|js)$/.test(entry.name))
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const violations = checkImports(join(dirname(fileURLToPath(import.meta.url)), '..'))
  for (const { text } of violations) console.error(text)
  process.exitCode = violations.length === 0 ? 0 : 1
}
