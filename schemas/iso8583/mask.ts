// A message of ISO 8583 as it may stand on a tape: what each field may show is a list, all else is hidden.
// What cannot be read as a message may hold anything: of that the length is told.
import { kindOf } from './exchanges.ts'
import { type FieldNumber, fieldNumbers } from './fields.ts'
import { openEnvelope } from './framing.ts'
import { parseMessage } from './message.ts'

/** Never a track, a PIN, a key, chip data, or what a terminal may fill as it likes. */
const shown: ReadonlySet<FieldNumber> = new Set([
  3, 4, 11, 12, 13, 15, 22, 23, 25, 37, 38, 39, 41, 42, 48, 49, 54, 60, 61
] as const)

export type Shown = { readonly numbers: boolean }

export function maskMessage (message: Uint8Array, { numbers }: Shown = { numbers: false }): string {
  const opened = openEnvelope(message)
  const parsed = opened.ok ? parseMessage(opened.envelope.body) : opened
  if (!opened.ok || !parsed.ok) return `(${message.length} bytes that are no message)`
  const { mti, fields } = parsed.message
  const parts = fieldNumbers.flatMap(number => {
    const value = fields[number]
    if (value === undefined) return []
    if (number === 2) return [`2=${numbers ? value : maskDigits(value)}`]
    return [`${number}=${shown.has(number) ? value.trimEnd() : '***'}`]
  })
  return [mti, kindOf(requestOf(mti), fields) ?? '?', ...parts].join(' ')
}

/** 0210 answers 0200. */
const requestOf = (mti: string): string => mti[2] === '1' ? `${mti.slice(0, 2)}0${mti.slice(3)}` : mti

/** First six and last four; what is too short to hide in goes whole. */
export const maskDigits = (digits: string): string => digits.length <= 10
  ? '*'.repeat(digits.length)
  : digits.slice(0, 6) + '*'.repeat(digits.length - 10) + digits.slice(-4)
