// Centres that settle beside us, and what was sent to them until it is over. It refuses to know messages.
import type { LocalDate } from '../../runtime/instants.ts'
import type { ClinicCentre } from '../../schemas/medical/centre.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export const findCentre = async (db: Db | Tx, area: string): Promise<ClinicCentre | null> =>
  (await db.query<{ document: ClinicCentre }>(
    'select document from clinic_centre where area = $1', [area])).rows[0]?.document ?? null

export const listCentres = async (db: Db | Tx): Promise<ClinicCentre[]> =>
  (await db.query<{ document: ClinicCentre }>('select document from clinic_centre order by area')).rows
    .map(({ document }) => document)

export async function upsertCentre (tx: Tx, centre: ClinicCentre): Promise<void> {
  await tx.query(`
    insert into clinic_centre (area, document) values ($1, $2)
    on conflict (area) do update set document = excluded.document`, [centre.area, JSON.stringify(centre)])
}

/* ---- exchanges ---- */

export type ExchangeRow = {
  readonly exchangeNo: bigint, readonly partyId: number, readonly party: string, readonly message: string
  readonly personId: bigint, readonly client: string, readonly area: string, readonly msgid: string
  /** Documents of the service; null once it is over. */
  readonly asked: unknown, readonly expected: unknown
  readonly original: string | null
  readonly state: string, readonly tries: number, readonly nextAtMs: number
}

const exchangeSelect = `
  select x.exchange_no as "exchangeNo", x.party_id as "partyId", p.code as party, x.message,
    x.person_id as "personId", x.client, x.area, x.msgid, x.asked, x.expected, x.original, x.state, x.tries,
    x.next_at as "nextAtMs"
  from clinic_exchange x join party p using (party_id)`
const open = "x.state in ('sent', 'unknown', 'reversing')"

export const findExchange = async (
  db: Db | Tx, partyId: number, message: string
): Promise<ExchangeRow | null> => (await db.query<ExchangeRow>(
  `${exchangeSelect} where x.party_id = $1 and x.message = $2`, [partyId, message])).rows[0] ?? null

/** The one of a person whose outcome nobody knows yet; there is one at most. */
export const openExchangeOf = async (tx: Tx, personId: bigint): Promise<ExchangeRow | null> =>
  (await tx.query<ExchangeRow>(
    `${exchangeSelect} where x.person_id = $1 and ${open} order by x.exchange_no limit 1`, [personId]))
    .rows[0] ?? null

export const lockExchange = async (tx: Tx, exchangeNo: bigint): Promise<ExchangeRow | null> =>
  (await tx.query<ExchangeRow>(
    `${exchangeSelect} where x.exchange_no = $1 for no key update of x`, [exchangeNo])).rows[0] ?? null

/** Those that are to be looked at again by now, the longest waiting first. */
export const waitingExchanges = async (db: Db, nowMs: number, limit: number): Promise<ExchangeRow[]> =>
  (await db.query<ExchangeRow>(
    `${exchangeSelect} where ${open} and x.next_at <= $1 order by x.next_at limit $2`,
    [timestamp(nowMs), limit])).rows

export const nextExchangeNo = async (tx: Tx): Promise<bigint> => (await tx.query<{ no: bigint }>(`
  select nextval(pg_get_serial_sequence('clinic_exchange', 'exchange_no')) as no`)).rows[0]?.no ?? 0n

export async function insertExchange (tx: Tx, row: Omit<ExchangeRow, 'party' | 'tries'>): Promise<void> {
  await tx.query(`
    insert into clinic_exchange (
      exchange_no, party_id, message, person_id, client, area, msgid, asked, expected, original, state,
      next_at
    )
    overriding system value values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, [
    row.exchangeNo, row.partyId, row.message, row.personId, row.client, row.area, row.msgid,
    JSON.stringify(row.asked), row.expected === null ? null : JSON.stringify(row.expected), row.original,
    row.state, timestamp(row.nextAtMs)])
}

/** `over`: what the clinic said is not needed any more. */
export async function moveExchange (tx: Tx, exchangeNo: bigint, { state, tries, nextAtMs, over }: {
  readonly state: string, readonly tries: number, readonly nextAtMs: number, readonly over: boolean
}): Promise<void> {
  await tx.query(`
    update clinic_exchange set state = $2, tries = $3, next_at = $4,
      asked = case when $5 then null else asked end
    where exchange_no = $1`, [exchangeNo, state, tries, timestamp(nextAtMs), over])
}

/* ---- what a date is compared by ---- */

export type CentreLine = {
  readonly area: string, readonly party: string
  readonly scheme: string, readonly setting: 'outpatient' | 'inpatient'
  readonly settlementNo: bigint, readonly centreNo: string, readonly person: string, readonly visit: string
  readonly sign: 1 | -1
  readonly totalFen: bigint, readonly fundsFen: bigint, readonly accountFen: bigint, readonly cashFen: bigint
}

/** Each time a settlement of a centre began to count on a date, or ceased to. */
export const centreLines = async (db: Db | Tx, date: LocalDate): Promise<CentreLine[]> =>
  (await db.query<CentreLine>(`
    select s.centre as area, p.code as party, s.bill ->> 'scheme' as scheme,
      s.bill ->> 'setting' as setting, s.settlement_no as "settlementNo",
      s.centre_no as "centreNo", n.person, s.visit, e.sign, e.sign * s.total_fen as "totalFen",
      e.sign * s.funds_fen as "fundsFen", e.sign * s.account_fen as "accountFen",
      e.sign * (s.purse_fen + s.cash_fen) as "cashFen"
    from clinic_effect e join clinic_settlement s using (settlement_no)
    join party p on p.party_id = s.party_id join clinic_person n using (person_id)
    where e.clearing_date = $1 and s.centre is not null order by e.effect_no`, [date])).rows

/** Our numbers of settlements, by the centre's. */
export const centreSettlements = async (
  db: Db | Tx, area: string, centreNos: readonly string[]
): Promise<Map<string, string>> => new Map((await db.query<{ no: string, ours: string }>(`
  select centre_no as no, settlement_no::text as ours from clinic_settlement
  where centre = $1 and centre_no = any($2)`, [area, centreNos])).rows.map(({ no, ours }) => [no, ours]))
