// `npm run bench -- clear [--records N,N…] [--older N] [--file-records N] [--changing SHARE] [--unverified]`:
// consumption files into a ledger process until every one is booked and answered, then the day closed,
// approved and settled. Bytes in, durable answers out, nothing prepared inside; the books are checked after
// each run, by `verify` too unless that is left out.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { nodeCommand, superviseChild, type Child } from '../runtime/supervise.ts'
import type { DayView, FileReply, TrialBalance, VerifyReport } from '../schemas/api.ts'
import { readAnswer, type Summary } from '../schemas/clearing-file/answers.ts'
import { hex } from '../schemas/epurse/hex.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { openDb } from '../ledger/store/db.ts'
import { sealKeys } from '../ledger/keys/key-file.ts'
import type { Postgres } from '../bin/postgres.ts'
import type { Bench } from './main.ts'
import { olderKeysDatabase, olderKeysWanted, startBenchPostgres } from './older-keys.ts'
import {
  cardPortions, cardsFen, date, masterTacKey, operators, registry, writeDay, type DayFile, type Expected
} from './support/day-files.ts'
import { cpuSeconds } from './support/processes.ts'

export const bench: Bench = async ({ args }) => {
  const { values } = parseArgs({
    args: [...args], strict: false, options: {
      records: { type: 'string', default: '1000000' },
      older: { type: 'string', default: String(olderKeysWanted) },
      'file-records': { type: 'string', default: '100000' }, changing: { type: 'string', default: '0.1' },
      unverified: { type: 'boolean', default: false }
    }
  })
  const wanted = String(values['records']).split(',').map(Number)
  const postgres = await startBenchPostgres()
  try {
    const runs: Figures[] = []
    for (const records of wanted) {
      runs.push(await measure(postgres, {
        records, older: Number(values['older']), changing: Number(values['changing']),
        verifies: values['unverified'] !== true,
        fileRecords: Math.min(Number(values['file-records']), Math.ceil(records / operators.length))
      }))
      print(runs.at(-1) as Figures)
    }
    return { ...runs.at(-1), curve: runs }
  } finally {
    await postgres.stop()
  }
}

type Wanted = {
  readonly records: number, readonly older: number, readonly fileRecords: number, readonly changing: number
  readonly verifies: boolean
}
type Figures = {
  readonly records: number
  readonly olderKeys: number
  readonly files: number
  readonly recordsPerSecond: number
  /** Records a second of each stage by itself: they overlap. */
  readonly stages: Readonly<Record<string, number>>
  readonly cpuMicrosPerRecord: { readonly ledger: number, readonly postgres: number }
  readonly closeSettleSeconds: number
  /** Peak of each process that is ours. */
  readonly rssMiB: { readonly ledger: number, readonly bench: number }
}

async function measure (postgres: Postgres, wanted: Wanted): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'clear-'))
  const url = await olderKeysDatabase(postgres, 'clear', wanted.older)
  let city = await startCity(folder, url)
  try {
    await enterRegistry(city)
    const { files, expected } = writeDay(folder, wanted)
    await settleDown(url)
    await city.child.stop() // what the registry left in its memory is no matter of the day
    city = await startLedger(city)
    const before = await usage(city, postgres)
    const startedAt = performance.now()
    const replies = await uploadAll(city, files)
    const seconds = (performance.now() - startedAt) / 1_000
    const after = await usage(city, postgres)
    const lines = expected.lines
    await checkReplies(city, replies, expected)
    const closeSettleSeconds = await closeAndSettle(city)
    await checkBooks(city, expected, wanted.verifies)
    const micros = (part: 'ledger' | 'postgres') => round((after[part] - before[part]) / lines * 1e6)
    return {
      records: lines,
      olderKeys: wanted.older,
      files: files.length,
      recordsPerSecond: Math.round(lines / seconds),
      stages: Object.fromEntries(Object.entries(after.stages).map(([stage, total]) =>
        [stage, Math.round(lines / (total - (before.stages[stage] ?? 0)))])),
      cpuMicrosPerRecord: { ledger: micros('ledger'), postgres: micros('postgres') },
      closeSettleSeconds: round(closeSettleSeconds),
      rssMiB: {
        ledger: Math.round(city.child.peakRssBytes() / 2 ** 20),
        bench: Math.round(process.resourceUsage().maxRSS / 2 ** 10)
      }
    }
  } finally {
    await city.child.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

type Usage = { readonly stages: Record<string, number>, readonly ledger: number, readonly postgres: number }

const usage = async (city: City, postgres: Postgres): Promise<Usage> => ({
  stages: await stageSeconds(city), ledger: cpuSeconds(city.child.pid), postgres: cpuSeconds(postgres.pid)
})

const round = (value: number): number => Math.round(value * 10) / 10

function print (run: Figures): void {
  const { records, recordsPerSecond, stages, cpuMicrosPerRecord, closeSettleSeconds, rssMiB } = run
  console.log(`${records} records in ${run.files} files on ${run.olderKeys} older keys: ` +
    `${recordsPerSecond}/s, closed and settled in ${closeSettleSeconds} s`)
  console.log(`  processor: ledger ${cpuMicrosPerRecord.ledger} µs, PostgreSQL ` +
    `${cpuMicrosPerRecord.postgres} µs a record; memory: ledger ${rssMiB.ledger} MiB`)
  for (const [stage, perSecond] of Object.entries(stages)) {
    console.log(`  ${stage.padEnd(10)} ${perSecond}/s`)
  }
}

/* ---- a ledger as a city runs it ---- */

export type City = {
  readonly url: string
  readonly databaseUrl: string
  readonly child: Child<{ url: string }>
  readonly env: NodeJS.ProcessEnv
}

const secrets = { GW: randomBytes(32).toString('hex'), REGISTRAR: randomBytes(32).toString('hex') }
const password = randomBytes(12).toString('hex')

export async function startCity (
  folder: string, databaseUrl: string, more: NodeJS.ProcessEnv = {}
): Promise<City> {
  const keyFile = join(folder, 'keys.json')
  const keys = { tac: [{ keyVersion: 1, suite: '3des' as const, master: hex(masterTacKey) }] }
  writeFileSync(keyFile, sealKeys(keys, 'bench', randomBytes(16), randomBytes(12)))
  const db = openDb(databaseUrl, { max: 1 })
  await bootstrap(db, {
    staff: [
      { name: 'settler', password, roles: ['settler'] }, { name: 'first', password, roles: ['approver'] },
      { name: 'second', password, roles: ['approver'] }],
    clients: [
      { id: 'GW', kind: 'gateway', secret: secrets.GW },
      { id: 'REGISTRAR', kind: 'registrar', secret: secrets.REGISTRAR },
      { id: 'AUDITOR', kind: 'auditor', secret: secrets.GW }]
  }, Date.parse(`${date}T00:00:00+08:00`))
  await db.end()
  const env = {
    ...process.env, LEDGER_DATABASE_URL: databaseUrl, LEDGER_KEYS: keyFile, LEDGER_KEYS_PASSPHRASE: 'bench',
    LEDGER_SIGNING_KEY: join(folder, 'signing.pem'), LEDGER_CLOCK: `${date}T20:00:00+08:00`,
    LOG_LEVEL: 'warn', ...more
  }
  return await startLedger({ databaseUrl, env })
}

async function startLedger ({ databaseUrl, env }: Pick<City, 'databaseUrl' | 'env'>): Promise<City> {
  const { command, args = [] } = nodeCommand(join(import.meta.dirname, '../ledger/main.ts'))
  const flags = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? []
  const child = await superviseChild<{ url: string }>({
    name: 'ledger', command, args: [...flags, ...args], env, readyTimeoutMs: 120_000, stopTimeoutMs: 60_000,
    onLine: line => console.error(line)
  })
  return { url: child.ready.url, databaseUrl, child, env }
}

async function ask (
  city: City, token: string | null, method: string, path: string, body?: unknown
): Promise<Response> {
  const bytes = Buffer.isBuffer(body)
  const response = await fetch(new URL(path, city.url), {
    method,
    headers: {
      ...token === null ? {} : { authorization: `Bearer ${token}` },
      ...body === undefined ? {} : { 'content-type': bytes ? 'application/octet-stream' : 'application/json' }
    },
    ...body === undefined ? {} : { body: bytes ? body : JSON.stringify(body) }
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return response
}
const json = async <T>(...asked: Parameters<typeof ask>): Promise<T> =>
  await (await ask(...asked)).json() as T
export const gateway = `GW.${secrets.GW}`
export const registrar = `REGISTRAR.${secrets.REGISTRAR}`
const auditor = `AUDITOR.${secrets.GW}`

export async function enterRegistry (city: City): Promise<void> {
  await ask(city, registrar, 'PUT', '/v1/registry', registry())
  for (const cards of cardPortions()) await ask(city, registrar, 'PUT', '/v1/registry', { cards })
}

/** Statistics and hint bits as they are after a night, so that no run pays for the one before. */
async function settleDown (databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('vacuum (analyze) card')
  await client.query('vacuum (analyze) purse')
  await client.query('analyze')
  await client.query('checkpoint')
  await client.end()
}

/* ---- the day ---- */

/** Operators send at the same time; two connections are enough to keep a ledger busy. */
const connections = 2

export async function uploadAll (city: City, files: readonly DayFile[]): Promise<FileReply[]> {
  const waiting = [...files]
  const replies: FileReply[] = []
  const send = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const path = `/v1/files/${file.name}`
      const bytes = readFileSync(file.path)
      replies.push(await json<FileReply>(city, gateway, 'PUT', path, bytes))
    }
  }
  await Promise.all(Array.from({ length: connections }, send))
  return replies
}

export async function closeAndSettle (city: City): Promise<number> {
  const tokens = new Map<string, string>()
  for (const name of ['settler', 'first', 'second']) {
    const body = { name, password }
    const { token } = await json<{ token: string }>(city, null, 'POST', '/v1/session', body)
    tokens.set(name, token)
  }
  const as = (name: string): string => tokens.get(name) ?? ''
  const startedAt = performance.now()
  const day = `/v1/days/${date}`
  const { digest, blockers } = await json<DayView>(city, as('settler'), 'POST', `${day}/close`, {})
  assert(digest !== null, `the day does not close: ${blockers.join('; ')}`)
  for (const name of ['first', 'second']) {
    await ask(city, as(name), 'POST', `${day}/approvals`, { digest })
  }
  const { state } = await json<DayView>(city, as('settler'), 'POST', `${day}/instruct`, {})
  assert.equal(state, 'INSTRUCTED')
  return (performance.now() - startedAt) / 1_000
}

/** Seconds spent by stage so far, from the ledger's own metrics. */
async function stageSeconds (city: City): Promise<Record<string, number>> {
  const page = await (await ask(city, null, 'GET', '/metrics')).text()
  const lines = page.matchAll(/^ledger_intake_seconds_sum\{stage="(\w+)"\} (\S+)$/gm)
  return Object.fromEntries([...lines].map(([, stage = '', sum]) => [stage, Number(sum)]))
}

/* ---- what must be true ---- */

async function checkReplies (city: City, replies: readonly FileReply[], expected: Expected): Promise<void> {
  const sum = (pick: (reply: FileReply) => number) => replies.reduce((total, reply) => total + pick(reply), 0)
  assert.equal(sum(reply => reply.count), expected.lines)
  assert.equal(sum(({ confirmed, refused, excluded }) =>
    confirmed.count + refused.count + excluded.count), expected.lines)
  const reasons = replies.flatMap(reply => reply.lines.map(line => line.reason))
  for (const [reason, count] of Object.entries(expected.refused)) {
    assert.equal(reasons.filter(one => one === reason).length, count, reason)
  }
  for (const { file, refused, excluded } of replies) {
    const answer = readAnswer('SS', await (await ask(city, gateway, 'GET', `/v1/files/${file}/SS`)).text())
    assert(answer.ok && answer.records.length === refused.count + excluded.count, `SS of ${file}`)
  }
}

async function checkBooks (city: City, expected: Expected, verifies: boolean): Promise<void> {
  const { accounts, sumFen } = await json<TrialBalance>(city, auditor, 'GET', `/v1/accounts?asOf=${date}`)
  assert.equal(sumFen, 0)
  const at = (account: string): number => accounts.find(one => one.account === account)?.balanceFen ?? 0
  let owedFen = 0
  const summaries: Summary[] = []
  for (const operator of operators) {
    const pendingFen = at(`commerce/merchant-pending/${operator}`)
    assert.equal(pendingFen, expected.owedFen[operator], operator)
    owedFen += pendingFen
    const path = `/v1/operators/${operator}/QS/${date}`
    const answer = readAnswer('QS', await (await ask(city, gateway, 'GET', path)).text())
    assert(answer.ok && answer.records[0]?.ok)
    const summary = answer.records[0].values
    assert.equal(summary.confirmedFen + summary.adjustedFen, pendingFen, `QS of ${operator}`)
    summaries.push(summary)
  }
  assert.equal(at('commerce/purse'), cardsFen - owedFen)
  assert.equal(summaries.reduce((sum, one) => sum + one.confirmedCount + one.refusedCount, 0), expected.lines)
  if (verifies) await checkByVerify(city)
}

/** The ledger's own second look, in a process of its own. */
async function checkByVerify (city: City): Promise<void> {
  const { command, args = [] } = nodeCommand(join(import.meta.dirname, '../ledger/main.ts'), ['verify'])
  const text = await new Promise<string>((resolve, reject) => {
    execFile(command, [...args], { env: city.env, maxBuffer: 2 ** 24 }, (error, stdout) => {
      if (stdout === '' && error !== null) reject(error)
      else resolve(stdout)
    })
  })
  const { ok, checks } = JSON.parse(text) as VerifyReport
  assert(ok, checks.filter(check => !check.ok).map(({ check, detail }) => `${check}: ${detail}`).join('\n'))
}
