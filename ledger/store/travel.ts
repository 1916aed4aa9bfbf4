// Two uses of one card at terminals that said where they stand. It refuses to know what is too far.
import type { Use } from '../core/travel.ts'
import type { Tx } from './db.ts'

export type UseRow = Use & {
  readonly terminalId: number, readonly counter: number, readonly amountFen: bigint
}
export type Pair = {
  readonly bucket: number, readonly cardId: bigint, readonly one: UseRow, readonly other: UseRow
}

/** Uses of a chip so many counters apart are held against each other. */
const counters = 8

/**
 * What batches brought, each with the uses before and after it inside an hour. A city whose terminals do not
 * say where they are pays one look at their states. The earlier use comes first.
 */
export async function usesElsewhere (tx: Tx, batches: readonly bigint[]): Promise<Pair[]> {
  const { rows: [placed] } = await tx.query<{ some: boolean }>(
    'select exists (select from terminal_state where latitude is not null) as some')
  if (placed?.some !== true) return []
  type Flat = { bucket: number, cardId: bigint } & { [K in keyof UseRow as `a_${K}`]: UseRow[K] } &
    { [K in keyof UseRow as `b_${K}`]: UseRow[K] }
  const use = (of: string, state: string) => `${of}.terminal_id as "${of}_terminalId",
    ${of}.counter as "${of}_counter", ${of}.amount_fen as "${of}_amountFen",
    ${of}.event_at as "${of}_eventAtMs",
    ${state}.latitude as "${of}_latitude", ${state}.longitude as "${of}_longitude"`
  const { rows } = await tx.query<Flat>(`
    select a.bucket, a.card_id as "cardId", ${use('a', 'sa')}, ${use('b', 'sb')}
    from card_event n
    join terminal_state sn on sn.terminal_id = n.terminal_id and sn.latitude is not null
    join card_event o on o.bucket = n.bucket and o.card_id = n.card_id and o.purse = n.purse
      and o.counter_kind = n.counter_kind
      and o.counter between n.counter - ${counters} and n.counter + ${counters}
      and o.terminal_id <> n.terminal_id
      and o.event_at between n.event_at - interval '1 hour' and n.event_at + interval '1 hour'
    cross join lateral (select least(n.counter, o.counter) as low, greatest(n.counter, o.counter) as high) k
    join card_event a on a.bucket = n.bucket and a.card_id = n.card_id and a.purse = n.purse
      and a.counter_kind = n.counter_kind and a.counter = k.low
    join card_event b on b.bucket = n.bucket and b.card_id = n.card_id and b.purse = n.purse
      and b.counter_kind = n.counter_kind and b.counter = k.high
    join terminal_state sa on sa.terminal_id = a.terminal_id and sa.latitude is not null
    join terminal_state sb on sb.terminal_id = b.terminal_id and sb.latitude is not null
    where n.batch_id = any($1)
    order by 1, 2, k.low, k.high`, [batches])
  return rows.map(({ bucket, cardId, ...row }) => ({
    bucket, cardId,
    one: {
      terminalId: row.a_terminalId, counter: row.a_counter, amountFen: row.a_amountFen,
      eventAtMs: row.a_eventAtMs, latitude: row.a_latitude, longitude: row.a_longitude
    },
    other: {
      terminalId: row.b_terminalId, counter: row.b_counter, amountFen: row.b_amountFen,
      eventAtMs: row.b_eventAtMs, latitude: row.b_latitude, longitude: row.b_longitude
    }
  }))
}
