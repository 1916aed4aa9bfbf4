// What one check of the books is given and what it gives back. It refuses to know what is checked.
import type { SignedHead } from '../../schemas/api.ts'
import type { Difference } from '../store/balances.ts'
import type { Tx } from '../store/db.ts'
import type { Start } from '../store/verification.ts'

export type Reading = {
  /** One snapshot of everything, read only. */
  readonly tx: Tx
  readonly start: Start
  /** Size of the tree up to which everything was verified before; 0: nothing was. */
  readonly since: number
  /** A head that was signed, kept outside the database; null: none is at hand. */
  readonly shown: SignedHead | null
}

/**
 * `faults`: one text per row that is wrong, table and key first; empty when the check passes. `seen`: what
 * was looked at, in words.
 */
export type Findings = { readonly faults: readonly string[], readonly seen: string }
export type BookCheck = { readonly name: string, readonly run: (reading: Reading) => Promise<Findings> }

export const equal = (faults: readonly string[]): Findings => ({ faults, seen: 'equal' })

export const worded = ({ what, leftFen, rightFen }: Difference): string =>
  `${what}: ${leftFen} against ${rightFen}`

/** Keeps the first thousand: a table that is wrong from end to end must not fill the memory. */
export function faultList (): { readonly faults: string[], readonly add: (fault: string) => void } {
  const faults: string[] = []
  return { faults, add: fault => { if (faults.length < faultsMax) faults.push(fault) } }
}
const faultsMax = 1_000
