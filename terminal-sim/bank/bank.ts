// A bank as a city meets it: takes payment orders, says what it makes of them, carries them out on their day,
// sends some back, and tells all of it in statements. In memory; shares no code with whoever reads them.
import { at, childrenOf, readXml, textAt, type XmlElement } from '../../schemas/bank/xml.ts'
import type { StatementFile, StatementLine } from './statement-file.ts'

export type Order = {
  readonly id: string
  readonly direction: 'pay' | 'collect'
  readonly amountFen: number
  /** Ours: it pays, or receives. */
  readonly account: string
  readonly other: string, readonly otherName: string
  /** YYYY-MM-DD */
  readonly executeOn: string
  readonly text: string
}

export type OrderFile = { readonly messageId: string, readonly orders: readonly Order[] }

/** The file cannot be taken: says why. */
export class OrderFileError extends Error {}

export type Verdict = {
  readonly order: Order, readonly status: 'ACSP' | 'RJCT', readonly reason: string | null
}
export type Report = { readonly messageId: string, readonly verdicts: readonly Verdict[] }

export type Bank = {
  /** The same message id again gets its first report. */
  take (file: OrderFile): Report
  /** What goes out to this account, or under this id, comes back: an ISO 20022 reason, such as AC04. */
  refuse (accountOrId: string, reason: string): void
  /** Money that nobody asked for. */
  credit (account: string, amountFen: number, text: string): void
  /** The next statement of an account up to the end of a day: whatever was due and is not told yet. */
  statement (account: string, date: string): StatementFile
  view (): readonly (Verdict & { readonly told: boolean })[]
}

type Account = { openingFen: number, sequence: number, lastDate: string | null, extra: StatementLine[] }

/** Every account that it is asked for has so much to begin with. */
export function openBank ({ openingFen }: { readonly openingFen: number }): Bank {
  const reports = new Map<string, Report>()
  const orders = new Map<string, { verdict: Verdict, told: boolean }>()
  const refusals = new Map<string, string>()
  const accounts = new Map<string, Account>()
  const accountOf = (number: string): Account => {
    const known = accounts.get(number) ?? { openingFen, sequence: 0, lastDate: null, extra: [] }
    accounts.set(number, known)
    return known
  }

  function judge (order: Order): Verdict {
    const again = orders.has(order.id)
    return again ? { order, status: 'RJCT', reason: 'DUPL' } : { order, status: 'ACSP', reason: null }
  }

  /** Carried out; where the other side refuses, it comes back the same day. */
  function linesOf ({ order }: Verdict, reference: string, bookedOn: string): StatementLine[] {
    const { id, other, otherName, text } = order
    const amountFen = order.direction === 'pay' ? -order.amountFen : order.amountFen
    const line = { bookedOn, endToEndId: id, counterparty: other, counterpartyName: otherName, text }
    const reason = refusals.get(id) ?? refusals.get(other)
    return [
      { ...line, reference, amountFen },
      ...reason === undefined
        ? []
        : [{ ...line, reference: `${reference}R`, amountFen: -amountFen, returnReason: reason }]
    ]
  }

  return {
    take: file => {
      const before = reports.get(file.messageId)
      if (before !== undefined) return before
      const verdicts = file.orders.map(order => {
        const verdict = judge(order)
        if (verdict.status === 'ACSP') orders.set(order.id, { verdict, told: false })
        return verdict
      })
      const report = { messageId: file.messageId, verdicts }
      reports.set(file.messageId, report)
      return report
    },
    refuse: (accountOrId, reason) => { refusals.set(accountOrId, reason) },
    credit: (account, amountFen, text) => {
      const { extra } = accountOf(account)
      extra.push({ reference: `X${extra.length + 1}`, bookedOn: '', amountFen, text })
    },
    statement: (number, date) => {
      const account = accountOf(number)
      const due = [...orders.values()].filter(({ told, verdict: { order } }) =>
        !told && order.account === number && order.executeOn <= date)
      const sequence = ++account.sequence
      const name = `${number.slice(-4)}-${sequence}`
      const lines = [
        ...due.flatMap(({ verdict }, index) => linesOf(verdict, `${name}-${index + 1}`, date)),
        ...account.extra.splice(0).map((line, index) =>
          ({ ...line, bookedOn: date, reference: `${name}-X${index + 1}` }))
      ]
      for (const one of due) one.told = true
      const opening = account.openingFen
      account.openingFen = lines.reduce((sum, line) => sum + line.amountFen, opening)
      const fromDate = account.lastDate ?? date
      account.lastDate = date
      const id = `STMT-${name}`
      return { account: number, id, sequence, fromDate, toDate: date, openingFen: opening, lines }
    },
    view: () => [...orders.values()].map(({ verdict, told }) => ({ ...verdict, told }))
  }
}

/* ---- orders in ---- */

/** Of pain.001. Throws OrderFileError, or what `readXml` throws. */
export function readPaymentOrders (bytes: Uint8Array): OrderFile {
  const root = readXml(bytes)
  const content = at(root, 'CstmrCdtTrfInitn')
  if (content === null) throw new OrderFileError(`${root.name} is no pain.001: CstmrCdtTrfInitn is missing`)
  const orders = childrenOf(content, 'PmtInf').flatMap(group => {
    const executeOn = must(group, 'ReqdExctnDt', 'Dt')
    const account = must(group, 'DbtrAcct', 'Id', 'Othr', 'Id')
    return childrenOf(group, 'CdtTrfTxInf').map((transfer): Order => ({
      id: must(transfer, 'PmtId', 'EndToEndId'), direction: 'pay', executeOn, account,
      amountFen: fenOf(must(transfer, 'Amt', 'InstdAmt')),
      other: must(transfer, 'CdtrAcct', 'Id', 'Othr', 'Id'), otherName: must(transfer, 'Cdtr', 'Nm'),
      text: textAt(transfer, 'RmtInf', 'Ustrd') ?? ''
    }))
  })
  requireTotals(content, orders)
  return { messageId: must(content, 'GrpHdr', 'MsgId'), orders }
}

function must (element: XmlElement, ...path: readonly string[]): string {
  const text = textAt(element, ...path)
  if (text === null) throw new OrderFileError(`${path.join('/')} is missing in ${element.name}`)
  return text
}

function fenOf (text: string): number {
  const [, whole = '', part = '00'] = /^(\d{1,13})(?:\.(\d{2}))?$/.exec(text) ?? []
  if (whole === '') throw new OrderFileError(`“${text}” is no amount`)
  return Number(whole + part)
}

/**
 * Of a file of instructions as CSV: id, direction, day, yuan, currency, to (number, name, bank), from (the
 * same), text. What another file brought before is refused by its id. Throws OrderFileError.
 */
export function readCsvOrders (text: string): OrderFile {
  const [head = [], ...rows] = csvRows(text)
  if (head.join().slice(0, 12) !== 'id,direction') throw new OrderFileError('the first row names no columns')
  const orders = rows.map((cells): Order => {
    const [id = '', direction = '', executeOn = '', yuan = ''] = cells
    const [to = '', toName = '', , from = '', fromName = '', , words = ''] = cells.slice(5)
    if (direction !== 'pay' && direction !== 'collect') throw new OrderFileError(`${id}: “${direction}”`)
    const isPaid = direction === 'pay'
    return {
      id, direction, executeOn, amountFen: fenOf(yuan), text: words, account: isPaid ? from : to,
      other: isPaid ? to : from, otherName: isPaid ? toName : fromName
    }
  })
  return { messageId: `CSV-${orders[0]?.id ?? ''}`, orders }
}

/** RFC 4180. */
function csvRows (text: string): string[][] {
  return text.split('\r\n').filter(row => row !== '').map(row =>
    [...row.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain = '']) =>
      quoted?.replaceAll('""', '"') ?? plain))
}

/** A bank counts and adds before it pays. */
function requireTotals (content: XmlElement, orders: readonly Order[]): void {
  const [count, sum] = [must(content, 'GrpHdr', 'NbOfTxs'), must(content, 'GrpHdr', 'CtrlSum')]
  const totalFen = orders.reduce((all, { amountFen }) => all + amountFen, 0)
  if (Number(count) === orders.length && fenOf(sum) === totalFen) return
  throw new OrderFileError(`the header says ${count} payments worth ${sum}, there are ${orders.length}`)
}

/* ---- reports out ---- */

/** pain.002.001.10, the status report of ISO 20022. */
export function statusReport ({ messageId, verdicts }: Report, createdAt: string): string {
  const refused = verdicts.filter(({ status }) => status === 'RJCT').length
  const group = refused === 0 ? 'ACCP' : refused === verdicts.length ? 'RJCT' : 'PART'
  return `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10">
 <CstmrPmtStsRpt>
  <GrpHdr><MsgId>STS-${xmlText(messageId)}</MsgId><CreDtTm>${createdAt}</CreDtTm></GrpHdr>
  <OrgnlGrpInfAndSts>
   <OrgnlMsgId>${xmlText(messageId)}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>
   <OrgnlNbOfTxs>${verdicts.length}</OrgnlNbOfTxs><GrpSts>${group}</GrpSts>
  </OrgnlGrpInfAndSts>
  <OrgnlPmtInfAndSts>
   <OrgnlPmtInfId>${xmlText(messageId)}</OrgnlPmtInfId>
${verdicts.map(statusOf).join('\n')}
  </OrgnlPmtInfAndSts>
 </CstmrPmtStsRpt>
</Document>
`
}

const statusOf = ({ order: { id }, status, reason }: Verdict): string =>
  `   <TxInfAndSts><OrgnlEndToEndId>${xmlText(id)}</OrgnlEndToEndId><TxSts>${status}</TxSts>` +
  (reason === null ? '' : `<StsRsnInf><Rsn><Cd>${xmlText(reason)}</Cd></Rsn></StsRsnInf>`) + '</TxInfAndSts>'

const xmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
