// The verb of the ledger's day: takes a delivery, verifies its TACs, judges every line, and writes all of it
// in one transaction. Nothing is answered before that transaction is durable. It refuses to know which door
// the delivery came through.
import { deflateSync } from 'node:zlib'
import { killPoint } from '../runtime/kill-point.ts'
import { outcomeNumbers, reasonNumbers } from '../schemas/reasons.ts'
import { logAlerts } from './alerts.ts'
import { itemsDigest, type CommittedItems } from './core/items.ts'
import type { IncomingLine } from './intake/incoming.ts'
import { judge } from './judge.ts'
import { outcomeName, reasonName, type Decision, type Draft, type LineResult } from './judging/book.ts'
import { sortOut, type Prepared, type Unreadable } from './judging/sort-out.ts'
import type { Ledger } from './ledger.ts'
import { prepare } from './prepare.ts'
import { lockFor, readContext, readKnown, type OtherCard } from './read-known.ts'
import { Refusal } from './refusal.ts'
import type { AlertRow } from './store/alerts.ts'
import { movePurses } from './store/cards.ts'
import { DecideAgain, inTransaction, type Tx } from './store/db.ts'
import {
  findDelivery, insertDelivery, nextDeliveryNo, type DeliveryKey,
  type StoredAnswer
} from './store/deliveries.ts'
import { openDate } from './store/lock.ts'
import { tell } from './store/outbox.ts'
import { nextBatchId, postBatch, type NewTransfer } from './store/post.ts'
import {
  claimTerminals, evidenceKinds, insertAdjustments, insertClaims, insertEvidence, lastTransfers, resetTops
} from './store/records.ts'
import type { Snapshot } from './store/registry.ts'
import { eventsOf } from './tell-others.ts'
import { tellWatch } from './tell-watch.ts'

export type Delivery = DeliveryKey & {
  readonly raw: Buffer
  readonly digest: Buffer
  readonly lines: readonly IncomingLine[]
  /** What the door wants to find again when the delivery is repeated. */
  readonly extra?: (results: readonly LineResult[], clearingDate: string) => unknown
}
export type Submitted = {
  readonly replayed: boolean
  readonly clearingDate: string
  readonly results: readonly LineResult[]
  readonly extra: unknown
}

export async function submit (ledger: Ledger, delivery: Delivery): Promise<Submitted> {
  const known = await findDelivery(ledger.db, delivery)
  if (known !== null) return repeat(delivery, known)
  killPoint('after-raw')
  const receivedAtMs = ledger.clock.now()
  const snapshot = await ledger.registry()
  const lines = await prepare(ledger, snapshot, delivery.lines)
  killPoint('after-verify')
  const salt = ledger.random(16)
  const again: Again = { thorough: false, others: [] }
  let raised: readonly AlertRow[] = []
  const submitted = await inTransaction(ledger.db, async tx => {
    const date = await openDate(tx)
    if (date === null) throw new Refusal('unavailable', 'no clearing date is set yet: register the first one')
    const earlier = await findDelivery(tx, delivery)
    if (earlier !== null) return repeat(delivery, earlier)
    const decision = await decide(tx, snapshot, lines, { kind: delivery.kind, receivedAtMs, date }, again)
    // From here on nothing is decided any more: what follows writes the decision or fails whole.
    const extra = delivery.extra?.(decision.results, date)
    const batchId = await write(tx, delivery, decision, { receivedAtMs, date, salt, extra }, again)
    raised = await tellWatch(tx, lines.prepared, decision,
      { batchId, clearingDate: date, receivedAtMs, topDebitFen: snapshot.policies.topDebitFen })
    await tell(tx, eventsOf(lines.prepared, decision, snapshot, {
      delivery: delivery.externalId, clearingDate: date
    }), receivedAtMs)
    killPoint('before-commit')
    return { replayed: false, clearingDate: date, results: decision.results, extra }
  })
  killPoint('after-commit-before-reply')
  logAlerts(ledger, raised)
  return submitted
}

/** What a try has learnt for the next one: that keys collide, and which other cards must be locked. */
type Again = { thorough: boolean, others: readonly OtherCard[] }

async function decide (
  tx: Tx, snapshot: Snapshot, { prepared, unreadable }: { prepared: Prepared[], unreadable: Unreadable[] },
  given: Parameters<typeof readContext>[3], again: Again
): Promise<Decision> {
  const purses = await lockFor(tx, prepared, unreadable, again.others)
  const context = await readContext(tx, snapshot, prepared, given)
  const sorted = sortOut(prepared, unreadable, purses, context, again.thorough)
  const known = await readKnown(tx, sorted, purses,
    again.thorough ? { lockAlso: cards => lockAlso(again, cards) } : null)
  const decision = judge(sorted, known, context)
  return decision === 'collision' ? collided(again) : decision
}

function lockAlso (again: Again, cards: readonly OtherCard[]): never {
  again.others = [...again.others, ...cards]
  throw new DecideAgain('other cards are touched')
}

/** Rare: the next try reads who else claims the same keys. */
function collided (again: Again): never {
  again.thorough = true
  throw new DecideAgain('keys collide')
}

function repeat (
  delivery: Delivery, known: { digest: Buffer, clearingDate: string, answer: StoredAnswer }
): Submitted {
  if (!known.digest.equals(delivery.digest)) {
    const reason = delivery.kind === 'file' ? 'file_sequence_used' : 'delivery_conflict'
    throw new Refusal(reason, `${delivery.externalId} was used before for other content`, delivery.externalId)
  }
  const { reasons, replayed, details, extra } = known.answer
  const repeated = new Set(replayed)
  const outcomeOf = known.answer.outcomes
  const results = reasons.map((reason, index): LineResult => ({
    outcome: outcomeName(outcomeOf[index] ?? 0),
    reason: reasonName(reason),
    replayed: repeated.has(index),
    ...(details[index] === undefined ? {} : { detail: details[index] })
  }))
  return { replayed: true, clearingDate: known.clearingDate, results, extra }
}

/* ---- write ---- */

async function write (tx: Tx, delivery: Delivery, decision: Decision, given: {
  readonly receivedAtMs: number, readonly date: string, readonly salt: Buffer, readonly extra: unknown
}, again: Again): Promise<bigint> {
  const batchId = await nextBatchId(tx)
  const deliveryNo = await nextDeliveryNo(tx)
  const origin = { deliveryNo, batchId, clearingDate: given.date }
  const claimed = await claimTerminals(tx, decision.terminalClaims) &&
    await insertClaims(tx, origin, decision.claims)
  if (!claimed) collided(again)
  await insertEvidence(tx, origin, decision.evidence)
  const transfers = await transfersOf(tx, decision.journals, deliveryNo)
  await insertAdjustments(tx, batchId, given.date, decision.adjustments)
  await movePurses(tx, decision.moves)
  await resetTops(tx, decision.retop, reasonNumbers.conflict)
  const told = {
    ...delivery,
    deliveryNo,
    receivedAtMs: given.receivedAtMs,
    lines: decision.results.length,
    distinct: decision.distinct,
    clearingDate: given.date,
    answer: answerOf(decision.results, given.extra)
  }
  await postBatch(tx, {
    kind: 'records',
    clearingDate: given.date,
    createdAtMs: given.receivedAtMs,
    salt: given.salt,
    deliveryNo,
    deliveryDigest: delivery.digest,
    itemsDigest: itemsDigest(committedItems(told, decision)),
    items: decision.results.length,
    transfers
  }, batchId)
  await insertDelivery(tx, { ...told, raw: deflateSync(delivery.raw, { level: 1 }) })
  return batchId
}

const committedItems = (delivery: CommittedItems['delivery'], decision: Decision): CommittedItems => ({
  delivery,
  lines: [
    ...decision.claims.map(line => ({ ...line, kind: 'claim' as const })),
    ...decision.evidence.map(line => ({ ...line, kind: evidenceKinds[line.kind] }))],
  adjustments: decision.adjustments.map(({ event, ...now }) => ({
    ...now, bucket: event.bucket, deliveryNo: event.deliveryNo, lineNo: event.lineNo, cardId: event.cardId
  }))
})

/** Corrections name the transfer they correct; transfers of one event share a journal. */
export async function transfersOf (
  tx: Tx, journals: readonly (readonly Draft[])[], deliveryNo: bigint | null
): Promise<NewTransfer[]> {
  const corrected = journals.flatMap(([first]) => first?.of ?? [])
  const originals = await lastTransfers(tx, corrected)
  const originalOf = new Map(corrected.map((event, place) => [event, originals[place] ?? null]))
  const transfers: NewTransfer[] = []
  for (const journal of journals) {
    const first = transfers.length
    for (const { of, ...draft } of journal) {
      transfers.push({
        ...draft,
        journal: first,
        deliveryNo: of?.deliveryNo ?? deliveryNo,
        corrects: of === null ? null : originalOf.get(of) ?? null
      })
    }
  }
  return transfers
}

function answerOf (results: readonly LineResult[], extra: unknown): StoredAnswer {
  return {
    reasons: results.map(result => reasonNumbers[result.reason]),
    outcomes: results.map(result => outcomeNumbers[result.outcome]),
    replayed: results.flatMap((result, index) => result.replayed ? [index] : []),
    details: Object.fromEntries(results.flatMap((result, index) =>
      result.detail === undefined ? [] : [[index, result.detail]])),
    ...(extra === undefined ? {} : { extra })
  }
}
