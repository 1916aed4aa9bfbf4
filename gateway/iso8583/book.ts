// What is known of each terminal: session, working keys, the open batch and what was answered in it. A fold
// over entries, so that work and restart agree; on disk before a terminal hears of it. It refuses to know
// messages.
import type { Clock } from '../../runtime/clock.ts'
import { type BatchTotals, type Kind, totalSides } from '../../schemas/iso8583/exchanges.ts'
import type { FileLayer } from '../spool/files.ts'
import { type JournalLimits, openJournal } from '../spool/journal.ts'
import { next, type SessionState } from './session.ts'

/** A MAC key as it was sent: under the terminal's master key. */
export type KeptKey = { readonly wrapped: string, readonly check: string }
/** What the sign-ins of one layout (60.3) are answered with, until the key was used. */
export type PendingKey = KeptKey & {
  readonly network: string
  /** Field 62, hex. */
  readonly keys: string
  /** Versions there were. */
  readonly held: Versions
}
export type Versions = { readonly blacklist: number | null, readonly tariff: number | null }

/** A request that can move money, by its trace. */
export type Item = {
  readonly trace: string
  readonly kind: Kind
  /** OPERATOR/TERMINAL, whose own key its request has; absent: asked before keys were a terminal's own. */
  readonly by?: string
  /** What makes two requests the same, hashed. */
  readonly digest: string
  readonly amountFen: number
  readonly atMs: number
  /** Field 39; null while nobody knows. */
  readonly code: string | null
  readonly clearingDate: string | null
  /** Field 39 of its reversal. */
  readonly reversed: string | null
  /** The terminal has it in its upload. */
  readonly uploaded: boolean
}

export type TerminalState = {
  session: SessionState
  /** Verifies until the next one was used once: an answer to a sign-in may get lost. */
  current: KeptKey | null
  /** At most one for each layout: anybody can ask for it, and whoever has the master key can use it. */
  pending: readonly PendingKey[]
  /** Highest batch number that was used. */
  batch: string
  /** Highest that is over, and the result that was told. */
  settled: { readonly batch: string, readonly totals: string } | null
  items: Map<string, Item>
  /** Versions there were when it signed in. */
  held: Versions
}

export type Change =
  | { readonly offered: PendingKey }
  /** Before keys waited for their first use; only read. */
  | {
    readonly signedIn: KeptKey, readonly batch: string, readonly held: Versions,
    readonly session: SessionState
  }
  | { readonly session: SessionState }
  | { readonly accepted: string }
  | { readonly item: Item }
  | { readonly batch: string }
  | { readonly settled: { readonly batch: string, readonly totals: string } }
  | { readonly whole: Whole }
/** `pending` of before: one, or none. */
type Whole = Omit<TerminalState, 'items' | 'pending'> & {
  readonly items: readonly Item[], readonly pending: readonly PendingKey[] | KeptKey | null
}
type Entry = { readonly terminal: string, readonly change: Change }

export type Book = {
  of (terminal: string): TerminalState
  /** Counts at once; resolves when it is on disk. */
  change (terminal: string, change: Change): Promise<void>
  /** Why nothing can be kept any more, or null. */
  failure (): Error | null
  /** Items that nobody knows the outcome of: the process ended between question and answer. */
  unknown (): { readonly terminal: string, readonly batch: string, readonly item: Item }[]
  close (): Promise<void>
}

export const itemsMax = 900
/** Of a terminal that has not used any. */
export const noBatch = '000000'

export async function openBook (
  files: FileLayer, clock: Clock, limits: Partial<JournalLimits> = {}, onFailure?: (failure: Error) => void
): Promise<Book> {
  const terminals = new Map<string, TerminalState>()
  const of = (terminal: string): TerminalState => {
    const known = terminals.get(terminal) ?? nothingYet()
    terminals.set(terminal, known)
    return known
  }
  const journal = await openJournal<Entry>({
    files,
    clock,
    limits,
    onFailure,
    apply: ({ terminal, change }) => { terminals.set(terminal, applied(of(terminal), change)) },
    snapshot: () => [...terminals].map(([terminal, { items, ...rest }]) =>
      ({ terminal, change: { whole: { ...rest, items: [...items.values()] } } }))
  })
  return {
    of,
    change: (terminal, change) => journal.append({ terminal, change }),
    failure: journal.failure,
    unknown: () => [...terminals].flatMap(([terminal, { batch, items }]) =>
      [...items.values()].filter(item => item.code === null).map(item => ({ terminal, batch, item }))),
    close: () => journal.close()
  }
}

const nothingYet = (): TerminalState => ({
  session: 'signed_out', current: null, pending: [], batch: noBatch, settled: null, items: new Map(),
  held: { blacklist: null, tariff: null }
})

function applied (state: TerminalState, change: Change): TerminalState {
  if ('whole' in change) {
    const { items, pending, ...rest } = change.whole
    return {
      ...rest, items: new Map(items.map(item => [item.trace, item])),
      pending: pending === null ? [] : 'wrapped' in pending ? [ofBefore(pending, rest.held)] : pending
    }
  }
  if ('offered' in change) {
    const others = state.pending.filter(one => one.network !== change.offered.network)
    return { ...state, pending: [...others, change.offered] }
  }
  if ('signedIn' in change) {
    const { signedIn, session, held } = change
    return { ...inBatch(state, change.batch), pending: [ofBefore(signedIn, held)], session, held }
  }
  if ('accepted' in change) {
    const key = state.pending.find(one => one.wrapped === change.accepted)
    if (key === undefined) return state
    const session = next[state.session].sign_in ?? state.session
    return { ...state, current: key, pending: [], session, held: key.held }
  }
  if ('item' in change) {
    state.items.set(change.item.trace, change.item)
    return state
  }
  if ('settled' in change) {
    return {
      ...state, settled: change.settled, session: 'signed_in',
      items: new Map()
    }
  }
  if ('batch' in change) return inBatch(state, change.batch)
  return { ...state, session: change.session }
}

/** It verifies; the next sign-in gets another. */
const ofBefore = ({ wrapped, check }: KeptKey, held: Versions): PendingKey =>
  ({ wrapped, check, network: '', keys: '', held })

const inBatch = (state: TerminalState, batch: string): TerminalState =>
  batch === state.batch ? state : { ...state, batch, items: new Map() }

/**
 * What a settlement compares: what was approved and stands, a void beside the purchase that it takes back.
 */
export function totalsOf (items: Iterable<Item>): BatchTotals {
  const totals = { debit: { count: 0, amountFen: 0 }, credit: { count: 0, amountFen: 0 } }
  for (const item of items) {
    const side = totalSides[item.kind]
    if (side === undefined || !stands(item)) continue
    totals[side].count += 1
    totals[side].amountFen += item.amountFen
  }
  return totals
}

export const stands = ({ code, reversed }: Item): boolean => code === '00' && reversed !== '00'
