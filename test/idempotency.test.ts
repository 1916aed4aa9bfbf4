// Requests that are sent again under their Idempotency-Key: done once, answered twice, whatever happens in
// between.
import t from 'tap'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createLog } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createApp } from '../ledger/http/app.ts'
import { routes } from '../ledger/http/routes.ts'
import { retain } from '../ledger/upkeep.ts'
import { machines, secretOf, startDoors, type Answer, type Door } from './support/ledger-http.ts'
import { city } from './support/small-day.ts'

t.setTimeout(600_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(3))
  return door
}

const correction = (amountFen: number) => ({
  kind: 'correction', reason: 'a fen was booked to the wrong side',
  body: {
    transfers: [{
      debit: 'commerce/unidentified-receipts', credit: 'commerce/merchant-pending/BUS', amountFen
    }]
  }
})
const started = async (door: Door): Promise<number> =>
  (await door.ok('auditor', 'GET', '/v1/proposals')).items.length
const propose = (
  door: Door, key: string, amountFen = 1, who: 'clerk' | 'settler' = 'clerk'
): Promise<Answer> => door.ask(who, 'POST', '/v1/proposals', { json: correction(amountFen), key })
const said = ({ status, json }: Answer) => status < 300 ? String(status) : `${status} ${json.reason}`

t.test('the same key with the same body gets the first answer, with another body none', async t => {
  const door = await opened()
  const first = await propose(door, 'monday-1')
  t.match(first, { status: 201, replayed: false, json: { state: 'pending' } })
  await door.ok('approver-1', 'POST', `/v1/proposals/${first.json.id}/decisions`, { approves: false })
  const second = await propose(door, 'monday-1')
  t.match(second, { status: 201, replayed: true, type: first.type })
  t.strictSame(second.json, first.json, 'as it was then, not as it is now')
  t.strictSame((await propose(door, '"monday-1"')).json, first.json, 'the quotes of the draft do not count')
  t.equal(said(await propose(door, 'monday-1', 2)), '422 key_reused', 'another body')
  const path = `/v1/proposals/${first.json.id}/decisions`
  t.equal(said(await door.ask('clerk', 'POST', path, { json: { approves: true }, key: 'monday-1' })),
    '422 key_reused', 'another route')
  t.equal(await started(door), 1)
  t.equal(said(await propose(door, 'monday-2')), '201', 'another key is another request')
  await door.close()
})

t.test('keys belong to whoever sends them', async t => {
  const door = await opened()
  const mine = await propose(door, 'shared')
  await door.ok('approver-1', 'POST', `/v1/proposals/${mine.json.id}/decisions`, { approves: false })
  const theirs = await propose(door, 'shared', 1, 'settler')
  t.match(theirs, { status: 201, replayed: false, json: { startedBy: 'settler' } })
  t.not(theirs.json.id, mine.json.id)
  t.equal((await propose(door, 'shared')).json.startedBy, 'clerk')
  const token = `${machines.gateway}.${secretOf('wrong')}`
  const stranger = await door.ask(null, 'POST', '/v1/proposals',
    { json: correction(1), key: 'shared', token })
  t.equal(stranger.status, 401, 'nobody gets an answer by a key alone')
  await door.close()
})

t.test('a second one while the first is at work is told so, and gets its answer later', async t => {
  const door = await opened()
  await door.ok('clerk', 'GET', '/v1/proposals') // signed in before the log is held
  const blocker = await door.db.connect()
  await blocker.query('begin')
  await blocker.query('lock table audit in access exclusive mode')
  const first = propose(door, 'slow')
  const atWork = `
    select 1 from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query ~ 'audit'`
  for (let tries = 0; tries < 500 && (await door.db.query(atWork)).rows.length === 0; tries++) {
    await delay(20)
  }
  t.equal(said(await propose(door, 'slow')), '409 key_in_flight')
  await blocker.query('rollback')
  blocker.release()
  const done = await first
  t.equal(done.status, 201)
  t.strictSame((await propose(door, 'slow')).json, done.json)
  await door.ok('approver-1', 'POST', `/v1/proposals/${done.json.id}/decisions`, { approves: false })
  const many = await Promise.all(Array.from({ length: 12 }, () => propose(door, 'crowd', 5)))
  t.ok(many.every(one => one.status === 201 || one.json.reason === 'key_in_flight'), many.map(said).join())
  t.equal(await started(door), 2, 'one each')
  await door.close()
})

t.test('a refusal leaves the key free, and what it wrote down stays', async t => {
  const door = await opened()
  const decide = (id: number) => door.ask('approver-1', 'POST', `/v1/proposals/${id}/decisions`,
    { json: { approves: true }, key: 'decide' })
  t.equal(said(await decide(1)), '404 not_found')
  const { json: { id } } = await propose(door, 'start')
  t.equal(id, 1)
  t.equal(said(await decide(1)), '200', 'the same key, now that there is something to decide')
  t.equal(said(await decide(1)), '200', 'and not a second time')

  const other = await propose(door, 'stale', 7)
  await door.db.query("update proposal set looked = '{}' where proposal_id = $1", [other.json.id])
  t.equal(said(await decide(other.json.id)), '422 key_reused')
  const stale = await door.ask('approver-1', 'POST', `/v1/proposals/${other.json.id}/decisions`,
    { json: { approves: true }, key: 'decide-it' })
  t.equal(said(stale), '409 approval_stale')
  t.equal((await door.ok('clerk', 'GET', `/v1/proposals/${other.json.id}`)).state, 'stale')
  await door.close()
})

t.test('keys that are none, and routes that take none', async t => {
  const door = await opened()
  for (const key of ['', ' ', '"', 'a"b', 'x'.repeat(129), 'two words', '"a', 'a\\b']) {
    if (key.trim() !== '') t.equal(said(await propose(door, key)), '400 body_invalid', key)
  }
  t.equal(said(await propose(door, 'x'.repeat(128))), '201')
  t.match(await door.ask('auditor', 'POST', '/v1/verify', { key: 'any' }), { status: 200, replayed: false })
  await door.close()
})

/* ---- deaths ---- */

const root = join(import.meta.dirname, '..')
type Process = { readonly url: string, readonly child: ChildProcess }

async function startLedger (door: Door, more: NodeJS.ProcessEnv = {}): Promise<Process> {
  const child = spawn(process.execPath, ['runtime/start.mjs', 'ledger/main.ts'], {
    cwd: root, stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...doors.env(door.databaseUrl), LEDGER_CLOCK: '2026-03-02T12:00:00+08:00', ...more }
  })
  let text = ''
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString()
    const ready = /\{"ready":\{"url":"([^"]+)"/.exec(text)
    if (ready?.[1] !== undefined) return { url: ready[1], child }
  }
  throw new Error(`no ledger: ${text}`)
}

async function end ({ child }: Process): Promise<void> {
  child.kill()
  await once(child, 'exit')
}

/** A webhook: what a machine may start, without anybody signing in. */
const hook = async ({ url }: Process): Promise<{ status: number, json: { id: number } }> => {
  const response = await fetch(`${url}/v1/webhooks`, {
    method: 'POST', body: JSON.stringify({ url: 'https://hooks.example.com/', topics: ['day.moved'] }),
    headers: {
      authorization: `Bearer ${machines.auditor}.${secretOf(machines.auditor)}`,
      'content-type': 'application/json', 'idempotency-key': 'my-only-webhook'
    }
  })
  return { status: response.status, json: await response.json() as { id: number } }
}
const hooks = async (door: Door): Promise<number> =>
  (await door.db.query('select 1 from webhook')).rows.length

for (const [place, done] of [['before-keyed-commit', 0], ['after-keyed-commit', 1]] as const) {
  t.test(`killed at ${place}: ${done === 0 ? 'nothing of it' : 'all of it'} is there`, async t => {
    const door = await opened()
    const first = await startLedger(door, { CITIZEN_CARD_KILL_AT: place })
    const died = once(first.child, 'exit')
    await t.rejects(hook(first), 'no answer')
    t.equal((await died)[1], 'SIGKILL')
    t.equal(await hooks(door), done)
    const second = await startLedger(door)
    const again = await hook(second)
    t.equal(again.status, 201)
    t.strictSame(await hook(second), again, 'and again')
    await end(second)
    const third = await startLedger(door)
    t.strictSame(await hook(third), again, 'after a restart too')
    await end(third)
    t.equal(await hooks(door), 1, 'once')
    await door.close()
  })
}

/* ---- how long ---- */

t.test('keys count for half a year', async t => {
  const door = await opened()
  // A machine, because sessions of people have their time too.
  const ask = () => door.ask('auditor', 'POST', '/v1/webhooks', {
    json: { url: 'https://hooks.example.com/', topics: ['day.moved'] }, key: 'long'
  })
  const first = await ask()
  const keep = async (days: number, keyDays?: number) => {
    const nowMs = door.clock.now() + days * 86_400_000
    const given = keyDays === undefined ? {} : { keyDays }
    const { over } = await retain(door.db, { nowMs, apply: true, ...given })
    return over.find(one => one.table === 'keyed_reply')?.rows
  }
  t.equal(await keep(179), 0)
  t.match(await ask(), { replayed: true, json: first.json })
  t.equal(await keep(29, 30), 0)
  t.equal(await keep(181), 1)
  t.match(await ask(), { status: 201, replayed: false }, 'forgotten')
  await door.close()
})

/* ---- the description ---- */

t.test('every POST says what a repeat does; those that take a key describe it', async t => {
  const bare = () => ({ log: createLog('openapi', { level: 'silent' }), metrics: createMetrics() }) as never
  const app = await createApp(bare())
  const posts = new Map<string, boolean>()
  app.addHook('onRoute', ({ method, url, config }) => {
    if (method === 'POST') posts.set(url.replace(/:(\w+)/g, '{$1}'), config?.keyed !== undefined)
  })
  await app.register(routes(bare()))
  await app.ready()
  const { paths } = app.swagger() as unknown as {
    paths: Record<string, { post?: { parameters?: { in: string, name: string }[], description: string } }>
  }
  for (const [path, keyed] of posts) {
    const { parameters = [], description = '' } = paths[path]?.post ?? {}
    t.equal(parameters.some(one => one.in === 'header' && one.name === 'idempotency-key'), keyed, path)
    t.equal(/^For [^.]+\. [A-Z].*\.$/.test(description), !keyed, `${path}: ${description}`)
  }
  t.ok([...posts.values()].filter(Boolean).length >= 17, 'most of them take one')
  await app.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
