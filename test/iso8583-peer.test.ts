// A terminal that shares no code with the gateway: it signs in with the very bytes that were published, and
// asks with messages of another codec, packed, signed and read by hand from the description of the fields.
// What it knows of ISO 8583 stands in this file.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { sealTerminalKeys } from '../gateway/keys.ts'
import { balances } from '../ledger/store/balances.ts'
import { gatewayProcess } from './support/gateway-process.ts'
import { secretOf, startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, smallCity } from './support/small-city.ts'

t.setTimeout(300_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

/* ---- the terminal ---- */

/** As printed, csdn nocodelife 8454627: batch 000001, trace 000001. */
const signIn = Buffer.from(`005B 6000030000 603100311312 0800 0020000000C00016 000001 3130303030313539
  383830323130303130323130313630 0011 000000010030 0029
  53657175656E6365204E6F3136333135305358582D3443333034313139 0003 303120`.replace(/\s/g, ''), 'hex')
const terminal = '10000159'
const merchant = '880210010210160'
const master = Buffer.from('0123456789ABCDEFFEDCBA9876543210', 'hex')

type OtherCodec = new (message: Record<string, string>, formats?: Record<string, unknown>) =>
{ getRawMessage (): Buffer }
const Other = createRequire(import.meta.url)('iso_8583') as OtherCodec

/** How fields lie on the wire: packed digits of fixed length, packed digits or text behind a length, text. */
const wire: Readonly<Record<number, readonly [form: 'n' | 'an' | 'b', length: number | 'll' | 'lll']>> = {
  2: ['n', 'll'], 3: ['n', 6], 4: ['n', 12], 11: ['n', 6], 12: ['n', 6], 13: ['n', 4], 15: ['n', 4],
  25: ['n', 2], 37: ['an', 12], 39: ['an', 2], 41: ['an', 8], 42: ['an', 15], 49: ['an', 3],
  54: ['an', 'lll'], 60: ['n', 'lll'], 61: ['n', 'lll'], 62: ['b', 'lll'], 64: ['b', 8]
}
function mostOf (form: string, length: number | string): number {
  if (typeof length === 'number') return form === 'b' ? 2 * length : length
  return length === 'll' ? 19 : 40
}
const theirFormats = Object.fromEntries(Object.entries(wire).map(([number, [form, length]]) => [number, {
  ContentType: form, Label: 'x', LenType: length === 'll' ? 'llvar' : length === 'lll' ? 'lllvar' : 'fixed',
  MaxLen: mostOf(form, length), MinLen: 1
}]))

const packed = (digits: string): Buffer => Buffer.from(digits.length % 2 === 0 ? digits : `${digits}0`, 'hex')
const lengthOf = (count: number, bytes: number): Buffer => packed(String(count).padStart(2 * bytes, '0'))

/** A message of the other codec, which writes characters and two bitmaps, as terminals send it. */
function pack (mti: string, fields: Record<number, string>): Buffer {
  const text = new Other({ 0: mti, ...fields } as Record<string, string>, theirFormats).getRawMessage()
  if (!Buffer.isBuffer(text)) throw new Error(JSON.stringify(text))
  const bitmap = Buffer.from(text.subarray(4, 12))
  bitmap.writeUInt8(bitmap.readUInt8(0) & 0x7f, 0)
  const parts = [packed(text.subarray(0, 4).toString()), bitmap]
  let at = 20
  const take = (count: number): Buffer => {
    at += count
    return text.subarray(at - count, at)
  }
  for (const number of numbersIn(bitmap)) {
    const [form, length] = wire[number] ?? unknown(number)
    const count = typeof length === 'number' ? length : Number(take(length.length).toString())
    const value = take(count)
    if (typeof length !== 'number') parts.push(lengthOf(count, length.length - 1))
    parts.push(form === 'n' ? packed(value.toString()) : value)
  }
  if (at !== text.length) throw new Error(`${text.length - at} characters left over`)
  return Buffer.concat(parts)
}

const numbersIn = (bitmap: Buffer): number[] => Array.from({ length: 64 }, (_, index) => index + 1)
  .filter(number => ((bitmap[number - 1 >> 3] ?? 0) >> 7 - (number - 1) % 8 & 1) === 1)

/** Every byte of it belongs to a field. */
function unpack (body: Buffer): { mti: string, fields: Record<number, string> } {
  const fields: Record<number, string> = {}
  let at = 10
  const take = (count: number): Buffer => {
    at += count
    return body.subarray(at - count, at)
  }
  for (const number of numbersIn(body.subarray(2, 10))) {
    const [form, length] = wire[number] ?? unknown(number)
    const count = typeof length === 'number' ? length : Number(take(length.length - 1).toString('hex'))
    const value = take(form === 'n' ? Math.ceil(count / 2) : count)
    const digits = value.toString('hex').toUpperCase().slice(0, form === 'n' ? count : 2 * count)
    fields[number] = form === 'an' ? value.toString() : digits
  }
  t.equal(at, body.length, 'nothing is left over')
  return { mti: body.subarray(0, 2).toString('hex'), fields }
}

const unknown = (number: number): never => { throw new Error(`field ${number} in an answer`) }

const ecb = (key: Buffer, block: Buffer): Buffer => {
  const cipher = createCipheriv('des-ede', key, null).setAutoPadding(false)
  return Buffer.concat([cipher.update(block), cipher.final()])
}
const ecbBack = (key: Buffer, blocks: Buffer): Buffer => {
  const decipher = createDecipheriv('des-ede', key, null).setAutoPadding(false)
  return Buffer.concat([decipher.update(blocks), decipher.final()])
}
const xor = (one: Buffer, other: Buffer): Buffer =>
  Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)))

/** Fact sheet 7.3, "ECB" style, from the type of the message to field 63. */
function macOver (key: Buffer, bytes: Buffer): Buffer {
  const padded = Buffer.concat([bytes, Buffer.alloc((8 - bytes.length % 8) % 8)])
  let sum = Buffer.alloc(8)
  for (let at = 0; at < padded.length; at += 8) sum = xor(sum, padded.subarray(at, at + 8)) as typeof sum
  const digits = Buffer.from(sum.toString('hex').toUpperCase())
  const last = ecb(key, xor(ecb(key, digits.subarray(0, 8)), digits.subarray(8)))
  return Buffer.from(last.toString('hex').toUpperCase().slice(0, 8))
}

t.equal(macOver(master, Buffer.from('0200702004C020C09811', 'hex')).toString(), '1FD4BBB1', 'the vector')

/* ---- the gateway, as a process ---- */

t.test('the published sign-in, then sales of another codec, over TCP', async t => {
  const door = await doors.open()
  t.teardown(() => door.close())
  const city = smallCity([card(0)])
  await door.ok('registrar', 'PUT', '/v1/registry',
    { ...city, terminals: [...city.terminals ?? [], { terminal, operator: 'SHP' }] })
  const topUp = { kind: 'top_up', key: 'top-up-0', card: cardOf(0), amountFen: 10_000, party: 'SHP' }
  await door.ok('gateway', 'POST', '/v1/requests', topUp)
  const folder = mkdtempSync(join(tmpdir(), 'iso8583-peer-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const key16 = master.toString('hex').toUpperCase()
  const keys = { keys: { [terminal]: { suite: '3des' as const, master: key16 } } }
  writeFileSync(join(folder, 'keys'), sealTerminalKeys(keys, 'secret', randomBytes(16), randomBytes(12)))
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  writeFileSync(join(folder, 'config.json'), JSON.stringify({
    gateway: 'g1', ledger: { url: door.url, token: `GW1.${secretOf('GW1')}` },
    spoolDir: join(folder, 'spool'), lanes: [],
    ports: [{
      port: 'POS', tcp: { port }, speaks: {
        protocol: 'iso8583', terminals: [{ terminal, merchant, operator: 'SHP' }],
        issuers: [{ begins: '310499', issuer: cardOf(0).issuer }]
      }
    }]
  }))
  await gatewayProcess(t, {
    GATEWAY_CONFIG: join(folder, 'config.json'), GATEWAY_KEYS: join(folder, 'keys'),
    GATEWAY_KEYS_PASSPHRASE: 'secret', LOG_LEVEL: 'error', GATEWAY_CLOCK: '2026-03-02T12:00:00+08:00'
  })
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  let heard = Buffer.alloc(0)
  let told: (() => void) | null = null
  socket.on('data', (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes])
    told?.()
  })
  /** One answer: length, TPDU with both ends swapped, header, message. */
  async function exchange (bytes: Buffer): Promise<ReturnType<typeof unpack> & { body: Buffer }> {
    socket.write(bytes)
    while (heard.length < 2 || heard.length < 2 + heard.readUInt16BE()) {
      await new Promise<void>(resolve => { told = resolve })
    }
    const answer = heard.subarray(2, 2 + heard.readUInt16BE())
    heard = heard.subarray(2 + answer.length)
    const [id, to, from] = [bytes.subarray(2, 3), bytes.subarray(3, 5), bytes.subarray(5, 7)]
    t.strictSame(answer.subarray(0, 5), Buffer.concat([id, from, to]), 'TPDU')
    t.equal(answer.subarray(5, 11).toString('hex').replace(/^(.{5})./, '$1'), '60310311312', 'header')
    const body = answer.subarray(11)
    return { ...unpack(body), body }
  }

  const welcome = await exchange(signIn)
  t.match(welcome, {
    mti: '0810',
    fields: {
      11: '000001', 12: /^12000\d$/, 13: '0302', 39: '00', 41: terminal, 42: merchant, 60: '00000001003'
    }
  })
  const sent = Buffer.from(welcome.fields[62] ?? '', 'hex')
  t.equal(sent.length, 40, 'two keys of sixteen bytes with four of a check value behind each')
  const key = ecbBack(master, sent.subarray(20, 36))
  t.strictSame(ecb(key, Buffer.alloc(8)).subarray(0, 4), sent.subarray(36), 'check value of the MAC key')
  const pinKey = ecbBack(master, sent.subarray(0, 16))
  t.strictSame(ecb(pinKey, Buffer.alloc(8)).subarray(0, 4), sent.subarray(16, 20))

  async function ask (mti: string, more: Record<number, string>) {
    const fields = {
      3: '000000', 25: '00', 41: terminal, 42: merchant, 49: '156', ...more, 64: '0'.repeat(16)
    }
    const body = pack(mti, fields)
    macOver(key, body.subarray(0, -8)).copy(body, body.length - 8)
    const message = Buffer.concat([Buffer.from('6000030000603100311312', 'hex'), body])
    const length = Buffer.from([message.length >> 8, message.length & 0xff])
    const answer = await exchange(Buffer.concat([length, message]))
    t.equal(answer.fields[64], macOver(key, answer.body.subarray(0, -8)).toString('hex').toUpperCase(),
      'the answer is signed')
    return answer
  }
  const number = cardOf(0).serial.slice(1)
  const sale = await ask('0200', { 2: number, 4: '000000001250', 11: '000002', 60: '22000001000' })
  t.match(sale, {
    mti: '0210',
    fields: { 2: number, 3: '000000', 4: '000000001250', 11: '000002', 15: '0302', 39: '00', 49: '156' }
  })
  t.match(sale.fields[37], /^[0-9A-Z]{12}$/)
  const balance = await ask('0200', { 2: number, 3: '310000', 11: '000003', 60: '01000001000' })
  t.match(balance.fields, { 39: '00', 54: '0002156C000000008750' })
  const back = await ask('0400', {
    4: '000000001250', 11: '000002', 39: '98', 60: '22000001000', 61: '0000010000020302'
  })
  t.match(back, { mti: '0410', fields: { 39: '00' } })
  const held = (await balances(door.db, null)).filter(row => row.heading === 'online')
  t.equal(held.reduce((sum, { creditFen, debitFen }) => sum + Number(creditFen - debitFen), 0), 10_000)
})
