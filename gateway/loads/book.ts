// Each load of this gateway from the question to the ledger's last word, as a fold over entries: on disk
// before the next step is taken, so that a restart knows how far each one came. It refuses to know chips and
// the ledger.
import type { Clock } from '../../runtime/clock.ts'
import type { LoadOutcome, LoadSource } from '../../schemas/load.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import type { FileLayer } from '../spool/files.ts'
import { type JournalLimits, openJournal } from '../spool/journal.ts'

export type Load = {
  readonly key: string
  readonly lane: string
  /** The caller's: the same one again is the same load. */
  readonly reference: string
  readonly card: CardRef
  readonly source: LoadSource
  readonly amountFen: number
  readonly balanceBeforeFen: number
  /** As the chip was given it. */
  readonly terminal: string
  /** Of the INITIALIZE answer; the chip commits one more. */
  readonly onlineCounter: number
  /** Signed by the chip with CREDIT; empty until the ledger has granted it. */
  readonly dateTime: string
  readonly atMs: number
  readonly step: Step
  /** What became of it; null while nobody knows. */
  readonly outcome: Outcome | null
}

/**
 * `asked`: the ledger may have granted it, CREDIT was not sent. `sent`: the chip may have taken it. `known`:
 * the ledger is to hear of it. `told`: it has.
 */
export type Step = 'asked' | 'sent' | 'known' | 'told'
export type Outcome = Pick<LoadOutcome, 'outcome' | 'tac' | 'onlineCounter'>

/** What lies on disk: the load as it stands, or that the ledger never granted it. */
type Entry = { readonly load: Load } | { readonly declined: string }

/** By its TAC, or because the chip's online counter has moved. */
export const isWritten = ({ outcome, onlineCounter }: Load): boolean =>
  outcome?.outcome === 'written' ||
  (outcome?.outcome === 'counted' && (outcome.onlineCounter ?? 0) > onlineCounter)

export type Book = {
  /** Counts at once; resolves when it is on disk. */
  put (load: Load): Promise<void>
  /** The ledger said no: nothing is left of it. */
  drop (key: string): Promise<void>
  /** The load whose end nobody saw, by the key of its card. */
  openOf (card: string): Load | undefined
  /** The last one that was asked for at this lane under this reference. */
  named (lane: string, reference: string): Load | undefined
  at (step: Step): readonly Load[]
  close (): Promise<void>
}

/** References are remembered so long. */
const keptDays = 30
const dayMs = 86_400_000

export async function openBook (
  files: FileLayer, clock: Clock, limits: Partial<JournalLimits> = {}, onFailure?: (failure: Error) => void
): Promise<Book> {
  const loads = new Map<string, Load>()
  /** By card: every tap asks. */
  const open = new Map<string, Load>()

  /** A card that never came back is the ledger's to settle. What it has not heard is never forgotten. */
  function forgetOld (): void {
    const oldMs = clock.now() - keptDays * dayMs
    for (const load of loads.values()) {
      if (load.atMs >= oldMs || (load.step !== 'told' && load.step !== 'sent')) continue
      loads.delete(load.key)
      if (open.get(cardKey(load.card)) === load) open.delete(cardKey(load.card))
    }
  }

  function keep (load: Load): void {
    const card = cardKey(load.card)
    loads.set(load.key, load)
    if (load.step === 'sent') open.set(card, load)
    else if (open.get(card)?.key === load.key) open.delete(card)
  }

  const journal = await openJournal<Entry>({
    files,
    clock,
    limits,
    onFailure,
    apply: entry => {
      if ('declined' in entry) loads.delete(entry.declined)
      else keep(entry.load)
    },
    snapshot: () => {
      forgetOld()
      return [...loads.values()].map(load => ({ load }))
    }
  })
  const at = (step: Step) => [...loads.values()].filter(load => load.step === step)
  return {
    put: load => journal.append({ load }),
    drop: key => journal.append({ declined: key }),
    openOf: card => open.get(card),
    named: (lane, reference) =>
      [...loads.values()].filter(load => load.lane === lane && load.reference === reference).at(-1),
    at,
    close: () => journal.close()
  }
}
