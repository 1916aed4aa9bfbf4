// What staff find out about one card: by the end of its number, and its loads, blocks, orders and disputes
// apart from those of all others.
import t from 'tap'
import { cardKey } from '../schemas/record.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const opened = async (): Promise<Door> => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([1, 2, 3, 14].map(number => card(number))))
  return door
}

t.test('a card is found by the end of its number', async t => {
  const door = await opened()
  const found = async (number: string) => (await door.ok('clerk', 'GET', `/v1/cards?number=${number}`)).items
    .map((one: { card: { serial: string } }) => one.card.serial)
  const serial = (number: number) => cardOf(number).serial
  t.strictSame(await found(serial(3)), [serial(3)], 'all of it')
  t.strictSame(await found(serial(3).slice(-7)), [serial(3)])
  t.strictSame(await found(serial(14).slice(-6)), [serial(14)])
  t.strictSame(await found(`9${serial(3).slice(-6)}`), [], 'another digit before the last six')
  t.strictSame(await found('ABCDEF'), [])
  for (const number of ['00014', '%2525252525', 'abcdef', `1${serial(3)}`]) {
    const { status, json } = await door.ask('clerk', 'GET', `/v1/cards?number=${number}`)
    t.match([status, json], [400, { reason: 'body_invalid', where: '/number' }], number)
  }
  await door.close()
})

t.test('what is of one card, and of no other', async t => {
  const door = await opened()
  await deliver(door, 'first-taps', [debit(1, 1), debit(2, 1)])
  const at = '2026-03-02T11:00:00+08:00'
  const add = [1, 2].map(number => ({ card: cardOf(number), reason: 'loss', at }))
  await door.ok('registrar', 'POST', '/v1/blacklist', { add, remove: [] })
  const chip = {
    balanceFen: 9_820, onlineCounter: 0, offlineCounter: 101, keyVersion: 1, algorithm: 0, random: '00000000',
    mac1: '00000000'
  }
  for (const number of [1, 2]) {
    const card = cardOf(number)
    await door.ok('gateway', 'POST', '/v1/card-blocks', {
      key: `block-000${number}`, card, operator: 'BUS', terminal: 'B1', form: 'temporary', keyVersion: 1,
      challenge: 'C0FFEE01'
    })
    await door.ok('gateway', 'POST', '/v1/loads', {
      key: `load-000${number}`, card, source: 'pending', amountFen: 1, party: 'BUS', terminal: '990000000099',
      chip
    })
    await door.ok('clerk', 'POST', '/v1/card-orders',
      { card, order: { name: 'unblock_pin' }, reason: `asked for by ${number}` })
  }
  const { order } = await door.ok('clerk', 'POST', '/v1/card-orders',
    { card: cardOf(1), order: { name: 'block_card' }, reason: 'asked for by 1' })
  await door.ok('clerk', 'POST', `/v1/card-orders/${order}/withdrawal`, {})
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')
  for (const number of [1, 2]) {
    await door.ok('clerk', 'POST', '/v1/disputes', {
      card: cardOf(number), counter: 101, side: 'holder', amountFen: 80, reason: 'the gate stayed shut'
    })
  }
  const masked = /1-1$/
  for (const [list, found] of [
    ['loads', [{ card: masked, key: 'load-0001', state: 'declined' }]],
    ['card-blocks', [{ card: masked, state: 'open' }]],
    ['card-orders', [
      { card: masked, name: 'block_card', state: 'withdrawn' }, { card: masked, name: 'unblock_pin' }
    ]],
    ['disputes', [{ card: cardOf(1), amountFen: 80 }]]
  ] as const) {
    const { items } = await door.ok('clerk', 'GET', `/v1/${list}?card=${cardKey(cardOf(1))}`)
    t.equal(items.length, found.length, `${list} in any state`)
    t.match(items, found)
    const more = list === 'card-orders' ? '&state=waiting' : ''
    t.equal((await door.ok('clerk', 'GET', `/v1/${list}?card=${cardKey(cardOf(1))}${more}`)).items.length, 1)
    const none = await door.ok('clerk', 'GET', `/v1/${list}?card=${cardKey(cardOf(9))}`)
    t.strictSame(none, { items: [], next: null }, 'a card that nobody knows')
    t.match((await door.ask('clerk', 'GET', `/v1/${list}?card=1`)).json, { status: 400, where: '/card' })
  }
  await door.close()
})

t.test('the card itself: its branch, since when, why it is listed, what waits for it', async t => {
  const door = await opened()
  await deliver(door, 'first-tap', [debit(1, 1)])
  const look = (number: number) => door.ok('clerk', 'GET', `/v1/cards/${cardKey(cardOf(number))}`)
  t.match(await look(1), {
    branch: null, openedAt: /^2026-03-02T12:00:00/, listedFor: null, blacklisted: false, pendingFen: 0,
    purse: { lastBalanceFen: 9_820, shadowFen: 9_820, lastCounter: 101 }
  })
  await door.ok('registrar', 'POST', '/v1/blacklist', {
    add: [{ card: cardOf(1), reason: 'oral_loss', at: '2026-03-02T11:00:00+08:00' }], remove: []
  })
  await door.ok('clerk', 'POST', '/v1/refunds', {
    card: cardOf(1), counter: 101, amountFen: 80, reason: 'the gate stayed shut', reference: 'refund-1'
  })
  t.match(await look(1), { listedFor: 'oral_loss', blacklisted: true, pendingFen: 80 })
  t.match(await look(2), { listedFor: null, pendingFen: 0 })
  await door.close()
})
