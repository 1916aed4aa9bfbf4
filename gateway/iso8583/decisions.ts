// What a request is answered with, from what is known: batches, originals, codes of field 39. Pure.
import { fromDigits, localDate } from '../../runtime/instants.ts'
import { type Kind } from '../../schemas/iso8583/exchanges.ts'
import type { FieldValues } from '../../schemas/iso8583/fields.ts'
import type { ProcessingRequest } from '../../schemas/iso8583/framing.ts'
import { answerReasons, hostReasons, type HostReason } from '../../schemas/reasons.ts'
import type { Answer } from '../desk.ts'
import { noBatch, stands, type TerminalState } from './book.ts'
import { originalOf } from './requests.ts'

/** What an answer says beside what it repeats. */
export type Said = {
  readonly code: string
  readonly fields?: FieldValues
  readonly processing?: ProcessingRequest
  readonly atMs?: number
}

export const refused = (reason: HostReason): Said => ({ code: hostReasons[reason].iso8583 })

/** Batches only go forward: a terminal that starts over is told which is next when it signs in. */
export function isBatchOver (state: TerminalState, kind: Kind, batch: string): boolean {
  if (betweenBatches.has(kind)) return false
  if (kind === 'settlement' && state.settled?.batch === batch) return false
  return isLater(state.batch, batch) || (state.settled !== null && !isLater(batch, state.settled.batch))
}

const betweenBatches: ReadonlySet<Kind> = new Set(['sign_in', 'sign_off', 'echo', 'reversal', 'balance'])

/** Behind 999999 comes 000001: whichever is less than half of the way round in front of the other. */
export function isLater (one: string, other: string): boolean {
  if (one === noBatch || other === noBatch) return one !== other && other === noBatch
  const ahead = (Number(one) - Number(other) + batches) % batches
  return ahead > 0 && ahead < batches / 2
}
const batches = 999_999

/** The batch that a terminal is told when it signs in: not before what it says, or what is over. */
export function batchFor ({ batch, settled }: TerminalState, told: string): string {
  const after = settled === null ? noBatch : String(Number(settled.batch) % batches + 1).padStart(6, '0')
  const last = [batch, told].reduce((best, one) => isLater(one, best) ? one : best, after)
  return last === noBatch ? '000001' : last
}

/**
 * What the clock of a terminal shows, by fields 12 and 13 of a request; null where it does not say. They have
 * no year: it is the one that brings them nearest.
 */
export function clockOf ({ 12: time, 13: date }: FieldValues, nowMs: number): number | null {
  if (time === undefined || date === undefined) return null
  const year = Number(localDate(nowMs).slice(0, 4))
  const shown = [year - 1, year, year + 1].flatMap(one => fromDigits(`${one}${date}${time}`) ?? [])
  return shown.reduce<number | null>((best, one) =>
    best === null || Math.abs(one - nowMs) < Math.abs(best - nowMs) ? one : best, null)
}

/** What a void says of its original, as far as that is in the open batch. */
export function wrongOriginal (
  { items, batch }: TerminalState, { kind, values }: { readonly kind: Kind, readonly values: FieldValues }
): HostReason | null {
  if (kind !== 'void' && kind !== 'load_void') return null
  const original = originalOf(values)
  if (original === null) return 'original_missing'
  const item = original.batch === batch ? items.get(original.trace) : undefined
  if (item === undefined) return null // the ledger knows
  if (item.kind !== (kind === 'void' ? 'purchase' : 'load') || !stands(item)) return 'original_reversed'
  return item.amountFen === Number(values[4]) ? null : 'amount_differs'
}

export function codeOf (answer: Answer): string {
  if ('reply' in answer) return answerReasons[answer.reply.reason].iso8583
  if (answer.outcome === 'unknown') return hostReasons.unanswered.iso8583
  return hostReasons[/request_conflict/.test(answer.why) ? 'key_used' : 'refused'].iso8583
}

/** 00, 12 and 25 end it: what cannot be taken back any more stays, and is told so. */
export function reversalCode (answer: Answer): string {
  if (!('reply' in answer)) return hostReasons.original_reversed.iso8583
  const { reason } = answer.reply
  if (reason === 'ok') return '00'
  return hostReasons[reason === 'original_unknown' ? 'original_missing' : 'original_reversed'].iso8583
}

export const whyOf = (answer: Answer): string => 'reply' in answer ? answer.reply.reason : answer.why
