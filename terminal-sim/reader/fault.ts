// What can go wrong between a chip and its reader, when it goes wrong, and how long an answer takes.
// It refuses to know wires: the virtual card at the slot acts on what is decided here.

import { unhex } from '../../schemas/epurse/hex.ts'

export type Fault = FaultEffect & FaultMoment

export type FaultEffect =
  /** The card leaves the field while it works: before it commits, or after it and before the answer. */
  | { kind: 'tear', commit: 'before' | 'after' }
  /** The chip works and never answers; the reader waits until the card is removed. */
  | { kind: 'silence', commit: 'before' | 'after' }
  /** The chip works, and only the first bytes (1 or more) of its answer arrive, as if they were all. */
  | { kind: 'short', bytes: number }
  /** The whole answer is announced, only its first bytes (0 or more) are sent, and the card is gone. */
  | { kind: 'cut', bytes: number }
  /** The chip does not see the command; this status word, 4 hex digits, is the answer. */
  | { kind: 'status', sw: string }

/**
 * The `nth` (from 1, default 1) command from now on, or the `nth` of those that begin with these bytes:
 * `8054` is the debit, `80500302` the start of a composite purchase.
 */
export type FaultMoment = { command?: string, nth?: number }

export type ArmedFault = { readonly fault: Fault, readonly left: number }

/** A fault waits once per arming. */
export function armFault (fault: Fault): ArmedFault {
  const { command, nth = 1 } = fault
  if (!Number.isInteger(nth) || nth < 1) {
    throw new RangeError(`a fault comes at the nth command, n from 1: got ${nth}`)
  }
  if (command !== undefined) unhex(command)
  if (fault.kind === 'status' && unhex(fault.sw).length !== 2) {
    throw new RangeError(`a status word is 4 hex digits: got ${fault.sw}`)
  }
  if (fault.kind === 'short' && !(fault.bytes >= 1)) {
    throw new RangeError('a short answer has 1 byte or more; for none at all use silence or tear')
  }
  return { fault, left: nth }
}

/** Which of the armed faults strikes at this command (the first), and what stays armed. */
export function strike (
  armed: readonly ArmedFault[], command: Uint8Array
): { struck: Fault | null, armed: readonly ArmedFault[] } {
  const counted = armed.map(entry => meets(entry.fault, command) ? { ...entry, left: entry.left - 1 } : entry)
  const first = counted.findIndex(entry => entry.left <= 0)
  if (first < 0) return { struck: null, armed: counted }
  return { struck: counted[first]?.fault ?? null, armed: counted.filter((_, index) => index !== first) }
}

const meets = ({ command }: FaultMoment, given: Uint8Array) =>
  command === undefined || startsWith(given, unhex(command))

/**
 * Milliseconds per beginning of a command, in hex: `{ '8070': 120, '': 4 }`. The longest that fits counts.
 */
export type Delays = Readonly<Record<string, number>>

export function delayMs (delays: Delays, command: Uint8Array): number {
  const fitting = Object.entries(delays).filter(([beginning]) => startsWith(command, unhex(beginning)))
  return fitting.sort(([one], [other]) => other.length - one.length)[0]?.[1] ?? 0
}

const startsWith = (bytes: Uint8Array, beginning: Uint8Array) =>
  beginning.every((byte, index) => bytes[index] === byte)
