// Policies that two people change while the city works: what happened before the change is judged by what
// counted then, whenever it is told, and judged again to the same.
import t from 'tap'
import type { TransactionRecord } from '../schemas/record.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, D, debit, deliver, smallCity, type Terminal } from './support/small-city.ts'

t.setTimeout(300_000)
const doors = await startDoors()
t.teardown(doors.stop)

const at = (door: Door, text: string): void => { door.clock.set(Date.parse(`${text}+08:00`)) }
async function change (door: Door, policies: object): Promise<void> {
  const { proposal } = await door.ok('registrar', 'PUT', '/v1/registry', { policies })
  await door.ok('approver-1', 'POST', `/v1/proposals/${proposal}/decisions`, { approves: true })
}

/** Cards 2 and 3 are listed on Monday at 06:00; the day is cut, and both rules change on Tuesday at 02:00. */
async function changed (): Promise<Door> {
  const door = await doors.open('2026-03-02T06:00:00+08:00')
  const cards = Array.from({ length: 8 }, (_, number) => card(number))
  const city = smallCity(cards)
  const parties = city.parties?.map(one => one.code === 'BUS' ? { ...one, service: 'library' as const } : one)
  await door.ok('registrar', 'PUT', '/v1/registry', { ...city, parties })
  const add = [2, 3, 4].map(number => ({
    card: cardOf(number), reason: 'loss', at: '2026-03-02T06:00:00+08:00'
  }))
  await door.ok('registrar', 'POST', '/v1/blacklist', { add, remove: [] })
  at(door, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  at(door, '2026-03-03T02:00:00')
  await change(door, {
    debitFenMax: 100, blacklistWindowHours: 1, lateDays: 1, cardTypesAllowed: { library: ['student'] }
  })
  return door
}

let told = 0
async function verdict (
  door: Door, number: number, dateTime: string, more: Partial<TransactionRecord> = {},
  terminal: Terminal = 'B1'
): Promise<string> {
  const record = debit(number, 1, terminal, { dateTime, sequence: ++told, ...more })
  const { results: [result] } = await deliver(door, `delivery-${told}-${record.tac ?? 'grey'}`, [record])
  return `${result.outcome} ${result.reason}`
}

t.test('limits, the window of the blacklist and what merchants take are those of the event', async t => {
  const door = await changed()
  at(door, '2026-03-03T12:00:00')
  t.equal(await verdict(door, 0, '20260303015959'), 'accepted ok', '1.80 a second before the limit of 1.00')
  t.equal(await verdict(door, 1, '20260303020000', { amountFen: 100 }), 'refused card_type_not_allowed')
  t.equal(await verdict(door, 5, '20260303020001', {}, 'M1'), 'refused amount_over_limit')
  t.equal(await verdict(door, 2, '20260302120000'), 'accepted issuer_risk',
    'six hours: inside the 24 of then')
  await door.close()
})

t.test('how late a record may come is what counted when it was made', async t => {
  const door = await changed()
  at(door, '2026-03-05T12:00:00')
  t.equal(await verdict(door, 0, '20260302120000'), 'accepted late', 'three days, of many')
  await change(door, { debitFenMax: 100_000, cardTypesAllowed: {} })
  at(door, '2026-03-08T12:00:00')
  t.equal(await verdict(door, 1, '20260305110000', { amountFen: 100 }), 'refused card_type_not_allowed',
    'three changes back and forth: each instant has its own')
  t.equal(await verdict(door, 5, '20260305130000'), 'refused overdue',
    'three days, of the one that counts since')
  await door.close()
})

t.test('what news brings to judge again is judged by the same', async t => {
  const door = await changed()
  at(door, '2026-03-03T12:00:00')
  const grey = { tac: null, grey: true }
  t.equal(await verdict(door, 0, '20260302120000', grey), 'held grey')
  told--
  t.equal(await verdict(door, 0, '20260302120000'), 'accepted late', 'proven after the change')
  const { rows } = await door.db.query('select name, value from policy_past order by name')
  t.equal(rows.length, 4)
  t.ok((await door.ok('auditor', 'POST', '/v1/verify')).ok)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
