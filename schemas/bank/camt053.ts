// camt.053, the account statement of ISO 20022, in its versions 001.02 and 001.08: what is booked, by whom,
// for which payment. Refuses to know what any line means to us.
import { isDate } from '../calendar-date.ts'
import { fenOf } from './amount.ts'
import {
  BankFileError, requireSound, type BankFormat, type BankLine, type BankStatement
} from './statement.ts'
import { at, childrenOf, readXml, textAt, type XmlElement } from './xml.ts'

const namespaceOf = (format: BankFormat): string => `urn:iso:std:iso:20022:tech:xsd:${format}`
const versions = ['camt.053.001.02', 'camt.053.001.08'] as const satisfies readonly BankFormat[]
const currency = 'CNY'

/** Every statement of the file. Throws BankFileError, naming the statement and entry. */
export function readCamt053 (bytes: Uint8Array): { format: BankFormat, statements: BankStatement[] } {
  const root = readXml(bytes)
  const format = versions.find(version => namespaceOf(version) === root.namespace)
  if (root.name !== 'Document' || format === undefined) {
    throw new BankFileError(`${root.name} of “${root.namespace}” is no ${versions.join(' or ')} document`)
  }
  requirePlain(root, root.namespace)
  const message = at(root, 'BkToCstmrStmt')
  const found = message === null ? [] : childrenOf(message, 'Stmt')
  if (found.length === 0) throw new BankFileError('there is no statement in it')
  return { format, statements: found.map(statement => requireSound(readStatement(statement))) }
}

/**
 * Elements of other namespaces are somebody's extension; where one stands, a bank means something we do not
 * know. An element has elements in it or text, never both. Supplementary data are not looked into.
 */
function requirePlain (element: XmlElement, namespace: string): void {
  const { name, children, text } = element
  if (name === 'SplmtryData') return
  if (element.namespace !== namespace) throw new BankFileError(`${name} is of “${element.namespace}”`)
  if (children.length > 0 && text !== '') throw new BankFileError(`${name} has text beside elements`)
  for (const child of children) requirePlain(child, namespace)
}

function readStatement (statement: XmlElement): BankStatement {
  const id = textAt(statement, 'Id')
  if (id === null) throw new BankFileError('a statement without Id')
  const wrong = (what: string): BankFileError => new BankFileError(`statement ${id}: ${what}`)
  const account = textAt(statement, 'Acct', 'Id', 'IBAN') ?? textAt(statement, 'Acct', 'Id', 'Othr', 'Id')
  if (account === null) throw wrong('Acct without Id')
  requireOnce(statement, ['Id', 'Acct', 'FrToDt'], wrong)
  const opening = balanceOf(statement, ['OPBD', 'PRCD'], wrong)
  const closing = balanceOf(statement, ['CLBD'], wrong)
  const dates = {
    fromDate: dateIn(statement, wrong, 'FrToDt', 'FrDtTm') ?? opening.date ?? closing.date,
    toDate: dateIn(statement, wrong, 'FrToDt', 'ToDtTm') ?? closing.date
  }
  const { fromDate, toDate } = dates
  if (fromDate === null || toDate === null) throw wrong('neither FrToDt nor a date of its balances')
  const sequence = textAt(statement, 'ElctrncSeqNb') ?? textAt(statement, 'LglSeqNb')
  if (sequence !== null && !/^\d{1,15}$/.test(sequence)) throw wrong(`sequence ${sequence}`)
  return {
    account,
    id,
    sequence: sequence === null ? null : Number(sequence),
    fromDate,
    toDate,
    openingFen: opening.fen,
    closingFen: closing.fen,
    lines: childrenOf(statement, 'Ntry').flatMap((entry, index) => {
      const wrongEntry: Wrong = what => wrong(`entry ${index + 1}: ${what}`)
      return isBooked(entry, wrongEntry) ? linesOf(entry, toDate, wrongEntry) : []
    })
  }
}

type Wrong = (what: string) => BankFileError

/** Where there were two, the one that is read might be the wrong one. */
function requireOnce (element: XmlElement, names: readonly string[], wrong: Wrong): void {
  const twice = names.find(name => childrenOf(element, name).length > 1)
  if (twice !== undefined) throw wrong(`${twice} twice`)
}

/** By the first of the codes that the statement has. */
function balanceOf (
  statement: XmlElement, codes: readonly string[], wrong: Wrong
): { fen: bigint, date: string | null } {
  const balances = codes.map(code => childrenOf(statement, 'Bal')
    .filter(one => textAt(one, 'Tp', 'CdOrPrtry', 'Cd') === code))
  const found = balances.findIndex(each => each.length > 0)
  const [balance, another] = balances[found] ?? []
  if (balance === undefined) throw wrong(`no booked balance ${codes.join(' or ')}`)
  if (another !== undefined) throw wrong(`balance ${codes[found] ?? ''} twice`)
  const date = dateIn(balance, wrong, 'Dt', 'Dt') ?? dateIn(balance, wrong, 'Dt', 'DtTm')
  return { fen: signedAmount(balance, wrong), date }
}

const statuses = ['BOOK', 'PDNG', 'INFO', 'FUTR']

/** Pending, informational and future entries are no money yet. */
function isBooked (entry: XmlElement, wrong: Wrong): boolean {
  requireOnce(entry, ['Sts'], wrong)
  const status = textAt(entry, 'Sts', 'Cd') ?? textAt(entry, 'Sts')
  if (status === null || !statuses.includes(status)) throw wrong(`status ${status ?? 'missing'}`)
  return status === 'BOOK'
}

/** `CdtDbtInd` is the direction of the booking itself, also where it reverses an earlier one. */
function signedAmount (element: XmlElement, wrong: Wrong, amount = at(element, 'Amt')): bigint {
  requireOnce(element, ['Amt', 'CdtDbtInd'], wrong)
  const fen = fenOf(amount?.text ?? '')
  if (amount === null || fen === null || amount.text.startsWith('-')) {
    throw wrong(`amount “${amount?.text.slice(0, 40) ?? ''}”`)
  }
  const said = amount.attributes.get('Ccy')
  if (said !== currency) throw wrong(`currency ${said ?? 'missing'}, not ${currency}`)
  const direction = textAt(element, 'CdtDbtInd')
  if (direction !== 'CRDT' && direction !== 'DBIT') throw wrong(`CdtDbtInd ${direction ?? 'missing'}`)
  return direction === 'CRDT' ? fen : -fen
}

/** The date as the bank writes it, with or without a time of its own place. */
function dateIn (element: XmlElement, wrong: Wrong, ...path: readonly string[]): string | null {
  const text = textAt(element, ...path)
  if (text === null) return null
  const date = /^(\d{4}-\d{2}-\d{2})(T|Z|[+-]|$)/.exec(text)?.[1] ?? ''
  if (!isDate(date)) throw wrong(`date “${text.slice(0, 40)}”`)
  return date
}

/**
 * One line per transaction where the bank tells their amounts and they make up the entry; else one for all.
 */
function linesOf (entry: XmlElement, toDate: string, wrong: Wrong): BankLine[] {
  const entryFen = signedAmount(entry, wrong)
  requireOnce(entry, ['BookgDt', 'AcctSvcrRef'], wrong)
  const bookedOn = dateIn(entry, wrong, 'BookgDt', 'Dt') ?? dateIn(entry, wrong, 'BookgDt', 'DtTm') ?? toDate
  const reference = textAt(entry, 'AcctSvcrRef') ?? textAt(entry, 'NtryRef')
  const details = childrenOf(entry, 'NtryDtls').flatMap(each => childrenOf(each, 'TxDtls'))
  const amounts = details.map(detail => detailFen(detail, entry, wrong))
  const told = amounts.filter(one => one !== null)
  const apart = told.length === details.length && told.reduce((sum, one) => sum + one, 0n) === entryFen &&
    told.every(one => one !== 0n)
  if (details.length < 2 || !apart) {
    if (entryFen === 0n) return []
    const only = details.length === 1 ? details[0] : undefined
    return [{ ...detailsOf(only, entry, entryFen), reference, bookedOn }]
  }
  return details.map((detail, index) => {
    const numbered = reference === null ? null : `${reference}/${index + 1}`
    const own = textAt(detail, 'Refs', 'AcctSvcrRef') ?? numbered
    return { ...detailsOf(detail, entry, told[index] ?? 0n), reference: own, bookedOn }
  })
}

/** Version 08 has an amount in the transaction itself, version 02 in its amount details. */
function detailFen (detail: XmlElement, entry: XmlElement, wrong: Wrong): bigint | null {
  const amount = at(detail, 'Amt') ?? at(detail, 'AmtDtls', 'TxAmt', 'Amt')
  if (amount === null) return null
  return signedAmount(at(detail, 'CdtDbtInd') === null ? entry : detail, wrong, amount)
}

function detailsOf (
  detail: XmlElement | undefined, entry: XmlElement, amountFen: bigint
): Omit<BankLine, 'reference' | 'bookedOn'> {
  const said = (...path: readonly string[]): string | null =>
    detail === undefined ? null : textAt(detail, ...path)
  const endToEndId = said('Refs', 'EndToEndId')
  const other = amountFen > 0n ? 'Dbtr' : 'Cdtr'
  const party = (...path: readonly string[]) => said('RltdPties', ...path)
  const texts = [
    ...(detail === undefined ? [] : at(detail, 'RmtInf')?.children.filter(one => one.name === 'Ustrd') ?? []),
    ...childrenOf(entry, 'AddtlNtryInf')
  ].map(one => one.text).filter(text => text !== '')
  return {
    amountFen,
    endToEndId: endToEndId === 'NOTPROVIDED' ? null : endToEndId,
    returnReason: said('RtrInf', 'Rsn', 'Cd') ?? said('RtrInf', 'Rsn', 'Prtry') ?? said('RtrInf', 'AddtlInf'),
    counterparty: party(`${other}Acct`, 'Id', 'IBAN') ?? party(`${other}Acct`, 'Id', 'Othr', 'Id'),
    counterpartyName: party(other, 'Pty', 'Nm') ?? party(other, 'Nm'),
    text: texts.join(' ').slice(0, textLengthMax)
  }
}

const textLengthMax = 500
