// What batches told the watch, as rows: one per batch, taken once.
import { instants, numbers } from './columns.ts'
import type { Tx } from './db.ts'
import type { PurseKey } from './records.ts'
import type { Run } from './sequences.ts'

/** Top-value debits of one terminal in one minute. */
export type TopDebits = { readonly terminalId: number, readonly minuteMs: number, readonly debits: number }
export type News = {
  readonly runs: readonly Run[], readonly purses: readonly PurseKey[], readonly tops: readonly TopDebits[]
}

/** `batches`: those that told it. */
export type TakenNews = News & { readonly batches: readonly bigint[] }

export async function insertNews (tx: Tx, batchId: bigint, { runs, purses, tops }: News): Promise<void> {
  if (runs.length + purses.length + tops.length === 0) return
  await tx.query(`
    insert into batch_news (batch_id, psam_ids, lows, highs, card_buckets, card_ids, purses, top_terminals,
      top_minutes, top_debits)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, [
    batchId, numbers(runs.map(r => r.psamId)), numbers(runs.map(r => r.low)), numbers(runs.map(r => r.high)),
    numbers(purses.map(p => p.bucket)), numbers(purses.map(p => p.cardId)), numbers(purses.map(p => p.purse)),
    numbers(tops.map(t => t.terminalId)), instants(tops.map(t => t.minuteMs)),
    numbers(tops.map(t => t.debits))])
}

type NewsRow = {
  batchId: bigint,
  psamIds: number[], lows: bigint[], highs: bigint[], cardBuckets: number[], cardIds: bigint[],
  purses: number[], topTerminals: number[], topMinutes: number[], topDebits: number[]
}

/**
 * Takes the oldest `batches` of what was told, fewer where they tell of more than `purses`, one at least;
 * null where nothing is left.
 */
export async function takeNews (
  tx: Tx, { batches, purses }: { readonly batches: number, readonly purses: number }
): Promise<TakenNews | null> {
  const { rows } = await tx.query<NewsRow>(`
    with taken as (
      delete from batch_news where bucket = 0 and batch_id in (
        select batch_id from (
          select batch_id, sum(cardinality(card_ids)) over (order by batch_id) - cardinality(card_ids) as n
          from (
            select batch_id, card_ids from batch_news where bucket = 0
            order by batch_id limit $1) oldest) before
        where n < $2)
      returning *)
    select batch_id as "batchId", psam_ids as "psamIds",
      lows, highs, card_buckets as "cardBuckets", card_ids as "cardIds", purses,
      top_terminals as "topTerminals", array(select extract(epoch from m)::bigint * 1000
        from unnest(top_minutes) as m) as "topMinutes", top_debits as "topDebits"
    from taken`, [batches, purses])
  if (rows.length === 0) return null
  return {
    batches: rows.map(({ batchId }) => batchId),
    runs: rows.flatMap(row => row.psamIds.map((psamId, place): Run =>
      ({ psamId, low: BigInt(row.lows[place] ?? 0), high: BigInt(row.highs[place] ?? 0) }))),
    purses: rows.flatMap(row => row.cardIds.map((cardId, place): PurseKey =>
      ({ bucket: row.cardBuckets[place] ?? 0, cardId: BigInt(cardId), purse: row.purses[place] ?? 0 }))),
    tops: rows.flatMap(row => row.topTerminals.map((terminalId, place): TopDebits =>
      ({ terminalId, minuteMs: Number(row.topMinutes[place]), debits: row.topDebits[place] ?? 0 })))
  }
}
