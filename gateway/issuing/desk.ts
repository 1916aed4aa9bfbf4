// An issuing desk at work: a reader, and what is said of each chip that is laid on it. It refuses to know
// what is written onto chips.
import type { Log } from '../../runtime/log.ts'
import type { Reader } from '../pcsc/port.ts'
import { type ChipResult, type Run, serveChip } from './run.ts'

export type IssuingDeskOptions = {
  readonly reader: Reader
  readonly run: Run
  /** Of each command. */
  readonly deadlineMs: number
  readonly log: Log
  /** The chip may be taken away. */
  readonly onChip: (result: ChipResult) => void
}

export type IssuingDesk = {
  /** Resolves when nothing is under way with a chip any more. */
  close (): Promise<void>
}

/** One chip after the other; a chip that lies there already is served as one that comes. */
export function openIssuingDesk (options: IssuingDeskOptions): IssuingDesk {
  const { reader, run, deadlineMs, log, onChip } = options
  let serving: Promise<void> = Promise.resolve()
  let arrivals = 0
  const end = reader.listen(event => {
    if (event === 'chip_out') return
    const no = ++arrivals
    serving = serving.then(() => serve(no)).catch((error: unknown) => {
      const told = { err: error, alarm: 'issuing_failed', reader: reader.name }
      log.error(told, 'a chip was not served to its end')
    })
  })

  async function serve (no: number): Promise<void> {
    if (reader.state() !== 'chip' || no !== arrivals) return
    const connection = await reader.connect(deadlineMs).catch((error: Error) => error)
    if (connection instanceof Error) {
      onChip({ kind: 'interrupted', serial: null, why: connection.message.trim() })
      return
    }
    try {
      onChip(await serveChip(connection, run))
    } finally {
      await connection.close('leave')
    }
  }

  return {
    close: async () => {
      end()
      await serving
    }
  }
}
