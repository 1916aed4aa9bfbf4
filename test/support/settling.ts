// The small city through its settlement: days closed, approved and instructed, and what a bank would tell
// of it.
import type { Test } from 'tap'
import type { Card, DayView, Registry } from '../../schemas/api.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { BankStatementReply } from '../../schemas/settlement.ts'
import {
  statementFile, type StatementFormat, type StatementLine
} from '../../terminal-sim/bank/statement-file.ts'
import type { Answer, Door, Doors } from './ledger-http.ts'
import { debit as debitOf, smallCity, type Terminal } from './small-city.ts'

/** The city, whose bus pays most of what it earns from the second day on. */
export const city = (cards: readonly Card[], more: Partial<Registry> = {}): Registry => {
  const small = smallCity(cards)
  const later = { party: 'BUS', product: 'debit', ratePpm: 900_000, from: '2026-03-03' }
  return { ...small, commissions: [...small.commissions ?? [], later], ...more }
}

/** Debit `nth` of a card, counted from 1, all of the same amount unless told otherwise. */
export const debit = (
  number: number, nth: number, terminal: Terminal = 'B1', amountFen = 180, openFen = 10_000,
  more: Partial<TransactionRecord> = {}
): TransactionRecord => debitOf(number, nth, terminal, {
  amountFen, balanceBeforeFen: openFen - amountFen * (nth - 1), ...more
})

export async function openCity (
  doors: Doors, cards: readonly Card[], more: Partial<Registry> = {}
): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(cards, more))
  return door
}
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
