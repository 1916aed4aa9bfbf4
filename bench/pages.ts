// `npm run bench -- pages [RECORDS] [--json FILE]` (1,000,000): a ledger with a day of so many records,
// closed and settled, residents with their cases, and then every page of console and portal in headless
// Chromium: milliseconds until it shows all it is about, bytes that it asked for, rows of its longest table.
// Then each export to its end, with the ledger's memory. A page over two seconds fails.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { chromium, type Page, type Request } from 'playwright-core'
import { buildConsole } from '../bin/build-console.ts'
import { startPostgres } from '../bin/postgres.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { openDb } from '../ledger/store/db.ts'
import { migrate } from '../ledger/store/migrate.ts'
import { ensureHouseAccounts } from '../ledger/store/registry.ts'
import { roles } from '../schemas/api.ts'
import type { Bench } from './main.ts'
import { closeAndSettle, enterRegistry, registrar, startCity, uploadAll, type City } from './clear.ts'
import { date, issuer, namedCards, operators, serialOf, writeDay } from './support/day-files.ts'
import { firstDocument } from './fares/city.ts'

const msMax = 2_000
const exportMiBMax = 512
const password = 'seven cranes over a lake'
const cardKey = (number: number): string => `${issuer}-${serialOf(number)}-1`

export const bench: Bench = async ({ args: [count = '1000000'] }) => {
  const records = Number(count)
  const folder = mkdtempSync(join(tmpdir(), 'pages-'))
  const postgres = await startPostgres({
    dataDir: join(folder, 'data'), settings: { shared_buffers: '2GB', max_wal_size: '8GB' }
  })
  let city: City | null = null
  try {
    const startedAt = performance.now()
    const url = await postgres.ensureDatabase('pages')
    const db = openDb(url, { max: 1 })
    await migrate(db)
    await ensureHouseAccounts(db)
    const everything = { name: 'looker', password, roles: [...roles] }
    await bootstrap(db, { staff: [everything] }, Date.parse(`${date}T00:00:00+08:00`))
    city = await startCity(folder, url, {
      LEDGER_CONSOLE: await buildConsole(), LEDGER_CLOCK: '2026-03-03T01:00:00+08:00'
    })
    await fill(city, folder, records)
    await db.query('analyze')
    await db.end()
    const filledSeconds = Math.round((performance.now() - startedAt) / 1_000)
    console.log(`${records} records, filled, closed and settled in ${filledSeconds} s`)
    const pages = await openAll(city)
    const exports = await exportAll(city)
    const slow = pages.filter(({ ms }) => ms > msMax)
    assert.equal(slow.length, 0, slow.map(({ path, ms }) => `${path}: ${ms} ms`).join('\n'))
    const large = exports.filter(({ peakMiB }) => peakMiB > exportMiBMax)
    assert.equal(large.length, 0, large.map(({ path, peakMiB }) => `${path}: ${peakMiB} MiB`).join('\n'))
    return { records, filledSeconds, slowestMs: Math.max(...pages.map(({ ms }) => ms)), pages, exports }
  } finally {
    await city?.child.stop()
    await postgres.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}

/* ---- what there is to look at ---- */

type Asked = Readonly<Record<string, unknown>>
type Caller = (
  method: string, path: string, json?: unknown, headers?: Record<string, string>
) => Promise<Response>

const callerOf = (
  { url }: City, token: string | null
): Caller => async (method, path, json, headers = {}) => {
  const response = await fetch(new URL(path, url), {
    method, headers: {
      ...token === null ? {} : { authorization: `Bearer ${token}` },
      ...json === undefined ? {} : { 'content-type': 'application/json' }, ...headers
    },
    ...json === undefined ? {} : { body: JSON.stringify(json) }
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return response
}

async function tokenOf (city: City): Promise<string> {
  const body = { name: 'looker', password }
  const response = await callerOf(city, null)('POST', '/v1/session', body)
  return (await response.json() as { token: string }).token
}

async function fill (city: City, folder: string, records: number): Promise<void> {
  await enterRegistry(city)
  await callerOf(city, registrar)('POST', '/v1/services/transit/tariffs', tariff)
  const { files } = writeDay(folder, {
    records, fileRecords: Math.min(100_000, Math.ceil(records / 10)), changing: 0.1
  })
  await uploadAll(city, files)
  const staff = callerOf(city, await tokenOf(city))
  const anybody = callerOf(city, null)
  for (let number = 0; number < namedCards; number++) await bringIn(staff, anybody, number)
  await closeAndSettle(city)
  const chain = await (await staff('GET', `/v1/cards/${cardKey(0)}/chain`)).json() as {
    items: { counter: number }[]
  }
  await staff('POST', '/v1/disputes', {
    card: { issuer, serial: serialOf(0), issue: 1 }, counter: chain.items[0]?.counter, side: 'holder',
    amountFen: 100, reason: 'the gate did not open'
  })
}

const documentOf = (number: number) =>
  ({ kind: 'passport', number: `E${String(10_000_000 + number)}` })

const { transfers: _, concessions: __, ...plain } = firstDocument
/** One price for every bus. */
const tariff = {
  ...plain, services: plain.services.filter(({ id }) => id === 'bus').map(one => ({ ...one, operators }))
}

/** A resident with a card, who has filed as many complaints as one may. */
async function bringIn (staff: Caller, anybody: Caller, number: number): Promise<void> {
  const document = documentOf(number)
  const of = async (answer: Promise<Response>): Promise<Asked> => await (await answer).json() as Asked
  const { holder } = await of(staff('POST', '/v1/holders', { document, name: '李明', phone: '13800001234' }))
  await staff('POST', `/v1/cards/${cardKey(number)}/holder`, { holder })
  const { code } = await of(staff('POST', `/v1/holders/${String(holder)}/activation`))
  await anybody('POST', '/v1/my/activation', { document, code, password })
  const session = await anybody('POST', '/v1/my/session', { document, password })
  const { csrf } = await session.json() as { csrf: string }
  const cookie = session.headers.get('set-cookie')?.split(';')[0] ?? ''
  const own = { cookie, 'x-csrf-token': csrf }
  for (let nth = 0; nth < 20; nth++) {
    const complaint = { kind: 'complaint', body: {}, words: `the bus of line ${nth} did not stop for me` }
    await anybody('POST', '/v1/my/cases', complaint, own)
  }
}

/* ---- pages ---- */

type Figures = { readonly path: string, readonly ms: number, readonly kib: number, readonly rows: number }

async function openAll (city: City): Promise<Figures[]> {
  const staff = callerOf(city, await tokenOf(city))
  const of = async (path: string): Promise<{ items: Asked[] }> =>
    await (await staff('GET', path)).json() as { items: Asked[] }
  const position = `${date}/OP-0/commerce`
  const batch = String((await of(`/v1/positions/${position}/batches`)).items[0]?.['batch'])
  const { items: [line] } = await of(`/v1/batches/${batch}/lines?party=OP-0`)
  const card = cardKey(0)
  const paths = [
    '', 'positions', `positions/${date}`, `positions/${position}`, `statements/${position}`,
    `batches/${batch}?party=OP-0&book=commerce`, `batches/${batch}`,
    `lines/${String(line?.['delivery'])}/${String(line?.['line'])}`, 'exceptions', 'approvals', 'cards',
    ...['', '/journeys', '/statement', '/loads', '/orders', '/disputes'].map(tab => `cards/${card}${tab}`),
    'calls', 'cases', 'supervision', 'disputes', 'disputes/1', 'reconciliation', 'bank', 'terminals',
    'terminals/OP-0/T0-0', 'tariffs', 'alerts', 'audit', 'exports', 'tapes'
  ].map(path => `/console/${path}`)
  const own = ['', `cards/${card}`, `cards/${card}/journeys`, `cards/${card}/services`, 'cases', 'account']
    .map(path => `/my/${path}`)
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu']
  })
  try {
    const found: Figures[] = []
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${city.url}/console/`)
    await page.getByLabel('用户名').fill('looker')
    await page.getByLabel('密码').fill(password)
    await page.keyboard.press('Enter')
    await page.getByRole('navigation').first().waitFor()
    for (const path of paths) found.push(await time(page, city, path))
    found.push(await timeCall(page, city))
    await page.goto(`${city.url}/my/`)
    await page.getByLabel('证件类型').selectOption('passport')
    await page.getByLabel('证件号码').fill(documentOf(0).number)
    await page.getByLabel('密码').fill(password)
    await page.keyboard.press('Enter')
    await page.getByRole('navigation').first().waitFor()
    for (const path of own) found.push(await time(page, city, path))
    return found
  } finally {
    await browser.close()
  }
}

/** From the address to the page with all it asks for on the screen. */
async function time (page: Page, { url }: City, path: string): Promise<Figures> {
  return await timed(page, path, async () => { await page.goto(url + path, { waitUntil: 'commit' }) })
}

/** A card by its number, in the call centre. */
async function timeCall (page: Page, { url }: City): Promise<Figures> {
  await page.goto(`${url}/console/calls`)
  await page.getByLabel('查询原因').fill('the caller asks for the balance')
  await page.getByLabel('卡号').fill(serialOf(0).slice(-8))
  return await timed(page, '/console/calls: a card', async () => {
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 2 }).first().waitFor()
  })
}

const pollMs = 20
const patienceMs = 120_000

async function timed (page: Page, path: string, go: () => Promise<void>): Promise<Figures> {
  let open = 0
  let bytes = 0
  const begin = (): void => { open++ }
  let slowest = { ms: 0, url: '' }
  const end = (request: Request): void => {
    open--
    const { responseEnd: ms } = request.timing()
    if (ms > slowest.ms) slowest = { ms: Math.round(ms), url: request.url().replace(/^.*?\/\/[^/]*/, '') }
  }
  const heard = (response: { body: () => Promise<Buffer>, url: () => string }): void => {
    if (!response.url().includes('/v1/')) return
    response.body().then(body => { bytes += body.length }, () => undefined)
  }
  page.on('request', begin).on('requestfinished', end).on('requestfailed', end).on('response', heard)
  const startedAt = performance.now()
  await go()
  let readyAt: number | null = null
  for (let times = 0; times < 4;) {
    assert(performance.now() - startedAt < patienceMs, `${path} shows nothing`)
    const is = open <= 0 && await page.evaluate(isReady) === true
    if (!is) {
      times = 0
      readyAt = null
    } else if (++times === 1) {
      readyAt = performance.now()
    }
    await delay(pollMs)
  }
  page.off('request', begin).off('requestfinished', end).off('requestfailed', end).off('response', heard)
  const rows = Number(await page.evaluate(
    "Math.max(0, ...[...document.querySelectorAll('table')].map(one => one.tBodies[0].rows.length))"))
  assert.equal(await page.locator('main [role=alert]').count(), 0, `${path} shows an error`)
  const found = { path, ms: Math.round((readyAt ?? 0) - startedAt), kib: Math.round(bytes / 1_024), rows }
  const why = found.ms > msMax / 2 ? `  (${slowest.ms} ms: ${slowest.url})` : ''
  console.log(`${String(found.ms).padStart(6)} ms ${String(found.kib).padStart(6)} KiB ` +
    `${String(rows).padStart(5)} rows  ${path}${why}`)
  return found
}

const isReady = `(() => {
  const main = document.querySelector('main')
  return main?.querySelector('h1') != null && document.querySelector('[aria-busy=true]') === null &&
    !main.innerText.includes('加载中')
})()`

/* ---- exports ---- */

type Taken = {
  readonly path: string, readonly seconds: number, readonly mib: number, readonly peakMiB: number
}

/** Each to its end, one after the other; the peak is that of the ledger while it wrote. */
async function exportAll (city: City): Promise<Taken[]> {
  const staff = callerOf(city, await tokenOf(city))
  const day = `date=${date}`
  const paths = [
    ...['transfers', 'records', 'positions', 'statements'].flatMap(what =>
      ['csv', 'xlsx'].map(format => `${what}.${format}?${day}`)),
    'items.csv', 'items.xlsx', 'card-chain.csv', 'supervision.csv', `journal/${date}.journal`]
  const found: Taken[] = []
  for (const path of paths) {
    writeFileSync(`/proc/${city.child.pid}/clear_refs`, '5') // the peak begins anew (proc(5))
    const startedAt = performance.now()
    const { body } = await staff('GET', `/v1/exports/${path}`)
    let bytes = 0
    for await (const piece of body ?? []) bytes += (piece as Uint8Array).length
    const seconds = (performance.now() - startedAt) / 1_000
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${city.child.pid}/status`, 'utf8'))?.[1]
    found.push({
      path, seconds: Math.round(seconds * 10) / 10, mib: Math.round(bytes / 2 ** 20 * 10) / 10,
      peakMiB: Math.round(Number(peak) / 2 ** 10)
    })
    const { mib, peakMiB } = found.at(-1) as Taken
    console.log(`${seconds.toFixed(1).padStart(6)} s ${String(mib).padStart(7)} MiB, ` +
      `the ledger at most ${peakMiB} MiB  ${path}`)
  }
  return found
}
