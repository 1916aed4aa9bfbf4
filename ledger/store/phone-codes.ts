// Phones and uses of their codes as rows. It refuses to know what a code says.
import { codePayers, type CodePayer, type CodeRide } from '../../schemas/phone-code.ts'
import { instants, numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'
import { senseNames, type DueCard, type PaidRide } from './rides.ts'

export type PhoneRow = CardPlace & {
  readonly phone: string, readonly holderId: bigint, readonly partyId: number, readonly boundBy: string
  readonly boundAtMs: number, readonly endedAtMs: number | null, readonly lastCodeAtMs: number | null
}
const phoneColumns = `
  phone, bucket, card_id as "cardId", holder_id as "holderId", party_id as "partyId", bound_by as "boundBy",
  bound_at as "boundAtMs", ended_at as "endedAtMs", last_code_at as "lastCodeAtMs"`

export async function insertPhone (
  tx: Tx, row: Omit<PhoneRow, 'endedAtMs' | 'lastCodeAtMs'> & { readonly tokenHash: Buffer }
): Promise<void> {
  await tx.query(`
    insert into phone (phone, token_hash, bucket, card_id, holder_id, party_id, bound_by, bound_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)`, [
    row.phone, row.tokenHash, row.bucket, row.cardId, row.holderId, row.partyId, row.boundBy,
    timestamp(row.boundAtMs)])
}

/** Locked: two questions at once get one code between them. */
export const lockPhone = async (tx: Tx, tokenHash: Buffer): Promise<PhoneRow | null> =>
  (await tx.query<PhoneRow>(
    `select ${phoneColumns} from phone where token_hash = $1 for update`, [tokenHash])).rows[0] ?? null

export const phonesOf = async (db: Db | Tx, { bucket, cardId }: CardPlace): Promise<PhoneRow[]> =>
  (await db.query<PhoneRow>(`
    select ${phoneColumns} from phone where bucket = $1 and card_id = $2 order by bound_at, phone`,
  [bucket, cardId])).rows

export async function noteCode (tx: Tx, phone: string, atMs: number): Promise<void> {
  await tx.query('update phone set last_code_at = $2 where phone = $1', [phone, timestamp(atMs)])
}

/** False where the card has no such phone that still gets codes. */
export async function endPhone (
  tx: Tx, { bucket, cardId }: CardPlace, phone: string,
  { by, atMs }: { readonly by: string, readonly atMs: number }
): Promise<boolean> {
  const { rowCount } = await tx.query(`
    update phone set ended_by = $4, ended_at = $5
    where phone = $3 and bucket = $1 and card_id = $2 and ended_at is null`,
  [bucket, cardId, phone, by, timestamp(atMs)])
  return rowCount === 1
}

/* ---- uses ---- */

export type UseRow = CardPlace & {
  /** 16 hex digits. */
  readonly nonce: string
  readonly operator: string, readonly terminal: string, readonly atMs: number, readonly amountFen: bigint
  readonly code: string, readonly client: string, readonly toldAtMs: number, readonly reason: number
  readonly payer: CodePayer | null, readonly journalId: bigint | null
  readonly ride: CodeRide | null
}
type Stored = Omit<UseRow, 'payer' | 'ride'> & Omit<CodeRide, 'sense'> & {
  readonly payer: number | null, readonly sense: number | null
}

const find = async (db: Db | Tx, more: string, values: readonly unknown[]): Promise<UseRow[]> =>
  (await db.query<Stored>(`
    select bucket, card_id as "cardId", upper(encode(nonce, 'hex')) as nonce, operator, terminal,
      used_at as "atMs", amount_fen as "amountFen", code, client_id as client, told_at as "toldAtMs", reason,
      payer, journal_id as "journalId", line, vehicle, stop, sense, tariff_version as "tariffVersion"
    from phone_use where bucket = $1 and card_id = $2 ${more}`, [...values])).rows
    .map(({ payer, line, vehicle, stop, sense, tariffVersion, ...row }) => ({
      ...row, payer: payer === null ? null : codePayers[payer] ?? null,
      ride: sense === null
        ? null
        : { line, vehicle, stop, sense: senseNames[sense] ?? 'either', tariffVersion }
    }))

/** Every use of one code that was told. */
export const usesOfCode = (tx: Tx, { bucket, cardId }: CardPlace, nonce: string): Promise<UseRow[]> =>
  find(tx, 'and nonce = $3', [bucket, cardId, Buffer.from(nonce, 'hex')])

/** The newest first. */
export const usesOfCard = (db: Db, { bucket, cardId }: CardPlace, limit: number): Promise<UseRow[]> =>
  find(db, 'order by used_at desc, nonce limit $3', [bucket, cardId, limit])

/** The card is locked: its rides are numbered as they are told. */
export async function insertUse (tx: Tx, row: UseRow): Promise<void> {
  const { ride } = row
  await tx.query(`
    insert into phone_use (bucket, card_id, nonce, operator, terminal, used_at, amount_fen, code, client_id,
      told_at, reason, payer, journal_id, line, vehicle, stop, sense, tariff_version, ride_no)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
      case when $18::int is not null then
        1 + (select coalesce(max(ride_no), 0) from phone_use where bucket = $1 and card_id = $2) end)`, [
    row.bucket, row.cardId, Buffer.from(row.nonce, 'hex'), row.operator, row.terminal, timestamp(row.atMs),
    row.amountFen, row.code, row.client, timestamp(row.toldAtMs), row.reason,
    row.payer === null ? null : codePayers.indexOf(row.payer), row.journalId, ride?.line ?? null,
    ride?.vehicle ?? null, ride?.stop ?? null, ride === null ? null : senseNames.indexOf(ride.sense),
    ride?.tariffVersion ?? null])
}

/** Another use of the code ranks before it: nothing pays it any more. */
export async function takeBackUse (tx: Tx, row: UseRow, reason: number): Promise<void> {
  await tx.query(`
    update phone_use set reason = $4, payer = null, journal_id = null
    where bucket = $1 and card_id = $2 and nonce = $3 and operator = $5 and terminal = $6 and used_at = $7
      and amount_fen = $8`,
  [
    row.bucket, row.cardId, Buffer.from(row.nonce, 'hex'), reason, row.operator, row.terminal,
    timestamp(row.atMs), row.amountFen])
}

/* ---- rides ---- */

export type CodeRideRow = Omit<PaidRide, 'counter'> & { readonly no: number }

const since = `
  with k as (
    select * from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (bucket, card_id, from_at))`
const placesOf = (cards: readonly DueCard[]): unknown[] => [
  numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId)), instants(cards.map(c => c.fromMs))]

/** Rides of the cards from their instants on that somebody paid; what the issuer paid, no holder did. */
export async function readCodeRides (db: Db | Tx, cards: readonly DueCard[]): Promise<CodeRideRow[]> {
  const { rows } = await db.query<Omit<CodeRideRow, 'sense'> & { sense: number }>(`${since}
    select u.bucket, u.card_id as "cardId", u.ride_no as no, u.operator, u.terminal as reader,
      u.used_at as "atMs", u.line, u.vehicle, u.stop, u.sense, 1 as rider, 1 as riders,
      case when u.payer = 0 then u.amount_fen else 0 end as "paidFen"
    from k join phone_use u using (bucket, card_id)
    where u.ride_no is not null and u.payer is not null and u.used_at >= k.from_at
    order by u.bucket, u.card_id, u.ride_no`, placesOf(cards))
  return rows.map(({ sense, ...row }) => ({ ...row, sense: senseNames[sense] ?? 'either' }))
}

/** Numbers of their rides, also of those that nobody pays any more. */
export const readCodesRidden = async (
  db: Db | Tx, cards: readonly DueCard[]
): Promise<{ readonly cardId: bigint, readonly no: number }[]> =>
  (await db.query<{ cardId: bigint, no: number }>(`${since}
    select u.card_id as "cardId", u.ride_no as no from k join phone_use u using (bucket, card_id)
    where u.ride_no is not null and u.used_at >= k.from_at`, placesOf(cards))).rows

/* ---- what a verification reads ---- */

/** Cards whose uses that are paid are not what their transfers come to. */
export const useDifferences = async (
  tx: Tx, { paid, reversed }: { readonly paid: readonly number[], readonly reversed: readonly number[] }
): Promise<string[]> => (await tx.query<{ what: string }>(`
  with moved as (
    select bucket, card_id, sum(case when code = any($1) then amount_fen else -amount_fen end) as fen
    from transfer where code = any($1) or code = any($2) group by 1, 2),
  used as (
    select bucket, card_id, sum(amount_fen) as fen from phone_use where journal_id is not null group by 1, 2)
  select format('codes of card %s: uses of %s fen are paid, transfers of %s', card_id, coalesce(u.fen, 0),
    coalesce(m.fen, 0)) as what
  from used u full join moved m using (bucket, card_id)
  where coalesce(u.fen, 0) <> coalesce(m.fen, 0)
  union all
  select format('code %s of card %s: paid by transfer %s of another sum', encode(u.nonce, 'hex'), u.card_id,
    u.journal_id)
  from phone_use u where u.journal_id is not null and not exists (
    select from transfer t where t.bucket = u.bucket and t.transfer_id = u.journal_id
      and t.card_id = u.card_id and t.amount_fen = u.amount_fen and t.code = any($1))
  order by 1 limit 20`, [paid, reversed])).rows.map(({ what }) => what)
