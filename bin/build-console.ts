// Builds the console and the residents' portal once for each state of their sources, into a folder that is
// named by their digest. Several may build at once: whoever is last finds the folder there.
//
//   npm run console        prints the folder, for LEDGER_CONSOLE

import { createHash } from 'node:crypto'
import {
  existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const source = join(root, 'console')
const built = join(root, 'node_modules/.citizen-card/console')
/** Besides the console's own: what it takes words from, and what says which packages it is made with. */
const others = ['schemas/reasons.ts', 'package-lock.json', 'bin/build-console.ts']

/** The folder of the build, with `index.html`, `my.html` and `assets/`; as the ledger serves it. */
export async function buildConsole (): Promise<string> {
  const folder = join(built, digestOfSources().slice(0, 16))
  if (existsSync(join(folder, 'index.html'))) return folder
  mkdirSync(built, { recursive: true })
  const made = mkdtempSync(join(built, 'making-'))
  const { metafile } = await bundle(join(made, 'assets'))
  for (const [name, entry] of Object.entries(pages)) writeFileSync(join(made, name), pageOf(metafile, entry))
  zip(join(made, 'assets'))
  putInPlace(made, folder)
  return folder
}

function digestOfSources (): string {
  const hash = createHash('sha256')
  const own = readdirSync(source, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
  for (const file of [...own, ...others.map(name => join(root, name))].sort()) {
    hash.update(`${file.slice(root.length)}\n`).update(readFileSync(file))
  }
  return hash.digest('hex')
}

const bundle = (outdir: string) => build({
  entryPoints: { console: join(source, 'main.tsx'), my: join(source, 'my/main.tsx') },
  outdir,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  entryNames: '[name]-[hash]',
  legalComments: 'linked',
  define: { 'process.env.NODE_ENV': '"production"' },
  tsconfig: join(source, 'tsconfig.json'),
  logLevel: 'error',
  metafile: true
})

/** Pages with the folder of their entry below the console's. */
const pages = { 'index.html': '', 'my.html': 'my/' } as const

/** A page, which names its files by their hashes. */
function pageOf ({ outputs }: Metafile, folder: string): string {
  const [path = '', entry] = Object.entries(outputs).find(([, { entryPoint }]) =>
    entryPoint?.endsWith(`console/${folder}main.tsx`)) ?? []
  if (entry?.cssBundle === undefined) throw new Error('the build has no entry with its styles')
  return readFileSync(join(source, folder, 'index.html'), 'utf8')
    .replace('console.css', `/console/assets/${basename(entry.cssBundle)}`)
    .replace('main.tsx', `/console/assets/${basename(path)}`)
}

function zip (folder: string): void {
  for (const name of readdirSync(folder)) {
    writeFileSync(join(folder, `${name}.gz`), gzipSync(readFileSync(join(folder, name)), { level: 9 }))
  }
}

/** Older builds go: a ledger that runs has its own in memory. */
function putInPlace (made: string, folder: string): void {
  try {
    renameSync(made, folder)
  } catch (error) {
    if (!existsSync(join(folder, 'index.html'))) throw error
    rmSync(made, { recursive: true, force: true })
  }
  for (const name of readdirSync(built)) {
    const isOlder = name !== basename(folder) && !name.startsWith('making-')
    if (isOlder) rmSync(join(built, name), { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await buildConsole())
