// A card's life at the hands of its issuer: made of a blank chip by a run that is killed and goes on, loaded
// and used; later opened again, given a new PIN and closed by orders of staff that a lane carries. Through
// the doors of a ledger, gateways and desks as processes, real readers.
import { spawn } from 'node:child_process'
import { createCipheriv, createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { nodeCommand } from '../runtime/supervise.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import { answerChip } from '../ledger/tac/chip-keys.ts'
import type { KeyStore } from '../ledger/keys/key-store.ts'
import { readKeyName } from '../ledger/keys/master-keys.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { suites } from '../schemas/epurse/suite.ts'
import { createCard, pinOf } from '../terminal-sim/card/state.ts'
import { transmit } from '../terminal-sim/card/transmit.ts'
import type { CardDescription } from '../terminal-sim/card/description.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { specOf as specOfCard } from '../terminal-sim/scenario/desk.ts'
import { createRandom } from '../terminal-sim/random.ts'
import { type City, openCity } from './support/edge-city.ts'
import type { GatewayWish, Running } from './support/lanes.ts'
import { password, secretOf, startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, smallCity } from './support/small-city.ts'

const here = { skip: whyNoFarm() ?? false, timeout: 240_000 }
const lot = '00000000000000A7'
const factorOf = (serial: string): Buffer => Buffer.from(serial.slice(4), 'hex')

/* ---- the same by another route: Node's own cipher, no code of the house ---- */

const master = (name: string): Buffer =>
  createHash('sha256').update(`citycard-test-${name}`).digest().subarray(0, 16)
function tripleDes (key: Buffer, blocks: Buffer): Buffer {
  const cipher = createCipheriv('des-ede', key, null).setAutoPadding(false)
  return Buffer.concat([cipher.update(blocks), cipher.final()])
}
const diverted = (key: Buffer, factor: Buffer): Buffer =>
  tripleDes(key, Buffer.concat([factor, factor.map(byte => byte ^ 0xFF)]))
const naturalPin = (serial: string, no: number): string => {
  const block = Buffer.alloc(8)
  block.writeUInt32BE(no, 4)
  const digits = tripleDes(diverted(master('MRPK'), factorOf(serial)), block).toString('hex')
  const decimals = '0123456789012345' // the table of IBM's method
  return [...digits.slice(0, 6)].map(digit => decimals[parseInt(digit, 16)]).join('')
}

/* ---- what the key workers sign ---- */

const names = ['maintenance', 'pin_unblock', 'pin_reload'] as const
const nameOf = { maintenance: 'MAMK', pin_unblock: 'MPUK', pin_reload: 'MRPK' } as const

/** Masters in memory: what a key file has, without its file. */
const storeOf = (held: readonly (keyof typeof nameOf)[]): KeyStore => ({
  place: 'memory',
  opensCities: true,
  list: () => held.map(name => {
    const ref = readKeyName(`${name}.3des.01`)
    if (ref === null) throw new Error(name)
    return { ...ref, from: '2020-01-01', to: null, check: '' }
  }),
  encrypt: ({ purpose }, blocks) => suites['3des'].encrypt(master(nameOf[purpose as 'maintenance']), blocks),
  close: () => undefined
})

t.test('orders are signed as the chip wants them, and a PIN is nowhere but in it', async t => {
  const serial = '03104990600000000042'
  const description: CardDescription = {
    profile: 't-union', issuer: '02313750FFFFFFFF', serial, pin: { digits: '111111' }, lock: 'temporary'
  }
  const random = createRandom('orders')
  let chip = createCard(description)
  const send = (command: Uint8Array): string => {
    const done = transmit(chip, command, { random: random.bytes, power: 'steady' })
    chip = done.card
    return hex(done.response ?? new Uint8Array())
  }
  const ask = { suite: '3des', keyVersion: 1, cardFactor: serial.slice(4), pinNo: 77 } as const
  const give = (order: Parameters<typeof orderWith>[0]) => {
    const challenge = send(unhex('0084000004')).slice(0, 8)
    return orderWith(order, challenge)
  }
  const orderWith = (
    order: Extract<Parameters<typeof answerChip>[1], { ask: 'order' }>['order'], challenge: string
  ) => answerChip(storeOf(names), { ...ask, ask: 'order', order, challenge }).command ?? new Uint8Array()
  send(unhex('00A4040008A000000632010105'))
  t.equal(send(give({ order: 'unblock_application' })), '9000')
  t.equal(send(give({ order: 'unblock_pin' })), '9000')
  const { pin } = answerChip(storeOf(names), { ...ask, ask: 'pin' })
  t.equal(pin, naturalPin(serial, 77))
  t.match(pinOf(chip), { digits: pin, triesLeft: 3 })
  t.not(answerChip(storeOf(names), { ...ask, ask: 'pin', pinNo: 78 }).pin, pin, 'another order, another PIN')
  t.equal(send(give({ order: 'block_card' })), '9000')
  const other = answerChip(storeOf(['pin_unblock']), {
    ...ask, ask: 'order', order: { order: 'unblock_pin' }, challenge: '00000000'
  })
  t.same(other, { command: null, pin: null }, 'without one of its keys')
})

/* ---- the doors alone ---- */

/** By the test of refusals. */
const unused: string[] = []

t.test('what the doors refuse', async t => {
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0), card(1)]))
  const said = async (who: 'gateway' | 'clerk' | 'registrar', path: string, json: object = {}) => {
    const answer = await door.ask(who, 'POST', path, { json })
    return `${answer.status} ${answer.json.reason ?? 'ok'}`
  }
  const wish = { card: cardOf(0), order: { name: 'unblock_pin' }, reason: 'forgotten' }
  const ask = { key: 'order-0001', card: cardOf(0), operator: 'BUS', terminal: 'B1', challenge: 'C0FFEE01' }
  t.equal(await said('gateway', '/v1/card-orders/next', ask), '200 ok')
  const { json: { order } } = await door.ask('registrar', 'POST', '/v1/card-orders', { json: wish })
  const first = await door.ok('gateway', 'POST', '/v1/card-orders/next', ask)
  t.match(first, { order: { name: 'unblock_pin', command: /^8424/ } })
  t.strictSame(await door.ok('gateway', 'POST', '/v1/card-orders/next', ask), first, 'the same again')
  const another = { ...ask, challenge: 'C0FFEE02' }
  t.equal(await said('gateway', '/v1/card-orders/next', another), '409 request_conflict')
  const told = { key: ask.key, card: cardOf(0), outcome: 'refused', sw: '6983' }
  t.equal(await said('gateway', '/v1/card-orders/outcome', { ...told, key: 'order-0009' }), '404 not_found')
  t.equal(await said('gateway', '/v1/card-orders/outcome', { ...told, card: cardOf(1) }), '404 not_found')
  t.match(await door.ok('gateway', 'POST', '/v1/card-orders/outcome', told), { outcome: 'refused' })
  const later = { ...told, outcome: 'obeyed', sw: '9000' }
  t.match(await door.ok('gateway', 'POST', '/v1/card-orders/outcome', later), { outcome: 'refused' })
  for (const path of ['withdrawal', 'pin']) {
    t.equal(await said('clerk', `/v1/card-orders/${order}/${path}`), '409 conditions_not_met', path)
    t.equal(await said('clerk', `/v1/card-orders/999/${path}`), '404 not_found', path)
  }
  const closing = { card: cardOf(1), order: { name: 'block_card' }, reason: 'broken' }
  const { json: { order: late } } = await door.ask('clerk', 'POST', '/v1/card-orders', { json: closing })
  const asked = { ...ask, key: 'order-0002', card: cardOf(1) }
  t.match(await door.ok('gateway', 'POST', '/v1/card-orders/next', asked), { order: { name: 'block_card' } })
  await door.ok('clerk', 'POST', `/v1/card-orders/${late}/withdrawal`)
  t.match(await door.ok('gateway', 'POST', '/v1/card-orders/next', asked), { order: null }, 'withdrawn')
  const heard = { key: 'order-0002', card: cardOf(1), outcome: 'obeyed', sw: '9000' }
  t.match(await door.ok('gateway', 'POST', '/v1/card-orders/outcome', heard), { outcome: 'obeyed' })
  t.match((await door.ok('clerk', 'GET', '/v1/card-orders?state=obeyed')).items,
    [{ order: late, state: 'obeyed', sw: '9000' }], 'it was signed before it was withdrawn')
  t.equal(await said('clerk', `/v1/card-orders/${late}/withdrawal`), '409 conditions_not_met')
  const step = { batch: 'none', card: cardOf(0), step: 0, challenge: '00000000' }
  t.equal(await said('gateway', '/v1/issuing/steps', step), '404 not_found')
  const issued = { batch: 'none', card: cardOf(0), outcome: 'issued' }
  t.equal(await said('gateway', '/v1/issuing/outcomes', issued), '404 not_found')
  t.equal((await door.ask('clerk', 'GET', '/v1/issuing/batches/none')).status, 404)
  t.equal(await said('clerk', '/v1/issuing/steps', step), '403 forbidden')

  const batch = { batch: 'B-9', type: 'anonymous', lot, lotKeyVersion: 1, cards: [specOf(91)] }
  const prepaid = { code: 'PRE', kind: 'agent', nameZh: '预存代理', nameEn: 'Prefunded agent', prepaid: true }
  await door.ok('registrar', 'PUT', '/v1/registry', { parties: [prepaid] })
  for (const [sale, where] of [
    [{ depositFen: 2_000 }, '/depositFen'], [{ soldBy: 'ISS', depositFen: 2_000 }, '/soldBy'],
    [{ soldBy: 'NOBODY' }, '/soldBy'], [{ soldBy: 'PRE' }, '/soldBy']
  ] as const) {
    t.match(await door.ask('registrar', 'POST', '/v1/issuing/batches', { json: { ...batch, ...sale } }),
      { status: 422, json: { reason: 'registry_invalid', where } })
  }
  await bootstrap(door.db, {
    staff: [{ name: 'west', password, roles: ['registrar'], branch: 'WEST' }]
  }, door.clock.now())
  const { token } = (await door.signIn('west', password)).json
  await door.db.query("update party set branch = 'EAST' where code = 'SHP'")
  const elsewhere = { ...batch, soldBy: 'SHP' }
  t.match(await door.ask(null, 'POST', '/v1/issuing/batches', { json: elsewhere, token }),
    { status: 403, json: { reason: 'other_branch' } })
  const sold = { ...batch, soldBy: 'SHP', depositFen: 2_000 }
  t.match(await door.ok('registrar', 'POST', '/v1/issuing/batches', sold),
    { soldBy: 'SHP', depositFen: 2_000, waiting: 1 })
  const became = { batch: 'B-9', card: { issuer, serial: serialOf(91), issue: 1 }, outcome: 'issued' }
  for (const time of ['once', 'again']) {
    t.match(await door.ok('gateway', 'POST', '/v1/issuing/outcomes', became), { state: 'issued' }, time)
  }
  t.match(await door.ok('clerk', 'GET', `/v1/cards/${issuer}-${serialOf(91)}-1`),
    { validUntil: '2099-12-31' }, 'as file 0015 of its chip says')
  const { accounts } = await door.ok('auditor', 'GET', '/v1/accounts')
  for (const account of ['commerce/receivable-agent/SHP', 'commerce/card-deposit']) {
    const { balanceFen } = accounts.find((one: { account: string }) => one.account === account)
    t.equal(balanceFen, 2_000, `${account}: for the card that was made, once`)
  }
  t.strictSame(doors.mismatches(), [])
  unused.push(...doors.unused())
  await door.close()
})

/* ---- at lanes and desks ---- */

t.test('in a city', here, async t => {
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const city = await openCity(t, doors, ['DESK', 'LOAD', 'BUS-1'])
  await orders(t, city)
  await issuing(t, city)
  const ours = doors.unused().filter(one => unused.includes(one) && /card-orders|issuing/.test(one))
  t.strictSame(ours, [], 'every route was used')
  t.strictSame(doors.mismatches(), [])
})

const obeying: GatewayWish = { lane: { mode: 'orders' } }

async function order (city: City, no: number, order: object): Promise<{ status: number, order: number }> {
  const said = await city.door.ask('clerk', 'POST', '/v1/card-orders', {
    json: { card: cardOf(no), order, reason: 'the holder asked for it' }
  })
  return { status: said.status, order: said.json.order }
}

type Listed = { readonly order: number, readonly name: string, readonly signed: number }
const ordersIn = async (city: City, state: string): Promise<Listed[]> =>
  (await city.door.ok('clerk', 'GET', `/v1/card-orders?state=${state}`)).items

/** Resolves when the ledger has heard what the chip did. */
async function decided (city: City, no: number, state: string) {
  for (let n = 0; n < 800; n++) {
    const found = (await ordersIn(city, state)).find(one => one.order === no)
    if (found !== undefined) return found
    await delay(25)
  }
  throw new Error(`order ${no} is not ${state}`)
}

async function orders (t: Test, city: City): Promise<void> {
  const lockedChip = { lock: 'temporary', pin: { digits: '111111' } } as const
  const lockOf = async (no: number) => {
    const { lock, pinTriesLeft } = await city.farm.inspectCard({ chip: await city.chip(no) })
    return [lock, pinTriesLeft]
  }
  await t.test('a locked card is opened, and its holder told the new PIN', async t => {
    const gateway = await city.gateway('GW-O', ['DESK'], obeying)
    await city.chip(1, 'DESK', lockedChip)
    t.equal((await city.tap(gateway, 'DESK', 1)).reason, 'no_orders')
    const { order: unblock } = await order(city, 1, { name: 'unblock_application' })
    t.match(await order(city, 1, { name: 'unblock_application' }), { status: 409 }, 'the same twice')
    const { order: pin } = await order(city, 1, { name: 'unblock_pin' })
    const letter = () => city.door.ask('clerk', 'POST', `/v1/card-orders/${pin}/pin`)
    t.equal((await letter()).status, 409, 'no chip has it yet')
    t.match(await city.tap(gateway, 'DESK', 1), { outcome: 'approved', reason: 'orders_obeyed' })
    t.same(await lockOf(1), ['none', 3])
    t.match(await decided(city, unblock, 'obeyed'), { name: 'unblock_application', signed: 1 })
    await decided(city, pin, 'obeyed')
    t.same((await letter()).json, { order: pin, pin: naturalPin(cardOf(1).serial, pin) })
    t.equal((await city.door.ask('registrar', 'POST', `/v1/card-orders/${pin}/pin`)).status, 403)
    t.equal((await city.tap(gateway, 'DESK', 1)).reason, 'no_orders')
    const { rows } = await city.door.db.query("select 1 from outbox where topic = 'card.obeyed'")
    t.equal(rows.length, 2, 'others are told')
    await city.rest('GW-O')
  })

  await t.test('cards that leave, chips that say no, the list, and who withdraws', async t => {
    const gateway = await city.gateway('GW-P', ['DESK'], obeying)
    const [torn, stubborn, listed, dropped] = [2, 3, 4, 5]
    for (const no of [torn, stubborn, listed, dropped]) await city.chip(no, 'DESK', lockedChip)
    const ids: Record<number, number> = {}
    for (const no of [torn, stubborn, listed, dropped]) {
      ids[no] = (await order(city, no, { name: 'unblock_application' })).order
    }
    await city.farm.arm({
      chip: await city.chip(torn), fault: { kind: 'tear', commit: 'after', command: '8418' }
    })
    t.equal((await city.tap(gateway, 'DESK', torn)).reason, 'torn')
    t.equal((await city.tap(gateway, 'DESK', torn)).reason, 'order_refused', 'it is open already')
    t.match(await decided(city, ids[torn] ?? 0, 'obeyed'), { signed: 2 }, 'the ledger knows why it said no')
    await city.farm.arm({
      chip: await city.chip(stubborn), fault: { kind: 'status', sw: '6988', command: '8418' }
    })
    t.match(await city.tap(gateway, 'DESK', stubborn), { reason: 'order_refused', why: /^6988 / })
    t.match(await decided(city, ids[stubborn] ?? 0, 'refused'), { signed: 1 })
    t.same(await lockOf(stubborn), ['temporary', 3])
    const entry = { card: cardOf(listed), reason: 'loss', at: '2026-03-02T07:00:00+08:00' }
    await city.door.ok('registrar', 'POST', '/v1/blacklist', { add: [entry], remove: [] })
    t.equal((await city.tap(gateway, 'DESK', listed)).reason, 'no_orders', 'not while it is listed')
    await city.door.ok('clerk', 'POST', `/v1/card-orders/${ids[dropped]}/withdrawal`, {})
    t.equal((await city.tap(gateway, 'DESK', dropped)).reason, 'no_orders', 'withdrawn')
    const path = `/v1/card-orders/${ids[torn]}/withdrawal`
    t.equal((await city.door.ask('clerk', 'POST', path, { json: {} })).status, 409, 'too late')
    const unknown = { card: { ...cardOf(1), issue: 9 }, order: { name: 'block_card' }, reason: 'x' }
    t.equal((await city.door.ask('clerk', 'POST', '/v1/card-orders', { json: unknown })).status, 404)
    t.match((await ordersIn(city, 'waiting')).map(one => one.order), [ids[listed]])
    await city.rest('GW-P')
  })

  await t.test('kill -9 before and behind the command: the card comes back, and it is done once', async t => {
    for (const [no, killAt] of [[6, 'order-after-intent'], [7, 'order-after-command']] as const) {
      const chip = await city.chip(no, 'DESK', lockedChip)
      const { order: id } = await order(city, no, { name: 'unblock_application' })
      const first = await city.gateway(`GW-K${no}`, ['DESK'], { ...obeying, killAt })
      await city.farm.insert({ chip, reader: 'DESK 00 00' })
      await first.ended
      await city.farm.remove({ reader: 'DESK 00 00' })
      const obeyed = killAt === 'order-after-command'
      t.same(await lockOf(no), [obeyed ? 'none' : 'temporary', 3], killAt)
      const second = await city.gateway(`GW-K${no}`, ['DESK'], obeying)
      t.equal((await city.tap(second, 'DESK', no)).reason, obeyed ? 'order_refused' : 'orders_obeyed')
      t.match(await decided(city, id, 'obeyed'), { signed: 2 }, killAt)
      t.same(await lockOf(no), ['none', 3])
      await city.rest(`GW-K${no}`)
    }
  })
}

/* ---- making cards ---- */

const issuer = '02313750FFFFFFFF'
const serialOf = (no: number) => `031049906000000009${String(no).padStart(2, '0')}`

const specOf = (no: number) => specOfCard({ profile: 't-union', issuer, serial: serialOf(no) })

type Ended = { readonly code: number | null, readonly signal: string | null }
type Desk = { readonly lines: string[], readonly ended: Promise<Ended> }

/** `npm run issue`, without npm. */
function startDesk (city: City, batch: string, killAt?: string): Desk {
  const path = join(city.dir, 'desk.json')
  writeFileSync(path, JSON.stringify({
    ledger: { url: city.door.url, token: `GW1.${secretOf('GW1')}` }, dir: join(city.dir, 'issuing'),
    pcsc: { socket: city.farm.socket }, readers: ['DESK 00 00']
  }))
  const { command, args } = nodeCommand('gateway/issuing/main.ts', [path, batch])
  const killed = killAt === undefined ? {} : { CITIZEN_CARD_KILL_AT: killAt }
  const env = { ...process.env, LOG_LEVEL: 'fatal', ...killed }
  const child = spawn(command, args ?? [], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    lines.push(...chunk.toString('utf8').split('\n').filter(Boolean))
  })
  const ended = new Promise<Ended>(resolve => {
    child.once('close', (code, signal) => { resolve({ code, signal }) })
  })
  return { lines, ended }
}

/** Holds a chip to the desk until it has been spoken of, or the desk has died over it. */
async function present (city: City, desk: Desk, chip: string): Promise<string> {
  const before = desk.lines.length
  const end = { came: false }
  void desk.ended.then(() => { end.came = true })
  await city.farm.insert({ chip, reader: 'DESK 00 00' })
  while (desk.lines.length === before && !end.came) await delay(20)
  const occupied = await city.farm.occupants({})
  if (occupied['DESK 00 00'] === chip) await city.farm.remove({ reader: 'DESK 00 00' })
  await delay(600) // pcscd looks every 0.4 s whether a card has gone
  return desk.lines[before] ?? ''
}

async function issuing (t: Test, city: City): Promise<void> {
  await t.test('a batch of three: killed, torn, spoiled; then its cards are loaded and used', async t => {
    const { door, farm } = city
    const cards = [1, 2, 3].map(specOf)
    const batch = { batch: 'B-2026', type: 'anonymous', lot, lotKeyVersion: 1, cards }
    const started = await door.ask('registrar', 'POST', '/v1/issuing/batches', { json: batch })
    t.match(started, { status: 201, json: { batch: 'B-2026', cards: 3, waiting: 3, issued: 0, spoiled: [] } })
    const again = (more: object) =>
      door.ask('registrar', 'POST', '/v1/issuing/batches', { json: { ...batch, ...more } })
    t.equal((await again({})).status, 409, 'a name is used once')
    t.equal((await again({ batch: 'B-2' })).status, 422, 'and a serial')
    const first = cards.slice(0, 1)
    t.equal((await again({ batch: 'B-2', cards: [...first, ...first] })).status, 422)
    t.equal((await door.ask('gateway', 'GET', '/v1/issuing/batches/none/cards')).status, 404)

    const transportKey = diverted(master('TRK'), Buffer.from(lot, 'hex')).toString('hex').toUpperCase()
    const blank = {
      profile: 't-union', issuer: 'FF'.repeat(8), serial: 'FF'.repeat(10), blank: { transportKey }
    } as const
    for (const chip of ['blank-1', 'blank-2', 'blank-3']) await farm.createCard({ chip, card: blank })

    const dying = startDesk(city, 'B-2026', 'issued-before-told')
    await farm.arm({ chip: 'blank-1', fault: { kind: 'tear', commit: 'after', command: '84D4', nth: 2 } })
    t.match(await present(city, dying, 'blank-1'), /^interrupted /)
    t.match(await present(city, dying, 'blank-1'), /^issued |^$/)
    t.match(await dying.ended, { signal: 'SIGKILL' }, 'before the ledger has heard of it')
    t.match(await door.ok('clerk', 'GET', '/v1/issuing/batches/B-2026'), { waiting: 3, issued: 0 })

    const desk = startDesk(city, 'B-2026')
    await farm.arm({ chip: 'blank-2', fault: { kind: 'status', sw: '6A88', command: '84D4' } })
    t.equal(await present(city, desk, 'blank-2'),
      `spoiled ${serialOf(2)}: purchase key: 6A88 key or data not found`)
    t.equal(await present(city, desk, 'blank-1'), `issued_before ${serialOf(1)}`)
    t.equal(await present(city, desk, 'blank-3'), `issued ${serialOf(3)}`)
    t.match(await desk.ended, { code: 0 })
    t.match(JSON.parse(desk.lines.slice(3).join('')), { issued: 2, waiting: 0, open: [], unusable: {} })
    t.match(await door.ok('auditor', 'GET', '/v1/issuing/batches/B-2026'), {
      cards: 3, waiting: 0, issued: 2, spoiled: [{ serial: serialOf(2), at: 'purchase key' }]
    })
    const made = { issuer, serial: serialOf(1), issue: 1 }
    const step = { batch: 'B-2026', card: made, step: 0, challenge: '00000000' }
    t.equal((await door.ask('gateway', 'POST', '/v1/issuing/steps', { json: step })).status, 409)
    const { rows } = await door.db.query("select 1 from outbox where topic = 'card.issued'")
    t.equal(rows.length, 2, 'others are told')
    await used(t, city)
  })
}

/** The keys of load, purchase and TAC are the ones that the ledger and the PSAMs hold. */
async function used (t: Test, city: City): Promise<void> {
  const load = await city.gateway('GW-L', ['LOAD'], { lane: { mode: 'load', agent: 'SHP' } })
  const fare = await city.gateway('GW-F', ['BUS-1'])
  const hold = async (gateway: Running, lane: string, chip: string) => {
    const told = gateway.tap(lane)
    await city.farm.insert({ chip, reader: `${lane} 00 00` })
    const tap = await told
    await city.farm.remove({ reader: `${lane} 00 00` })
    return tap
  }
  for (const [no, chip] of [[1, 'blank-1'], [3, 'blank-3']] as const) {
    const asked = { source: 'agent', amountFen: 5_000, reference: `ref-${chip}` }
    await load.post('/v1/lanes/LOAD/loads', asked)
    t.match(await hold(load, 'LOAD', chip), { reason: 'loaded' })
    t.match(await hold(fare, 'BUS-1', chip), { reason: 'paid', amountFen: 180 })
    await fare.drained()
    const [record] = await city.records(`card=${issuer}-${serialOf(no)}-1`)
    t.match(record, { outcome: 'accepted', amountFen: 180 })
    const { purse } = await city.farm.inspectCard({ chip })
    t.equal(purse.balanceFen, 4_820)
    await delay(500)
  }
}
