// Rides that records told of, which cards are to be priced, and the taps that a price is made of. Sets in,
// sets out; it refuses to know prices.
import { outcomeNumbers, reasonNumbers } from '../../schemas/reasons.ts'
import type { Tap } from '../../schemas/tariff/journey.ts'
import { bytes, instants, numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

export type RideRow = CardPlace & Pick<Tap, 'counter' | 'atMs' | 'line' | 'vehicle' | 'stop' | 'sense' |
  'rider' | 'riders'> & { readonly content: Buffer }

/** Stored by their places: never reorder. */
export const senseNames = ['either', 'in', 'out'] as const satisfies readonly Tap['sense'][]

/** Their cards are due from then on. The purses are locked; what was told before stays. */
export async function insertRides (tx: Tx, rides: readonly RideRow[]): Promise<void> {
  if (rides.length === 0) return
  await tx.query(`
    insert into ride (bucket, card_id, counter, content, at, line, vehicle, stop, sense, rider, riders)
    select * from unnest($1::smallint[], $2::bigint[], $3::int[], $4::bytea[], $5::timestamptz[], $6::text[],
      $7::text[], $8::text[], $9::smallint[], $10::smallint[], $11::smallint[])
    on conflict do nothing`, [
    numbers(rides.map(r => r.bucket)), numbers(rides.map(r => r.cardId)), numbers(rides.map(r => r.counter)),
    bytes(rides.map(r => r.content)), instants(rides.map(r => r.atMs)), rides.map(r => r.line),
    rides.map(r => r.vehicle), rides.map(r => r.stop), numbers(rides.map(r => senseNames.indexOf(r.sense))),
    numbers(rides.map(r => r.rider)), numbers(rides.map(r => r.riders))])
  await markDue(tx, rides.map(({ bucket, cardId, atMs }) => ({ bucket, cardId, fromMs: atMs })))
}

export type DueCard = CardPlace & { readonly fromMs: number }

/** In the order of their keys, as whoever marks many does. */
export async function markDue (tx: Tx, cards: readonly DueCard[]): Promise<void> {
  if (cards.length === 0) return
  await tx.query(`
    insert into fare_due (bucket, card_id, from_at)
    select bucket, card_id, min(at)
    from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (bucket, card_id, at)
    group by bucket, card_id order by bucket, card_id
    on conflict (bucket, card_id) do update set from_at = least(fare_due.from_at, excluded.from_at)`, [
    numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId)), instants(cards.map(c => c.fromMs))])
}

/** Of events whose verdict has changed, those that were rides. */
export async function markRidden (
  tx: Tx, events: readonly (CardPlace & { readonly counter: number })[]
): Promise<void> {
  if (events.length === 0) return
  await tx.query(`
    insert into fare_due (bucket, card_id, from_at)
    select r.bucket, r.card_id, min(r.at)
    from unnest($1::smallint[], $2::bigint[], $3::int[]) as k (bucket, card_id, counter)
    join ride r using (bucket, card_id, counter)
    group by 1, 2 order by 1, 2
    on conflict (bucket, card_id) do update set from_at = least(fare_due.from_at, excluded.from_at)`, [
    numbers(events.map(e => e.bucket)), numbers(events.map(e => e.cardId)),
    numbers(events.map(e => e.counter))])
}

/** Everybody who rode since an instant: a tariff that counts from there has come. */
export async function markDueSince (tx: Tx, fromMs: number): Promise<void> {
  await tx.query(`
    insert into fare_due (bucket, card_id, from_at)
    select bucket, card_id, $1 from (
      select bucket, card_id from ride where at >= $1
      union select bucket, card_id from phone_use where ride_no is not null and used_at >= $1) r
    order by bucket, card_id
    on conflict (bucket, card_id) do update set from_at = least(fare_due.from_at, excluded.from_at)`,
  [timestamp(fromMs)])
}

export const findDue = async (db: Db, limit: number): Promise<CardPlace[]> =>
  (await db.query<CardPlace>(
    'select bucket, card_id as "cardId" from fare_due order by bucket, card_id limit $1', [limit])).rows

/** Those of the cards that are still due; their purses are locked. */
export const takeDue = async (tx: Tx, cards: readonly CardPlace[]): Promise<DueCard[]> =>
  (await tx.query<DueCard>(`
    delete from fare_due d using unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
    where d.bucket = k.bucket and d.card_id = k.card_id
    returning d.bucket, d.card_id as "cardId", d.from_at as "fromMs"`,
  [numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId))])).rows

/**
 * Rides of `k` (bucket, card_id, from_at) from its instants on, whatever their verdict. A record that was
 * dated anew rides at its estimate.
 */
const ridden = `
  select r.* from k join ride r using (bucket, card_id) where r.at >= k.from_at
  union
  select r.* from k join chain_fact f using (bucket, card_id)
    join ride r using (bucket, card_id, counter, content)
  where f.purse = 2 and f.kind = 2 and f.at >= k.from_at`

/** Cards that rode between two instants, by their keys; one snapshot, a page at a time. */
export async function * riderPages (
  tx: Tx, fromMs: number, untilMs: number, limit: number
): AsyncGenerator<readonly CardPlace[]> {
  await tx.query(`
    declare riders no scroll cursor for
    select bucket, card_id as "cardId" from ride where at >= $1 and at < $2
    union
    select bucket, card_id from chain_fact where purse = 2 and kind = 2 and at >= $1 and at < $2
    order by 1, 2`, [timestamp(fromMs), timestamp(untilMs)])
  for (;;) {
    const { rows } = await tx.query<CardPlace>(`fetch ${limit} from riders`)
    if (rows.length > 0) yield rows
    if (rows.length < limit) return
  }
}

export type Ridden = { readonly cardId: bigint, readonly counter: number }

/** Counters with which the cards rode from their instants on: also of rides that no longer count. */
export const readRidden = async (db: Db | Tx, cards: readonly DueCard[]): Promise<Ridden[]> =>
  (await db.query<Ridden>(`
    with k as (
      select * from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (bucket, card_id, from_at))
    select distinct card_id as "cardId", counter from (${ridden}) r order by card_id, counter`, [
    numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId)), instants(cards.map(c => c.fromMs))
  ])).rows

export type PaidRide = CardPlace & Tap & { readonly paidFen: bigint }

/** What the issuer paid for its holder counts as paid by nobody, and so does what an operator gave back. */
const notByHolder = [reasonNumbers.issuer_risk, reasonNumbers.issuer_pays]

/**
 * Accepted rides of the cards from their instants on, by counter: claims, and grey records and contenders
 * that were accepted later.
 */
export async function readRides (db: Db | Tx, cards: readonly DueCard[]): Promise<PaidRide[]> {
  const { rows } = await db.query<Omit<PaidRide, 'sense'> & { sense: number }>(`
    with k as (
      select * from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (bucket, card_id, from_at)),
    r as (${ridden}),
    told as (
      select r.*, e.delivery_no, e.line_no, e.terminal_id, e.event_at, e.amount_fen, e.outcome, e.reason
      from r join card_event e on e.bucket = r.bucket and e.card_id = r.card_id and e.purse = 2
        and e.counter_kind = 0 and e.counter = r.counter and e.content = r.content
      union all
      select r.*, e.delivery_no, e.line_no, e.terminal_id, e.event_at, e.amount_fen, e.outcome, e.reason
      from r join evidence e on e.bucket = r.bucket and e.card_id = r.card_id and e.purse = 2
        and e.counter = r.counter and e.content = r.content and e.kind in (1, 2))
    select e.bucket, e.card_id as "cardId", e.counter, p.code as operator, t.code as reader,
      coalesce(f.at, e.event_at) as "atMs", e.line, e.vehicle, e.stop, e.sense, e.rider, e.riders,
      case when coalesce(a.reason, e.reason) = any($5) then 0 else e.amount_fen - coalesce(g.fen, 0) end
        ::bigint as "paidFen"
    from told e
    join terminal t using (terminal_id) join party p using (party_id)
    left join lateral (
      select outcome, reason from adjustment j
      where j.bucket = e.bucket and j.delivery_no = e.delivery_no and j.line_no = e.line_no
      order by j.batch_id desc limit 1) a on true
    left join lateral (
      select f.at from chain_fact f where f.bucket = e.bucket and f.card_id = e.card_id and f.purse = 2
        and f.counter = e.counter and f.kind = 2 and f.content = e.content
      order by f.fact_id desc limit 1) f on true
    left join lateral (
      select sum(d.amount_fen) as fen from redress d
      where d.bucket = e.bucket and d.card_id = e.card_id and d.purse = 2 and d.counter = e.counter
        and d.kind in ('refund', 'dispute')
        and not exists (select from redress_void v where v.redress_id = d.redress_id)) g on true
    where coalesce(a.outcome, e.outcome) = $4
    order by e.bucket, e.card_id, e.counter`, [
    numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId)), instants(cards.map(c => c.fromMs)),
    outcomeNumbers.accepted, numbers(notByHolder)])
  return rows.map(({ sense, ...row }) => ({ ...row, sense: senseNames[sense] ?? 'either' }))
}
