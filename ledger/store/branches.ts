// To which branch cards and parties belong.
import type { Card } from '../../schemas/api.ts'
import { bucketOf, type CardRef } from '../../schemas/record.ts'
import type { Branch } from '../core/branches.ts'
import { numbers } from './columns.ts'
import type { Db, Tx } from './db.ts'

/** Branches of the cards that are registered, each once. */
export async function branchesOfCards (db: Db | Tx, cards: readonly CardRef[]): Promise<Branch[]> {
  if (cards.length === 0) return []
  const { rows } = await db.query<{ branch: Branch }>(`
    select distinct c.branch from unnest($1::smallint[], $2::text[], $3::text[], $4::smallint[])
      as k (bucket, issuer, serial, issue)
    join card c on c.bucket = k.bucket and c.issuer = decode(k.issuer, 'hex')
      and c.serial = decode(k.serial, 'hex') and c.issue = k.issue`,
  [
    numbers(cards.map(bucketOf)), cards.map(c => c.issuer), cards.map(c => c.serial),
    numbers(cards.map(c => c.issue))])
  return rows.map(row => row.branch)
}

/** Branches of the parties that are registered, each once. */
export const branchesOfParties = async (db: Db | Tx, codes: readonly string[]): Promise<Branch[]> =>
  (await db.query<{ branch: Branch }>(
    'select distinct branch from party where code = any($1)', [codes])).rows.map(row => row.branch)

/** Branches of the parties that have a terminal of one of these numbers, each once. */
export const branchesOfTerminals = async (tx: Tx, codes: readonly string[]): Promise<Branch[]> =>
  (await tx.query<{ branch: Branch }>(`
    select distinct branch from terminal t join party using (party_id) where t.code = any($1)`, [codes]))
    .rows.map(row => row.branch)

/** Writes down the branch of new cards that have one. */
export async function setCardBranches (
  tx: Tx, cards: readonly { readonly card: Card, readonly bucket: number, readonly cardId: bigint }[]
): Promise<void> {
  const own = cards.filter(({ card }) => card.branch !== undefined)
  if (own.length === 0) return
  await tx.query(`
    update card c set branch = k.branch
    from unnest($1::smallint[], $2::bigint[], $3::text[]) as k (bucket, card_id, branch)
    where c.bucket = k.bucket and c.card_id = k.card_id`,
  [numbers(own.map(c => c.bucket)), numbers(own.map(c => c.cardId)), own.map(c => c.card.branch)])
}
