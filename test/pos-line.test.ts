// POS lines: frames by published check bytes, cut at every byte, glued and broken; messages by their table; a
// POS at a real pseudo terminal, a gateway as a process and a ledger on PostgreSQL, whatever breaks between.
import fc from 'fast-check'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { describe } from '../bin/describe.ts'
import {
  type PosKind, posFields, posKinds, posReasons, readPosMessage, writePosMessage
} from '../schemas/pos-line/messages.ts'
import {
  buildFrame, control, cutPiece, frameLimits, lrcOf, type LrcRule, type Piece, plainLrc
} from '../schemas/serial/lrc-frame.ts'
import type { PortConfig } from '../schemas/port.ts'
import { cardKey } from '../schemas/record.ts'
import { connectTo, deviceStream, lineOn } from '../terminal-sim/line/line.ts'
import { whyNoPty } from '../terminal-sim/line/pty-pair.ts'
import { openPos, type PosFields } from '../terminal-sim/pos/pos.ts'
import { startDoors } from './support/ledger-http.ts'
import { card, debit } from './support/small-city.ts'
import { openCity, upload } from './support/terminals.ts'

const text = (words: string) => Buffer.from(words)
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex').toUpperCase()

/** All pieces of some bytes, and how many bytes are left waiting. */
function cutAll (bytes: Uint8Array, rule: LrcRule = plainLrc): { pieces: Piece[], waiting: number } {
  const pieces: Piece[] = []
  let rest = bytes
  for (let cut = cutPiece(rest, rule); cut !== null; cut = cutPiece(rest, rule)) {
    pieces.push(cut.piece)
    rest = cut.rest
  }
  return { pieces, waiting: rest.length }
}
const told = (bytes: Uint8Array, rule?: LrcRule): string => cutAll(bytes, rule).pieces.map(piece =>
  piece.kind === 'frame'
    ? `frame ${String(Buffer.from(piece.data))}`
    : piece.kind === 'broken' ? `broken ${piece.why} ${piece.at}` : piece.kind).join(', ')

/* ---- frames ---- */

t.test('check bytes as published: 0200|123| and ETX give 31', async t => {
  t.equal(hexOf(buildFrame(text('0200|123|'), plainLrc)), '02' + hexOf(text('0200|123|')) + '0331')
  // By hand: 41 ^ 42 = 03; with ETX 00, with STX and ETX 02; from 7F the complement of seven bits.
  const rules: [LrcRule, number][] = [
    [{ start: 0, stx: false, etx: false }, 0x03], [{ start: 0, stx: false, etx: true }, 0x00],
    [{ start: 0, stx: true, etx: true }, 0x02], [{ start: 0, stx: true, etx: false }, 0x01],
    [{ start: 0x7f, stx: false, etx: false }, 0x7c], [{ start: 0x7f, stx: false, etx: true }, 0x7f],
    [{ start: 0x7f, stx: true, etx: true }, 0x7d], [{ start: 0x7f, stx: true, etx: false }, 0x7e]
  ]
  for (const [rule, lrc] of rules) {
    t.equal(lrcOf(text('AB'), rule), lrc, JSON.stringify(rule))
    t.equal(told(buildFrame(text('AB'), rule), rule), 'frame AB', 'whatever control byte the check byte is')
  }
})

t.test('frames: cut at every byte, glued, with junk and control bytes between, broken', async t => {
  const frame = buildFrame(text('SALE|键'), plainLrc)
  for (let cut = 0; cut < frame.length; cut++) {
    t.same(cutAll(frame.subarray(0, cut)), { pieces: [], waiting: cut }, `cut at ${cut}`)
  }
  const glued = Buffer.concat([
    text('xx'), frame, Uint8Array.of(control.ack), frame, frame,
    Uint8Array.of(control.nak, control.enq, 0x0d, control.eot)
  ])
  t.equal(told(glued), 'junk, frame SALE|键, ack, frame SALE|键, frame SALE|键, nak, enq, junk, eot')
  const begun = frame.subarray(0, 4)
  t.equal(told(Buffer.concat([begun, frame])), 'broken restarted 4, frame SALE|键')
  t.equal(told(Buffer.concat([begun, Uint8Array.of(0x15), frame])), 'broken restarted 5, frame SALE|键',
    'a control byte inside a frame is no answer')
  t.equal(told(Buffer.from('0241154203150603', 'hex')), 'broken control_byte 2, ack, junk',
    'the check byte goes with its frame, though it looks like NAK')
  const long = Buffer.alloc(frameLimits.dataBytesMax + 10, 0x41)
  long[0] = control.stx
  t.equal(told(long), `broken too_long ${frameLimits.dataBytesMax + 1}, junk`)
  t.throws(() => buildFrame(Uint8Array.of(0x41, control.etx), plainLrc), /byte 3 at 1/)
  t.throws(() => buildFrame(new Uint8Array(frameLimits.dataBytesMax + 1).fill(0x41), plainLrc), /1024 bytes/)
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const flipped = Buffer.from(frame)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ 1 << (bit & 7)
    t.notOk(cutAll(flipped).pieces.some(piece => piece.kind === 'frame'), `bit ${bit} flipped`)
  }
})

t.test('frames: any bytes are cut alike whole and in pieces, and each piece takes some', async t => {
  const noisy = fc.array(fc.oneof(
    fc.constantFrom(...Object.values(control)), fc.integer({ min: 0, max: 255 }), fc.constant(0x41)
  ), { maxLength: 60 })
  fc.assert(fc.property(noisy, fc.integer({ min: 0, max: 60 }), (bytes, at) => {
    const whole = Uint8Array.from(bytes)
    const first = cutAll(whole.subarray(0, at))
    const left = whole.subarray(Math.min(at, whole.length) - first.waiting)
    const split = [...first.pieces, ...cutAll(left).pieces].filter(piece => piece.kind !== 'junk')
    t.ok(JSON.stringify(split) === JSON.stringify(cutAll(whole).pieces.filter(one => one.kind !== 'junk')))
  }), { numRuns: 1_000 })
  const data = fc.array(fc.integer({ min: 0x20, max: 255 }), { maxLength: 80 })
    .map(bytes => Uint8Array.from(bytes))
  const rule = fc.record({
    start: fc.integer({ min: 0, max: 255 }), stx: fc.boolean(), etx: fc.boolean()
  })
  fc.assert(fc.property(data, rule, (bytes, lrc) => {
    const [piece] = cutAll(buildFrame(bytes, lrc), lrc).pieces
    t.ok(piece?.kind === 'frame' && Buffer.compare(piece.data, bytes) === 0)
  }), { numRuns: 1_000 })
})

/* ---- messages ---- */

t.test('a dump in words, cards masked', async t => {
  const serial = '03104990600000000016'
  const sale = text(`SALE|key=0001|card=02313750FFFFFFFF-${serial}-1|amountFen=180`)
  const said = (bytes: Uint8Array | string) => {
    const { title, rows } = describe(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('hex'))
    const words = [title, ...rows.map(row => row.join(': '))].join('\n')
    t.notMatch(words, new RegExp(serial))
    return words
  }
  const card = '02313750FFFFFFFF-031049**********0016-1'
  t.match(said(buildFrame(sale, plainLrc)), new RegExp(`^POS line: SALE\nkey: 0001\ncard: ${card
    .replaceAll('*', '.')}\namount: 1.80 yuan$`))
  const other = buildFrame(sale, { start: 0x7f, stx: true, etx: false })
  t.match(said(other), /^POS line: SALE\n/, 'another check byte')
  t.match(said(Buffer.from(sale).toString()), /^POS line: SALE\n/, 'without its frame')
  const dump = Buffer.concat([
    Uint8Array.of(control.enq, control.ack), buildFrame(sale, plainLrc), Uint8Array.of(control.nak)
  ])
  t.match(said(dump), /^POS line: ENQ, ACK, SALE, NAK\nSALE: key: 0001\n/)
  t.throws(() => describe('SALE|key=0001'), /^POS line: card at offset 13: is missing$/)
})

t.test('messages: what is wrong is named with its field and offset', async t => {
  const rows = `
    SALE|key=0001|card=02313750FFFFFFFF-03104990600000000016-1|amountFen=180 -> fine
    SALES|key=0001                 ->  at 0: no such kind of message
    SALE|key=0001|amountFen=180    -> card at 27: is missing
    SALE|key=1|amountFen=180       -> key at 5: has not the shape of such a field
    SALE|key=0001|amountFen=1.80   -> amountFen at 14: has not the shape of such a field
    SALE|key=0001|key=0001         -> key at 14: stands there twice
    SALE|key=0001|pin=1234         -> pin at 14: does not belong into SALE
    SALE|key=0001|card             -> card at 14: has no value
    SALE|键=1                      -> 键 at 5: does not belong into SALE
    toString|key=0001              ->  at 0: no such kind of message
    SALE|__proto__=1               -> __proto__ at 5: does not belong into SALE
    RECORD|key=0001|sense=up       -> sense at 16: has not the shape of such a field
    RECORD|key=0001|riders=0       -> riders at 16: has not the shape of such a field
    SALE|key=0001|stop=X1          -> stop at 14: does not belong into SALE
    ECHO|key=0001|terminal=B1      -> fine`
  for (const row of rows.trim().split('\n')) {
    const [message = '', wanted = ''] = row.split('->')
    const read = readPosMessage(text(message.trim()))
    const said = read.ok ? 'fine' : `${read.error.field} at ${read.error.offset}: ${read.error.why}`
    t.equal(said.trim(), wanted.trim(), message)
  }
  t.match(readPosMessage(Uint8Array.of(0x53, 0xff)), { ok: false, error: { why: 'not UTF-8' } })
  t.throws(() => writePosMessage({ kind: 'SALE', fields: { key: '0001' } }), /SALE: card is missing/)
})

t.test('messages: what is written is read again; any bytes are read or refused', async t => {
  const kinds = fc.constantFrom(...Object.keys(posKinds) as PosKind[])
  const words = fc.constantFrom(...Object.keys(posKinds), ...Object.keys(posFields), '|', '=', '1', '-', 'x=')
  fc.assert(fc.property(fc.oneof(
    fc.uint8Array({ maxLength: 100 }), fc.array(words, { maxLength: 20 }).map(parts => text(parts.join('')))
  ), bytes => {
    const read = readPosMessage(bytes)
    if (read.ok) t.same(readPosMessage(writePosMessage(read.message)), read)
    else t.ok(read.error.offset >= 0 && read.error.offset <= bytes.length && read.error.why !== '')
  }), { numRuns: 1_000 })
  fc.assert(fc.property(kinds, fc.integer({ min: 0, max: 1e9 }), (kind, fen) => {
    const fields = Object.fromEntries(posKinds[kind].needs.map(name => [name, {
      key: 'k-0001', of: 'k-0000', card: cardKey(card(1).card), psam: '990000000001', type: '06',
      dateTime: '20260302081530', purse: 'ep', outcome: 'approved', reason: 'ok'
    }[name as string] ?? String(fen)])) as PosFields
    t.same(readPosMessage(writePosMessage({ kind, fields })), { ok: true, message: { kind, fields } })
  }))
})

t.test('each reason has its words, and fits an answer', async t => {
  for (const [reason, { outcome, en, zh }] of Object.entries(posReasons)) {
    const fields = { key: '0001', outcome, reason }
    for (const words of [en, zh]) {
      const data = writePosMessage({ kind: 'ANSWER', fields: { ...fields, text: words } })
      const frame = buildFrame(data, plainLrc)
      t.equal(cutAll(frame).pieces[0]?.kind, 'frame', reason)
    }
  }
})

/* ---- a POS, a gateway, a ledger ---- */

const noPty = whyNoPty()
if (noPty !== null) {
  t.comment(noPty)
} else {
  const doors = await startDoors()
  t.teardown(() => doors.stop())

  const posPort = (path: string, more = {}): PortConfig => ({
    port: 'TILL',
    serial: { path, baudRate: 9_600 },
    speaks: {
      protocol: 'pos-line', terminals: [{ operator: 'SHP', terminal: 'S1', vehicle: 'DESK-1' }],
      ackTimeoutMs: 400, language: 'en', ...more
    }
  })
  const sale = (key: string, number: number, amountFen: number): PosFields =>
    ({ key, card: cardKey(card(number).card), amountFen: String(amountFen) })
  t.test('a day at a till, on a line that is as bad as lines are', async t => {
    const city = await openCity(t, doors, { topUps: [1, 2] })
    const cable = await city.cable('till')
    const gateway = await city.gateway([posPort(cable.near)], { config: { reportEverySeconds: 1 } })
    const faults = { junk: text('\r\n??'), slowly: true }
    const pos = openPos({ line: cable.device(), faults, ackTimeoutMs: 5_000 })
    const settled = async (kind: PosKind, fields: PosFields) => (await pos.settle(kind, fields)).fields
    const told = async (kind: PosKind, fields: PosFields) => {
      const { outcome, reason, amountFen, balanceFen } = await settled(kind, fields)
      return [outcome, reason, amountFen, balanceFen].filter(one => one !== undefined).join(' ')
    }
    t.equal(await pos.enquire(), 'ack')
    t.match((await pos.ask('ECHO', { key: 'echo-1' }))?.fields, {
      outcome: 'approved', time: /^2026-03-02T12:0/, blacklistVersion: '0'
    })
    t.equal(await told('SALE', sale('0001', 1, 1_180)), 'approved ok 1180 3820')
    t.equal(await told('SALE', sale('0001', 1, 1_180)), 'approved ok 1180 3820', 'the same sale')
    t.match(await settled('SALE', sale('0001', 1, 1_190)), { reason: 'key_conflict', text: /amountFen/ })
    t.equal(await told('SALE', sale('0002', 1, 4_000)), 'declined insufficient_funds 0 3820')
    t.equal(await told('SALE', sale('0003', 3, 100)), 'declined account_unknown 0')
    t.equal(await told('BALANCE', { key: '0004', card: cardKey(card(1).card) }), 'approved ok 0 3820')
    const back = (key: string, more = {}) => told('VOID', { ...sale(key, 1, 1_180), of: '0001', ...more })
    t.equal(await back('0005', { partFen: '180' }), 'approved ok 180 4000')
    t.equal(await back('0006'), 'approved ok 1000 5000')
    t.equal(await back('0006'), 'approved ok 1000 5000')
    t.equal(await back('0007'), 'declined amount_over_remaining 0')
    t.equal(await told('TOPUP', sale('0008', 3, 1_000)), 'approved ok 1000 1000')
    const strange = await settled('SALE', { ...sale('0009', 1, 1), terminal: 'S2' })
    t.match(strange, { reason: 'terminal_unknown' })
    // An agent's till has chips too: what they paid is history, and goes to the spool.
    const paid = debit(4, 1, 'S1', { amountFen: 520 })
    t.equal(await told('RECORD', upload('0010', paid)), 'approved stored')
    t.equal(await told('RECORD', upload('0010', paid)), 'approved stored')
    await gateway.drained()
    t.same(await city.booked(card(4).card), ['101 520 ok'])
    const { counts, state, carrier } = await gateway.port('TILL')
    t.match({ counts, state, carrier }, {
      state: 'open', carrier: 'serial',
      counts: { conversations: 1, unacknowledged: 0, broken: 0, naksSent: 0 }
    })
    t.ok((counts['junkBytes'] ?? 0) > 50)
    const metrics = await (await fetch(`${gateway.child.ready.url}/metrics`)).text()
    t.match(metrics, 'gateway_port_open{port="TILL"} 1')
    t.match(metrics, /gateway_port_events_total\{event="requests",port="TILL",protocol="pos-line"\} 1\d/)

    await city.door.ok('clerk', 'POST', '/v1/terminals/withdrawals', {
      terminals: [{ operator: 'SHP', terminal: 'S1' }], to: 'suspended', reason: 'the till was stolen'
    })
    const balance = { key: 'balance', card: cardKey(card(1).card) }
    while ((await settled('BALANCE', balance)).reason !== 'terminal_suspended') await delay(100)
    t.equal(await told('SALE', sale('0011', 1, 100)), 'declined terminal_suspended')
    t.equal(await told('RECORD', upload('0012', debit(4, 2, 'S1'))), 'approved stored', 'history')
    t.equal(await city.online(card(1).card), 5_000)
  })

  t.test('flipped bits, answers unheard, NAK storms, half frames, a pulled cable, a stop', async t => {
    const city = await openCity(t, doors, { topUps: [1] })
    const cable = await city.cable('till')
    const port = posPort(cable.near, { byteGapMs: 100, ackTimeoutMs: 100, sendsMax: 3 })
    const gateway = await city.gateway([port])
    const line = cable.device()
    const faults: { broken?: number, refused?: number, unheard?: number } = {}
    const pos = openPos({ line, faults })
    faults.broken = 2
    t.match((await pos.ask('SALE', sale('0001', 1, 100)))?.fields, { balanceFen: '4900' }, 'sent three times')
    faults.refused = 2
    t.match((await pos.ask('SALE', sale('0002', 1, 100)))?.fields, { balanceFen: '4800' }, 'three answers')
    faults.unheard = 2
    t.match((await pos.ask('SALE', sale('0003', 1, 100)))?.fields, { balanceFen: '4700' }, 'two unheard')
    faults.unheard = 3
    const impatient = openPos({ line, faults, answerTimeoutMs: 800 })
    t.equal(await impatient.ask('SALE', sale('0004', 1, 100)), null, 'the customer does not know')
    t.match(await gateway.port('TILL'), { counts: { unacknowledged: 1, naksSent: 2, naksHeard: 2 } })
    t.match((await impatient.settle('SALE', sale('0004', 1, 100))).fields, { balanceFen: '4600' })
    await line.write(new Uint8Array(5_000).fill(control.nak))
    await line.write(buildFrame(text('SALE|key='), plainLrc).subarray(0, 6)) // and then silence
    await delay(300)
    t.match((await pos.settle('SALE', sale('0005', 1, 100))).fields, { balanceFen: '4500' })
    t.match((await gateway.port('TILL')).counts, { naksHeard: 5_002, broken: 3 })
    t.equal(await city.online(card(1).card), 4_500, 'five sales, each once')

    const asked = pos.ask('SALE', sale('0006', 1, 100))
    await delay(15)
    await cable.unplug()
    await asked // answered or not: nobody can say before
    await cable.plug()
    const other = cable.device()
    pos.use(other)
    while ((await gateway.port('TILL')).state !== 'open') await delay(20)
    t.match((await pos.settle('SALE', sale('0006', 1, 100))).fields, { balanceFen: '4400' }, 'pulled')
    t.equal(await city.online(card(1).card), 4_400)

    faults.unheard = 1
    const last = pos.ask('SALE', sale('0007', 1, 100))
    while (faults.unheard > 0) await delay(5)
    const stopped = gateway.stop()
    t.match((await last)?.fields, { balanceFen: '4300' }, 'a stop lets the answer under way arrive')
    await stopped
    for (const one of [line, other]) one.close()
  })

  t.test('tcp: many POS at one port; one is served while another is silent or mad', async t => {
    const city = await openCity(t, doors, { topUps: [1, 2] })
    const terminals = ['S1', 'S2'].map(terminal => ({ operator: 'SHP', terminal }))
    await city.door.ok('registrar', 'PUT', '/v1/registry', { terminals })
    const gateway = await city.gateway([{
      port: 'SHOPS', tcp: { port: 0 }, speaks: { protocol: 'pos-line', terminals, language: 'en' }
    }])
    const number = Number((await gateway.port('SHOPS')).address.split(':').at(-1))
    const [mad, silent, one, two] =
      [await connectTo(number), await connectTo(number), await connectTo(number), await connectTo(number)]
    const raging = setInterval(() => {
      const flood = new Uint8Array(2_000).fill(control.enq)
      mad.write(Buffer.concat([flood, text('\x02\x02x\x03')])).catch(() => undefined)
    }, 5)
    mad.deafen()
    await silent.write(Uint8Array.of(control.stx))
    const [first, second] = [openPos({ line: one }), openPos({ line: two })]
    t.match((await first.ask('SALE', sale('0001', 1, 100)))?.fields, { reason: 'terminal_unknown' })
    const asked = [
      first.ask('SALE', { ...sale('0001', 1, 100), terminal: 'S1' }),
      second.ask('SALE', { ...sale('0001', 2, 300), terminal: 'S2' })
    ]
    const answers = (await Promise.all(asked)).map(answer => answer?.fields.balanceFen)
    t.same(answers, ['4900', '4700'], 'two terminals, the same key: two sales')
    t.match((await second.ask('VOID', { ...sale('0002', 1, 100), of: '0001', terminal: 'S2' }))?.fields,
      { reason: 'refused', text: /another/ }, 'nobody takes back what another terminal sold')
    clearInterval(raging)
    for (const line of [mad, silent, one, two]) line.close()
    t.equal(await city.online(card(1).card), 4_900)
  })

  t.test('killed at any point: the sale is booked once, the record is there once', async t => {
    const city = await openCity(t, doors, { topUps: [1] })
    const cable = await city.cable('till')
    const line = cable.device()
    const one: [PosKind, PosFields] = ['SALE', sale('kill-1', 1, 100)]
    const other: [PosKind, PosFields] = ['RECORD', upload('kill-2', debit(4, 1, 'S1'))]
    const pos = openPos({ line, answerTimeoutMs: 2_000, ackTimeoutMs: 300 })
    for (const [killAt, deed] of [
      ['pos-before-ask', one], ['pos-after-ask', one], ['pos-before-answer', one],
      ['pos-before-collect', other], ['pos-after-collect', other]
    ] as const) {
      const dying = await city.gateway([posPort(cable.near)], { killAt })
      if (deed === other) t.match((await pos.settle(...one)).fields, { outcome: 'approved' })
      const [unknown, ended] = [await pos.ask(...deed), await dying.lost]
      t.equal(unknown, null, `${killAt}: nobody knows`)
      t.equal(ended.signal, 'SIGKILL')
    }
    const living = await city.gateway([posPort(cable.near)])
    t.match((await pos.settle(...other)).fields, { reason: 'stored' })
    await living.drained()
    t.equal(await city.online(card(1).card), 4_900, 'asked four times, sold once')
    t.same(await city.booked(card(4).card), ['101 180 ok'])
    line.close()
  })

  t.test('where nobody is at the other end a POS is told so, though its cable is full', async t => {
    const city = await openCity(t, doors)
    const cable = await city.cable('till')
    const line = lineOn(deviceStream(cable.far), 200)
    const fill = async () => { for (;;) await line.write(new Uint8Array(1_000)) }
    await t.rejects(fill, { name: 'LineStuckError' })
    const pos = openPos({ line, ackTimeoutMs: 20, settleMs: 1_000 })
    t.equal(await pos.ask('SALE', sale('0001', 1, 100)), null)
    await t.rejects(pos.settle('SALE', sale('0001', 1, 100)), /0001: nobody knows what became of it/)
    line.close()
  })

  t.test('the ledger is away: sales are unknown, records kept; a void settles its sale first', async t => {
    const city = await openCity(t, doors, { topUps: [1] })
    const cable = await city.cable('till')
    const nobody = 'http://127.0.0.1:9'
    const alone = await city.gateway([posPort(cable.near, { answerMs: 300 })], {
      ledgerUrl: nobody, config: { spool: { recordsMax: 1 } }
    })
    const line = cable.device()
    const pos = openPos({ line })
    const nobodyKnows = { outcome: 'unknown', reason: 'unanswered' }
    t.match((await pos.ask('SALE', sale('0001', 1, 100)))?.fields, nobodyKnows)
    t.match((await pos.ask('VOID', { ...sale('0002', 1, 100), of: '0001' }))?.fields, { outcome: 'unknown' })
    t.match((await pos.ask('RECORD', upload('0003', debit(5, 1, 'S1'))))?.fields, { reason: 'stored' })
    t.match((await pos.ask('RECORD', upload('0004', debit(5, 2, 'S1'))))?.fields, {
      outcome: 'declined', reason: 'spool_full'
    }, 'the POS keeps what the gateway cannot')
    await alone.stop()
    const gateway = await city.gateway([posPort(cable.near)])
    const taken = await pos.settle('VOID', { ...sale('0002', 1, 100), of: '0001' })
    t.match(taken.fields, { outcome: 'approved', amountFen: '100', balanceFen: '5000' })
    const again = await pos.settle('SALE', sale('0001', 1, 100))
    t.match(again.fields, { outcome: 'approved', replayed: '1' }, 'its first answer: not made anew')
    t.equal(await city.online(card(1).card), 5_000)
    await gateway.drained()
    t.same(await city.booked(card(5).card), ['101 180 ok'])
    line.close()
  })
}
