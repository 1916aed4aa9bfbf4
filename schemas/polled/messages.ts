// What master and terminals of a polled line tell each other: layouts as tables of fields, byte after byte,
// and one reader and one writer for all of them. It refuses to know frames and turns.
import { hex, unbcd, unhex } from '../epurse/hex.ts'
import type { CardRef } from '../record.ts'

/** From the master; each is answered by the terminal. */
export const commands = {
  status: 0x10, start: 0x20, clock: 0x21, parameters: 0x22, blacklist: 0x30, give: 0x40, forget: 0x41,
  keep: 0x42
} as const
export type CommandName = keyof typeof commands

/** In place of the command. `failed`: understood, not done; `garbled`: again; `broken`: call somebody. */
export const answers = { done: 0x88, failed: 0x99, garbled: 0xaa, broken: 0xbb } as const

type Format = 'u8' | 'u16' | 'u32' | 'i32' | 'bcd' | 'hex'
type Layout = Readonly<Record<string, readonly [Format, number]>>

export const flags = { booted: 1, full: 2 } as const

/**
 * Bytes that the answer to each command has. Answers carry no number: one that comes too late, or was
 * recorded, is told from the right one by its length alone.
 */
export const answerBytes = {
  status: [28], start: [0], clock: [0], parameters: [0], blacklist: [0], give: [0, 67, 102], forget: [0],
  keep: [0]
} as const satisfies Record<CommandName, readonly number[]>

/** What a terminal says of itself in each turn. */
export const statusLayout = {
  flags: ['u8', 1], // 1 has just started · 2 its own store is full
  records: ['u16', 2], // waiting in its store
  blacklistVersion: ['u32', 4],
  blacklistSerial: ['u32', 4], // up to which changes it has the list
  parametersVersion: ['u32', 4],
  psam: ['hex', 6],
  clock: ['bcd', 7]
} as const satisfies Layout

export const clockLayout = { clock: ['bcd', 7] } as const satisfies Layout

/** Answered to a terminal that has just started; parameters and list follow in turns of their own. */
export const startLayout = {
  clock: ['bcd', 7], parametersVersion: ['u32', 4], blacklistVersion: ['u32', 4], blacklistSerial: ['u32', 4]
} as const satisfies Layout

export const parametersLayout = {
  version: ['u32', 4], // of the tariff; 0: none
  priced: ['u8', 1], // 1: one fare for each boarding; 0: the terminal asks for the amount
  fareFen: ['u32', 4],
  cardFareFen: ['u32', 4]
} as const satisfies Layout

export const packetFlags = { first: 0x80, last: 0x40, count: 0x3f } as const

/** Head of a packet of the list. `before` must be the serial of the terminal, unless the list begins anew. */
export const packetLayout = {
  version: ['u32', 4], before: ['u32', 4], after: ['u32', 4], flags: ['u8', 1] // and the number of entries
} as const satisfies Layout
export const entryLayout = {
  operation: ['u8', 1], // 1 on the list · 2 off it
  issuer: ['hex', 8], serial: ['hex', 10], issue: ['u8', 1]
} as const satisfies Layout
export const entriesMax = 12

/** Of give: after which record; of forget and keep: which one. */
export const recordNoLayout = { recordNo: ['u32', 4] } as const satisfies Layout

export const recordFlags = { grey: 1 } as const
/** In place of a transaction type: the terminal locked a card; no money moved. */
export const cardLock = 0x99

/** One record out of the store of a terminal, 67 bytes. */
export const recordLayout = {
  recordNo: ['u32', 4],
  issuer: ['hex', 8], serial: ['hex', 10], issue: ['u8', 1],
  purse: ['u8', 1], // 02 EP · 01 ED
  type: ['u8', 1], // 05 · 06 · 09 · 99 card lock
  counter: ['u16', 2], // committed: that of the INITIALIZE answer + 1
  balanceBeforeFen: ['i32', 4],
  amountFen: ['u32', 4],
  psam: ['hex', 6], // terminal number as signed in the TAC
  sequence: ['u32', 4], // of the PSAM
  dateTime: ['bcd', 7], // the very bytes that the card signed
  tac: ['hex', 4],
  flags: ['u8', 1], // 1 grey: the terminal does not know whether the chip paid; the TAC counts for nothing
  keyVersion: ['u8', 1],
  algorithm: ['u8', 1],
  tariffVersion: ['u32', 4], // 0: none
  blacklistVersion: ['u32', 4]
} as const satisfies Layout

/** What a record may say of a ride, behind all else: 35 bytes. */
export const rideLayout = {
  sense: ['u8', 1], // 0 a reader that does not know · 1 in · 2 out
  rider: ['u8', 1], // 1 the holder; 2, 3, … whom the holder pays for
  riders: ['u8', 1], // of so many
  stop: ['hex', 32] // UTF-8, zeros behind it; all zeros: where the terminal stands
} as const satisfies Layout
export const rideSenses = ['either', 'in', 'out'] as const

type Value<F> = F extends 'bcd' | 'hex' ? string : number
export type Values<L extends Layout> = { readonly [N in keyof L]: Value<L[N][0]> }

export const layoutBytes = (layout: Layout): number =>
  Object.values(layout).reduce((sum, [, bytes]) => sum + bytes, 0)

export type LayoutError = { readonly field: string, readonly offset: number, readonly why: string }

/** Values of a layout at an offset of some bytes, or which field is wrong and where. */
export function readLayout<L extends Layout> (layout: L, bytes: Uint8Array, from = 0):
  { ok: true, values: Values<L>, end: number } | { ok: false, error: LayoutError } {
  const values: Record<string, number | string> = {}
  let offset = from
  for (const [field, [format, length]] of Object.entries(layout)) {
    const part = bytes.subarray(offset, offset + length)
    if (part.length < length) return { ok: false, error: { field, offset, why: 'bytes are missing' } }
    const value = readValue(format, part)
    if (value === null) return { ok: false, error: { field, offset, why: 'is no BCD' } }
    values[field] = value
    offset += length
  }
  return { ok: true, values: values as Values<L>, end: offset }
}

function readValue (format: Format, part: Uint8Array): number | string | null {
  if (format === 'hex') return hex(part)
  if (format === 'bcd') return unbcd(part)
  const view = Buffer.from(part)
  return format === 'i32' ? view.readInt32BE() : view.readUIntBE(0, part.length)
}

/** Throws RangeError where a value does not fit its field. */
export function writeLayout<L extends Layout> (layout: L, values: Values<L>): Uint8Array {
  return Buffer.concat(Object.entries(layout).map(([field, [format, length]]) => {
    const value = (values as Record<string, number | string>)[field]
    const part = typeof value === 'string' ? Buffer.from(unhex(value)) : Buffer.alloc(length)
    if (typeof value === 'number' && format === 'i32') part.writeInt32BE(value)
    else if (typeof value === 'number') part.writeUIntBE(value, 0, length)
    if (part.length !== length) throw new RangeError(`${field} has ${length} bytes, not ${part.length}`)
    return part
  }))
}

export type ListChange = { readonly serial: number, readonly on: boolean, readonly card: CardRef }

/** A packet of the list: its head and its entries. Throws RangeError for more than it holds. */
export function writePacket (
  head: { version: number, before: number, after: number, first: boolean, last: boolean },
  changes: readonly ListChange[]
): Uint8Array {
  if (changes.length > entriesMax) throw new RangeError(`a packet holds ${entriesMax} entries`)
  const bits = (head.first ? packetFlags.first : 0) | (head.last ? packetFlags.last : 0) | changes.length
  return Buffer.concat([
    writeLayout(packetLayout, { version: head.version, before: head.before, after: head.after, flags: bits }),
    ...changes.map(({ on, card }) => writeLayout(entryLayout, { operation: on ? 1 : 2, ...card }))
  ])
}
