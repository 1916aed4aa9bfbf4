// Outcomes that nobody knows are asked after until they are known, whoever asks or does not: a timer goes
// over what is open. It refuses to know how.
import type { Ledger } from '../../../ledger.ts'
import { waitingExchanges } from '../../../store/clinic-centre.ts'
import { goOn } from './exchange.ts'

const atOnceMax = 20

/** Those whose pause is over, one after the other; how many have come to an end. */
export async function resolveOpen (ledger: Ledger): Promise<number> {
  let ended = 0
  for (const exchange of await waitingExchanges(ledger.db, ledger.clock.now(), atOnceMax)) {
    const { party, message } = exchange
    try {
      ended += (await goOn(ledger, exchange)).outcome === 'unknown' ? 0 : 1
    } catch (error) {
      ledger.log.error({ err: error, party, message }, 'clinic: an outcome that is not known')
    }
  }
  return ended
}
