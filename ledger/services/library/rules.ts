// When a loan is due and what it costs to be late: pure, by the rules that were valid on each day. It refuses
// to know who reads and how money moves.
import { addDays, daysBetween, type LocalDate } from '../../../runtime/instants.ts'
import type { LibraryReason, LibraryRules } from '../../../schemas/library.ts'
import type { ServiceStep } from '../../../schemas/service.ts'
import type { Holidays } from '../../core/calendar.ts'
import { yuanText } from '../../../schemas/bank/amount.ts'

/** Rules in the order of their dates; each counts until the next begins. */
export type RuleBook = { readonly rules: readonly LibraryRules[], readonly holidays: Holidays }

/** The rules of a day; those of before the first are the first. Null where there are none at all. */
export const rulesOn = ({ rules }: RuleBook, date: LocalDate): LibraryRules | null =>
  rules.findLast(({ from }) => from <= date) ?? rules[0] ?? null

export function isClosed (book: RuleBook, date: LocalDate): boolean {
  const rules = rulesOn(book, date)
  if (rules === null) return false
  return rules.closedDates.includes(date) || rules.closedWeekdays.includes(weekday(date)) ||
    (rules.closedOnHolidays && book.holidays.get(date) === false)
}

const aMonday = '2026-03-02'
const weekday = (date: LocalDate): number => (daysBetween(aMonday, date) % 7 + 7) % 7 + 1

/** A loan ends on a day on which it can be brought back. */
export function dueDate (book: RuleBook, lentOn: LocalDate): LocalDate {
  let due = addDays(lentOn, rulesOn(book, lentOn)?.loanDays ?? 0)
  for (let tries = 0; tries < closedDaysMax && isClosed(book, due); tries++) due = addDays(due, 1)
  return due
}
/** A library that is closed for longer than a year lends nothing. */
const closedDaysMax = 366

/** The steps sum to the fine. */
export type Fine = { readonly fen: number, readonly steps: readonly ServiceStep[] }

/**
 * The fine of one item that is late on `until`: a sum for each late day on which the library was open, never
 * above the cap of that item.
 */
export function fineOf (
  book: RuleBook,
  { dueOn, until, itemFenMax }: {
    readonly dueOn: LocalDate, readonly until: LocalDate, readonly itemFenMax: number | null
  }
): Fine {
  if (until <= dueOn) return { fen: 0, steps: [] }
  const capFen = Math.min(rulesOn(book, until)?.fineFenMax ?? 0, itemFenMax ?? Number.MAX_SAFE_INTEGER)
  const days = new Map<LibraryRules, number>()
  let open = 0
  let closed = 0
  const late = Math.min(daysBetween(dueOn, until), lateDaysMax)
  for (let day = 1; day <= late; day++) {
    const date = addDays(dueOn, day)
    if (isClosed(book, date)) {
      closed += 1
      continue
    }
    open += 1
    const rules = rulesOn(book, date)
    if (rules !== null) days.set(rules, (days.get(rules) ?? 0) + 1)
  }
  const wholeFen = [...days].reduce((sum, [{ finePerDayFen }, count]) => sum + finePerDayFen * count, 0)
  const steps = [
    {
      en: `due ${dueOn}, ${open + closed} days late until ${until}, closed on ${closed} of them`,
      zh: `应还 ${dueOn}，至 ${until} 逾期 ${open + closed} 天，其中闭馆 ${closed} 天`, amountFen: 0
    },
    ...[...days].map(([{ finePerDayFen: fen, from }, count]) => ({
      en: `${count} days at ${yuan(fen)}, rules from ${from}`,
      zh: `${count} 天，每天 ${yuan(fen)} 元，规则自 ${from} 起`, amountFen: fen * count
    }))
  ]
  if (wholeFen <= capFen) return { fen: wholeFen, steps }
  const cap = {
    en: `not above ${yuan(capFen)}`, zh: `不超过 ${yuan(capFen)} 元`, amountFen: capFen - wholeFen
  }
  return { fen: capFen, steps: [...steps, cap] }
}
const yuan = (fen: number): string => yuanText(BigInt(fen))

/** What is later than ten years has reached every cap. */
const lateDaysMax = 3_653

/** What decides whether a reader may borrow, renew or hold; reasons in the order of the registry. */
export type Standing = {
  readonly cardBlocked: boolean, readonly blockedNote: string | null, readonly owedFen: number,
  readonly depositFen: number
}

export function refusalOf (standing: Standing, rules: LibraryRules): LibraryReason | null {
  if (standing.cardBlocked) return 'card_blocked'
  if (standing.blockedNote !== null) return 'patron_blocked'
  if (standing.owedFen > rules.blockAboveFen) return 'fees_over_limit'
  return standing.depositFen < rules.depositFen ? 'deposit_missing' : null
}

/** What a fee is to whoever wants to pay it. */
export type OpenFee = { readonly loan: bigint, readonly leftFen: number, readonly accruing: boolean }

export type Spread =
  | { readonly reason: LibraryReason }
  | { readonly reason: null, readonly parts: readonly { readonly loan: bigint, readonly fen: number }[] }

/**
 * What a payment is for: the fee it names, or the oldest that are fixed. What still grows takes a prepayment
 * where the rules say so, and is closed by none.
 */
export function spread (
  fees: readonly OpenFee[], { loan, amountFen }: { readonly loan: bigint | null, readonly amountFen: number },
  accruing: LibraryRules['accruing']
): Spread {
  if (loan !== null) {
    const fee = fees.find(one => one.loan === loan)
    if (fee === undefined) return { reason: 'fee_unknown' }
    if (fee.accruing && accruing === 'refuse') return { reason: 'fee_accruing' }
    if (amountFen > fee.leftFen) return { reason: 'amount_over_fee' }
    return { reason: null, parts: [{ loan, fen: amountFen }] }
  }
  let left = amountFen
  const parts = fees.filter(fee => !fee.accruing && fee.leftFen > 0).flatMap(fee => {
    const fen = Math.min(left, fee.leftFen)
    left -= fen
    return fen === 0 ? [] : [{ loan: fee.loan, fen }]
  })
  if (left === 0) return { reason: null, parts }
  return { reason: fees.some(fee => fee.accruing && fee.leftFen > 0) ? 'fee_accruing' : 'amount_over_fee' }
}
