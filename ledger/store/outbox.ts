// News as rows: written in the transaction that makes them, fanned out to whoever asked, told until it
// worked. It refuses to know queues and HTTP.
import type { EventData, Topic } from '../../schemas/events.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type News<T extends Topic = Topic> = {
  readonly topic: T
  readonly subject: string
  readonly data: EventData<T>
  /** Whose business it is; null: of none in particular. */
  readonly party: string | null
  /** News of no party that parties may hear, too. */
  readonly openToAll?: boolean
}
/** Data and topic are checked against each other where the news is written. */
export const news = <T extends Topic>(one: News<T>): News => one as unknown as News

/** A few rows a batch, never one per tap. */
export async function tell (tx: Tx, all: readonly News[], atMs: number): Promise<void> {
  if (all.length === 0) return
  await tx.query(`
    insert into outbox (topic, subject, party_id, open_to_all, body, created_at)
    select topic, subject, p.party_id, open_to_all, data::jsonb, $1
    from unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[])
      with ordinality as n (topic, subject, code, open_to_all, data, place)
    left join party p using (code) order by place`, [
    timestamp(atMs), all.map(one => one.topic), all.map(one => one.subject), all.map(one => one.party),
    all.map(one => one.openToAll === true), all.map(one => JSON.stringify(one.data))])
}

const rowsAtOnce = 500

/** Makes a telling of each fresh event for each webhook that wants it and may hear it. */
export async function fanOut (tx: Tx, atMs: number): Promise<number> {
  const { rows: [row] } = await tx.query<{ events: bigint }>(`
    with fresh as (
      select outbox_id from outbox where fanned_out_at is null order by outbox_id limit ${rowsAtOnce}
      for update skip locked),
    gone as (
      update outbox o set fanned_out_at = $1 from fresh f where o.outbox_id = f.outbox_id
      returning o.outbox_id, o.topic, o.party_id, o.open_to_all, o.created_at),
    told as (
      insert into telling (webhook_id, outbox_id, due_at)
      select w.webhook_id, g.outbox_id, $1 from gone g join webhook w on g.topic = any(w.topics)
      where w.ended_at is null and w.created_at <= g.created_at
        and (w.party_id is null or w.party_id = g.party_id or (g.party_id is null and g.open_to_all))
      order by g.outbox_id, w.webhook_id on conflict do nothing)
    select count(*) as events from gone`, [timestamp(atMs)])
  return Number(row?.events ?? 0n)
}

export type DueTelling = { readonly tellingId: bigint }

/** What is due and in no queue, marked as queued until `untilMs`. */
export const takeDue = async (db: Db, nowMs: number, untilMs: number): Promise<DueTelling[]> =>
  (await db.query<DueTelling>(`
    update telling t set queued_until = $2
    from (
      select telling_id from telling
      where state = 'waiting' and due_at <= $1 and (queued_until is null or queued_until <= $1)
      order by due_at limit ${rowsAtOnce} for update skip locked) d
    where t.telling_id = d.telling_id returning t.telling_id as "tellingId"`,
  [timestamp(nowMs), timestamp(untilMs)])).rows

export type Telling = {
  readonly tellingId: bigint, readonly webhookId: bigint, readonly url: string, readonly salt: Buffer,
  readonly generation: number, readonly rotatedAtMs: number | null, readonly webhookEnded: boolean,
  readonly state: string, readonly tries: number, readonly eventId: string, readonly sequence: bigint,
  readonly topic: Topic, readonly subject: string, readonly body: unknown, readonly createdAtMs: number,
  readonly dueAtMs: number, readonly lastAnswer: string | null, readonly endedAtMs: number | null
}
const tellings = `
  select t.telling_id as "tellingId", w.webhook_id as "webhookId", w.url, w.salt, w.generation,
    w.rotated_at as "rotatedAtMs", w.ended_at is not null as "webhookEnded", t.state, t.tries,
    replace(o.event_id::text, '-', '') as "eventId", o.outbox_id as sequence, o.topic, o.subject, o.body,
    o.created_at as "createdAtMs", t.due_at as "dueAtMs", t.last_answer as "lastAnswer",
    t.ended_at as "endedAtMs"
  from telling t join webhook w using (webhook_id)
  join outbox o on o.bucket = 0 and o.outbox_id = t.outbox_id`

/** Null where there is none. */
export const readTelling = async (db: Db, tellingId: bigint): Promise<Telling | null> =>
  (await db.query<Telling>(`${tellings} where t.telling_id = $1`, [tellingId])).rows[0] ?? null

export type TellingFilter = {
  readonly webhookId: bigint, readonly state: string | null, readonly before: bigint | null,
  readonly limit: number
}
/** Newest first. */
export const readTellings = async (db: Db, filter: TellingFilter): Promise<Telling[]> =>
  (await db.query<Telling>(`
    ${tellings} where t.webhook_id = $1 and ($2::text is null or t.state = $2)
      and ($3::bigint is null or t.telling_id < $3) order by t.telling_id desc limit $4`,
  [filter.webhookId, filter.state, filter.before, filter.limit])).rows

/** How a try ended; nothing where somebody else ended it already. */
export async function noteTry (db: Db, tellingId: bigint, now: {
  readonly state: 'waiting' | 'done' | 'dead', readonly answer: string, readonly dueAtMs: number,
  readonly atMs: number
}): Promise<void> {
  await db.query(`
    update telling set state = $2, tries = tries + 1, last_answer = $3, due_at = $4, queued_until = null,
      ended_at = case when $2 = 'waiting' then null else $5::timestamptz end
    where telling_id = $1 and state = 'waiting'`,
  [tellingId, now.state, now.answer, timestamp(now.dueAtMs), timestamp(now.atMs)])
}

/** Tells it again from the start. False where the webhook has no such telling. */
export async function tellAgain (
  tx: Tx, webhookId: bigint, tellingId: bigint, atMs: number
): Promise<boolean> {
  const { rowCount } = await tx.query(`
    update telling set state = 'waiting', tries = 0, due_at = $3, queued_until = null, ended_at = null
    where webhook_id = $1 and telling_id = $2`, [webhookId, tellingId, timestamp(atMs)])
  return rowCount === 1
}

export type OutboxLag = { readonly fresh: number, readonly oldestMs: number | null, readonly waiting: number }

/** What has not gone out: events not fanned out, tellings that wait. */
export async function outboxLag (db: Db): Promise<OutboxLag> {
  const { rows: [row] } = await db.query<{ fresh: bigint, oldestMs: number | null, waiting: bigint }>(`
    select (select count(*) from outbox where fanned_out_at is null) as fresh,
      (select min(o.created_at) from outbox o where o.fanned_out_at is null) as "oldestMs",
      (select count(*) from telling where state = 'waiting') as waiting`)
  const { fresh = 0n, oldestMs = null, waiting = 0n } = row ?? {}
  return { fresh: Number(fresh), oldestMs, waiting: Number(waiting) }
}

/* ---- webhooks ---- */

export type WebhookRow = {
  readonly webhookId: bigint, readonly owner: string, readonly party: string | null, readonly url: string,
  readonly topics: readonly Topic[], readonly salt: Buffer, readonly generation: number,
  readonly rotatedAtMs: number | null, readonly createdAtMs: number, readonly waiting: bigint,
  readonly dead: bigint
}

export async function insertWebhook (tx: Tx, webhook: {
  readonly owner: string, readonly party: string | null, readonly url: string,
  readonly topics: readonly Topic[], readonly salt: Buffer, readonly atMs: number
}): Promise<bigint> {
  const { rows } = await tx.query<{ id: bigint }>(`
    insert into webhook (owner, party_id, url, topics, salt, created_at)
    select $1, (select party_id from party where code = $2), $3, $4, $5, $6 returning webhook_id as id`,
  [webhook.owner, webhook.party, webhook.url, webhook.topics, webhook.salt, timestamp(webhook.atMs)])
  return rows[0]?.id ?? 0n
}

/** Those of an owner that have not ended, oldest first; of everybody where null. */
export const readWebhooks = async (
  db: Db, owner: string | null, id: bigint | null = null
): Promise<WebhookRow[]> =>
  (await db.query<WebhookRow>(`
    select w.webhook_id as "webhookId", w.owner, p.code as party, w.url, w.topics, w.salt, w.generation,
      w.rotated_at as "rotatedAtMs", w.created_at as "createdAtMs",
      (select count(*) from telling t where t.webhook_id = w.webhook_id and t.state = 'waiting') as waiting,
      (select count(*) from telling t where t.webhook_id = w.webhook_id and t.state = 'dead') as dead
    from webhook w left join party p using (party_id)
    where w.ended_at is null and ($1::text is null or w.owner = $1)
      and ($2::bigint is null or w.webhook_id = $2)
    order by w.webhook_id`, [owner, id])).rows

export const endWebhook = async (tx: Tx, id: bigint, atMs: number): Promise<void> => {
  await tx.query('update webhook set ended_at = $2 where webhook_id = $1', [id, timestamp(atMs)])
}

export const rotateWebhook = async (tx: Tx, id: bigint, atMs: number): Promise<void> => {
  await tx.query('update webhook set generation = generation + 1, rotated_at = $2 where webhook_id = $1',
    [id, timestamp(atMs)])
}
