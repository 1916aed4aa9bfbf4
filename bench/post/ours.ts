// Our own paths, by the very functions of the ledger: taps recorded with purse row and dedupe keys, sales and
// top-ups from guarded balances, online requests gathered and one by one. Each is compared with what it
// should have done.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { NewTransfer } from '../../ledger/store/post.ts'
import { postGuarded, type Journal } from '../../ledger/posting/post-guarded.ts'
import { requestDesk } from '../../ledger/posting/requests.ts'
import { accountDifferences, purseDifferences } from '../../ledger/store/balances.ts'
import { movePurses } from '../../ledger/store/cards.ts'
import { inTransaction, type Tx } from '../../ledger/store/db.ts'
import { guardedDifferences } from '../../ledger/store/guarded.ts'
import { lockPurses, openDate, type PurseRow } from '../../ledger/store/lock.ts'
import { nextBatchId, postBatch } from '../../ledger/store/post.ts'
import {
  claimTerminals, insertClaims, psamBucket, type Line, type TerminalClaim
} from '../../ledger/store/records.ts'
import type { Turn } from './others.ts'
import { fareFen, setSize, type BenchCard, type Stage } from './stage.ts'

export type Spread = 'hot' | 'spread'

/* ---- recorded: what taps do ---- */

type Tap = {
  readonly card: BenchCard, readonly line: Line, readonly claim: TerminalClaim, readonly operator: number
}

/**
 * Counters of cards and sequences of PSAMs go on from turn to turn, as those of chips do. `everyCard`: each
 * card taps once, so that every page of the large indexes has gone whole into the log since the checkpoint.
 */
export function recordedPath (stage: Stage, writers: number) {
  const counters = new Map<bigint, number>()
  const sequences = new Map<number, bigint>()
  const nowMs = Date.UTC(2026, 2, 2, 2)
  let lines = 0

  function tapOf (card: BenchCard, operator: number): Tap {
    const counter = (counters.get(card.cardId) ?? 100) + 1
    counters.set(card.cardId, counter)
    const psamId = stage.psams[lines % stage.psams.length] ?? 0
    const sequence = (sequences.get(psamId) ?? 0n) + 1n
    sequences.set(psamId, sequence)
    const { bucket, cardId } = card
    const content = createHash('sha256').update(`${cardId} ${counter}`).digest()
    const line: Line = {
      bucket, cardId, purse: 2, counter, type: 6, amountFen: fareFen, balanceBeforeFen: 0n, psamId, sequence,
      terminalId: psamId, eventAtMs: nowMs + lines, content, outcome: 0, reason: 0, findings: null,
      lineNo: 1 + lines++ % setSize
    }
    return { card, line, operator, claim: { psamId, sequence, owner: { bucket, cardId, purse: 2, counter } } }
  }

  return {
    turn: (sets: number, operators: Spread): Promise<Turn> => {
      const shares = sharesOf(stage.cards, writers)
      return taps(Array.from({ length: sets }, (_, set) => sample(shares[set % writers] ?? [], setSize)),
        operators)
    },
    everyCard: (): Promise<Turn> =>
      taps(sharesOf(stage.cards, Math.ceil(stage.cards.length / setSize)), 'spread')
  }

  async function taps (cards: readonly (readonly BenchCard[])[], operators: Spread): Promise<Turn> {
    const operatorOf = (place: number): number =>
      stage.operators[operators === 'hot' ? 0 : place % stage.operators.length] ?? 0
    const made = cards.map((set, nth) =>
      set.map((card, place) => tapOf(card, operatorOf(nth * setSize + place))))
    const count = BigInt(made.flat().length)
    const before = await turnover(stage)
    const turn = await timed(made, writers, set => recordSet(stage, set))
    const after = await turnover(stage)
    assert.equal(after.transfers - before.transfers, count, 'recorded: one transfer per tap')
    assert.equal(after.fen - before.fen, count * fareFen, 'recorded: every fen')
    assert.equal(before.shadowFen - after.shadowFen, count * fareFen, 'recorded: purses')
    for (const set of made) await compareKeys(stage, set)
    return turn
  }
}

/** Each tap has taken its two keys. */
async function compareKeys ({ db }: Stage, taps: readonly Tap[]): Promise<void> {
  const { rows: [found] } = await db.query<{ chips: bigint, terminals: bigint }>(`
    select count(e.card_id) as chips, count(c.psam_id) as terminals
    from unnest($1::smallint[], $2::bigint[], $3::int[], $4::smallint[], $5::int[], $6::bigint[])
      as k (bucket, card_id, counter, psam_bucket, psam_id, sequence)
    left join card_event e on e.bucket = k.bucket and e.card_id = k.card_id and e.purse = 2
      and e.counter_kind = 0 and e.counter = k.counter
    left join terminal_claim c on c.bucket = k.psam_bucket and c.psam_id = k.psam_id
      and c.sequence = k.sequence`, [
    taps.map(tap => tap.card.bucket), taps.map(tap => tap.card.cardId), taps.map(tap => tap.line.counter),
    taps.map(tap => psamBucket(tap.claim.psamId)), taps.map(tap => tap.claim.psamId),
    taps.map(tap => tap.claim.sequence)])
  const all = BigInt(taps.length)
  assert.deepEqual(found, { chips: all, terminals: all }, 'recorded: both keys of every tap')
}

/** One batch of taps as the ledger writes it once each line has its verdict. */
async function recordSet ({ ledger, accounts }: Stage, taps: readonly Tap[]): Promise<Outcome> {
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDate(tx) ?? ''
    const purses = new Map((await lockPurses(tx, taps.map(tap => tap.card))).map(row => [row.cardId, row]))
    const batchId = await nextBatchId(tx)
    await claimTerminals(tx, taps.map(tap => tap.claim))
    await insertClaims(tx, { deliveryNo: batchId, batchId, clearingDate }, taps.map(tap => tap.line))
    await movePurses(tx, taps.map(({ line, card }) => moveOf(line, purses.get(card.cardId))))
    const transfers = taps.map(({ line, card, operator }, journal): NewTransfer => ({
      ...card, journal, code: 'tap', book: 'commerce', debit: accounts.purse, credit: operator,
      amountFen: fareFen, eventAtMs: line.eventAtMs ?? 0, deliveryNo: batchId, lineNo: line.lineNo
    }))
    await postBatch(tx, {
      kind: 'records', clearingDate, createdAtMs: Date.now(), salt: randomBytes(16), items: taps.length,
      transfers
    }, batchId)
    return { posted: taps.length, rejected: 0 }
  })
}

function moveOf (line: Line, purse: PurseRow | undefined) {
  assert(purse !== undefined, 'a purse of the bench is missing')
  const { bucket, cardId, lastBalanceFen, openItems } = purse
  return {
    bucket, cardId, purse: 2, lastCounter: line.counter ?? 0, lastBalanceFen: lastBalanceFen - fareFen,
    shadowDeltaFen: -fareFen, openItems
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
