// Limits of a day as rows, and what was counted against them. It refuses to know who may do what.
import type { UsageLimit } from '../../schemas/api.ts'
import { usageText, type UsageKey } from '../core/usage-limits.ts'
import { numbers } from './columns.ts'
import type { Db, Tx } from './db.ts'

const columns = `l.of, l.per, nullif(l.operator, '') as operator, nullif(l.terminal, '') as terminal,
  l.from_date as from, l.fen_max as "fenMax"`
type Row = Omit<UsageLimit, 'fenMax'> & { readonly fenMax: bigint | null }
const limitOf = ({ fenMax, ...row }: Row): UsageLimit =>
  ({ ...row, fenMax: fenMax === null ? null : Number(fenMax) })

/** All there ever were, of each the newest first. */
export async function readUsageLimits (db: Db | Tx): Promise<UsageLimit[]> {
  const { rows } = await db.query<Row>(`
    select ${columns} from usage_limit l order by l.of, l.per, l.operator, l.terminal, l.from_date desc`)
  return rows.map(limitOf)
}

/** Of these those that are stored, in their order, with the amount as it stands. */
export async function findUsageLimits (tx: Tx, asked: readonly UsageLimit[]): Promise<UsageLimit[]> {
  const { rows } = await tx.query<Row>(`
    select ${columns}
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[])
      with ordinality as k (of, per, operator, terminal, from_date, place)
    join usage_limit l using (of, per, operator, terminal, from_date) order by k.place`, keysOf(asked))
  return rows.map(limitOf)
}

/** How many: one of an operator that nobody registered is left out. */
export async function upsertUsageLimits (tx: Tx, limits: readonly UsageLimit[]): Promise<number> {
  const { rowCount } = await tx.query(`
    insert into usage_limit (of, per, operator, terminal, from_date, fen_max)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[], $6::bigint[])
      as k (of, per, operator, terminal, from_date, fen_max)
    where k.operator = '' or exists (select 1 from party p where p.code = k.operator)
    on conflict (of, per, operator, terminal, from_date) do update set fen_max = excluded.fen_max`,
  [...keysOf(limits), limits.map(l => l.fenMax)])
  return rowCount ?? 0
}

const keysOf = (limits: readonly UsageLimit[]): unknown[] => [
  limits.map(l => l.of), limits.map(l => l.per), limits.map(l => l.operator ?? ''),
  limits.map(l => l.terminal ?? ''), limits.map(l => l.from)]

const byUsageKey = (one: UsageKey, other: UsageKey): number =>
  one.bucket - other.bucket || compare(usageText(one), usageText(other))
const compare = (one: string, other: string): number => one < other ? -1 : one > other ? 1 : 0

const arraysOf = (keys: readonly UsageKey[]): unknown[] => [
  numbers(keys.map(k => k.bucket)), keys.map(k => k.subject), keys.map(k => k.of), keys.map(k => k.date)]

/** Locks counters in the order of their keys and reads them, by their text; new ones begin with nothing. */
export async function lockUsage (tx: Tx, keys: readonly UsageKey[]): Promise<Map<string, bigint>> {
  if (keys.length === 0) return new Map()
  const sorted = [...new Map(keys.map(key => [usageText(key), key])).values()].sort(byUsageKey)
  const { rows } = await tx.query<UsageKey & { fen: bigint }>(`
    insert into usage as u (bucket, subject, of, on_date, fen)
    select *, 0 from unnest($1::smallint[], $2::text[], $3::text[], $4::date[])
    on conflict (bucket, subject, of, on_date) do update set fen = u.fen
    returning u.bucket, u.subject, u.of, u.on_date as date, u.fen`, arraysOf(sorted))
  return new Map(rows.map(({ fen, ...key }) => [usageText(key), fen]))
}

/** Counts more, or less where money went back; counters that nobody opened are left alone. */
export async function addUsage (
  tx: Tx, added: readonly (UsageKey & { readonly fen: bigint })[]
): Promise<void> {
  if (added.length === 0) return
  const sorted = [...added].sort(byUsageKey)
  await tx.query(`
    with k as (
      select bucket, subject, of, on_date, sum(fen) as fen
      from unnest($1::smallint[], $2::text[], $3::text[], $4::date[], $5::bigint[])
        as k (bucket, subject, of, on_date, fen) group by 1, 2, 3, 4),
    locked as (
      select bucket, subject, of, on_date, k.fen
      from k join usage u using (bucket, subject, of, on_date)
      order by bucket, subject collate "C", of, on_date for update of u)
    update usage u set fen = greatest(0, u.fen + l.fen) from locked l
    where u.bucket = l.bucket and u.subject = l.subject and u.of = l.of and u.on_date = l.on_date`,
  [...arraysOf(sorted), numbers(sorted.map(one => one.fen))])
}

/* ---- what chips paid, whoever may have wanted less ---- */

export type PaidDay = {
  readonly bucket: number, readonly cardId: bigint, readonly date: string, readonly fen: bigint
}
export type TerminalDay = {
  readonly terminalId: number, readonly date: string, readonly fen: bigint, readonly highestFen: bigint
}

/**
 * What a use is looked for in: the date that closes with the week before it, since a day's records come in
 * several dates. BRIN on the clearing date serves both.
 */
const paidSince = `
  from card_event e where e.clearing_date between $1::date - 7 and $1 and e.counter_kind = 0`
const onDate = "(e.event_at at time zone 'Asia/Shanghai')::date"

/** Cards that a record of the clearing date belongs to and that paid more than `fenMax` on one day. */
export async function cardsAbove (tx: Tx | Db, clearingDate: string, fenMax: number): Promise<PaidDay[]> {
  const { rows } = await tx.query<PaidDay>(`
    select e.bucket, e.card_id as "cardId", ${onDate} as date, sum(e.amount_fen)::bigint as fen ${paidSince}
    group by 1, 2, 3 having sum(e.amount_fen) > $2 and bool_or(e.clearing_date = $1) order by 2, 3`,
  [clearingDate, fenMax])
  return rows
}

/** What terminals took on each day that a record of the clearing date belongs to. */
export async function terminalDays (tx: Tx | Db, clearingDate: string): Promise<TerminalDay[]> {
  const { rows } = await tx.query<TerminalDay>(`
    select e.terminal_id as "terminalId", ${onDate} as date, sum(e.amount_fen)::bigint as fen,
      max(e.amount_fen) as "highestFen" ${paidSince}
    group by 1, 2 having bool_or(e.clearing_date = $1) order by 1, 2`, [clearingDate])
  return rows
}
