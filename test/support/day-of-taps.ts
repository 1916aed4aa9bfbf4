// The day of a card as a table that a bus person can read: when, where, and what is due at that tap in yuan.
//
//   2026-02-27                     the date of the rows below
//   08:00:00  bus 1                1.80
//   08:30:00  metro in M0          0.00
//   09:00:00  metro out M1         2.00
//   10:00:00  bus S2 X0 of V2      4.00     at stop X0, in vehicle V2
//   11:00:00  bus 1, 2 of 3        1.80     the second person of three
//   12:00:00  shop                 0.00
import { dueByTap, priceCard } from '../../schemas/tariff/price-card.ts'
import { yuan } from '../../schemas/tariff/explain.ts'
import type { Fares } from '../../schemas/tariff/fares.ts'
import type { CardHistory, Journey, Tap } from '../../schemas/tariff/journey.ts'
import { gate, tap } from '../../bench/fares/city.ts'

export type Day = { readonly taps: readonly Tap[], readonly rows: readonly string[] }

/** Counters are those of the rows, from 1. */
export function dayOfTaps (table: string): Day {
  const lines = table.split('\n').map(line => line.trim()).filter(line => line !== '')
  let date = '2026-02-27'
  const taps: Tap[] = []
  const rows: string[] = []
  for (const line of lines) {
    if (/^\d{4}-\d\d-\d\d$/.test(line)) {
      date = line
      continue
    }
    const [, time, what, amount] = /^(\S+)\s+(.*?)\s+(-?\d+\.\d\d)$/.exec(line) ?? []
    if (time === undefined || what === undefined || amount === undefined) {
      throw new Error(`not a tap: ${line}`)
    }
    taps.push(tapOf(taps.length + 1, `${date} ${time}`, what))
    rows.push(`${date} ${time} ${what}: ${amount}`)
  }
  return { taps, rows }
}

function tapOf (counter: number, local: string, what: string): Tap {
  const [, place = '', rider = '1', riders = '1'] = /^(.*?)(?:, (\d) of (\d))?$/.exec(what) ?? []
  const people = { rider: Number(rider), riders: Number(riders) }
  const [kind, ...words] = place.split(' ')
  if (kind === 'shop') return tap(counter, local, { operator: 'SHP' })
  if (kind === 'metro') {
    const [sense, stop = ''] = words
    return gate(counter, local, sense === 'in' ? 'in' : 'out', stop, people)
  }
  const bus = /^(\S+)(?: (X\S+))?(?: of (V\S+))?$/.exec(words.join(' ')) ?? []
  const [, line = '', stop = null, vehicle = 'V1'] = bus
  return tap(counter, local, { line, stop, vehicle, ...people })
}

export type Priced = {
  readonly wanted: readonly string[], readonly found: readonly string[], readonly journeys: readonly Journey[]
}

/** The same table with what is due by the tariff, and the journeys that it comes of. */
export function priceDay (
  fares: Fares, table: string, more: Partial<CardHistory> = {}
): Priced {
  const { taps, rows } = dayOfTaps(table)
  const { journeys } = priceCard(fares, { taps, entitlements: [], corrections: [], ...more })
  const due = dueByTap(journeys)
  const found = rows.map((row, index) => row.replace(/: \S+$/, `: ${yuan(due.get(index + 1) ?? 0)}`))
  return { wanted: rows, found, journeys }
}
