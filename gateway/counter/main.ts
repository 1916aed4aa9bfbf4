// A clerk's reader: waits for a chip and says as JSON which card it is, its counter and its balance. Exit
// code 1 where it cannot be read, with the reason. A lane may have the same reader: it goes first.
//
//   npm run reader -- 'DESK 00 00'
import { setTimeout as delay } from 'node:timers/promises'
import { createLog } from '../../runtime/log.ts'
import { tapReasons } from '../../schemas/gateway.ts'
import { openCardReaders } from '../pcsc/card-readers.ts'
import { readChip } from '../pcsc/chip-reading.ts'
import type { Connection, Reader } from '../pcsc/port.ts'

const limits = { waitMs: 30_000, lookMs: 100, transmitMs: 3_000 } as const

async function main ([name, socket]: readonly string[]): Promise<number> {
  if (name === undefined) throw new Error("usage: npm run reader -- 'READER' [SOCKET]")
  const nowMs = () => performance.now()
  const pcsc = socket === undefined ? {} : { socket }
  const readers = await openCardReaders(pcsc, { log: createLog('reader'), random: Math.random, nowMs })
  try {
    const connection = await connected(readers.of().reader(name), nowMs)
    const reading = await readChip(connection, {}).finally(() => connection.close('leave'))
    if (typeof reading !== 'string') {
      process.stdout.write(`${JSON.stringify(reading)}\n`)
      return 0
    }
    process.stderr.write(`${reading}: ${tapReasons[reading].en}\n`)
    return 1
  } finally {
    readers.close()
  }
}

/** Throws where no chip comes, or none that can be reached. */
async function connected (reader: Reader, nowMs: () => number): Promise<Connection> {
  let why = 'no card came'
  for (const endMs = nowMs() + limits.waitMs; nowMs() < endMs; await delay(limits.lookMs)) {
    if (reader.state() !== 'chip') continue
    const found = await reader.connect(limits.transmitMs).catch((error: Error) => error)
    if (!(found instanceof Error)) return found
    why = found.message.trim()
  }
  throw new Error(`${reader.name}: ${why}`)
}

main(process.argv.slice(2)).then(code => {
  process.exitCode = code
}, (error: Error) => {
  process.stderr.write(`reader: ${error.message}\n`)
  process.exitCode = 1
})
