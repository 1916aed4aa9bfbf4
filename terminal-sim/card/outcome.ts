// What one command of a virtual card comes to: a refusal, or data and what changes. It refuses to know
// commands.
import type { Command } from '../../schemas/epurse/apdu.ts'
import { sw } from './response.ts'
import type { CardState, Memory, Session } from './state.ts'

/** Without `data` a status word other than 9000 is a refusal; only what is counted changes by it. */
export type Outcome = {
  readonly sw: number, readonly data?: Uint8Array
  readonly memory?: Memory, readonly session?: Partial<Session>
}

/** That many random bytes. */
export type Draw = (count: number) => Uint8Array

export type Run = (card: CardState, command: Command, random: Draw) => Outcome

export const refusal = (status: number): Outcome => ({ sw: status })
export const done = (data?: Uint8Array, session?: Partial<Session>): Outcome =>
  ({ sw: sw.ok, ...(data && { data }), ...(session && { session }) })
