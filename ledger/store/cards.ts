// Cards and their purses: rows in, rows out, always as sets.
import { bucketOf, cardKey, type CardRef } from '../../schemas/record.ts'
import type { Card } from '../../schemas/api.ts'
import { elsewhere } from '../core/chain.ts'
import type { SuiteName } from '../../schemas/epurse/suite.ts'
import { hexes, numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { isSpread } from './lock.ts'

export type CardRow = {
  readonly bucket: number, readonly cardId: bigint, readonly cardType: string, readonly state: string,
  readonly suite: SuiteName, readonly cityFactor: Buffer | null
  /** What the chip said when the card joined. */
  readonly openedCounter: number, readonly openedFen: bigint
}
const cardColumns = `c.bucket, c.card_id as "cardId", c.card_type as "cardType", c.state, c.suite,
  c.city_factor as "cityFactor", c.opened_counter as "openedCounter", c.opened_fen as "openedFen"`

const serialBytes = (card: CardRef): Buffer => Buffer.from(card.serial, 'hex')
const issuerBytes = (card: CardRef): Buffer => Buffer.from(card.issuer, 'hex')

/** The registered cards among `refs`, by {@link cardKey}. */
export async function findCards (db: Db | Tx, refs: readonly CardRef[]): Promise<Map<string, CardRow>> {
  const distinct = [...new Map(refs.map(ref => [cardKey(ref), ref])).values()]
  const { rows } = await db.query<CardRow & { place: bigint }>(`
    select k.place, ${cardColumns}
    from unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::smallint[])
      with ordinality as k (bucket, issuer, serial, issue, place)
    join card c on c.bucket = k.bucket and c.issuer = k.issuer and c.serial = k.serial and c.issue = k.issue`,
  [
    numbers(distinct.map(bucketOf)), hexes(distinct.map(ref => ref.issuer)),
    hexes(distinct.map(ref => ref.serial)),
    numbers(distinct.map(ref => ref.issue))])
  return new Map(rows.map(({ place, ...row }) => [cardKey(distinct[Number(place) - 1] as CardRef), row]))
}

/** Version of the keys that a card was issued with. */
export async function keyVersionOf (
  db: Db | Tx, { bucket, cardId }: { readonly bucket: number, readonly cardId: bigint }
): Promise<number> {
  const { rows: [row] } = await db.query<{ keyVersion: number }>(
    'select key_version as "keyVersion" from card where bucket = $1 and card_id = $2', [bucket, cardId])
  return row?.keyVersion ?? 0
}

/** Cards by their number inside the ledger. */
export async function findCardsById (
  tx: Tx, keys: readonly { readonly bucket: number, readonly cardId: bigint }[]
): Promise<CardRow[]> {
  const { rows } = await tx.query<CardRow>(`
    select ${cardColumns} from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
    join card c using (bucket, card_id)`,
  [numbers(keys.map(k => k.bucket)), numbers(keys.map(k => k.cardId))])
  return rows
}

/**
 * Inserts cards that are not there yet, with an EP purse holding what the chip holds. Returns the new ones.
 */
export async function insertCards (
  tx: Tx, cards: readonly Card[], atMs: number
): Promise<{ card: Card, bucket: number, cardId: bigint }[]> {
  const { rows: ids } = await tx.query<{ id: bigint }>(
    "select nextval('card_id_seq') as id from generate_series(1, $1)", [cards.length])
  const { rows } = await tx.query<{ cardId: bigint, bucket: number }>(`
    insert into card (
      bucket, card_id, issuer, serial, issue, profile, card_type, suite, key_version, city_factor,
        opened_counter,
      opened_fen, opened_at, valid_until)
    select bucket, card_id, issuer, serial, issue, profile, card_type, suite, key_version, city_factor,
      counter,
      balance, $13, valid_until
    from unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::smallint[], $6::text[],
      $7::text[],
      $8::text[], $9::smallint[], $10::bytea[], $11::int[], $12::bigint[], $14::date[])
      as c (bucket, card_id, issuer, serial, issue, profile, card_type, suite, key_version, city_factor,
        counter,
        balance, valid_until)
    order by bucket, issuer, serial, issue
    on conflict (bucket, issuer, serial, issue) do nothing
    returning card_id as "cardId", bucket`, [
    cards.map(c => bucketOf(c.card)), ids.map(row => row.id), cards.map(c => issuerBytes(c.card)),
    cards.map(c => serialBytes(c.card)), cards.map(c => c.card.issue), cards.map(c => c.profile),
    cards.map(c => c.type),
    cards.map(c => c.suite), cards.map(c => c.keyVersion),
    cards.map(c => c.cityFactor === null ? null : Buffer.from(c.cityFactor, 'hex')),
    cards.map(c => c.counter),
    cards.map(c => c.balanceFen), timestamp(atMs), cards.map(c => c.validUntil ?? null)])
  const placeOf = new Map(ids.map((row, place) => [row.id, place]))
  const fresh = rows.map(({ cardId, bucket }) =>
    ({ card: cards[placeOf.get(cardId) ?? -1] as Card, bucket, cardId }))
  await tx.query(`
    insert into purse (bucket, card_id, purse, last_counter, last_balance_fen, shadow_fen)
    select bucket, card_id, 2, counter, balance, balance
    from unnest($1::smallint[], $2::bigint[], $3::int[], $4::bigint[]) as p (bucket, card_id, counter,
      balance)`, [
    fresh.map(c => c.bucket), fresh.map(c => c.cardId), fresh.map(c => c.card.counter),
    fresh.map(c => c.card.balanceFen)])
  return fresh
}

/** What nobody has told of these cards so far: when their chips end. */
export async function learnValidity (tx: Tx, cards: readonly Card[]): Promise<void> {
  const told = cards.filter(({ validUntil }) => validUntil !== undefined)
  if (told.length === 0) return
  await tx.query(`
    update card c set valid_until = k.until
    from unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::smallint[], $5::date[])
      as k (bucket, issuer, serial, issue, until)
    where c.bucket = k.bucket and c.issuer = k.issuer and c.serial = k.serial and c.issue = k.issue
      and c.valid_until is null`, [
    numbers(told.map(({ card }) => bucketOf(card))), hexes(told.map(({ card }) => card.issuer)),
    hexes(told.map(({ card }) => card.serial)), numbers(told.map(({ card }) => card.issue)),
    told.map(({ validUntil }) => validUntil)])
}

/** Cards of other cities that are not there yet, each with an EP purse that owes nothing. */
export async function insertForeignCards (db: Db, refs: readonly CardRef[], atMs: number): Promise<void> {
  await db.query(`
    with fresh as (
      insert into card (bucket, card_id, issuer, serial, issue, profile, card_type, suite, key_version,
        opened_at, opened_counter)
      select k.bucket, nextval('card_id_seq'), k.issuer, k.serial, k.issue, 'foreign', 'foreign', '3des', 0,
        $5, $6
      from unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::smallint[]) as k (bucket, issuer, serial,
        issue)
      where not exists (
        select 1 from card c where c.bucket = k.bucket and c.issuer = k.issuer and c.serial = k.serial
          and c.issue = k.issue)
      order by k.bucket, k.issuer, k.serial, k.issue
      on conflict (bucket, issuer, serial, issue) do nothing
      returning bucket, card_id)
    insert into purse (bucket, card_id, purse, last_counter, last_balance_fen, shadow_fen)
    select bucket, card_id, 2, $6, 0, 0 from fresh`, [
    numbers(refs.map(bucketOf)), hexes(refs.map(ref => ref.issuer)),
    hexes(refs.map(ref => ref.serial)),
    numbers(refs.map(ref => ref.issue)), timestamp(atMs), elsewhere])
}

export type PurseMove = {
  readonly bucket: number, readonly cardId: bigint, readonly purse: number, readonly lastCounter: number,
  readonly lastBalanceFen: bigint, readonly shadowDeltaFen: bigint, readonly openItems: number
  /** Where the row was when it was locked, if nothing moved it since. */
  readonly at?: string
}

/** Writes what a batch did to purses that it has locked before. */
export async function movePurses (tx: Tx, given: readonly PurseMove[]): Promise<void> {
  const spread = await isSpread(tx)
  const isPlaced = ({ at }: PurseMove): boolean => at !== undefined && !spread
  await movePlaced(tx, given.filter(isPlaced))
  await moveByKey(tx, given.filter(move => !isPlaced(move)))
}

/** Without looking the rows up again: 6.6 instead of 9.8 µs of the server's time each. */
async function movePlaced (tx: Tx, moves: readonly PurseMove[]): Promise<void> {
  if (moves.length === 0) return
  const { rowCount } = await tx.query(`
    update purse p set ${moved}
    from unnest(${movedTypes}, $5::tid[]) as m (${movedNames}, at)
    where p.ctid = m.at`, [...movedColumns(moves), `{${moves.map(({ at }) => `"${at}"`).join(',')}}`])
  if (rowCount !== moves.length) {
    throw new Error(`${moves.length} purses were locked, ${rowCount} lie where they lay then`)
  }
}

async function moveByKey (tx: Tx, given: readonly PurseMove[]): Promise<void> {
  if (given.length === 0) return
  const moves = [...given].sort((one, other) =>
    one.bucket - other.bucket || Number(one.cardId) - Number(other.cardId))
  await tx.query(`
    update purse p set ${moved}
    from unnest(${movedTypes}, $5::smallint[], $6::bigint[], $7::smallint[])
      as m (${movedNames}, bucket, card_id, purse)
    where p.bucket = m.bucket and p.card_id = m.card_id and p.purse = m.purse`, [
    ...movedColumns(moves), numbers(moves.map(m => m.bucket)), numbers(moves.map(m => m.cardId)),
    numbers(moves.map(m => m.purse))])
}

const moved = `last_counter = m.last_counter, last_balance_fen = m.last_balance, open_items = m.open_items,
  shadow_fen = p.shadow_fen + m.shadow_delta`
const movedNames = 'last_counter, last_balance, shadow_delta, open_items'
const movedTypes = '$1::int[], $2::bigint[], $3::bigint[], $4::int[]'
const movedColumns = (moves: readonly PurseMove[]): string[] => [
  numbers(moves.map(m => m.lastCounter)), numbers(moves.map(m => m.lastBalanceFen)),
  numbers(moves.map(m => m.shadowDeltaFen)), numbers(moves.map(m => m.openItems))]

/** From now on nothing of these purses is plain. */
export async function markBeyond (
  tx: Tx, purses: readonly { readonly bucket: number, readonly cardId: bigint, readonly purse: number }[]
): Promise<void> {
  if (purses.length === 0) return
  await tx.query(`
    update purse p set beyond = true
    from unnest($1::smallint[], $2::bigint[], $3::smallint[]) as k (bucket, card_id, purse)
    where p.bucket = k.bucket and p.card_id = k.card_id and p.purse = k.purse`,
  [numbers(purses.map(p => p.bucket)), numbers(purses.map(p => p.cardId)), numbers(purses.map(p => p.purse))])
}
