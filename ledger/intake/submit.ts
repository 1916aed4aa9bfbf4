// The verb of the ledger's day: takes a delivery of records and books it in one transaction. Nothing is
// answered before that transaction is durable. It refuses to know which door the delivery came through.
import { deflateSync } from 'node:zlib'
import { stopwatch } from '../../runtime/clock.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { outcomeNumbers, reasonNumbers } from '../../schemas/reasons.ts'
import { afterBooking } from './after-booking.ts'
import { bookLines, firstTry, type Booked } from './book-lines.ts'
import { admitForeign } from './foreign-cards.ts'
import type { IncomingLine } from './incoming.ts'
import { outcomeName, reasonName, type LineResult } from '../judging/book.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction } from '../store/db.ts'
import {
  findDelivery, insertDelivery, nextDeliveryNo, type DeliveryKey, type StoredAnswer
} from '../store/deliveries.ts'
import { openDate } from '../store/lock.ts'

export type Delivery = DeliveryKey & {
  readonly raw: Buffer
  readonly digest: Buffer
  readonly lines: readonly IncomingLine[]
}
export type Submitted = {
  readonly replayed: boolean
  readonly clearingDate: string
  readonly results: readonly LineResult[]
}

/** What submitting takes of a ledger. */
export type Submitting =
  Pick<Ledger, 'db' | 'clock' | 'registry' | 'random' | 'tac' | 'meters' | 'log'>

export async function submit (ledger: Submitting, delivery: Delivery): Promise<Submitted> {
  const known = await findDelivery(ledger.db, delivery)
  if (known !== null) return answered(ledger, repeat(delivery, known))
  killPoint('after-raw')
  const receivedAtMs = ledger.clock.now()
  const snapshot = await ledger.registry()
  await admitForeign(ledger, snapshot, delivery.lines, receivedAtMs)
  const salt = ledger.random(16)
  const again = firstTry()
  const lap = stopwatch()
  let booked: Booked | null = null
  const submitted = await inTransaction(ledger.db, async tx => {
    booked = null
    const date = await openDate(tx)
    if (date === null) throw new Refusal('unavailable', 'no clearing date is set yet: register the first one')
    const earlier = await findDelivery(tx, delivery)
    if (earlier !== null) return repeat(delivery, earlier)
    const deliveryNo = await nextDeliveryNo(tx)
    const { kind, externalId, digest, lines } = delivery
    const told = { ...delivery, deliveryNo, receivedAtMs, lines: lines.length, clearingDate: date }
    booked = await bookLines(ledger, tx, snapshot,
      { kind, lines, deliveryNo, externalId, digest, date, receivedAtMs, salt }, again,
      ({ decision: { results, distinct } }) => ({ ...told, distinct, answer: answerOf(results) }))
    const { results, distinct } = booked.decision
    const answer = answerOf(results)
    await insertDelivery(tx, { ...told, distinct, answer, raw: deflateSync(delivery.raw, { level: 1 }) })
    killPoint('before-commit')
    return { replayed: false, clearingDate: date, results }
  })
  killPoint('after-commit-before-reply')
  afterBooking(ledger, 'records', booked, lap())
  return answered(ledger, submitted)
}

function answered ({ meters }: Submitting, submitted: Submitted): Submitted {
  meters.answered('records', submitted.replayed)
  return submitted
}

function repeat (
  delivery: Delivery, known: { digest: Buffer, clearingDate: string, answer: StoredAnswer }
): Submitted {
  if (!known.digest.equals(delivery.digest)) {
    const reason = delivery.kind === 'file' ? 'file_sequence_used' : 'delivery_conflict'
    throw new Refusal(reason, `${delivery.externalId} was used before for other content`, delivery.externalId)
  }
  const { reasons, replayed, details } = known.answer
  const repeated = new Set(replayed)
  const outcomeOf = known.answer.outcomes
  const results = reasons.map((reason, index): LineResult => ({
    outcome: outcomeName(outcomeOf[index] ?? 0),
    reason: reasonName(reason),
    replayed: repeated.has(index),
    ...(details[index] === undefined ? {} : { detail: details[index] })
  }))
  return { replayed: true, clearingDate: known.clearingDate, results }
}

function answerOf (results: readonly LineResult[]): StoredAnswer {
  return {
    reasons: results.map(result => reasonNumbers[result.reason]),
    outcomes: results.map(result => outcomeNumbers[result.outcome]),
    replayed: results.flatMap((result, index) => result.replayed ? [index] : []),
    details: Object.fromEntries(results.flatMap((result, index) =>
      result.detail === undefined ? [] : [[index, result.detail]]))
  }
}
