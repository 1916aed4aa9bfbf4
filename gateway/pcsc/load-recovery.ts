// A card that left while value was written onto it comes back: what does the chip itself say? GET TRANSACTION
// PROVE settles it, else the online counter of its next INITIALIZE. It refuses to know who asked for the load
// and whom it is told.
import { getTransactionProve, initLoad, parseInitLoad, parseProve } from '../../schemas/epurse/apdu.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import type { Profile } from '../../schemas/epurse/profiles.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import { transactionTypes } from '../../schemas/epurse/transaction-types.ts'
import type { Load, Outcome } from '../loads/book.ts'
import type { Answer, Channel } from './exchange.ts'
import type { PinRefusal } from './pin.ts'
import { lastLogged } from './recovery.ts'

/**
 * `lost`: the card left again, everything is as before. `unprovable`: neither proof nor counter fits, or the
 * chip tells its counter to nobody who lacks its PIN.
 */
export type LoadEnd =
  | { readonly kind: 'written' | 'not_written', readonly outcome: Outcome }
  | { readonly kind: 'unprovable', readonly refused?: PinRefusal }
  | { readonly kind: 'lost' }

/** INITIALIZE FOR LOAD, and the PIN where the chip wants it. */
export type Initialise = (command: Uint8Array) => Promise<Answer | PinRefusal>

/** The application is selected. */
export async function settleLoad (
  card: Channel, profile: Profile, load: Load, keyIndex: number, initialise: Initialise
): Promise<LoadEnd> {
  const answer = await card.transmit(getTransactionProve(transactionTypes.epLoad, load.onlineCounter + 1))
  if (answer.kind === 'unknown') return { kind: 'lost' }
  const proof = isOk(answer.sw) ? parseProve(answer.data) : null
  if (proof === null || !proof.ok) return await lookAtCounter(initialise, load, keyIndex)
  const ours = profile.pinForLog ? true : await isOurs(card, load)
  if (ours === 'lost') return { kind: 'lost' }
  return ours
    ? { kind: 'written', outcome: { outcome: 'written', tac: hex(proof.tac) } }
    : { kind: 'not_written', outcome: { outcome: 'refused' } }
}

/**
 * Another terminal may have used that counter, after this load never happened. The chip's own log knows; a
 * chip that does not let its log be read is believed, and the ledger looks at the TAC.
 */
async function isOurs (card: Channel, { amountFen, terminal, dateTime }: Load): Promise<boolean | 'lost'> {
  const entry = await lastLogged(card)
  if (entry === 'lost') return 'lost'
  if (entry === null || entry.type !== transactionTypes.epLoad) return true
  return entry.amountFen === amountFen && entry.terminal === terminal && entry.date + entry.time === dateTime
}

async function lookAtCounter (
  initialise: Initialise, { amountFen, terminal, onlineCounter }: Load, keyIndex: number
): Promise<LoadEnd> {
  const answer = await initialise(initLoad({ purse: 2, keyIndex, amountFen, terminal6: unhex(terminal) }))
  if (answer.kind === 'unknown') return { kind: 'lost' }
  if (answer.kind === 'refused') {
    return answer.reason === 'card_removed' ? { kind: 'lost' } : { kind: 'unprovable', refused: answer }
  }
  const now = isOk(answer.sw) ? parseInitLoad(answer.data) : null
  if (now === null || !now.ok || now.counter < onlineCounter) return { kind: 'unprovable' }
  const kind = now.counter > onlineCounter ? 'written' : 'not_written'
  return { kind, outcome: { outcome: 'counted', onlineCounter: now.counter } }
}
