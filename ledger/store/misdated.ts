// Records of a PSAM that are held for their clock, with the dated ones around them, as rows.
import { numbers } from './columns.ts'
import type { Tx } from './db.ts'
import { psamBucket, type ChipKey } from './records.ts'
import type { Neighbour } from '../core/estimate.ts'

export type Misdated = ChipKey & {
  readonly sequence: bigint, readonly content: Buffer
  readonly before: Neighbour | null, readonly after: Neighbour | null
}

/** In order of the sequence; `clock` is the number of that finding. */
export async function findMisdated (tx: Tx, psamId: number, clock: number): Promise<Misdated[]> {
  const near = (side: 'before' | 'after') => `
    left join lateral (
      select n.sequence, e.event_at from terminal_claim n
      join card_event e on e.bucket = n.card_bucket and e.card_id = n.card_id and e.purse = n.purse
        and e.counter_kind = 0 and e.counter = n.counter
      where n.bucket = $1 and n.psam_id = $2 and n.sequence ${side === 'before' ? '<' : '>'} h.sequence
        and e.reason <> $3 and not $3 = any (coalesce(e.findings, '{}'))
      order by n.sequence ${side === 'before' ? 'desc' : 'asc'} limit 1) ${side}_ on true`
  const { rows } = await tx.query<ChipKey & {
    sequence: bigint, content: Buffer, beforeSequence: bigint | null, beforeMs: number | null,
    afterSequence: bigint | null, afterMs: number | null
  }>(`
    with h as (
      select e.bucket, e.card_id, e.purse, e.counter, c.sequence, e.content
      from terminal_claim c
      join card_event e on e.bucket = c.card_bucket and e.card_id = c.card_id and e.purse = c.purse
        and e.counter_kind = 0 and e.counter = c.counter
      left join lateral (
        select reason from adjustment j where j.bucket = e.bucket and j.delivery_no = e.delivery_no
          and j.line_no = e.line_no order by j.batch_id desc limit 1) a on true
      where c.bucket = $1 and c.psam_id = $2 and coalesce(a.reason, e.reason) = $3)
    select h.bucket, h.card_id as "cardId", h.purse, h.counter, h.sequence, h.content,
      before_.sequence as "beforeSequence", before_.event_at as "beforeMs",
      after_.sequence as "afterSequence", after_.event_at as "afterMs"
    from h ${near('before')} ${near('after')} order by h.sequence`,
  [psamBucket(psamId), psamId, clock])
  const neighbour = (sequence: bigint | null, eventAtMs: number | null): Neighbour | null =>
    sequence === null || eventAtMs === null ? null : { sequence, eventAtMs }
  return rows.map(({ beforeSequence, beforeMs, afterSequence, afterMs, ...row }) => ({
    ...row, before: neighbour(beforeSequence, beforeMs), after: neighbour(afterSequence, afterMs)
  }))
}

/** When each delivery came in. */
export async function receivedAt (
  tx: Tx, deliveries: readonly bigint[]
): Promise<Map<bigint, number>> {
  const { rows } = await tx.query<{ deliveryNo: bigint, atMs: number }>(`
    select delivery_no as "deliveryNo", received_at as "atMs" from delivery
    where bucket = 0 and delivery_no = any($1)`, [numbers([...new Set(deliveries)])])
  return new Map(rows.map(({ deliveryNo, atMs }) => [deliveryNo, atMs]))
}
