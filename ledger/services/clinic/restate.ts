// What a year would be if its bills were settled again now, in their order: by corrected rules, or because an
// earlier one was cancelled. Pure, and it only tells: what was settled stays as it is until somebody decides.
import type { RuleSet } from '../../../schemas/medical/rule-set.ts'
import { accumulate, noneYet, type Accumulators } from './accumulators.ts'
import { rulesOn } from './rule-set.ts'
import { fundsFen, settleBill, type BillReason, type Split } from './settle-bill.ts'
import type { Settlement } from './settlements.ts'

export type Restated =
  | {
    readonly settlement: string, readonly split: Split
    /** What the funds would pay more, or less where it is negative. */
    readonly fundsFen: bigint
  }
  /** The rules of its date do not meet it any more. */
  | { readonly settlement: string, readonly reason: BillReason | 'rules_missing' }

/** Those settlements of a year that would come out otherwise; each pays again with what it paid with then. */
export function restate (live: readonly Settlement[], rules: readonly RuleSet[]): Restated[] {
  let sums: Accumulators = noneYet
  return live.flatMap(({ settlement, bill, split: then }): Restated[] => {
    const valid = rulesOn(rules, then.rules.area, bill.date)
    if (valid === null) return [{ settlement, reason: 'rules_missing' }]
    const { account: accountFen, family: familyFen, purse: purseFen } = then.paid
    const shared = settleBill(bill, valid, sums, { accountFen, familyFen, purseFen })
    if (!shared.ok) return [{ settlement, reason: shared.reason }]
    const { split } = shared
    sums = accumulate(split.adds, sums)
    const difference = fundsFen(split) - fundsFen(then)
    const isSame = difference === 0n && split.deductibleFen === then.deductibleFen
    return isSame ? [] : [{ settlement, split, fundsFen: difference }]
  })
}
