// The report of card chains: what is owed against what chips said, by the age of what is missing; the same
// sums from the list of cards, from the list behind a band, and in the file.
import t from 'tap'
import { cardKey } from '../schemas/record.ts'
import type { CardChainReport, DifferingPurse } from '../schemas/card-chain.ts'
import { cardOf } from './support/posting.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { card, D, debit, deliver, smallCity } from './support/small-city.ts'

t.setTimeout(300_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

const dayMs = 86_400_000
const lines = ({ bands }: CardChainReport) =>
  bands.filter(one => one.purses > 0).map(one => [one.band, one.purses, one.moreFen, one.lessFen])
const report = (door: Door): Promise<CardChainReport> => door.ok('auditor', 'GET', '/v1/reports/card-chain')

t.test('by age, and equal by every way of adding up', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([0, 1, 2, 3].map(number => card(number))))
  t.strictSame(lines(await report(door)), [], 'nothing was used yet')
  // Card 0 lacks three taps of 1.80, card 1 one, card 3 none.
  await deliver(door, 'first-day', [debit(0, 1), debit(0, 5), debit(3, 1)])
  t.strictSame(lines(await report(door)), [['under 1 day', 1, 540, 0]])
  door.clock.advance(10 * dayMs)
  await deliver(door, 'tenth-day', [debit(1, 2, 'M1', { dateTime: '20260312083000' })])
  const now = await report(door)
  t.strictSame(lines(now), [['under 1 day', 1, 180, 0], ['7 to 29 days', 1, 540, 0]])
  t.match(now.population, { purses: 4, differing: 2, differenceFen: 720 })

  const { items: cards } = await door.ok('auditor', 'GET', '/v1/cards')
  const of = (pick: (one: { shadowFen: number, lastBalanceFen: number }) => number): number =>
    cards.reduce((sum: number, one: { purse: never }) => sum + pick(one.purse), 0)
  t.equal(now.population.shadowFen, of(one => one.shadowFen))
  t.equal(now.population.chipFen, of(one => one.lastBalanceFen))
  const { books } = await door.ok('auditor', 'GET', `/v1/float/${D}`)
  t.equal(books.find((one: { book: string }) => one.book === 'commerce').holdersFen,
    now.population.shadowFen, 'and what the float owes holders')

  const old = now.bands.find(one => one.band === '7 to 29 days')
  const behind: { items: DifferingPurse[] } = await door.ok('auditor', 'GET', old?.links.cards ?? '')
  t.match(behind.items, [{ card: cardOf(0), differenceFen: 540, openItems: 1, band: '7 to 29 days' }])
  const chain = await door.ok('auditor', 'GET', behind.items[0]?.links.chain ?? '')
  t.match(chain.items[1].gap, { from: 102, to: 104, impliedFen: 540 }, 'and there it is')
  const first = await door.ok('auditor', 'GET', '/v1/reports/card-chain/cards?limit=1')
  t.equal(first.items.length, 1)
  const second = await door.ok('auditor', 'GET', `/v1/reports/card-chain/cards?limit=1&after=${first.next}`)
  t.strictSame(second.items.map((one: DifferingPurse) => cardKey(one.card)), [cardKey(cardOf(1))])

  const csv = (await door.bytes('auditor', '/v1/exports/card-chain.csv?bom=false')).toString('utf8')
  const rows = csv.trim().split('\r\n').map(row => row.split(','))
  t.equal(rows.length, 4, 'a head, two cards, the totals')
  const column = rows[0]?.indexOf('difference (yuan)') ?? -1
  t.strictSame(rows.slice(1).map(row => row[column]), ['5.40', '1.80', '7.20'])
  t.notMatch(csv, new RegExp(cardOf(0).serial), 'masked')

  // The late records come: what was missing is explained, and nothing differs.
  await deliver(door, 'late-taps', [debit(0, 2), debit(0, 3), debit(0, 4)])
  t.strictSame(lines(await report(door)), [['under 1 day', 1, 180, 0]])
  door.clock.advance(100 * dayMs)
  t.strictSame(lines(await report(door)), [['90 days and more', 1, 180, 0]])
  await door.close()
})

t.test('what the issuer bears has no open item, and a chip with too much is on the other side', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([0, 1].map(number => card(number))))
  await door.ok('registrar', 'POST', '/v1/blacklist', {
    add: [{ card: cardOf(0), reason: 'loss', at: '2026-03-02T08:00:00+08:00' }], remove: []
  })
  const { results } = await deliver(door, 'inside-the-window', [debit(0, 1)])
  t.equal(results[0].reason, 'issuer_risk')
  // Card 1 tells of a load nobody knows: it held 20.00 more than it should.
  await deliver(door, 'too-much', [debit(1, 1), debit(1, 3, 'B1', { balanceBeforeFen: 11_640 })])
  const now = await report(door)
  t.strictSame(lines(now), [['under 1 day', 1, 0, 1_820], ['without an open item', 1, 180, 0]])
  t.equal((await door.ask('gateway', 'GET', '/v1/reports/card-chain')).status, 403)
  t.equal((await door.ask('clerk', 'GET', '/v1/reports/card-chain/cards?band=old')).status, 400)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
