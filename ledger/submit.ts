// The verb of the ledger's day: takes a delivery, verifies its TACs, judges every line, and writes all of it
// in one transaction.
// Nothing is answered before that transaction is durable. It refuses to know which door the delivery came
// through.
import { deflateSync } from 'node:zlib'
import { killPoint } from '../runtime/kill-point.ts'
import { groupBy, uniqueBy } from '../runtime/collections.ts'
import { localDate } from '../runtime/instants.ts'
import { cardKey, bucketOf } from '../schemas/record.ts'
import { outcomeNumbers, reasonNumbers } from '../schemas/reasons.ts'
import { appliedAt, listingAt } from './core/listing.ts'
import type { IncomingLine } from './intake/incoming.ts'
import {
  judge, outcomeName, reasonName, type Context, type Decision, type Known, type LineResult, type Prepared,
  type Unreadable
} from './judge.ts'
import type { Ledger } from './ledger.ts'
import { Refusal } from './refusal.ts'
import { findApplied, findEntries } from './store/blacklist.ts'
import { findCards, movePurses, type CardRow } from './store/cards.ts'
import { DecideAgain, inTransaction, type Tx } from './store/db.ts'
import {
  findDelivery, insertDelivery, nextDeliveryNo, type DeliveryKey, type StoredAnswer
} from './store/deliveries.ts'
import { lockPurses, openDate } from './store/lock.ts'
import { nextBatchId, postBatch, type NewTransfer } from './store/post.ts'
import {
  claimTerminals, findClaims, findDigests, findEvidence, findTerminalClaims, insertAdjustments, insertClaims,
  insertEvidence, transferOf, type ChipKey
} from './store/records.ts'
import { accountId, type PartyRow, type PsamRow, type Snapshot, type TerminalRow } from './store/registry.ts'
import { itemLength, writeItem } from './verify/tac-item.ts'

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
  const { prepared, unreadable } = await prepare(ledger, snapshot, delivery.lines)
  killPoint('after-verify')
  const salt = ledger.random(16)
  const submitted = await inTransaction(ledger.db, async tx => {
    const date = await openDate(tx)
    if (date === null) throw new Refusal('unavailable', 'no clearing date is set yet: register the first one')
    const earlier = await findDelivery(tx, delivery)
    if (earlier !== null) return repeat(delivery, earlier)
    const known = await readKnown(tx, prepared, unreadable)
    const context = await readContext(tx, snapshot, prepared, { kind: delivery.kind, receivedAtMs, date })
    const decision = judge(prepared, unreadable, known, context)
    // From here on nothing is decided any more: what follows writes the decision or fails whole.
    const extra = delivery.extra?.(decision.results, date)
    await write(tx, delivery, decision, { receivedAtMs, date, salt, extra })
    killPoint('before-commit')
    return { replayed: false, clearingDate: date, results: decision.results, extra }
  })
  killPoint('after-commit-before-reply')
  return submitted
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

/* ---- before the transaction: what needs no lock ---- */

async function prepare (ledger: Ledger, snapshot: Snapshot, lines: readonly IncomingLine[]): Promise<{
  prepared: Prepared[], unreadable: Unreadable[]
}> {
  const readable = lines.flatMap((line, index) => line.readable ? [{ line, index }] : [])
  const cards = await findCards(ledger.db, readable.map(({ line }) => line.record.card))
  const valid = await verifyTacs(ledger, snapshot, readable.map(({ line }) =>
    ({ line, card: cards.get(cardKey(line.record.card)) ?? null })))
  const prepared = readable.map(({ line, index }, place): Prepared => {
    const { record } = line
    const card = record.purse === 'ep' ? cards.get(cardKey(record.card)) ?? null : null
    return {
      ...line, index, card, bucket: card?.bucket ?? bucketOf(record.card), tacValid: valid[place] ?? null,
      psam: psamAt(snapshot.psams.get(record.psam) ?? [], line.eventAtMs),
      ...placeOf(snapshot, record.operator, record.terminal)
    }
  })
  const unreadable = lines.flatMap((line, index) => line.readable ? [] : [{ ...line, index }])
  return { prepared, unreadable }
}

const noTac = (tac: string | null): boolean => tac === null || tac === '00000000' || tac === 'FFFFFFFF'

/** True or false per line, null where it carries no TAC or its card is not known. */
async function verifyTacs (
  ledger: Ledger, snapshot: Snapshot,
  lines: readonly { line: IncomingLine & { readable: true }, card: CardRow | null }[]
): Promise<(boolean | null)[]> {
  const checked = lines.flatMap(({ line, card }, place) =>
    card === null || noTac(line.record.tac) ? [] : [{ record: line.record, card, place }])
  const items = Buffer.alloc(checked.length * itemLength)
  const { tacKeyLevels, factorOrder } = snapshot.policies
  checked.forEach(({ record, card }, index) =>
    writeItem(items, index * itemLength, record, card.suite, tacKeyLevels === 2 ? card.cityFactor : null))
  const valid = await ledger.tac.verify(items, factorOrder)
  const answers = lines.map(({ line, card }) =>
    card === null && !noTac(line.record.tac) ? false : null) as (boolean | null)[]
  checked.forEach(({ place }, index) => { answers[place] = valid[index] === 1 })
  return answers
}

/** The issue of the PSAM that was valid at the event, or the nearest one. */
const psamAt = (issues: readonly PsamRow[], atMs: number): PsamRow | null =>
  issues.findLast(one => one.fromMs <= atMs && (one.toMs === null || one.toMs > atMs)) ??
  issues.findLast(one => one.fromMs <= atMs) ?? issues[0] ?? null

/** The operator's own terminal of that number, or somebody else's: then the verdict says so. */
function placeOf (snapshot: Snapshot, operatorCode: string, code: string): {
  operator: PartyRow | null, terminal: TerminalRow | null
} {
  const operator = snapshot.parties.get(operatorCode) ?? null
  const all = snapshot.terminals.get(code) ?? []
  return { operator, terminal: all.find(one => one.partyId === operator?.partyId) ?? all[0] ?? null }
}

/* ---- inside the transaction: lock, look ---- */

const chipKeyOf = (line: Prepared, card: CardRow, add: number): ChipKey =>
  ({
    bucket: card.bucket, cardId: card.cardId, purse: line.record.purse === 'ep' ? 2 : 1,
    counter: line.record.counter + add
  })

async function readKnown (
  tx: Tx, prepared: readonly Prepared[], unreadable: readonly Unreadable[]
): Promise<Known> {
  const onCards = prepared.flatMap(line => line.card === null ? [] : [{ line, card: line.card }])
  const purses = await lockPurses(tx, uniqueBy(onCards.map(({ card }) => card), card => card.cardId))
  // A record on counter n is evidence on grey records n and n − 1.
  const evidence = await findEvidence(tx, onCards.flatMap(({ line, card }) =>
    [chipKeyOf(line, card, 0), chipKeyOf(line, card, -1)]))
  const greys = onCards.filter(({ line }) => line.record.grey || line.tacValid === null)
  const claims = await findClaims(tx, [
    ...onCards.map(({ line, card }) => chipKeyOf(line, card, 0)),
    ...greys.map(({ line, card }) => chipKeyOf(line, card, 1)),
    ...evidence.flatMap(line => [line, { ...line, counter: line.counter + 1 }])])
  const digests = await findDigests(tx, [
    ...prepared.map(({ bucket, digest }) => ({ bucket, digest })),
    ...unreadable.map(({ digest }) => ({ bucket: 0, digest }))], reasonNumbers.duplicate)
  const terminalClaims = await findTerminalClaims(tx, prepared.flatMap(line =>
    line.psam === null ? [] : [{ psamId: line.psam.psamId, sequence: BigInt(line.record.sequence) }]))
  return {
    purses, evidence, claims: uniqueBy(
      claims, c => `${c.cardId}/${c.purse}/${c.counter}`
    ), digests, terminalClaims
  }
}

const dayMs = 86_400_000
const hourMs = 3_600_000
const minuteMs = 60_000

async function readContext (tx: Tx, snapshot: Snapshot, prepared: readonly Prepared[], given: {
  readonly kind: Context['kind'], readonly receivedAtMs: number, readonly date: string
}): Promise<Context> {
  const { policies } = snapshot
  const cards = prepared.flatMap(line => line.card === null ? [] : [line.card])
  const entries = groupBy(
    await findEntries(tx, uniqueBy(cards, card => card.cardId)), entry => entry.cardId)
  const listed = prepared.filter(line => line.card !== null && entries.has(line.card.cardId))
  const applied = listed.length === 0
    ? []
    : await findApplied(tx, listed.flatMap(line => line.terminal === null ? [] : [line.terminal.terminalId]))
  const accounts = {
    purse: accountId(snapshot, 'commerce', 'purse'),
    unpaid: accountId(snapshot, 'commerce', 'unpaid-debits'),
    issuerLoss: accountId(snapshot, 'commerce', 'issuer-loss')
  }
  return {
    kind: given.kind,
    receivedAtMs: given.receivedAtMs,
    policy: {
      lateMs: policies.lateDays * dayMs,
      clockToleranceMs: policies.clockToleranceMinutes * minuteMs,
      debitFenMax: BigInt(policies.debitFenMax)
    },
    beforeOpenDate: eventAtMs => localDate(eventAtMs) < given.date,
    listing: line => listingAt(
      entries.get(line.card?.cardId ?? -1n) ?? [],
      appliedAt(
        applied.filter(one => one.terminalId === line.terminal?.terminalId), line.eventAtMs
      ), line.eventAtMs,
      { windowMs: policies.blacklistWindowHours * hourMs, reachable: line.terminal?.reachable ?? true }),
    accountsOf: operator => ({
      ...accounts,
      merchant: operator === null || operator.kind !== 'operator'
        ? null
        : accountId(snapshot, 'commerce', 'merchant-pending', operator.code)
    }),
    operatorOf: terminalId => {
      const terminal = snapshot.terminalById.get(terminalId)
      return terminal === undefined ? null : snapshot.partyById.get(terminal.partyId) ?? null
    }
  }
}

/* ---- write ---- */

async function write (tx: Tx, delivery: Delivery, decision: Decision, given: {
  readonly receivedAtMs: number, readonly date: string, readonly salt: Buffer, readonly extra: unknown
}): Promise<void> {
  const batchId = await nextBatchId(tx)
  const deliveryNo = await nextDeliveryNo(tx)
  const origin = { deliveryNo, batchId, clearingDate: given.date }
  const claimed = await claimTerminals(
    tx, decision.terminalClaims
  ) && await insertClaims(tx, origin, decision.claims)
  if (!claimed) throw new DecideAgain('a key was claimed by another delivery')
  await insertEvidence(tx, origin, decision.evidence)
  await insertAdjustments(tx, batchId, given.date, decision.adjustments)
  await movePurses(tx, decision.moves)
  const transfers = await Promise.all(decision.drafts.map(async (
    { of, ...draft }, place
  ): Promise<NewTransfer> => ({
    ...draft,
    journal: place,
    deliveryNo: of?.deliveryNo ?? deliveryNo,
    corrects: of === null ? null : await transferOf(tx, of)
  })))
  await postBatch(tx, {
    kind: 'records', clearingDate: given.date, createdAtMs: given.receivedAtMs, salt: given.salt, deliveryNo,
    deliveryDigest: delivery.digest, items: decision.results.length, transfers
  }, batchId)
  await insertDelivery(tx, {
    ...delivery, deliveryNo, receivedAtMs: given.receivedAtMs, raw: deflateSync(delivery.raw),
    lines: decision.results.length, distinct: decision.distinct, clearingDate: given.date,
    answer: answerOf(decision.results, given.extra)
  })
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
