// What people gave back of a debit that a change of its verdict reverses: it is taken back with it, so that
// nobody pays twice, whichever came first, and somebody is told. It refuses to know verdicts.
import { masked } from '../core/mask.ts'
import { raiseAlerts } from '../alerts.ts'
import { voidCodes } from '../core/redress.ts'
import type { AlertRow } from '../store/alerts.ts'
import type { Tx } from '../store/db.ts'
import type { NewTransfer } from '../store/post.ts'
import type { StoredEvent } from '../store/records.ts'
import { insertVoids, standingRedresses, type StandingRedress } from '../store/redress.ts'

/** A redress to be taken back by the transfer at `place` of a batch. */
export type TakenBack = { readonly redress: StandingRedress, readonly place: number }

/** What stands against each event's last transfer, by that transfer. */
export async function redressesOf (
  tx: Tx, events: readonly StoredEvent[], originals: readonly (bigint | null)[]
): Promise<readonly StandingRedress[]> {
  return await standingRedresses(tx, events.flatMap((event, place) => {
    const original = originals[place] ?? null
    return original === null ? [] : [{ ...event, original }]
  }))
}

/** The transfer of a redress with its sides swapped. */
export const takingBack = (
  { kind, debit, credit, amountFen, bucket, cardId, transferId }: StandingRedress,
  { journal, eventAtMs }: Pick<NewTransfer, 'journal' | 'eventAtMs'>
): NewTransfer => ({
  bucket, journal, code: voidCodes[kind], book: 'commerce', debit: credit, credit: debit, amountFen, cardId,
  eventAtMs, corrects: transferId
})

/** Writes down what was taken back, and tells somebody: the holder may have it on a chip already. */
export async function noteTakenBack (
  tx: Tx, taken: readonly TakenBack[], transferIds: readonly bigint[],
  of: { readonly date: string, readonly atMs: number }
): Promise<AlertRow[]> {
  await insertVoids(tx, taken.map(({ redress: { redressId, bucket }, place }) =>
    ({ redressId, bucket, transferId: transferIds[place] ?? 0n })), of)
  return await raiseAlerts(tx, taken.map(({ redress: { counter, kind, amountFen, cardId, ...card } }) => ({
    kind: 'redress_void' as const, about: `card/${masked(card)}#${cardId}/${counter}`, clearingDate: of.date,
    evidence: { counter, kind, amountFen }
  })), of.atMs)
}
