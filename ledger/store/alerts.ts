// Alerts as rows: raised once per kind, thing and clearing date; never changed. Each new one is news for
// others too.
import type { AlertKind } from '../../schemas/alert.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type AlertRow = {
  readonly alertId: bigint, readonly kind: AlertKind, readonly about: string, readonly clearingDate: string,
  readonly atMs: number, readonly evidence: unknown
}
export type NewAlert = Omit<AlertRow, 'alertId' | 'atMs'>

const columns = 'alert_id as "alertId", kind, about, clearing_date as "clearingDate", at as "atMs", evidence'

/** Inserts those that do not stand there yet, and returns them. */
export async function insertAlerts (tx: Tx, found: readonly NewAlert[], atMs: number): Promise<AlertRow[]> {
  if (found.length === 0) return []
  const { rows } = await tx.query<AlertRow>(`
    with raised as (
      insert into alert (kind, about, clearing_date, at, evidence)
      select kind, about, clearing_date, $1, evidence::jsonb
      from unnest($2::text[], $3::text[], $4::date[], $5::text[]) as f (kind, about, clearing_date, evidence)
      order by kind, about, clearing_date
      on conflict (kind, about, clearing_date) do nothing
      returning *),
    told as (
      insert into outbox (topic, subject, body, created_at)
      select 'alert.raised', 'alert/' || alert_id,
        jsonb_build_object('id', alert_id, 'kind', kind, 'about', about,
          'clearingDate', clearing_date, 'evidence', evidence), at from raised)
    select ${columns} from raised order by alert_id`, [
    timestamp(atMs), found.map(f => f.kind), found.map(f => f.about), found.map(f => f.clearingDate),
    found.map(f => plainJson(f.evidence))])
  return rows
}

const plainJson = (value: unknown): string => JSON.stringify(value, (_, one: unknown) =>
  typeof one === 'bigint' ? Number(one) : one)

/** Newest first. */
export async function readAlerts (db: Db, filter: {
  readonly kind: AlertKind | null, readonly date: string | null, readonly before: bigint | null,
  readonly limit: number
}): Promise<AlertRow[]> {
  const { rows } = await db.query<AlertRow>(`
    select ${columns} from alert
    where ($1::text is null or kind = $1) and ($2::date is null or clearing_date = $2)
      and ($3::bigint is null or alert_id < $3)
    order by alert_id desc limit $4`, [filter.kind, filter.date, filter.before, filter.limit])
  return rows
}
