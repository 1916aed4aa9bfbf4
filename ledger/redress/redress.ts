// Money of a card event that people move again: a refund, a release, a dispute that was accepted. Always in
// the open date, always naming the original, never more than what is left of it. What is closed stays.
import { localDate } from '../../runtime/instants.ts'
import { bucketOf, cardKey, type CardRef } from '../../schemas/record.ts'
import {
  moveOf, placeOf, standingCodes, type Place, type RedressKind, type Towards
} from '../core/redress.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { requireAllowed } from '../posting/allowed.ts'
import { Refusal } from '../refusal.ts'
import { findCards } from '../store/cards.ts'
import type { Tx } from '../store/db.ts'
import { unfinishedDispute } from '../store/disputes.ts'
import { lockPurses } from '../store/lock.ts'
import { postBatch } from '../store/post.ts'
import { findEvent, insertRedress, type EventRow } from '../store/redress.ts'
import { accountId } from '../store/registry.ts'
import { markRidden } from '../store/rides.ts'

/** A use of the offline counter of a card's purse: what a record is about, and what its holder can name. */
export type Original = { readonly card: CardRef, readonly counter: number }

/** The electronic purse, as chips number it. */
const purse = 2

/** An event with its money, locked against everybody else who would move it. */
export type Standing = {
  readonly openDate: string
  readonly event: EventRow
  readonly place: Place
  /** What is left to redress; 0 where nothing of it is anywhere. */
  readonly leftFen: bigint
  readonly disputeId: bigint | null
}

/** How an event is called in the audit log and as the subject of proposals. */
export const eventSubject = ({ card, counter }: Original, { nameCard }: Pick<Ledger, 'nameCard'>): string =>
  `card/${nameCard(card)}/${counter}`

/** Locks the purse and looks. Throws Refusal not_found. */
export async function standingOf (
  tx: Tx, { clock }: Pick<Ledger, 'clock'>, { card, counter }: Original
): Promise<Standing> {
  const date = await openDateOf(tx)
  const known = (await findCards(tx, [card])).get(cardKey(card))
  if (known === undefined) throw new Refusal('not_found', 'no such card is registered', '/card')
  const key = { bucket: bucketOf(card), cardId: known.cardId, purse, counter }
  await lockPurses(tx, [key])
  const event = await findEvent(tx, key, standingCodes)
  if (event === null) throw new Refusal('not_found', `no signed record has counter ${counter}`, '/counter')
  const place = placeOf(event.code)
  return {
    openDate: date, event, place, leftFen: place === 'nowhere' ? 0n : event.amountFen - event.redressedFen,
    disputeId: await unfinishedDispute(tx, key, localDate(clock.now()))
  }
}

/** What the people of four eyes see of it: any change of it makes a proposal stale. */
export const shownStanding = ({ event, place, leftFen, disputeId }: Standing) => ({
  operator: event.operator, place, amountFen: Number(event.amountFen), leftFen: Number(leftFen),
  dispute: disputeId === null ? null : Number(disputeId)
})

/** Throws Refusal cannot_return_twice, or amount_wrong with the most there is. */
export function requireLeft ({ leftFen, event }: Standing, amountFen: bigint): void {
  if (leftFen <= 0n && event.redressedFen > 0n) {
    throw new Refusal('cannot_return_twice', 'all of it was returned before')
  }
  if (amountFen > leftFen) {
    throw new Refusal('amount_wrong', `at most ${leftFen} fen can be moved`, '/amountFen')
  }
}

export type Redress = {
  readonly kind: RedressKind, readonly towards: Towards, readonly amountFen: bigint, readonly by: string,
  readonly reference?: string | null, readonly atMs: number
}
export type Redressed = {
  readonly redressId: bigint, readonly transferId: bigint, readonly clearingDate: string
}

/** Posts it. Throws Refusal conditions_not_met, amount_wrong, cannot_return_twice, registry_invalid. */
export async function redress (
  tx: Tx, ledger: Pick<Ledger, 'registry' | 'random'>, standing: Standing, wanted: Redress
): Promise<Redressed> {
  const { event, place, openDate: clearingDate } = standing
  const { kind, amountFen, atMs } = wanted
  const move = moveOf(kind, place, wanted.towards)
  requireLeft(standing, amountFen)
  if (move === null || event.transferId === null) {
    throw new Refusal('conditions_not_met', `its money is ${place}, which no ${kind} moves to that side`)
  }
  const snapshot = await ledger.registry()
  const account = (heading: typeof move.debit) =>
    accountId(snapshot, 'commerce', heading, heading === 'merchant-pending' ? event.operator : null)
  const transfers = [{
    journal: 0, code: move.code, book: 'commerce' as const, debit: account(move.debit),
    credit: account(move.credit), amountFen, bucket: event.bucket, cardId: event.cardId, eventAtMs: atMs,
    corrects: event.transferId
  }]
  await requireAllowed(tx, snapshot, transfers)
  const { transferIds: [transferId = 0n] } = await postBatch(tx, {
    kind: 'correction', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1, transfers
  })
  const redressId = await insertRedress(tx, {
    kind, bucket: event.bucket, cardId: event.cardId, purse: event.purse, counter: event.counter,
    original: event.transferId, transferId, clearingDate, amountFen, reference: wanted.reference ?? null,
    scope: event.operator ?? '', by: wanted.by, atMs
  })
  await markRidden(tx, [event]) // what its holder paid of the day is less from now on
  return { redressId, transferId, clearingDate }
}
