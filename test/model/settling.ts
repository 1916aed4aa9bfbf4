// The day settled, from the rules alone: what each party is to get for a date, who may be paid and when, what
// goes to the bank and what comes back. What belongs to a date is the difference between what stood at two
// cuts, so nothing here knows a single transfer. It refuses to know why anybody earned anything.
import type { Books, Turnover } from './books.ts'
import {
  bankAccounts, daysOfRest, parties, rates, settleFromFen, shortAfterDays, type Party, type Product
} from './city.ts'

/** With what the bank brought: paid in by the party itself; found to be its own. */
type Whole = Readonly<Turnover> & { readonly paidIn: number, readonly direct: number }
type Wholes = ReadonlyMap<Party, Whole>

export type Position = {
  readonly party: Party, readonly earnedFen: number, readonly commissionFen: number
  readonly takenFen: number, readonly loadCommissionFen: number, readonly netFen: number
}
type Day = {
  readonly date: string, readonly end: Wholes, readonly positions: readonly Position[]
  /** More is owed to holders than is there for them. */
  readonly isUncovered: boolean
  isOverridden: boolean
  state: 'CLEARED' | 'APPROVED' | 'INSTRUCTED' | 'CONFIRMED'
  /** Under whose instructions it is paid. */
  paidWith: string | null
}

export type Instruction = {
  readonly id: string, readonly date: string, readonly run: number, readonly valueDate: string
  readonly party: Party
  /** Above zero it is paid, below it pays. */
  readonly fen: number
  state: 'sent' | 'confirmed' | 'returned' | 'void'
  paid: boolean, returned: boolean, isShort: boolean
  replacedBy: string | null
}

/** Above zero: money came. `names`: an instruction; `from`: an account that somebody pays from. */
export type NewLine = {
  readonly reference: string, readonly fen: number, readonly names: string | null
  readonly from: string | null
}
/** What an unidentified line is found to be: money of an account, or an instruction carried out. */
export type Finding = { readonly account: string } | { readonly instruction: string }
type Line = NewLine & {
  state: 'confirmed' | 'returned' | 'paid_in' | 'unidentified' | 'attributed'
  finding: Finding | null
}

/** The settlement of a party, held because of something since a date. */
type Hold = { readonly about: string, readonly party: Party, readonly since: string, isReleased: boolean }

export function newSettling (books: () => Books) {
  const days: Day[] = []
  const instructions: Instruction[] = []
  const lines: Line[] = []
  const holds: Hold[] = []

  /* ---- what a date comes to ---- */

  function wholes (): Wholes {
    const { parties: turnovers } = books()
    return new Map(parties.map((party): [Party, Whole] => {
      const sumOf = (which: (line: Line) => boolean): number => sum(lines.filter(which).map(({ fen }) => fen))
      return [party, {
        ...turnovers.get(party) ?? noTurnover,
        paidIn: sumOf(line => line.state === 'paid_in' && payerOf(line) === party),
        direct: sumOf(({ finding }) => finding !== null && 'account' in finding &&
          finding.account === `merchant-settlement/${party}`)
      }]
    }))
  }

  const lastEnd = (): Wholes => days.at(-1)?.end ?? new Map<Party, Whole>()

  /** A date is cut, verified and cleared. */
  function close (date: string): void {
    const [before, end] = [lastEnd(), wholes()]
    const positions = parties.map(party => positionOf(party, date, minus(end.get(party), before.get(party))))
    days.push({
      date, end, positions, isUncovered: isUncovered(accounts()), isOverridden: false, state: 'CLEARED',
      paidWith: null
    })
  }

  /* ---- people ---- */

  /** Two people approve what they see; not while the float of the date is off, unless two others say why. */
  function approve (date: string): 'ok' | 'float_off' {
    const day = dayOf(date)
    if (day.isUncovered && !day.isOverridden) return 'float_off'
    day.state = 'APPROVED'
    return 'ok'
  }
  const override = (date: string): void => { dayOf(date).isOverridden = true }

  /** Days of one value date are paid together, so all of them must be approved. */
  function instruct (date: string, today: string): 'ok' | 'day_state' {
    const day = days.find(one => one.date === date)
    if (day === undefined || day.state === 'CLEARED') return 'day_state'
    if (day.state !== 'APPROVED') return 'ok' // long done
    const on = valueDateOf(date)
    const together = days.filter(one => valueDateOf(one.date) === on && !isInstructed(one))
    const openDate = nextDate(days.at(-1)?.date ?? date)
    if (together.some(({ state }) => state !== 'APPROVED') || valueDateOf(openDate) === on) return 'day_state'
    const last = together.at(-1)?.date ?? date
    for (const one of together) {
      one.state = 'INSTRUCTED'
      one.paidWith = last
    }
    issue({ date: last, run: 1, today }, parties)
    confirm()
    return 'ok'
  }

  /** Once more for what came back; its number, or null where nothing is to be paid. */
  function replace (id: string, today: string): string | null {
    const old = instructionOf(id)
    if (old.replacedBy !== null) return old.replacedBy
    if (!isBack(old)) return null
    const run = Math.max(...instructions.filter(({ date }) => date === old.date).map(one => one.run)) + 1
    const order = { date: old.date, run, today }
    return isPayable(old.party, old.date) ? issue(order, [old.party]) : null
  }

  /** The bank says that it never will: the amount is open again. */
  function cancel (id: string): boolean {
    const told = instructionOf(id)
    if (told.state !== 'sent') return false
    Object.assign(told, { state: 'void', isShort: false })
    return true
  }

  /** What is held stays held since when it was; what was released for a date does not come back for it. */
  function hold (about: string, party: Party, since: string): void {
    const known = holds.some(one => one.about === about && (one.since === since || !one.isReleased))
    if (!known) holds.push({ about, party, since, isReleased: false })
  }

  /** False where nothing of it is held. */
  function release (party: Party): boolean {
    const held = holds.filter(one => one.party === party && !one.isReleased)
    for (const one of held) one.isReleased = true
    return held.length > 0
  }

  /* ---- instructions ---- */

  type Order = { readonly date: string, readonly run: number, readonly today: string }

  /** Pays what is open with each of some parties, and what came back along with it. */
  function issue ({ date, run, today }: Order, of: readonly Party[]): string | null {
    let made: string | null = null
    for (const party of of) {
      const fen = openFen(party)
      const id = isPayable(party, date) ? idOf(date, run, party) : null
      if (id === null && fen !== 0) continue // carried over
      for (const back of instructions.filter(one => one.party === party && isBack(one))) {
        back.replacedBy ??= id ?? back.id
      }
      if (id === null) continue
      const valueDate = [valueDateOf(date), workedFrom(today)].sort().at(-1) ?? today
      instructions.push({
        id, date, run, valueDate, party, fen, state: 'sent', paid: false, returned: false, isShort: false,
        replacedBy: null
      })
      made = id
    }
    return made
  }

  /** Nets of all dates that are being paid, less what is on its way or was paid. */
  const openFen = (party: Party): number =>
    sum(days.filter(isInstructed).flatMap(({ positions }) => positions)
      .filter(one => one.party === party).map(({ netFen }) => netFen)) -
    sum(instructions.filter(one => one.party === party && !isBack(one)).map(({ fen }) => fen))

  const isPayable = (party: Party, date: string): boolean => {
    const fen = Math.abs(openFen(party))
    return fen > 0 && fen >= settleFromFen[party] && !isHeld(party, date)
  }
  /** A later date may have been instructed before; its net would be paid along with this one. */
  const isHeld = (party: Party, date: string): boolean => {
    const upTo = [date, ...days.filter(isInstructed).map(one => one.date)].sort().at(-1) ?? date
    return holds.some(one => one.party === party && !one.isReleased && one.since <= upTo)
  }

  /** A date is confirmed once everything it is paid under is settled, however many times it came back. */
  function confirm (): void {
    for (const day of days.filter(({ state }) => state === 'INSTRUCTED')) {
      if (instructions.filter(({ date }) => date === day.paidWith).every(isSettled)) day.state = 'CONFIRMED'
    }
  }
  const isSettled = (one: Instruction): boolean => one.state === 'confirmed' ||
    (one.replacedBy !== null && (one.replacedBy === one.id || isSettled(instructionOf(one.replacedBy))))

  /* ---- the bank ---- */

  /** Takes a statement of a date; what each line is taken for. */
  function tell (told: readonly NewLine[], today: string): string[] {
    const judged = told.map(line => {
      const state = judge(line)
      lines.push({ ...line, state, finding: null })
      return state
    })
    for (const one of instructions.filter(({ state, fen, paid }) => state === 'sent' && fen < 0 && !paid)) {
      if (afterWorkedDays(one.valueDate, shortAfterDays) < today) one.isShort = true
    }
    confirm()
    return judged
  }

  /** Each instruction is carried out once and brought back once, whichever is told first. */
  function judge (line: NewLine): Line['state'] {
    const named = instructions.find(({ id }) => id === line.names)
    if (named === undefined) return payerOf(line) !== null && line.fen > 0 ? 'paid_in' : 'unidentified'
    if (named.state === 'void') return 'unidentified'
    if (line.fen === -named.fen && !named.paid) {
      const state = named.state === 'returned' ? 'returned' : 'confirmed'
      Object.assign(named, { state, paid: true, isShort: false })
      return 'confirmed'
    }
    if (line.fen === named.fen && !named.returned) {
      Object.assign(named, { state: 'returned', returned: true })
      return 'returned'
    }
    return 'unidentified'
  }

  /** Two people say what an unidentified line was; false where it cannot have been that. */
  function attribute (reference: string, finding: Finding): boolean {
    const line = lines.find(one => one.reference === reference)
    if (line?.state !== 'unidentified') return false
    if ('instruction' in finding) {
      const told = instructionOf(finding.instruction)
      if (told.state !== 'sent' || Math.sign(line.fen) === Math.sign(told.fen)) return false
      Object.assign(told, { state: 'confirmed', paid: true, isShort: false })
    }
    Object.assign(line, { state: 'instruction' in finding ? 'confirmed' : 'attributed', finding })
    confirm()
    return true
  }

  /* ---- what it all comes to ---- */

  /** Credit less debit of every account; those that are not zero. */
  function accounts (): Record<string, number> {
    const sums: Record<string, number> = { ...books().others }
    const add = (account: string, fen: number): void => { sums[account] = (sums[account] ?? 0) + fen }
    const [now, cleared] = [wholes(), lastEnd()]
    for (const party of parties) {
      const since = minus(now.get(party), cleared.get(party))
      add(`merchant-pending/${party}`, since.earned)
      add(`receivable-agent/${party}`, -takenOf(since))
      add(`merchant-settlement/${party}`, since.direct)
    }
    for (const position of days.flatMap(({ positions }) => positions)) {
      add(`merchant-settlement/${position.party}`, position.netFen)
      add('commission-income', position.commissionFen)
      add('commission-expense', -position.loadCommissionFen)
    }
    for (const one of instructions) {
      if (!isBack(one)) add(`merchant-settlement/${one.party}`, -one.fen)
      if (!one.paid && one.state !== 'void') add('settlement-clearing', one.fen)
      if (one.isShort) {
        add('settlement-clearing', -one.fen)
        add('shortage', one.fen)
      }
    }
    for (const line of lines) {
      add('custody-bank', -line.fen)
      const { state, finding, fen } = line
      if (state === 'unidentified') add(fen > 0 ? 'unidentified-receipts' : 'shortage', fen)
      if (finding === null) continue
      if ('instruction' in finding) add('shortage', fen + instructionOf(finding.instruction).fen)
      else if (!finding.account.startsWith('merchant-settlement/')) add(finding.account, fen)
    }
    return Object.fromEntries(Object.entries(sums).filter(([, fen]) => fen !== 0))
  }

  const dayOf = (date: string): Day => known(days.find(one => one.date === date), date)
  const instructionOf = (id: string): Instruction => known(instructions.find(one => one.id === id), id)

  return {
    close, approve, override, instruct, replace, cancel, hold, release, tell, attribute, accounts,
    holds: holds as readonly Readonly<Hold>[],
    days: days as readonly Readonly<Day>[],
    instructions: instructions as readonly Readonly<Instruction>[],
    lines: lines as readonly Readonly<Line>[]
  }
}
export type Settling = ReturnType<typeof newSettling>

function known<T> (found: T | undefined, name: string): T {
  if (found === undefined) throw new Error(`the model knows no ${name}`)
  return found
}

const sum = (amounts: readonly number[]): number => amounts.reduce((total, one) => total + one, 0)
const isInstructed = ({ state }: Day): boolean => state === 'INSTRUCTED' || state === 'CONFIRMED'
/** Its amount is open again. */
const isBack = ({ state }: Instruction): boolean => state === 'returned' || state === 'void'
const idOf = (date: string, run: number, party: Party): string =>
  `${date.replaceAll('-', '')}${run === 1 ? '' : `.${run}`}-commerce-${party}`
const payerOf = ({ from }: NewLine): Party | null => from === bankAccounts.BUS ? 'BUS' : null

/* ---- sums and rates ---- */

const noTurnover: Turnover = { earned: 0, risk: 0, sold: 0, owed: 0 }
const nothing: Whole = { ...noTurnover, paidIn: 0, direct: 0 }
const minus = (now: Whole = nothing, then: Whole = nothing): Whole => ({
  earned: now.earned - then.earned, risk: now.risk - then.risk, sold: now.sold - then.sold,
  owed: now.owed - then.owed, paidIn: now.paidIn - then.paidIn, direct: now.direct - then.direct
})
const takenOf = ({ sold, owed, paidIn }: Whole): number => sold + owed - paidIn

function positionOf (party: Party, date: string, of: Whole): Position {
  const rate = (product: Product): number | null => rates.findLast(one =>
    one.party === party && one.product === product && one.from <= date)?.ratePpm ?? null
  const riskFen = rate('risk') === null ? 0 : of.risk // without a rate of its own it is as any debit
  const commissionFen = share(of.earned - riskFen, rate('debit')) + share(riskFen, rate('risk'))
  const loadCommissionFen = share(of.sold, rate('load'))
  const earnedFen = of.earned + of.direct
  return {
    party, earnedFen, commissionFen, takenFen: takenOf(of), loadCommissionFen,
    netFen: earnedFen - commissionFen - takenOf(of) + loadCommissionFen
  }
}

/** Half up to the fen; what is taken back is the exact negative. */
function share (fen: number, ratePpm: number | null): number {
  const part = Math.floor((Math.abs(fen) * (ratePpm ?? 0) + 500_000) / 1_000_000)
  return fen < 0 ? 0 - part : part
}

/** What the bank holds, what is on its way and what parties owe must come to what holders are owed. */
function isUncovered (accounts: Readonly<Record<string, number>>): boolean {
  const at = (...headings: readonly string[]): number => sum(Object.entries(accounts)
    .filter(([account]) => headings.includes(account.split('/')[0] ?? '')).map(([, fen]) => fen))
  const owedByParties = sum(parties.map(party => Math.max(0,
    -(accounts[`merchant-pending/${party}`] ?? 0) - (accounts[`merchant-settlement/${party}`] ?? 0))))
  return at('purse', 'online', 'pending-load', 'unpaid-debits') >
    owedByParties - at('custody-bank', 'settlement-clearing', 'receivable-agent')
}

/* ---- the calendar ---- */

const dayMs = 86_400_000
const midnight = (date: string): number => Date.parse(`${date}T00:00:00Z`)
const nextDate = (date: string): string => new Date(midnight(date) + dayMs).toISOString().slice(0, 10)
const isWorked = (date: string): boolean =>
  ![0, 6].includes(new Date(midnight(date)).getUTCDay()) && !daysOfRest.includes(date)
/** The date itself, or the first one after it on which people work. */
const workedFrom = (date: string): string => isWorked(date) ? date : workedFrom(nextDate(date))
export const valueDateOf = (date: string): string => workedFrom(nextDate(date))
const afterWorkedDays = (date: string, count: number): string =>
  count === 0 ? date : afterWorkedDays(workedFrom(nextDate(date)), count - 1)
