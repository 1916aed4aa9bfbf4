// `npm run issue` as a process of a scenario: started on a batch, asked for what it says of one chip after
// the other, and for its report. Knows processes, no cards.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { nodeCommand } from '../runtime/supervise.ts'

export type IssuingDesk = {
  /** What it says of the next chip. Throws with its last words where it has ended. */
  next (): Promise<string>
  /** Its report, once it has ended. Throws with its last words where it did not end well. */
  report (): Promise<unknown>
  stop (): Promise<void>
}

/** `dir`: where it keeps what became of each card. */
export function startDesk (dir: string, config: object, batch: string): IssuingDesk {
  const file = join(dir, `desk-${batch}.json`)
  writeFileSync(file, JSON.stringify({ ...config, dir: join(dir, 'issuing') }), { mode: 0o600 })
  const { command, args = [] } = nodeCommand(
    join(import.meta.dirname, '../gateway/issuing/main.ts'), [file, batch])
  const env = { ...process.env, LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'error' }
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const said: string[] = []
  const waiting: ((line: string | null) => void)[] = []
  let words = ''
  let report = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { words = (words + text).slice(-4_000) })
  createInterface({ input: child.stdout }).on('line', line => {
    if (report !== '' || line === '{') report += `${line}\n`
    else said.push(line)
    waiting.shift()?.(said.shift() ?? null)
  })
  const ended = new Promise<number | null>(resolve => {
    child.on('close', code => {
      for (const tell of waiting.splice(0)) tell(null)
      resolve(code)
    })
  })
  const over = (): Error => new Error(`the issuing desk has ended\n${words}`)
  return {
    next: async () => {
      const line = said.shift() ?? (child.exitCode !== null
        ? null
        : await new Promise<string | null>(resolve => { waiting.push(resolve) }))
      if (line === null) throw over()
      return line
    },
    report: async () => {
      if (await ended !== 0) throw over()
      return JSON.parse(report) as unknown
    },
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    }
  }
}
