// Transit behind the ledger's door: documents by four eyes, feeds, prices and why, and that what is booked is
// a function of what is known, whatever the order in which it became known.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { TransactionRecord } from '../schemas/record.ts'
import { contentHash } from '../schemas/record.ts'
import { changesTo, consequencesOf, type Claim } from '../ledger/services/transit/claims.ts'
import { balances } from '../ledger/store/balances.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { createRandom } from '../terminal-sim/random.ts'
import { firstDocument, faresFrom, gate, secondDocument, tap } from '../bench/fares/city.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, D, debit, deliver, psams, smallCity, type Terminal } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const transit = (code: string) =>
  ({ code, kind: 'operator', nameZh: code, nameEn: code, service: 'transit' } as const)

async function opened (): Promise<Door> {
  const door = await doors.open('2026-03-02T04:00:00+08:00')
  const city = smallCity([0, 1, 2, 3].map(number => card(number)))
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city,
    parties: [
      ...(city.parties ?? []).map(party =>
        party.kind === 'operator' ? { ...party, service: 'transit' } : party),
      transit('MET2'), transit('MET3'),
      { code: 'TRE', kind: 'treasury', nameZh: '财政', nameEn: 'Treasury' }
    ]
  })
  return door
}
const publish = async (door: Door, json: unknown = firstDocument) =>
  await door.ok('registrar', 'POST', '/v1/services/transit/tariffs', json)

const versions = async (door: Door): Promise<number[]> =>
  (await door.ok('gateway', 'GET', '/v1/services/transit/tariffs'))
    .map((one: { version: number }) => one.version)

type Ride = { nth: number, at: string, fen: number, terminal?: Terminal, line?: string } &
  NonNullable<TransactionRecord['ride']>

/** Of card `number`, in the order of its counters: what is left after each is what was before the next. */
function rides (number: number, all: readonly Omit<Ride, 'nth'>[]): TransactionRecord[] {
  let beforeFen = 10_000
  return all.map(({ at, fen, terminal = 'B1', line = '1', ...ride }, index) => {
    const record = debit(number, index + 1, terminal, {
      amountFen: fen, balanceBeforeFen: beforeFen, line, ride,
      dateTime: at.replace(/\D/g, '')
    })
    beforeFen -= fen
    return record
  })
}
const bus = (at: string, fen: number, line = '1') =>
  ({ at: `${D} ${at}`, fen, line, sense: 'either' } as const)

async function books (door: Door): Promise<Record<string, number>> {
  await door.ledger.watch.catchUp()
  return Object.fromEntries((await balances(door.db, null))
    .map(row => [`${row.book}/${row.heading}${row.party === null ? '' : `/${row.party}`}`,
      Number(row.creditFen - row.debitFen)] as const)
    .filter(([name, fen]) => fen !== 0 && !/purse|custody/.test(name)))
}
async function whole (t: Test, door: Door): Promise<void> {
  const report = await verifyBooks(door.db)
  t.strictSame(report.checks.filter(({ ok }) => !ok), [])
}
const journeysOf = async (door: Door, number: number) => {
  const { issuer, serial, issue } = cardOf(number)
  const path = `/v1/services/transit/cards/${issuer}-${serial}-${issue}/journeys?from=${D}&until=${D}`
  return await door.ok('auditor', 'GET', path)
}

t.test('a document says one thing, and of people who are there', async t => {
  const door = await opened()
  const post = async (json: unknown) => {
    const { status, json: { reason, detail } } =
      await door.ask('registrar', 'POST', '/v1/services/transit/tariffs', { json })
    return `${status} ${reason} ${detail}`
  }
  t.match(await post({ ...firstDocument, currency: 'yuan', caps: [{}] }),
    /^400 body_invalid .*\/currency.*; .*\/caps/, 'all that is wrong with it, each with its place')
  const services = [{ ...firstDocument.services[0], operators: ['NOBODY'] }]
  const nobody = '/v1/services/transit/cards/02313750FFFFFFFF-03104990609999999999-1'
  const shown = await door.ask('auditor', 'GET', `${nobody}/journeys?from=${D}&until=${D}`)
  t.equal(shown.json.reason, 'not_found')
  const given = await door.ask('registrar', 'PUT', `${nobody}/concessions`, { json: { concessions: [] } })
  t.equal(given.json.reason, 'not_found')
  const { transfers: _, concessions: __, ...plain } = firstDocument
  t.match(await post({ ...plain, services }), /registry_invalid NOBODY is not registered/)
  t.strictSame(await publish(door), { version: 1 })
  t.strictSame(await publish(door), { version: 1 }, 'the same again changes nothing')
  t.match(await post({ ...firstDocument, duplicateTapSeconds: 6 }), /says something else already/)
  const flat = { version: 1, from: '2026-01-01T00:00:00+08:00', operators: {} }
  const { status } = await door.ask('registrar', 'POST', '/v1/tariffs', { json: flat })
  t.ok(status >= 400, 'one series of numbers for both forms')
  t.strictSame(await versions(door), [1])
  t.strictSame(await door.ok('gateway', 'GET', '/v1/tariffs'), [], 'flat tariffs are asked for elsewhere')
  await door.close()
})

t.test('once the ledger works a document waits for a second person', async t => {
  const door = await opened()
  await publish(door)
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const asked = await publish(door, secondDocument)
  t.match(asked, { version: 2, proposal: Number })
  t.strictSame(await versions(door), [1], 'a draft counts for nobody')
  await door.ok('approver-1', 'POST', `/v1/proposals/${asked.proposal}/decisions`, { approves: true })
  t.strictSame(await versions(door), [1, 2], 'trips that began by the first end by it')
  door.clock.set(Date.parse('2026-04-09T04:59:59+08:00'))
  t.strictSame(await versions(door), [1, 2])
  door.clock.set(Date.parse('2026-04-09T05:00:00+08:00'))
  t.strictSame(await versions(door), [2], 'after 38 days no card remembers anything by it')
  await door.close()
})

t.test('a feed is read, and what is wrong with it is told', async t => {
  const door = await opened()
  const read = (file: string) => readFileSync(join(import.meta.dirname, 'feeds/hengyang', file), 'utf8')
  const names = ['agency', 'areas', 'calendar', 'fare_leg_rules', 'fare_media', 'fare_products',
    'fare_transfer_rules', 'networks', 'rider_categories', 'route_networks', 'routes', 'stop_areas', 'stops',
    'timeframes']
  const files = Object.fromEntries(names.map(name => [`${name}.txt`, read(`${name}.txt`)]))
  const settings = {
    version: 5, from: '2026-03-02T04:30:00+08:00', operator: 'BUS', openMinutesMax: 180,
    transitDay: { startsAtMinute: 270, crossing: 'start' }, duplicateTapSeconds: 5
  }
  const imported = await door.ok('registrar', 'POST', '/v1/services/transit/feeds', { files, settings })
  t.equal(imported.document.version, 5)
  t.ok(imported.warnings.every(({ zh, en }: { zh: string, en: string }) => zh !== '' && en !== ''))
  const broken = { ...files, 'fare_products.txt': 'fare_product_id\n"' }
  const refused =
    await door.ok('registrar', 'POST', '/v1/services/transit/feeds', { files: broken, settings })
  t.equal(refused.document, null)
  t.match(refused.warnings.find(({ severity }: { severity: string }) => severity === 'error'),
    { file: 'fare_products.txt' })
  await publish(door, imported.document)
  door.clock.set(Date.parse('2026-03-02T12:00:00+08:00'))
  const at = encodeURIComponent('2026-03-02T12:00:00+08:00')
  const quote = await door.ok('auditor', 'GET',
    `/v1/services/transit/quotes?operator=BUS&line=102&from=nanyue&to=huaxin&class=student&at=${at}`)
  t.match(quote, { amountFen: 150, currency: 'CNY', tariffVersion: 5 })
  t.equal(quote.steps.reduce((sum: number, one: { amountFen: number }) => sum + one.amountFen, 0), 150)
  t.match(await door.ok('auditor', 'GET', `/v1/services/transit/passes?class=student&at=${at}`),
    { id: 'month', priceFen: 3_000, currency: 'CNY' })
  const none = await door.ask('auditor', 'GET', `/v1/services/transit/quotes?operator=MET&at=${at}`)
  t.equal(none.status, 404)
  const early = '/v1/services/transit/passes?class=pilot&at=2020-01-01T00:00:00Z'
  t.equal((await door.ask('auditor', 'GET', early)).status, 404)
  await door.close()
})

/* ---- any order ---- */

const records = [
  ...rides(0, [bus('08:00:00', 180), bus('08:30:00', 180, '2'), bus('09:00:00', 0, '3'),
    { ...bus('09:00:01', 100, '4'), terminal: 'B2' },
    { at: `${D} 10:00:00`, fen: 0, terminal: 'M1', line: '', stop: 'M0', sense: 'in' },
    { at: `${D} 10:40:00`, fen: 900, terminal: 'M1', line: '', stop: 'M5', sense: 'out' }]),
  ...rides(1, [
    { at: `${D} 08:00:00`, fen: 400, line: 'S2', stop: 'X0', sense: 'either' },
    { at: `${D} 08:10:00`, fen: 0, line: 'S2', stop: 'X1', sense: 'either' },
    bus('08:20:00', 180), bus('12:00:00', 180), bus('12:00:03', 180)]),
  ...rides(2, [bus('08:00:00', 0), bus('09:30:00', 180)])
]
async function bookedAfter (order: readonly (readonly TransactionRecord[])[], late: boolean) {
  const door = await opened()
  door.clock.set(Date.parse('2026-03-02T20:00:00+08:00'))
  if (!late) await publish(door)
  const { issuer, serial, issue } = cardOf(2)
  const concessions = { concessions: [{ class: 'senior', from: null, until: null }] }
  const path = `/v1/services/transit/cards/${issuer}-${serial}-${issue}/concessions`
  if (!late) await door.ok('registrar', 'PUT', path, concessions)
  for (const [at, some] of order.entries()) {
    await deliver(door, `delivery-${at}`, some)
    await door.ledger.watch.catchUp()
  }
  if (late) {
    await publish(door)
    await door.ledger.watch.catchUp()
    await door.ok('registrar', 'PUT', path, concessions)
  }
  return { door, booked: await books(door) }
}

t.test('what is booked does not depend on the order of news', async t => {
  const first = await bookedAfter([records], false)
  await whole(t, first.door)
  const days = (await first.door.ok('auditor', 'GET', `/v1/services/transit/fare-days?day=${D}`)).items
  // Card 0: due 1.80 + 0 + 0 + 1.80 + (5.00 − 1.00) = 7.60, paid 13.60. Card 1: due 2.00 + 0 + 1.80 + 0 by
  // its transfer and the guard, paid 9.40. Card 2: a senior, due 0, paid 1.80.
  t.strictSame(days.map((day: { dueFen: number, paidFen: number }) => [day.dueFen, day.paidFen]).sort(),
    [[0, 180], [380, 940], [760, 1_360]].sort())
  const back = 600 + 560 + 180
  t.match(first.booked, {
    'commerce/pending-load': back,
    'treasury/receivable-treasury': -400,
    'treasury/merchant-pending/BUS': 400
  })
  const [entry] = (await journeysOf(first.door, 0)).journeys.slice(-1)
  t.match(entry, { counters: [105, 106], kind: 'complete', amountFen: 400, currency: 'CNY' })
  t.equal(entry.words.zh.length, entry.words.en.length)
  t.match(entry.words.en.at(-1), /^total: 4\.00 CNY$/)
  t.match(entry.claims.map((claim: Claim) => [claim.kind, claim.giver, claim.taker]),
    [['share', 'MET', 'MET2'], ['share', 'MET', 'MET3']])
  await first.door.close()

  const random = createRandom('any order')
  for (const late of [true, false]) {
    const order = random.shuffle(records).map(record => [record])
    const other = await bookedAfter(order, late)
    t.strictSame(other.booked, first.booked, late ? 'the tariff comes last' : 'record by record')
    await whole(t, other.door)
    await other.door.close()
  }
})

t.test('what followed from a ride that no longer counts is taken back', async t => {
  const door = await opened()
  await publish(door)
  door.clock.set(Date.parse('2026-03-02T20:00:00+08:00'))
  const [ride] = rides(0, [bus('08:00:00', 200)])
  await deliver(door, 'overpaid-ride', [ride as TransactionRecord])
  t.equal((await books(door))['commerce/pending-load'], 20, '2.00 were paid where 1.80 were due')
  // An earlier use of the same counter: it is paid, and the other one is not; it tells of no ride.
  await deliver(door, 'contender', [debit(0, 1, 'B2', { dateTime: '20260302075900', sequence: 7 })])
  const after = await books(door)
  t.equal(after['commerce/pending-load'] ?? 0, 0)
  t.match(after['commerce/merchant-pending/BUS'], 180)
  await whole(t, door)
  await door.close()
})

t.test('a ride that was dated anew stays among those of its day', async t => {
  const door = await opened()
  await publish(door)
  door.clock.set(Date.parse('2026-03-02T20:00:00+08:00'))
  const [early, reset] = rides(0, [
    bus('06:00:00', 180), { ...bus('00:00:10', 200), at: '2000-01-01 00:00:10' }])
  const neighbour = debit(1, 1, 'B1', { sequence: 3, dateTime: '20260302060100' })
  await deliver(door, 'reset-clock', [early, reset, neighbour] as TransactionRecord[])
  const wish = { kind: 'redate', reason: 'the clock was reset', body: { psam: psams.B1, issue: 1 } }
  const { id } = await door.ok('settler', 'POST', '/v1/proposals', wish)
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  t.equal((await books(door))['commerce/pending-load'], 20, 'the second paid 2.00 where 1.80 were due')
  await deliver(door, 'later-ride', [debit(0, 3, 'B1', {
    sequence: 4, balanceBeforeFen: 9_620, line: '1', ride: { sense: 'either' }, dateTime: '20260302120000'
  })])
  t.equal((await books(door))['commerce/pending-load'], 20, 'as before')
  t.equal((await journeysOf(door, 0)).journeys.length, 3)
  await whole(t, door)
  await door.close()
})

t.test('what is told of a ride is no content: the same tap is the same event', async t => {
  const [record] = records
  const { ride: _, ...plain } = record as TransactionRecord
  t.strictSame(contentHash(record as TransactionRecord), contentHash(plain))
})

t.test('an exit that two people agree on', async t => {
  const door = await opened()
  await publish(door)
  door.clock.set(Date.parse('2026-03-02T20:00:00+08:00'))
  const boarding = { at: `${D} 08:00:00`, fen: 400, line: 'S2', stop: 'X0', sense: 'either' } as const
  await deliver(door, 'boarding', rides(0, [boarding]))
  await door.ledger.watch.catchUp()
  const said = (more: object = {}) => ({
    kind: 'exit_decision', reason: 'seen on the camera of the bus',
    body: { card: cardOf(0), entryCounter: 101, stop: 'X1', at: `${D}T08:10:00+08:00`, ...more }
  })
  const refusal = async (more: object) =>
    (await door.ask('clerk', 'POST', '/v1/proposals', { json: said(more) })).json.reason
  t.equal(await refusal({ entryCounter: 102 }), 'not_found')
  t.equal(await refusal({ at: `${D}T07:59:00+08:00` }), 'body_invalid')
  const { json: { id, looked } } = await door.ask('clerk', 'POST', '/v1/proposals', { json: said() })
  t.match(looked, { kind: 'open', amountFen: 400 })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  t.match((await books(door))['commerce/pending-load'], 200)
  t.match((await journeysOf(door, 0)).journeys, [{ kind: 'corrected', amountFen: 200 }])
  await whole(t, door)
  await door.db.query('update fare_entry set amount_fen = amount_fen + 1')
  const report = await verifyBooks(door.db)
  t.match(report.checks.filter(({ ok }) => !ok).map(({ detail }) => detail), [/fare_entry of transfer/],
    'one fen more in the entry is found')
  await door.close()
})

/* ---- pure ---- */

t.test('what follows from prices', async t => {
  const paid = (one: ReturnType<typeof tap>, paidFen: number) => ({ ...one, paidFen })
  const taps = [
    paid(gate(1, `${D} 08:00:00`, 'in', 'M1'), 0), paid(gate(2, `${D} 08:40:00`, 'out', 'M5'), 500),
    paid(tap(3, `${D} 12:00:00`), 200)]
  const { claims } = consequencesOf(faresFrom(firstDocument), { taps, entitlements: [], corrections: [] })
  // 16 km cost 5.00: 7,200 m of MET, 7,900 of MET2, 900 of MET3 are 2.25, 2.46875 and 0.28125 of it.
  t.strictSame(claims, [
    { kind: 'refund', counter: 3, giver: 'BUS', taker: null, amountFen: 20n, category: '' },
    { kind: 'share', counter: 1, giver: 'MET', taker: 'MET2', amountFen: 247n, category: '' },
    { kind: 'share', counter: 1, giver: 'MET', taker: 'MET3', amountFen: 28n, category: '' }])
  t.strictSame(changesTo(claims, claims), [], 'what stands is left alone')
  t.strictSame(changesTo([], claims).map(({ amountFen }) => amountFen), [-20n, -247n, -28n],
    'taken back to the fen')
  t.end()
})

t.test('every answer was as it is described', async t => {
  t.strictSame(doors.mismatches(), [])
})
