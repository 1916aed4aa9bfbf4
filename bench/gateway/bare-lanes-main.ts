// The bare exchange of a purchase on several lanes of one pcscd at once: pairs of readers as arguments, told
// by its parent when to wait for the next card, and says how long the exchange took.
import { openPcsc } from '../../gateway/pcsc/port.ts'
import { createLog } from '../../runtime/log.ts'
import { openBareLane } from '../tap.ts'

export type BareTap = { readonly pair: string, readonly totalMs: number }

const pcsc = await openPcsc({
  log: createLog('bench', { level: 'silent' }), random: () => 0.5, nowMs: () => performance.now()
})
const pairs = process.argv.slice(2)
const opened = pairs.map(async pair => [pair, await openBareLane(pcsc, pair)] as const)
const lanes = new Map(await Promise.all(opened))

process.on('message', (pair: string) => {
  lanes.get(pair)?.().then(
    ({ totalMs }) => process.send?.({ pair, totalMs } satisfies BareTap),
    (error: unknown) => { throw error }
  )
})
process.on('disconnect', () => {
  pcsc.close()
  process.exit()
})
process.send?.('ready')
