// A small city on a ledger with its doors: two operators, an agent, their taps; days closed and settled; what
// a bank would tell of it.
import type { Test } from 'tap'
import type { Card, DayView, Registry } from '../../schemas/api.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { BankStatementReply } from '../../schemas/settlement.ts'
import {
  statementFile, type StatementFormat, type StatementLine
} from '../../terminal-sim/bank/statement-file.ts'
import type { Answer, Door, Doors } from './ledger-http.ts'
import { cardOf, recordOf } from './posting.ts'

const D = '2026-03-02'

const psams = { B1: '990000000001', M1: '990000000002', S1: '990000000003' } as const
type Terminal = keyof typeof psams
const operators: Record<Terminal, string> = { B1: 'BUS', M1: 'MET', S1: 'SHP' }

export const card = (number: number, more: Partial<Card> = {}): Card => ({
  card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1, cityFactor: null,
  balanceFen: 10_000, counter: 100, soldBy: null, depositFen: 0, ...more
})
export const city = (cards: readonly Card[], more: Partial<Registry> = {}): Registry => ({
  clearingDate: D,
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card Company' },
    {
      code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', merchant: '430400000000002',
      industry: '02'
    },
    { code: 'MET', kind: 'operator', nameZh: '地铁', nameEn: 'Metro' },
    { code: 'SHP', kind: 'agent', nameZh: '商户', nameEn: 'Shops' }
  ],
  commissions: [
    { party: 'BUS', product: 'debit', ratePpm: 3_000, from: '2026-01-01' },
    { party: 'MET', product: 'debit', ratePpm: 3_000, from: '2026-01-01' },
    { party: 'SHP', product: 'debit', ratePpm: 8_000, from: '2026-01-01' },
    { party: 'SHP', product: 'load', ratePpm: 2_000, from: '2026-01-01' },
    { party: 'BUS', product: 'debit', ratePpm: 900_000, from: '2026-03-03' }
  ],
  terminals: Object.entries(operators).map(([terminal, operator]) => ({ terminal, operator })),
  psams: Object.entries(psams).map(([terminal, psam]) => ({
    psam, issue: 1, terminal, from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null, test: false
  })),
  cards: [...cards],
  ...more
})

/** Debit `nth` of a card, counted from 1, all of the same amount unless told otherwise. */
export const debit = (
  number: number, nth: number, terminal: Terminal = 'B1', amountFen = 180, openFen = 10_000,
  more: Partial<TransactionRecord> = {}
): TransactionRecord => recordOf(number, nth, {
  balanceBeforeFen: openFen - amountFen * (nth - 1), amountFen, terminal, operator: operators[terminal],
  psam: psams[terminal], ...more
})

export async function openCity (
  doors: Doors, cards: readonly Card[], more: Partial<Registry> = {}
): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(cards, more))
  return door
}
export const deliver = async (door: Door, delivery: string, records: readonly TransactionRecord[]) =>
  await door.ok('gateway', 'POST', '/v1/records', { delivery, records })
export async function settleDay (door: Door, date: string): Promise<DayView> {
  const { digest } = await door.ok('settler', 'POST', `/v1/days/${date}/close`)
  await door.ok('approver-1', 'POST', `/v1/days/${date}/approvals`, { digest })
  await door.ok('approver-2', 'POST', `/v1/days/${date}/approvals`, { digest })
  return await door.ok('settler', 'POST', `/v1/days/${date}/instruct`)
}
export async function balance (door: Door, account: string): Promise<number> {
  const { accounts } = await door.ok('auditor', 'GET', '/v1/accounts')
  const found = accounts.find((one: { account: string }) => one.account === account)
  return found?.balanceFen ?? Number.NaN
}
export async function verified (t: Test, door: Door): Promise<void> {
  const report = await door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(report.checks.filter((one: { ok: boolean }) => !one.ok), [], 'the books verify')
}

/* ---- a bank ---- */

export const ours = '43040099000000001'
/** Accounts of the house and of the parties, as the registry takes them. */
export const bankAccounts = [
  { party: 'ISS', book: 'commerce', number: ours, holder: '市民卡备付金', bankCode: '104554000001' },
  { party: 'BUS', number: '43040011000000002', holder: '公交公司', bankCode: '102554000002' },
  { party: 'MET', number: '43040011000000003', holder: '地铁公司', bankCode: '102554000003' },
  { party: 'SHP', number: '43040011000000004', holder: '商户联合', bankCode: '102554000004' }
]

export type Bank = {
  /** The next statement of our account, and its upload. */
  readonly tell: (date: string, lines: readonly Partial<StatementLine>[], more?: {
    readonly format?: StatementFormat, readonly id?: string, readonly openingFen?: number
    readonly sequence?: number
  }) => Promise<Answer & { readonly json: BankStatementReply & { reason: string, detail: string } }>
  /** The last file, sent again. */
  readonly again: () => Promise<Answer>
}

/** A bank that keeps count of its balance and of its statements. */
export function bankOf (door: Door): Bank {
  let balanceFen = 100_000_000
  let sequence = 0
  let references = 0
  let last: { text: string, type: string } = { text: '', type: '' }
  const send = () => door.ask('settler', 'POST', '/v1/bank-statements', { bytes: last.text, type: last.type })
  return {
    tell: async (date, given, more = {}) => {
      const lines = given.map((line): StatementLine => ({
        reference: `R${++references}`, bookedOn: date, amountFen: 0, ...line
      }))
      sequence += 1
      const openingFen = more.openingFen ?? balanceFen
      last = statementFile(more.format ?? 'camt.053.001.08', {
        account: ours, id: more.id ?? `STMT-${sequence}`, sequence: more.sequence ?? sequence,
        fromDate: date, toDate: date, openingFen, lines
      })
      balanceFen = lines.reduce((sum, line) => sum + line.amountFen, openingFen)
      return await send()
    },
    again: send
  }
}
