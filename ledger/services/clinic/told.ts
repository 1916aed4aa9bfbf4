// What a clinic is told afterwards: the answer to a message, the sums of a person's year.
import type { ClinicReply } from '../../../schemas/medical/clinic.ts'
import type { Ledger } from '../../ledger.ts'
import { Refusal } from '../../refusal.ts'
import {
  findMessage, findPerson, isReversed, liveSettlements, readAccumulators
} from '../../store/clinic.ts'
import { findExchange } from '../../store/clinic-centre.ts'
import { clinicOf } from './desk.ts'
import { accountBalance } from './money.ts'
import { declined, unknown } from './views.ts'

/** What was answered to a message. Throws Refusal not_found. */
export async function tellMessage (ledger: Ledger, party: string, message: string): Promise<ClinicReply> {
  const partyId = await clinicOf(ledger, party)
  const found = await findMessage(ledger.db, partyId, message)
  if (found === null) {
    if (await findExchange(ledger.db, partyId, message) !== null) return unknown
    throw new Refusal('not_found', `${party} has sent no message ${message}`)
  }
  if (await isReversed(ledger.db, partyId, message)) return declined('message_reversed')
  return { ...found.reply, replayed: true }
}

/** Sums of a year, as they bound the next bill. Throws Refusal not_found. */
export async function viewPerson (ledger: Ledger, no: string, year: number) {
  const person = await findPerson(ledger.db, no)
  if (person === null) throw new Refusal('not_found', 'nobody is insured here under this number', '/person')
  const { scheme, category, area, personId } = person
  return {
    person: no, scheme, category, area, year,
    accountFen: await accountBalance({ tx: ledger.db, ledger }, person),
    live: (await liveSettlements(ledger.db, personId, year)).length,
    accumulators: (await readAccumulators(ledger.db, personId, year))
      .map(({ counter, amount }) => ({ counter, amount: Number(amount) }))
  }
}
