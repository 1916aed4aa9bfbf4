// Records of a PSAM that are held for their clock, with the dated ones around them, as rows.
import { numbers } from './columns.ts'
import type { Tx } from './db.ts'
import { psamBucket, type ChipKey } from './records.ts'
import type { Neighbour } from '../core/estimate.ts'

export type Misdated = ChipKey & {
  readonly sequence: bigint, readonly content: Buffer
  readonly before: Neighbour | null, readonly after: Neighbour | null
}

/** Where a use of a PSAM may stand: as the first claim on its keys, as a grey one, as a later claim. */
const places = [
  `terminal_claim c join card_event e on e.bucket = c.card_bucket and e.card_id = c.card_id
    and e.purse = c.purse and e.counter_kind = 0 and e.counter = c.counter
    and e.psam_id = c.psam_id and e.sequence = c.sequence and c.bucket = $1`,
  'evidence e join lateral (select e.psam_id, e.sequence) c on e.kind = 1',
  'evidence e join lateral (select e.psam_id, e.sequence) c on e.kind = 2'
]
const verdictNow = `
  left join lateral (
    select outcome, reason, findings from adjustment j where j.bucket = e.bucket
      and j.delivery_no = e.delivery_no and j.line_no = e.line_no order by j.batch_id desc limit 1) a on true`
const findingsNow = "coalesce(case when a.outcome is null then e.findings else a.findings end, '{}')"
/** Told by a clock that can be right, and known to have happened. */
const isDated = `
  e.reason <> $3 and not $3 = any (coalesce(e.findings, '{}'))
  and coalesce(a.reason, e.reason) <> all ($4::smallint[]) and not ${findingsNow} && $4::smallint[]`

/**
 * In order of the sequence; `clock` is the number of that finding, `undecided` are those of an event that may
 * not have happened, or not so: none of these is a neighbour.
 */
export async function findMisdated (
  tx: Tx, psamId: number,
  { clock, undecided }: { readonly clock: number, readonly undecided: readonly number[] }
): Promise<Misdated[]> {
  const near = (side: 'before' | 'after') => {
    const [than, order] = side === 'before' ? ['<', 'desc'] : ['>', 'asc']
    const nearest = places.map(place => `(
      select e.sequence, e.event_at from ${place} ${verdictNow}
      where c.psam_id = $2 and c.sequence ${than} h.sequence and ${isDated}
      order by c.sequence ${order}, e.event_at limit 1)`)
    return `
      left join lateral (
        select * from (${nearest.join(' union all ')}) n
        order by n.sequence ${order}, n.event_at limit 1) ${side}_ on true`
  }
  const { rows } = await tx.query<ChipKey & {
    sequence: bigint, content: Buffer, beforeSequence: bigint | null, beforeMs: number | null,
    afterSequence: bigint | null, afterMs: number | null
  }>(`
    with h as (${places.map(place => `
      select e.bucket, e.card_id, e.purse, e.counter, e.sequence, e.content from ${place} ${verdictNow}
      where c.psam_id = $2 and coalesce(a.reason, e.reason) = $3`).join(' union all ')})
    select h.bucket, h.card_id as "cardId", h.purse, h.counter, h.sequence, h.content,
      before_.sequence as "beforeSequence", before_.event_at as "beforeMs",
      after_.sequence as "afterSequence", after_.event_at as "afterMs"
    from h ${near('before')} ${near('after')} order by h.sequence, h.content`,
  [psamBucket(psamId), psamId, clock, numbers(undecided)])
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
