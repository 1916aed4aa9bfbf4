// What people and counters added to chains, as rows: appended, never changed.
import { bytes, instants, lists, numbers } from './columns.ts'
import type { Tx } from './db.ts'
import type { ChipKey, Range } from './records.ts'

/** Stored: never renumber. */
const kindNumbers = {
  reading: 1, estimate: 2, expiry: 3, return: 4, release: 5, rejection: 6, load: 7
} as const
const kindNames = ['', 'reading', 'estimate', 'expiry', 'return', 'release', 'rejection', 'load'] as const

/** `atMs`: when it was read, given up or returned; of an estimate, the estimated time. */
export type ChainFact = ChipKey & {
  readonly kind: keyof typeof kindNumbers
  readonly atMs: number
  /** Of the event; null for a reading. */
  readonly content: Buffer | null
  /** A reading: what the chip held; a load: what was written to it after this counter. */
  readonly balanceFen: bigint | null
  /** An estimate: what applies to the event at that time, as numbers. */
  readonly findings: readonly number[] | null
  readonly source: string
}

/** All facts inside the ranges, in the order they were added in: of two estimates the later one counts. */
export async function findFacts (tx: Tx, ranges: readonly Range[]): Promise<ChainFact[]> {
  if (ranges.length === 0) return []
  const { rows } = await tx.query<Omit<ChainFact, 'kind'> & { kind: number }>(`
    select f.bucket, f.card_id as "cardId", f.purse, f.counter, f.kind, f.at as "atMs", f.content,
      f.balance_fen as "balanceFen", f.findings, f.source
    from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[], $5::int[])
      as k (bucket, card_id, purse, low, high)
    join chain_fact f on f.bucket = k.bucket and f.card_id = k.card_id and f.purse = k.purse
      and f.counter between k.low and k.high
    order by f.fact_id`, [
    numbers(ranges.map(r => r.bucket)), numbers(ranges.map(r => r.cardId)), numbers(ranges.map(r => r.purse)),
    numbers(ranges.map(r => r.from)), numbers(ranges.map(r => r.to))])
  return rows.map(({ kind, ...fact }) =>
    ({ ...fact, kind: kindNames[kind] as ChainFact['kind'] }))
}

export async function insertFacts (tx: Tx, facts: readonly ChainFact[]): Promise<void> {
  if (facts.length === 0) return
  await tx.query(`
    insert into chain_fact (bucket, card_id, purse, counter, kind, at, content, balance_fen, findings, source)
    select bucket, card_id, purse, counter, kind, at, content, balance_fen, findings::smallint[], source
    from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[], $5::smallint[], $6::timestamptz[],
      $7::bytea[], $8::bigint[], $9::text[], $10::text[])
      as f (bucket, card_id, purse, counter, kind, at, content, balance_fen, findings, source)`, [
    numbers(facts.map(f => f.bucket)), numbers(facts.map(f => f.cardId)), numbers(facts.map(f => f.purse)),
    numbers(facts.map(f => f.counter)), numbers(facts.map(f => kindNumbers[f.kind])),
    instants(facts.map(f => f.atMs)), bytes(facts.map(f => f.content)),
    numbers(facts.map(f => f.balanceFen)), lists(facts.map(f => f.findings)), facts.map(f => f.source)])
}
