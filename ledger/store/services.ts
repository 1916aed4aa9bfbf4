// Rows of declared services: rules by date, what they remember, what happened. It refuses to know what they
// decide.
import { timestamp, type Db, type Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

/* ---- rules ---- */

export type RulesRow = { readonly from: string, readonly rules: Record<string, unknown> }

export const readServiceRules = async (
  db: Db | Tx, { partyId, service }: { readonly partyId: number, readonly service: string }
): Promise<RulesRow[]> => (await db.query<RulesRow>(`
  select valid_from as from, rules from service_rules where party_id = $1 and service = $2
  order by valid_from`,
[partyId, service])).rows

export async function upsertServiceRules (
  tx: Tx, { partyId, service }: { readonly partyId: number, readonly service: string },
  { from, rules }: RulesRow, by: string, atMs: number
): Promise<void> {
  await tx.query(`
    insert into service_rules (party_id, service, valid_from, rules, set_by, set_at)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (party_id, service, valid_from) do update set rules = excluded.rules,
      set_by = excluded.set_by, set_at = excluded.set_at`,
  [partyId, service, from, JSON.stringify(rules), by, timestamp(atMs)])
}

/* ---- what is remembered ---- */

export type SubjectKey = {
  readonly partyId: number, readonly service: string, readonly subject: string
  readonly card: CardPlace | null
}
export const subjectOfCard = ({ cardId }: CardPlace): string => `card/${cardId}`

/** Locked until the transaction ends; null where nothing was noted yet. */
export async function lockSubject (tx: Tx, key: SubjectKey): Promise<unknown> {
  const { partyId, service, subject, card } = key
  await tx.query(`
    insert into service_subject (party_id, service, subject, bucket, card_id) values ($1, $2, $3, $4, $5)
    on conflict do nothing`, [partyId, service, subject, card?.bucket ?? null, card?.cardId ?? null])
  const { rows: [row] } = await tx.query<{ state: unknown }>(`
    select state from service_subject where party_id = $1 and service = $2 and subject = $3 for update`,
  [partyId, service, subject])
  return row?.state ?? null
}

export async function noteSubject (
  tx: Tx, { partyId, service, subject }: SubjectKey, state: unknown
): Promise<void> {
  await tx.query(`
    update service_subject set state = $4 where party_id = $1 and service = $2 and subject = $3`,
  [partyId, service, subject, state === null ? null : JSON.stringify(state)])
}

/** What is remembered of a card is remembered of the next one, where that was not there before it. */
export async function moveSubjects (tx: Tx, from: CardPlace, to: CardPlace): Promise<void> {
  await tx.query(`
    update service_subject s set subject = $5, bucket = $3, card_id = $4
    where bucket = $1 and card_id = $2 and not exists (
      select from service_subject n
      where n.party_id = s.party_id and n.service = s.service and n.subject = $5)`,
  [from.bucket, from.cardId, to.bucket, to.cardId, subjectOfCard(to)])
}

/* ---- quotas ---- */

type QuotaKey = {
  readonly partyId: number, readonly service: string, readonly date: string, readonly name: string
}

/** False where all are taken. Whoever comes next waits until this transaction ends. */
export async function takeQuota (
  tx: Tx, { partyId, service, date, name }: QuotaKey, most: number
): Promise<boolean> {
  await tx.query(`
    insert into service_quota (party_id, service, on_date, name, used) values ($1, $2, $3, $4, 0)
    on conflict do nothing`, [partyId, service, date, name])
  const taken = await tx.query(`
    update service_quota set used = used + 1
    where party_id = $1 and service = $2 and on_date = $3 and name = $4 and used < $5`,
  [partyId, service, date, name, most])
  return taken.rowCount === 1
}

export async function freeQuota (tx: Tx, { partyId, service, date, name }: QuotaKey): Promise<void> {
  await tx.query(`
    update service_quota set used = used - 1
    where party_id = $1 and service = $2 and on_date = $3 and name = $4`, [partyId, service, date, name])
}

/* ---- what happened ---- */

export type StoredStep = {
  readonly say: string, readonly with: Readonly<Record<string, string | number>>, readonly fen: number
}
export type StoredPart = { readonly payer: string, readonly fen: number, readonly category?: string }

export type EventRow = {
  readonly key: string, readonly service: string, readonly event: string, readonly content: string
  readonly subject: string, readonly bucket: number | null, readonly cardId: bigint | null
  readonly placeId: number, readonly terminal: string | null, readonly atMs: number, readonly saidAtMs: number
  readonly outcome: 'approved' | 'declined', readonly reason: string, readonly why: string | null
  readonly priceFen: bigint, readonly steps: readonly StoredStep[], readonly parts: readonly StoredPart[]
  readonly rulesFrom: string, readonly debit: string | null, readonly client: string
  readonly requestKey: string | null, readonly journalId: bigint | null, readonly returnedAtMs: number | null
  /** Of which it took one, on its day. */
  readonly quota: string | null
  /** What was remembered before it; null where that was not noted. */
  readonly before: { readonly state: unknown } | null
}
export type TakenBack = {
  readonly clearingDate: string, readonly proposalId: bigint, readonly why: string
  readonly reversedAtMs: number, readonly requestKey: string | null, readonly journalId: bigint | null
}
export type FoundEvent = EventRow & { readonly eventNo: bigint, readonly takenBack: TakenBack | null }
const found = `
  select event_no as "eventNo", e.key, service, event, content, subject, bucket, card_id as "cardId",
    place_id as "placeId", terminal, at as "atMs", said_at as "saidAtMs", outcome, reason, e.why,
    price_fen as "priceFen", steps, parts, rules_from as "rulesFrom", debit, client,
    e.request_key as "requestKey", e.journal_id as "journalId", returned_at as "returnedAtMs", before, quota,
    clearing_date as "clearingDate", proposal_id as "proposalId", r.why as "whyBack",
    reversed_at as "reversedAtMs", r.request_key as "requestBack", r.journal_id as "journalBack"
  from service_event e left join service_reversal r on r.party_id = e.party_id and r.key = e.key`

type Found = EventRow & {
  readonly eventNo: bigint, readonly clearingDate: string | null, readonly proposalId: bigint
  readonly whyBack: string, readonly reversedAtMs: number, readonly requestBack: string | null
  readonly journalBack: bigint | null
}
const eventOf = ({
  clearingDate, proposalId, whyBack: why, reversedAtMs, requestBack, journalBack, ...row
}: Found): FoundEvent => ({
  ...row,
  takenBack: clearingDate === null
    ? null
    : { clearingDate, proposalId, why, reversedAtMs, requestKey: requestBack, journalId: journalBack }
})

export async function findServiceEvent (tx: Tx, partyId: number, key: string): Promise<FoundEvent | null> {
  const { rows: [row] } = await tx.query<Found>(`${found} where e.party_id = $1 and e.key = $2`,
    [partyId, key])
  return row === undefined ? null : eventOf(row)
}

export async function insertServiceEvent (tx: Tx, partyId: number, row: EventRow): Promise<void> {
  await tx.query(`
    insert into service_event (party_id, key, service, event, content, subject, bucket, card_id, place_id,
      terminal, at, said_at, outcome, reason, why, price_fen, steps, parts, rules_from, debit, client,
      request_key, journal_id, returned_at, before, quota)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
      $22, $23, $24, $25, $26)`, [
    partyId, row.key, row.service, row.event, row.content, row.subject, row.bucket, row.cardId,
    row.placeId, row.terminal, timestamp(row.atMs), timestamp(row.saidAtMs), row.outcome, row.reason,
    row.why, row.priceFen, JSON.stringify(row.steps), JSON.stringify(row.parts), row.rulesFrom, row.debit,
    row.client, row.requestKey, row.journalId,
    row.returnedAtMs === null ? null : timestamp(row.returnedAtMs),
    row.before === null ? null : JSON.stringify(row.before), row.quota])
}

export async function markEventReturned (tx: Tx, partyId: number, key: string, atMs: number): Promise<void> {
  await tx.query('update service_event set returned_at = $3 where party_id = $1 and key = $2',
    [partyId, key, timestamp(atMs)])
}

/** Whether a debit has paid for something here. */
export const isDebitUsed = async (tx: Tx, partyId: number, debit: string): Promise<boolean> =>
  (await tx.query(`
    select from service_event where party_id = $1 and debit = $2 and outcome = 'approved'`, [partyId, debit]))
    .rowCount !== 0

export const listServiceEvents = async (
  db: Db, { partyId, service }: { readonly partyId: number, readonly service: string },
  { after, limit }: { readonly after: bigint, readonly limit: number }
): Promise<FoundEvent[]> => (await db.query<Found>(`${found}
  where e.party_id = $1 and service = $2 and event_no > $3 order by event_no limit $4`,
[partyId, service, after, limit])).rows.map(eventOf)

/* ---- taken back ---- */

export async function insertServiceReversal (
  tx: Tx, partyId: number, key: string, row: TakenBack
): Promise<void> {
  await tx.query(`
    insert into service_reversal
      (party_id, key, clearing_date, proposal_id, why, reversed_at, request_key, journal_id)
    values ($1, $2, $3, $4, $5, $6, $7, $8)`, [
    partyId, key, row.clearingDate, row.proposalId, row.why, timestamp(row.reversedAtMs), row.requestKey,
    row.journalId])
}

/** Where an event's subject is remembered now: by itself, or by the card that took the place of its card. */
export const currentSubject = async (tx: Tx, partyId: number, row: EventRow): Promise<string> =>
  (await tx.query<{ subject: string }>(`
    with recursive k as (
      select $4::smallint as bucket, $5::bigint as card_id, $3::text as subject, 0 as level
      union all
      select r.to_bucket, r.to_card_id, 'card/' || r.to_card_id, level + 1
      from k join card_replacement r using (bucket, card_id))
    select s.subject from k join service_subject s using (subject)
    where s.party_id = $1 and s.service = $2 order by level limit 1`,
  [partyId, row.service, row.subject, row.bucket, row.cardId])).rows[0]?.subject ?? row.subject

/** Whether something that stands happened to a subject after an event. */
export const isFollowed = async (
  tx: Tx, partyId: number, { eventNo, service }: FoundEvent, subjects: readonly string[]
): Promise<boolean> => (await tx.query(`
  select from service_event e
  where e.party_id = $1 and service = $2 and subject = any($3) and event_no > $4 and outcome = 'approved'
    and not exists (select from service_reversal r where r.party_id = e.party_id and r.key = e.key)
  limit 1`, [partyId, service, subjects, eventNo])).rowCount !== 0

/* ---- comparisons ---- */

/**
 * Events whose price is not what was paid for them, whose purchases are not there, which were not taken back
 * by what was paid; quotas of which others were taken than are said. At most twenty.
 */
export const serviceDifferences = async (tx: Tx | Db): Promise<string[]> =>
  (await tx.query<{ what: string }>(`
    with paid as (
      select e.*, coalesce(sum((p ->> 'fen')::bigint), 0) as fen,
        coalesce(sum((p ->> 'fen')::bigint) filter (where p ->> 'payer' = 'online'), 0) as online_fen,
        coalesce(sum((p ->> 'fen')::bigint) filter (where p ->> 'payer' not in ('online', 'purse')), 0)
          as others_fen
      from service_event e left join lateral jsonb_array_elements(e.parts) p on true
      where e.outcome = 'approved' group by e.party_id, e.key)
    select format('service event %s costs %s fen, %s were paid', key, price_fen, fen) as what
    from paid where price_fen <> fen
    union all
    select format('service event %s says %s fen, its purchase %s', p.key, p.online_fen,
      coalesce(r.amount_fen::text, 'is not there'))
    from paid p left join request r on r.client_id = p.client and r.key = p.request_key and r.outcome = 0
    where p.online_fen > 0 and r.amount_fen is distinct from p.online_fen
    union all
    select format('service event %s was taken back, of %s fen online came back %s', p.key, p.online_fen,
      coalesce(r.amount_fen::text, 'nothing'))
    from paid p join service_reversal v on v.party_id = p.party_id and v.key = p.key
      left join request r on r.client_id = p.client and r.key = v.request_key and r.outcome = 0
    where p.online_fen > 0 and r.amount_fen is distinct from p.online_fen
    union all
    select format('service event %s was taken back, of %s fen of others came back %s', p.key, p.others_fen,
      coalesce(sum(t.amount_fen), 0))
    from paid p join service_reversal v on v.party_id = p.party_id and v.key = p.key
      left join transfer t on t.bucket = coalesce(p.bucket, 0) and t.clearing_date = v.clearing_date
        and t.transfer_id between v.journal_id and v.journal_id + 9 and t.journal_id = v.journal_id
        and t.corrects between p.journal_id and p.journal_id + 9
    where p.others_fen > 0 group by p.party_id, p.key, p.others_fen
    having coalesce(sum(t.amount_fen), 0) <> p.others_fen
    union all
    select format('quota %s of %s: %s are taken, %s happened', q.name, q.on_date, q.used, count(e.key))
    from service_quota q left join service_event e on e.party_id = q.party_id and e.service = q.service
      and e.quota = q.name and e.outcome = 'approved'
      and (e.at at time zone 'Asia/Shanghai')::date = q.on_date
      and not exists (select from service_reversal v where v.party_id = e.party_id and v.key = e.key)
    group by q.party_id, q.service, q.name, q.on_date, q.used having count(e.key) <> q.used
    limit 20`)).rows.map(({ what }) => what)
