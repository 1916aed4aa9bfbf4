// What follows from prices, as rows: entries with their transfers, days that differ, concessions of cards,
// decided exits. It refuses to know tariffs.
import type { TariffDocument } from '../../schemas/tariff/document.ts'
import type { Correction, Entitlement } from '../../schemas/tariff/journey.ts'
import type { CardRef } from '../../schemas/record.ts'
import { transferCodes } from '../core/chart.ts'
import { numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

/* ---- documents ---- */

/** All tariff documents, by version. */
export const readDocuments = async (db: Db | Tx): Promise<TariffDocument[]> =>
  (await db.query<{ document: TariffDocument }>(
    "select document from tariff_version where form = 'document' order by version")).rows
    .map(row => row.document)

export async function insertDocument (tx: Tx, document: TariffDocument, atMs: number): Promise<void> {
  await tx.query(
    "insert into tariff_version (version, document, published_at, form) values ($1, $2, $3, 'document')",
    [document.version, JSON.stringify(document), timestamp(atMs)])
}

/** Whether flat prices were published under this number. */
export async function isFlatVersion (tx: Tx, version: number): Promise<boolean> {
  const { rows } =
    await tx.query("select 1 from tariff_version where version = $1 and form = 'flat'", [version])
  return rows.length === 1
}

/* ---- what a card has besides its taps ---- */

export type CardRights = { readonly cardId: bigint } & Entitlement

export const readRights = async (db: Db | Tx, cards: readonly CardPlace[]): Promise<CardRights[]> =>
  (await db.query<CardRights>(`
    select card_id as "cardId", class, valid_from::text as "from", valid_until::text as until
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) join concession_right r
      using (bucket, card_id)
    order by bucket, card_id, class`,
  [numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId))])).rows

/** All of a card's concessions in place of those it had. */
export async function setRights (
  tx: Tx, { bucket, cardId }: CardPlace, rights: readonly Entitlement[], by: string, atMs: number
): Promise<void> {
  await tx.query('delete from concession_right where bucket = $1 and card_id = $2', [bucket, cardId])
  await tx.query(`
    insert into concession_right (bucket, card_id, class, valid_from, valid_until, set_by, set_at)
    select $1, $2, class, valid_from, valid_until, $6, $7
    from unnest($3::text[], $4::date[], $5::date[]) as r (class, valid_from, valid_until)`, [
    bucket, cardId, rights.map(r => r.class), rights.map(r => r.from), rights.map(r => r.until), by,
    timestamp(atMs)])
}

export type CardType = { readonly cardId: bigint, readonly cardType: string }

export const readCardTypes = async (db: Db | Tx, cards: readonly CardPlace[]): Promise<CardType[]> =>
  (await db.query<CardType>(`
    select card_id as "cardId", card_type as "cardType"
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) join card using (bucket, card_id)`,
  [numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId))])).rows

export type Decided = { readonly cardId: bigint } & Correction

export const readExits = async (db: Db | Tx, cards: readonly CardPlace[]): Promise<Decided[]> =>
  (await db.query<Decided>(`
    select card_id as "cardId", entry_counter as "entryCounter", stop, at as "atMs"
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) join exit_decision
      using (bucket, card_id)`,
  [numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId))])).rows

/** A later decision about the same journey replaces the one before. */
export async function upsertExit (
  tx: Tx, { bucket, cardId }: CardPlace, { entryCounter, stop, atMs }: Correction, by: string, nowMs: number
): Promise<void> {
  await tx.query(`
    insert into exit_decision (bucket, card_id, entry_counter, stop, at, decided_by, decided_at)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (bucket, card_id, entry_counter) do update
    set stop = excluded.stop, at = excluded.at, decided_by = excluded.decided_by,
      decided_at = excluded.decided_at`,
  [bucket, cardId, entryCounter, stop, timestamp(atMs), by, timestamp(nowMs)])
}

/* ---- what was booked ---- */

export const claimKinds = ['refund', 'share', 'treasury'] as const
export type ClaimKey = {
  readonly kind: typeof claimKinds[number], readonly counter: number
  /** Party code; null: the treasury. */
  readonly giver: string | null
  /** Party code; null: the holder. */
  readonly taker: string | null
  /** Of the treasury: the concession, or why a ride was free. */
  readonly category: string
}
export type Standing = ClaimKey & {
  readonly cardId: bigint, readonly amountFen: bigint
  /** The first transfer of its key. */
  readonly firstTransfer: bigint
}

/** What stands of the cards; their purses are locked. */
export async function readStanding (db: Db | Tx, cards: readonly CardPlace[]): Promise<Standing[]> {
  const { rows } = await db.query<Standing>(`
    select card_id as "cardId", kind, counter, nullif(giver, '') as giver, nullif(taker, '') as taker,
      category, sum(amount_fen)::bigint as "amountFen", min(transfer_id) as "firstTransfer"
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id) join fare_entry f using (bucket, card_id)
    group by bucket, card_id, kind, counter, f.giver, f.taker, f.category
    order by bucket, card_id, counter, kind, f.giver, f.taker, f.category`,
  [numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId))])
  return rows
}

export type FareEntry = CardPlace & ClaimKey & { readonly transferId: bigint, readonly amountFen: bigint }

export async function insertEntries (
  tx: Tx, entries: readonly FareEntry[], clearingDate: string
): Promise<void> {
  if (entries.length === 0) return
  await tx.query(`
    insert into fare_entry (bucket, card_id, transfer_id, clearing_date, kind, counter, giver, taker,
      amount_fen, category)
    select bucket, card_id, transfer_id, $1, kind, counter, giver, taker, amount_fen, category
    from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::text[], $6::int[], $7::text[], $8::text[],
      $9::bigint[], $10::text[])
      as e (bucket, card_id, transfer_id, kind, counter, giver, taker, amount_fen, category)`, [
    clearingDate, numbers(entries.map(e => e.bucket)), numbers(entries.map(e => e.cardId)),
    numbers(entries.map(e => e.transferId)), entries.map(e => e.kind), numbers(entries.map(e => e.counter)),
    entries.map(e => e.giver ?? ''), entries.map(e => e.taker ?? ''), numbers(entries.map(e => e.amountFen)),
    entries.map(e => e.category)])
}

/* ---- days that differ ---- */

export type TapOfDay = {
  readonly counter: number, readonly operator: string, readonly dueFen: number, readonly paidFen: number
}
export type FareDay = CardPlace & {
  readonly day: string, readonly dueFen: number, readonly paidFen: number, readonly taps: readonly TapOfDay[]
}

/** In place of those that were there for the cards from their days on. */
export async function replaceDays (
  tx: Tx, cards: readonly (CardPlace & { readonly fromDay: string })[], days: readonly FareDay[]
): Promise<void> {
  await tx.query(`
    delete from fare_day d using unnest($1::smallint[], $2::bigint[], $3::date[])
      as k (bucket, card_id, from_day)
    where d.bucket = k.bucket and d.card_id = k.card_id and d.day >= k.from_day`, [
    numbers(cards.map(c => c.bucket)), numbers(cards.map(c => c.cardId)), cards.map(c => c.fromDay)])
  if (days.length === 0) return
  await tx.query(`
    insert into fare_day (bucket, card_id, day, due_fen, paid_fen, taps)
    select *
    from unnest($1::smallint[], $2::bigint[], $3::date[], $4::bigint[], $5::bigint[], $6::jsonb[])`, [
    numbers(days.map(d => d.bucket)), numbers(days.map(d => d.cardId)), days.map(d => d.day),
    numbers(days.map(d => d.dueFen)), numbers(days.map(d => d.paidFen)),
    days.map(d => JSON.stringify(d.taps))])
}

export type FareDayRow = Pick<FareDay, 'day' | 'taps'> & {
  readonly card: CardRef, readonly dueFen: bigint, readonly paidFen: bigint
}

/** Of a transit day, in the order of the cards' keys. */
export async function readDays (db: Db, day: string): Promise<FareDayRow[]> {
  const { rows } = await db.query<Omit<FareDayRow, 'card'> & CardRef>(`
    select d.day::text as day, d.due_fen as "dueFen", d.paid_fen as "paidFen", d.taps,
      upper(encode(c.issuer, 'hex')) as issuer, upper(encode(c.serial, 'hex')) as serial, c.issue
    from fare_day d join card c using (bucket, card_id) where d.day = $1
    order by d.bucket, d.card_id`, [day])
  return rows.map(({ issuer, serial, issue, ...row }) => ({ ...row, card: { issuer, serial, issue } }))
}

/* ---- comparisons ---- */

const codes = [
  transferCodes.fare_refund, transferCodes.fare_refund_reversed, transferCodes.fare_share,
  transferCodes.fare_share_reversed, transferCodes.concession_claim, transferCodes.concession_claim_reversed
]

/** Entries whose transfer says something else, transfers without an entry, and what is below zero. */
export const fareDifferences = async (tx: Tx): Promise<string[]> =>
  (await tx.query<{ what: string }>(`
    select format('fare_entry of transfer %s: %s fen against %s', f.transfer_id, f.amount_fen, t.amount_fen)
      as what
    from fare_entry f left join transfer t on t.bucket = f.bucket and t.transfer_id = f.transfer_id
      and t.clearing_date = f.clearing_date
    where t.amount_fen is distinct from abs(f.amount_fen) or t.card_id is distinct from f.card_id
      or not t.code = any($1) or (t.code = any($2)) is distinct from (f.amount_fen < 0)
    union all
    select format('transfer %s: no fare_entry says why', t.transfer_id)
    from transfer t where t.code = any($1) and not exists (
      select from fare_entry f where f.bucket = t.bucket and f.transfer_id = t.transfer_id)
    union all
    select format('fare_entry of card %s, %s of %s: %s fen in all', card_id, kind, counter, sum(amount_fen))
    from fare_entry group by bucket, card_id, kind, counter, giver, taker, category having sum(amount_fen) < 0
    order by 1 limit 20`, [codes, codes.filter((_, at) => at % 2 === 1)])).rows.map(row => row.what)
