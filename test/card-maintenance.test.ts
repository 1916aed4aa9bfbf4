// What an issuer and a holder do to a chip: orders byte for byte, their MACs by another route, every lock and
// counter of the virtual card, power cut at every command, and histories of wrong PINs and MACs that open
// nothing.
import fc from 'fast-check'
import { createCipheriv } from 'node:crypto'
import t, { type Test } from 'tap'
import { type Command, type RecordBy, parseCommand } from '../schemas/epurse/apdu.ts'
import { concat, hex, u16, unhex } from '../schemas/epurse/hex.ts'
import { keyNames, keyOfUsage, keyRecord, keyUsages, parseKeyRecord } from '../schemas/epurse/key-set.ts'
import { loadMac1, loadSessionKey } from '../schemas/epurse/mac.ts'
import {
  type Order, type OrderName, openReload, openSecured, orderIn, orderRules, parseChangePin, signOrder
} from '../schemas/epurse/maintenance.ts'
import { suites, type SuiteName } from '../schemas/epurse/suite.ts'
import { type CardDescription, personalise, testMasterKeys } from '../terminal-sim/card/description.ts'
import {
  type CardState, type Memory, createCard, keyOf, pinOf, reportCard
} from '../terminal-sim/card/state.ts'
import { testMasterKey } from '../terminal-sim/keys.ts'
import type { Power } from '../terminal-sim/reader/chip.ts'
import { type Table, ask, atWork, cardW, selectCityUnion } from './support/chip-table.ts'

const suiteNames: readonly SuiteName[] = ['3des', 'sm4']

/* ---- orders ---- */

const keyB = '00112233445566778899AABBCCDDEEFF'
const damk = '681B429A8E3F8EDEC036AE34A5A83627'
const file15 = '000122000001FFFF 0101000022000000000000062016010120501231 0000'.replaceAll(' ', '')
const updateOf = (sfi: number | null, offset: number, data: string): Order =>
  ({ order: 'update_binary', sfi, offset, data })

const recordOf = (sfi: number, record: number, data: string, by: RecordBy = 'tag'): Order =>
  ({ order: 'update_record', sfi, record, by, data })

type Vector = readonly [
  origin: string, order: Order, given: { key: string, challenge: string, secret?: string }, command: string
]
const vectors: readonly Vector[] = [
  ['published key load', { order: 'write_key', key: 'purchase', version: 0, algorithm: 0 },
    { key: keyB, challenge: '5D72B3FD', secret: keyB },
    '84D400001C DCC0BB5793ABFCA2 CA8C1624822F6E01 A86A0B5CBED191DD 8A9D4ADB'],
  ['published retail MAC', updateOf(null, 0, '11223344556677889900AABBCCDDEEFF'),
    { key: 'FF'.repeat(16), challenge: '44A47DEB' },
    '04D6000014 11223344556677889900AABBCCDDEEFF F2F62231'],
  ['published retail MAC', updateOf(0x15, 0, file15), { key: '36'.repeat(16), challenge: 'A3BBCFC8' },
    `04D6950022 ${file15} 96E32EF1`],
  ['own worked example', { order: 'block_application', form: 'temporary' },
    { key: damk, challenge: 'C0FFEE01' }, '841E000004 4366832D'],
  ['own worked example', updateOf(0x15, 9, '02'), { key: damk, challenge: 'C0FFEE01' },
    '04D6950905 02 D2038C63']
]

t.test('orders have the published bytes', async t => {
  for (const [origin, order, { key, challenge, secret }, command] of vectors) {
    const signed = signOrder(order, {
      suite: suites['3des'], key: unhex(key), challenge: unhex(challenge),
      ...secret === undefined ? {} : { secret: unhex(secret) }
    })
    t.equal(hex(signed), command.replaceAll(' ', ''), `${order.order}: ${origin}`)
  }
})

const pin1 = '135790'
const pin2 = '24680246'
const newKey = '0F1E2D3C4B5A69788796A5B4C3D2E1F0'
const record02 = '022E01' + 'AB'.repeat(45)

/** One of each, and of what it carries. */
const orders: Readonly<Record<OrderName, { order: Order, secret?: string }>> = {
  block_application: { order: { order: 'block_application', form: 'temporary' } },
  unblock_application: { order: { order: 'unblock_application' } },
  block_card: { order: { order: 'block_card' } },
  update_binary: { order: updateOf(0x16, 2, 'C4E3') },
  update_record: { order: { order: 'update_record', sfi: 0x17, record: 2, by: 'tag', data: record02 } },
  write_key: { order: { order: 'write_key', key: 'load', version: 2, algorithm: 0 }, secret: newKey },
  unblock_pin: { order: { order: 'unblock_pin' }, secret: pin2 },
  reload_pin: { order: { order: 'reload_pin' }, secret: pin2 }
}
const orderNames = Object.keys(orders) as OrderName[]

/* The same MACs and cryptograms from the ciphers of OpenSSL, without any code of ours. */

function cipher (name: string, key: Uint8Array, iv: Uint8Array | null, blocks: Uint8Array): Uint8Array {
  const made = createCipheriv(name, key, iv)
  made.setAutoPadding(false)
  return made.update(blocks)
}
const padded = (data: Uint8Array, block: number): Uint8Array => {
  const whole = concat(data, Uint8Array.of(0x80))
  return concat(whole, new Uint8Array((block - whole.length % block) % block))
}
/** Single DES over all blocks but the last, triple DES over that: ISO/IEC 9797-1 algorithm 3. */
function macByOpenSsl (
  suite: SuiteName, key: Uint8Array, challenge: Uint8Array, message: Uint8Array
): string {
  if (suite === 'sm4') {
    const blocks = padded(message, 16)
    return hex(cipher('sm4-cbc', key, concat(challenge, new Uint8Array(12)), blocks).slice(-16, -12))
  }
  const blocks = padded(message, 8)
  const left = key.slice(0, 8)
  let chained: Uint8Array = concat(challenge, new Uint8Array(4))
  for (let at = 0; at < blocks.length; at += 8) {
    const isLast = at === blocks.length - 8
    chained = cipher('des-ede-cbc', isLast ? key : concat(left, left), chained, blocks.slice(at, at + 8))
  }
  return hex(chained.slice(0, 4))
}
function cryptogramByOpenSsl (suite: SuiteName, key: Uint8Array, plain: Uint8Array): string {
  const block = suite === 'sm4' ? 16 : 8
  const message = concat(Uint8Array.of(plain.length), plain)
  const blocks = message.length % block === 0 ? message : padded(message, block)
  return hex(cipher(suite === 'sm4' ? 'sm4-ecb' : 'des-ede', key, null, blocks))
}

t.test('MACs and cryptograms of both suites, by another route', async t => {
  const key = unhex(damk)
  const challenge = unhex('C0FFEE01')
  for (const suite of suiteNames) {
    for (const name of orderNames.filter(one => one !== 'reload_pin')) {
      const { order, secret } = orders[name]
      const command = signOrder(order, {
        suite: suites[suite], key, challenge, ...secret === undefined ? {} : { secret: unhex(secret) }
      })
      const mac = macByOpenSsl(suite, key, challenge, command.slice(0, -4))
      t.equal(hex(command.slice(-4)), mac, `${name}, ${suite}`)
      t.equal(command[4], command.length - 5, 'Lc counts the MAC')
      if (secret === undefined) continue
      const plain = name === 'write_key' ? unhex(`170200${newKey}`) : unhex(secret)
      const cryptogram = cryptogramByOpenSsl(suite, key, plain)
      t.equal(hex(command.slice(5, -4)), cryptogram, `${name}, ${suite}: enciphered`)
    }
  }
  const folded = unhex(damk).slice(0, 8).map((byte, at) => byte ^ (unhex(damk)[at + 8] ?? 0))
  const chained = cipher('des-ede-cbc', concat(folded, folded), new Uint8Array(8), padded(unhex(pin2), 8))
  const mac = chained.slice(-8, -4)
  const reload = signOrder({ order: 'reload_pin' }, {
    suite: suites['3des'], key, challenge: new Uint8Array(), secret: unhex(pin2)
  })
  t.equal(hex(reload), `805E000008${pin2}${hex(mac)}`, 'RELOAD PIN: single DES under the halves folded')
  const sm4Mac = cipher('sm4-cbc', key, new Uint8Array(16), padded(unhex(pin2), 16)).slice(-16, -12)
  t.equal(hex(signOrder({ order: 'reload_pin' }, {
    suite: suites.sm4, key, challenge: new Uint8Array(), secret: unhex(pin2)
  })), `805E000008${pin2}${hex(sm4Mac)}`)
})

const commandIn = (bytes: Uint8Array): Command => {
  const parsed = parseCommand(bytes)
  if (!parsed.ok) throw new Error(parsed.error)
  return parsed
}

t.test('a chip finds what was ordered, and nothing else: every flipped bit', async t => {
  const key = unhex(damk)
  const challenge = unhex('C0FFEE01')
  for (const suite of suiteNames.map(name => suites[name])) {
    for (const name of ['update_binary', 'write_key', 'unblock_pin', 'block_card'] as const) {
      const { order, secret } = orders[name]
      const bytes = signOrder(order, {
        suite, key, challenge, ...secret === undefined ? {} : { secret: unhex(secret) }
      })
      const field = secret === undefined ? 'clear' as const : 'enciphered' as const
      const opening = { suite, key, challenge, field }
      const found = openSecured(commandIn(bytes), opening)
      const wanted = {
        update_binary: 'C4E3', write_key: `170200${newKey}`, unblock_pin: pin2, block_card: ''
      }[name]
      t.equal('data' in found ? hex(found.data) : found.wrong, wanted, `${name}, ${suite.name}`)
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        if (bit >> 3 === 4) continue // Lc: the command is no command any more
        const flipped = Uint8Array.from(bytes)
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ 0x80 >> (bit & 7)
        const after = openSecured(commandIn(flipped), opening)
        if (!('wrong' in after)) t.fail(`${name}: bit ${bit}`)
      }
      t.match(openSecured(commandIn(bytes), { ...opening, challenge: unhex('C0FFEE02') }), { wrong: 'mac' })
    }
    t.match(openSecured(commandIn(unhex('8416000003 000000')), {
      suite, key, challenge, field: 'clear'
    }), { wrong: 'length' })
    const reload = signOrder({ order: 'reload_pin' }, { suite, key, challenge, secret: unhex(pin2) }).slice(5)
    t.equal(hex(openReload(reload, { suite, drpk: key }) ?? unhex('')), pin2)
    for (let bit = 0; bit < 8 * reload.length; bit++) {
      const flipped = Uint8Array.from(reload)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ 0x80 >> (bit & 7)
      if (openReload(flipped, { suite, drpk: key }) !== null) t.fail(`RELOAD PIN: bit ${bit}`)
    }
  }
})

t.test('a command says which order it is', async t => {
  const signing = { suite: suites['3des'], key: unhex(damk), challenge: unhex('C0FFEE01') }
  for (const name of orderNames) {
    const { order, secret = newKey } = orders[name]
    const command = commandIn(signOrder(order, { ...signing, secret: unhex(secret) }))
    t.equal(orderIn(command), name)
    t.equal(orderIn({ ...command, cla: 0x00 }), null, `${name} without secure messaging`)
  }
  const others = [initLoad, verify(pin1), change(pin1, pin2), '805401000F' + '00'.repeat(15), '0084000004']
  for (const command of others) t.equal(orderIn(commandIn(unhex(command))), null, command)
})

t.test('what cannot be ordered, and what is no CHANGE PIN', async t => {
  const signing = { suite: suites['3des'], key: unhex(damk), challenge: unhex('C0FFEE01') }
  const wrong: readonly [Order, string | undefined, RegExp][] = [
    [{ order: 'write_key', key: 'load', version: 1, algorithm: 0 }, undefined, /there is none/],
    [{ order: 'write_key', key: 'load', version: 1, algorithm: 0 }, 'AB', /a key has 16 bytes, not 1/],
    [{ order: 'unblock_pin' }, '12', /a PIN has 2 to 6 bytes, not 1/],
    [{ order: 'reload_pin' }, '12345678901234', /a PIN has 2 to 6 bytes, not 7/]
  ]
  for (const [order, secret, message] of wrong) {
    t.throws(() => signOrder(order, {
      ...signing, ...secret === undefined ? {} : { secret: unhex(secret) }
    }), { name: 'RangeError', message })
  }
  t.same(parseChangePin(unhex(`${pin1}FF${pin2}`)), { ok: true, old: unhex(pin1), next: unhex(pin2) })
  for (const data of ['', 'FF', pin1, `${pin1}FF`, `${pin1}FF12`, `FF${pin1}`, `12FF${pin1}`]) {
    t.match(parseChangePin(unhex(data)), { ok: false }, data)
  }
})

t.test('the keys of a card have usages of their own', async t => {
  t.equal(new Set(Object.values(keyUsages)).size, keyNames.length)
  for (const name of keyNames) t.equal(keyOfUsage(keyUsages, keyUsages[name]), name)
  t.equal(keyOfUsage(keyUsages, 0x00), null)
  const record = { usage: 0x22, version: 1, algorithm: 0, key16: unhex(keyB) }
  t.same(parseKeyRecord(keyRecord(record)), { ok: true, ...record })
  t.match(parseKeyRecord(unhex('220100')), { ok: false, error: /19 bytes wanted, 3 found/ })
})

/* ---- the virtual card ---- */

const algorithms = { '3des': 0, sm4: 4 } as const

/** The card's own keys, as its maker derives them from the masters. */
function ownKeys (description: Partial<CardDescription> = {}) {
  const { dpk, dlk, dtk, damk, dpuk, drpk, dmk } = personalise({ ...cardW, ...description }, testMasterKeys())
  return {
    purchase: dpk, load: dlk, tac: dtk, maintenance: damk, pin_unblock: dpuk, pin_reload: drpk, master: dmk
  }
}

type Way = { key?: string, power?: Power, challenge?: boolean, secret?: string, suite?: SuiteName }

/** GET CHALLENGE, and the order signed for it. */
function give (table: Table, order: Order, way: Way = {}): string | null {
  const rule = orderRules[order.order]
  const suite = way.suite ?? table.card.chip.suite.name
  const own = ownKeys({ suite })
  let challenge: Uint8Array = new Uint8Array(4)
  if (rule.challenge && way.challenge !== false) {
    challenge = unhex((ask(table, 'card', '0084000004') ?? '').slice(0, 8))
  }
  const command = signOrder(order, {
    suite: suites[suite], key: unhex(way.key ?? own[rule.key]), challenge,
    ...way.secret === undefined ? {} : { secret: unhex(way.secret) }
  })
  return ask(table, 'card', hex(command), way.power)
}

/** An order by its name, with what it carries. */
const giveNamed = (table: Table, name: OrderName, way: Way = {}): string | null => {
  const { order, secret } = orders[name]
  const algorithm = algorithms[table.card.chip.suite.name]
  return give(table, order.order === 'write_key' ? { ...order, algorithm } : order, {
    ...secret === undefined ? {} : { secret }, ...way
  })
}

const verify = (pin: string) => `00200000${length(pin)}${pin}`
const change = (old: string, next: string) => `805E0100${length(`${old}FF${next}`)}${old}FF${next}`
const length = (data: string) => (data.length / 2).toString(16).padStart(2, '0')
const wrongKey = 'DEADBEEF'.repeat(4)
const initLoad = '805000020B01 000000C8 990000000001 10'
const pinCard = (more: Partial<CardDescription> = {}): Partial<CardDescription> =>
  ({ pin: { digits: pin1 }, ...more })

type Act = (table: Table) => string | null
const acts: Readonly<Record<string, Act>> = {
  'verify old': table => ask(table, 'card', verify(pin1)),
  'verify new': table => ask(table, 'card', verify(pin2)),
  'verify wrong': table => ask(table, 'card', verify('000000')),
  'change old new': table => ask(table, 'card', change(pin1, pin2)),
  'change wrong new': table => ask(table, 'card', change('000000', pin2)),
  'change old letters': table => ask(table, 'card', change(pin1, '12AB')),
  'change without FF': table => ask(table, 'card', `805E0100${length(pin1)}${pin1}`),
  'change another PIN': table => ask(table, 'card', change(pin1, pin2).replace('805E0100', '805E0101')),
  reload: table => giveNamed(table, 'reload_pin'),
  'reload wrong': table => giveNamed(table, 'reload_pin', { key: wrongKey }),
  'reload letters': table => giveNamed(table, 'reload_pin', { secret: '12AB' }),
  unblock: table => giveNamed(table, 'unblock_pin'),
  'unblock old': table => giveNamed(table, 'unblock_pin', { secret: pin1 }),
  'unblock wrong': table => giveNamed(table, 'unblock_pin', { key: wrongKey }),
  'unblock letters': table => giveNamed(table, 'unblock_pin', { secret: '12AB' }),
  'unblock without challenge': table => giveNamed(table, 'unblock_pin', { challenge: false }),
  'init load': table => (ask(table, 'card', initLoad) ?? '').slice(-4),
  select: table => (ask(table, 'card', selectCityUnion) ?? '').slice(-4)
}

/** Rows of an act and its answer, and how many tries are left then. */
function follow (t: Test, description: Partial<CardDescription>, story: string): Table {
  const table = atWork(description)
  for (const row of story.trim().split('\n').map(line => line.trim())) {
    const [, what = '', answer, tries] = /^(.+?)\s{2,}(\S+)\s*(\d*)$/.exec(row) ?? []
    const act = acts[what]
    if (act === undefined) throw new Error(`not a row: ${row}`)
    t.equal(act(table), answer, row)
    if (tries !== undefined && tries !== '') t.equal(reportCard(table.card).pinTriesLeft, Number(tries), row)
  }
  return table
}

t.test('a PIN in the hands of its holder and of its issuer', async t => {
  for (const suite of suiteNames) {
    follow(t, pinCard({ suite }), `
      change wrong new           63C2  2
      change old new             9000  3
      init load                  6982
      verify old                 63C2
      verify new                 9000  3
      init load                  9000
      change wrong new           63C2
      init load                  6982
    `)
    follow(t, pinCard({ suite }), `
      change old letters         6A80  3
      change without FF          6700  3
      change another PIN         6A88  3
      verify wrong               63C2
      verify wrong               63C1
      change wrong new           63C0  0
      verify old                 6983
      change old new             6983
      unblock without challenge  6984
      unblock wrong              6988
      verify old                 6983
      unblock letters            6A80  0
      unblock                    9000  3
      init load                  6982
      verify old                 63C2
      verify new                 9000
      init load                  9000
    `)
    follow(t, pinCard({ suite }), `
      verify wrong               63C2
      verify wrong               63C1
      verify wrong               63C0
      unblock old                9000  3
      verify old                 9000
    `)
    follow(t, pinCard({ suite }), `
      verify wrong               63C2
      verify wrong               63C1
      verify wrong               63C0
      reload wrong               9302  0
      verify old                 6983
      reload letters             6A80  0
      reload                     9000  3
      verify new                 9000
      reload                     9000
      init load                  6982
    `)
  }
  follow(t, {}, `
    change old new  6A88
    reload          6A88
    unblock         6A88
  `)
  follow(t, pinCard({ settings: { reloadMacSw: 0x6988 } }), 'reload wrong  6988')
})

t.test('wrong MACs wear out the keys that count, one right MAC forgives', async t => {
  for (const suite of suiteNames) {
    follow(t, pinCard({ suite }), `
      unblock wrong  6988
      unblock wrong  6988
      unblock        9000
      unblock wrong  6988
      unblock wrong  6988
      unblock wrong  6988
      unblock        6983
      reload         9000
      reload wrong   9302
      reload wrong   9302
      reload wrong   9302
      reload         6983
      select         9000
      reload         6983
      unblock        6983
      verify new     9000
    `)
  }
  const table = atWork(pinCard())
  for (let count = 1; count <= 3; count++) t.equal(giveNamed(table, 'write_key', { key: wrongKey }), '6988')
  t.equal(giveNamed(table, 'write_key'), '6983', 'nobody writes keys any more')
  for (let count = 1; count <= 20; count++) {
    t.equal(giveNamed(table, 'update_binary', { key: wrongKey }), '6988')
  }
  t.equal(giveNamed(table, 'update_binary'), '9000', 'the maintenance key counts nothing')
})

const lockedBy: Readonly<Record<string, (table: Table) => void>> = {
  none: () => undefined,
  temporary: table => { give(table, { order: 'block_application', form: 'temporary' }) },
  permanent: table => { give(table, { order: 'block_application', form: 'permanent' }) },
  card: table => { give(table, { order: 'block_card' }) }
}
/** What each command answers under each lock; every MAC and PIN is right. */
const underLocks = `
  lock      select verify change reload_pin unblock_pin update_binary update_record write_key block free card
  none      9000   9000   9000   9000       9000        9000          9000          9000      9000  6985 9000
  temporary 6A81   6985   6985   6985       6985        6985          6985          6985      9000  9000 9000
  permanent 9303   9303   9303   9303       9303        9303          9303          9303      9303  9303 9000
  card      6A81   6A81   6A81   6A81       6A81        6A81          6A81          6A81      6A81  6A81 6A81
`
const lockedActs: Readonly<Record<string, Act>> = {
  select: acts.select as Act,
  verify: acts['verify old'] as Act,
  change: acts['change old new'] as Act,
  block: table => giveNamed(table, 'block_application'),
  free: table => giveNamed(table, 'unblock_application'),
  card: table => giveNamed(table, 'block_card')
}

t.test('every command under every lock', async t => {
  const [[, ...names] = [], ...rows] = underLocks.trim().split('\n').map(row => row.trim().split(/\s+/))
  for (const suite of suiteNames) {
    for (const [lock = '', ...expected] of rows) {
      for (const [index, name] of names.entries()) {
        const table = atWork(pinCard({ suite }))
        lockedBy[lock]?.(table)
        t.equal(reportCard(table.card).lock, lock)
        const act = lockedActs[name] ?? (table => giveNamed(table, name as OrderName))
        // The challenge of a blocked card is refused as well: the order is then signed for nothing.
        t.equal(act(table), expected[index], `${name}, lock ${lock}, ${suite}`)
      }
    }
  }
})

t.test('files under secure messaging', async t => {
  const read = (table: Table, command: string) => ask(table, 'card', command)?.slice(0, -4)
  for (const suite of suiteNames) {
    const table = atWork({ suite })
    t.equal(giveNamed(table, 'update_binary'), '9000')
    t.equal(read(table, '00B0960206'), 'C4E300000000', 'where it was meant to go')
    t.equal(give(table, updateOf(null, 3, 'FF')), '9000', 'the selected file')
    t.equal(read(table, '00B0960204'), 'C4FF0000')
    t.equal(giveNamed(table, 'update_record'), '9000')
    t.equal(read(table, '00B202BC00'), record02)
    ask(table, 'card', '805003020B01 000000C8 990000000001 0F')
    t.equal(ask(table, 'card', `80DC02B830${record02}`), '6985', 'its lock byte is set')
    const open = { order: 'update_record', sfi: 0x17, record: 2, by: 'number' } as const
    const cleared = record02.replace('022E01', '022E00')
    t.equal(give(table, { ...open, data: cleared }), '9000', 'the issuer clears it')
    ask(table, 'card', '00A40000023F00')
    t.equal(give(table, updateOf(0x05, 8, '0000000012345679')), '9000', 'a file of the card itself')
    t.equal(read(table, '00B0850808'), '0000000012345679')
  }
  const refusals: readonly [string, Order, string, Way?][] = [
    ['file that is not there', updateOf(0x01, 0, 'AA'), '6A82'],
    ['a log', updateOf(0x18, 0, 'AA'), '6981'],
    ['offset behind the file', updateOf(0x15, 30, 'AA'), '6B00'],
    ['more than the file holds', updateOf(0x15, 29, 'AABB'), '6700'],
    ['nothing', updateOf(0x15, 0, ''), '6700'],
    ['no file selected', updateOf(null, 0, 'AA'), '6986'],
    ['record of a log', recordOf(0x18, 1, 'AA', 'number'), '6981'],
    ['record of a binary file', recordOf(0x15, 1, 'AA', 'number'), '6981'],
    ['record that is not there', recordOf(0x17, 7, 'AA'), '6A83'],
    ['record of another length', recordOf(0x17, 2, 'AA'), '6700'],
    ['record with another tag', recordOf(0x17, 2, record02.replace('022E', '032E')), '6A80'],
    ['no challenge', updateOf(0x15, 0, 'AA'), '6984', { challenge: false }],
    ['wrong MAC', updateOf(0x15, 0, 'AA'), '6988', { key: wrongKey }]
  ]
  for (const [what, order, status, way] of refusals) {
    const table = atWork()
    const { memory } = table.card
    t.equal(give(table, order, way), status, what)
    t.strictSame(table.card.memory, memory, 'and nothing happened')
  }
  const table = atWork()
  ask(table, 'card', '0084000004')
  const order = hex(signOrder(updateOf(0x16, 0, '01'), {
    suite: suites['3des'], key: unhex(damk), challenge: new Uint8Array(4)
  }))
  const twice = [ask(table, 'card', order), ask(table, 'card', order)]
  t.same(twice, ['9000', '6984'], 'a challenge is good for one')
  for (const plain of ['00D6950001AA', '00DC02B801AA', '80D4000013' + '00'.repeat(19)]) {
    t.equal(ask(atWork(), 'card', plain), '6987', `${plain.slice(0, 4)} without secure messaging`)
  }
})

t.test('keys under secure messaging', async t => {
  for (const suite of suiteNames) {
    const algorithm = algorithms[suite]
    const table = atWork({ suite })
    t.equal(giveNamed(table, 'write_key'), '9000')
    const init = unhex(ask(table, 'card', initLoad) ?? '')
    t.equal(init[6], 2, 'INITIALIZE tells the new version')
    const drawn = { rand4: init.slice(8, 12), counter: 7 }
    const sessionKey = loadSessionKey({ suite: suites[suite], dlk: unhex(newKey), ...drawn })
    const session = { suite: suites[suite], sessionKey }
    const terminal6 = unhex('990000000001')
    const mac1 = loadMac1({ ...session, oldBalanceFen: 0x2710, amountFen: 200, type: 2, terminal6 })
    t.equal(hex(init.slice(12, 16)), hex(mac1), 'and signs with it')
    t.equal(unhex(ask(table, 'card', '805001020B01 000000C8 990000000001 0F') ?? '')[9], 1, 'the others stay')

    const master = { order: 'write_key', key: 'master', version: 2, algorithm } as const
    t.equal(give(table, master, { secret: newKey }), '9000')
    t.equal(giveNamed(table, 'write_key'), '6988', 'the old master has no word any more')
    t.equal(giveNamed(table, 'write_key', { key: newKey }), '9000')
    const odd = give(table, { ...master, algorithm: 9 }, { key: newKey, secret: newKey })
    t.equal(odd, '6A80', 'another algorithm')
  }
  const numbered = atWork({ settings: { keyUsages: { ...keyUsages, load: 0x55 } } })
  t.equal(giveNamed(numbered, 'write_key'), '6A88', 'a card whose maker numbers keys otherwise')
  const named = atWork(pinCard({ settings: { unblockNames: 'p1' } }))
  t.equal(giveNamed(named, 'unblock_pin'), '9000', 'PIN 0 in P1 or P2 is the same')
})

t.test('a blank card knows its transport key alone', async t => {
  const blank: Partial<CardDescription> = {
    blank: {}, issuer: 'FF'.repeat(8), serial: 'FF'.repeat(10)
  }
  const { balanceFen: _, ...bare } = cardW
  const table: Table = { ...atWork(), card: createCard({ ...bare, ...blank }) }
  t.match(ask(table, 'card', selectCityUnion), /^6F.*9000$/)
  t.equal(ask(table, 'card', '00B0950000'), 'FF'.repeat(30) + '9000')
  const transport = hex(testMasterKey('TRK'))
  const commands: readonly [string, string][] = [
    [initLoad, '9403'], ['805001020B01 00000000 990000000001 0F', '9403'], [verify(pin1), '6A88'],
    [change(pin1, pin2), '6A88']
  ]
  for (const [command, status] of commands) t.equal(ask(table, 'card', command), status)
  t.equal(giveNamed(table, 'reload_pin'), '6A88')
  t.equal(giveNamed(table, 'unblock_pin'), '6A88')
  t.equal(giveNamed(table, 'update_binary'), '6988', 'what will be its own key is not there yet')
  t.equal(giveNamed(table, 'update_binary', { key: transport }), '9000')
  t.equal(giveNamed(table, 'write_key', { key: transport }), '9000')
  t.throws(() => createCard({ ...cardW, ...blank }), /card\.balanceFen: a blank card has none/)
  t.throws(() => createCard({ ...bare, ...blank, pin: { digits: pin1 } }), /card\.pin/)
  t.throws(() => createCard({ ...bare, ...blank, blank: { transportKey: '00' } }), /transportKey: 16 bytes/)
})

/* ---- power ---- */

t.test('power cut before and after the commit, at every order', async t => {
  const before: Partial<Record<OrderName, (table: Table) => void>> = {
    unblock_application: table => { giveNamed(table, 'block_application') },
    unblock_pin: table => { for (let tries = 0; tries < 3; tries++) acts['verify wrong']?.(table) },
    reload_pin: table => { for (let tries = 0; tries < 3; tries++) acts['verify wrong']?.(table) }
  }
  const startOf = (name: OrderName): Table => {
    const table = atWork(pinCard())
    before[name]?.(table)
    return table
  }
  /** What the order does again after it was done. */
  const again: Readonly<Partial<Record<OrderName, string>>> = {
    unblock_application: '6985', block_card: '6A81'
  }
  for (const name of orderNames) {
    for (const key of [undefined, wrongKey]) {
      const steady = startOf(name)
      const answer = giveNamed(steady, name, key === undefined ? {} : { key })
      for (const power of ['cut_before_commit', 'cut_after_commit'] as const) {
        const what = `${name}${key === undefined ? '' : ' with a wrong MAC'}, ${power}`
        const table = startOf(name)
        const untouched = table.card.memory
        t.equal(giveNamed(table, name, { power, ...key === undefined ? {} : { key } }), null, what)
        const expected = power === 'cut_before_commit' ? untouched : steady.card.memory
        t.strictSame(table.card.memory, expected, `${what}: as before, or as if nothing had been cut`)
        if (key !== undefined) continue
        ask(table, 'card', selectCityUnion)
        const committed = power === 'cut_after_commit'
        t.equal(giveNamed(table, name), committed ? again[name] ?? '9000' : answer, `${what}: and again`)
        t.strictSame(table.card.memory, steady.card.memory, `${what}: once`)
      }
    }
  }
  for (const power of ['cut_before_commit', 'cut_after_commit'] as const) {
    const table = atWork(pinCard())
    t.equal(ask(table, 'card', change(pin1, pin2), power), null)
    const digits = pinOf(table.card)?.digits
    t.equal(digits, power === 'cut_before_commit' ? pin1 : pin2, `CHANGE PIN, ${power}`)
    t.equal(ask(table, 'card', '0084000004', power), null)
    ask(table, 'card', selectCityUnion)
    const late = giveNamed(table, 'update_binary', { challenge: false })
    t.equal(late, '6984', 'a challenge does not outlive power')
  }
})

/* ---- any history ---- */

/** Everything that somebody without the keys and without the PIN can send. */
type Attack =
  | { kind: 'verify' | 'change', pin: string }
  | { kind: 'order', name: OrderName, key: string }
  | { kind: 'noise', name: OrderName, mac: string }
  | { kind: 'replay', index: number }
  | { kind: 'select' | 'reset' }
type Cut = { attack: Attack, power: Power }

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map(hex)
const wrongPin = bytesOf(3).filter(pin => pin !== pin1)
const named = fc.constantFrom(...orderNames)
const attack: fc.Arbitrary<Attack> = fc.oneof(
  fc.record({ kind: fc.constantFrom('verify' as const, 'change' as const), pin: wrongPin }),
  fc.record({ kind: fc.constant('order' as const), name: named, key: bytesOf(16) }),
  fc.record({ kind: fc.constant('noise' as const), name: named, mac: bytesOf(4) }),
  fc.record({ kind: fc.constant('replay' as const), index: fc.nat(20) }),
  fc.record({ kind: fc.constantFrom('select' as const, 'reset' as const) })
)
const cuts: fc.Arbitrary<Cut[]> = fc.array(fc.record({
  attack, power: fc.constantFrom<Power>('steady', 'steady', 'steady', 'cut_before_commit', 'cut_after_commit')
}), { maxLength: 40 })
const beginnings = fc.record({
  suite: fc.constantFrom(...suiteNames),
  tries: fc.nat(3),
  lock: fc.constantFrom('none' as const, 'temporary' as const)
})

/** A table whose chip never draws the same challenge twice. */
function counting (description: Partial<CardDescription>): Table {
  const table = atWork(description)
  let drawn = 0
  table.random = count => {
    drawn += 1
    return concat(new Uint8Array(count - 2), u16(drawn))
  }
  return table
}

/** Genuine commands, listened to on another day: each was signed for a challenge that will not come again. */
function overheard (suite: SuiteName): string[] {
  return orderNames.filter(name => orderRules[name].challenge).map(name => {
    const { order, secret } = orders[name]
    const key = unhex(ownKeys({ suite })[orderRules[name].key])
    return hex(signOrder(order, {
      suite: suites[suite], key, challenge: unhex('A5A5A5A5'),
      ...secret === undefined ? {} : { secret: unhex(secret) }
    }))
  })
}

function strike (table: Table, { attack, power }: Cut, heard: readonly string[]): void {
  switch (attack.kind) {
    case 'verify': ask(table, 'card', verify(attack.pin), power); break
    case 'change': ask(table, 'card', change(attack.pin, pin2), power); break
    case 'order': giveNamed(table, attack.name, { key: attack.key, power }); break
    case 'noise': {
      ask(table, 'card', '0084000004')
      const whole = hex(signOrder(orders[attack.name].order, {
        suite: suites['3des'], key: unhex(wrongKey), challenge: new Uint8Array(4),
        secret: unhex(orders[attack.name].secret ?? newKey)
      }))
      ask(table, 'card', whole.slice(0, -8) + attack.mac, power)
      break
    }
    case 'replay': {
      ask(table, 'card', '0084000004')
      ask(table, 'card', heard[attack.index % heard.length] ?? '', power)
      break
    }
    case 'select': ask(table, 'card', selectCityUnion, power); break
    case 'reset': ask(table, 'card', '00', 'cut_before_commit')
  }
  if (table.card.session.directory !== 'application') ask(table, 'card', selectCityUnion)
}

/** What somebody who has neither may change: tries become fewer, failures more, a lock tighter. */
function isNoLooser (before: CardState, after: CardState): boolean {
  const tries = (card: CardState) => pinOf(card)?.triesLeft ?? 0
  const locks = ['none', 'temporary', 'permanent', 'card']
  const rest = ({ ep, ed, master, application, proof, keys, pinDigits }: Memory) =>
    JSON.stringify([ep, ed, master, application, proof, keys, pinDigits])
  return rest(after.memory) === rest(before.memory) &&
    pinOf(after)?.digits === pin1 && tries(after) <= tries(before) && !after.session.pinVerified &&
    locks.indexOf(after.memory.lock) >= locks.indexOf(before.memory.lock) &&
    !(before.memory.lock === 'none' && after.memory.lock !== 'none')
}

t.test('any interleaving of wrong PINs, wrong MACs, replays and cuts opens nothing', async t => {
  fc.assert(fc.property(beginnings, cuts, ({ suite, tries, lock }, history) => {
    const description = { suite, lock, pin: { digits: pin1, tries } }
    const table = counting(description)
    if (table.card.session.directory !== 'application') ask(table, 'card', selectCityUnion)
    const heard = overheard(suite)
    for (const cut of history) {
      const before = table.card
      strike(table, cut, heard)
      if (!isNoLooser(before, table.card)) return false
    }
    const keys = keyNames.map(name => hex(keyOf(table.card, name)?.bytes ?? unhex('')))
    return keys.join() === keyNames.map(name => ownKeys({ suite })[name]).join()
  }), { numRuns: 1_000, seed: 20260105 })
  t.pass('1,000 histories')
})
