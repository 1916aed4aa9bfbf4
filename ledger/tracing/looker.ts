// Who looks down the way from a position to its bytes: null sees everything, a company what is of itself. It
// refuses to know how anything is shown.
import type { Ledger } from '../ledger.ts'
import type { TracedTransfer } from '../store/tracing.ts'

/** Code of the company that looks; null: of the house. */
export type Looker = string | null

/** Accounts of a company in every book; null for who sees everything. */
export async function accountsOf (
  ledger: Pick<Ledger, 'registry'>, by: Looker
): Promise<ReadonlySet<number> | null> {
  if (by === null) return null
  const { accounts } = await ledger.registry()
  return new Set([...accounts].flatMap(([code, id]) => partyIn(code) === by ? [id] : []))
}

/** Of `book/heading/PARTY`; null in an account of the house. */
const partyIn = (code: string): string | null => code.split('/')[2] ?? null

/** Whether a transfer is on one of the own accounts. */
export const isAbout = (
  { debitAccount, creditAccount }: Pick<TracedTransfer, 'debitAccount' | 'creditAccount'>,
  own: ReadonlySet<number> | null
): boolean => own === null || own.has(debitAccount) || own.has(creditAccount)

/**
 * Of the transfers that follow from an own record: those on own accounts and on accounts of the house, which
 * say why it is not paid, but none on an account of another company.
 */
export async function isOfNobodyElse (
  ledger: Pick<Ledger, 'registry'>, own: ReadonlySet<number> | null
): Promise<(row: TracedTransfer) => boolean> {
  if (own === null) return () => true
  const { accounts } = await ledger.registry()
  const others = new Set([...accounts].flatMap(([code, id]) =>
    partyIn(code) === null || own.has(id) ? [] : [id]))
  return ({ debitAccount, creditAccount }) => !others.has(debitAccount) && !others.has(creditAccount)
}
