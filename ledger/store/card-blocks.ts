// Blocks of cards as rows. It refuses to know who may be blocked.
import { blockForms, blockStates, type BlockForm, type BlockState } from '../../schemas/card-block.ts'
import type { NotedRow } from '../core/notes.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { cardValues, type CardPlace } from './loads.ts'
import { notedColumns } from './notes.ts'

export type BlockRow = {
  readonly bucket: number
  readonly cardId: bigint
  readonly client: string
  readonly key: string
  readonly operator: string
  readonly terminal: string
  readonly form: BlockForm
  readonly challenge: Buffer
  readonly listedFor: string
  readonly state: BlockState
  readonly requestedAtMs: number
  readonly decidedAtMs: number | null
}

type Stored = Omit<BlockRow, 'form' | 'state'> & { readonly form: number, readonly state: number }
const fromStored = ({ form, state, ...row }: Stored): BlockRow =>
  ({ ...row, form: blockForms[form] ?? 'temporary', state: blockStates[state] ?? 'open' })

async function find (db: Db | Tx, where: string, values: readonly unknown[]): Promise<BlockRow[]> {
  const { rows } = await db.query<Stored>(`
    select bucket, card_id as "cardId", client_id as client, key, operator, terminal, form, challenge,
      listed_for as "listedFor", state, requested_at as "requestedAtMs", decided_at as "decidedAtMs"
    from card_block ${where}`, [...values])
  return rows.map(fromStored)
}

export const findBlock = async (
  db: Db | Tx, bucket: number, client: string, key: string
): Promise<BlockRow | null> =>
  (await find(db, 'where bucket = $1 and client_id = $2 and key = $3', [bucket, client, key]))[0] ?? null

export type BlockPlace = Pick<BlockRow, 'requestedAtMs' | 'bucket' | 'client' | 'key'>

/** The newest first; null: whatever their state, of whichever card. */
export const listBlocks = (db: Db, { state, card, before, limit }: {
  readonly state: BlockState | null, readonly card: CardPlace | null, readonly before: BlockPlace | null,
  readonly limit: number
}): Promise<BlockRow[]> => find(db, `
  where ($1::smallint is null or state = $1)
    ${card === null ? '' : 'and bucket = $7 and card_id = $8'}
    and ($2::timestamptz is null or (requested_at, bucket, client_id, key) < ($2, $3, $4, $5))
  order by requested_at desc, bucket desc, client_id desc, key desc limit $6`, [
  state === null ? null : blockStates.indexOf(state),
  before === null ? null : timestamp(before.requestedAtMs), before?.bucket ?? 0, before?.client ?? '',
  before?.key ?? '', limit, ...cardValues(card)])

/** Why the list holds the card now; null where it does not. */
export async function listedFor (
  tx: Db | Tx, { bucket, cardId }: { readonly bucket: number, readonly cardId: bigint }
): Promise<string | null> {
  const { rows: [row] } = await tx.query<{ reason: string }>(`
    select reason from blacklist_entry
    where bucket = $1 and card_id = $2 and removed_version is null order by added_version desc limit 1`,
  [bucket, cardId])
  return row?.reason ?? null
}

/** None where a row of that key is there already. */
export async function insertBlock (
  tx: Tx, row: Omit<BlockRow, 'decidedAtMs'>, notedIn: bigint
): Promise<NotedRow[]> {
  const { rows } = await tx.query<NotedRow>(`
    insert into card_block (bucket, card_id, client_id, key, operator, terminal, form, challenge, listed_for,
      state, requested_at, noted_in)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing
    returning ${notedColumns('card_block')}`, [
    row.bucket, row.cardId, row.client, row.key, row.operator, row.terminal, blockForms.indexOf(row.form),
    row.challenge, row.listedFor, blockStates.indexOf(row.state), timestamp(row.requestedAtMs),
    notedIn])
  return rows
}

/** None where it was not open any more. */
export async function decideBlock (
  tx: Tx, { bucket, client, key }: BlockRow, { state, atMs }: { state: BlockState, atMs: number },
  notedIn: bigint
): Promise<NotedRow[]> {
  const { rows } = await tx.query<NotedRow>(`
    update card_block set state = $4, decided_at = $5, noted_in = $6
    where bucket = $1 and client_id = $2 and key = $3 and state = 0
    returning ${notedColumns('card_block')}`,
  [bucket, client, key, blockStates.indexOf(state), timestamp(atMs), notedIn])
  return rows
}
