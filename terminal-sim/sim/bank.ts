// `sim bank`: takes payment orders over HTTP or from files, answers with a status report, and tells what it
// did in statements. Told where a ledger is, it fetches the orders and brings the statement itself.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import {
  type Bank, openBank, OrderFileError, type OrderFile, readCsvOrders, readPaymentOrders, type Report,
  statusReport
} from '../bank/bank.ts'
import { statementFile, type StatementFormat, statementFormats } from '../bank/statement-file.ts'
import { showYuan } from '../scenario/values.ts'
import type { Command, Given } from './command-line.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'
import { nowIso, yuanOf } from './pos.ts'

const say = (line: string): void => { console.log(line) }

const words = {
  take: ['FILE', 'takes orders out of a file: pain.001, or CSV'],
  orders: ['', 'what was ordered, and what became of it'],
  refuse: ['ACCOUNT-OR-ID [REASON]', 'payments to it come back; AC04, a closed account'],
  credit: ['ACCOUNT YUAN [TEXT]', 'money that nobody asked for'],
  statement: ['ACCOUNT DATE [FILE] [FORMAT]', `the next statement; ${statementFormats.join(', ')}`],
  settle: ['DATE', 'fetches the orders of a clearing date from the ledger and brings it the statements']
} as const satisfies Words

async function run (given: Given): Promise<number> {
  const bank = openBank({ openingFen: yuanOf(given.text('opening')) })
  const server = createServer((request, response) => {
    answer(bank, request, response).catch((error: Error) => {
      response.writeHead(error instanceof OrderFileError || error.name === 'BankFileError' ? 400 : 500)
        .end(`${error.message}\n`)
    })
  })
  await new Promise<void>(resolve => server.listen(given.whole('port', 0, 65_535), '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  say(`the bank is at ${url}: POST /orders, GET /statements/ACCOUNT?date=DATE`)
  try {
    const code = await obey(deedsFor(bank, given), { say, script: given.maybe('script') })
    if (given.has('stay')) await new Promise<void>(resolve => { process.once('SIGTERM', () => resolve()) })
    return code
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/* ---- over HTTP ---- */

async function answer (bank: Bank, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://bank')
  const [, place, account] = url.pathname.split('/')
  if (request.method === 'POST' && place === 'orders') {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const isCsv = (request.headers['content-type'] ?? '').startsWith('text/csv')
    const report = take(bank, Buffer.concat(chunks), isCsv)
    response.writeHead(200, { 'content-type': 'application/xml' }).end(statusReport(report, nowIso()))
  } else if (request.method === 'GET' && place === 'statements' && account !== undefined) {
    const format = formatOf(url.searchParams.get('format') ?? undefined)
    const { text, type } = statementFile(format, bank.statement(account, url.searchParams.get('date') ?? ''))
    say(`statement of ${masked(account)} given out`)
    response.writeHead(200, { 'content-type': type }).end(text)
  } else response.writeHead(404).end('POST /orders, GET /statements/ACCOUNT?date=DATE\n')
}

function take (bank: Bank, bytes: Buffer, isCsv: boolean): Report {
  const file: OrderFile = isCsv ? readCsvOrders(bytes.toString()) : readPaymentOrders(bytes)
  const report = bank.take(file)
  say([`orders ${report.messageId}`, ...report.verdicts.map(({ order, status, reason }) =>
    `  ${status} ${order.direction} ${showYuan(order.amountFen)} ${masked(order.other)} ${order.id}` +
    (reason === null ? '' : ` ${reason}`))].join('\n'))
  return report
}

const masked = (account: string): string => account.length <= 8
  ? account
  : `${account.slice(0, 4)}…${account.slice(-4)}`

function formatOf (said = 'camt.053.001.08'): StatementFormat {
  const format = statementFormats.find(one => one === said)
  if (format !== undefined) return format
  throw new OrderFileError(`${said}: one of ${statementFormats.join(', ')}`)
}

/* ---- typed ---- */

function deedsFor (bank: Bank, given: Given): Deeds {
  const tried = <T>(deed: () => T): T => {
    try {
      return deed()
    } catch (error) {
      throw new DeedError((error as Error).message)
    }
  }
  const statement = (account: string, date: string, format?: string) => tried(() => {
    if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) throw new DeedError(`${date}: a day is wanted, such as 2026-03-03`)
    return statementFile(formatOf(format), bank.statement(account, date))
  })
  return deedsOf(words, {
    take: async ([path = '']) => tried(() => {
      const isCsv = path.endsWith('.csv')
      const report = statusReport(take(bank, readFileSync(path), isCsv), nowIso())
      writeFileSync(`${path}.pain002.xml`, report)
      return `status report: ${path}.pain002.xml`
    }),
    orders: async () => bank.view().map(({ order, status, told }) =>
      `${order.id} ${order.direction} ${showYuan(order.amountFen)} on ${order.executeOn} ${status}` +
      (told ? ', told' : '')).join('\n') || 'none yet',
    refuse: async ([what = '', reason = 'AC04']) => { bank.refuse(what, reason) },
    credit: async ([account = '', yuan, ...text]) =>
      bank.credit(account, yuanOf(yuan), text.join(' ') || 'no reference'),
    statement: async ([account = '', date = '', path, format]) => {
      const { text } = statement(account, date, format)
      if (path === undefined) return text
      writeFileSync(path, text)
      return `written: ${path}`
    },
    settle: async ([date = '']) => await settle(bank, given, date)
  })
}

/* ---- at a ledger ---- */

async function settle (bank: Bank, given: Given, date: string): Promise<string> {
  const url = given.maybe('ledger')
  if (url === null) throw new DeedError('settle needs a ledger: --ledger URL --as NAME:PASSWORD')
  const [name = '', password = ''] = given.text('as').split(/:(.*)/s)
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(new URL(path, url), init).catch((error: Error) => {
      throw new DeedError(`no ledger answers at ${url}: ${error.message}`)
    })
    if (response.ok) return response
    throw new DeedError(`${path}: ${response.status} ${await response.text()}`)
  }
  const json = { 'content-type': 'application/json' }
  const body = JSON.stringify({ name, password })
  const { token } = await (await call('/v1/session', { method: 'POST', headers: json, body })).json() as
    { token: string }
  const authorization = `Bearer ${token}`
  const csv = await call(`/v1/instructions/${date}/csv`, { headers: { authorization } })
  const { verdicts } = take(bank, Buffer.from(await csv.arrayBuffer()), true)
  const days = verdicts.map(({ order }) => order.executeOn).sort()
  const accounts = [...new Set(verdicts.map(({ order }) => order.account))]
  for (const account of accounts) {
    const { text, type } = statementFile('camt.053.001.08', bank.statement(account, days.at(-1) ?? date))
    await call('/v1/bank-statements', {
      method: 'POST', headers: { authorization, 'content-type': type }, body: text
    })
  }
  return `${verdicts.length} orders of ${date} carried out, ${accounts.length} statements brought`
}

export const bank: Command = {
  name: 'bank',
  says: 'a bank: takes payment orders, answers pain.002, tells in camt.053 what it did',
  about: ['What comes in and goes out, and what a ledger makes of it: docs/settlement.md.'],
  options: {
    port: { value: 'PORT', says: 'where it answers', or: '7010' },
    opening: { value: 'YUAN', says: 'what every account of ours holds at first', or: '1000000.00' },
    ledger: { value: 'URL', says: 'a ledger, for `settle`' },
    as: { value: 'NAME:PASSWORD', says: 'who settles there' },
    stay: { says: 'goes on when the lines of a script are over, until it is ended' },
    script: { value: 'FILE', says: 'reads lines from there, not from the keyboard' }
  },
  typed: typedRows(words),
  examples: [
    ['bank', 'curl --data-binary @pay.xml -H content-type:application/xml 127.0.0.1:7010/orders'],
    ['bank --ledger http://127.0.0.1:8080 --as settler:PASSWORD', 'settle 2026-03-02, as the day after would']
  ],
  run
}
