// Makes the cards of one batch of the blank ones that are laid on a reader, one after the other, and goes on
// where an earlier run was cut. Says a line for each chip, and the report of the run in the end.
//
//   npm run issue -- DESK.json BATCH
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Errors } from 'typebox/value'
import { systemClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { ledgerClient } from '../ledger-client.ts'
import { openCardReaders } from '../pcsc/card-readers.ts'
import { directoryLayer } from '../spool/files.ts'
import { lockDirectory } from '../spool/lock.ts'
import { DeskConfig, runIssuing } from './program.ts'
import type { ChipResult } from './run.ts'

async function main ([path, batch]: readonly string[]): Promise<void> {
  if (path === undefined || batch === undefined || !/^[0-9A-Za-z._-]{1,40}$/.test(batch)) {
    throw new Error('usage: npm run issue -- DESK.json BATCH')
  }
  const config = readDesk(path)
  const log = createLog('issuing')
  const chance = { random: Math.random, nowMs: () => performance.now() }
  const dir = join(config.dir, batch)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const release = lockDirectory(dir)
  const readers = await openCardReaders(config.pcsc ?? {}, { log, ...chance })
  const http = ledgerClient(config.ledger, Math.random)
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { ending.abort() })
  try {
    const report = await runIssuing({
      batch, http, files: directoryLayer(dir), clock: systemClock,
      readers: config.readers.map(name => readers.of().reader(name)),
      deadlineMs: config.transmitDeadlineMs ?? 5_000, log, onChip: say, over: ending.signal, ...chance
    })
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  } finally {
    http.close()
    readers.close()
    release()
  }
}

function say (result: ChipResult): void {
  const why = 'why' in result ? `: ${result.why}` : ''
  process.stdout.write(`${result.kind} ${result.serial ?? '-'}${why}\n`)
}

function readDesk (path: string): DeskConfig {
  const config: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const wrong = Errors(DeskConfig, config).map(({ instancePath, message }) =>
    `  ${instancePath || '/'} ${message}`)
  if (wrong.length > 0) throw new Error(`${path} configures no desk:\n${[...new Set(wrong)].join('\n')}`)
  return config as DeskConfig
}

main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`issue: ${error.message}\n`)
  process.exit(1)
})
