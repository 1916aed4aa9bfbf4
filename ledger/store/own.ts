// What there is of a card that its holder asks after, as rows: bills, readers, passes, refunds. It refuses to
// know whose the card is.
import type { LocalDate } from '../../runtime/instants.ts'
import type { Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

export type BillRow = {
  readonly settlementNo: bigint, readonly zh: string, readonly en: string, readonly on: LocalDate
  readonly split: unknown, readonly takenBack: boolean
}

/** Bills of whoever is insured with this card now, the latest first. */
export const billsOfCard = async (
  tx: Tx, { bucket, cardId }: CardPlace, limit: number
): Promise<BillRow[]> =>
  (await tx.query<BillRow>(`
    select s.settlement_no as "settlementNo", p.name_zh as zh, p.name_en as en, e.clearing_date as on,
      s.split, s.taken_back_by is not null as "takenBack"
    from clinic_person n join clinic_settlement s using (person_id) join party p on p.party_id = s.party_id
    cross join lateral (
      select clearing_date from clinic_effect e where e.settlement_no = s.settlement_no
      order by effect_no limit 1) e
    where n.bucket = $1 and n.card_id = $2 order by s.settlement_no desc limit $3`,
  [bucket, cardId, limit])).rows

export type ReaderRow = { readonly library: string, readonly token: string }

/** Libraries in which this card is a reader's now. */
export const readersOfCard = async (tx: Tx, { bucket, cardId }: CardPlace): Promise<ReaderRow[]> =>
  (await tx.query<ReaderRow>(`
    select p.code as library, b.token from library_binding b join party p using (party_id)
    where b.bucket = $1 and b.card_id = $2 and b.ended_at is null order by p.code`, [bucket, cardId])).rows

/** What a service remembers of this card, with every party. */
export const subjectsOfCard = async (
  tx: Tx, service: string, { bucket, cardId }: CardPlace
): Promise<unknown[]> => (await tx.query<{ state: unknown }>(`
    select state from service_subject
    where bucket = $1 and card_id = $2 and service = $3 and state is not null order by party_id`,
[bucket, cardId, service])).rows.map(({ state }) => state)

export type GrantedRow = { readonly amountFen: bigint, readonly on: LocalDate }

/** What was given back to the holder since a date and was not taken back, the latest first. */
export const refundsSince = async (
  tx: Tx, { bucket, cardId }: CardPlace, since: LocalDate
): Promise<GrantedRow[]> => (await tx.query<GrantedRow>(`
    select amount_fen as "amountFen", clearing_date as on from redress r
    where bucket = $1 and card_id = $2 and kind = 'refund' and clearing_date >= $3
      and not exists (select from redress_void v where v.redress_id = r.redress_id)
    order by redress_id desc limit 10`, [bucket, cardId, since])).rows

/** The last day of the card's chip; null where nobody has told it. */
export const validityOf = async (tx: Tx, { bucket, cardId }: CardPlace): Promise<LocalDate | null> =>
  (await tx.query<{ on: LocalDate | null }>(
    'select valid_until::text as on from card where bucket = $1 and card_id = $2', [bucket, cardId]))
    .rows[0]?.on ?? null

export type EndingRow = { readonly name: string, readonly on: LocalDate }

/** Concessions that end between two dates. */
export const concessionsEnding = async (
  tx: Tx, { bucket, cardId }: CardPlace, from: LocalDate, until: LocalDate
): Promise<EndingRow[]> => (await tx.query<EndingRow>(`
    select class as name, valid_until as on from concession_right
    where bucket = $1 and card_id = $2 and valid_until between $3 and $4 order by valid_until`,
[bucket, cardId, from, until])).rows
