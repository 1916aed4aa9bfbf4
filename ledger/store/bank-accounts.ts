// Accounts at banks as rows: a change ends one row and adds another.
import type { BankAccount } from '../../schemas/api.ts'
import type { Book } from '../core/chart.ts'
import { timestamp, type Db, type Tx } from './db.ts'

export type AccountRow = { readonly number: string, readonly holder: string, readonly bankCode: string }

/** The one in force for exactly this party and book. */
export const findBankAccount = async (
  tx: Tx, { party, book }: Pick<BankAccount, 'party' | 'book'>
): Promise<AccountRow | null> =>
  (await tx.query<AccountRow>(`
    select number, holder, bank_code as "bankCode" from bank_account join party p using (party_id)
    where p.code = $1 and book is not distinct from $2 and until is null for update of bank_account`,
  [party, book ?? null])).rows[0] ?? null

/**
 * Ends the account in force, adds this one, and gives it to instructions to or from the party that were made
 * while it had none. Null where there is no such party.
 */
export async function replaceBankAccount (
  tx: Tx, { party, book, number, holder, bankCode }: BankAccount, by: string, atMs: number
): Promise<number | null> {
  await tx.query(`
    update bank_account b set until = $3 from party p
    where p.party_id = b.party_id and p.code = $1 and b.book is not distinct from $2 and until is null`,
  [party, book ?? null, timestamp(atMs)])
  const { rows } = await tx.query<{ id: number }>(`
    insert into bank_account (party_id, book, number, holder, bank_code, since, by_whom)
    select party_id, $2, $3, $4, $5, $6, $7 from party where code = $1 returning bank_account_id as id`,
  [party, book ?? null, number, holder, bankCode, timestamp(atMs), by])
  const id = rows[0]?.id ?? null
  await tx.query(`
    insert into instruction_account as known (instruction_id, from_account_id, to_account_id)
    select instruction_id, case p.party_id when i.house_id then $3::int end,
      case p.party_id when i.party_id then $3::int end
    from instruction i join party p on p.party_id in (i.party_id, i.house_id)
    where p.code = $1 and ($2::text is null or i.book = $2)
      and case p.party_id when i.party_id then to_account_id else from_account_id end is null
    on conflict (instruction_id) do update set
      from_account_id = coalesce(known.from_account_id, excluded.from_account_id),
      to_account_id = coalesce(known.to_account_id, excluded.to_account_id)`, [party, book ?? null, id])
  return id
}

export type PayAccount = AccountRow & { readonly id: number }

export async function readPayAccounts (
  db: Db | Tx, ids: readonly number[]
): Promise<Map<number, PayAccount>> {
  const { rows } = await db.query<PayAccount>(`
    select bank_account_id as id, number, holder, bank_code as "bankCode" from bank_account
    where bank_account_id = any($1)`, [ids])
  return new Map(rows.map(row => [row.id, row]))
}

/** Our own account with this number: that of the house of a book. Null where nobody of ours has it. */
export const findBookOfAccount = async (
  tx: Tx, number: string, houses: ReadonlyMap<Book, string>
): Promise<Book | null> => {
  const { rows } = await tx.query<{ party: string, book: Book | null }>(`
    select p.code as party, book from bank_account join party p using (party_id)
    where number = $1 order by until nulls first`, [number])
  for (const { party, book } of rows) {
    const own = [...houses].find(([of, house]) => house === party && (book === null || of === book))
    if (own !== undefined) return own[0]
  }
  return null
}

/** Who pays from these accounts: where a number belongs to one party only. */
export async function readPayers (tx: Tx, numbers: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await tx.query<{ number: string, party: string }>(`
    select number, min(p.code) as party from bank_account join party p using (party_id)
    where number = any($1) and until is null and p.kind in ('operator', 'agent', 'centre')
    group by number having count(distinct party_id) = 1`, [numbers])
  return new Map(rows.map(row => [row.number, row.party]))
}
