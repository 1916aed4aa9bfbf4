// Tapes: what was said is there, masked, in bounded files; what is secret is nowhere, on tapes or in logs.
import t from 'tap'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { Check } from 'typebox/value'
import { openPorts } from '../gateway/ports.ts'
import { openTapes } from '../gateway/tapes.ts'
import type { EdgeHouse } from '../gateway/face.ts'
import { manualClock } from '../runtime/clock.ts'
import { createLog } from '../runtime/log.ts'
import type { PortConfig } from '../schemas/port.ts'
import { say } from '../schemas/sip2/message.ts'
import { TapeLine } from '../schemas/tape.ts'
import { connectSelfCheck } from '../terminal-sim/self-check/self-check.ts'
import { connectTo } from '../terminal-sim/line/line.ts'

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
    clock, log, nowMs: () => performance.now(), random: () => 0.5,
    http: { post: async () => ({ outcome: 'approved', reason: 'ok', patron }), get: async () => ({}) },
    terminals: {
      find: () => ({ ok: true }), heard: () => undefined, raise: () => undefined, clear: () => undefined
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
