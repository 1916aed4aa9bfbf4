// Telling others: signed calls that come at least once whatever dies in between, carried by BullMQ on
// PostgreSQL and on a real Redis by the same contract.
import t from 'tap'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { connect, createServer as createPort, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { tellPauseMs, tellTriesMax } from '../ledger/core/retry.ts'
import { signedHeaders } from '../ledger/core/webhook-signature.ts'
import { isPublic, refusalOf } from '../ledger/jobs/address.ts'
import { startCourier } from '../ledger/jobs/courier.ts'
import { queueSchema } from '../ledger/jobs/queue.ts'
import { openDb } from '../ledger/store/db.ts'
import { cardOf, recordOf } from './support/posting.ts'
import { secretOf, startDoors, type Door } from './support/ledger-http.ts'

const doors = await startDoors()
const folder = mkdtempSync(join(tmpdir(), 'webhooks-'))
const redis = await startRedis()
t.teardown(async () => {
  redis.stop()
  await doors.stop()
  rmSync(folder, { recursive: true, force: true })
})

const D = '2026-03-02'
const merchant = (code: string) => ({ code, kind: 'operator', nameZh: code, nameEn: code })
const clients = { BUS: 'BUS-CLIENT', MET: 'MET-CLIENT' } as const
const tokenOf = (id: string) => `${id}.${secretOf(id)}`

async function opened (): Promise<Door> {
  const door = await doors.open(undefined, { privateWebhooks: true })
  await door.ok('registrar', 'PUT', '/v1/registry', {
    clearingDate: D,
    parties: [
      { code: 'ISS', kind: 'issuer', nameZh: '发卡', nameEn: 'Issuer' }, merchant('BUS'), merchant('MET')
    ],
    terminals: [{ terminal: 'B1', operator: 'BUS' }],
    psams: [{
      psam: '990000000001', issue: 1, terminal: 'B1', from: '2025-01-01T00:00:00+08:00', to: null,
      stolenAt: null, test: false
    }],
    cards: Array.from({ length: 40 }, (_, number) => ({
      card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1,
      cityFactor: null, balanceFen: 5_000, counter: 100, soldBy: null, depositFen: 0
    }))
  })
  await bootstrap(door.db, {
    clients: Object.entries(clients).map(([party, id]) =>
      ({ id, kind: 'operator' as const, party, secret: secretOf(id) }))
  }, door.clock.now())
  return door
}
const deliver = async (door: Door, from: number, count: number): Promise<void> => {
  for (let number = from; number < from + count; number++) {
    await door.ok('gateway', 'POST', '/v1/records',
      { delivery: `delivery-${number}`, records: [recordOf(number, 1)] })
  }
}

/* ---- somebody who is told ---- */

type Told = { readonly headers: IncomingHttpHeaders, readonly body: string }
type Receiver = {
  readonly url: string, readonly told: Told[], answer: (nth: number) => number | Promise<number>
  readonly close: () => void
}

async function receiver (): Promise<Receiver> {
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      self.told.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') })
      void Promise.resolve(self.answer(self.told.length)).then(status => response.writeHead(status).end())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const self: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, told: [], answer: () => 204,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
  return self
}

const ids = ({ told }: Receiver): string[] => told.map(({ headers }) => String(headers['webhook-id']))
const types = ({ told }: Receiver): string[] =>
  told.map(({ body }) => (JSON.parse(body) as { type: string }).type)

async function until (what: string, is: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await delay(30)) if (await is()) return
  throw new Error(`waited a minute for: ${what}`)
}

/** A redis-server of our own on a free port, without a trace on disk. */
async function startRedis (): Promise<{ url: string, stop: () => void }> {
  const probe = createPort().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '',
    '--appendonly', 'no', '--dir', folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const chunk of server.stdout as AsyncIterable<Buffer>) {
    if (chunk.includes('Ready to accept connections')) break
  }
  return { url: `redis://127.0.0.1:${port}`, stop: () => { server.kill() } }
}

/* ---- the contract of a carrier ---- */

const carriers = {
  PostgreSQL: {
    redisUrl: null,
    wipe: async (door: Door) => {
      const owner = openDb(door.databaseUrl, { max: 1 })
      const { rows } = await owner.query<{ name: string }>(`
        select tablename as name from pg_tables
        where schemaname = '${queueSchema}' and tablename like '%job%'`)
      await owner.query(`truncate ${rows.map(({ name }) => `${queueSchema}.${name}`).join(', ')} cascade`)
      await owner.end()
      return rows.length
    }
  },
  Redis: {
    redisUrl: redis.url,
    wipe: async () => {
      const client = new Redis(redis.url)
      const keys = await client.dbsize()
      await client.flushall()
      await client.quit()
      return keys
    }
  }
} as const

for (const [name, { redisUrl, wipe }] of Object.entries(carriers)) {
  const start = (door: Door, more: object = {}) => startCourier(door.ledger, {
    databaseUrl: door.databaseUrl, redisUrl, everyMs: 40, leaseMs: 60_000, chance: () => 0, ...more
  })

  t.test(`${name}: each event is told once, signed, to whom it concerns`, async t => {
    const door = await opened()
    const [house, bus, met] = [await receiver(), await receiver(), await receiver()]
    const all = ['records.booked', 'day.moved', 'statement.ready', 'blacklist.published', 'proposal.ended']
    const wanted = { auditor: [house, all], BUS: [bus, all], MET: [met, all] } as const
    for (const [who, [to, topics]] of Object.entries(wanted)) {
      const token = who === 'auditor' ? {} : { token: tokenOf(clients[who as 'BUS']) }
      const json = { url: to.url, topics }
      const made = await door.ask('auditor', 'POST', '/v1/webhooks', { json, ...token })
      t.equal(made.status, 201, made.text)
    }
    const courier = await start(door)
    await deliver(door, 0, 3)
    await door.ok('registrar', 'POST', '/v1/blacklist', { add: [], remove: [] })
    await door.ok('settler', 'POST', `/v1/days/${D}/close`)
    await until('the house knows', () => house.told.length >= 3 + 1 + 3 + 3)
    await until('the others know', () => bus.told.length >= 3 + 1 + 3 + 1 && met.told.length >= 1 + 3 + 1)
    await courier.close()
    const count = (list: string[]) => list.sort().join(' ')
    const forAll = ['blacklist.published', 'day.moved', 'day.moved', 'day.moved']
    const booked = ['records.booked', 'records.booked', 'records.booked']
    t.equal(count(types(house)), count([...forAll, ...booked, ...Array(3).fill('statement.ready')]))
    t.equal(count(types(bus)), count([...forAll, ...booked, 'statement.ready']), 'BUS hears of BUS')
    t.equal(count(types(met)), count([...forAll, 'statement.ready']), 'MET hears nothing of BUS')
    t.equal(new Set(ids(house)).size, house.told.length, 'each id once')
    const body = JSON.parse(house.told.find(one => one.body.includes('delivery-1'))?.body ?? '{}')
    t.match(body, {
      type: 'records.booked', subject: 'delivery/delivery-1', sequence: Number,
      data: { clearingDate: D, party: 'BUS', accepted: { count: 1, amountFen: 180 }, held: { count: 0 } }
    })
    t.notMatch(house.told.map(one => one.body).join(), /(?<![0-9a-f])\d{20}(?![0-9a-f])/, 'no card numbers')
    for (const one of [house, bus, met]) one.close()
    await door.close()
  })

  t.test(`${name}: a receiver that fails is called later, then given up, then called by hand`, async t => {
    const door = await opened()
    const to = await receiver()
    const wanted = { url: to.url, topics: ['records.booked'] }
    const { id } = await door.ok('auditor', 'POST', '/v1/webhooks', wanted)
    to.answer = nth => nth <= 2 ? 500 : 204
    const courier = await start(door)
    await deliver(door, 0, 1)
    const state = async () => (await door.ok('auditor', 'GET', `/v1/webhooks/${id}/tellings`)).items[0]
    for (const tries of [1, 2]) {
      await until(`try ${tries}`, async () => (await state())?.tries === tries)
      t.match(await state(), { state: 'waiting', lastAnswer: 'HTTP 500' })
      t.equal(to.told.length, tries, 'not before its time')
      door.clock.advance(tellPauseMs(tries, 0))
    }
    await until('it worked', async () => (await state()).state === 'done')
    t.equal(new Set(ids(to)).size, 1, 'the same id each time')
    t.equal(to.told[0]?.body, to.told[2]?.body, 'and the same bytes')

    to.answer = () => 503
    await deliver(door, 1, 1)
    await until('there is another', async () => (await state()).event.id !== ids(to)[0])
    for (let tries = 1; tries <= tellTriesMax; tries++) {
      await until(`failure ${tries}`, async () => (await state()).tries >= tries)
      door.clock.advance(24 * 3_600_000)
    }
    const { items: [dead] } = await door.ok('auditor', 'GET', `/v1/webhooks/${id}/tellings?state=dead`)
    t.match(dead, { state: 'dead', tries: tellTriesMax, lastAnswer: 'HTTP 503' })
    t.match((await door.ok('auditor', 'GET', '/v1/webhooks')).items, [{ id, dead: 1, waiting: 0 }])
    to.answer = () => 200
    const resend = `/v1/webhooks/${id}/tellings/${dead.id}/resend`
    t.equal((await door.ask('registrar', 'POST', resend)).status, 404, 'not for strangers')
    t.equal((await door.ask('auditor', 'POST', resend)).status, 204)
    await until('sent again', async () => (await state()).state === 'done')
    t.equal(ids(to).at(-1), dead.event.id)
    to.answer = () => 410
    await deliver(door, 2, 1)
    await until('410', async () => (await state()).lastAnswer === 'HTTP 410')
    t.match(await state(), { tries: 1, state: 'dead' }, 'who is gone is not called again')
    await courier.close()
    to.close()
    await door.close()
  })

  t.test(`${name}: a queue that is wiped in the middle loses nothing`, async t => {
    const door = await opened()
    const to = await receiver()
    await door.ok('auditor', 'POST', '/v1/webhooks', { url: to.url, topics: ['records.booked'] })
    let letGo = () => {}
    const held = new Promise<void>(resolve => { letGo = resolve })
    to.answer = async () => {
      await held
      return 204
    }
    await deliver(door, 0, 30)
    const courier = await start(door, { concurrency: 2 })
    await until('two are called, the others wait in the queue', async () =>
      to.told.length === 2 && await courier.depth() === 30)
    t.ok(await wipe(door) > 0, 'there was something to wipe')
    t.equal(await courier.depth(), 0, 'the queue is empty')
    letGo()
    await delay(500)
    t.ok(to.told.length < 30, 'nobody carries them any more')
    door.clock.advance(60_000)
    await until('all are told', () => new Set(ids(to)).size === 30)
    await courier.close()
    to.close()
    await door.close()
  })
}

/* ---- a process that dies ---- */

const root = join(import.meta.dirname, '..')
function startLedger (door: Door, more: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(process.execPath, ['runtime/start.mjs', 'ledger/main.ts'], {
    cwd: root, stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...doors.env(door.databaseUrl), LEDGER_PRIVATE_WEBHOOKS: 'true', ...more }
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

t.test('killed between the call and its note: called again under the same id', async t => {
  const door = await opened()
  const to = await receiver()
  await door.ok('auditor', 'POST', '/v1/webhooks', { url: to.url, topics: ['records.booked'] })
  await deliver(door, 0, 1)
  const first = startLedger(door,
    { CITIZEN_CARD_KILL_AT: 'after-telling', LEDGER_CLOCK: '2026-03-03T01:00:00+08:00' })
  const [, signal] = await once(first, 'exit')
  t.equal(signal, 'SIGKILL')
  t.equal(to.told.length, 1)
  const { rows } = await door.db.query("select 1 from telling where state = 'waiting' and tries = 0")
  t.equal(rows.length, 1, 'nobody noted it')
  const second = startLedger(door, { LEDGER_CLOCK: '2026-03-04T01:00:00+08:00' })
  await until('it is told again', () => to.told.length === 2)
  second.kill()
  await once(second, 'exit')
  t.equal(new Set(ids(to)).size, 1, 'the same id')
  to.close()
  await door.close()
})

t.test('a database that goes while the courier begins: it has not begun, and the next one tells', async t => {
  const door = await opened()
  const to = await receiver()
  await door.ok('auditor', 'POST', '/v1/webhooks', { url: to.url, topics: ['records.booked'] })
  const started = (databaseUrl: string) => startCourier(door.ledger, {
    databaseUrl, redisUrl: null, everyMs: 40, chance: () => 0
  })
  const line = await lineThatEnds(door.databaseUrl)
  await t.rejects(started(line.url), /ECONNRESET|terminated/)
  line.close()
  const courier = await started(door.databaseUrl)
  await deliver(door, 0, 1)
  await until('told', () => to.told.length === 1)
  await courier.close()
  to.close()
  await door.close()
})

/** To a database: the first connection works, there is no other. */
async function lineThatEnds (databaseUrl: string): Promise<{ url: string, close: () => void }> {
  const { hostname, port } = new URL(databaseUrl)
  let taken = false
  const server = createPort(near => {
    near.on('error', () => undefined)
    if (taken) return near.destroy()
    taken = true
    const far = connect(Number(port), hostname)
    far.on('error', () => near.destroy()).on('close', () => near.destroy())
    near.on('close', () => far.destroy()).pipe(far).pipe(near)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const url = new URL(databaseUrl)
  url.port = String((server.address() as AddressInfo).port)
  return { url: url.href, close: () => { server.close() } }
}

/* ---- signatures and addresses ---- */

/** The receiver of docs/events.md, as a program of its own. */
const example = (/```js\n([^]*?)```/.exec(readFileSync(join(root, 'docs/events.md'), 'utf8')) ?? [])[1] ?? ''

t.test('the example of docs/events.md knows a true call from a false one', async t => {
  const door = await opened()
  const to = await receiver()
  const { id } = await door.ok('auditor', 'POST', '/v1/webhooks', { url: to.url, topics: ['records.booked'] })
  const { secret } = await door.ok('auditor', 'GET', `/v1/webhooks/${id}/secret`)
  t.match(secret, /^whsec_[\w+/]{43}=$/)
  t.equal((await door.ask('registrar', 'GET', `/v1/webhooks/${id}/secret`)).status, 404, 'only to its owner')
  const courier = await startCourier(door.ledger, {
    databaseUrl: door.databaseUrl, redisUrl: null, everyMs: 40, chance: () => 0
  })
  await deliver(door, 0, 1)
  await until('told', () => to.told.length === 1)
  const rotated = await door.ok('auditor', 'PUT', `/v1/webhooks/${id}/secret`)
  t.not(rotated.secret, secret)
  await deliver(door, 1, 1)
  await until('told again', () => to.told.length === 2)
  door.clock.advance(24 * 3_600_000)
  await deliver(door, 2, 1)
  await until('told a third time', () => to.told.length === 3)
  await courier.close()

  const program = join(folder, 'verify.mjs')
  writeFileSync(program, example + `
    const { headers, body, secret, atMs } = JSON.parse(process.argv[2])
    console.log(verify(headers, body, secret, atMs))`)
  const verdict = (told: Told | undefined, more: object = {}, lateMs = 0) => {
    const headers = { ...told?.headers, ...more }
    const atMs = Number(told?.headers['webhook-timestamp']) * 1_000 + lateMs
    const given = JSON.stringify({ secret, atMs, headers, body: told?.body, ...more })
    const run = spawnSync(process.execPath, [program, given], { encoding: 'utf8' })
    return run.status === 0 ? run.stdout.trim() : run.stderr
  }
  const [first, second, third] = to.told
  t.equal(verdict(first), 'true', 'the call as it came')
  t.equal(verdict(first, {}, 299_000), 'true', 'five minutes late')
  t.equal(verdict(first, {}, 301_000), 'false', 'played again later')
  t.equal(verdict(first, { body: first?.body.replace('180', '181') }), 'false', 'another amount')
  t.equal(verdict(first, { 'webhook-id': 'x' }), 'false', 'another id')
  t.equal(verdict(first, { secret: rotated.secret }), 'false', 'another secret')
  t.equal(verdict(second), 'true', 'the old secret signs for a day')
  t.equal(verdict(second, { secret: rotated.secret }), 'true', 'beside the new one')
  t.equal(verdict(third), 'false', 'and then no more')
  t.equal(verdict(third, { secret: rotated.secret }), 'true')
  t.notMatch(door.logLines().join(), secret.slice(6), 'not in the log')
  to.close()
  await door.close()
})

t.test('golden signature, worked out by openssl', async t => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index))
  const given = { id: 'evt', atMs: 1_772_424_000_999, body: '{"a":1}' }
  const wanted = spawnSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt',
    `hexkey:${key.toString('hex')}`, '-binary'], { input: 'evt.1772424000.{"a":1}' })
  t.strictSame(signedHeaders([key, key], given), {
    'webhook-id': 'evt', 'webhook-timestamp': '1772424000',
    'webhook-signature': `v1,${wanted.stdout.toString('base64')} v1,${wanted.stdout.toString('base64')}`
  })
})

t.test('where a webhook may lead', async t => {
  for (const [address, open] of Object.entries({
    '8.8.8.8': true, '114.114.114.114': true, '2400:3200::1': true, '172.32.0.1': true, '100.128.0.1': true,
    '127.0.0.1': false, '127.8.8.8': false, '0.0.0.0': false, '10.1.2.3': false, '172.16.0.1': false,
    '172.31.255.255': false, '192.168.1.1': false, '169.254.169.254': false, '100.64.0.1': false,
    '224.0.0.1': false, '255.255.255.255': false, '198.18.0.1': false, '::1': false, '::': false,
    'fe80::1': false, 'fc00::1': false, 'fd12::1': false, 'ff02::1': false, '::ffff:127.0.0.1': false,
    '::ffff:8.8.8.8': false, '64:ff9b::7f00:1': false, '2002:7f00:1::': false, '2001:db8::1': false, x: false
  })) t.equal(isPublic(address), open, address)
  for (const [url, why] of Object.entries({
    'https://hooks.example.com/x?y=1': null, 'https://8.8.8.8:8443/': null,
    'http://hooks.example.com/': 'only https', 'ftp://hooks.example.com/': 'only https',
    'file:///etc/passwd': 'only https', 'https://a:b@hooks.example.com/': 'no name or password in it',
    'https://2130706433/': '127.0.0.1 is no public address',
    'https://0x7f.1/': '127.0.0.1 is no public address',
    'https://[::1]/': '::1 is no public address',
    'https://[::ffff:10.0.0.1]/': '::ffff:a00:1 is no public address',
    'hooks.example.com': 'not a URL', '': 'not a URL', 'https://h/#f': 'no fragment in it'
  })) t.equal(refusalOf(url, false), why, url)
  t.equal(refusalOf('http://10.0.0.1/', true), null, 'where the deployment allows it')
})

t.test('a name that leads inside is refused when it is called, and never reached', async t => {
  const door = await doors.open(undefined, { privateWebhooks: false })
  const refused = await door.ask('auditor', 'POST', '/v1/webhooks',
    { json: { url: 'http://127.0.0.1/', topics: ['day.moved'] } })
  t.match(refused.json, { status: 422, reason: 'webhook_invalid', where: '/url' })
  await door.close()
  const open = await opened()
  const to = await receiver()
  const named = to.url.replace('127.0.0.1', 'localhost').replace('http:', 'https:')
  const { id } = await open.ok('auditor', 'POST', '/v1/webhooks', { url: named, topics: ['records.booked'] })
  const guarded = { ...open.ledger, privateWebhooks: false }
  const courier = await startCourier(guarded, {
    databaseUrl: open.databaseUrl, redisUrl: null, everyMs: 40, chance: () => 0
  })
  await deliver(open, 0, 1)
  const state = async () => (await open.ok('auditor', 'GET', `/v1/webhooks/${id}/tellings`)).items[0]
  await until('it was tried', async () => (await state())?.tries === 1)
  t.match((await state()).lastAnswer, /^localhost is (127\.0\.0\.1|::1), no public address$/)
  t.equal(to.told.length, 0)
  t.equal((await open.ask('auditor', 'DELETE', `/v1/webhooks/${id}`)).status, 204)
  t.strictSame((await open.ok('auditor', 'GET', '/v1/webhooks')).items, [])
  await courier.close()
  to.close()
  await open.close()
})

t.test('pauses grow and never pass a day', async t => {
  t.strictSame([1, 2, 3, 4, 5, 6, 7, 8, 9].map(tries => tellPauseMs(tries, 0) * 2),
    [5, 20, 80, 320, 1_280, 5_120, 20_480, 81_920, 86_400].map(seconds => seconds * 1_000))
  t.equal(tellPauseMs(1, 0.5), 3_750)
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
