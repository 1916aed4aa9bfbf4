// Our own paths, by the very functions of the ledger: taps recorded with purse row and dedupe keys, sales and
// top-ups from guarded balances, online requests gathered and one by one. Each is compared with what it
// should have done.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { claimRows, terminalRows, transferRows, type KeptLines } from '../../ledger/intake/kept-rows.ts'
import type { PlainLines } from '../../ledger/intake/plain-lines.ts'
import { postGuarded, type Journal } from '../../ledger/posting/post-guarded.ts'
import { requestDesk } from '../../ledger/posting/requests.ts'
import { accountDifferences, purseDifferences } from '../../ledger/store/balances.ts'
import { movePurses, type PurseMove } from '../../ledger/store/cards.ts'
import { inTransaction, type Tx } from '../../ledger/store/db.ts'
import { guardedDifferences } from '../../ledger/store/guarded.ts'
import { lockPurses, openDate, type PurseRow } from '../../ledger/store/lock.ts'
import { nextBatchId, postBatch } from '../../ledger/store/post.ts'
import { claimTerminals, insertClaims, psamBucket } from '../../ledger/store/records.ts'
import { hashBytes } from '../../schemas/sha256.ts'
import type { Turn } from './others.ts'
import { fareFen, setSize, type BenchCard, type Stage } from './stage.ts'

export type Spread = 'hot' | 'spread'

/* ---- recorded: what taps do ---- */

/** A set of taps, a card each, in columns as the lines of a file are, and who is paid for them. */
type Taps = Omit<KeptLines, 'places' | 'cards'> & { readonly cards: readonly BenchCard[] }

/**
 * Counters of cards and sequences of PSAMs go on from turn to turn, as those of chips do. `everyCard`: each
 * card taps once, so that every page of the large indexes has gone whole into the log since the checkpoint.
 */
export function recordedPath (stage: Stage, writers: number) {
  const counters = new Map<bigint, number>()
  const sequences = new Float64Array(stage.psams.length)
  const nowMs = Date.UTC(2026, 2, 2, 2)
  let taps = 0

  function tapsOf (cards: readonly BenchCard[], operators: Spread): Taps {
    const lines = emptyLines(cards.length)
    cards.forEach(({ cardId }, place) => {
      const counter = (counters.get(cardId) ?? 100) + 1
      counters.set(cardId, counter)
      const tap = taps++
      const psam = tap % stage.psams.length
      sequences[psam]! += 1
      lines.cardPlace[place] = place
      lines.psamPlace[place] = psam
      lines.terminalPlace[place] = operators === 'hot' ? 0 : tap % stage.operators.length
      lines.lineNo[place] = place + 1
      lines.counter[place] = counter
      lines.sequence[place] = sequences[psam] as number
      lines.eventAtMs[place] = nowMs + tap
      createHash('sha256').update(`${cardId} ${counter}`).digest().copy(lines.content, place * hashBytes)
    })
    return {
      lines, cards, psams: stage.psams.map(psamId => ({ psamId })),
      terminals: stage.operators.map((_, terminalId) => ({ terminalId })),
      sides: stage.operators.map(credit => ({ debit: stage.accounts.purse, credit })),
      findings: new Map(), isKept: new Uint8Array(cards.length).fill(1)
    }
  }

  async function post (sets: readonly (readonly BenchCard[])[], operators: Spread): Promise<Turn> {
    const made = sets.map(cards => tapsOf(cards, operators))
    const count = BigInt(made.reduce((sum, { lines }) => sum + lines.length, 0))
    const before = await turnover(stage)
    const turn = await timed(made, writers, set => recordSet(stage, set))
    const after = await turnover(stage)
    assert.equal(after.transfers - before.transfers, count, 'recorded: one transfer per tap')
    assert.equal(after.fen - before.fen, count * fareFen, 'recorded: every fen')
    assert.equal(before.shadowFen - after.shadowFen, count * fareFen, 'recorded: purses')
    for (const set of made) await compareKeys(stage, set)
    return turn
  }

  return {
    turn: (sets: number, operators: Spread): Promise<Turn> => {
      const shares = sharesOf(stage.cards, writers)
      return post(Array.from({ length: sets }, (_, set) => sample(shares[set % writers] ?? [], setSize)),
        operators)
    },
    everyCard: (): Promise<Turn> =>
      post(sharesOf(stage.cards, Math.ceil(stage.cards.length / setSize)), 'spread')
  }
}

function emptyLines (length: number): PlainLines {
  const ints = () => new Int32Array(length)
  return {
    length, cards: [], psams: [], terminals: [], cardPlace: ints(), psamPlace: ints(), terminalPlace: ints(),
    lineNo: ints(), counter: ints(), amountFen: ints().fill(Number(fareFen)), balanceBeforeFen: ints(),
    sequence: new Float64Array(length), eventAtMs: new Float64Array(length),
    type: new Uint8Array(length).fill(6), content: Buffer.alloc(length * hashBytes), items: Buffer.alloc(0),
    at: ints()
  }
}

/** Each tap has taken its two keys. */
async function compareKeys ({ db, psams }: Stage, { lines, cards }: Taps): Promise<void> {
  const psamIds = Array.from(lines.psamPlace, place => psams[place] ?? 0)
  const { rows: [found] } = await db.query<{ chips: bigint, terminals: bigint }>(`
    select count(e.card_id) as chips, count(c.psam_id) as terminals
    from unnest($1::smallint[], $2::bigint[], $3::int[], $4::smallint[], $5::int[], $6::bigint[])
      as k (bucket, card_id, counter, psam_bucket, psam_id, sequence)
    left join card_event e on e.bucket = k.bucket and e.card_id = k.card_id and e.purse = 2
      and e.counter_kind = 0 and e.counter = k.counter
    left join terminal_claim c on c.bucket = k.psam_bucket and c.psam_id = k.psam_id
      and c.sequence = k.sequence`, [
    cards.map(card => card.bucket), cards.map(card => card.cardId), [...lines.counter],
    psamIds.map(psamBucket), psamIds, [...lines.sequence]])
  const all = BigInt(lines.length)
  assert.deepEqual(found, { chips: all, terminals: all }, 'recorded: both keys of every tap')
}

/** One transaction of taps as the ledger writes it once each line has its verdict. */
async function recordSet ({ ledger }: Stage, taps: Taps): Promise<Outcome> {
  const { lines: { length }, cards } = taps
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDate(tx) ?? ''
    const placeOf = new Map(cards.map(({ cardId }, place) => [cardId, place]))
    const purses = await lockPurses(tx, cards)
    assert.equal(purses.length, length, 'every card of the bench has its purse')
    const kept = { ...taps, places: Int32Array.from(purses, ({ cardId }) => placeOf.get(cardId) ?? -1) }
    const batchId = await nextBatchId(tx)
    await claimTerminals(tx, [], terminalRows(kept))
    await insertClaims(tx, { deliveryNo: batchId, batchId, clearingDate }, [], claimRows(kept))
    await movePurses(tx, purses.map((purse, nth) => moveOf(purse, taps, kept.places[nth] as number)))
    await postBatch(tx, {
      kind: 'records', clearingDate, createdAtMs: Date.now(), salt: randomBytes(16), items: length,
      transfers: [], ahead: transferRows(kept, batchId)
    }, batchId)
    return { posted: length, rejected: 0 }
  })
}
function moveOf (purse: PurseRow, { lines }: Taps, place: number): PurseMove {
  const { bucket, cardId, purse: which, lastBalanceFen, openItems, at } = purse
  return {
    bucket, cardId, purse: which, lastCounter: lines.counter[place] as number,
    lastBalanceFen: lastBalanceFen - fareFen, shadowDeltaFen: -fareFen, openItems, at
  }
}

/* ---- guarded: what online accounts and prefunded agents do ---- */

/** Holders pay one operator from online accounts, or agents fill them from what they paid in. */
export function guardedPath (stage: Stage, writers: number) {
  const journalOf = (what: 'sales' | Spread, card: BenchCard, place: number): Journal => {
    const { online } = stage.accounts
    const agent = stage.agents[what === 'hot' ? 0 : place % stage.agents.length] ?? 0
    const { bucket, cardId } = card
    const sides = what === 'sales'
      ? { code: 'online_purchase' as const, debit: online, credit: stage.operators[0] ?? 0 }
      : { code: 'online_topup' as const, debit: agent, credit: online }
    return {
      transfers: [{ ...sides, bucket, cardId, book: 'commerce', amountFen: fareFen, eventAtMs: Date.now() }]
    }
  }
  return async (sets: number, what: 'sales' | Spread): Promise<Turn> => {
    const shares = sharesOf(stage.cards, writers)
    const made = Array.from({ length: sets }, (_, set) =>
      sample(shares[set % writers] ?? [], setSize).map((card, place) =>
        journalOf(what, card, set * setSize + place)))
    const before = await turnover(stage)
    const turn = await timed(made, writers, set => inTransaction(stage.db, tx => guardSet(tx, stage, set)))
    const after = await turnover(stage)
    assert.equal(after.transfers - before.transfers, BigInt(turn.posted), 'guarded: what was posted is there')
    assert.equal(after.fen - before.fen, BigInt(turn.posted) * fareFen, 'guarded: every fen')
    const online = BigInt(turn.posted) * (what === 'sales' ? -fareFen : fareFen)
    assert.equal(after.onlineFen - before.onlineFen, online, 'guarded: online accounts')
    return turn
  }
}

async function guardSet (tx: Tx, { snapshot }: Stage, journals: readonly Journal[]): Promise<Outcome> {
  const clearingDate = await openDate(tx) ?? ''
  const { results } = await postGuarded(tx, {
    kind: 'requests', clearingDate, createdAtMs: Date.now(), salt: randomBytes(16), items: journals.length
  }, journals, { accounts: snapshot.guarded, ceilingOf: () => null })
  const posted = results.filter(result => result.outcome === 'posted').length
  return { posted, rejected: results.length - posted }
}

/* ---- online requests: gathered, and one by one ---- */

export type RequestTurn = Turn & { readonly p99Ms: number, readonly p50Ms: number }

let keys = 0
/** `callers` ask again when they are answered; `itemsMax` 1 gives each request a transaction of its own. */
export async function requestTurn (
  stage: Stage, count: number, callers: number, itemsMax: number
): Promise<RequestTurn> {
  const ask = requestDesk(stage.ledger, { itemsMax, waitingMax: callers + 1 })
  const took: number[] = []
  const outcome = { posted: 0, rejected: 0, dropped: 0 }
  let left = count
  const startMs = performance.now()
  await Promise.all(Array.from({ length: callers }, async () => {
    while (left-- > 0) {
      const card = stage.cards[Math.floor(Math.random() * stage.cards.length)] as BenchCard
      const sentMs = performance.now()
      await ask({
        client: 'bench', party: null,
        request: {
          kind: 'purchase', key: `bench-${keys++}-${startMs}`, card: card.ref, amountFen: 180, party: 'O0'
        }
      }).then(reply => { outcome[reply.outcome === 'approved' ? 'posted' : 'rejected']++ },
        () => { outcome.dropped++ })
      took.push(performance.now() - sentMs)
    }
  }))
  const seconds = (performance.now() - startMs) / 1_000
  took.sort((one, other) => one - other)
  const at = (part: number): number => took[Math.ceil(part * took.length) - 1] ?? 0
  return { ...outcome, seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}

/* ---- shared ---- */

type Outcome = { readonly posted: number, readonly rejected: number }

/**
 * Writers take turns at the sets. They never hold the same card: what several gateways bring at one moment is
 * about different cards, since nobody boards two buses at once.
 */
async function timed<T> (
  sets: readonly T[], writers: number, work: (set: T) => Promise<Outcome>
): Promise<Turn> {
  const sum = { posted: 0, rejected: 0, dropped: 0 }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: writers }, async (_, writer) => {
    for (let at = writer; at < sets.length; at += writers) {
      const { posted, rejected } = await work(sets[at] as T)
      sum.posted += posted
      sum.rejected += rejected
    }
  }))
  return { ...sum, seconds: (performance.now() - startMs) / 1_000 }
}

const sharesOf = (cards: readonly BenchCard[], writers: number): BenchCard[][] =>
  Array.from({ length: writers }, (_, writer) => cards.filter((_, place) => place % writers === writer))

/** `count` different ones, in no order. */
function sample<T> (from: readonly T[], count: number): T[] {
  const places = new Set<number>()
  while (places.size < count) places.add(Math.floor(Math.random() * from.length))
  return [...places].map(place => from[place] as T)
}

type Turnover = Readonly<Record<'transfers' | 'fen' | 'shadowFen' | 'onlineFen', bigint>>

async function turnover ({ db }: Stage): Promise<Turnover> {
  const { rows } = await db.query<Turnover>(`
    select (select count(*) from transfer where clearing_date = '2026-03-02') as transfers,
      (select coalesce(sum(amount_fen), 0) from transfer where clearing_date = '2026-03-02')::bigint as fen,
      (select sum(shadow_fen) from purse)::bigint as "shadowFen",
      (select sum(balance_fen) from guarded_balance where card_id > 0)::bigint as "onlineFen"`)
  return rows[0] as Turnover
}

/** After all turns: every balance against the transfers, one by one. */
export async function compareAll ({ db }: Stage): Promise<void> {
  assert.deepEqual(await accountDifferences(db, '2026-03-02'), [], 'accounts equal their transfers')
  assert.deepEqual(await purseDifferences(db), [], 'purses equal their control account')
  assert.deepEqual(await guardedDifferences(db), [], 'guarded balances equal their transfers')
}
