// What a chip remembers of its last debit, asked before the next one: told with the next record, it proves to
// the issuer a debit of which another terminal never saw the end. It refuses to know whose that was.
import { getTransactionProve, parseProve } from '../../schemas/epurse/apdu.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import type { Channel } from './exchange.ts'
import { lastLogged } from './recovery.ts'

export type LastTac = { readonly counter: number, readonly tac: string }

const debits: ReadonlySet<number> = new Set([0x06, 0x09])

/**
 * The application is selected. Two commands more a tap; null where the chip does not let its log be read,
 * where it was loaded last, or has forgotten.
 */
export async function askLastTac (card: Channel): Promise<LastTac | null | 'lost'> {
  const entry = await lastLogged(card)
  if (entry === 'lost') return 'lost'
  if (entry === null || !debits.has(entry.type)) return null
  const answer = await card.transmit(getTransactionProve(entry.type, entry.counter))
  if (answer.kind === 'unknown') return 'lost'
  const proof = isOk(answer.sw) ? parseProve(answer.data) : null
  return proof === null || !proof.ok ? null : { counter: entry.counter, tac: hex(proof.tac) }
}
