// Is the float right? What is held against what is owed at the end of a clearing date, and, where it is off,
// by how much and in which account. It refuses to know what is done about it.
import { yuanText } from '../../schemas/bank/amount.ts'
import { floatOf, type FloatOfBook } from '../core/float.ts'
import { accountDifferences, balances, purseDifferences, unbalancedDates } from '../store/balances.ts'
import { readBankBalances } from '../store/comparisons.ts'
import type { Db, Tx } from '../store/db.ts'

export type FloatView = {
  readonly date: string
  readonly books: readonly FloatOfBook[]
  /** What is wrong, each with the account or bank line it is attributed to; empty where nothing is. */
  readonly faults: readonly string[]
}

/**
 * Null where the float of a clearing date is right; otherwise what is off and where, in words. Payments are
 * not approved over it unless two people say why.
 */
export async function floatIsOff (tx: Tx | Db, date: string): Promise<string | null> {
  const { faults } = await viewFloat(tx, date)
  return faults.length === 0 ? null : faults.join('; ')
}

/** The identity at the end of a date, and every comparison behind it. */
export async function viewFloat (tx: Tx | Db, date: string): Promise<FloatView> {
  const identity = floatOf(await balances(tx, date))
  const faults =
    [...await faultsOfBooks(tx, date, identity), ...uncovered(identity), ...await faultsOfBank(tx)]
  return { date, books: identity, faults }
}

/** Books that are off, and accounts that differ from their transfers on the dates that made them so. */
async function faultsOfBooks (
  tx: Tx | Db, date: string, identity: readonly FloatOfBook[]
): Promise<string[]> {
  const off = identity.filter(({ offFen }) => offFen !== 0n)
    .map(({ book, offFen }) => `the ${book} book is off by ${yuanText(offFen)}`)
  const since = off.length === 0 ? [] : (await unbalancedDates(tx, date)).map(one => one.date)
  const dates = [...new Set([...since, date])].sort()
  const differing: string[] = []
  for (const one of dates) {
    differing.push(...(await accountDifferences(tx, one)).map(({ what, leftFen, rightFen }) =>
      `${what}: transfers ${yuanText(leftFen)} against ${yuanText(rightFen)}`))
  }
  differing.push(...(await purseDifferences(tx)).map(({ what, leftFen, rightFen }) =>
    `${what}: ${yuanText(leftFen)} against ${yuanText(rightFen)} in their control account`))
  return [...off, ...differing]
}

const uncovered = (identity: readonly FloatOfBook[]): string[] =>
  identity.filter(({ book, uncoveredFen }) => book === 'commerce' && uncoveredFen > 0n)
    .map(({ book, uncoveredFen, heldFen, transitFen, holdersFen }) =>
      `the ${book} book holds ${yuanText(heldFen)} with ${yuanText(transitFen)} in transit and owes ` +
      `holders ${yuanText(holdersFen)}: ${yuanText(uncoveredFen)} are not covered`)

/** The bank's last statements against what the books expect: as they are now, whatever the date. */
const faultsOfBank = async (tx: Tx | Db): Promise<string[]> =>
  (await readBankBalances(tx)).filter(({ closingFen, expectedFen }) => closingFen !== expectedFen)
    .map(({ book, statements, closingFen, expectedFen }) =>
      `the bank closes ${statements} with ${yuanText(closingFen)}, ${book}/custody-bank expects ` +
      `${yuanText(expectedFen)}: ${yuanText(expectedFen - closingFen)} off`)
