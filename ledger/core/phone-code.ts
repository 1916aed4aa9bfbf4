// What the ledger says of one use of a phone's code: every check in order, the first that fails names the
// reason. Pure; it refuses to know SQL and how money moves.
import { refusalOfUse, type CodePayer, type CodeReason, type PhoneCode } from '../../schemas/phone-code.ts'
import type { Listing } from './verdict.ts'

/** A use as everybody tells it. */
export type Use = {
  readonly operator: string, readonly terminal: string, readonly atMs: number, readonly amountFen: number
}

export type UseFacts = {
  /** The terminal is registered, and is the operator's. */
  readonly terminalKnown: boolean
  /** A test card is none. */
  readonly cardKnown: boolean
  readonly receivedAtMs: number
  readonly lateMs: number
  readonly merchantClosed: boolean
  readonly listing: Listing
  /** The use that this code pays now. */
  readonly paid: Use | null
}

export type UseVerdict =
  | { readonly reason: CodeReason, readonly payer: null }
  /** `instead`: the use that is paid now ranks behind this one, and is taken back. */
  | { readonly reason: 'ok' | 'issuer_risk', readonly payer: CodePayer, readonly instead: boolean }

export function judgeUse (code: PhoneCode, use: Use, facts: UseFacts): UseVerdict {
  const no = (reason: CodeReason): UseVerdict => ({ reason, payer: null })
  const refusal = refusalOfUse(code, use)
  if (refusal !== null) return no(refusal)
  if (!facts.terminalKnown) return no('terminal_unknown')
  if (!facts.cardKnown) return no('card_unknown')
  if (facts.receivedAtMs - use.atMs > facts.lateMs) return no('overdue')
  if (facts.merchantClosed) return no('merchant_closed')
  if (facts.listing === 'terminal_had_it' || facts.listing === 'terminal_should_have_had_it') {
    return no('blacklisted')
  }
  if (facts.paid !== null && isBefore(facts.paid, use)) return no('code_used')
  const instead = facts.paid !== null
  return facts.listing === 'inside_window'
    ? { reason: 'issuer_risk', payer: 'issuer', instead }
    : { reason: 'ok', payer: 'online', instead }
}

/** Of two uses of a code the earlier one is paid, whichever was told first; two are never alike. */
function isBefore (one: Use, other: Use): boolean {
  const [left, right] = [rankOf(one), rankOf(other)]
  const place = left.findIndex((value, at) => value !== right[at])
  return place >= 0 && (left[place] as number | string) < (right[place] as number | string)
}
const rankOf = ({ atMs, operator, terminal, amountFen }: Use) =>
  [atMs, operator, terminal, amountFen] as const
