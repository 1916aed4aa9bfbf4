// Records as a gateway makes them, for tests that need many different ones.
import type { TransactionRecord } from '../../schemas/record.ts'

export type Wish = { terminal: string, recordNo: number, serial: number } & Partial<TransactionRecord>

/** A grey record without TAC: the card is told apart by `serial` and the terminal, all else is fixed. */
export function recordOf ({ terminal, recordNo, serial, ...rest }: Wish): TransactionRecord {
  return {
    card: {
      issuer: '02313750FFFFFFFF',
      serial: `03104${terminal.charCodeAt(0)}${String(serial).padStart(13, '0')}`,
      issue: 1
    },
    purse: 'ep',
    type: '06',
    counter: 43,
    balanceBeforeFen: 10_000,
    amountFen: 180,
    psam: '990000000001',
    sequence: recordNo,
    dateTime: '20260302081530',
    tac: null,
    grey: true,
    keyVersion: 1,
    algorithm: 0,
    operator: 'BUS',
    terminal,
    recordNo,
    ...rest
  }
}
