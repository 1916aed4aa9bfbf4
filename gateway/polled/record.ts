// From the layout of a terminal's record to the record that all cables end in. Pure.
import { Check } from 'typebox/value'
import { unhex } from '../../schemas/epurse/hex.ts'
import type { PolledTerminal } from '../../schemas/polled/config.ts'
import {
  cardLock, readLayout, recordFlags, recordLayout, rideLayout, rideSenses, type LayoutError, type Values
} from '../../schemas/polled/messages.ts'
import { rideOf } from '../../schemas/placed.ts'
import { type Ride, TransactionRecord } from '../../schemas/record.ts'

export type Read =
  | { readonly kind: 'record', readonly recordNo: number, readonly record: TransactionRecord }
  /** The terminal locked a card: nothing was paid. */
  | { readonly kind: 'lock', readonly recordNo: number }
  /** Whole, but it says what no chip can have done. `recordNo` null: not even its number can be read. */
  | { readonly kind: 'odd', readonly recordNo: number | null, readonly error: LayoutError }

export function readRecord (payload: Uint8Array, terminal: PolledTerminal): Read {
  const read = readLayout(recordLayout, payload)
  if (!read.ok) {
    const recordNo = payload.length < 4 ? null : Buffer.from(payload).readUInt32BE()
    return { kind: 'odd', recordNo, error: read.error }
  }
  const { recordNo, type } = read.values
  if (type === cardLock) return { kind: 'lock', recordNo }
  const told = payload.length === read.end ? null : readLayout(rideLayout, payload, read.end)
  if (told?.ok === false) return { kind: 'odd', recordNo, error: told.error }
  const ride = rideOf(terminal, told === null ? {} : rideIn(told.values))
  const record = { ...recordOf(read.values, terminal), ...ride }
  if (Check(TransactionRecord, record)) return { kind: 'record', recordNo, record }
  const error = { field: 'record', offset: 0, why: 'a value is out of range' }
  return { kind: 'odd', recordNo, error }
}

function recordOf (values: Values<typeof recordLayout>, terminal: PolledTerminal) {
  const { issuer, serial, issue, purse, type, flags, tac, tariffVersion, blacklistVersion, ...same } = values
  const { operator, terminal: name, line, vehicle, shift } = terminal
  const grey = (flags & recordFlags.grey) !== 0
  return {
    ...same,
    card: { issuer, serial, issue },
    purse: purse === 2 ? 'ep' : purse === 1 ? 'ed' : purse,
    type: type.toString(16).padStart(2, '0'),
    grey,
    tac: grey ? null : tac,
    operator,
    terminal: name,
    ...(line === undefined ? {} : { line }),
    ...(vehicle === undefined ? {} : { vehicle }),
    ...(shift === undefined ? {} : { shift }),
    ...(tariffVersion === 0 ? {} : { tariffVersion }),
    ...(blacklistVersion === 0 ? {} : { blacklistVersion })
  }
}

/** What no sense, person or stop is shows when the record is checked. */
function rideIn ({ sense, rider, riders, stop }: Values<typeof rideLayout>): Partial<Ride> {
  const text = Buffer.from(unhex(stop)).toString('utf8').replace(/\0+$/, '')
  return {
    sense: (rideSenses[sense] ?? sense) as Ride['sense'],
    ...text === '' ? {} : { stop: text },
    ...riders === 1 ? {} : { rider, riders }
  }
}
