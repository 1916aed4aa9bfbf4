// Guarded balances as rows: opened, moved under lock, closed, compared with the transfers. It refuses to know
// what a batch may do to them.
import { headingRow, headings, type Heading, type Side } from '../core/chart.ts'
import { movements, type Difference } from './balances.ts'
import { numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { byGuardedKey, type GuardedKey } from './lock.ts'

/** An account whose balance is guarded, or one whose parts per card are. */
export type GuardedAccount = {
  readonly accountId: number, readonly heading: Heading, readonly normalSide: Side
}

/** A side of a transfer as the account sees it; structural, so that drafts and rows both fit. */
type Moving = {
  readonly bucket: number, readonly cardId?: bigint | null, readonly amountFen: bigint
  readonly debit: number, readonly credit: number
}

/** Accounts without cards lie in a bucket of their own, so that ten thousand agents are spread too. */
export const accountBucket = (accountId: number): number => 1 + accountId % 63

/** The balance that a transfer of this card moves at an account. */
export const guardedKey = (
  { accountId, heading }: Pick<GuardedAccount, 'accountId' | 'heading'>,
  of: { readonly bucket: number, readonly cardId: bigint | null }
): GuardedKey => headingRow(heading).per === 'card'
  ? { bucket: of.bucket, accountId, cardId: of.cardId ?? 0n }
  : { bucket: accountBucket(accountId), accountId, cardId: 0n }

export type GuardedMove = GuardedKey & { readonly fen: bigint }
export const guardedText = ({ accountId, cardId }: GuardedKey): string => `${accountId}/${cardId}`

/** What a transfer does to guarded balances, on their normal side; nothing where no account is guarded. */
export function guardedMoves (
  transfer: Moving, accounts: ReadonlyMap<number, GuardedAccount>
): GuardedMove[] {
  const moves: GuardedMove[] = []
  for (const side of sides) {
    const account = accounts.get(transfer[side])
    if (account === undefined) continue
    const { bucket, accountId, cardId } =
      guardedKey(account, { bucket: transfer.bucket, cardId: transfer.cardId ?? null })
    const fen = side === account.normalSide ? transfer.amountFen : -transfer.amountFen
    moves.push({ bucket, accountId, cardId, fen })
  }
  return moves
}
const sides = ['debit', 'credit'] as const

/** Opens balances at zero that are not there yet, in key order. */
export async function openGuarded (
  tx: Tx, keys: readonly GuardedKey[], floorFen: bigint, atMs: number
): Promise<void> {
  if (keys.length === 0) return
  await tx.query(`
    insert into guarded_balance (bucket, account_id, card_id, floor_fen, opened_at)
    select bucket, account_id, card_id, $4, $5
    from unnest($1::smallint[], $2::int[], $3::bigint[]) as k (bucket, account_id, card_id)
    order by bucket, account_id, card_id on conflict do nothing`,
  [...keyColumns(keys), floorFen, timestamp(atMs)])
}

const keyColumns = (keys: readonly GuardedKey[]): string[] => [
  numbers(keys.map(k => k.bucket)), numbers(keys.map(k => k.accountId)), numbers(keys.map(k => k.cardId))]

/** One move per balance, in key order. */
export function summedMoves (moves: readonly GuardedMove[]): GuardedMove[] {
  const sums = new Map<string, GuardedMove>()
  for (const move of moves) {
    const known = sums.get(guardedText(move))
    sums.set(guardedText(move), known === undefined ? move : { ...known, fen: known.fen + move.fen })
  }
  return [...sums.values()].sort(byGuardedKey)
}

/**
 * Moves balances that the transaction has locked before, each once. The floor is a check of the table too, so
 * whoever comes here without a decision breaks there.
 */
export async function moveGuarded (tx: Tx, changed: readonly GuardedMove[]): Promise<void> {
  if (changed.length === 0) return
  const { rowCount } = await tx.query(`
    update guarded_balance g set balance_fen = g.balance_fen + m.fen
    from unnest($1::smallint[], $2::int[], $3::bigint[], $4::bigint[]) as m (bucket, account_id, card_id, fen)
    where g.bucket = m.bucket and g.account_id = m.account_id and g.card_id = m.card_id
      and g.closed_at is null`, [...keyColumns(changed), numbers(changed.map(m => m.fen))])
  if (rowCount === changed.length) return
  throw new Error(`${changed.length - (rowCount ?? 0)} guarded balances are not open`)
}

/* ---- opening and closing ---- */

/** Every guarded account of a party or the house has its one row; those per card are opened with a card. */
export async function ensureGuarded (db: Tx | Db): Promise<void> {
  const single = guardedHeadings.filter(heading => headings[heading].per !== 'card')
  await db.query(`
    insert into guarded_balance (bucket, account_id, floor_fen)
    select 1 + a.account_id % 63, a.account_id, a.floor_fen from account a
    where a.heading = any($1) order by 1, 2 on conflict do nothing`, [single])
}
export const guardedHeadings =
  (Object.keys(headings) as Heading[]).filter(heading => headings[heading].mode === 'guarded')
const perCard = guardedHeadings.filter(heading => headings[heading].per === 'card')

export type GuardedBalance = { readonly balanceFen: bigint, readonly closed: boolean }

/** A balance as it is, without a lock: to be told, not to decide by. */
export async function readGuarded (db: Tx | Db, key: GuardedKey): Promise<GuardedBalance | null> {
  const { rows: [row] } = await db.query<GuardedBalance>(`
    select balance_fen as "balanceFen", closed_at is not null as closed from guarded_balance
    where bucket = $1 and account_id = $2 and card_id = $3`, [key.bucket, key.accountId, key.cardId])
  return row ?? null
}

/** Closes a balance that is locked; false where it holds money or is closed. */
export async function closeGuarded (tx: Tx, key: GuardedKey, atMs: number): Promise<boolean> {
  const { rowCount } = await tx.query(`
    update guarded_balance set closed_at = $4
    where bucket = $1 and account_id = $2 and card_id = $3 and balance_fen = 0 and closed_at is null`,
  [key.bucket, key.accountId, key.cardId, timestamp(atMs)])
  return rowCount === 1
}

/* ---- comparisons ---- */

/** Guarded accounts whose balances do not sum to their turnover; reads no transfer. */
export async function guardedTotalDifferences (tx: Tx | Db): Promise<Difference[]> {
  const { rows } = await tx.query<Difference>(`
    with own as (select account_id, normal_side from account where heading = any($1)),
    booked as (
      select account_id, sum(case normal_side when 'debit' then debit_fen - credit_fen
        else credit_fen - debit_fen end)::bigint as fen
      from (${movements}) m join own using (account_id) group by 1),
    kept as (select account_id, sum(balance_fen)::bigint as fen from guarded_balance group by 1)
    select format('guarded balances of account %s', account_id) as what, coalesce(k.fen, 0) as "leftFen",
      coalesce(b.fen, 0) as "rightFen"
    from kept k full join booked b using (account_id)
    where coalesce(k.fen, 0) <> coalesce(b.fen, 0) order by 1 limit 20`, [guardedHeadings])
  return rows
}

/** Guarded balances that are not what the transfers left in them, one by one; at most twenty. */
export async function guardedDifferences (tx: Tx | Db): Promise<Difference[]> {
  const { rows } = await tx.query<Difference>(`
    with own as (
      select account_id, normal_side, heading = any($2) as per_card from account where heading = any($1)),
    moved as (
      select debit_account as account_id, card_id, amount_fen as debit_fen, 0 as credit_fen from transfer
      where debit_account in (select account_id from own)
      union all
      select credit_account, card_id, 0, amount_fen from transfer
      where credit_account in (select account_id from own)),
    built as (
      select account_id, case when per_card then coalesce(card_id, 0) else 0 end as card_id,
        sum(case normal_side when 'debit' then debit_fen - credit_fen else credit_fen - debit_fen end) as fen
      from moved join own using (account_id) group by 1, 2),
    kept as (select account_id, card_id, sum(balance_fen) as fen from guarded_balance group by 1, 2)
    select format('guarded balance of account %s card %s', account_id, card_id) as what,
      coalesce(k.fen, 0)::bigint as "leftFen", coalesce(b.fen, 0)::bigint as "rightFen"
    from kept k full join built b using (account_id, card_id)
    where coalesce(k.fen, 0) <> coalesce(b.fen, 0) order by 1 limit 20`, [guardedHeadings, perCard])
  return rows
}
