// What a service is: a declaration. Everything a service of the city does differently from the next one is
// said here as data and one pure function; doors, rows, money and words are the same for all. It refuses to
// know any service.
import type { Static, TSchema } from 'typebox'
import type { LocalDate } from '../../../runtime/instants.ts'
import type { CommonServiceReason, ServicePayer, Words } from '../../../schemas/service.ts'
import type { Book } from '../../core/chart.ts'

/** A step of a price: the name of a text, the words in it, what it adds. The steps sum to the price. */
export type Step = {
  readonly say: string, readonly with: Readonly<Record<string, string | number>>, readonly fen: number
}

/** `own`: money of the holder, by the online account, or by the purse where the chip has paid. */
export type Part = {
  readonly payer: 'own' | 'campus-subsidy' | 'treasury', readonly fen: number
  /** Of a part that somebody claims: for whom the treasury pays. */
  readonly category?: string
}

/** What may be looked at besides rules and state. */
export type Facts = {
  readonly subsidyFen: number
  /** Classes of concession that the card has on that day. */
  readonly classes: readonly string[]
}

export type Asked<Rules, State> = {
  readonly event: string, readonly said: Readonly<Record<string, unknown>>
  readonly atMs: number, readonly date: LocalDate
  readonly party: string, readonly place: string, readonly terminal: string | null
  readonly rules: Rules
  /** What the service noted of this card or account when it was last here. */
  readonly state: State | null
  readonly facts: Facts
}

/** One of so many of a day, whoever takes them; where all are taken, it is declined for that reason. */
export type Quota = { readonly name: string, readonly most: number, readonly reason: string }

/** An event that is taken back. */
export type Undone<State> = {
  readonly event: string, readonly said: Readonly<Record<string, unknown>>
  readonly date: LocalDate, readonly place: string
  readonly steps: readonly Step[], readonly parts: readonly { readonly payer: string, readonly fen: number }[]
  /** What was remembered before it, where nothing that stands happened after it; null elsewhere. */
  readonly before: { readonly state: State | null } | null
}

export type Decision<State> =
  | { readonly reason: string, readonly steps?: readonly Step[] }
  | {
    readonly reason: null, readonly steps: readonly Step[], readonly parts: readonly Part[]
    readonly state: State | null
    readonly takes?: Quota
  }

export type EventDeclared = {
  readonly says: Words
  /** Fields of the event. */
  readonly said: TSchema
  /** What it is about, where that is no card: then no card needs to be there unless one pays. */
  readonly subject?: (said: Readonly<Record<string, unknown>>) => string
  readonly card: boolean
}

export type Service<Rules = unknown, State = unknown> = {
  readonly name: Words
  readonly rules: TSchema
  /** Throws nothing: what is wrong with rules beyond their schema, and where; null where nothing is. */
  readonly rulesWrong?: (rules: Rules) => { readonly where: string, readonly text: string } | null
  /** Parties besides the own one that earn by it. */
  readonly places?: (rules: Rules) => readonly string[]
  readonly payers: readonly ServicePayer[]
  readonly books: readonly Book[]
  readonly events: Readonly<Record<string, EventDeclared>>
  /** Where one merchant sells for many places: which event is a sale, which one counts at a place. */
  readonly share?: {
    readonly sold: string, readonly counted: string, readonly sellerPpm: (rules: Rules) => number
  }
  readonly reasons: Readonly<Record<string, Words>>
  readonly texts: Readonly<Record<string, Words>>
  readonly decide: (asked: Asked<Rules, State>) => Decision<State>
  /**
   * What is remembered when an event is taken back; null where something later hangs on it. Absent: only what
   * happened last is taken back, and what was remembered before it counts again.
   */
  readonly without?: (now: State | null, undone: Undone<State>) => { readonly state: State | null } | null
}

/** Types a declaration by its rules; in the table all are alike. */
export const declareService = <R extends TSchema, State>(
  service: Omit<Service<Static<R>, State>, 'rules'> & { readonly rules: R }
): Service => service as unknown as Service

export const declined = (reason: string, steps: readonly Step[] = []): Decision<never> => ({ reason, steps })

export const sumOf = (parts: readonly { readonly fen: number }[]): number =>
  parts.reduce((sum, { fen }) => sum + fen, 0)

/** The whole price from the holder. */
export const ownOnly = (steps: readonly Step[]): Part[] => {
  const fen = sumOf(steps)
  return fen === 0 ? [] : [{ payer: 'own', fen }]
}

export const outOfOrder: CommonServiceReason = 'out_of_order'
