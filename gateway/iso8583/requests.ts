// What a message of a terminal asks of the ledger: its key, the card, the request, and how it is taken back.
// Pure.
import { createHash } from 'node:crypto'
import { type Field61, type Kind, readField60, readField61 } from '../../schemas/iso8583/exchanges.ts'
import type { Iso8583Speaks } from '../../schemas/iso8583/config.ts'
import type { FieldValues } from '../../schemas/iso8583/fields.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { NewRequest } from '../../schemas/request.ts'
import { terminalKey } from '../../schemas/terminals.ts'
import type { TakeBack } from '../desk.ts'

/** A terminal's requests by batch and trace: the same on every repeat, and for whoever takes one back. */
export const requestKey = (terminal: string, batch: string, trace: string): string =>
  `iso8583.${terminal}.${batch}.${trace}`

/** Reference of field 37: twelve characters, the same on every repeat. */
export const referenceOf = (key: string): string =>
  BigInt(`0x${createHash('sha256').update(key).digest('hex').slice(0, 16)}`).toString(36).toUpperCase()
    .padStart(12, '0').slice(-12)

/** What makes two requests the same: all but what a terminal may say anew on a repeat. */
export const digestOf = (mti: string, fields: FieldValues): string => {
  const { type } = readField60(fields[60] ?? '')
  const content = [mti, type, fields[2], fields[3], fields[4], fields[42], fields[61]].map(one => one ??
    '').join('|')
  return createHash('sha256').update(content).digest('hex').slice(0, 16)
}

/** Null where no card of ours begins like this. The serial is the number, with a zero in front. */
export function cardOf (fields: FieldValues, issuers: Iso8583Speaks['issuers']): CardRef | null {
  const number = fields[2] ?? ''
  const [best] = issuers.filter(({ begins }) => number.startsWith(begins))
    .sort((a, b) => b.begins.length - a.begins.length)
  if (best === undefined) return null
  const issue = Number(fields[23] ?? 0)
  return {
    issuer: best.issuer, serial: number.padStart(20, '0'), issue: issue >= 1 &&
    issue <= 255
      ? issue
      : 1
  }
}

/** Field 61 of what is taken back or given back. */
export const originalOf = (fields: FieldValues): Field61 | null => readField61(fields[61] ?? '')

export type Asking = {
  readonly key: string
  readonly kind: Kind
  readonly terminal: string
  readonly operator: string
  readonly amountFen: number
  readonly card: CardRef | null
  readonly original: Field61 | null
}

/** Null where the card or the original that such a request is about is missing. */
export function requestOf (
  { key, kind, terminal, operator, amountFen, card, original }: Asking
): NewRequest | null {
  const of = original === null ? null : { key: requestKey(terminal, original.batch, original.trace) }
  const by = terminalKey({ operator, terminal })
  const sale = card === null ? null : { key, by, card, amountFen, party: operator, terminal }
  switch (kind) {
    case 'purchase': return sale === null ? null : { kind: 'purchase', ...sale }
    case 'load': return sale === null ? null : { kind: 'top_up', ...sale }
    case 'balance': return card === null ? null : { kind: 'balance', key, card }
    case 'void':
    case 'load_void':
    case 'refund': return of === null ? null : { kind: 'reversal', key, by, of, amountFen }
    default: return null
  }
}

/**
 * What takes a request back, whether the ledger has carried it out or not; null where there is nothing to.
 */
export function takeBackOf (kind: Kind, by: string | undefined, key: string): TakeBack | null {
  const named = { key: `${key}.r`, ...by === undefined ? {} : { by }, of: { key } }
  switch (kind) {
    case 'purchase':
    case 'load': return { kind: 'reversal', ...named }
    case 'void':
    case 'load_void':
    case 'refund': return { kind: 'reinstatement', ...named }
    default: return null
  }
}
