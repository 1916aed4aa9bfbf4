// A message of a POS line as it may stand on a tape: cards by their ends, free words never. What cannot be
// read as a message may hold anything: of that the length is told.
import { maskDigits, type Shown } from '../iso8583/mask.ts'
import { type PosField, readPosMessage } from './messages.ts'

export function maskPosMessage (data: Uint8Array, { numbers }: Shown = { numbers: false }): string {
  const read = readPosMessage(data)
  if (!read.ok) return `(${data.length} bytes that are no message)`
  const { kind, fields } = read.message
  const parts = (Object.entries(fields) as [PosField, string][]).map(([name, value]) =>
    `${name}=${maskValue(name, value, numbers)}`)
  return [kind, ...parts].join('|')
}

function maskValue (name: PosField, value: string, numbers: boolean): string {
  if (name === 'text') return '***'
  if (numbers) return value
  if (name === 'code') return `(${value.length} characters)`
  if (name === 'card') return value.replace(/-(\d+)-/, (_, serial: string) => `-${maskDigits(serial)}-`)
  // Whoever makes a key out of a card's number has told it all the same.
  return name === 'key' || name === 'of' ? value.replace(/\d{12,}/g, maskDigits) : value
}
