// A tape held against the books. Each record on it is judged once more, by the very rules that judged it when
// it came, as if it came for the first time: at the moment of its delivery, with all else known that is known
// today, and with what is known of the record itself left out. Nothing is written but that somebody looked.
import { groupBy, uniqueBy } from '../../runtime/collections.ts'
import { formatIso } from '../../runtime/instants.ts'
import { outcomeName, reasonName } from '../judging/book.ts'
import { judge } from '../judging/judge.ts'
import {
  purseNumber, purseText, sortOut, type Context, type Prepared, type Sorted, type Told
} from '../judging/sort-out.ts'
import type { Draft, Known, LineResult } from '../judging/book.ts'
import { askedBy, prepare } from '../intake/prepare.ts'
import { readContext, readKnown, type OtherCard } from '../intake/read-known.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { codeName } from '../posting/account-statement.ts'
import { masked } from '../core/mask.ts'
import { Refusal } from '../refusal.ts'
import { sha256 } from '../../schemas/sha256.ts'
import { evidenceHash } from '../../schemas/record.ts'
import type {
  TapeItem, TapeMove, TapePrediction, TapePredictionRequest
} from '../../schemas/tape-prediction.ts'
import { findCards } from '../store/cards.ts'
import { DecideAgain, inTransaction, type Tx } from '../store/db.ts'
import {
  batchesOfLines, linesByDigest, readDeliveries, readPurses, type JudgedLine, type PostedDelivery
} from '../store/posted.ts'
import type { StoredEvent } from '../store/records.ts'
import type { Snapshot } from '../store/registry.ts'
import { transfersOfLines, type TracedTransfer } from '../store/tracing.ts'
import { maskNumbers, readTape, type ReadTape, type TapeRecord } from './read-tape.ts'

type Book = Pick<Ledger, 'db' | 'clock' | 'registry' | 'tac'>
const underWay = new WeakSet<object>()

/** One at a time. Throws Refusal body_invalid, unavailable. */
export async function predictTape (
  ledger: Book, request: TapePredictionRequest, by: string
): Promise<TapePrediction> {
  const { db, clock } = ledger
  const snapshot = await ledger.registry()
  const tape = readTape(snapshot, request)
  if (underWay.has(db)) throw new Refusal('unavailable', 'a tape is being read; try again when it is over')
  underWay.add(db)
  try {
    const items = await compared(ledger, snapshot, tape)
    const count = (verdict: TapeItem['verdict']) => items.filter(item => item.verdict === verdict).length
    const counts = {
      records: items.length, same: count('same'), differs: count('differs'), notPosted: count('not_posted')
    }
    await inTransaction(db, async tx => await audit(tx, clock.now(), {
      by, action: 'tape.predict', subject: `tape/${sha256(Buffer.from(request.text)).toString('hex')}`,
      detail: { name: maskNumbers(request.name), form: tape.form, ...counts }
    }))
    return { name: request.name, form: tape.form, ...counts, others: tape.others, items }
  } finally {
    underWay.delete(db)
  }
}

/** A record of the tape with what is posted for it. */
type Found = {
  readonly record: TapeRecord, readonly posted: JudgedLine | null
  /** Known events that tell what the record tells. */
  readonly itself: readonly StoredEvent[]
}
/** When a record came: for one that never did, now. */
type When = { readonly receivedAtMs: number, readonly clearingDate: string }
type Look = (records: readonly TapeRecord[], when: When) => Promise<Seen>
type Seen = { readonly sorted: Sorted, readonly known: Known, readonly context: Context }

async function compared (ledger: Book, snapshot: Snapshot, tape: ReadTape): Promise<TapeItem[]> {
  let others: readonly OtherCard[] = []
  return await inTransaction(ledger.db, async tx => {
    await tx.query('set transaction isolation level repeatable read, read only')
    const look = await looking(ledger, tx, snapshot, tape, others, cards => {
      others = [...others, ...cards]
      throw new DecideAgain('other cards are touched')
    })
    const now = { receivedAtMs: ledger.clock.now(), clearingDate: await openDateOf(tx) }
    const found = await findPosted(tx, tape.records, await look(tape.records, now))
    const deliveries = await readDeliveries(tx,
      [...new Set(found.flatMap(({ posted }) => posted?.deliveryNo ?? []))])
    const codes = new Map([...snapshot.accounts].map(([code, id]) => [id, code]))
    const items: TapeItem[] = []
    for (const delivery of [null, ...deliveries]) {
      const no = delivery?.deliveryNo ?? null
      const own = found.filter(({ posted }) => (posted?.deliveryNo ?? null) === no)
      if (own.length === 0) continue
      const predicted = predict(own, await look(own.map(({ record }) => record), delivery ?? now))
      const moved = delivery === null ? [] : await movedBy(tx, own, delivery)
      items.push(...own.map((one, place) => itemOf(one, delivery, codes,
        { ...predicted(one, place), moved: moved.filter(({ lineNo }) => lineNo === one.posted?.lineNo) })))
    }
    return items.sort((one, other) => one.line - other.line)
  })
}

async function openDateOf (tx: Tx): Promise<string> {
  const { rows: [row] } = await tx.query<{ date: string }>('select clearing_date::text as date from open_day')
  if (row !== undefined) return row.date
  throw new Refusal('unavailable', 'no clearing date is set yet: register the first one')
}

/* ---- what is known ---- */

/** Reads, without a lock, what some of the records are judged by. */
async function looking (
  ledger: Book, tx: Tx, snapshot: Snapshot, { records: all }: ReadTape, others: readonly OtherCard[],
  lockAlso: (cards: readonly OtherCard[]) => never
): Promise<Look> {
  const placed = all.flatMap(({ line }, index) => line.readable ? [{ index, line }] : [])
  const cards = await findCards(tx, placed.map(({ line: { record } }) => record.card))
  const purses = await readPurses(tx, uniqueBy([...cards.values(), ...others], ({ cardId }) => cardId))
  const prepared = new Map((await prepare(ledger, snapshot, placed, cards)).map(one => [one.lineNo, one]))
  return async (records, { receivedAtMs, clearingDate: date }) => {
    const lines = records.map(({ line }) => line)
    const asked = askedBy(snapshot, { lines }, cards)
    const context = await readContext(tx, snapshot, asked, { kind: 'json', receivedAtMs, date })
    const readable = lines.flatMap(({ lineNo }, index): Prepared[] => {
      const one = prepared.get(lineNo)
      return one === undefined ? [] : [{ ...one, index }]
    })
    const unreadable = lines.flatMap((line, index) => line.readable ? [] : [{ ...line, index }])
    const sorted = sortOut(readable, unreadable, purses, context, true)
    return { sorted, known: await readKnown(tx, sorted, purses, { lockAlso }), context }
  }
}

/** Each record with the line that tells the same event, or else with the one that has the same bytes. */
async function findPosted (
  tx: Tx, records: readonly TapeRecord[], { sorted, known }: Seen
): Promise<Found[]> {
  const events = groupBy(known.events, contentOfEvent)
  const told = new Map([...sorted.cardless, ...sorted.careful.flatMap(group => group.told)]
    .map(one => [one.line.lineNo, one]))
  const digests = records.map(({ line }) => {
    const one = told.get(line.lineNo)
    if (!line.readable || one === undefined) return { bucket: 0, digest: digestOf(line) }
    return { bucket: one.line.bucket, digest: digestOf(line) }
  })
  const lines = await linesByDigest(tx, digests)
  return records.map((record, place): Found => {
    const one = told.get(record.line.lineNo)
    const itself = one === undefined || one.kind === 'none' ? [] : events.get(contentOfLine(one)) ?? []
    const event = itself.find(({ evidence }) => evidence === null) ?? itself[0] ?? null
    const posted = event ?? lines.get(digests[place]?.digest.toString('hex') ?? '') ?? null
    return { record, posted, itself }
  })
}

const digestOf = (line: TapeRecord['line']): Buffer =>
  line.readable ? evidenceHash(line.record) : line.digest
const contentOfEvent = ({ counter, content, ...key }: StoredEvent): string =>
  `${purseText(key)}/${counter}/${content.toString('hex')}`
const contentOfLine = ({ line: { card, record, content } }: Told): string =>
  `${purseText({ cardId: card?.cardId ?? 0n, purse: purseNumber(record) })}/${record.counter}/` +
  content.toString('hex')

/** Transfers of all lines of a delivery, corrections included. */
async function movedBy (
  tx: Tx, own: readonly Found[], { deliveryNo }: PostedDelivery
): Promise<TracedTransfer[]> {
  const lines = own.flatMap(({ posted }) => posted?.lineNo ?? [])
  const events = own.flatMap(({ itself }) => itself)
  return await transfersOfLines(tx, await batchesOfLines(tx, events, deliveryNo, lines), deliveryNo, lines)
}

/* ---- what would be said ---- */

type Predicted = { readonly result: LineResult, readonly drafts: readonly Draft[] }

/** Pure: the records are judged with everything known but themselves. */
function predict (
  own: readonly Found[], { sorted, known, context }: Seen
): (one: Found, place: number) => Predicted {
  const itself = new Set(own.flatMap(one => one.itself.map(contentOfEvent)))
  const sequences = new Set(own.flatMap(one => one.itself.map(({ psamId, sequence, cardId, counter }) =>
    `${psamId}/${sequence}/${cardId}/${counter}`)))
  const decision = judge(sorted, {
    ...known,
    digests: [],
    events: known.events.filter(event => !itself.has(contentOfEvent(event))),
    keys: known.keys === null
      ? null
      : {
          ...known.keys,
          owners: known.keys.owners.filter(({ psamId, sequence, owner: { cardId, counter } }) =>
            !sequences.has(`${psamId}/${sequence}/${cardId}/${counter}`))
        }
  }, context)
  if (decision === 'collision') throw new Error('a tape was judged thoroughly and yet collided')
  const drafts = groupBy(decision.journals.flat().filter(({ of }) => of === null), ({ lineNo }) => lineNo)
  // What a tape tells twice is judged once, whatever the tape is.
  const tellers = groupBy(own, ({ record: { line } }) => digestOf(line).toString('hex'))
  return ({ record: { line } }, place) => ({
    result: decision.results[place] as LineResult,
    drafts: (tellers.get(digestOf(line).toString('hex')) ?? [])
      .flatMap(({ record }) => drafts.get(record.line.lineNo) ?? [])
  })
}

/* ---- side by side ---- */

function itemOf (
  { record: { line, raw, ruler }, posted }: Found, delivery: PostedDelivery | null,
  codes: ReadonlyMap<number, string>, { result, drafts, moved }: Predicted & {
    readonly moved: readonly TracedTransfer[]
  }
): TapeItem {
  const account = (id: number): string => codes.get(id) ?? String(id)
  const { outcome, reason } = result
  const predicted = {
    outcome, reason, moves: drafts.map(({ code, debit, credit, amountFen }): TapeMove => ({
      kind: code, debit: account(debit), credit: account(credit), amountFen: Number(amountFen)
    }))
  }
  const known = posted === null || delivery === null
    ? null
    : {
        outcome: outcomeName(posted.outcome), reason: reasonName(posted.reason),
        firstOutcome: outcomeName(posted.firstOutcome), firstReason: reasonName(posted.firstReason),
        moves: moved.map(({ code, debitAccount, creditAccount, amountFen }): TapeMove => ({
          kind: codeName(code), debit: account(debitAccount), credit: account(creditAccount),
          amountFen: Number(amountFen)
        })),
        receivedAt: formatIso(delivery.receivedAtMs), delivery: String(posted.deliveryNo), line: posted.lineNo
      }
  const use = line.readable ? line.record : null
  return {
    line: line.lineNo,
    verdict: known === null ? 'not_posted' : isSame(predicted, known) ? 'same' : 'differs',
    card: use === null ? null : masked(use.card), counter: use?.counter ?? null,
    eventAt: line.readable ? formatIso(line.eventAtMs) : null, amountFen: use?.amountFen ?? null,
    detail: line.readable ? null : line.detail,
    predicted, posted: known, raw, ruler: [...ruler]
  }
}

type Side = Pick<TapeItem['predicted'], 'outcome' | 'reason' | 'moves'>

function isSame (predicted: Side, posted: Side): boolean {
  const [one, other] = [netOf(predicted.moves), netOf(posted.moves)]
  return predicted.outcome === posted.outcome && predicted.reason === posted.reason &&
    [...new Set([...one.keys(), ...other.keys()])].every(account =>
      (one.get(account) ?? 0) === (other.get(account) ?? 0))
}

/** What moves come to for each account, in fen: a correction of a correction is no difference. */
function netOf (moves: readonly TapeMove[]): Map<string, number> {
  const net = new Map<string, number>()
  for (const { debit, credit, amountFen } of moves) {
    net.set(debit, (net.get(debit) ?? 0) - amountFen)
    net.set(credit, (net.get(credit) ?? 0) + amountFen)
  }
  return net
}
