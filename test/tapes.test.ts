// Tapes: what was said is there, masked, in bounded files; what is secret is nowhere, on tapes or in logs,
// whatever is spoken.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { Check } from 'typebox/value'
import { type Answer, channelOf } from '../gateway/pcsc/exchange.ts'
import type { Pcsc } from '../gateway/pcsc/port.ts'
import { tapedPcsc } from '../gateway/pcsc/tape.ts'
import { polledMasker } from '../gateway/polled/mask.ts'
import { openPorts } from '../gateway/ports.ts'
import { openTapes } from '../gateway/tapes.ts'
import type { EdgeHouse, Face } from '../gateway/face.ts'
import { converse, wireLimits } from '../gateway/wire/stream-wire.ts'
import { manualClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import { selectByFid, verifyPin } from '../schemas/epurse/apdu.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import { buildPolled } from '../schemas/polled/frame.ts'
import { writePacket } from '../schemas/polled/messages.ts'
import type { PortConfig } from '../schemas/port.ts'
import type { NewRequest } from '../schemas/request.ts'
import { buildFrame, plainLrc } from '../schemas/serial/lrc-frame.ts'
import { say } from '../schemas/sip2/message.ts'
import { TapeLine } from '../schemas/tape.ts'
import { openPos } from '../terminal-sim/iso8583/pos.ts'
import { connectSelfCheck } from '../terminal-sim/self-check/self-check.ts'
import { connectTo } from '../terminal-sim/line/line.ts'
import { recordingDisk } from './support/recording-disk.ts'

const secrets = ['open sesame', 'a wrong guess', '135790', 'terminal secret', 'telnet secret']
const number = '03104990600000000016'
const person = 'Zhang Xiaohua'

function stage (limits = { fileBytesMax: 1_000_000, files: 3 }) {
  const dir = mkdtempSync(join(tmpdir(), 'tapes-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const clock = manualClock(Date.parse('2026-03-02T10:00:00+08:00'))
  const logged: string[] = []
  const destination = new PassThrough()
  destination.on('data', (chunk: Buffer) => logged.push(chunk.toString('utf8')))
  const log = createLog('tapes', { level: 'trace', destination })
  const tapes = openTapes({ dir: join(dir, 'tapes'), clock, log, limits })
  const patron = {
    patron: 'R1', name: person, language: 'zh', blockedNote: null, cardBlocked: false, passwordRight: true,
    hasPassword: true, mayBorrow: true, whyNot: null, loans: [], holds: [], owedFen: 0, depositFen: 0,
    rules: {
      from: '2025-01-01', loanDays: 30, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 10,
      fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: true,
      closedDates: [], accruing: 'refuse'
    }
  }
  const house = {
    desk: {
      ask: async ({ key, kind }: NewRequest) => ({
        outcome: 'approved', reply: {
          key, kind, outcome: 'approved', reason: 'ok', replayed: false, amountFen: 100, balanceFen: 900,
          journal: '1', clearingDate: '2026-03-02'
        }
      })
    },
    folder: () => recordingDisk(), randomBytes, masterKey: () => ({ suite: '3des', key: unhex(master) }),
    parameters: { blacklistVersion: () => 1, tariff: () => null, fares: () => [] },
    spool: { refusal: () => null }, fail: () => undefined,
    clock, log, nowMs: () => performance.now(), random: () => 0.5,
    http: { post: async () => ({ outcome: 'approved', reason: 'ok', patron }), get: async () => ({}) },
    terminals: {
      find: (terminal: string) => ({ ok: true, terminal: { terminal, operator: 'SHP', keys: null } }),
      heard: () => undefined, raise: () => undefined, clear: () => undefined, certificates: () => [],
      holders: () => []
    }
  } as unknown as EdgeHouse
  const read = (): string => {
    const folder = join(dir, 'tapes')
    return readdirSync(dir).includes('tapes')
      ? readdirSync(folder).map(name => readFileSync(join(folder, name), 'utf8')).join('')
      : ''
  }
  return { dir, clock, tapes, house, logged, read }
}

const sip2 = (port: string, tape: PortConfig['tape'], more: object = {}): PortConfig => ({
  port, tcp: { port: 0 }, ...tape === undefined ? {} : { tape }, speaks: {
    protocol: 'sip2', library: 'LIB', institution: 'MAIN', name: 'Library',
    logins: [{ user: 'sc-1', password: 'open sesame', terminal: 'L1' }], ...more
  }
})
const numberOf = (address: string | undefined): number => Number(address?.split(':').at(-1))

/** Everything secret is said once, right and wrong, whole and damaged. */
async function talk (port: number): Promise<void> {
  const sc = await connectSelfCheck(port)
  const login = (password: string) => say('93', { uidAlgorithm: '0', pwdAlgorithm: '0' },
    [['CN', 'sc-1'], ['CO', password], ['CP', 'floor']])
  await sc.say(login('a wrong guess'))
  await sc.say(login('open sesame'))
  await sc.say(say('23', { language: '001', date: '20260302    100000' },
    [['AO', 'MAIN'], ['AA', number], ['AC', 'terminal secret'], ['AD', '135790']]))
  for (const damaged of [
    `23001ADopen sesame|AA${number}|\r`, '93COopen sesame|\r', '2300120260302    100000AD135790|AY1AZ0000\r',
    'ACterminal secret|\r'
  ]) {
    sc.raw(damaged.slice(0, 7))
    sc.raw(damaged.slice(7))
    await sc.line()
  }
  sc.close()
  await sc.ended
}

t.test('a run with every secret, and none of them anywhere', async t => {
  const { tapes, house, logged, read, dir, clock } = stage()
  const ports = await openPorts([
    sip2('SC', { on: true }), sip2('OPEN', { on: true, numbers: true }), sip2('OFF', undefined),
    sip2('TELNET', { on: true }, { login: 'prompt' }),
    { port: 'ECHO', tcp: { port: 0 }, tape: { on: true }, speaks: { protocol: 'echo' } }
  ], house, tapes)
  const at = (port: string) => numberOf(ports.states().find(one => one.port === port)?.address)
  for (const port of ['SC', 'OPEN', 'OFF']) await talk(at(port))
  const telnet = await connectTo(at('TELNET'))
  await telnet.read(10_000)
  await telnet.write(Buffer.from('sc-1\rtelnet secret\r'))
  await telnet.read(10_000)
  telnet.close()
  const echo = await connectTo(at('ECHO'))
  await echo.write(Buffer.from('open sesame'))
  await echo.read(10_000)
  echo.close()
  await ports.close()
  const all = read()
  for (const secret of secrets) {
    t.notMatch(all, secret, `${secret} on a tape`)
    t.notMatch(logged.join(''), secret, `${secret} in the log`)
  }
  const lines = all.trim().split('\n').map(line => JSON.parse(line) as TapeLine)
  t.ok(lines.every(line => Check(TapeLine, line)))
  const of = (port: string) => lines.filter(({ device }) => device.startsWith(port)).map(({ said }) => said)
  t.strictSame(of('SC').slice(0, 4).map(said => said.replace(/AZ.*/, '')),
    ['9300CNsc-1|CO***|CPfloor|AY0', '940AY0', '9300CNsc-1|CO***|CPfloor|AY1', '941AY1'])
  t.match(of('SC')[4], '|AA031049**********0016|AC***|AD***|')
  t.match(of('SC')[5], /\|AA031049\*{10}0016\|AE\*\*\*\|BLY/)
  t.notMatch(of('SC').join('\n'), new RegExp(`${number}|${person}`))
  t.match(of('OPEN').join('\n'), `|AA${number}|AC***|AD***|`)
  t.match(of('OPEN').join('\n'), person)
  t.strictSame(of('OFF'), [])
  t.ok(of('ECHO').includes('(11 bytes)'), 'a protocol without a table: lengths')
  t.match(tapes.view().find(({ port }) => port === 'OFF'), { until: null, lines: 0 })
  t.equal(statSync(join(dir, 'tapes', 'SC.jsonl')).mode & 0o777, 0o600)
  clock.advance(1)
})

/* ---- every other face ---- */

const master = '0123456789ABCDEFFEDCBA9876543210'
const merchant = '898421000000001'
const secretFields = {
  35: '3104990600000000016D99121010000', 52: '0F1E2D3C4B5A6978', 55: 'C0FFEE0123456789ABCDEF',
  59: 'DEADBEEF00112233', 63: 'Wang Laoban'
} as const
/** As it is, as digits of its characters, and, of digits, as text. */
const shapesOf = (secret: string): string[] =>
  [secret, Buffer.from(secret, 'latin1').toString('hex'), /^([0-9A-F]{2})+$/.test(secret)
    ? Buffer.from(secret, 'hex').toString('latin1')
    : secret].map(one => one.toUpperCase())

t.test('ISO 8583, POS lines, polled lines and readers: what they said, and no secret of it', async t => {
  const { tapes, house, logged, read } = stage()
  const on = { on: true }
  const terminals = [{ terminal: 'POS-1', operator: 'SHP' }]
  const ports = await openPorts([
    {
      port: 'ISO', tcp: { port: 0 }, tape: on, speaks: {
        protocol: 'iso8583', terminals: [{ ...terminals[0]!, merchant }],
        issuers: [{ begins: '310499', issuer: '02313750FFFFFFFF' }]
      }
    },
    { port: 'LINE', tcp: { port: 0 }, tape: on, speaks: { protocol: 'pos-line', terminals } }
  ], house, tapes)
  const at = (port: string) => numberOf(ports.states().find(one => one.port === port)?.address)
  const pos = openPos({ terminal: 'POS-1', merchant, master: unhex(master) })
  const socket = connect({ port: at('ISO'), host: '127.0.0.1' })
  pos.attach(socket)
  const wrapped = (await pos.signIn()).fields[62] ?? ''
  t.equal((await pos.purchase(number.slice(1), 100, secretFields)).code, '00')
  const whole = pos.frame('purchase', { 2: number.slice(1), 4: '000000000100', ...secretFields })
  for (let bit = 0; bit < whole.length * 8; bit += 5) {
    const damaged = Uint8Array.from(whole)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    const other = connect({ port: at('ISO'), host: '127.0.0.1' })
    other.on('error', () => undefined).end(damaged)
    await once(other.resume(), 'close')
  }
  socket.destroy()

  const line = await connectTo(at('LINE'))
  const card = `02313750FFFFFFFF-${number}-1`
  for (const said of [
    `SALE|key=key-0001|card=${card}|amountFen=100`, `BALANCE|key=${number}|card=${card}`,
    `SALE|key=key-0002|pin=135790|card=${card}`, `ANSWER|key=key-0003|outcome=x|reason=ok|text=${person}`
  ]) {
    await line.write(buildFrame(Buffer.from(said), plainLrc))
    await line.read(10_000)
    await line.write(Buffer.from([0x06]))
  }
  line.close()

  const polled = tapes.teller('polled')
  const masks = polledMasker()()
  const list = writePacket({ version: 1, before: 0, after: 1, first: true, last: true },
    [{ serial: 1, on: true, card: { issuer: '02313750FFFFFFFF', serial: number, issue: 1 } }])
  tapes.record('polled', 60)
  const frame = buildPolled({ address: 9, code: 0x30, payload: list })
  for (const piece of [Uint8Array.of(0x89), frame.subarray(0, 20), frame.subarray(20), Uint8Array.of(0)]) {
    for (const say of masks(piece)) polled('LINE-9', 'out', say())
  }

  const said = Buffer.from(`${number}${master}`, 'hex')
  const reader = tapedPcsc(pcscOf(said), tapes.teller('lane-1')).reader('R 00 00')
  tapes.record('lane-1', 60)
  reader.greet(1_000, [{ command: verifyPin(0, unhex('135790')), goOn: 'always' }])
  const chip = await reader.connect(1_000)
  await chip.transmit(verifyPin(0, unhex('135790')))
  await chip.run([{ command: selectByFid(0x3F00), goOn: 'always' }])
  await chip.close('leave')
  await ports.close()

  const all = read()
  const key = hex(pos.key() ?? new Uint8Array())
  const secrets = [
    master, key, wrapped, wrapped.slice(0, 32), number, number.slice(1), person, '135790',
    ...Object.values(secretFields)
  ]
  for (const shape of secrets.flatMap(shapesOf)) {
    t.notOk(all.toUpperCase().includes(shape), `${shape.replace(/[^ -~]/g, '.')} on a tape`)
    t.notOk(logged.join('').toUpperCase().includes(shape), 'nor in the log')
  }
  for (const said of [
    '"said":"0810 sign_in 11=000001 ', ' 62=***"',
    '"0200 purchase 2=310499*********0016 3=000000 4=000000000100 11=',
    ' 35=*** 41=POS-1 42=898421000000001 49=156 52=*** 55=*** 59=*** 60=22000001000 63=*** 64=***"',
    '"SALE|key=key-0001|card=02313750FFFFFFFF-031049**********0016-1|amountFen=100"', '"said":"ack"',
    '"BALANCE|key=031049**********0016|', 'bytes that are no message)', '"poll 9"',
    '"9 blacklist (33 bytes)"',
    '(1 bytes that are no frame)', '"device":"R 00 00","way":"out","said":"00200000 (8 bytes)"',
    '"way":"in","said":"9000 (26 bytes)"', '"way":"end","said":"leave"'
  ]) t.ok(all.includes(said), said)
})

/** One reader, whose chip says the same to everything. */
function pcscOf (data: Uint8Array): Pcsc {
  const answer: Answer = { kind: 'answer', sw: 0x9000, data }
  let greeting: Answer[] = []
  return {
    failures: () => 0, close: () => undefined,
    reader: name => ({
      name, state: () => 'chip', atr: () => new Uint8Array(), listen: () => () => undefined,
      greet: (_, steps) => { greeting = steps.map(() => answer) },
      connect: async () => ({
        greeting, ...channelOf(async () => answer), close: async () => undefined
      })
    })
  }
}

t.test('on for a time, in the middle of a message, and by request', async t => {
  const { tapes, house, clock, read } = stage()
  const ports = await openPorts([sip2('SC', undefined, { login: 'none' })], house, tapes)
  const sc = await connectSelfCheck(numberOf(ports.states()[0]?.address))
  sc.raw('2300120260302    100000AOMAIN|AA')
  await new Promise(resolve => setTimeout(resolve, 300))
  t.ok(tapes.record('SC', 60))
  t.notOk(tapes.record('NONE', 60))
  sc.raw(`${number}|AC|AD135790|\r`)
  await sc.line()
  t.match(read(), '"said":"2300120260302    100000AOMAIN|AA031049**********0016|AC***|AD***|"')
  clock.advance(61_000)
  sc.raw('9900802.00\r')
  await sc.line()
  t.notMatch(read(), '9900802.00')
  tapes.record('SC', 60)
  tapes.record('SC', 0)
  sc.raw('9900802.00\r')
  await sc.line()
  t.notMatch(read(), '9900802.00')
  sc.close()
  await ports.close()
})

t.test('bounded; a disk that takes nothing stops the tape and not the terminal', async t => {
  const { tapes, house, dir } = stage({ fileBytesMax: 2_000, files: 3 })
  const ports = await openPorts([sip2('SC', { on: true }, { login: 'none' })], house, tapes)
  const sc = await connectSelfCheck(numberOf(ports.states()[0]?.address))
  const status = say('99', { statusCode: '0', printWidth: '080', version: '2.00' })
  for (let turn = 0; turn < 60; turn++) await sc.say(status)
  const files = readdirSync(join(dir, 'tapes')).sort()
  t.strictSame(files, ['SC.1.jsonl', 'SC.2.jsonl', 'SC.jsonl'])
  for (const file of files) t.ok(statSync(join(dir, 'tapes', file)).size < 2_500, file)
  rmSync(join(dir, 'tapes'), { recursive: true })
  writeFileSync(join(dir, 'tapes'), 'no folder')
  t.equal((await sc.say(status)).code, '98')
  t.ok((tapes.view()[0]?.dropped ?? 0) > 0)
  sc.close()
  await ports.close()
})

t.test('a cable is pulled under a face that waits for nothing: it hears of it, nobody falls', async t => {
  const { tapes } = stage()
  const stream = new Duplex({
    read: () => undefined, write: (_bytes, _coding, done) => { done(new Error('EIO')) }
  })
  const ends: string[] = []
  const face = tapes.taped('LINE', {
    begin: wire => {
      void wire.write(Uint8Array.of(5))
      return { bytes: () => undefined, ended: why => { ends.push(why) } }
    }
  } as Partial<Face> as Face, null)
  const left: unknown[] = []
  const leave = (error: unknown) => { left.push(error) }
  process.prependListener('unhandledRejection', leave)
  t.teardown(() => process.off('unhandledRejection', leave))
  const wire = converse({
    name: 'LINE', stream, limits: wireLimits, begin: face.begin, release: () => stream.destroy(),
    onEnd: () => undefined
  })
  await new Promise(resolve => setTimeout(resolve, 50))
  await t.rejects(wire.write(Uint8Array.of(6)), /EIO/)
  t.strictSame([ends, left], [['EIO'], []])
})
