// Whether a terminal may be served here, from what is enrolled. Pure.
import { terminalKey, type EnrolledTerminal, type TerminalRef } from '../../schemas/terminals.ts'

/** Also what a tap at such a terminal is declined with. */
export type TerminalRefusal = 'terminal_not_enrolled' | 'terminal_suspended'

export type Found =
  | { readonly ok: true, readonly terminal: EnrolledTerminal }
  | { readonly ok: false, readonly reason: TerminalRefusal, readonly why: string }

export type Sought = {
  readonly terminal: string
  /** Undefined: it does not say; then the number must be of one operator only. */
  readonly operator: string | undefined
  /** Client id of this gateway. */
  readonly gateway: string
}

/** `named`: all enrolled terminals of that number. */
export function foundAmong (named: readonly EnrolledTerminal[], sought: Sought): Found {
  const { terminal, operator, gateway } = sought
  const fitting = named.filter(one => operator === undefined || one.operator === operator)
  const [only] = fitting
  if (only === undefined) return notEnrolled(`${spoken(sought)} is not enrolled here`)
  if (fitting.length > 1) {
    return notEnrolled(`${fitting.length} operators have a terminal ${terminal}: it must name its own`)
  }
  if (only.gateway !== null && only.gateway !== gateway) {
    return notEnrolled(`${spoken(only)} is enrolled at another gateway`)
  }
  if (only.state === 'suspended') {
    return { ok: false, reason: 'terminal_suspended', why: `${spoken(only)} is suspended` }
  }
  if (only.state !== 'enrolled') return notEnrolled(`${spoken(only)} is ${only.state}`)
  return { ok: true, terminal: only }
}

/** Before the first list has come, what the configuration names is all that is known. */
export function foundUnlisted (configured: readonly TerminalRef[], sought: Sought): Found {
  const named = configured.find(({ operator, terminal }) =>
    terminal === sought.terminal && (sought.operator === undefined || operator === sought.operator))
  if (named === undefined) return notEnrolled(`no list of terminals was fetched yet: ${spoken(sought)} waits`)
  const { operator, terminal } = named
  return { ok: true, terminal: { ...unlisted, operator, terminal } }
}

const unlisted = {
  state: 'enrolled', kind: 'other', place: '', gateway: null, firmware: null, keys: null,
  heartbeatSeconds: 300
} as const

const notEnrolled = (why: string): Found => ({ ok: false, reason: 'terminal_not_enrolled', why })

const spoken = ({ operator, terminal }: { operator: string | undefined, terminal: string }): string =>
  `terminal ${operator === undefined ? terminal : terminalKey({ operator, terminal })}`
