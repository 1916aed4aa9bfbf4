// Judges lines and writes what follows from them, in the transaction it is given: the one road from a line to
// money, whatever door the line came through. It refuses to know deliveries and their answers.
import { stopwatch } from '../../runtime/clock.ts'
import { groupBy } from '../../runtime/collections.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { reasonNumbers } from '../../schemas/reasons.ts'
import {
  itemsDigest, type CommittedAdjustment, type CommittedDelivery, type CommittedItems
} from '../core/items.ts'
import type { LaneLines } from './file.ts'
import type { IncomingLine } from './incoming.ts'
import { claimRows, lineRows, terminalRows, transferRows } from './kept-rows.ts'
import { judge } from '../judging/judge.ts'
import type { Decision, Draft } from '../judging/book.ts'
import { keepPlain, type Kept } from '../judging/plain.ts'
import { sortOut, type Context, type Prepared, type Unreadable } from '../judging/sort-out.ts'
import type { Ledger } from '../ledger.ts'
import { askedBy, lookUp, prepare, verifyPlain, type PlacedLine } from './prepare.ts'
import { lockFor, lockLines, readContext, readKnown, type OtherCard } from './read-known.ts'
import { noteTakenBack, redressesOf, takingBack, type TakenBack } from '../redress/take-back.ts'
import type { AlertRow } from '../store/alerts.ts'
import { markBeyond, movePurses } from '../store/cards.ts'
import { DecideAgain, isTaken, type Tx } from '../store/db.ts'
import { tell } from '../store/outbox.ts'
import { nextBatchId, postBatch, type NewTransfer } from '../store/post.ts'
import {
  claimTerminals, evidenceKinds, insertAdjustments, insertClaims, insertEvidence, lastTransfers, resetTops,
  type Origin
} from '../store/records.ts'
import type { LockedCards } from '../store/lock.ts'
import type { PartyRow, Snapshot } from '../store/registry.ts'
import { eventsOf } from './tell-others.ts'
import { tellWatch } from './tell-watch.ts'

export type LinesToBook = {
  readonly kind: Context['kind']
  readonly lines: readonly IncomingLine[]
  /** More lines, in columns, all of one operator's file. */
  readonly plain?: PlainPart
  readonly deliveryNo: bigint
  readonly externalId: string
  /** Of the delivery's bytes. */
  readonly digest: Buffer
  readonly date: string
  readonly receivedAtMs: number
  readonly salt: Buffer
}
export type PlainPart = Pick<LaneLines, 'plain' | 'again'> & { readonly operator: PartyRow }

/** What was decided of all lines: those judged one by one, with their results, and those that were kept. */
export type Judged = {
  readonly lines: readonly IncomingLine[]
  readonly decision: Decision
  readonly kept: Kept | null
}
export type Stage = 'lock' | 'verify' | 'judge' | 'write' | 'tell'
export type Booked = Judged & {
  readonly batchId: bigint
  /** Time spent in each stage, in seconds; what a lost race cost is not in it. */
  readonly seconds: Readonly<Record<Stage, number>>
  /** To be logged once the transaction is durable. */
  readonly raised: readonly AlertRow[]
}

/** What a try has learnt for the next one: that keys collide, and which other cards must be locked. */
export type Again = { thorough: boolean, others: readonly OtherCard[] }
export const firstTry = (): Again => ({ thorough: false, others: [] })

/** `told`: the delivery, or the part of it, that the batch commits to, once its lines are judged. */
export async function bookLines (
  ledger: Pick<Ledger, 'tac'>, tx: Tx, snapshot: Snapshot, given: LinesToBook, again: Again,
  told: (judged: Judged) => CommittedDelivery
): Promise<Booked> {
  const lap = stopwatch()
  const { prepared, judged, ...spent } = await decide(ledger, tx, snapshot, given, again, lap)
  // From here on nothing is decided any more: what follows writes the decision or fails whole.
  const { batchId, taken } = await write(tx, given, judged, told(judged), again)
  const wrote = lap()
  const { date: clearingDate, receivedAtMs } = given
  const raised = await tellWatch(tx, snapshot, prepared, judged, { batchId, clearingDate, receivedAtMs })
  const events = eventsOf(prepared, judged, snapshot, { delivery: given.externalId, clearingDate })
  await tell(tx, events, receivedAtMs)
  const seconds = { ...spent, write: wrote, tell: lap() }
  return { ...judged, batchId, raised: [...taken, ...raised], seconds }
}

type Decided = { readonly prepared: readonly Prepared[], readonly judged: Judged } &
  Readonly<Record<'lock' | 'verify' | 'judge', number>>

async function decide (
  ledger: Pick<Ledger, 'tac'>, tx: Tx, snapshot: Snapshot, given: LinesToBook, again: Again, lap: () => number
): Promise<Decided> {
  const { plain } = given
  const locked = await lockFor(tx, given.lines, plain?.plain.cards ?? [], again.others)
  const { cards, purses } = locked
  const context = await readContext(tx, snapshot, askedBy(snapshot, given, cards), given)
  const lock = lap()
  const kept = plain === undefined || again.thorough
    ? null
    : await keep(ledger, snapshot, given.lines, plain, locked, context)
  const lines = plain === undefined ? given.lines : [...given.lines, ...leftOf(plain, kept)].sort(byLineNo)
  await lockLines(tx, lines, cards)
  const prepared = await prepare(ledger, snapshot, readableOf(lines), cards)
  const verify = lap()
  killPoint('after-verify')
  const sorted = sortOut(prepared, unreadableOf(lines), purses, context, again.thorough)
  const known = await readKnown(tx, sorted, purses,
    again.thorough ? { lockAlso: cards => lockAlso(again, cards) } : null)
  const decision = judge(sorted, known, context)
  if (decision === 'collision') return collided(again)
  return { prepared, judged: { lines, decision, kept }, lock, verify, judge: lap() }
}

/** Accepts the plain lines of cards of which nothing else is told here, where all goes on as it should. */
async function keep (
  ledger: Pick<Ledger, 'tac'>, snapshot: Snapshot, others: readonly IncomingLine[],
  { plain, operator }: PlainPart, { cards, purses }: LockedCards, context: Context
): Promise<Kept> {
  const registered = lookUp(snapshot, plain, operator, cards)
  const tacValid = await verifyPlain(ledger, snapshot, plain, registered.cards)
  const toldElsewhere = new Set(others.flatMap(line => line.readable ? [line.cardKey] : []))
  const { topDebitFen } = snapshot.policies
  return keepPlain(plain, context, { registered, purses, tacValid, toldElsewhere, topDebitFen })
}

function leftOf ({ plain, again }: PlainPart, kept: Kept | null): IncomingLine[] {
  const left: IncomingLine[] = []
  for (let place = 0; place < plain.length; place++) if (kept?.isKept[place] !== 1) left.push(again(place))
  return left
}

const byLineNo = (one: IncomingLine, other: IncomingLine): number => one.lineNo - other.lineNo

const readableOf = (lines: readonly IncomingLine[]): PlacedLine[] =>
  lines.flatMap((line, index) => line.readable ? [{ line, index }] : [])
const unreadableOf = (lines: readonly IncomingLine[]): Unreadable[] =>
  lines.flatMap((line, index) => line.readable ? [] : [{ ...line, index }])

function lockAlso (again: Again, cards: readonly OtherCard[]): never {
  again.others = [...again.others, ...cards]
  throw new DecideAgain('other cards are touched')
}

/** Rare: the next try reads who else claims the same keys. */
function collided (again: Again): never {
  again.thorough = true
  throw new DecideAgain('keys collide')
}

/* ---- write ---- */

async function write (
  tx: Tx, { deliveryNo, digest, date, receivedAtMs, salt }: LinesToBook, judged: Judged,
  told: CommittedDelivery, again: Again
): Promise<{ batchId: bigint, taken: readonly AlertRow[] }> {
  const { decision, kept } = judged
  const batchId = await nextBatchId(tx)
  const origin = { deliveryNo, batchId, clearingDate: date }
  await takeKeys(tx, origin, judged, again)
  await insertEvidence(tx, origin, decision.evidence)
  const { transfers, takenBack } = await transfersOf(tx, decision.journals, deliveryNo)
  await insertAdjustments(tx, batchId, date, decision.adjustments)
  await movePurses(tx, [...kept?.moves ?? [], ...decision.moves])
  await resetTops(tx, decision.retop, reasonNumbers.conflict)
  await markBeyond(tx, [...decision.beyond, ...decision.retop])
  const { transferIds } = await postBatch(tx, {
    kind: 'records', reopens: true,
    clearingDate: date,
    createdAtMs: receivedAtMs,
    salt,
    deliveryNo,
    deliveryDigest: digest,
    itemsDigest: itemsDigest(committedItems(told, judged)),
    items: decision.results.length + (kept?.places.length ?? 0),
    transfers,
    ...kept === null ? {} : { ahead: transferRows(kept, deliveryNo) }
  }, batchId)
  const taken = await noteTakenBack(tx, takenBack, transferIds, { date, atMs: receivedAtMs })
  return { batchId, taken }
}

/** Whoever else has just taken a key ends this try; the next one reads what it says. */
async function takeKeys (tx: Tx, origin: Origin, { decision, kept }: Judged, again: Again): Promise<void> {
  try {
    await claimTerminals(tx, decision.terminalClaims, kept === null ? [] : terminalRows(kept))
    await insertClaims(tx, origin, decision.claims, kept === null ? [] : claimRows(kept))
  } catch (error) {
    if (isTaken(error)) again.thorough = true
    throw error
  }
}

const committedItems = (delivery: CommittedDelivery, { decision, kept }: Judged): CommittedItems => ({
  delivery,
  lines: [
    ...decision.claims,
    ...decision.evidence.map(line => ({ ...line, kind: evidenceKinds[line.kind] }))],
  ...kept === null ? {} : { plain: lineRows(kept) },
  adjustments: committedAdjustments(decision)
})

/** Verdicts that change, as a batch commits to them. */
export const committedAdjustments = ({ adjustments }: Pick<Decision, 'adjustments'>): CommittedAdjustment[] =>
  adjustments.map(({ event, ...now }) => ({
    ...now, bucket: event.bucket, deliveryNo: event.deliveryNo, lineNo: event.lineNo, cardId: event.cardId
  }))

/**
 * Corrections name the transfer they correct; transfers of one event share a journal. What people gave back
 * of money that is corrected is taken back first.
 */
export async function transfersOf (
  tx: Tx, journals: readonly (readonly Draft[])[], deliveryNo: bigint | null
): Promise<{ transfers: NewTransfer[], takenBack: TakenBack[] }> {
  const corrected = journals.flatMap(([first]) => first?.of ?? [])
  const originals = await lastTransfers(tx, corrected)
  const originalOf = new Map(corrected.map((event, place) => [event, originals[place] ?? null]))
  const redresses = groupBy(await redressesOf(tx, corrected, originals), ({ original }) => original)
  const transfers: NewTransfer[] = []
  const takenBack: TakenBack[] = []
  for (const journal of journals) {
    const first = transfers.length
    const [head] = journal
    const original = head?.of === null || head === undefined ? null : originalOf.get(head.of) ?? null
    for (const redress of original === null ? [] : redresses.get(original) ?? []) {
      takenBack.push({ redress, place: transfers.length })
      transfers.push(takingBack(redress, { journal: first, eventAtMs: head?.eventAtMs ?? 0 }))
    }
    for (const draft of journal) {
      const { of } = draft
      transfers.push({
        bucket: draft.bucket,
        journal: first,
        code: draft.code,
        book: draft.book,
        debit: draft.debit,
        credit: draft.credit,
        amountFen: draft.amountFen,
        cardId: draft.cardId ?? null,
        eventAtMs: draft.eventAtMs,
        deliveryNo: of?.deliveryNo ?? deliveryNo,
        lineNo: draft.lineNo ?? null,
        corrects: of === null ? null : originalOf.get(of) ?? null
      })
    }
  }
  return { transfers, takenBack }
}
