// Says in the log when the spool begins to fill up, takes no more, and is well again: each once, not at every
// tap. It refuses to know why.
import type { Log } from '../../runtime/log.ts'
import type { Spool } from './spool.ts'

const everyMs = 1_000

export function watchSpool (spool: Spool, log: Log): { stop (): void } {
  let highWater = false
  let refusal: string | null = null

  function look (): void {
    const { highWater: isHigh, depth } = spool.level()
    const why = spool.refusal()
    if (isHigh && !highWater) log.error({ alarm: 'spool_high_water', depth }, 'records wait for the ledger')
    if (why !== null && why !== refusal) log.error({ alarm: why, depth }, 'no tap is taken')
    if (why === null && refusal !== null) log.info({ depth }, 'taps are taken again')
    if (!isHigh && highWater) log.info({ depth }, 'the spool has emptied below its warning')
    highWater = isHigh
    refusal = why
  }

  // Disks fill up and ledgers come back without a tap, too.
  const timer = setInterval(look, everyMs)
  spool.onRecord(look)
  look()
  return { stop: () => clearInterval(timer) }
}
