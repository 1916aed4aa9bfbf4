// The transaction record that a POS tells in a RECORD message, with what its configuration adds. It refuses
// to know where it goes.
import { rideOf } from '../placed.ts'
import type { CardRef, Ride } from '../record.ts'
import type { PosTerminal } from './config.ts'
import { type PosField, type PosMessage, posCard } from './messages.ts'

type Fields = PosMessage['fields']

/** The shape was checked when the message was read. */
export const cardOfPos = (text: string | undefined): CardRef => posCard(text ?? '') as CardRef

/** Not checked as a record: its values may be out of range. */
export function recordOfPos (terminal: PosTerminal, fields: Fields): unknown {
  const { operator, terminal: name, line, vehicle, shift } = terminal
  const number = (field: PosField) => Number(fields[field])
  const may = (field: 'tariffVersion' | 'blacklistVersion') =>
    fields[field] === undefined ? {} : { [field]: number(field) }
  return {
    card: cardOfPos(fields.card),
    purse: fields.purse,
    type: fields.type,
    counter: number('counter'),
    balanceBeforeFen: number('balanceBeforeFen'),
    amountFen: number('amountFen'),
    psam: fields.psam,
    sequence: number('sequence'),
    dateTime: fields.dateTime,
    tac: fields.tac ?? null,
    grey: fields.grey === '1' || fields.tac === undefined,
    keyVersion: number('keyVersion'),
    algorithm: number('algorithm'),
    operator,
    terminal: name,
    recordNo: number('recordNo'),
    ...(line === undefined ? {} : { line }),
    ...(vehicle === undefined ? {} : { vehicle }),
    ...(shift === undefined ? {} : { shift }),
    ...rideOf(terminal, rideIn(fields)),
    ...may('tariffVersion'),
    ...may('blacklistVersion')
  }
}

const rideIn = ({ stop, sense, rider, riders }: Fields): Partial<Ride> => ({
  ...stop === undefined ? {} : { stop },
  ...sense === undefined ? {} : { sense: sense as Ride['sense'] },
  ...rider === undefined ? {} : { rider: Number(rider) },
  ...riders === undefined ? {} : { riders: Number(riders) }
})
