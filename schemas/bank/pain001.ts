// pain.001.001.09, the credit transfer initiation of ISO 20022: what we tell the bank to pay. The same
// instructions give the same bytes. Refuses to know why anybody is paid.
import { yuanText } from './amount.ts'
import { isDate } from '../calendar-date.ts'
import { carried, element, escaped } from './xml.ts'

export type DebtorAccount = { readonly name: string, readonly number: string, readonly bankCode: string }

export type CreditTransfer = {
  /** End-to-end identification: the bank carries it back to us in its statement. */
  readonly id: string
  readonly amountFen: bigint
  readonly to: DebtorAccount
  readonly text: string
}

/** Transfers from one account on one day. */
export type PaymentGroup = {
  readonly id: string
  readonly executeOn: string
  readonly from: DebtorAccount
  readonly transfers: readonly CreditTransfer[]
}

export type PaymentFile = {
  /** Unique to the bank for ever: it refuses the same file twice by it. */
  readonly messageId: string
  /** ISO 8601 with offset. */
  readonly createdAt: string
  readonly initiator: string
  readonly groups: readonly PaymentGroup[]
}

const namespace = 'urn:iso:std:iso:20022:tech:xsd:pain.001.001.09'
const lengths = { id: 35, name: 140, account: 34, bank: 35, text: 140 } as const
const amountDigitsMax = 18

/** UTF-8 text. Throws RangeError for what the message cannot carry: no bank should have to refuse it. */
export function writePain001 ({ messageId, createdAt, initiator, groups }: PaymentFile): string {
  const transfers = groups.flatMap(group => group.transfers)
  if (transfers.length === 0) throw new RangeError('a payment file without a payment')
  requireOnce(transfers)
  const content = element('CstmrCdtTrfInitn', lines(
    element('GrpHdr', lines(
      element('MsgId', id(messageId)), element('CreDtTm', escaped(createdAt)), ...totals(transfers),
      element('InitgPty', element('Nm', name(initiator))))),
    ...groups.map(writeGroup)))
  const document = element('Document', lines(content), `xmlns="${namespace}"`)
  return `<?xml version="1.0" encoding="UTF-8"?>\n${document}\n`
}

function writeGroup (group: PaymentGroup): string {
  const { from, transfers } = group
  if (transfers.length === 0) throw new RangeError(`group ${group.id} without a payment`)
  return element('PmtInf', lines(
    element('PmtInfId', id(group.id)),
    element('PmtMtd', 'TRF'),
    element('BtchBookg', 'false'), // one booking per transfer: each is matched by its own identification
    ...totals(transfers),
    element('ReqdExctnDt', element('Dt', date(group.executeOn))),
    element('Dbtr', element('Nm', name(from.name))),
    element('DbtrAcct', accountId(from.number) + element('Ccy', 'CNY')),
    element('DbtrAgt', agent(from.bankCode)),
    ...transfers.map(writeTransfer)))
}

function writeTransfer ({ id: identification, amountFen, to, text }: CreditTransfer): string {
  if (amountFen <= 0n) throw new RangeError(`${identification}: ${amountFen} fen are no payment`)
  const words = cut(text, lengths.text)
  return element('CdtTrfTxInf', lines(
    element('PmtId', element('InstrId', id(identification)) + element('EndToEndId', id(identification))),
    element('Amt', element('InstdAmt', amount(amountFen), 'Ccy="CNY"')),
    element('CdtrAgt', agent(to.bankCode)),
    element('Cdtr', element('Nm', name(to.name))),
    element('CdtrAcct', accountId(to.number)),
    ...(words === '' ? [] : [element('RmtInf', element('Ustrd', escaped(words)))])))
}

const totals = (transfers: readonly CreditTransfer[]): string[] => [
  element('NbOfTxs', String(transfers.length)),
  element('CtrlSum', amount(transfers.reduce((sum, one) => sum + one.amountFen, 0n)))
]

const accountId = (number: string): string =>
  element('Id', element('Othr', element('Id', plain('account', number, lengths.account))))

/** A bank of China by its number in the national payment system. */
const agent = (bankCode: string): string =>
  element('FinInstnId', element('ClrSysMmbId', element('ClrSysId', element('Cd', 'CNAPS')) +
    element('MmbId', plain('bank', bankCode, lengths.bank))))

const lines = (...parts: readonly string[]): string => `\n${parts.join('\n')}\n`

function name (text: string): string {
  const words = cut(text, lengths.name)
  if (words.trim() === '') throw new RangeError(`“${text}” is no name`)
  return escaped(words)
}

/** As many characters as fit, of those that XML can carry. */
const cut = (text: string, lengthMax: number): string =>
  [...carried(text)].slice(0, lengthMax).join('')

function amount (fen: bigint): string {
  const text = yuanText(fen)
  if (text.length - 1 <= amountDigitsMax) return text
  throw new RangeError(`${text} has more than ${amountDigitsMax} digits`)
}

function date (text: string): string {
  if (!isDate(text)) throw new RangeError(`“${text}” is no date`)
  return text
}

/** A number of digits and letters, which must not be shortened. */
function plain (what: string, text: string, lengthMax: number): string {
  if (text.length <= lengthMax && /^[0-9A-Za-z-]+$/.test(text)) return text
  throw new RangeError(`“${text}” is no ${what} number of at most ${lengthMax} plain characters`)
}

/** Two transfers under one identification would be one to the bank. */
function requireOnce (transfers: readonly CreditTransfer[]): void {
  const seen = new Set<string>()
  for (const { id } of transfers) {
    if (seen.has(id)) throw new RangeError(`${id} is paid twice`)
    seen.add(id)
  }
}

/** The characters that every payment system carries. */
function id (text: string): string {
  if (text.length <= lengths.id && /^[0-9A-Za-z][0-9A-Za-z.:+-]*$/.test(text)) return text
  throw new RangeError(`“${text}” is no identification of at most ${lengths.id} plain characters`)
}
