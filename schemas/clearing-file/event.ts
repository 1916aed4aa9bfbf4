// A line of a consumption file as the transaction record it tells: one tap has one content, whatever way it
// came. It refuses to know files and their checks.
import type { TransactionRecord } from '../record.ts'
import type { ConsumptionRecord } from './consumption.ts'

/** What the ledger must know of an operator to read its records. */
export type Convention = {
  /** Party code. */
  readonly operator: string
  /** `init`: its files carry the counter of the INITIALIZE answer, one less than the committed one. */
  readonly counter: 'committed' | 'init'
}

/** The record as it would have come over JSON. A file has no issue number: the card is the first issue. */
export function toTransactionRecord (
  record: ConsumptionRecord, convention: Convention
): TransactionRecord {
  return {
    card: { issuer: record.issuer, serial: record.cardNo, issue: 1 },
    purse: record.type === '05' ? 'ed' : 'ep',
    type: record.type as TransactionRecord['type'],
    counter: record.counter + (convention.counter === 'init' ? 1 : 0),
    balanceBeforeFen: record.balanceBeforeFen,
    amountFen: record.amountFen,
    psam: record.psam,
    sequence: record.sequence,
    dateTime: record.dateTime,
    tac: /^(F{8}|0{8})$/.test(record.tac) ? null : record.tac,
    grey: record.grey === '01',
    keyVersion: record.keyVersion,
    algorithm: record.algorithm,
    operator: convention.operator,
    terminal: record.terminal,
    recordNo: record.serial,
    ...(record.line === '' ? {} : { line: record.line }),
    ...(record.vehicle === '' ? {} : { vehicle: record.vehicle }),
    ...(record.shift === '' ? {} : { shift: record.shift })
  }
}

/** The other way; `merchant` and `lineNo` are the file's. What no record carries gets a neutral value. */
export function toConsumptionRecord (
  record: TransactionRecord, merchant: string, lineNo: number, counter: Convention['counter'] = 'committed'
): ConsumptionRecord {
  return {
    serial: lineNo,
    merchant,
    terminal: record.terminal,
    cardNo: record.card.serial,
    cardMainType: '00',
    cardSubType: '00',
    cardExpiry: '00000000',
    applicationStart: '00000000',
    applicationExpiry: '00000000',
    counter: record.counter - (counter === 'init' ? 1 : 0),
    sequence: record.sequence,
    balanceBeforeFen: record.balanceBeforeFen,
    amountFen: record.amountFen,
    dateTime: record.dateTime,
    type: record.type,
    psam: record.psam,
    tac: record.tac ?? 'FFFFFFFF',
    grey: record.grey ? '01' : '00',
    passKind: '00',
    passDeduct: '0',
    reserved: '000000',
    keyVersion: record.keyVersion,
    algorithm: record.algorithm,
    issuer: record.card.issuer,
    line: record.line ?? '',
    vehicle: record.vehicle ?? '',
    shift: record.shift ?? ''
  }
}
