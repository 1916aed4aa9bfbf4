// SIP2 and polled lines over real pseudo terminals, a gateway as a process: frames cut at every byte, several
// glued together, a cable that is pulled in the middle of one and plugged in again.
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { PortConfig } from '../schemas/port.ts'
import type { Line } from '../terminal-sim/line/line.ts'
import { whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import { newTerminal, serveLine } from '../terminal-sim/polled/terminal.ts'
import { startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, debit } from './support/small-city.ts'
import { openCity, type RunningGateway, storedAtTerminal } from './support/terminals.ts'

const noPty = whyNoPty()
const here = { ...noPty === null ? {} : { skip: noPty }, timeout: 240_000 }
const doors = await startDoors()
t.teardown(() => doors.stop())

/** Until a CR, or null where nothing comes for so long. */
async function lineFrom (device: Line, timeoutMs = 20_000): Promise<string | null> {
  let heard = ''
  while (!heard.endsWith('\r')) {
    const part = await device.read(timeoutMs)
    if (part === null) return null
    heard += Buffer.from(part).toString()
  }
  return heard
}

const stateOf = async (gateway: RunningGateway, name: string, state: string): Promise<void> => {
  while ((await gateway.port(name)).state !== state) await delay(20)
}

t.test('SIP2: cut at every byte, glued, pulled in a message and in a payment', here, async t => {
  const city = await openCity(t, doors, { topUps: [0] })
  await city.door.ok('registrar', 'PUT', '/v1/registry', {
    parties: [{ code: 'LIB', kind: 'operator', nameZh: '图书馆', nameEn: 'Library', service: 'library' }],
    terminals: [{ terminal: 'L1', operator: 'LIB' }]
  })
  await city.door.ok('registrar', 'PUT', '/v1/library/LIB/rules', {
    from: '2025-01-01', loanDays: 1, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 100,
    fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: false,
    closedDates: [], accruing: 'refuse'
  })
  await city.door.ok('registrar', 'PUT', '/v1/library/LIB/catalogue', {
    items: [{ item: 'one', title: 'One' }], patrons: [{ patron: 'R1', name: 'Ann', card: cardOf(0) }]
  })
  const at = async (path: string, json: unknown) =>
    await city.door.ok('gateway', 'POST', `/v1/library/LIB/${path}`, json)
  await at('checkouts', { token: cardOf(0).serial, item: 'one' })
  city.door.clock.advance(11 * 86_400_000)
  const { fee: { fee } } = await at('checkins', { item: 'one' }) as { fee: { fee: string } }

  const cable = await city.cable('desk')
  const gateway = await city.gateway([{
    port: 'SC', serial: { path: cable.near, baudRate: 9_600 }, speaks: {
      protocol: 'sip2', library: 'LIB', institution: 'LIB', name: 'Library', login: 'none', terminal: 'L1'
    }
  }])
  let device = cable.device()
  // As published, Koha's documentation of SIP2: sequence 1.
  const status = Buffer.from('9900302.00AY1AZFCA5\r')
  const told = /^98YYYYYY.*AY1AZ[0-9A-F]{4}\r$/
  for (let cut = 1; cut < status.length; cut++) {
    await device.write(status.subarray(0, cut))
    await delay(3)
    await device.write(status.subarray(cut))
    t.match(await lineFrom(device), told, `cut at ${cut}`)
  }
  await device.write(Buffer.concat([status, status, Buffer.from('\n'), status]))
  let heard = ''
  while ((heard.match(/\r/g) ?? []).length < 3) heard += await lineFrom(device) ?? t.fail('three answers')
  t.ok(heard.split('\r').slice(0, 3).every(one => told.test(`${one}\r`)), 'glued: three answers')

  await device.write(status.subarray(0, 9))
  await cable.unplug()
  device.close()
  await stateOf(gateway, 'SC', 'away')
  await cable.plug()
  device = cable.device()
  await stateOf(gateway, 'SC', 'open')
  await device.write(status)
  t.match(await lineFrom(device), told, 'the half of before is forgotten')

  const paying =
    Buffer.from(`3720260302    1200000402CNYBV1.00|AOLIB|AA${cardOf(0).serial}|AC|CG${fee}|BKpay-1|\r`)
  await device.write(paying)
  while (await city.online(cardOf(0)) !== 4_900) await delay(10)
  await cable.unplug()
  device.close()
  await cable.plug()
  device = cable.device()
  await stateOf(gateway, 'SC', 'open')
  await device.write(paying)
  t.match(await lineFrom(device), /^38Y.*BKpay-1/, 'asked again, it hears that it is paid')
  t.equal(await city.online(cardOf(0)), 4_900, 'once')
  device.close()
})

t.test('a polled line: cut at every byte, pulled in the middle of a record', here, async t => {
  const city = await openCity(t, doors, { cards: 6 })
  const cable = await city.cable('canteen')
  const port: PortConfig = {
    port: 'CANTEEN', serial: { path: cable.near, baudRate: 9_600 }, speaks: {
      protocol: 'polled', echoMs: 500, answerMs: 2_000, turnMs: 20, silentMsMax: 400,
      terminals: [{ address: 1, operator: 'BUS', terminal: 'B1' }]
    }
  }
  const terminal = newTerminal(1, '990000000001', '20260302120000')
  terminal.store.records =
    Array.from({ length: 40 }, (_, index) => storedAtTerminal(debit(1, index + 1, 'B1')))
  const gateway = await city.gateway([port])
  let cuts = 0
  const lengths = new Set<number>()
  /** Each frame in two parts, the first of them one byte longer every time. */
  const cutting = (line: Line): Line => ({
    ...line,
    write: async bytes => {
      const cut = 1 + cuts++ % Math.max(1, bytes.length - 1)
      lengths.add(cut)
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        await line.write(part).catch(() => undefined) // the cable may be out
        await delay(2)
      }
    },
    get ended () { return line.ended }
  })
  let device = cable.device()
  let serving = serveLine(cutting(device), [terminal])
  while (terminal.store.records.length > 2) await delay(20)
  t.ok(lengths.size > 40, `cut at ${lengths.size} places`)

  const given = terminal.heard['give'] ?? 0
  while ((terminal.heard['give'] ?? 0) === given) await delay(1)
  await cable.unplug()
  device.close()
  await serving
  await stateOf(gateway, 'CANTEEN', 'away')
  await cable.plug()
  device = cable.device()
  serving = serveLine(device, [terminal])
  while (terminal.store.records.length > 0) await delay(20)
  await gateway.drained()
  const booked = await city.booked(card(1).card)
  t.equal(booked.length, 40, 'each record once')
  const { counts } = await gateway.port('CANTEEN')
  t.match(counts, { odd: 0, strange: 0 })
  device.close()
  await serving
})
