// Random days of one card in the city of bench/fares/city.ts, as fast-check makes and shrinks them:
// around the borders of a transit day, a week, a month and a tariff, with exits missing and decided later.
import fc from 'fast-check'
import type { CardHistory, Entitlement, Tap } from '../../schemas/tariff/journey.ts'
import { at, gate, stages, stations, tap } from './city.ts'

/** Seconds between two taps: around the guard, the window, the longest trips, and over night. */
const gaps = [1, 5, 6, 300, 900, 1_800, 3_599, 3_600, 3_601, 7_200, 10_801, 14_400, 14_401, 21_601, 40_000]
const starts = ['2026-02-28 22:00:00', '2026-03-01 03:40:00', '2026-03-01 20:00:00', '2026-03-02 04:00:00',
  '2026-03-31 23:00:00']

const stop = fc.constantFrom(...Object.keys(stages))
const station = fc.constantFrom(...Object.keys(stations))
const sense = fc.constantFrom('in' as const, 'out' as const, 'either' as const)
const gateSense = fc.constantFrom('in' as const, 'out' as const)
const vehicle = fc.constantFrom('V1', 'V2')
const riders = fc.constantFrom(1, 1, 1, 1, 1, 1, 3)

type Build = (counter: number, local: string) => Tap

const flat = fc.record({ line: fc.constantFrom('1', '2', '3'), vehicle }).map(({ line, vehicle }): Build =>
  (counter, local) => tap(counter, local, { line, vehicle }))
const section = fc.record({ line: fc.constantFrom('S1', 'S2'), vehicle, stop, sense }).map((more): Build =>
  (counter, local) => tap(counter, local, more))
const metro = fc.record({ stop: station, sense: gateSense }).map(({ stop, sense }): Build =>
  (counter, local) => gate(counter, local, sense, stop))
/** In and out again. */
const metroRide = fc.record({ from: station, to: station }).map(({ from, to }): readonly Build[] => [
  (counter, local) => gate(counter, local, 'in', from), (counter, local) => gate(counter, local, 'out', to)])
const alone = (builds: fc.Arbitrary<Build>): fc.Arbitrary<readonly Build[]> => builds.map(one => [one])
const lost = fc.constant<Build>((counter, local) => tap(counter, local, { stop: 'nowhere', line: 'S1' }))
const shop = fc.constant<Build>((counter, local) => tap(counter, local, { operator: 'SHP' }))

const move = fc.record({
  gapSeconds: fc.constantFrom(...gaps),
  builds: fc.oneof(
    { weight: 6, arbitrary: alone(flat) }, { weight: 5, arbitrary: alone(section) },
    { weight: 3, arbitrary: alone(metro) }, { weight: 5, arbitrary: metroRide },
    { weight: 1, arbitrary: alone(lost) }, { weight: 1, arbitrary: alone(shop) }),
  rideSeconds: fc.constantFrom(600, 1_800, 3_600, 14_400, 14_401),
  riders,
  /** Where somebody decides later that the trip begun here has ended. */
  decided: fc.option(fc.oneof(station, stop), { nil: null, freq: 6 })
})

const entitlement: fc.Arbitrary<Entitlement> = fc.record({
  class: fc.constantFrom('student', 'senior'),
  from: fc.constantFrom(null, null, '2026-03-02'),
  until: fc.constantFrom(null, null, '2026-03-01', '2026-02-28')
})

export const randomHistory: fc.Arbitrary<CardHistory> = fc.record({
  start: fc.constantFrom(...starts),
  moves: fc.array(move, { minLength: 1, maxLength: 24, size: 'max' }),
  entitlements: fc.array(entitlement, { maxLength: 2 })
}).map(({ start, moves, entitlements }) => {
  const taps: Tap[] = []
  const corrections: CardHistory['corrections'][number][] = []
  let atMs = at(start)
  let counter = 100
  for (const { gapSeconds, builds, rideSeconds, riders, decided } of moves) {
    for (const [part, build] of builds.entries()) {
      atMs += (part === 0 ? gapSeconds : rideSeconds) * 1_000
      for (let rider = 1; rider <= riders; rider++) {
        counter += 1
        taps.push({ ...build(counter, start), atMs, rider, riders })
      }
    }
    if (decided !== null) corrections.push({ entryCounter: counter, stop: decided, atMs: atMs + 1_200_000 })
  }
  return { taps, entitlements, corrections }
})
