// Debits of chips that no bill takes any more go back as soon as their records are here, whoever asks or does
// not: a timer goes over what is due. It refuses to know why it is.
import type { Ledger } from '../../ledger.ts'
import { dueMessages, findMessage, lockPerson } from '../../store/clinic.ts'
import { payDue } from './answer.ts'
import { atClinic } from './desk.ts'

const atOnceMax = 100

/** `after`: where the next round begins; null at the end of what is due. */
export type Round = { readonly returned: number, readonly after: bigint | null }

/**
 * Gives back what can be of the next `limit` that are due behind a message, each in a transaction of its own:
 * what cannot go back yet, and what fails, keeps no other waiting.
 */
export async function returnDue (ledger: Ledger, after: bigint = 0n, limit = atOnceMax): Promise<Round> {
  const due = await dueMessages(ledger.db, after, limit)
  let returned = 0
  for (const { party, message, person } of due) {
    try {
      returned += await atClinic(ledger, { party, client: 'clinic' }, async desk => {
        await lockPerson(desk.tx, person)
        const row = await findMessage(desk.tx, desk.partyId, message)
        return row !== null && await payDue(desk, row) === 'returned' ? 1 : 0
      })
    } catch (error) {
      ledger.log.error({ err: error, party, message }, 'clinic: a debit that has to go back')
    }
  }
  return { returned, after: due.length < limit ? null : due.at(-1)?.messageNo ?? null }
}
