// The session of a self-check as a table: who may say what when, and what ends it. Pure; it refuses to know
// wires, timers and what a message asks for.

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
