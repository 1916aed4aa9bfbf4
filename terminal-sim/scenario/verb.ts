// What a verb of the scenario language is: its words, its schema, its function. Three kinds: given, when,
// then.
import type { Static, TSchema } from 'typebox'
import type { World } from './world.ts'

type Words = {
  /** One line for the list of verbs: what it says. */
  readonly says: string
  /** A piece of YAML as it would stand in a scenario; parsed by the tests. */
  readonly example: string
}

/** Adds to the world before it starts: most of it goes into one registry call, the rest afterwards. */
export type GivenVerb<S extends TSchema = TSchema> = Words & {
  readonly schema: S
  readonly prepare: (world: World, said: Static<S>) => void
}

/** Planned in the order of the file, then done; deliveries may be done in another order, or twice. */
export type WhenVerb<S extends TSchema = TSchema> = Words & {
  readonly schema: S
  readonly plan: (world: World, said: Static<S>) => readonly Deed[]
}

export type Deed = {
  readonly act: () => Promise<void>
  /**
   * News that may overtake other news. Absent: everything before stays before, everything after stays
   * after.
   */
  readonly delivery?: { readonly twice: () => Promise<void> }
}

export type ThenVerb<S extends TSchema = TSchema> = Words & {
  readonly schema: S
  /** False where the first answer is asked for, which depends on what arrived before. */
  readonly anyOrder?: boolean
  readonly check: (world: World, said: Static<S>) => Promise<readonly Miss[]>
}

export type Miss = { readonly what: string, readonly expected: string, readonly found: string }

/** The types of a verb's schema are checked where it is written; the tables hold verbs of all schemas. */
export const givenVerb = <S extends TSchema>(verb: GivenVerb<S>): GivenVerb => verb as unknown as GivenVerb
export const whenVerb = <S extends TSchema>(verb: WhenVerb<S>): WhenVerb => verb as unknown as WhenVerb
export const thenVerb = <S extends TSchema>(verb: ThenVerb<S>): ThenVerb => verb as unknown as ThenVerb

/** No miss where both texts are equal. */
export const compare = (what: string, expected: string, found: string): Miss[] =>
  expected === found ? [] : [{ what, expected, found }]

/** A step that cannot be done as it is written: an unknown name, an impossible combination. */
export class StepError extends Error {
  constructor (wrong: string, allowed: string) {
    super(`${wrong}; allowed: ${allowed}`)
    this.name = 'StepError'
  }
}
