// The plumbing without domain: configuration, log, clocks and dates, metrics, the HTTP client, supervised
// children.

import t from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Type } from 'typebox'
import { manualClock, offsetClock } from '../runtime/clock.ts'
import { ConfigError, readConfig } from '../runtime/config.ts'
import { createHttpClient, HttpAnswerError, HttpFaultError, pauseMs } from '../runtime/http-client.ts'
import {
  addDays, bcdDateTime, daysBetween, formatIso, fromBcdDateTime, localDate, localMinute, localTime, parseIso,
  startOfDate
} from '../runtime/instants.ts'
import { createLog, maskCard } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'

t.test('configuration', async t => {
  const schema = Type.Object({
    PORT: Type.Integer({ minimum: 1, maximum: 65_535, description: 'where to listen' }),
    DATABASE_URL: Type.String({ pattern: '^postgres://', description: 'the ledger\'s database' }),
    MODE: Type.Union([Type.Literal('city'), Type.Literal('demo')], { default: 'demo' }),
    VERBOSE: Type.Boolean({ default: false }),
    REDIS_URL: Type.Optional(Type.String())
  })

  t.test('text becomes values, defaults fill in, what is optional may be absent', async t => {
    const env = { PORT: '8080', DATABASE_URL: ' postgres://x ', VERBOSE: 'true', HOME: '/root' }
    t.same(readConfig(schema, env),
      { PORT: 8080, DATABASE_URL: 'postgres://x', MODE: 'demo', VERBOSE: true })
  })

  t.test('all that is wrong is said at once, with what would be right, and no secret', async t => {
    const env = { PORT: '70000', DATABASE_URL: 'mysql://u:p4ss@h', MODE: 'x', VERBOSE: 'yes' }
    const read = () => readConfig(schema, env)
    t.throws(read, ConfigError)
    const { problems } = caught(read) as ConfigError
    t.equal(problems.length, 4)
    t.match(problems.join('\n'), /PORT="70000" must be <= 65535 \(integer from 1 to 65535; where to listen\)/)
    t.match(problems.join('\n'), /MODE="x" is none of the choices \(one of city, demo\)/)
    t.match(problems.join('\n'), /VERBOSE="yes" must be boolean/)
    t.notMatch(problems.join('\n'), /p4ss/)
  })

  t.test('an empty variable is an absent one', async t => {
    t.throws(() => readConfig(schema, { PORT: '', DATABASE_URL: 'postgres://x' }), {
      message:
      /1 variable to set right\n {2}PORT is missing \(integer from 1 to 65535; where to listen\)/
    })
  })

  t.test('numbers are read strictly', async t => {
    for (const text of ['0x10', '1e3', '12abc', '8080.5']) {
      t.throws(() => readConfig(schema, { PORT: text, DATABASE_URL: 'postgres://x' }), ConfigError, text)
    }
  })
})

t.test('the log masks cards and leaves secrets out', async t => {
  const lines: string[] = []
  const log = createLog('gateway', { level: 'info', destination: { write: line => { lines.push(line) } } })
  const cardNo = '4210001234567890123'
  log.info({ cardNo, at: { cardNo, deep: { password: 'p4ss' } } }, 'tap')
  log.debug('not at this level')
  log.error({ headers: { authorization: 'Bearer abc' }, err: new Error('away') }, 'uplink')
  t.equal(lines.length, 2)
  t.match(JSON.parse(lines[0] ?? ''), {
    level: 'info', name: 'gateway', msg: 'tap',
    cardNo: '421000*********0123', at: { cardNo: '421000*********0123' }
  })
  t.notMatch(lines.join(''), /p4ss|Bearer|1234567890123/)
  t.match(JSON.parse(lines[1] ?? ''), { level: 'error', err: { message: 'away' } })
  t.equal(maskCard('4210001234567890'), '421000******7890')
  t.equal(maskCard('1234567890'), '**********', 'too short to show anything of')
})

t.test('clocks', async t => {
  const manual = manualClock(1_000)
  manual.advance(500)
  t.equal(manual.now(), 1_500)
  manual.set(200)
  t.equal(manual.now(), 200, 'may go back when set')
  t.throws(() => manual.advance(-1), RangeError)
  t.throws(() => manual.set(0.5), RangeError)
  const offset = offsetClock(parseIso('2026-03-02T04:30:00+08:00'))
  await delay(20)
  const passed = offset.now() - parseIso('2026-03-02T04:30:00+08:00')
  t.ok(passed >= 19 && passed < 60_000 && Number.isInteger(passed), 'runs on from the given instant')
})

t.test('local dates and times', async t => {
  // The epoch seconds are from `TZ=UTC date -d '2026-03-01 15:59:59' +%s` and neighbours.
  const lastSecond = 1_772_380_799_000
  t.equal(localDate(lastSecond), '2026-03-01')
  t.equal(localTime(lastSecond), '23:59:59')
  t.equal(localDate(lastSecond + 1_000), '2026-03-02')
  t.equal(localMinute(lastSecond), 23 * 60 + 59)
  t.equal(localMinute(lastSecond + 1_000), 0)
  t.equal(localMinute(-1), 7 * 60 + 59, 'before 1970 too')
  t.equal(formatIso(lastSecond + 123), '2026-03-01T23:59:59.123+08:00')
  t.equal(startOfDate('2026-03-02'), lastSecond + 1_000)
  t.equal(addDays('2028-02-28', 1), '2028-02-29')
  t.equal(addDays('2026-03-01', -1), '2026-02-28')
  t.equal(daysBetween('2026-02-28', '2026-03-02'), 2)

  t.test('instants with any offset, never without one', async t => {
    for (const text of [
      '2026-03-01T23:59:59+08:00', '2026-03-01T15:59:59Z', '2026-03-01T15:59:59.000Z',
      '2026-03-01T12:29:59-03:30'
    ]) t.equal(parseIso(text), lastSecond, text)
    t.equal(parseIso('2026-03-01T23:59:59.123456789+08:00'), lastSecond + 123)
    for (const text of [
      '2026-03-01T23:59:59', '2026-03-01', '2026-02-29T00:00:00Z', '2026-13-01T00:00:00Z',
      '2026-03-01T24:00:00Z',
      '2026-03-01T23:60:00Z', '2026-03-01T23:59:60Z', '2026-03-01 23:59:59Z', '2026-03-01T23:59:59+19:00', ''
    ]) t.throws(() => parseIso(text), RangeError, text)
    t.throws(() => startOfDate('2026-02-29'), /not a calendar date/)
  })

  t.test('BCD both ways, and every byte that is no date', async t => {
    const bytes = Uint8Array.of(0x20, 0x26, 0x03, 0x01, 0x23, 0x59, 0x59)
    t.same(bcdDateTime(lastSecond + 999), bytes, 'fractions are cut')
    t.equal(fromBcdDateTime(bytes), lastSecond)
    const wrong = [[0, 0x2a], [2, 0x13], [2, 0x00], [3, 0x32], [4, 0x24], [5, 0x60], [6, 0xff]] as const
    for (const [index, byte] of wrong) {
      t.equal(fromBcdDateTime(bytes.with(index, byte)), null, `byte ${index} = ${byte.toString(16)}`)
    }
    t.equal(fromBcdDateTime(bytes.subarray(0, 6)), null, 'six bytes')
  })
})

t.test('metrics in the Prometheus text format', async t => {
  const metrics = createMetrics()
  const records = metrics.counter('records_total', 'Records by verdict.')
  records.add({ verdict: 'accepted', line: 'a"b\\c\n' })
  records.add({ line: 'a"b\\c\n', verdict: 'accepted' }, 2)
  metrics.gauge('spool_records', 'Not yet acknowledged.').set(7)
  metrics.gauge('age_seconds', 'Read when asked.', () => 1.5)
  const tapMs = metrics.histogram('tap_ms', 'Duration of a tap.', [10, 100])
  for (const value of [10, 11, 1_000]) tapMs.observe(value, { lane: 1 })
  t.equal(metrics.render(), `# HELP records_total Records by verdict.
# TYPE records_total counter
records_total{line="a\\"b\\\\c\\n",verdict="accepted"} 3
# HELP spool_records Not yet acknowledged.
# TYPE spool_records gauge
spool_records 7
# HELP age_seconds Read when asked.
# TYPE age_seconds gauge
age_seconds 1.5
# HELP tap_ms Duration of a tap.
# TYPE tap_ms histogram
tap_ms_bucket{lane="1",le="10"} 1
tap_ms_bucket{lane="1",le="100"} 2
tap_ms_bucket{lane="1",le="+Inf"} 3
tap_ms_sum{lane="1"} 1021
tap_ms_count{lane="1"} 3
`)
  t.throws(() => metrics.gauge('tap_ms', 'again'), /registered twice/)
  t.throws(() => records.add({}, -1), RangeError)
})

t.test('the HTTP client', async t => {
  const seen: string[] = []
  const sockets = new Set<Socket>()
  let plan: ((request: IncomingMessage, response: ServerResponse) => void)[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    sockets.add(request.socket)
    plan.shift()?.(request, response)
  })
  const url = await listening(server)
  t.teardown(() => { server.close(); server.closeAllConnections() })
  const patience = { tries: 3, tryTimeoutMs: 300, backoffMs: 1, random: () => 0 }
  const client = createHttpClient({ baseUrl: `${url}/api/`, ...patience })
  t.teardown(() => client.close())
  t.beforeEach(() => { seen.length = 0; sockets.clear() })
  const answer = (status: number, body: string) => (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status).end(body)
  }
  const cut = (_: IncomingMessage, response: ServerResponse) => { response.socket?.destroy() }
  const silent = () => undefined

  t.test('sends and reads JSON over one kept connection', async t => {
    const echo = (request: IncomingMessage, response: ServerResponse) => { request.pipe(response) }
    plan = [echo, echo, answer(204, '')]
    t.same(await client.post('/v1/records', { a: ['卡'] }), { a: ['卡'] })
    t.same(await client.put('/v1/x?y=1', 1), 1)
    t.equal(await client.delete('/v1/x'), null)
    t.same(seen, ['POST /api/v1/records', 'PUT /api/v1/x?y=1', 'DELETE /api/v1/x'])
    t.equal(sockets.size, 1)
  })

  t.test('tries again after each kind of fault', async t => {
    for (const [name, fault] of Object.entries({
      cut, silent, 503: answer(503, ''), 429: answer(429, '{}'), torn: answer(200, '{"a":')
    })) {
      plan = [fault, answer(200, '{"ok":true}')]
      t.same(await client.post('/v1/records', {}), { ok: true }, name)
    }
  })

  t.test('gives up after the counted tries, with a fault that says what, where and how', async t => {
    plan = [answer(500, 'a'), answer(500, 'b'), answer(500, '{"reason":"database_away"}')]
    const error = await client.get('/v1/cards').catch((error: unknown) => error)
    t.ok(error instanceof HttpFaultError && error.retry && error.status === 500)
    t.equal((error as Error).message, `GET ${url}/api/v1/cards: answered 500: {"reason":"database_away"}`)
    t.equal(seen.length, 3)
  })

  t.test('the deadline covers the body too', async t => {
    plan = [(_, response) => { response.writeHead(200).write('{"a":') }]
    await t.rejects(client.get('/slow', { tries: 1 }), { message: /no answer within 300 ms/, retry: true })
  })

  t.test('an answer is not repeated', async t => {
    plan = [answer(409, '{"outcome":"conflict","field":"amountFen"}')]
    const error = await client.post('/v1/loads', {}).catch((error: unknown) => error)
    t.ok(error instanceof HttpAnswerError && !error.retry)
    t.match(error, { status: 409, body: { outcome: 'conflict', field: 'amountFen' } })
    t.equal(seen.length, 1)
  })

  t.test('nobody there is a fault; an abort ends the waiting', async t => {
    const empty = createTcpServer()
    const nowhere = await listening(empty)
    await new Promise(resolve => empty.close(resolve))
    const lost = createHttpClient({
      baseUrl: nowhere, tries: Infinity, backoffMs: 60_000, backoffMaxMs: 60_000, random: () => 0
    })
    await t.rejects(lost.get('/', { tries: 1 }), { message: /ECONNREFUSED/, retry: true })
    const abort = new AbortController()
    const waiting = lost.get('/', { signal: abort.signal })
    setTimeout(() => abort.abort(), 50)
    await t.rejects(waiting, HttpFaultError)
    lost.close()
  })

  t.test('the pause doubles up to its limit and keeps at least half', async t => {
    const options = { backoffMs: 100, backoffMaxMs: 1_000 }
    const shortest = [1, 2, 3, 4, 5, 50].map(n => pauseMs(n, { ...options, random: () => 0 }))
    t.same(shortest, [50, 100, 200, 400, 500, 500])
    t.equal(pauseMs(2, { ...options, random: () => 0.5 }), 150)
  })
})

t.test('supervised children', async t => {
  const supervise = new URL('../runtime/supervise.ts', import.meta.url).href
  const dir = t.testdir({
    'good.ts': `
      import { announceReady } from '${supervise}'
      const server = setInterval(() => undefined, 1000)
      console.error('starting')
      announceReady({ port: 4711, pid: process.pid }, () => { console.log('going'); clearInterval(server) })
      console.log('{"not":"ready"}')`,
    'endless.ts': `
      import { announceReady } from '${supervise}'
      setInterval(() => undefined, 1000)
      announceReady({}, () => new Promise(() => undefined), 100)`,
    'deaf.mjs': "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('{\"ready\":1}')",
    'broken.mjs': "console.error('no database at localhost'); process.exit(3)",
    'parting.mjs': `
      import { spawn } from 'node:child_process'
      spawn('sleep', ['30'], { stdio: 'inherit', detached: true }).unref()
      console.log('{"ready":1}')
      setInterval(() => {}, 1000)`,
    'asking.ts': `
      import { askStarter } from '${new URL('../terminal-sim/ask-starter.ts', import.meta.url).href}'
      const ask = askStarter('alone')
      const why = (error: Error) => error.message
      setTimeout(() => process.exit(), 10_000)
      setTimeout(() => process.disconnect(), 50)
      console.log(await ask('first').catch(why), '/', await ask('second').catch(why))
      process.exit()`,
    'mute.mjs': 'setInterval(() => {}, 1000)',
    'parent.ts': `
      import { nodeCommand, superviseChild } from '${supervise}'
      const child = await superviseChild({ name: 'good', ...nodeCommand(process.argv[2]!) })
      console.log(JSON.stringify({ ready: child.pid }))`
  })
  const node = (file: string) => ({ command: process.execPath, args: [`${dir}/${file}`] })

  t.test('ready, heard, measured, stopped', async t => {
    const lines: string[] = []
    const child = await superviseChild<{ port: number, pid: number }>({
      name: 'good', ...nodeCommand(`${dir}/good.ts`), onLine: line => lines.push(line)
    })
    t.equal(child.ready.port, 4711)
    t.equal(child.ready.pid, child.pid)
    t.match(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8'), 'good.ts')
    t.same(await child.stop(), { code: 0, signal: null })
    t.same([...lines].sort(), ['going', 'starting', '{"not":"ready"}'])
    const peak = child.peakRssBytes()
    t.ok(peak > 20 * 2 ** 20 && peak < 2 ** 30, `a Node process, ${peak} bytes`)
  })

  t.test('a deaf one is killed after the deadline', async t => {
    const child = await superviseChild({ name: 'deaf', ...node('deaf.mjs'), stopTimeoutMs: 50 })
    t.same(await child.stop(), { code: null, signal: 'SIGKILL' })
  })

  t.test('one that leaves another at its outputs has ended all the same', { timeout: 15_000 }, async t => {
    const child = await superviseChild({ name: 'parting', ...node('parting.mjs') })
    t.same(await child.stop(), { code: null, signal: 'SIGTERM' })
  })

  t.test('who asks a starter that is gone is told so', { timeout: 20_000 }, async t => {
    const { command, args = [] } = nodeCommand(`${dir}/asking.ts`)
    const asking = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    const words: Buffer[] = []
    asking.stdout?.on('data', (bytes: Buffer) => words.push(bytes))
    await once(asking, 'close')
    const gone = 'the process that started this one is gone'
    t.equal(Buffer.concat(words).toString(), `${gone} / ${gone}\n`)
  })

  t.test('one whose order of stopping has no end ends all the same, and says so', async t => {
    const lines: string[] = []
    const child = await superviseChild({
      name: 'endless', ...nodeCommand(`${dir}/endless.ts`), onLine: line => lines.push(line),
      stopTimeoutMs: 60_000
    })
    t.same(await child.stop(), { code: 1, signal: null })
    t.same(lines, ['not stopped in order within 0.1 s: ended'])
  })

  t.test('one that ends or dawdles before it is ready fails with its last words', async t => {
    await t.rejects(superviseChild({ name: 'ledger', ...node('broken.mjs') }),
      { message: /ledger ended \(exit code 3\) .*broken\.mjs\n {2}no database at localhost/ })
    await t.rejects(superviseChild({ name: 'mute', ...node('mute.mjs'), readyTimeoutMs: 200 }),
      /not ready within 200 ms/)
    await t.rejects(superviseChild({ name: 'none', command: '/nowhere' }), /ENOENT/)
  })

  t.test('started again as often as wished, then reported lost', async t => {
    let lost: unknown
    const child = await superviseChild({
      name: 'good',
      ...nodeCommand(`${dir}/good.ts`),
      restart: { times: 1, pauseMs: 1 },
      onLost: ended => { lost = ended }
    })
    const first = child.pid
    child.kill()
    await until(() => child.pid !== first)
    t.equal(child.restarts, 1)
    await child.restart()
    t.equal(lost, undefined, 'a wished restart is no loss')
    child.kill()
    await until(() => lost !== undefined)
    t.same(lost, { code: null, signal: 'SIGKILL' })
  })

  t.test('a child does not outlive a starter that was killed', async t => {
    const command = nodeCommand(`${dir}/parent.ts`, [`${dir}/good.ts`])
    const parent = await superviseChild<number>({ name: 'parent', ...command })
    t.ok(isRunning(parent.ready))
    parent.kill('SIGKILL')
    await until(() => !isRunning(parent.ready))
  })
})

function caught (action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  return undefined
}

async function listening (server: ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Waits for what must come; the runner's limit ends a wait in vain. */
async function until (condition: () => boolean): Promise<void> {
  while (!condition()) await delay(10)
}

/** A killed orphan may stay as a zombie where nobody adopts it. */
function isRunning (pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch (error) {
    t.equal((error as NodeJS.ErrnoException).code, 'ENOENT')
    return false
  }
}
