// How many journeys a core prices, a month of them priced again after a tariff was corrected – a million in
// one thread, and as many as told in a ledger on PostgreSQL – and random days beside the slow calculator.
// `npm run bench -- fares [DAYS [JOURNEYS]]`.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Tap } from '../schemas/tariff/journey.ts'
import { dueByTap, priceCard } from '../schemas/tariff/price-card.ts'
import {
  at, busyDocuments, faresFrom, firstDocument, gate, history, secondDocument, tap
} from './fares/city.ts'
import { repriceInLedger } from './fares/month-in-ledger.ts'
import { randomHistory } from './fares/random-days.ts'
import { slowFares } from './fares/slow.ts'

const journeysWanted = 1_000_000
const journeysPerCard = 50

export async function bench (
  { args }: { readonly args: readonly string[] }
): Promise<Record<string, unknown>> {
  const [days = 10_000, ledgerJourneys = 50_000] = args.map(Number)
  const month = repriceMonth()
  const compared = compareDays(days)
  const inLedger = await repriceInLedger(Math.ceil(ledgerJourneys / journeysPerCard), monthOf)
  const { ledgerJourneys: journeys = 0, againSeconds = 0, againHeapMiB, againFirstHeapMiB } = inLedger
  console.log(`${journeys} journeys of a ledger priced again and booked in ${againSeconds.toFixed(1)} s: ` +
    `${(1_000_000 * againSeconds / journeys / 60).toFixed(1)} minutes for a million; ` +
    `heap at most ${againHeapMiB} MiB, ${againFirstHeapMiB} in the first quarter`)
  return { ...month, ...compared, ...inLedger }
}

/** One card after the other, as a job would read them: what is held is one card and two sums. */
function repriceMonth (): Record<string, unknown> {
  const corrected = { ...secondDocument, from: '2026-03-01T04:30:00+08:00' }
  const [before, after] = [faresFrom(firstDocument), faresFrom(firstDocument, corrected)]
  let [journeys, paidFen, dueFen, peakBytes] = [0, 0, 0, 0]
  let seconds = 0
  for (let card = 0; journeys < journeysWanted; card++) {
    const taps = monthOf(card)
    const startMs = performance.now()
    const first = priceCard(before, history(taps)).journeys
    const again = priceCard(after, history(taps)).journeys
    seconds += (performance.now() - startMs) / 1_000
    journeys += first.length
    paidFen += sumOf(first)
    dueFen += sumOf(again)
    if (card % 1_000 === 0) peakBytes = Math.max(peakBytes, process.memoryUsage().heapUsed)
  }
  const perSecond = Math.round(2 * journeys / seconds)
  const heapMiB = Math.round(peakBytes / 2 ** 20)
  console.log(`${journeys} journeys priced and priced again in ${seconds.toFixed(1)} s: ` +
    `${perSecond} journeys/s, heap at most ${heapMiB} MiB; paid ${paidFen}, due ${dueFen}`)
  return { journeys, seconds, perSecond, heapMiB, paidFen, dueFen }
}

const sumOf = (all: readonly { readonly amountFen: number }[]): number =>
  all.reduce((sum, { amountFen }) => sum + amountFen, 0)

/** Two thirds on a bus, one by metro, twice a day, of a month with 31 days. */
function monthOf (card: number): Tap[] {
  const startMs = at('2026-03-01 07:00:00') + card % 3_600 * 1_000
  const taps: Tap[] = []
  for (let ride = 0; ride < journeysPerCard; ride++) {
    const atMs = startMs + Math.floor(ride / 2) * 86_400_000 + ride % 2 * 36_000_000
    const counter = taps.length + 1
    if ((card + ride) % 3 > 0) taps.push({ ...bus, counter, atMs, line: String(ride % 7) })
    else taps.push({ ...entry, counter, atMs }, { ...exit, counter: counter + 1, atMs: atMs + 1_800_000 })
  }
  return taps
}
const bus = tap(1, '2026-03-01 07:00:00')
const entry = gate(1, '2026-03-01 07:00:00', 'in', 'M0')
const exit = gate(2, '2026-03-01 07:00:00', 'out', 'M5')

function compareDays (days: number): Record<string, unknown> {
  const fares = faresFrom(...busyDocuments)
  const startMs = performance.now()
  let taps = 0
  fc.assert(fc.property(randomHistory, card => {
    taps += card.taps.length
    const { journeys } = priceCard(fares, card)
    const slow = slowFares(card)
    assert.equal(sumOf(journeys), Number(slow.totalFen))
    for (const [counter, fen] of dueByTap(journeys)) {
      assert.equal(fen, Number(slow.dueByTap.get(counter) ?? 0n), `tap ${counter}`)
    }
  }), { numRuns: days })
  const comparedSeconds = (performance.now() - startMs) / 1_000
  console.log(`${days} random days (${taps} taps) equal to the fen in ${comparedSeconds.toFixed(0)} s`)
  return { days, taps, comparedSeconds }
}
