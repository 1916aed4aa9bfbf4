// A clinic at the ledger's door: one transaction, in which everything is looked at and done. It refuses to
// know what is asked.
import { localDate, type LocalDate } from '../../../runtime/instants.ts'
import { housesOf } from '../../day/close-day.ts'
import type { Ledger } from '../../ledger.ts'
import { openDateOf } from '../../open-date.ts'
import { withNotes, type Pen } from '../../posting/note.ts'
import { Refusal } from '../../refusal.ts'
import { levelOf } from '../../store/clinic.ts'
import { inTransaction, joined, type Tx } from '../../store/db.ts'

/** A clinic at work, inside a transaction. `ledger`: one whose database is that transaction. */
export type Desk = {
  readonly tx: Tx, readonly ledger: Ledger, readonly party: string, readonly partyId: number
  /** Who asks. */
  readonly client: string
  readonly level: string, readonly atMs: number, readonly today: LocalDate, readonly clearingDate: LocalDate
  /** Rows of clinics are written by it: they are under the tree. */
  readonly pen: Pen
  /** That has settled it too, and under which number. */
  readonly centre?: { readonly area: string, readonly no: string } | null
}

/**
 * Throws Refusal not_found where the party is no clinic, conditions_not_met where its level is not known or
 * nobody is registered who owes for funds.
 */
export async function atClinic<T> (
  ledger: Ledger, { party, client }: { readonly party: string, readonly client: string },
  work: (desk: Desk) => Promise<T>
): Promise<T> {
  const snapshot = await ledger.registry()
  const partyId = await clinicOf(ledger, party)
  if (!housesOf(snapshot).has('medical')) {
    throw new Refusal('conditions_not_met', 'no medical insurance bureau is registered that owes for funds')
  }
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    const level = await levelOf(tx, partyId)
    if (level === null) throw new Refusal('conditions_not_met', `the level of ${party} was not entered yet`)
    const atMs = ledger.clock.now()
    const inside = { ...ledger, db: joined(tx), registry: async () => snapshot }
    return await withNotes(tx, ledger, { group: 'clinic', clearingDate, atMs }, async pen => await work({
      tx, ledger: inside, party, partyId, client, level, atMs, today: localDate(atMs), clearingDate, pen
    }))
  })
}

export async function clinicOf ({ registry }: Pick<Ledger, 'registry'>, party: string): Promise<number> {
  const found = (await registry()).parties.get(party)
  if (found?.service === 'clinic') return found.partyId
  throw new Refusal('not_found', `${party} is no clinic`)
}
