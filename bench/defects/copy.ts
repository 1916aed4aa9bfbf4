// A copy of the project in which something may be broken: its programs are made and run there, the packages
// are the same. It refuses to know what is changed.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync }
  from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Edit, edited } from './defect.ts'

export type Copy = {
  /** Makes the edits, runs `work`, and takes them back. */
  broken<T> (edits: readonly Edit[], work: () => Promise<T>): Promise<T>
  /** Runs a program of the copy to its end. */
  run (args: readonly string[]): Promise<{ readonly code: number | null, readonly words: string }>
  readonly dir: string
  remove (): void
}

const root = join(import.meta.dirname, '../..')
/** What scenarios are run with. */
const parts = [
  'bin', 'gateway', 'ledger', 'runtime', 'schemas', 'terminal-sim', 'test/scenarios', 'test/fares',
  'package.json', 'tsconfig.json'
]
const lastWordsMax = 8_000

export function copyProject (): Copy {
  const dir = mkdtempSync(join(tmpdir(), 'citizen-card-defects-'))
  for (const part of parts) cpSync(join(root, part), join(dir, part), { recursive: true })
  linkPackages(join(root, 'node_modules'), join(dir, 'node_modules'))

  async function broken<T> (edits: readonly Edit[], work: () => Promise<T>): Promise<T> {
    const before = new Map(edits.map(({ file }) => [file, readFileSync(join(dir, file), 'utf8')]))
    try {
      for (const edit of edits) {
        const path = join(dir, edit.file)
        writeFileSync(path, edited(readFileSync(path, 'utf8'), edit))
      }
      return await work()
    } finally {
      for (const [file, text] of before) writeFileSync(join(dir, file), text)
    }
  }

  async function run (args: readonly string[]) {
    const child = spawn(process.execPath, [join(dir, 'runtime/start.mjs'), ...args],
      { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
    let words = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => { words = (words + text).slice(-lastWordsMax) })
    }
    const stop = () => { child.kill('SIGTERM') }
    process.once('SIGINT', stop).once('SIGTERM', stop)
    const code = await new Promise<number | null>((resolve, reject) =>
      child.on('error', reject).on('close', resolve))
    process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop)
    return { code, words }
  }

  return { broken, run, dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** One by one: programs that are made of the copy lie in a folder of its own. */
function linkPackages (from: string, to: string): void {
  mkdirSync(to)
  for (const name of readdirSync(from).filter(one => !one.startsWith('.'))) {
    symlinkSync(join(from, name), join(to, name))
  }
}
