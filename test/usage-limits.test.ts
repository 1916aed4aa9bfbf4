// What one card and one terminal may move at once and in a day: requests are declined with the limit named,
// whoever asks at the same moment; money that comes back makes room; what chips paid is never refused, it is
// found. A limit begins with a day that is to come and takes two people.
import t, { type Test } from 'tap'
import type { Registry, UsageLimit } from '../schemas/api.ts'
import { boundsOf } from '../ledger/core/usage-limits.ts'
import { answerRequests } from '../ledger/posting/requests.ts'
import { retain } from '../ledger/upkeep.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, D, D1, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const limit = (text: string): UsageLimit => {
  const [of, per, operator, terminal, from, fenMax] = text.split(/\s+/) as [string, string, string, string, string, string]
  const orNull = (said: string) => said === '-' ? null : said
  return {
    of: of as UsageLimit['of'], per: per as UsageLimit['per'], operator: orNull(operator),
    terminal: orNull(terminal), from, fenMax: fenMax === 'none' ? null : Number(fenMax)
  }
}
const limits = (table: string): UsageLimit[] =>
  table.split('\n').map(line => line.trim()).filter(Boolean).map(limit)

const opened = async (table: string, more: Partial<Registry> = {}): Promise<Door> => {
  const door = await doors.open()
  const cards = [0, 1, 2, 3].map(number => card(number))
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity(cards, { usageLimits: limits(table), ...more }))
  return door
}

/** `top_up k1 0 1000 SHP POS1 -> approved 1000`; the amount is what the online account holds then. */
async function story (t: Test, door: Door, table: string): Promise<void> {
  for (const line of table.split('\n').map(line => line.trim()).filter(Boolean)) {
    const [said = '', expected = ''] = line.split('->').map(part => part.trim())
    const [kind = '', key = '', of = '', amount = '', party = '', terminal] = said.split(/\s+/)
    const shared = { kind, key: `request-${key}` }
    const taken = { ...shared, of: { key: `request-${of}` } }
    const json = kind === 'reversal'
      ? { ...taken, ...amount === 'all' ? {} : { amountFen: Number(amount) } }
      : kind === 'reinstatement'
        ? taken
        : {
            ...shared, card: cardOf(Number(of)), amountFen: Number(amount), party,
            ...terminal === undefined ? {} : { terminal }
          }
    const reply = await door.ok('gateway', 'POST', '/v1/requests', json)
    const rule = reply.rule === undefined ? '' : ` (${reply.rule})`
    t.equal(`${reply.reason === 'ok' ? reply.balanceFen : reply.reason}${rule}`, expected, said)
  }
}

t.test('the nearest limit counts, of those the newest that has begun', async t => {
  const all = limits(`
    purchase terminal_day - -  2026-01-01 900
    purchase terminal_day - -  2026-03-01 800
    purchase terminal_day - -  2026-03-05 700
    purchase terminal_day B -  2026-01-01 600
    purchase terminal_day B T1 2026-01-01 500
    purchase terminal_day B T2 2026-01-01 none
    load     terminal_day - -  2026-01-01 100`)
  const maxAt = (operator: string | null, terminal: string | null, date: string) => boundsOf(all,
    { of: 'purchase', card: { bucket: 1, cardId: 1n }, operator, terminal, date })
    .map(({ fenMax }) => Number(fenMax))
  t.strictSame(maxAt('A', 'T1', '2025-12-31'), [], 'not begun')
  t.strictSame(maxAt('A', 'T1', '2026-02-28'), [900])
  t.strictSame(maxAt('A', 'T1', '2026-03-01'), [800])
  t.strictSame(maxAt('A', 'T1', '2026-03-05'), [700])
  t.strictSame(maxAt('B', 'T9', '2026-03-05'), [600])
  t.strictSame(maxAt('B', 'T1', '2026-03-05'), [500])
  t.strictSame(maxAt('B', 'T2', '2026-03-05'), [], 'lifted')
  t.strictSame(maxAt('B', null, '2026-03-05'), [], 'nobody told where')
})

t.test('a card has its day: what comes back makes room, and midnight does', async t => {
  const door = await opened(`
    purchase card_day - - 2026-01-01 500
    load card_day - - 2026-01-01 2000`)
  await story(t, door, `
    top_up        a1 0  1500 SHP -> 1500
    top_up        a2 0  600  SHP -> card_day_limit (money taken in of one card in a day: 20.00 yuan at most)
    top_up        a3 0  500  SHP -> 2000
    top_up        a4 1  2000 SHP -> 2000
    purchase      b1 0  300  BUS -> 1700
    purchase      b2 0  201  MET -> card_day_limit (purchases of one card in a day: 5.00 yuan at most)
    purchase      b2 0  201  MET -> card_day_limit (purchases of one card in a day: 5.00 yuan at most)
    purchase      b3 0  200  MET -> 1500
    purchase      b4 1  500  MET -> 1500
    reversal      c1 b1 100      -> 1600
    purchase      c2 0  101  BUS -> card_day_limit (purchases of one card in a day: 5.00 yuan at most)
    purchase      c3 0  100  BUS -> 1500
    reversal      c4 b3 all      -> 1700
    reinstatement c5 c4          -> 1500
    purchase      c6 0  1    BUS -> card_day_limit (purchases of one card in a day: 5.00 yuan at most)`)
  door.clock.set(Date.parse(`${D1}T00:00:01+08:00`))
  await story(t, door, `
    purchase      d1 0  500  BUS -> 1000
    reversal      d2 b3 all      -> 1200
    purchase      d3 0  1    BUS -> card_day_limit (purchases of one card in a day: 5.00 yuan at most)`)
  const left = async () => (await door.db.query('select count(*) as n from usage')).rows[0]?.n
  t.equal(await left(), 5n, 'two cards, two kinds, and a second day')
  const nowMs = Date.parse('2026-04-15T00:00:00+08:00')
  await retain(door.db, { nowMs, apply: true })
  t.equal(await left(), 0n)
  await door.close()
})

t.test('a terminal has its own; another one, and whoever tells none, has not', async t => {
  const door = await opened(`
    purchase terminal_once - -  2026-01-01 400
    purchase terminal_day  BUS - 2026-01-01 9000
    purchase terminal_day  BUS B1 2026-01-01 600`)
  await story(t, door, `
    top_up   a1 0  5000 SHP     -> 5000
    purchase a2 0  401  BUS B1  -> terminal_limit (purchases at this terminal at once: 4.00 yuan at most)
    purchase a3 0  400  BUS B1  -> 4600
    purchase a4 0  201  BUS B1  -> terminal_day_limit (purchases at this terminal in a day: 6.00 yuan at most)
    purchase a5 0  400  BUS B2  -> 4200
    purchase a6 0  400  MET B1  -> 3800
    purchase a7 0  2000 BUS     -> 1800
    purchase a8 0  200  BUS B1  -> 1600`)
  await door.close()
})

t.test('two desks at once let a card through its limit no further than one', async t => {
  const door = await opened('purchase card_day - - 2026-01-01 500')
  await story(t, door, 'top_up a1 0 5000 SHP -> 5000')
  const ask = async (desk: string, from: number) => await answerRequests(door.ledger,
    Array.from({ length: 5 }, (_, nth) => ({
      client: 'GW1', party: null,
      request: {
        kind: 'purchase' as const, key: `${desk}-${from + nth}-key`, card: cardOf(0), amountFen: 100,
        party: 'BUS'
      }
    })))
  const answers = (await Promise.all([ask('one', 0), ask('two', 0), ask('three', 0)])).flat()
  const approved = answers.filter(one => 'outcome' in one && one.outcome === 'approved')
  t.equal(approved.length, 5)
  t.equal(answers.filter(one => 'outcome' in one && one.reason === 'card_day_limit').length, 10)
  await door.close()
})

t.test('what chips paid is booked whatever it is; somebody is told at the close', async t => {
  const door = await opened(`
    debit card_day      -   -  2026-01-01 500
    debit terminal_once -   -  2026-01-01 450
    debit terminal_day  BUS B1 2026-01-01 1000`)
  const at = (hour: number) => `2026030${hour < 24 ? 2 : 3}${String(hour % 24).padStart(2, '0')}0000`
  const paid = (number: number, nth: number, amountFen: number, hour: number, terminal: 'B1' | 'B2' = 'B1') =>
    debit(number, nth, terminal, {
      amountFen, balanceBeforeFen: 10_000 - 300 * (nth - 1), dateTime: at(hour)
    })
  const { results } = await deliver(door, 'delivery-1', [
    paid(0, 1, 300, 7), paid(0, 2, 300, 8), // 6.00 in a day
    paid(1, 1, 300, 9), paid(2, 1, 451, 10, 'B2')
  ])
  t.strictSame(results.map(({ reason }: { reason: string }) => reason), ['ok', 'ok', 'ok', 'ok'])
  door.clock.set(Date.parse(`${D1}T01:00:00+08:00`))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const told = async () => (await door.ok('auditor', 'GET', '/v1/alerts?kind=usage_over_limit')).items
    .map((one: { about: string, clearingDate: string, evidence: { fen: number, fenMax: number } }) =>
      `${one.clearingDate} ${one.about} ${one.evidence.fen} > ${one.evidence.fenMax}`).sort()
  const first = [/^2026-03-02 card\/.*@2026-03-02 600 > 500$/, `${D} terminal/BUS/B2@${D} 451 > 450`]
  t.match(await told(), first)
  t.equal((await told()).length, 2)
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.equal((await told()).length, 2, 'closed again, nothing is told twice')

  // The first belongs to the day before.
  await deliver(door, 'delivery-2', [paid(1, 2, 300, 23), paid(3, 1, 300, 25)])
  door.clock.set(Date.parse('2026-03-04T01:00:00+08:00'))
  await door.ok('settler', 'POST', `/v1/days/${D1}/close`)
  t.match(await told(), [
    ...first,
    /^2026-03-03 card\/.*@2026-03-02 600 > 500$/, `${D1} terminal/BUS/B1@${D} 1200 > 1000`],
  'a day whose records came in two dates is one day')
  await door.close()
})

t.test('a limit takes two people, a day to come, and makes sense', async t => {
  const door = await opened('')
  const put = async (table: string) =>
    await door.ask('registrar', 'PUT', '/v1/registry', { json: { usageLimits: limits(table) } })
  const refused = async (table: string) => {
    const { status, json } = await put(table)
    return `${status} ${json.reason} ${json.where ?? ''}`
  }
  t.equal(await refused('purchase card_day BUS - 2026-01-01 1'), '422 registry_invalid /usageLimits/0')
  t.equal(await refused('purchase terminal_day - B1 2026-01-01 1'), '422 registry_invalid /usageLimits/0')
  t.equal(await refused('purchase terminal_day TAXI - 2026-01-01 1'), '422 registry_invalid ', 'unknown')
  t.equal(await refused(`load card_day - - 2026-01-01 1
    load card_day - - 2026-01-01 2`), '422 registry_invalid /usageLimits/1', 'told twice')
  t.match((await put('purchase card_day - - 2026-01-01 700')).json, { usageLimits: 1 }, 'while it is set up')

  door.clock.set(Date.parse(`${D1}T01:00:00+08:00`))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.equal(await refused(`purchase card_day - - ${D1} 100`), '422 registry_invalid /usageLimits/0/from',
    'today has begun')
  const { json: { proposal } } = await put('purchase card_day - - 2026-03-04 100')
  await story(t, door, `
    top_up   a1 0  5000 SHP     -> 5000
    purchase a2 0  700  BUS     -> 4300`)
  t.match(await door.ok('auditor', 'GET', `/v1/proposals/${proposal}`), {
    kind: 'parameters', state: 'pending', subject: 'parameters/limit-purchase-card_day-all-all-2026-03-04'
  })
  await door.ok('approver-1', 'POST', `/v1/proposals/${proposal}/decisions`, { approves: true })
  const other = (await put('purchase card_day - - 2026-03-05 none')).json.proposal
  door.clock.set(Date.parse('2026-03-05T00:00:00+08:00'))
  const late = await door.ask('approver-1', 'POST', `/v1/proposals/${other}/decisions`,
    { json: { approves: true } })
  t.match(late, { status: 422, json: { reason: 'registry_invalid' } }, 'approved too late')
  await story(t, door, `
    purchase a3 0  101  BUS     -> card_day_limit (purchases of one card in a day: 1.00 yuan at most)
    purchase a4 0  100  BUS     -> 4200`)
  t.strictSame((await door.ok('gateway', 'GET', '/v1/usage-limits')).items, limits(`
    purchase card_day - - 2026-03-04 100
    purchase card_day - - 2026-01-01 700`))
  await door.close()
})

t.test('every answer matched the description', async t => {
  t.strictSame(doors.mismatches(), [])
})
