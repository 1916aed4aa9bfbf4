// Every serial face over real pseudo terminals, a gateway as a process: frames cut at every byte, several
// glued together; of SIP2 and polled lines also a cable that is pulled in the middle of one, and plugged in.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { sealTerminalKeys } from '../gateway/keys.ts'
import { unhex } from '../schemas/epurse/hex.ts'
import { writePosMessage } from '../schemas/pos-line/messages.ts'
import type { PortConfig } from '../schemas/port.ts'
import { cardKey } from '../schemas/record.ts'
import { buildFrame, control, plainLrc } from '../schemas/serial/lrc-frame.ts'
import { linkOf } from '../gateway/iso8583/link.ts'
import { openPos as openCardPos } from '../terminal-sim/iso8583/pos.ts'
import { type Line, deviceStream } from '../terminal-sim/line/line.ts'
import { whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import { newTerminal, serveLine } from '../terminal-sim/polled/terminal.ts'
import { openPos } from '../terminal-sim/pos/pos.ts'
import { startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, debit } from './support/small-city.ts'
import { openCity, type RunningGateway, storedAtTerminal } from './support/terminals.ts'

const noPty = whyNoPty()
const here = { ...noPty === null ? {} : { skip: noPty }, timeout: 240_000 }
const doors = await startDoors()
t.teardown(() => doors.stop())

/** Longer than any pause between two parts on a busy machine: a frame that is cut is not a broken one. */
const byteGapMs = 60_000

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

/** Each frame in two parts, the first one byte longer each time that a frame of this length is said. */
function cutter () {
  const said = new Map<number, number>()
  const cutting = (line: Line): Line => ({
    ...line,
    write: async bytes => {
      const times = said.get(bytes.length) ?? 0
      said.set(bytes.length, times + 1)
      const cut = 1 + times % Math.max(1, bytes.length - 1)
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        await line.write(part).catch(() => undefined) // the cable may be out
        await delay(2)
      }
    },
    get ended () { return line.ended }
  })
  /** In how many places frames of this length were cut. */
  const places = (bytes: number) => Math.min(said.get(bytes) ?? 0, bytes - 1)
  return { cutting, places }
}

/** Address, code, length, a record, sum, exclusive-or. */
const recordFrameBytes = 3 + 67 + 2

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
    Array.from({ length: 80 }, (_, index) => storedAtTerminal(debit(1, index + 1, 'B1')))
  const gateway = await city.gateway([port])
  const { cutting, places } = cutter()
  let device = cable.device()
  let serving = serveLine(cutting(device), [terminal])
  while (terminal.store.records.length > 2) await delay(20)
  t.equal(places(recordFrameBytes), recordFrameBytes - 1, 'a record is cut at every byte')

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
  t.equal(booked.length, 80, 'each record once')
  const { counts } = await gateway.port('CANTEEN')
  t.match(counts, { odd: 0, strange: 0 })
  device.close()
  await serving
})

t.test('a POS line: cut at every byte, glued to what was said before', here, async t => {
  const city = await openCity(t, doors, { topUps: [1] })
  const cable = await city.cable('till')
  const gateway = await city.gateway([{
    port: 'TILL', serial: { path: cable.near, baudRate: 9_600 },
    speaks: {
      protocol: 'pos-line', terminals: [{ operator: 'SHP', terminal: 'S1' }], language: 'en', byteGapMs
    }
  }])
  const line = cable.device()
  const fields = (no: number) =>
    ({ key: String(no).padStart(4, '0'), card: cardKey(card(1).card), amountFen: '1' })
  const frame = buildFrame(writePosMessage({ kind: 'SALE', fields: fields(1) }), plainLrc)
  const { cutting, places } = cutter()
  const pos = openPos({ line: cutting(line) })
  let sales = 0
  while (places(frame.length) < frame.length - 1) {
    const answer = await pos.ask('SALE', fields(++sales))
    t.match(answer?.fields, { outcome: 'approved', balanceFen: String(5_000 - sales) }, `sale ${sales}`)
  }
  const twice: Line = {
    ...line,
    write: async bytes => {
      await line.write(bytes.length === 1 ? bytes : Buffer.concat([Uint8Array.of(control.enq), bytes, bytes]))
    },
    get ended () { return line.ended }
  }
  pos.use(twice)
  t.match((await pos.settle('SALE', fields(++sales))).fields, { outcome: 'approved' })
  t.equal(await city.online(card(1).card), 5_000 - sales, 'each once')
  t.match((await gateway.port('TILL')).counts, { broken: 0, naksSent: 0 })
  line.close()
})

t.test('an ACK that is here before the write is over', async t => {
  const counts = { repeats: 0, lost: 0 }
  const sent: string[] = []
  const link = linkOf({
    write: async bytes => {
      sent.push(Buffer.from(bytes).toString())
      if (sent.length !== 2) link.heard(sent.length === 3 ? 'nak' : 'ack')
      await delay(1)
    }
  }, { length: 'nac', line: true }, counts, { ackMs: 20, sendsMax: 3 })
  await link.send(Buffer.from('one'))
  t.same([sent, counts], [['one'], { repeats: 0, lost: 0 }], 'sent once')
  await link.send(Buffer.from('two'))
  t.same([sent, counts], [['one', 'two', 'two', 'two'], { repeats: 2, lost: 0 }], 'none, a NAK, an ACK')
})

t.test('ISO 8583 on a line: cut at every byte, glued', here, async t => {
  const master = '0123456789ABCDEFFEDCBA9876543210'
  const merchant = '898421000000001'
  const city = await openCity(t, doors, { topUps: [1] })
  await city.door.ok('registrar', 'PUT', '/v1/registry',
    { terminals: [{ terminal: 'POS-1', operator: 'SHP' }] })
  const keys = join(city.dir, 'keys')
  writeFileSync(keys, sealTerminalKeys(
    { keys: { 'POS-1': { suite: '3des', master } } }, 'secret', randomBytes(16), randomBytes(12)))
  const cable = await city.cable('cards')
  const gateway = await city.gateway([{
    port: 'CARDS', serial: { path: cable.near, baudRate: 9_600 }, speaks: {
      protocol: 'iso8583', line: true, byteGapMs,
      terminals: [{ terminal: 'POS-1', merchant, operator: 'SHP' }],
      issuers: [{ begins: '310499', issuer: card(0).card.issuer }]
    }
  }], { env: { GATEWAY_KEYS: keys, GATEWAY_KEYS_PASSPHRASE: 'secret' } })
  const pos = openCardPos({
    terminal: 'POS-1', merchant, master: unhex(master), framing: { length: 'nac', line: true }
  })
  const device = deviceStream(cable.far)
  t.teardown(() => device.destroy())
  pos.attach(device)
  await pos.signIn()
  const buying = (trace: string) =>
    pos.frame('purchase', { 2: card(1).card.serial.slice(1), 4: '000000000100', 11: trace })
  const bytes = buying('000100')
  for (let cut = 1; cut < bytes.length; cut++) {
    const answered = pos.send(bytes.subarray(0, cut), '0210', '000100')
    await delay(3)
    device.write(bytes.subarray(cut))
    t.equal((await answered).code, '00', `cut at ${cut}`)
  }
  t.equal(await city.online(card(1).card), 4_900, 'one purchase, asked for again and again')
  const traces = ['000101', '000102', '000103']
  const asked = traces.map(trace => pos.send(new Uint8Array(), '0210', trace))
  device.write(Buffer.concat(traces.map(buying)))
  t.same((await Promise.all(asked)).map(({ code }) => code), ['00', '00', '00'])
  t.equal(await city.online(card(1).card), 4_600)
  t.match((await gateway.port('CARDS')).counts, { broken: 0 })
})
