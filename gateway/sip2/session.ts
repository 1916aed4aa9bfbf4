// The session of a self-check as a table: who may say what when, and what ends it. Pure; it refuses to know
// wires, timers and what a message asks for.
import { fromDigits } from '../../runtime/instants.ts'
import { digitsOfDate, type Message } from '../../schemas/sip2/message.ts'
import type { Code } from '../../schemas/sip2/messages.ts'

export type State = 'signing_in' | 'asked_name' | 'asked_password' | 'open' | 'ended'
export type Signal =
  | 'right' | 'wrong' | 'too_often' // a sign-in
  | 'word' // a line without a message, to a prompt
  | 'silent' // for too long
  | 'over' // the wire has ended

export const next: Record<State, Partial<Record<Signal, State>>> = {
  signing_in: { right: 'open', wrong: 'signing_in', too_often: 'ended', silent: 'ended', over: 'ended' },
  asked_name: { word: 'asked_password', silent: 'ended', over: 'ended' },
  asked_password: { right: 'open', wrong: 'asked_name', too_often: 'ended', silent: 'ended', over: 'ended' },
  open: { right: 'open', wrong: 'open', too_often: 'ended', silent: 'ended', over: 'ended' },
  ended: {}
}

export const begins = { message: 'signing_in', prompt: 'asked_name', none: 'open' } as const

/** Error detection follows the terminal: on with the first message that has it, off with one that has not. */
export type Detection = { readonly on: boolean, readonly changed: boolean }
export const detectionAfter = (on: boolean, seen: boolean): Detection => ({ on: seen, changed: on && !seen })

/** What changes loans and readers. A payment is named by its BK, and may have to be said again much later. */
const changing: ReadonlySet<Code> = new Set(['01', '09', '11', '15', '29', '65'])

/** What only somebody who stands there asks: its date is the clock of the self-check. */
const live: ReadonlySet<Code> = new Set(['17', '23', '63'])

/** Null where a message does not tell, or may have been recorded. */
export function clockOf ({ code, fixed }: Message): number | null {
  const digits = live.has(code) ? digitsOfDate(fixed['date'] ?? '') : null
  return digits === null ? null : fromDigits(digits)
}

/** Recorded and said again, or by a terminal whose clock nobody sets. `minutesMax` undefined: never. */
export function isStale (
  { code, fixed }: Message, atMs: number, minutesMax: number | undefined
): boolean {
  if (minutesMax === undefined || !changing.has(code)) return false
  const digits = digitsOfDate(fixed['date'] ?? '')
  const saidMs = digits === null ? null : fromDigits(digits)
  return saidMs === null || Math.abs(saidMs - atMs) > minutesMax * 60_000
}
