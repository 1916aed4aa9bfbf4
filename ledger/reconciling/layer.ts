// What a layer of reconciliation is: the two lists it compares, and what an item about a difference says.
import type { Layer } from '../../schemas/reconciliation.ts'
import type { Entry, Match } from '../core/reconcile.ts'
import type { Ledger } from '../ledger.ts'
import type { FoundItem } from '../store/items.ts'
import type { TwoSided } from '../store/comparisons.ts'
import type { Tx } from '../store/db.ts'

export type Asked = {
  readonly date: string
  /** Calendar date of now. */
  readonly today: string
  /** Keys of this layer's items that are open. */
  readonly open: readonly string[]
}

export type Compared = {
  readonly matches: readonly Match[]
  /** True where a difference needs nobody any more: it is closed, not opened. */
  readonly isSettled?: (match: Match) => boolean
  /** Null where somebody else keeps items about it. */
  readonly itemOf: (match: Match) => Omit<FoundItem, 'layer' | 'outcome' | 'clearingDate'> | null
  /** What the run wants to say beside its counts. */
  readonly note?: string | null
}

export type LayerOfReconciliation = {
  readonly layer: Layer
  /** Its items' keys begin with it. */
  readonly prefix: string
  readonly compare: (tx: Tx, ledger: Ledger, asked: Asked) => Promise<Compared>
}

export const entry = (key: string, date: string, amountFen: bigint, more: Partial<Entry> = {}): Entry =>
  ({ key, date, amountFen, count: 1, ...more })

/** Rows that stand side by side as two lists. */
export const sides = (rows: readonly TwoSided[], date: string): { left: Entry[], right: Entry[] } => ({
  left: rows.flatMap(({ key, leftFen }) => leftFen === null ? [] : [entry(key, date, leftFen)]),
  right: rows.flatMap(({ key, rightFen }) => rightFen === null ? [] : [entry(key, date, rightFen)])
})

/** Both sides of a match, for an item's evidence. */
export const evidenceOf = ({ left, right }: Match): object => ({ left: told(left), right: told(right) })
const told = (one: Entry | null): object | null => one === null
  ? null
  : {
      amountFen: Number(one.amountFen), count: one.count, date: one.date,
      ...(one.state === undefined ? {} : { state: one.state })
    }
