// Fees of a library system of somebody else that are paid from here: how far each one came, on disk before
// the next step is taken, so that no money stays with a fee that is open. It refuses to know messages.
import type { Clock } from '../../runtime/clock.ts'
import type { FileLayer } from '../spool/files.ts'
import { type JournalLimits, openJournal } from '../spool/journal.ts'

/**
 * `paying`: the ledger may have moved the money, the library was not asked. `asked`: the library may have
 * closed the fee. `closed`: it has. `returning`: it has not, and the money is asked back. `back`: it is back.
 * `stuck`: the ledger gives it not back, people have to look.
 */
export type FeeStep = 'paying' | 'asked' | 'closed' | 'returning' | 'back' | 'stuck'
/** A transaction, and when it began. */
export type Fee = { readonly transaction: string, readonly step: FeeStep, readonly atMs: number }

/** What lies on disk: a fee as it stands, or that no money has moved for it. */
type Entry = { readonly fee: Fee } | { readonly unpaid: string }

export type Fees = {
  of (transaction: string): Fee | undefined
  /** Counts at once; resolves when it is on disk. */
  put (fee: Fee): Promise<void>
  /** The ledger said no. */
  drop (transaction: string): Promise<void>
  at (step: FeeStep): readonly Fee[]
  /** Why nothing can be kept any more, or null. */
  failure (): Error | null
  close (): Promise<void>
}

/** A transaction is remembered so long after its end. */
const keptMs = 30 * 86_400_000
const over: ReadonlySet<FeeStep> = new Set(['closed', 'back', 'stuck'])

export async function openFees (
  files: FileLayer, clock: Clock, limits: Partial<JournalLimits> = {}, onFailure?: (failure: Error) => void
): Promise<Fees> {
  const fees = new Map<string, Fee>()
  const journal = await openJournal<Entry>({
    files,
    clock,
    limits,
    onFailure,
    apply: entry => {
      if ('unpaid' in entry) fees.delete(entry.unpaid)
      else fees.set(entry.fee.transaction, entry.fee)
    },
    snapshot: () => {
      for (const { transaction, step, atMs } of fees.values()) {
        if (over.has(step) && atMs < clock.now() - keptMs) fees.delete(transaction)
      }
      return [...fees.values()].map(fee => ({ fee }))
    }
  })
  return {
    of: transaction => fees.get(transaction),
    put: fee => journal.append({ fee }),
    drop: transaction => journal.append({ unpaid: transaction }),
    failure: journal.failure,
    at: step => [...fees.values()].filter(fee => fee.step === step),
    close: () => journal.close()
  }
}
