// Statistics for everybody: rides in cells of at least five cards. What the files say is made again from the
// records themselves, cell by cell, by code that shares nothing with the ledger's.
import t from 'tap'
import type { TransactionRecord } from '../schemas/record.ts'
import { createRandom } from '../terminal-sim/random.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { card, D, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const cards = 40
const types = ['anonymous', 'anonymous', 'anonymous', 'student', 'senior'] as const
const typeOf = (number: number) => types[number % types.length] ?? 'anonymous'
type Seen = {
  card: number, hour: string, line: string, stop: string, sense: 'either' | 'in' | 'out'
  terminal: 'B1' | 'M1', fen: number
}

/** Busy at eight and on line 1, thin elsewhere, so that every step of pooling has something to do. */
function ridesOf (seed: string): { seen: Seen[], records: TransactionRecord[] } {
  const random = createRandom(seed)
  const below = (max: number): number => random.int(0, max - 1)
  const seen: Seen[] = []
  const records: TransactionRecord[] = []
  for (let number = 0; number < cards; number++) {
    let beforeFen = 10_000
    for (let nth = 1; nth <= 8; nth++) {
      const hour = String(nth < 4 ? 8 : 9 + nth).padStart(2, '0')
      const terminal = below(4) === 0 ? 'M1' : 'B1'
      const line = terminal === 'M1' ? 'M' : below(2) === 0 ? '1' : String(2 + below(30))
      const stop = below(3) === 0 ? `S${below(4)}` : 'S0'
      const sense = terminal === 'B1' ? 'either' : nth % 2 === 0 ? 'in' : 'out'
      const fen = typeOf(number) === 'senior' ? 0 : 100 + 20 * below(4)
      const minute = String(10 + nth).padStart(2, '0')
      records.push(debit(number, nth, terminal, {
        amountFen: fen, balanceBeforeFen: beforeFen, line, ride: { stop, sense },
        dateTime: `${D}${hour}${minute}00`.replaceAll('-', '')
      }))
      seen.push({ card: number, hour, line, stop, sense, terminal, fen })
      beforeFen -= fen
    }
  }
  return { seen, records }
}

/** Rows that must be told, as text without their number; and how many rides are in none. */
function wanted (seen: readonly Seen[]): { rows: string[], left: number } {
  let left = [...seen]
  const rows: string[] = []
  const action = { either: 'Purchase', in: 'Enter', out: 'Exit' }
  for (const hidden of [0, 1, 2, 3, 4]) {
    const cells = new Map<string, Seen[]>()
    for (const one of left) {
      const company = one.terminal === 'M1' ? 'MET' : 'BUS'
      const at = hidden > 2 ? `${D}T00:00:00+08:00` : `${D}T${one.hour}:00:00+08:00`
      const key = [D, at, 'CNY', action[one.sense], `${company}:${hidden > 3 ? '' : one.line}`,
        hidden > 1 ? '' : one.stop, hidden > 0 ? '' : typeOf(one.card), hidden > 2 ? 'All day' : 'Hour']
        .join()
      cells.set(key, [...cells.get(key) ?? [], one])
    }
    left = []
    for (const [key, all] of cells) {
      const people = all.filter(({ card }, at) => all.findIndex(other => other.card === card) === at).length
      if (people < 5) left.push(...all)
      else rows.push(`${key} ${all.length} ${all.reduce((sum, { fen }) => sum + fen, 0)}`)
    }
  }
  return { rows: rows.sort(), left: left.length }
}

const titles = 'transaction_id,service_date,event_timestamp,amount,currency_type,fare_action,pattern_id,' +
  'stop_id,num_riders,fare_media_id,rider_category,fare_period'

function found (csv: string): string[] {
  const [first, ...lines] = csv.trimEnd().split('\r\n')
  t.equal(first, titles)
  return lines.map(line => {
    const [id, date, at, amount, currency, action, pattern, stop, riders, media, category, period] =
      line.split(',')
    t.match(id, /^2026-03-0\d\/\d+$/)
    t.equal(media, 'Smart card or ticket')
    const fen = Math.round(Number(amount) * 100)
    return `${[date, at, currency, action, pattern, stop, category, period].join()} ${riders} ${fen}`
  }).sort()
}

const at = (date: string, table = 'fare_transactions') => `/v1/statistics/${date}/${table}.csv`

async function opened (): Promise<Door> {
  const door = await doors.open('2026-03-02T22:00:00+08:00')
  await door.ok('registrar', 'PUT', '/v1/registry',
    smallCity(Array.from({ length: cards }, (_, number) => card(number, { type: typeOf(number) }))))
  return door
}

t.test('cells of five cards, and what is smaller pooled', async t => {
  const door = await opened()
  const { seen, records } = ridesOf('statistics')
  await deliver(door, 'delivery-1', records)
  t.match((await door.ask('auditor', 'GET', at(D))).json, { status: 409, reason: 'day_state' })
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const csv = (await door.ask('auditor', 'GET', at(D))).text
  const { rows, left } = wanted(seen)
  t.strictSame(found(csv), rows)
  const told = rows.reduce((sum, row) => sum + Number(row.split(' ').at(-2)), 0)
  t.equal(told + left, seen.length, 'every ride is in one row or in none')
  for (const kind of ['student,Hour', ',,Hour', ',All day', 'BUS:,', 'MET:M,,']) {
    t.ok(rows.some(row => row.includes(kind)), `there is a row of ${kind}`)
  }
  t.notMatch(csv, /\d{10}/, 'no number of a card')
  t.notMatch(csv, /T\d\d:(?!00:00\+)/, 'no time but the hour')

  const stations = (await door.ask('clerk', 'GET', at(D, 'station_activities'))).text.trimEnd().split('\r\n')
  t.equal(stations[0], 'date,stop_id,time_period_start,time_period_end,time_period_category,total_entries,' +
    'total_exits,number_of_transactions,transaction_revenue_1,transaction_count_1')
  const sums = new Map<string, number>()
  for (const row of rows) {
    const [, when = '', , , , stop = ''] = row.split(',')
    const key = `${stop} ${when}`
    if (stop !== '') sums.set(key, (sums.get(key) ?? 0) + Number(row.split(' ').at(-2)))
  }
  t.strictSame(stations.slice(1).map(line => {
    const [, stop, when, , , , , rides] = line.split(',')
    return `${stop} ${when} ${rides}`
  }).sort(), [...sums].map(([key, rides]) => `${key} ${rides}`).sort(), 'sums of what is told, and no more')

  // A record that comes late belongs to the next date: the first edition stays as it is.
  const spentFen = seen.filter(one => one.card === 0).reduce((sum, { fen }) => sum + fen, 0)
  await deliver(door, 'delivery-2', [debit(0, 9, 'B1', {
    amountFen: 100, balanceBeforeFen: 10_000 - spentFen,
    line: '1', ride: { stop: 'S0', sense: 'either' }, dateTime: `${D.replaceAll('-', '')}185900`
  })])
  door.clock.set(Date.parse('2026-03-04T01:00:00+08:00'))
  await door.ok('settler', 'POST', '/v1/days/2026-03-03/close')
  t.equal((await door.ask('auditor', 'GET', at(D))).text, csv)
  t.strictSame(found((await door.ask('auditor', 'GET', at('2026-03-03'))).text), [], 'one card is no cell')

  const { items } = await door.ok('auditor', 'GET', '/v1/audit?action=export.give&limit=20')
  t.strictSame(items.map((one: { subject: string }) => one.subject), Array(4).fill('export/statistics'))
  for (const table of ['fare_transactions', 'station_activities']) {
    const none = await door.ask('auditor', 'GET', at('2025-01-01', table))
    t.equal(none.status, 404)
    const open = await door.ask('auditor', 'GET', at('2026-03-04', table))
    t.equal(open.status, 409)
  }
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
t.strictSame(doors.unused().filter(route => /v1\/statistics/.test(route)), [], 'every route was used')
