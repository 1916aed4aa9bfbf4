// Replacements and returns of cards, and cards that were found, as rows. It refuses to know the rules.
import type { CardState } from '../../schemas/card-life.ts'
import type { ReplacementReason } from '../../schemas/card-return.ts'
import type { CardRef } from '../../schemas/record.ts'
import { instants, numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

const refOf = (alias: string): string => `upper(encode(${alias}.issuer, 'hex')) as issuer,
  upper(encode(${alias}.serial, 'hex')) as serial, ${alias}.issue`

/* ---- replacements ---- */

export type ReplacementRow = CardPlace & {
  readonly toBucket: number, readonly toCardId: bigint, readonly why: ReplacementReason
  readonly feeFen: bigint, readonly requestedBy: string, readonly requestedAtMs: number
  readonly dueOn: string, readonly movedOn: string | null, readonly movedFen: bigint
}
const replacementColumns = `bucket, card_id as "cardId", to_bucket as "toBucket", to_card_id as "toCardId",
  why, fee_fen as "feeFen", requested_by as "requestedBy", requested_at as "requestedAtMs",
  due_on as "dueOn", moved_on as "movedOn", moved_fen as "movedFen"`

export async function insertReplacement (
  tx: Tx, row: Omit<ReplacementRow, 'movedOn' | 'movedFen'>
): Promise<void> {
  await tx.query(`
    insert into card_replacement (bucket, card_id, to_bucket, to_card_id, why, fee_fen, requested_by,
      requested_at, due_on, moved_fen)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)`, [
    row.bucket, row.cardId, row.toBucket, row.toCardId, row.why, row.feeFen, row.requestedBy,
    timestamp(row.requestedAtMs), row.dueOn])
}

export const findReplacement = async (
  db: Db | Tx, { bucket, cardId }: CardPlace
): Promise<ReplacementRow | null> => (await db.query<ReplacementRow>(
  `select ${replacementColumns} from card_replacement where bucket = $1 and card_id = $2`,
  [bucket, cardId])).rows[0] ?? null

/** Due by a date and not moved, or moved since another: more may have come. */
export const replacementsToMove = async (
  db: Db | Tx, { dueBy, movedSince }: { readonly dueBy: string, readonly movedSince: string }
): Promise<ReplacementRow[]> => (await db.query<ReplacementRow>(`
  select ${replacementColumns} from card_replacement
  where (moved_on is null and due_on <= $1) or moved_on >= $2 order by bucket, card_id`,
[dueBy, movedSince])).rows

/** Adds what moved. Both cards are locked. */
export async function noteMoved (
  tx: Tx, { bucket, cardId }: CardPlace, { fen, date }: { readonly fen: bigint, readonly date: string }
): Promise<void> {
  await tx.query(`
    update card_replacement set moved_fen = moved_fen + $3, moved_on = coalesce(moved_on, $4)
    where bucket = $1 and card_id = $2`, [bucket, cardId, fen, date])
}

export type Predecessor = CardPlace & {
  /** The card that it became in the end. */
  readonly of: bigint
  /** 1: the card before it, 2: the one before that. */
  readonly level: number
}

/** All cards that these were before. */
export const predecessorsOf = async (
  db: Db | Tx, cards: readonly CardPlace[]
): Promise<Predecessor[]> => (await db.query<Predecessor>(`
  with recursive k as (select * from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)),
  before as (
    select r.bucket, r.card_id, k.card_id as of, 1 as level
    from k join card_replacement r on r.to_bucket = k.bucket and r.to_card_id = k.card_id
    union all
    select r.bucket, r.card_id, b.of, b.level + 1
    from before b join card_replacement r on r.to_bucket = b.bucket and r.to_card_id = b.card_id)
  select bucket, card_id as "cardId", of, level from before`, [
  numbers(cards.map(card => card.bucket)), numbers(cards.map(card => card.cardId))])).rows

/** The cards that took their place, due from the same instant on. */
export const successorsOf = async (
  tx: Tx, cards: readonly (CardPlace & { readonly fromMs: number })[]
): Promise<(CardPlace & { readonly fromMs: number })[]> =>
  (await tx.query<CardPlace & { fromMs: number }>(`
    select r.to_bucket as bucket, r.to_card_id as "cardId", k.from_at as "fromMs"
    from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as k (bucket, card_id, from_at)
    join card_replacement r using (bucket, card_id)`, [
    numbers(cards.map(card => card.bucket)), numbers(cards.map(card => card.cardId)),
    instants(cards.map(card => card.fromMs))])).rows

/* ---- returns ---- */

export type ReturnSums = {
  readonly valueFen: bigint, readonly waitingFen: bigint, readonly onlineFen: bigint
  readonly depositFen: bigint, readonly keptFen: bigint
}
export type ReturnRow = CardPlace & ReturnSums & {
  readonly outlet: string, readonly undamaged: boolean, readonly requestedBy: string
  readonly requestedAtMs: number, readonly dueOn: string, readonly paidOn: string | null
}

export async function insertReturn (
  tx: Tx, row: Omit<ReturnRow, keyof ReturnSums | 'outlet' | 'paidOn'> & { readonly partyId: number }
): Promise<void> {
  await tx.query(`
    insert into card_return (bucket, card_id, party_id, undamaged, requested_by, requested_at, due_on,
      value_fen, waiting_fen, online_fen, deposit_fen, kept_fen)
    values ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 0, 0)`, [
    row.bucket, row.cardId, row.partyId, row.undamaged, row.requestedBy, timestamp(row.requestedAtMs),
    row.dueOn])
}

export const findReturn = async (db: Db | Tx, { bucket, cardId }: CardPlace): Promise<ReturnRow | null> =>
  (await db.query<ReturnRow>(`
    select r.bucket, r.card_id as "cardId", p.code as outlet, r.undamaged, r.requested_by as "requestedBy",
      r.requested_at as "requestedAtMs", r.due_on as "dueOn", r.paid_on as "paidOn",
      r.value_fen as "valueFen", r.waiting_fen as "waitingFen", r.online_fen as "onlineFen",
      r.deposit_fen as "depositFen", r.kept_fen as "keptFen"
    from card_return r join party p using (party_id) where r.bucket = $1 and r.card_id = $2`,
  [bucket, cardId])).rows[0] ?? null

/** The card is locked, and nothing was paid. */
export async function noteReturnPaid (
  tx: Tx, { bucket, cardId }: CardPlace, partyId: number, sums: ReturnSums, date: string
): Promise<void> {
  await tx.query(`
    update card_return set party_id = $3, paid_on = $4, value_fen = $5, waiting_fen = $6, online_fen = $7,
      deposit_fen = $8, kept_fen = $9
    where bucket = $1 and card_id = $2`, [
    bucket, cardId, partyId, date, sums.valueFen, sums.waitingFen, sums.onlineFen, sums.depositFen,
    sums.keptFen])
}

/* ---- found cards ---- */

export type FoundRow = {
  readonly foundNo: bigint
  readonly card: CardRef, readonly state: CardState, readonly place: string, readonly foundBy: string
  readonly foundAtMs: number, readonly holder: string | null, readonly fetchedAtMs: number | null
}

/** The card is locked. */
export async function insertFound (
  tx: Tx, { bucket, cardId }: CardPlace,
  { place, by, atMs }: { readonly place: string, readonly by: string, readonly atMs: number }
): Promise<void> {
  await tx.query(`
    insert into card_found (bucket, card_id, place, found_by, found_at) values ($1, $2, $3, $4, $5)`,
  [bucket, cardId, place, by, timestamp(atMs)])
}

/** False where none lies anywhere. */
export async function noteFetched (tx: Tx, { bucket, cardId }: CardPlace, atMs: number): Promise<boolean> {
  const { rowCount } = await tx.query(`
    update card_found set fetched_at = $3 where bucket = $1 and card_id = $2 and fetched_at is null`,
  [bucket, cardId, timestamp(atMs)])
  return (rowCount ?? 0) > 0
}

const found = `
  select f.found_no as "foundNo", ${refOf('c')}, c.state, f.place, f.found_by as "foundBy",
    f.found_at as "foundAtMs", h.holder, f.fetched_at as "fetchedAtMs"
  from card_found f join card c using (bucket, card_id)
  left join card_holder b on b.bucket = f.bucket and b.card_id = f.card_id and b.ended_at is null
  left join holder h on h.holder_id = b.holder_id`
const foundRow = ({ issuer, serial, issue, ...row }: CardRef & Omit<FoundRow, 'card'>): FoundRow =>
  ({ card: { issuer, serial, issue }, ...row })

/** The last time it was found; null where it never was. */
export const lastFound = async (db: Db | Tx, { bucket, cardId }: CardPlace): Promise<FoundRow | null> =>
  (await db.query<CardRef & Omit<FoundRow, 'card'>>(`${found}
    where f.bucket = $1 and f.card_id = $2 order by f.found_no desc limit 1`, [bucket, cardId]))
    .rows.map(foundRow)[0] ?? null

/** That wait for whoever lost them, the newest first. */
export const listFound = async (
  db: Db, { before, limit }: { readonly before: bigint | null, readonly limit: number }
): Promise<FoundRow[]> => (await db.query<CardRef & Omit<FoundRow, 'card'>>(`${found}
  where f.fetched_at is null and ($1::bigint is null or f.found_no < $1)
  order by f.found_no desc limit $2`, [before, limit])).rows.map(foundRow)

/* ---- what a verification reads ---- */

/** Rows that say other sums than the transfers of their cards. */
export async function endDifferences (
  tx: Tx, codes: Readonly<Record<keyof ReturnSums | 'collected' | 'moved' | 'fee', number>>
): Promise<string[]> {
  const { rows } = await tx.query<{ what: string }>(`
    with sums as (
      select r.bucket, r.card_id, t.code, sum(t.amount_fen)::bigint as fen
      from (select bucket, card_id from card_return union select bucket, card_id from card_replacement) r
      join transfer t on t.bucket = r.bucket and t.card_id = r.card_id and t.code = any($1)
      group by 1, 2, 3),
    of as (
      select bucket, card_id, jsonb_object_agg(code, fen) as fen from sums group by 1, 2)
    select format('card_return of card %s: not what its transfers say', r.card_id) as what
    from card_return r left join of o using (bucket, card_id)
    where r.value_fen <> coalesce((o.fen ->> $2)::bigint, 0) - coalesce((o.fen ->> $3)::bigint, 0)
      or r.online_fen <> coalesce((o.fen ->> $4)::bigint, 0)
      or r.deposit_fen <> coalesce((o.fen ->> $5)::bigint, 0)
      or r.kept_fen <> coalesce((o.fen ->> $6)::bigint, 0)
    union all
    select format('card_replacement of card %s: its fee is not what its transfers say', r.card_id)
    from card_replacement r left join of o using (bucket, card_id)
    where r.fee_fen <> coalesce((o.fen ->> $7)::bigint, 0)
    order by 1 limit 20`, [
    Object.values(codes), String(codes.valueFen), String(codes.collected), String(codes.onlineFen),
    String(codes.depositFen), String(codes.keptFen), String(codes.fee)])
  return rows.map(({ what }) => what)
}
