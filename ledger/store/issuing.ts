// Batches of cards that are made, as rows. It refuses to know plans and keys.
import { type IssuedCard, type IssuedState, issuedStates } from '../../schemas/card-issuing.ts'
import { bucketOf, type CardRef } from '../../schemas/record.ts'
import { hexes, numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type BatchRow = {
  readonly batch: string
  readonly cardType: string
  readonly lot: string
  readonly lotKeyVersion: number
  readonly startedBy: string
  readonly startedAtMs: number
  readonly soldBy: string | null
  readonly depositFen: bigint
}

/** False where there is one of that name. */
export async function insertBatch (tx: Tx, row: BatchRow): Promise<boolean> {
  const { rowCount } = await tx.query(`
    insert into issuing_batch (
      batch, card_type, lot, lot_key_version, started_by, started_at, sold_by, deposit_fen)
    values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`, [
    row.batch, row.cardType, Buffer.from(row.lot, 'hex'), row.lotKeyVersion, row.startedBy,
    timestamp(row.startedAtMs), row.soldBy, row.depositFen])
  return rowCount === 1
}

export async function findBatch (db: Db | Tx, batch: string): Promise<BatchRow | null> {
  const { rows: [row] } = await db.query<BatchRow>(`
    select batch, card_type as "cardType", upper(encode(lot, 'hex')) as lot,
      lot_key_version as "lotKeyVersion", started_by as "startedBy", started_at as "startedAtMs",
      sold_by as "soldBy", deposit_fen as "depositFen"
    from issuing_batch where batch = $1`, [batch])
  return row ?? null
}

export type NewIssuedCard = { readonly ref: CardRef, readonly spec: IssuedCard }

/** How many were written: those whose serial was never given. */
export async function insertIssuedCards (
  tx: Tx, batch: string, cards: readonly NewIssuedCard[]
): Promise<number> {
  const { rowCount } = await tx.query(`
    insert into issuing_card (bucket, issuer, serial, batch, place, spec, state)
    select bucket, issuer, serial, $1, place - 1, spec::jsonb, 0
    from unnest($2::smallint[], $3::bytea[], $4::bytea[], $5::text[])
      with ordinality as c (bucket, issuer, serial, spec, place)
    order by bucket, issuer, serial
    on conflict do nothing`, [
    batch, numbers(cards.map(({ ref }) => bucketOf(ref))), hexes(cards.map(({ ref }) => ref.issuer)),
    hexes(cards.map(({ ref }) => ref.serial)), cards.map(({ spec }) => JSON.stringify(spec))])
  return rowCount ?? 0
}

export type IssuedCardRow = {
  readonly batch: string
  readonly place: number
  readonly spec: IssuedCard
  readonly state: IssuedState
}

export async function findIssuedCard (
  tx: Db | Tx, ref: CardRef, lock: 'lock' | 'look'
): Promise<IssuedCardRow | null> {
  const { rows: [row] } = await tx.query<Omit<IssuedCardRow, 'state'> & { readonly state: number }>(`
    select batch, place, spec, state from issuing_card where bucket = $1 and issuer = $2 and serial = $3
    ${lock === 'lock' ? 'for update' : ''}`,
  [bucketOf(ref), Buffer.from(ref.issuer, 'hex'), Buffer.from(ref.serial, 'hex')])
  return row === undefined ? null : { ...row, state: issuedStates[row.state] ?? 'waiting' }
}

/** In their order, from a place on. */
export async function issuedCards (
  db: Db, batch: string, { after, limit }: { readonly after: number, readonly limit: number }
): Promise<{ readonly place: number, readonly spec: IssuedCard }[]> {
  const { rows } = await db.query<{ place: number, spec: IssuedCard }>(`
    select place, spec from issuing_card where batch = $1 and place > $2 order by place limit $3`,
  [batch, after, limit])
  return rows
}

export async function concludeIssued (tx: Tx, ref: CardRef, { state, at, why, atMs }: {
  readonly state: IssuedState, readonly at: string | null, readonly why: string | null, readonly atMs: number
}): Promise<void> {
  await tx.query(`
    update issuing_card set state = $4, spoiled_at = $5, spoiled_why = $6, told_at = $7
    where bucket = $1 and issuer = $2 and serial = $3`, [
    bucketOf(ref), Buffer.from(ref.issuer, 'hex'), Buffer.from(ref.serial, 'hex'),
    issuedStates.indexOf(state), at, why, timestamp(atMs)])
}

export type BatchCount = { readonly state: IssuedState, readonly cards: number }

export async function countIssued (db: Db | Tx, batch: string): Promise<BatchCount[]> {
  const { rows } = await db.query<{ state: number, cards: bigint }>(
    'select state, count(*) as cards from issuing_card where batch = $1 group by state', [batch])
  return rows.map(({ state, cards }) => ({ state: issuedStates[state] ?? 'waiting', cards: Number(cards) }))
}

export async function spoiledCards (
  db: Db | Tx, batch: string
): Promise<{ readonly serial: string, readonly at: string, readonly why: string }[]> {
  const { rows } = await db.query<{ serial: string, at: string, why: string }>(`
    select upper(encode(serial, 'hex')) as serial, coalesce(spoiled_at, '') as at,
      coalesce(spoiled_why, '') as why
    from issuing_card where batch = $1 and state = 2 order by place`, [batch])
  return rows
}
