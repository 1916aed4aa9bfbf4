// What a journey costs: the cases of the trade one by one, then random days beside a second calculator that goes
// another way. Values are those of the city's rules, in fen.
import fc from 'fast-check'
import t from 'tap'
import { apportion, reversed } from '../ledger/services/transit/apportion.ts'
import { daysOfCard } from '../ledger/services/transit/due-and-paid.ts'
import { checkDocument } from '../schemas/tariff/check-document.ts'
import type { TariffDocument } from '../schemas/tariff/document.ts'
import { stepTexts, tellSteps } from '../schemas/tariff/explain.ts'
import type { CardHistory, Journey, Tap } from '../schemas/tariff/journey.ts'
import { distanceFare } from '../schemas/tariff/legs.ts'
import { documentOf } from '../schemas/tariff/of-flat-tariff.ts'
import { mayPay } from '../schemas/tariff/overdraft.ts'
import { dateOf, dayOfJourney, periodOf, transitDay } from '../schemas/tariff/periods.ts'
import { type CardState, dueByTap, newCard, priceCard, priceTap } from '../schemas/tariff/price-card.ts'
import { quote } from '../schemas/tariff/quote.ts'
import { rateOf } from '../schemas/tariff/rate.ts'
import { priceBoarding } from '../schemas/tariff/tariff.ts'
import {
  at, busyDocuments, faresFrom, firstDocument, gate, history, secondDocument, senior, student, tap
} from '../bench/fares/city.ts'
import { randomHistory } from '../bench/fares/random-days.ts'
import { slowFares } from '../bench/fares/slow.ts'

const city = faresFrom(firstDocument)
const priced = (taps: readonly Tap[], more: Partial<CardHistory> = {}): readonly Journey[] =>
  priceCard(city, { ...history(taps), ...more }).journeys
const amounts = (journeys: readonly Journey[]): number[] => journeys.map(({ amountFen }) => amountFen)
const kinds = (journeys: readonly Journey[]): string[] => journeys.map(({ kind }) => kind)
const due = (journeys: readonly Journey[]): Record<number, number> => Object.fromEntries(dueByTap(journeys))

t.test('flat fares', async t => {
  t.strictSame(amounts(priced([tap(1, '2026-02-27 08:00:00')])), [180])
  t.strictSame(amounts(priced([tap(1, '2026-02-28 12:00:00'), tap(2, '2026-03-01 12:00:00')],
    { entitlements: [student('2026-02-28')] })), [100, 180], 'a student until the last of February')
  const [, ended] = priced([tap(1, '2026-02-28 12:00:00'), tap(2, '2026-03-01 12:00:00')],
    { entitlements: [student('2026-02-28')] })
  t.match(ended?.steps[0], { code: 'concession_ended', amountFen: 0, inputs: { until: '2026-02-28' } })
  t.strictSame(amounts(priced([tap(1, '2026-03-01 02:00:00')], { entitlements: [student('2026-02-28')] })), [100],
    'the night belongs to the transit day before')
})

t.test('a senior rides five times a day, the treasury pays', async t => {
  const lines = ['1', '2', '3', '4', '5', '6']
  const journeys = priced(lines.map((line, index) => tap(index + 1, `2026-03-03 1${index}:00:00`, { line })),
    { entitlements: [senior] })
  t.strictSame(amounts(journeys), [0, 0, 0, 0, 0, 0])
  t.strictSame(kinds(journeys), ['complete', 'complete', 'complete', 'complete', 'complete', 'declined'])
  t.strictSame(journeys.map(({ treasuryFen }) => treasuryFen), [200, 200, 200, 200, 200, 0])
  t.equal(kinds(priced([...lines.map((line, index) => tap(index + 1, `2026-03-03 1${index}:00:00`, { line })),
    tap(7, '2026-03-04 04:30:00')], { entitlements: [senior] })).at(-1), 'complete', 'the next transit day')
  const beyond: TariffDocument = {
    ...firstDocument,
    concessions: { senior: { fares: { bus: { kind: 'fare', fen: 0 } }, dailyMax: 5, beyond: 'ordinary' } }
  }
  const paying = priceCard(faresFrom(beyond), history(
    lines.map((line, index) => tap(index + 1, `2026-03-03 1${index}:00:00`, { line })), [senior])).journeys
  t.strictSame(amounts(paying), [0, 0, 0, 0, 0, 180], 'or pays from the sixth on')
})

t.test('metro distances', async t => {
  const { fare } = firstDocument.services[3] ?? {}
  if (fare?.kind !== 'distance') throw new Error('the metro goes by distance')
  const rows = [[6, 3], [6.01, 4], [12, 4], [12.5, 5], [22, 5], [32, 6], [32.1, 7], [52, 7], [52.1, 8]] as const
  for (const [km, yuan] of rows) t.equal(distanceFare(fare, Math.round(km * 1_000)), yuan * 100, `${km} km`)
  t.equal(distanceFare({ steps: fare.steps }, 32_001), null, 'nothing is said of what is beyond')
  const journeys = priced([gate(1, '2026-02-27 08:00:00', 'in', 'M0'), gate(2, '2026-02-27 08:40:00', 'out', 'M7')])
  t.strictSame(amounts(journeys), [800])
  t.strictSame(due(journeys), { 2: 800 }, 'due at the exit')
  t.strictSame(amounts(priced([gate(1, '2026-02-27 08:00:00', 'in', 'M7'), gate(2, '2026-02-27 08:40:00', 'out', 'M0')])),
    [800], 'the way back is as long')
  const late = (minutes: number) => amounts(priced([gate(1, '2026-02-27 08:00:00', 'in', 'M0'),
    { ...gate(2, '2026-02-27 08:00:00', 'out', 'M1'), atMs: at('2026-02-27 08:00:00') + minutes * 60_000 }]))
  t.strictSame([late(240), late(241)], [[300], [600]], 'more than four hours under way')
})

t.test('transfers', async t => {
  const bus = (counter: number, time: string, line: string, more: Partial<Tap> = {}) =>
    tap(counter, `2026-02-27 ${time}`, { line, ...more })
  const way = (counter: number, time: string, end: string): Tap[] =>
    [gate(counter, `2026-02-27 ${time}`, 'in', 'M0'), gate(counter + 1, `2026-02-27 ${end}`, 'out', 'M1')]
  const rows: [string, Tap[], number[]][] = [
    ['on time, then a second late', [bus(1, '08:00:00', '1'), bus(2, '09:00:00', '2'), bus(3, '09:00:01', '3')], [180, 0, 180]],
    ['the same line pays again', [bus(1, '08:00:00', '1'), bus(2, '08:10:00', '1')], [180, 180]],
    ['a line ridden free pays again', [bus(1, '08:00:00', '1'), bus(2, '08:10:00', '2'), bus(3, '08:20:00', '2')], [180, 0, 180]],
    ['who pays again keeps the first window', [bus(1, '08:00:00', '1'), bus(2, '08:50:00', '1'), bus(3, '09:10:00', '2')],
      [180, 180, 180]],
    ['metro after bus', [bus(1, '08:00:00', '1'), ...way(2, '08:59:59', '09:30:00')], [180, 200]],
    ['bus after metro', [...way(1, '08:00:00', '08:30:00'), bus(3, '09:00:00', '1')], [300, 80]],
    ['bus too long after metro was entered', [...way(1, '08:00:00', '08:30:00'), bus(3, '09:00:01', '1')], [300, 180]],
    ['metro after metro', [...way(1, '08:00:00', '08:30:00'), ...way(3, '08:31:00', '08:50:00')], [300, 300]]
  ]
  for (const [what, taps, expected] of rows) t.strictSame(amounts(priced(taps)), expected, what)
  const cheapMetro: TariffDocument = {
    ...firstDocument, concessions: { student: { fares: { metro: { kind: 'rate', paidPpm: 200_000 } } } }
  }
  t.strictSame(amounts(priceCard(faresFrom(cheapMetro), history(
    [bus(1, '08:00:00', '1'), ...way(2, '08:10:00', '08:30:00')], [student('2099-01-01')])).journeys), [180, 0],
  'never below zero')
  t.strictSame(amounts(priced([bus(1, '08:00:00', '1'), bus(2, '08:01:00', '2'), bus(3, '08:30:00', '3')],
    { entitlements: [senior] })), [0, 0, 0])
  const freeFirst: TariffDocument = {
    ...firstDocument,
    services: [{ id: 'free', operators: ['BUS'], lines: ['0'], group: 'bus', fare: { kind: 'flat', fullFen: 0, cardFen: 0 } },
      ...firstDocument.services]
  }
  t.strictSame(amounts(priceCard(faresFrom(freeFirst), history([bus(1, '08:00:00', '0'), bus(2, '08:01:00', '1')])).journeys),
    [0, 180], 'a free ride opens no window')
})

t.test('other transfer prices', async t => {
  const other = (rule: Partial<NonNullable<TariffDocument['transfers']>[number]>): number[] => {
    const transfers = [{
      from: 'bus', to: 'metro', windowSeconds: 1_800, measured: 'start_start' as const,
      price: { kind: 'difference' as const }, ...rule
    }]
    const { caps, ...plain } = firstDocument
    return amounts(priceCard(faresFrom({ ...plain, transfers }), history([
      tap(1, '2026-02-27 08:00:00'), gate(2, '2026-02-27 08:30:00', 'in', 'M0'),
      gate(3, '2026-02-27 08:45:00', 'out', 'M1')])).journeys)
  }
  t.strictSame(other({}), [180, 120], 'the dearer of both in all')
  t.strictSame(other({ price: { kind: 'total', fen: 400 } }), [180, 220])
  t.strictSame(other({ price: { kind: 'total', fen: 100 } }), [180, 0], 'nothing comes back')
  t.strictSame(other({ price: { kind: 'add', fen: 50 } }), [180, 350])
  t.strictSame(other({ measured: 'start_end' }), [180, 300], 'to the arrival it is longer than half an hour')
  t.strictSame(other({ measured: 'end_end', windowSeconds: 2_700 }), [180, 120])
})

t.test('section fares', async t => {
  const on = (counter: number, time: string, line: string, stop: string, vehicle = 'V1') =>
    tap(counter, `2026-02-27 ${time}`, { line, stop, vehicle })
  const rows: [string, Tap[], string[], Record<number, number>][] = [
    ['debit, two sections', [on(1, '08:00:00', 'S2', 'X0'), on(2, '08:20:00', 'S2', 'X2')], ['complete'], { 1: 400, 2: -100 }],
    ['debit, no exit', [on(1, '08:00:00', 'S2', 'X0')], ['open'], { 1: 400 }],
    ['debit, another vehicle', [on(1, '08:00:00', 'S2', 'X0'), on(2, '10:20:00', 'S2', 'X2', 'V2')], ['one_sided', 'open'],
      { 1: 400, 2: 400 }],
    ['mark, two sections', [on(1, '08:00:00', 'S1', 'X0'), on(2, '08:20:00', 'S1', 'X2')], ['complete'], { 2: 300 }],
    ['mark, one and four sections', [on(1, '08:00:00', 'S1', 'X1'), on(2, '08:20:00', 'S1', 'X1'),
      on(3, '10:00:00', 'S1', 'X4'), on(4, '10:20:00', 'S1', 'X0')], ['complete', 'complete'], { 2: 200, 4: 400 }],
    ['mark, no exit: at the next tap', [on(1, '08:00:00', 'S1', 'X0'), tap(2, '2026-02-27 12:00:00')],
      ['one_sided', 'complete'], { 2: 400 + 180 }],
    ['mark, on the same vehicle next morning', [on(1, '08:00:00', 'S1', 'X0'), tap(2, '2026-02-28 08:00:00', { line: 'S1', stop: 'X2' })],
      ['one_sided', 'open'], { 2: 400 }],
    ['a stop that the tariff does not know', [on(1, '08:00:00', 'S1', 'X0'), on(2, '08:20:00', 'S1', 'constructor')],
      ['one_sided'], { 2: 400 }]
  ]
  for (const [what, taps, kind, expected] of rows) {
    const journeys = priced(taps)
    t.strictSame(kinds(journeys), kind, what)
    t.strictSame(due(journeys), expected, what)
  }
  const marked = priceTap(city, on(1, '08:00:00', 'S1', 'X0'), [], newCard)
  t.match(marked, { dueFen: 0, backFen: 0, markedFen: 400 })
  t.match(priceTap(city, on(2, '08:20:00', 'S1', 'X2'), [], marked.state), { dueFen: 300, backFen: 0, markedFen: 0 })
  const debited = priceTap(city, on(1, '08:00:00', 'S2', 'X0'), [], newCard)
  t.match(debited, { dueFen: 400, backFen: 0 })
  t.match(priceTap(city, on(2, '08:20:00', 'S2', 'X2'), [], debited.state), { dueFen: 0, backFen: 100 })
})

t.test('the same reader twice, and groups', async t => {
  const twice = [tap(1, '2026-02-27 08:00:00'), tap(2, '2026-02-27 08:00:05'), tap(3, '2026-02-27 08:00:06')]
  t.strictSame(kinds(priced(twice)), ['complete', 'duplicate', 'complete'])
  t.strictSame(amounts(priced(twice)), [180, 0, 180])
  const group = [1, 2, 3].map(rider => tap(rider, '2026-02-27 08:00:00', { rider, riders: 3 }))
  t.strictSame(amounts(priced(group)), [180, 180, 180], 'three charges, three counters')
  t.strictSame(amounts(priced(group, { entitlements: [student('2099-01-01')] })), [100, 180, 180])
  const holders = faresFrom({ ...firstDocument, companions: { asHolder: true } })
  t.strictSame(amounts(priceCard(holders, history(group, [student('2099-01-01')])).journeys), [100, 100, 100])
  t.strictSame(amounts(priced([tap(9, '2026-02-27 07:59:00', { line: '7', counter: 0 }), ...group])), [180, 180, 180, 180],
    'a group does not transfer')
  t.strictSame(amounts(priced([...group, tap(4, '2026-02-27 08:10:00', { line: '2' })])).at(-1), 0, 'its holder does later')
})

t.test('missing exits, and what is decided later', async t => {
  const entered = gate(1, '2026-02-27 08:00:00', 'in', 'M0')
  const next = tap(2, '2026-02-27 12:00:00')
  t.strictSame(due(priced([entered])), {}, 'nothing is due while it is open')
  t.strictSame(due(priced([entered, next])), { 2: 900 + 180 })
  t.strictSame(due(priced([gate(1, '2026-02-27 08:00:00', 'out', 'M0')])), { 1: 900 }, 'no entry')
  const corrections = [{ entryCounter: 1, stop: 'M3', atMs: at('2026-02-27 08:30:00') }]
  const corrected = priced([entered, next], { corrections })
  t.strictSame(kinds(corrected), ['corrected', 'complete'])
  t.strictSame(due(corrected), { 2: 400 + 180 })
  const { days } = daysOfCard(city, {
    ...history([entered, next]), corrections,
    taps: [{ ...entered, paidFen: 0 }, { ...next, paidFen: 1_080 }]
  })
  t.match(days, [{ day: '2026-02-27', dueFen: 580, paidFen: 1_080, refundFen: 500, reportedFen: 0 }])
  const exit = gate(2, '2026-02-27 08:20:00', 'out', 'M1')
  t.strictSame(due(priced([entered, exit, { ...next, counter: 3 }], { corrections })), { 2: 300, 3: 180 },
    'an exit that comes in late counts more than what was decided')
  const boarded = tap(1, '2026-02-27 08:00:00', { line: 'S2', stop: 'X0' })
  t.strictSame(due(priced([boarded], { corrections: [{ entryCounter: 1, stop: 'X2', atMs: at('2026-02-27 08:30:00') }] })),
    { 1: 300 }, 'what boarding took comes back without another tap')
})

t.test('caps by day and week', async t => {
  const rides = (count: number, date: string, first: number): Tap[] => Array.from({ length: count }, (_, index) => ({
    ...tap(first + index, `${date} 06:00:00`, { line: '9', vehicle: `V${index}` }),
    atMs: at(`${date} 06:00:00`) + index * 3_601_000
  }))
  t.strictSame(amounts(priced(rides(10, '2026-02-24', 1))), [180, 180, 180, 180, 180, 180, 180, 180, 60, 0])
  const week = ['2026-02-23', '2026-02-24', '2026-02-25', '2026-02-26', '2026-02-27', '2026-02-28', '2026-03-01', '2026-03-02']
  const all = amounts(priced(week.flatMap((date, index) => rides(10, date, index * 10 + 1))))
  const days = week.map((_, index) => all.slice(index * 10, index * 10 + 10).reduce((sum, fen) => sum + fen, 0))
  t.strictSame(days, [1_500, 1_500, 1_500, 1_500, 0, 0, 0, 1_500], 'Monday to Sunday')
  const onesided = [gate(0, '2026-02-24 05:00:00', 'out', 'M0'), ...rides(9, '2026-02-24', 1)]
  t.strictSame(amounts(priced(onesided)), [900, 180, 180, 180, 180, 180, 180, 180, 180, 60], 'one-sided journeys are outside')
  const night = [...rides(9, '2026-02-24', 1), tap(10, '2026-02-25 04:29:59', { line: '8' }), tap(11, '2026-02-25 04:30:00', { line: '7' })]
  t.strictSame(amounts(priced(night)).slice(-2), [0, 180])
})

t.test('a monthly ladder counts for the trips after it', async t => {
  const ladders = [{
    id: 'metro',
    steps: [{ fromFen: 10_000, paidPpm: 800_000 }, { fromFen: 15_000, paidPpm: 500_000 }, { fromFen: 40_000, paidPpm: 1_000_000 }]
  }]
  const { caps, ...plain } = firstDocument
  const document = { ...plain, ladders }
  const ride = (index: number, month: string): Tap[] => {
    const date = `${month}-${String(1 + Math.floor(index / 8)).padStart(2, '0')}`
    const hour = String(6 + 2 * (index % 8)).padStart(2, '0')
    const first = 1_000 * Number(month.slice(-2)) + 2 * index
    return [gate(first, `${date} ${hour}:00:00`, 'in', 'M0'), gate(first + 1, `${date} ${hour}:40:00`, 'out', 'M5')]
  }
  const rides = Array.from({ length: 140 }, (_, index) => ride(index, '2026-01')).flat()
  const { journeys } = priceCard(faresFrom(document), history([...rides, ...ride(0, '2026-02')]))
  const paid = amounts(journeys)
  // 20 × 5.00 = 100.00; 13 × 4.00 reach 152.00; 100 × 2.50 reach 402.00; then 5.00 again.
  t.strictSame(paid.slice(18, 22), [500, 500, 400, 400])
  t.strictSame(paid.slice(31, 35), [400, 400, 250, 250])
  t.strictSame(paid.slice(131, 135), [250, 250, 500, 500])
  t.equal(paid.at(-1), 500, 'a new month')
})

t.test('transit days', async t => {
  const calendar = { utcOffsetMinutes: 480, transitDay: { startsAtMinute: 270, crossing: 'start' as const } }
  const day = (local: string) => dateOf(transitDay(calendar, at(local)))
  t.strictSame([day('2026-03-02 04:29:59'), day('2026-03-02 04:30:00')], ['2026-03-01', '2026-03-02'])
  const over = (crossing: 'start' | 'end' | 'end_after_midnight', from: string) => dateOf(dayOfJourney(
    { ...calendar, transitDay: { startsAtMinute: 270, crossing } }, at(from), at('2026-03-02 04:40:00')))
  t.equal(over('start', '2026-03-02 04:10:00'), '2026-03-01')
  t.equal(over('end', '2026-03-01 23:50:00'), '2026-03-02')
  t.equal(over('end_after_midnight', '2026-03-01 23:50:00'), '2026-03-01')
  t.equal(over('end_after_midnight', '2026-03-02 00:10:00'), '2026-03-02')
  const weekOf = (date: string) => periodOf('week', transitDay(calendar, at(`${date} 12:00:00`)))
  t.equal(weekOf('2026-03-02'), weekOf('2026-03-08'), 'Monday to Sunday')
  t.not(weekOf('2026-03-01'), weekOf('2026-03-02'))
})

t.test('a new tariff counts from its instant', async t => {
  const both = faresFrom(secondDocument, firstDocument)
  const at5 = history([tap(1, '2026-03-02 04:59:59', { line: '1' }), tap(2, '2026-03-02 05:00:00', { line: '1', reader: 'other' })])
  const { journeys } = priceCard(both, at5)
  t.strictSame(amounts(journeys), [180, 200])
  t.strictSame(journeys.map(({ tariffVersion }) => tariffVersion), [1, 2])
  t.match(priceCard(both, history([tap(1, '2025-12-31 23:59:59')])).journeys, [{ kind: 'unpriced', charges: [] }])
  t.equal(quote(both, { operator: 'MET2', line: '', from: 'M0', to: 'M2', atMs: at('2026-03-03 08:00:00') })?.amountFen, 400)
})

t.test('tariffs of before cost the same', async t => {
  const tariff = {
    version: 3, from: '2026-01-01T00:00:00+08:00',
    operators: { BUS: { kind: 'flat' as const, fareFen: 200, cardFareFen: 180, byCardType: { student: 100, anonymous: 190 } } }
  }
  const fares = faresFrom(documentOf(tariff))
  for (const cardType of ['student', 'anonymous', 'named']) {
    t.strictSame(amounts(priceCard(fares, history([tap(1, '2026-02-27 08:00:00')],
      [{ class: cardType, from: null, until: null }])).journeys), [priceBoarding(tariff, 'BUS', cardType)?.amountFen], cardType)
  }
})

t.test('below zero once', async t => {
  const rows = [
    [100, 180, 'paid'], [-80, 180, 'insufficient_funds'], [1_920, 180, 'paid'], [0, 180, 'insufficient_funds'],
    [100, 900, 'paid'], [100, 901, 'insufficient_funds'], [180, 180, 'paid'], [-80, 0, 'paid']
  ] as const
  for (const [balanceFen, dueFen, expected] of rows) t.equal(mayPay(balanceFen, dueFen, 800), expected, `${balanceFen} ${dueFen}`)
  t.equal(mayPay(100, 180, 0), 'insufficient_funds', 'a city without it')
})

t.test('shares of operators', async t => {
  const legs = [{ operator: 'A', metres: 13_200 }, { operator: 'B', metres: 7_900 }, { operator: 'C', metres: 700 }]
  const shares = apportion(500n, legs, 'A')
  t.strictSame(shares.map(({ amountFen }) => amountFen), [303n, 181n, 16n])
  t.strictSame(reversed(shares).map(({ amountFen }) => amountFen), [-303n, -181n, -16n])
  t.strictSame(apportion(-500n, legs, 'A'), reversed(shares), 'split again it would be the same')
  t.strictSame(apportion(1n, ['A', 'B', 'C'].map(operator => ({ operator, metres: 5 })), 'A').map(({ amountFen }) => amountFen),
    [1n, 0n, 0n])
  t.strictSame(apportion(500n, [], 'MET'), [{ operator: 'MET', amountFen: 500n }])
  t.strictSame(apportion(10n, [...legs, { operator: 'A', metres: 1 }], 'A').map(({ operator }) => operator), ['A', 'B', 'C'])
  const [journey] = priced([gate(1, '2026-02-27 08:00:00', 'in', 'M1'), gate(2, '2026-02-27 08:40:00', 'out', 'M5')])
  t.strictSame(journey?.legs, [{ operator: 'MET', metres: 7_200 }, { operator: 'MET2', metres: 7_900 }, { operator: 'MET3', metres: 900 }])
})

t.test('due beside paid', async t => {
  const paid = (taps: readonly (Tap & { paidFen: number })[]) => daysOfCard(city, { ...history([]), taps }).days
  const [first, second] = [tap(1, '2026-02-27 08:00:00'), tap(2, '2026-02-27 08:30:00', { line: '2' })]
  t.match(paid([{ ...second, paidFen: 180 }]), [{ refundFen: 0, taps: [] }], 'the first record is not here yet')
  const late = paid([{ ...second, paidFen: 180 }, { ...first, paidFen: 180 }])
  t.match(late, [{ dueFen: 180, paidFen: 360, refundFen: 180, reportedFen: 0, taps: [{ counter: 2, dueFen: 0, paidFen: 180 }] }])
  t.match(paid([{ ...first, paidFen: 100 }]), [{ refundFen: 0, reportedFen: 80 }], 'less than due is told, not taken')
  t.match(paid([{ ...first, paidFen: 0 }, { ...second, paidFen: 180 }]), [{ refundFen: 0, reportedFen: 0 }], 'the day is right')
  t.strictSame(paid([{ ...tap(3, '2026-02-27 09:00:00', { operator: 'SHP' }), paidFen: 5_000 }]), [], 'no tariff')
})

t.test('rates are half up', async t => {
  const rows = [[180, 3_000, 1], [1, 500_000, 1], [3, 500_000, 2], [0, 1_000_000, 0], [10_000_000, 999_999, 9_999_990]] as const
  for (const [fen, ppm, expected] of rows) t.equal(rateOf(fen, ppm), expected, `${fen} × ${ppm}`)
})

t.test('explanations', async t => {
  const [, metro] = priced([tap(1, '2026-02-27 08:00:00'), gate(2, '2026-02-27 08:30:00', 'in', 'M0'),
    gate(3, '2026-02-27 09:00:00', 'out', 'M1')])
  t.strictSame(tellSteps(metro?.steps ?? [], 'en', 'CNY'), [
    'metro M0 to M1, 6000 m: 3.00', 'transfer from bus after 1800 s: -1.00', 'total: 2.00 CNY'])
  t.strictSame(tellSteps(metro?.steps ?? [], 'zh', 'CNY'), [
    'metro M0 至 M1，6000 米：3.00', '1800 秒内自 bus 换乘：-1.00', '合计：2.00 CNY'])
  const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()
  for (const [code, { zh, en }] of Object.entries(stepTexts)) t.strictSame(holes(zh), holes(en), code)
})

t.test('documents that are wrong', async t => {
  const broken = (change: (document: Record<string, never>) => void): string[] => {
    const document = structuredClone(firstDocument) as unknown as Record<string, never>
    change(document)
    const checked = checkDocument(document)
    return checked.ok ? [] : checked.problems.map(({ where }) => where)
  }
  type Loose = { [key: string]: Loose } & Loose[]
  const rows: [string, (document: Loose) => unknown, string][] = [
    ['a fen that is none', document => Object.assign(document['services']?.[0]?.['fare'] ?? {}, { cardFen: 1.5 }), '/services/0/fare/cardFen'],
    ['a field nobody knows', document => Object.assign(document['services']?.[0]?.['fare'] ?? {}, { price: 1 }), '/services/0/fare'],
    ['a kind nobody knows', document => Object.assign(document['services']?.[0]?.['fare'] ?? {}, { kind: 'taxi' }), '/services/0/fare/kind'],
    ['no instant', document => Object.assign(document, { from: '2026-01-01' }), '/from'],
    ['a misspelt group', document => Object.assign(document['transfers']?.[0] ?? {}, { to: 'buss' }), '/transfers/0/to'],
    ['one line, two services', document => Object.assign(document['services']?.[2] ?? {}, { lines: ['S1'] }), '/services/2'],
    ['steps that fall', document => Object.assign(document['services']?.[3]?.['fare']?.['steps']?.[1] ?? {}, { uptoM: 6_000 }), '/services/3/fare/steps/1/uptoM'],
    ['a pair twice', document => Object.assign(document['services']?.[3]?.['fare']?.['pairs']?.[1] ?? {}, { from: 'M1', to: 'M0' }), '/services/3/fare/pairs/1'],
    ['a concession for no service', document => Object.assign(document['concessions']?.['student']?.['fares'] ?? {}, { tram: { kind: 'fare', fen: 0 } }), '/concessions/student/fares/tram'],
    ['a cap for no class', document => Object.assign(document['caps']?.[0] ?? {}, { classes: ['adult'] }), '/caps/0/classes'],
    ['a price that is none', document => Object.assign(document['transfers']?.[0] ?? {}, { price: { kind: 'fare', fen: -1 } }), '/transfers/0/price/fen']
  ]
  for (const [what, change, where] of rows) {
    t.strictSame([...new Set(broken(change as never))], [where], what)
  }
  t.strictSame(checkDocument(structuredClone(firstDocument)), { ok: true, document: firstDocument })
  t.equal(checkDocument(null).ok, false)
})

/* ---- random days ---- */

const busy = faresFrom(...busyDocuments)

t.test('random days equal those of the slow calculator', async t => {
  fc.assert(fc.property(randomHistory, fc.infiniteStream(fc.nat()), (days, chance) => {
    const { journeys } = priceCard(busy, days)
    const slow = slowFares(days)
    const sum = (of: (journey: Journey) => number) => journeys.reduce((total, journey) => total + of(journey), 0)
    if (sum(({ amountFen }) => amountFen) !== Number(slow.totalFen)) throw new Error(`total ${slow.totalFen}`)
    if (sum(({ treasuryFen }) => treasuryFen) !== Number(slow.treasuryFen)) throw new Error(`treasury ${slow.treasuryFen}`)
    const due = [...dueByTap(journeys)].filter(([, fen]) => fen !== 0).sort(([one], [other]) => one - other)
    const slowDue = [...slow.dueByTap].map(([counter, fen]) => [counter, Number(fen)] as const)
      .filter(([, fen]) => fen !== 0).sort(([one], [other]) => one - other)
    if (JSON.stringify(due) !== JSON.stringify(slowDue)) throw new Error(`due ${JSON.stringify({ due, slowDue })}`)
    for (const { amountFen, steps, charges } of journeys) {
      const stepFen = steps.reduce((total, step) => total + step.amountFen, 0)
      const chargeFen = charges.reduce((total, charge) => total + charge.amountFen, 0)
      if (amountFen < 0 || stepFen !== amountFen || chargeFen !== amountFen) throw new Error('steps, charges and amount')
    }
    const shuffled = days.taps.map(tap => ({ tap, key: chance.next().value ?? 0 }))
      .sort((one, other) => one.key - other.key).map(({ tap }) => tap)
    const again = priceCard(busy, { ...days, taps: [...shuffled, ...shuffled.slice(0, 3)], corrections: days.corrections.toReversed() })
    if (JSON.stringify(again.journeys) !== JSON.stringify(journeys)) throw new Error('another order, another price')
  }), { numRuns: 400 })
  t.pass('400 days')
})

t.test('a terminal that sees every tap asks for what the ledger finds due', async t => {
  fc.assert(fc.property(randomHistory, days => {
    const { journeys, state: end } = priceCard(busy, { ...days, corrections: [] })
    const due = dueByTap(journeys)
    let state: CardState = newCard
    for (const tap of days.taps) {
      const price = priceTap(busy, tap, days.entitlements, state)
      if (price.dueFen - price.backFen !== (due.get(tap.counter) ?? 0)) throw new Error(`tap ${tap.counter}`)
      state = price.state
    }
    if (JSON.stringify([...state.sums]) !== JSON.stringify([...end.sums])) throw new Error('what the card carries')
  }), { numRuns: 200 })
  t.pass('200 days')
})
