// The cards of one issuing run, and what became of each: on disk before a chip hears its serial, so that a
// run goes on after any end of the process and no serial comes onto two chips that both work. It refuses to
// know chips and keys.
import assert from 'node:assert/strict'
import type { Clock } from '../../runtime/clock.ts'
import { type CardSpec, type Plan, isEnabled, planOf } from '../../schemas/epurse/issuing.ts'
import type { ProfileName } from '../../schemas/epurse/profiles.ts'
import type { FileLayer } from '../spool/files.ts'
import { type JournalLimits, openJournal } from '../spool/journal.ts'

/**
 * `begun`: a chip may carry the serial; `named`: one does. `given` counts the blank chips it was meant for: a
 * chip that came back blank may be another one, while the first carries the serial after all.
 */
type Card =
  | { readonly state: 'waiting' }
  | { readonly state: 'begun' | 'named', readonly given: number }
  | Ended
/** `told`: whoever started the batch knows. */
type Ended =
  | { readonly state: 'issued', readonly told: boolean }
  | { readonly state: 'spoiled', readonly at: string, readonly why: string, readonly told: boolean }
export type CardState = Card['state']

/** What lies on disk. */
type Entry =
  | { readonly key: string, readonly card: Card }
  | { readonly unusable: string, readonly times: number }

export type Batch = {
  readonly profile: ProfileName
  /** The plan of a blank chip, on disk; null: the batch has no card left for it. */
  begin (): Promise<Plan | null>
  /** The plan of a chip with this file 0015, or why it gets nothing. */
  resume (published: string): Promise<Plan | Unserved>
  named (plan: Plan): Promise<void>
  /** The blank chip that it was meant for has not heard of it. */
  giveBack (plan: Plan): Promise<void>
  issued (plan: Plan): Promise<void>
  spoiled (plan: Plan, at: string, why: string): Promise<void>
  /** A chip that refused before anything was on it: its serial goes to the next one. */
  unusable (plan: Plan | null, why: string): Promise<void>
  /** The chip that `begin` or `resume` gave this plan to is gone, or done. */
  release (plan: Plan): void
  /** The first card whose end has not been told yet; null: there is none. */
  untold (): { readonly plan: Plan, readonly end: Ended } | null
  /** On disk: it is not told again. */
  told (plan: Plan): Promise<void>
  report (): BatchReport
  close (): Promise<void>
}

/** `doubtful`: another chip carries this serial, or may: this one is waste. */
export type Unserved = 'foreign' | 'issued_before' | 'spoiled_before' | 'doubtful'

export type BatchReport = {
  readonly batch: string
  readonly cards: number
  readonly waiting: number
  readonly issued: number
  /** Begun and not ended: present that chip again. */
  readonly open: readonly string[]
  /** To be destroyed, by serial: it is never given again. */
  readonly spoiled: readonly { readonly serial: string, readonly at: string, readonly why: string }[]
  /** Chips that took nothing, by what they said. */
  readonly unusable: Readonly<Record<string, number>>
}

export type BatchOptions = {
  readonly batch: string
  readonly cards: readonly CardSpec[]
  readonly files: FileLayer
  readonly clock: Clock
  readonly journal?: Partial<JournalLimits>
}

/** Throws RangeError where a card cannot be, two have one serial, or they are not of one family. */
export async function openBatch (options: BatchOptions): Promise<Batch> {
  const { batch, cards, files, clock } = options
  const plans = plansOf(cards)
  const profile = cards[0]?.profile
  if (profile === undefined) throw new RangeError('a batch has one card at least')
  /** On a reader now. */
  const atWork = new Set<string>()
  const states = new Map<string, Card>([...plans.keys()].map(key => [key, { state: 'waiting' }]))
  const unusable = new Map<string, number>()
  const journal = await openJournal<Entry>({
    files,
    clock,
    limits: options.journal ?? {},
    apply: entry => {
      if ('unusable' in entry) unusable.set(entry.unusable, entry.times)
      else states.set(entry.key, entry.card)
    },
    snapshot: () => [
      ...[...states].filter(([, { state }]) => state !== 'waiting').map(([key, card]) => ({ key, card })),
      ...[...unusable].map(([why, times]) => ({ unusable: why, times }))
    ]
  })
  const stateOf = (plan: Plan): Card => states.get(keyOf(plan)) ?? { state: 'waiting' }
  const set = (plan: Plan, card: Card): Promise<void> => journal.append({ key: keyOf(plan), card })
  async function giveBack (plan: Plan): Promise<void> {
    const before = stateOf(plan)
    if (before.state !== 'begun') return
    // An earlier chip may carry the serial all the same.
    await set(plan, before.given === 1 ? { state: 'waiting' } : { ...before, given: before.given - 1 })
  }
  /** One that is begun comes first: the chip that comes back blank is most likely its own. */
  const forBlank = (): Plan | null => idle('begun') ?? idle('waiting') ?? null
  const idle = (state: CardState): Plan | undefined => [...plans.values()].find(plan =>
    stateOf(plan).state === state && !atWork.has(keyOf(plan)))

  return {
    profile,
    begin: async () => {
      const plan = forBlank()
      if (plan === null) return null
      const before = stateOf(plan)
      atWork.add(keyOf(plan))
      await set(plan, { state: 'begun', given: 1 + ('given' in before ? before.given : 0) })
      return plan
    },
    resume: async published => {
      const plan = plans.get(`${published.slice(0, 16)} ${published.slice(20, 40)}`)
      if (plan === undefined) return 'foreign'
      const before = stateOf(plan)
      if (before.state === 'issued') return isEnabled(plan, published) ? 'issued_before' : 'doubtful'
      if (before.state === 'spoiled') return 'spoiled_before'
      if (atWork.has(keyOf(plan))) {
        await set(plan, { state: 'named', given: 2 })
        return 'doubtful'
      }
      if ('given' in before && before.given > 1) {
        const why = 'two chips may carry this serial'
        await set(plan, { state: 'spoiled', at: 'begin', why, told: false })
        return 'doubtful'
      }
      atWork.add(keyOf(plan))
      await set(plan, { state: 'named', given: 1 })
      return plan
    },
    named: async plan => {
      const before = stateOf(plan)
      assert('given' in before, 'a chip is named after its card was begun')
      await set(plan, { ...before, state: 'named' })
    },
    giveBack,
    issued: plan => set(plan, { state: 'issued', told: false }),
    spoiled: (plan, at, why) => set(plan, { state: 'spoiled', at, why, told: false }),
    unusable: async (plan, why) => {
      const counted = journal.append({ unusable: why, times: 1 + (unusable.get(why) ?? 0) })
      if (plan !== null) await giveBack(plan)
      await counted
    },
    release: plan => { atWork.delete(keyOf(plan)) },
    untold: () => {
      for (const plan of plans.values()) {
        const end = stateOf(plan)
        if ('told' in end && !end.told) return { plan, end }
      }
      return null
    },
    told: async plan => {
      const end = stateOf(plan)
      if ('told' in end) await set(plan, { ...end, told: true })
    },
    report: () => reportOf(batch, plans, states, unusable),
    close: () => journal.close()
  }
}

const keyOf = ({ issuer, serial }: Plan): string => `${issuer} ${serial}`

function plansOf (cards: readonly CardSpec[]): Map<string, Plan> {
  const plans = new Map<string, Plan>()
  for (const spec of cards) {
    const plan = planOf(spec)
    if (plans.has(keyOf(plan))) throw new RangeError(`two cards have the serial ${plan.serial}`)
    if (spec.profile !== cards[0]?.profile) throw new RangeError('the cards of a batch are of one family')
    plans.set(keyOf(plan), plan)
  }
  return plans
}

function reportOf (
  batch: string, plans: ReadonlyMap<string, Plan>, states: ReadonlyMap<string, Card>,
  unusable: ReadonlyMap<string, number>
): BatchReport {
  const cards = [...plans].map(([key, { serial }]) =>
    ({ serial, card: states.get(key) ?? { state: 'waiting' } as const }))
  const count = (state: CardState) => cards.filter(({ card }) => card.state === state).length
  return {
    batch,
    cards: cards.length,
    waiting: count('waiting'),
    issued: count('issued'),
    open: cards.filter(({ card }) => 'given' in card).map(({ serial }) => serial),
    spoiled: cards.flatMap(({ serial, card }) =>
      'why' in card ? [{ serial, at: card.at, why: card.why }] : []),
    unusable: Object.fromEntries(unusable)
  }
}
