// What a journey costs: the cases of the trade one by one, then random days beside a second calculator that
// goes another way. The tables are read by test/support/day-of-taps.ts: when, where, what is due, in yuan.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { apportion } from '../ledger/services/transit/apportion.ts'
import { daysOfCard } from '../ledger/services/transit/due-and-paid.ts'
import { checkDocument } from '../schemas/tariff/check-document.ts'
import type { TariffDocument } from '../schemas/tariff/document.ts'
import { stepTexts, tellSteps } from '../schemas/tariff/explain.ts'
import type { Fares } from '../schemas/tariff/fares.ts'
import { cityTrip, earnedRecord } from '../schemas/epurse/files.ts'
import { decode, encode } from '../schemas/epurse/layout.ts'
import { type CardMemory, counters, recall, remember } from '../schemas/tariff/card-memory.ts'
import type { CardHistory, Journey, Tap } from '../schemas/tariff/journey.ts'
import { distanceFare } from '../schemas/tariff/legs.ts'
import { dateOf, dayOfJourney, periodOf, transitDay } from '../schemas/tariff/periods.ts'
import { type CardState, dueByTap, newCard, priceCard, priceTap } from '../schemas/tariff/price-card.ts'
import { quote } from '../schemas/tariff/quote.ts'
import { rateOf } from '../schemas/tariff/rate.ts'
import {
  at, busyDocuments, faresFrom, firstDocument, gate, history, secondDocument, senior, student, tap
} from '../bench/fares/city.ts'
import { randomHistory } from '../bench/fares/random-days.ts'
import { slowFares } from '../bench/fares/slow.ts'
import { dayOfTaps, priceDay } from './support/day-of-taps.ts'

const city = faresFrom(firstDocument)
const { caps: _, ...uncapped } = firstDocument

/** Every tap of the table is due what it says; answers what the journeys are called. */
function check (
  t: Test, what: string, table: string, more: Partial<CardHistory> = {}, fares: Fares = city
): readonly Journey[] {
  const { wanted, found, journeys } = priceDay(fares, table, more)
  t.strictSame(found, wanted, what)
  return journeys
}
const kinds = (journeys: readonly Journey[]): string => journeys.map(({ kind }) => kind).join(' ')
const amounts = (journeys: readonly Journey[]): number[] => journeys.map(({ amountFen }) => amountFen)
const journeysOf = (taps: readonly Tap[], fares = city): readonly Journey[] =>
  priceCard(fares, history(taps)).journeys

t.test('flat fares and concessions that end (T1, T2)', async t => {
  check(t, 'a card', '08:00:00 bus 1 1.80')
  const [, , ended] = check(t, 'a student until the last of February', `
    2026-02-28
    12:00:00  bus 1  1.00
    2026-03-01
    04:00:00  bus 1  1.00
    12:00:00  bus 1  1.80
  `, { entitlements: [student('2026-02-28')] })
  t.match(ended?.steps[0], { code: 'concession_ended', amountFen: 0, inputs: { until: '2026-02-28' } })
  check(t, 'not begun', '08:00:00 bus 1 1.80',
    { entitlements: [{ class: 'student', from: '2026-02-28', until: null }] })
})

const sixRides = `
  2026-03-03
  10:00:00  bus 1  0.00
  12:00:00  bus 1  0.00
  14:00:00  bus 1  0.00
  16:00:00  bus 1  0.00
  18:00:00  bus 1  0.00
  20:00:00  bus 1  0.00
  2026-03-04
  04:30:00  bus 1  0.00
`
t.test('a senior rides five times a day, the treasury pays (T3)', async t => {
  const journeys = check(t, 'free', sixRides, { entitlements: [senior] })
  t.equal(kinds(journeys), 'complete complete complete complete complete declined complete')
  t.strictSame(journeys.map(({ treasuryFen }) => treasuryFen), [200, 200, 200, 200, 200, 0, 200])
  const paying: TariffDocument = {
    ...firstDocument,
    concessions: { senior: { fares: { bus: { kind: 'fare', fen: 0 } }, dailyMax: 5, beyond: 'ordinary' } }
  }
  check(t, 'or pays from the sixth on', sixRides.replace('20:00:00  bus 1  0.00', '20:00:00  bus 1  1.80'),
    { entitlements: [senior] }, faresFrom(paying))
})

t.test('metro distances (T4)', async t => {
  const { fare } = firstDocument.services[3] ?? {}
  if (fare?.kind !== 'distance') throw new Error('the metro goes by distance')
  const rows = [
    [6, 3], [6.01, 4], [12, 4], [12.5, 5], [22, 5], [32, 6], [32.1, 7], [52, 7], [52.1, 8]
  ] as const
  for (const [km, yuan] of rows) {
    t.equal(distanceFare(fare, Math.round(km * 1_000)), yuan * 100, `${km} km`)
  }
  t.equal(distanceFare({ steps: fare.steps }, 32_001), null, 'nothing is said of what is beyond')
  check(t, 'due at the exit, the same both ways, dearer when four hours are over', `
    2026-02-24
    08:00:00  metro in M0    0.00
    08:40:00  metro out M7   8.00
    2026-02-25
    08:00:00  metro in M7    0.00
    08:40:00  metro out M0   8.00
    2026-02-26
    08:00:00  metro in M0    0.00
    12:00:00  metro out M1   3.00
    13:00:00  metro in M0    0.00
    17:00:01  metro out M1   6.00
  `)
})

t.test('transfers (T9)', async t => {
  check(t, 'on time, then a second late', `
    08:00:00  bus 1  1.80
    09:00:00  bus 2  0.00
    09:00:01  bus 3  1.80
  `)
  check(t, 'a line that was ridden pays again, also where it was free', `
    08:00:00  bus 1  1.80
    08:10:00  bus 1  1.80
    08:20:00  bus 2  0.00
    08:30:00  bus 2  1.80
  `)
  check(t, 'who pays again keeps the first window', `
    08:00:00  bus 1  1.80
    08:50:00  bus 1  1.80
    09:10:00  bus 2  1.80
  `)
  check(t, 'metro after bus', `
    08:00:00  bus 1         1.80
    08:59:59  metro in M0   0.00
    09:30:00  metro out M1  2.00
  `)
  check(t, 'bus after metro, by when it was entered', `
    08:00:00  metro in M0   0.00
    08:30:00  metro out M1  3.00
    09:00:00  bus 1         0.80
    09:00:01  bus 2         1.80
  `)
  check(t, 'metro after metro', `
    08:00:00  metro in M0   0.00
    08:30:00  metro out M1  3.00
    08:31:00  metro in M0   0.00
    08:50:00  metro out M1  3.00
  `)
  const cheap = { student: { fares: { metro: { kind: 'rate' as const, paidPpm: 200_000 } } } }
  check(t, 'never below zero', `
    08:00:00  bus 1         1.80
    08:10:00  metro in M0   0.00
    08:30:00  metro out M1  0.00
  `, { entitlements: [student('2099-01-01')] }, faresFrom({ ...firstDocument, concessions: cheap }))
  const free: TariffDocument['services'] = [{
    id: 'free', operators: ['BUS'], lines: ['0'], group: 'bus', fare: { kind: 'flat', fullFen: 0, cardFen: 0 }
  }]
  check(t, 'a free ride opens no window', `
    08:00:00  bus 0  0.00
    08:10:00  bus 1  1.80
  `, {}, faresFrom({ ...firstDocument, services: [...free, ...firstDocument.services] }))
})

type Rule = NonNullable<TariffDocument['transfers']>[number]

t.test('two transfers and no more', async t => {
  const rule: Rule = {
    from: 'bus', to: 'bus', windowSeconds: 7_200, measured: 'start_start', transfersMax: 2,
    price: { kind: 'fare', fen: 0 }
  }
  check(t, 'any line', `
    08:00:00  bus 1  1.80
    08:30:00  bus 1  0.00
    10:00:00  bus 2  0.00
    10:00:00  bus 3  1.80
  `, {}, faresFrom({ ...uncapped, transfers: [rule] }))
})

t.test('other transfer prices', async t => {
  const rows: [string, Partial<Rule>, string][] = [
    ['the dearer of both in all', {}, '1.20'],
    ['both together', { price: { kind: 'total', fen: 400 } }, '2.20'],
    ['nothing comes back', { price: { kind: 'total', fen: 100 } }, '0.00'],
    ['dearer', { price: { kind: 'add', fen: 50 } }, '3.50'],
    ['to the arrival it is too long', { measured: 'start_end' }, '3.00'],
    ['from end to end', { measured: 'end_end', windowSeconds: 2_700 }, '1.20'],
    ['from end to start', { measured: 'end_start', windowSeconds: 1_799 }, '3.00']
  ]
  for (const [what, change, wanted] of rows) {
    const rule: Rule = {
      from: 'bus', to: 'metro', windowSeconds: 1_800, measured: 'start_start', price: { kind: 'difference' },
      ...change
    }
    check(t, what, `
      08:00:00  bus 1         1.80
      08:30:00  metro in M0   0.00
      08:45:00  metro out M1  ${wanted}
    `, {}, faresFrom({ ...uncapped, transfers: [rule] }))
  }
})

t.test('section fares (T10)', async t => {
  const rows: [string, string, string][] = [
    ['debit, two sections', `
      08:00:00  bus S2 X0   4.00
      08:20:00  bus S2 X2  -1.00`, 'complete'],
    ['debit, no exit', '08:00:00 bus S2 X0 4.00', 'open'],
    ['debit, another vehicle', `
      08:00:00  bus S2 X0        4.00
      10:20:00  bus S2 X2 of V2  4.00`, 'one_sided open'],
    ['mark, one section and four', `
      08:00:00  bus S1 X1  0.00
      08:20:00  bus S1 X1  2.00
      10:00:00  bus S1 X4  0.00
      10:20:00  bus S1 X0  4.00`, 'complete complete'],
    ['mark, two sections', `
      08:00:00  bus S1 X0  0.00
      08:20:00  bus S1 X2  3.00`, 'complete'],
    ['mark, no exit: at the next tap', `
      08:00:00  bus S1 X0  0.00
      12:00:00  bus 1      5.80`, 'one_sided complete'],
    ['mark, the same vehicle next morning', `
      2026-02-27
      08:00:00  bus S1 X0  0.00
      2026-02-28
      08:00:00  bus S1 X2  4.00`, 'one_sided open'],
    ['a stop that the tariff does not know', `
      08:00:00  bus S1 X0     0.00
      08:20:00  bus S1 Xelse  4.00`, 'one_sided']
  ]
  for (const [what, table, wanted] of rows) t.equal(kinds(check(t, what, table)), wanted, what)
  const named = [tap(1, '2026-02-27 08:00:00', { line: 'S1', stop: 'X0' }),
    tap(2, '2026-02-27 08:20:00', { line: 'S1', stop: 'constructor' })]
  t.equal(kinds(journeysOf(named)), 'one_sided', 'names of the language are no stops')
})

t.test('what a terminal is told', async t => {
  const of = (table: string): readonly Tap[] => dayOfTaps(table).taps
  const two = (line: string) => of(`
    08:00:00  bus ${line} X0  0.00
    08:20:00  bus ${line} X2  0.00`)
  const [board, alight] = two('S1')
  const marked = priceTap(city, board as Tap, [], newCard)
  t.match(marked, { dueFen: 0, backFen: 0, markedFen: 400, declined: false })
  t.match(priceTap(city, alight as Tap, [], marked.state), { dueFen: 300, backFen: 0, markedFen: 0 })
  const [pay, getBack] = two('S2')
  const paid = priceTap(city, pay as Tap, [], newCard)
  t.match(paid, { dueFen: 400, backFen: 0 })
  t.match(priceTap(city, getBack as Tap, [], paid.state), { dueFen: 0, backFen: 100 })
  const used = priceCard(city, history(of(sixRides).slice(0, 5), [senior])).state
  t.match(priceTap(city, of(sixRides)[5] as Tap, [senior], used), { dueFen: 0, declined: true })
})

t.test('a terminal without the tariff by which a trip began', async t => {
  const [board, alight] = dayOfTaps(`
    08:00:00  metro in M0   0.00
    08:30:00  metro out M1  9.00`).taps as [Tap, Tap]
  const { state } = priceTap(city, board, [], newCard)
  const later = faresFrom({ ...firstDocument, from: '2026-02-27T08:10:00+08:00' })
  const price = priceTap(later, alight, [], state)
  t.match(price, { dueFen: 900, journeys: [{ kind: 'unpriced' }, { kind: 'one_sided' }] })
})

t.test('the same reader twice, and groups (T11)', async t => {
  t.equal(kinds(check(t, 'within five seconds', `
    08:00:00  bus 1  1.80
    08:00:05  bus 1  0.00
    08:00:06  bus 1  1.80
  `)), 'complete duplicate complete')
  const group = `
    08:00:00  bus 1, 1 of 3  1.80
    08:00:00  bus 1, 2 of 3  1.80
    08:00:00  bus 1, 3 of 3  1.80`
  check(t, 'three charges, three counters; none of them transfers, later its holder does', `
    07:50:00  bus 7  1.80
    ${group}
    08:10:00  bus 2  0.00
  `)
  check(t, 'its holder opens a window', `${group}
    08:10:00  bus 2  0.00`)
  const young = { entitlements: [student('2099-01-01')] }
  check(t, 'the concession is for one', group.replace('1 of 3  1.80', '1 of 3  1.00'), young)
  check(t, 'or for all where the tariff says so', group.replaceAll('1.80', '1.00'), young,
    faresFrom({ ...firstDocument, companions: { asHolder: true } }))
  check(t, 'a companion has no exit', `
    08:00:00  bus S2 X0, 1 of 2  4.00
    08:00:00  bus S2 X0, 2 of 2  4.00
    08:20:00  bus S2 X1         -2.00`)
})

t.test('missing exits, and what is decided later', async t => {
  check(t, 'nothing is due while it is open', '08:00:00 metro in M0 0.00')
  check(t, 'no entry', '08:00:00 metro out M0 9.00')
  const supplement = `
    08:00:00  metro in M0   0.00
    12:00:00  bus 1        10.80`
  check(t, 'at the next tap', supplement)
  const corrections = [{ entryCounter: 1, stop: 'M3', atMs: at('2026-02-27 08:30:00') }]
  const decided = check(t, 'decided', supplement.replace('10.80', '5.80'), { corrections })
  t.equal(kinds(decided), 'corrected complete')
  check(t, 'an exit that comes in late counts more', `
    08:00:00  metro in M0   0.00
    08:20:00  metro out M1  3.00
    12:00:00  bus 1         1.80`, { corrections })
  check(t, 'what boarding took comes back without another tap', '08:00:00 bus S2 X0 3.00',
    { corrections: [{ entryCounter: 1, stop: 'X2', atMs: at('2026-02-27 08:30:00') }] })
  const taps = dayOfTaps(supplement).taps.map((tap, index) => ({ ...tap, paidFen: [0, 1_080][index] ?? 0 }))
  t.match(daysOfCard(city, { ...history([]), corrections, taps }).days,
    [{ day: '2026-02-27', dueFen: 580, paidFen: 1_080, refundFen: 500, reportedFen: 0 }])
})

/** Rides of one line every 3,601 seconds from six o'clock on. */
const rides = (count: number, date: string, first: number): Tap[] =>
  Array.from({ length: count }, (_, index) => ({
    ...tap(first + index, `${date} 06:00:00`, { line: '9' }),
    atMs: at(`${date} 06:00:00`) + index * 3_601_000
  }))

t.test('caps by day and week', async t => {
  const eight = Array.from({ length: 8 }, () => 180)
  t.strictSame(amounts(journeysOf(rides(10, '2026-02-24', 1))), [...eight, 60, 0])
  const week = ['02-23', '02-24', '02-25', '02-26', '02-27', '02-28', '03-01', '03-02']
  const all = amounts(journeysOf(week.flatMap((date, index) => rides(10, `2026-${date}`, index * 10 + 1))))
  const sums = week.map((_, day) => all.slice(day * 10, day * 10 + 10).reduce((sum, fen) => sum + fen, 0))
  t.strictSame(sums, [1_500, 1_500, 1_500, 1_500, 0, 0, 0, 1_500], 'Monday to Sunday')
  const oneSided = [gate(0, '2026-02-24 05:00:00', 'out', 'M0'), ...rides(9, '2026-02-24', 1)]
  t.strictSame(amounts(journeysOf(oneSided)), [900, ...eight, 60], 'one-sided journeys are outside')
  const students = priceCard(city, history(rides(17, '2026-02-24', 1), [student('2099-01-01')])).journeys
  t.strictSame(amounts(students), Array.from({ length: 17 }, () => 100), 'the caps are for adults')
  const night = [...rides(9, '2026-02-24', 1), tap(10, '2026-02-25 04:29:59', { line: '8' }),
    tap(11, '2026-02-25 04:30:00', { line: '7' })]
  t.strictSame(amounts(journeysOf(night)).slice(-2), [0, 180], 'to half past four')
})

t.test('a monthly ladder counts for the trips after it', async t => {
  const ladders = [{
    id: 'metro',
    steps: [
      { fromFen: 10_000, paidPpm: 800_000 }, { fromFen: 15_000, paidPpm: 500_000 },
      { fromFen: 40_000, paidPpm: 1_000_000 }
    ]
  }]
  const ride = (index: number, month: string): Tap[] => {
    const date = `${month}-${String(1 + Math.floor(index / 8)).padStart(2, '0')}`
    const hour = String(6 + 2 * (index % 8)).padStart(2, '0')
    const first = 1_000 * Number(month.slice(-2)) + 2 * index
    return [gate(first, `${date} ${hour}:00:00`, 'in', 'M0'),
      gate(first + 1, `${date} ${hour}:40:00`, 'out', 'M5')]
  }
  const all = Array.from({ length: 140 }, (_, index) => ride(index, '2026-01')).flat()
  const paid = amounts(journeysOf([...all, ...ride(0, '2026-02')], faresFrom({ ...uncapped, ladders })))
  // 20 × 5.00 = 100.00; 13 × 4.00 reach 152.00; 100 × 2.50 reach 402.00; then 5.00 again.
  t.strictSame(paid.slice(18, 22), [500, 500, 400, 400])
  t.strictSame(paid.slice(31, 35), [400, 400, 250, 250])
  t.strictSame(paid.slice(131, 135), [250, 250, 500, 500])
  t.equal(paid.at(-1), 500, 'a new month')
})

t.test('transit days', async t => {
  const of = (crossing: 'start' | 'end' | 'end_after_midnight') =>
    ({ utcOffsetMinutes: 480, transitDay: { startsAtMinute: 270, crossing } })
  const day = (local: string) => dateOf(transitDay(of('start'), at(local)))
  t.strictSame([day('2026-03-02 04:29:59'), day('2026-03-02 04:30:00')], ['2026-03-01', '2026-03-02'])
  const over = (crossing: 'start' | 'end' | 'end_after_midnight', from: string) =>
    dateOf(dayOfJourney(of(crossing), at(from), at('2026-03-02 04:40:00')))
  t.equal(over('start', '2026-03-02 04:10:00'), '2026-03-01')
  t.equal(over('end', '2026-03-01 23:50:00'), '2026-03-02')
  t.equal(over('end_after_midnight', '2026-03-01 23:50:00'), '2026-03-01')
  t.equal(over('end_after_midnight', '2026-03-02 00:10:00'), '2026-03-02')
  const weekOf = (date: string) => periodOf('week', transitDay(of('start'), at(`${date} 12:00:00`)))
  t.equal(weekOf('2026-03-02'), weekOf('2026-03-08'), 'Monday to Sunday')
  t.not(weekOf('2026-03-01'), weekOf('2026-03-02'))
})

t.test('a new tariff counts from its instant (K9)', async t => {
  const both = faresFrom(secondDocument, firstDocument)
  const journeys = check(t, 'old and new', `
    2026-03-02
    04:59:59  bus 1        1.80
    05:00:00  bus 1 of V2  2.00
  `, {}, both)
  t.strictSame(journeys.map(({ tariffVersion }) => tariffVersion), [1, 2])
  const shop = [...dayOfTaps('08:00:00 shop 0.00').taps, tap(2, '2025-12-31 23:59:59')]
  t.match(priceCard(both, history(shop)).journeys, [{ kind: 'unpriced', charges: [] }, { kind: 'unpriced' }])
  const asked = { operator: 'MET2', line: '', from: 'M0', to: 'M2', atMs: at('2026-03-03 08:00:00') }
  t.equal(quote(both, asked)?.amountFen, 400)
  t.equal(quote(both, { ...asked, class: 'student' })?.amountFen, 200)
  t.equal(quote(both, { ...asked, operator: 'SHP' }), null)
})

t.test('shares of operators (T14)', async t => {
  const leg = (operator: string, metres: number) => ({ operator, metres })
  const legs = [leg('A', 13_200), leg('B', 7_900), leg('C', 700)]
  const shares = apportion(500n, legs, 'A')
  const parts = (of: typeof shares) => of.map(({ amountFen }) => amountFen)
  t.strictSame(parts(shares), [303n, 181n, 16n])
  t.strictSame(parts(apportion(1n, [leg('A', 5), leg('B', 5), leg('C', 5)], 'A')), [1n, 0n, 0n])
  t.strictSame(apportion(500n, [], 'MET'), [{ operator: 'MET', amountFen: 500n }])
  t.strictSame(apportion(9n, [leg('A', 5), leg('B', 5), leg('A', 5)], 'A'),
    [{ operator: 'A', amountFen: 6n }, { operator: 'B', amountFen: 3n }], 'each once, with all its metres')
  const [journey] = journeysOf([gate(1, '2026-02-27 08:00:00', 'in', 'M1'),
    gate(2, '2026-02-27 08:40:00', 'out', 'M5')])
  t.strictSame(journey?.legs, [leg('MET', 7_200), leg('MET2', 7_900), leg('MET3', 900)])
})

t.test('due beside paid', async t => {
  const paid = (taps: readonly (Tap & { paidFen: number })[]) =>
    daysOfCard(city, { ...history([]), taps }).days.map(({ dueFen, paidFen, refundFen, reportedFen, taps }) =>
      [dueFen, paidFen, refundFen, reportedFen, taps.map(({ counter }) => counter)])
  const first = tap(1, '2026-02-27 08:00:00')
  const second = tap(2, '2026-02-27 08:30:00', { line: '2' })
  t.strictSame(paid([{ ...second, paidFen: 180 }]), [[180, 180, 0, 0, []]], 'one record is not here yet')
  t.strictSame(paid([{ ...second, paidFen: 180 }, { ...first, paidFen: 180 }]), [[180, 360, 180, 0, [2]]])
  t.strictSame(paid([{ ...first, paidFen: 100 }]), [[180, 100, 0, 80, [1]]], 'told, not taken')
  t.strictSame(paid([{ ...first, paidFen: 0 }, { ...second, paidFen: 180 }]), [[180, 180, 0, 0, [1, 2]]],
    'the day is right')
  t.strictSame(paid([{ ...first, operator: 'SHP', paidFen: 5_000 }]), [], 'no tariff')
})

t.test('rates are half up', async t => {
  const rows = [
    [180, 3_000, 1], [1, 500_000, 1], [3, 500_000, 2], [0, 1_000_000, 0], [10_000_000, 999_999, 9_999_990]
  ] as const
  for (const [fen, ppm, wanted] of rows) t.equal(rateOf(fen, ppm), wanted, `${fen} × ${ppm}`)
})

t.test('explanations', async t => {
  const [, metro] = priceDay(city, `
    08:00:00  bus 1         1.80
    08:30:00  metro in M0   0.00
    09:00:00  metro out M1  2.00`).journeys
  t.strictSame(tellSteps(metro?.steps ?? [], 'en', 'CNY'),
    ['metro M0 to M1, 6000 m: 3.00', 'transfer from bus after 1800 s: -1.00', 'total: 2.00 CNY'])
  t.strictSame(tellSteps(metro?.steps ?? [], 'zh', 'CNY'),
    ['metro M0 至 M1，6000 米：3.00', '1800 秒内自 bus 换乘：-1.00', '合计：2.00 CNY'])
  const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()
  for (const [code, { zh, en }] of Object.entries(stepTexts)) t.strictSame(holes(zh), holes(en), code)
})

t.test('documents that are wrong', async t => {
  const rows: [string, string, unknown, string?][] = [
    ['a fen that is none', '/services/0/fare/cardFen', 1.5],
    ['a field nobody knows', '/services/0/fare/price', 1],
    ['another of the document', '/price', 1],
    ['a kind nobody knows', '/services/0/fare/kind', 'taxi'],
    ['no instant', '/from', '2026-01-01'],
    ['no date', '/from', '2026-02-30T00:00:00+08:00'],
    ['a misspelt group', '/transfers/0/to', 'buss'],
    ['one line, two services', '/services/2/lines', ['S1'], '/services/2'],
    ['steps that fall', '/services/3/fare/steps/1/uptoM', 6_000],
    ['a pair twice', '/services/3/fare/pairs/1/to', 'M1', '/services/3/fare/pairs/1'],
    ['more sections for less', '/services/1/fare/faresFen/2', 250],
    ['a concession for no service', '/concessions/student/fares/tram', { kind: 'fare', fen: 0 }],
    ['a cap for no class', '/caps/0/classes', ['adult']],
    ['a price below zero', '/transfers/0/price', { kind: 'fare', fen: -1 }, '/transfers/0/price/fen'],
    ['two caps of one name', '/caps/1/id', 'adult day']
  ]
  for (const [what, path, value, where = path] of rows) {
    const checked = checkDocument(changed(firstDocument, path, value))
    const places = checked.ok ? [] : checked.problems.map(problem => problem.where)
    t.strictSame([...new Set(places)], [where], what)
  }
  t.strictSame(checkDocument(structuredClone(firstDocument)), { ok: true, document: firstDocument })
  t.equal(checkDocument(null).ok, false)
})

function changed (document: TariffDocument, path: string, value: unknown): unknown {
  type Node = { [key: string]: Node }
  const copy = structuredClone(document) as unknown as Node
  const keys = path.slice(1).split('/')
  const last = keys.pop() ?? ''
  const holder = keys.reduce((node, key) => node[key] as Node, copy)
  holder[last] = value as Node
  return copy
}

t.test('in an emergency nobody pays, and nothing is used up', async t => {
  const free = { reason: 'flood', treasury: { sharePpm: 500_000, reference: 'card' as const } }
  const flood = faresFrom({ ...firstDocument, free })
  const journeys = check(t, 'every kind of fare', `
    08:00:00  bus 1      0.00
    10:00:00  bus S1 X0  0.00
    10:20:00  bus S1 X2  0.00
    12:00:00  bus S2 X0  0.00
    12:20:00  bus S2 X2  0.00
    14:00:00  bus S2 X0  0.00
    15:00:00  bus 1      0.00
  `, {}, flood)
  t.equal(kinds(journeys), 'complete complete complete one_sided complete')
  t.strictSame(journeys.map(({ treasuryFen }) => treasuryFen), [90, 150, 150, 0, 90],
    'half of 1.80 and of 3.00; of what is not complete nothing')
  const gates = [
    gate(0, '2026-03-02 08:00:00', 'in', 'M0'), gate(1, '2026-03-02 08:30:00', 'out', 'M1'),
    gate(2, '2026-03-02 09:00:00', 'out', 'M0')]
  t.strictSame(amounts(journeysOf(gates, flood)), [0, 0])
  const onlyBus = faresFrom({ ...firstDocument, free: { reason: 'flood', groups: ['bus'] } })
  const asked = { operator: 'BUS', line: '1', from: null, to: null, atMs: at('2026-03-02 08:00:00') }
  t.equal(quote(onlyBus, asked)?.amountFen, 0)
  t.strictSame(amounts(journeysOf([gate(0, '2026-03-02 08:00:00', 'out', 'M0')], onlyBus)), [900],
    'the metro is no part of it')
  const wrong = checkDocument({ ...firstDocument, free: { reason: 'flood', groups: ['buses'] } })
  t.match(wrong, { ok: false, problems: [{ where: '/free/groups' }] })
})

/* ---- random days ---- */

const busy = faresFrom(...busyDocuments)
const sumOf = (fen: readonly number[]): number => fen.reduce((sum, one) => sum + one, 0)
const notZero = (due: Iterable<readonly [number, number]>): (readonly [number, number])[] =>
  [...due].filter(([, fen]) => fen !== 0).sort(([one], [other]) => one - other)

t.test('random days equal those of the slow calculator', async t => {
  const seen = new Set<string>(['zone_fare', 'free_ride']) // a city without zones, and without a flood
  fc.assert(fc.property(randomHistory, days => {
    const { journeys } = priceCard(busy, days)
    const slow = slowFares(days)
    for (const { code } of journeys.flatMap(({ steps }) => steps)) seen.add(code)
    equal(sumOf(amounts(journeys)), Number(slow.totalFen), 'total')
    equal(sumOf(journeys.map(({ treasuryFen }) => treasuryFen)), Number(slow.treasuryFen), 'treasury')
    const slowDue = [...slow.dueByTap].map(([counter, fen]) => [counter, Number(fen)] as const)
    equal(notZero(dueByTap(journeys)), notZero(slowDue), 'due by tap')
    for (const { amountFen, steps, charges } of journeys) {
      equal(sumOf(steps.map(step => step.amountFen)), amountFen, 'steps')
      equal(steps.at(-1)?.afterFen ?? 0, amountFen, 'the last step')
      equal(sumOf(charges.map(charge => charge.amountFen)), amountFen, 'charges')
      equal(amountFen >= 0, true, 'no price below zero')
    }
  }), { numRuns: 400, seed: 2_026 })
  const never = Object.keys(stepTexts).filter(code => !seen.has(code))
  t.strictSame(never, [], 'every rule of the city was at work')
})

t.test('whatever order the records come in', async t => {
  const keys = fc.array(fc.nat(), { minLength: 80, maxLength: 80 })
  fc.assert(fc.property(randomHistory, keys, (days, chance) => {
    const shuffled = days.taps.map((tap, index) => ({ tap, key: chance[index % 80] ?? 0 }))
      .sort((one, other) => one.key - other.key).map(({ tap }) => tap)
    const again = priceCard(busy, {
      ...days, taps: [...shuffled, ...shuffled.slice(0, 3)], corrections: days.corrections.toReversed()
    })
    equal(again.journeys, priceCard(busy, days).journeys, 'another order, another price')
  }), { numRuns: 200 })
  t.pass('200 days')
})

t.test('a terminal that sees every tap asks for what the ledger finds due', async t => {
  fc.assert(fc.property(randomHistory, days => {
    const { journeys, state: end } = priceCard(busy, { ...days, corrections: [] })
    const due = dueByTap(journeys)
    let state: CardState = newCard
    for (const tap of days.taps) {
      const price = priceTap(busy, tap, days.entitlements, state)
      equal(price.dueFen - price.backFen, due.get(tap.counter) ?? 0, `tap ${tap.counter}`)
      state = price.state
    }
    equal([...state.sums], [...end.sums], 'what the card carries')
  }), { numRuns: 200 })
  t.pass('200 days')
})

t.test('two records of a card hold all that its next price depends on', async t => {
  const seen = new Set<string>()
  fc.assert(fc.property(randomHistory, days => {
    const due = dueByTap(priceCard(busy, { ...days, corrections: [] }).journeys)
    let memory: CardMemory = blankMemory
    let last: CardState['last'] = null // the lane knows whom it saw a moment ago
    for (const { counter, ...here } of days.taps) {
      const state = { ...recall(busy, memory, here), last }
      const price = priceTap(busy, { ...here, counter: counters.here }, days.entitlements, state)
      equal(price.dueFen - price.backFen, due.get(counter) ?? 0, `tap ${counter}`)
      last = price.state.last
      const alights = price.journeys.some(one => one.counters.length > 1)
      memory = remember(busy, memory, {
        here, state: price.state, terminal: '0000990000000001', dateTime: '20260302083000', alights,
        amountFen: price.dueFen, markedFen: price.markedFen
      })
      const trip = decode(cityTrip, memory.trip)
      const earned = decode(earnedRecord, memory.earned ?? new Uint8Array())
      if (!trip.ok || !earned.ok) throw new Error('the records are whole')
      seen.add(`state ${trip.value.state}`).add(`used ${earned.value.used}`)
        .add(`lines ${Math.min(2, earned.value.lines)}`)
    }
  }), { numRuns: 400, seed: 2_026 })
  for (const one of ['state 0', 'state 1', 'state 2', 'used 1', 'lines 2']) t.ok(seen.has(one), one)
})

const blankMemory: CardMemory = {
  trip: encode(cityTrip, { id: '2701', length: 0x7D, valid: 1 }),
  earned: encode(earnedRecord, { id: '2702', length: 0x7D, valid: 1 })
}

function equal (found: unknown, wanted: unknown, what: string): void {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)]
  if (one !== other) throw new Error(`${what}: ${one}, wanted ${other}`)
}
