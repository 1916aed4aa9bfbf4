// The process that plays a whole day of a seeded city against a ledger of its own: files are written,
// delivered, judged; the day is closed, approved and settled; every chip is compared with the books. Says
// what it sees while it runs, and how long each part took.
//
//   day-main.ts '{"taps":100000,"seed":1,"city":"…/hengyang.yaml","fileRecords":20000}'   (by bin/sim-day.ts)

import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { addDays } from '../../runtime/instants.ts'
import { createHttpClient, type HttpClient } from '../../runtime/http-client.ts'
import type { DayView, FileReply, TrialBalance, VerifyReport } from '../../schemas/api.ts'
import { audit } from '../auditor/audit.ts'
import { type Access, starterOverIpc } from '../city/starter.ts'
import { showYuan } from '../scenario/values.ts'
import { buildCity, type City } from './city.ts'
import { deliverLive } from './live.ts'
import { filesOutput, type Written } from './outputs.ts'
import { readParameters } from './parameters.ts'
import { recordMaker } from './records.ts'
import { openSpools, type Spools } from './spools.ts'

type Options = {
  readonly taps: number, readonly seed: number, readonly city: string, readonly fileRecords: number
  /** Records come one by one, so many times faster than the day, 0: as fast as it goes; null: files. */
  readonly live: number | null
}
/** Seconds of each part of the day, in their order. */
type Seconds = Record<string, number>
export type DayFigures = {
  readonly taps: number, readonly cards: number, readonly lines: number, readonly fen: number
  readonly seconds: Readonly<Seconds>
  /** Null: records came one by one. */
  readonly files: Written | null
  readonly nets: readonly { readonly party: string, readonly netFen: number }[]
  readonly chipsFen: number, readonly owedFen: number, readonly explainedFen: number
  readonly differing: number
  readonly rssMiB: number
  /** Empty where the ledger has made of the day what it is. */
  readonly problems: readonly string[]
}

const options = JSON.parse(process.argv[2] ?? '{}') as Options
const starter = starterOverIpc()
const seconds: Seconds = {}

async function part<T> (name: string, work: () => Promise<T>): Promise<T> {
  starter.tell({ step: name, total: 0 })
  const startedMs = performance.now()
  try {
    return await work()
  } finally {
    seconds[name] = Math.round((performance.now() - startedMs) / 100) / 10
  }
}
const say = (words: string): void => starter.tell({ words })

async function run (): Promise<void> {
  const access = await starter.access()
  const folder = join(access.dir, 'day')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const city = buildCity(
    readParameters(options.city, readFileSync(options.city, 'utf8')), options.taps, options.seed)
  const { live } = options
  const files = live === null ? await part('generated', async () => write(city, folder)) : null
  // After midnight: whatever was tapped on the day lies behind the clock.
  const { url } = await starter.ledger(`${addDays(city.parameters.day, 1)}T00:30:00+08:00`)
  await part('registered', () => enter(city, url, access))
  const spools = openSpools()
  if (live === null) for (const { party, lines } of city.totals.parties) spools.taken(party, lines)
  await part('delivered', () => shown(url, access, spools, async () => {
    if (live === null) await sendFiles(city, join(folder, 'files'), url, access, spools)
    else await tap(city, url, access, live, spools)
  }))
  const day = await part('cleared and settled', () => settle(city, url, access))
  const audited = await part('audited', () => lookAtChips(city, url, access))
  const verified = await part('verified', () => as(url, access.tokens['AUDITOR'], http =>
    http.post('/v1/verify', {}) as Promise<VerifyReport>))
  const figures: DayFigures = {
    taps: city.totals.taps, cards: city.cards, fen: city.totals.amountFen,
    lines: city.totals.parties.reduce((sum, { lines }) => sum + lines, 0),
    seconds, files,
    nets: day.positions.map(({ party, netFen }) => ({ party, netFen: Number(netFen) })),
    chipsFen: audited.totals.chipsFen, owedFen: audited.totals.shadowFen,
    explainedFen: audited.totals.explainedFen,
    differing: audited.cards.filter(({ differenceFen }) => differenceFen !== 0).length,
    rssMiB: Math.round(process.resourceUsage().maxRSS / 1_024),
    problems: [
      ...audited.problems, ...asExpected(city, day),
      ...verified.checks.filter(({ ok }) => !ok).map(({ check, detail }) => `verify: ${check}: ${detail}`),
      ...Number(day.netSumFen) === 0 ? [] : [`nets sum to ${day.netSumFen} fen`]
    ].slice(0, problemsMax)
  }
  starter.tell({ figures })
}
const problemsMax = 50

function write (city: City, folder: string): Written {
  const output = filesOutput(city, join(folder, 'files'), options.fileRecords)
  const recordOf = recordMaker(city)
  for (const tap of city.taps()) {
    output.take(tap, recordOf(tap))
    if (city.totals.taps % toldEveryTaps === 0) say(`${city.totals.taps} taps`)
  }
  return output.finish()
}
const toldEveryTaps = 100_000

/* ---- the ledger ---- */

/** A million lines may take a call an hour to verify. */
const callMs = 3_600_000

async function as<T> (url: string, token: string | undefined, work: (http: HttpClient) => Promise<T>) {
  const headers = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }
  const wishes = { random: Math.random, tryTimeoutMs: callMs, tries: 1 }
  const http = createHttpClient({ baseUrl: url, ...wishes, ...headers })
  try {
    return await work(http)
  } finally {
    http.close()
  }
}

const cardsAtOnce = 10_000

async function enter (city: City, url: string, { tokens }: Access): Promise<void> {
  await as(url, tokens['REGISTRAR'], async http => {
    await http.put('/v1/registry', city.registry())
    for (let from = 0; from < city.cards; from += cardsAtOnce) {
      await http.put('/v1/registry', { cards: city.registered(from, cardsAtOnce) })
    }
    await http.post('/v1/tariffs', city.tariff())
  })
}

/** Operators send at the same time; two connections keep a ledger busy. */
const connections = 2

async function sendFiles (
  city: City, place: string, url: string, access: Access, spools: Spools
): Promise<void> {
  const waiting = readdirSync(place).filter(name => name.startsWith('XF')).sort()
  const partyOf = (name: string): string => city.services.find(({ industry, merchant }) =>
    name.slice('XFyyyymmdd'.length).startsWith(`${industry}${merchant}`))?.party ?? ''
  const send = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const response = await fetch(new URL(`/v1/files/${name}`, url), {
        method: 'PUT', body: readFileSync(join(place, name)),
        headers: {
          authorization: `Bearer ${access.tokens['DEPOT'] ?? ''}`, 'content-type': 'application/octet-stream'
        }
      })
      if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`)
      spools.answered(partyOf(name), (await response.json() as FileReply).count)
    }
  }
  await Promise.all(Array.from({ length: connections }, send))
}

async function tap (
  city: City, url: string, { tokens }: Access, speed: number, spools: Spools
): Promise<void> {
  const token = tokens['DEPOT'] ?? ''
  const options = { ledgerUrl: url, token, registrar: null, speed, spools, say: () => undefined }
  await deliverLive(city, recordMaker(city), options)
}

/** What is seen meanwhile. */
async function shown (
  url: string, access: Access, spools: Spools, work: () => Promise<void>
): Promise<void> {
  const over = new AbortController()
  const showing = show(url, access, spools, over.signal)
  try {
    await work()
    await as(url, access.tokens['AUDITOR'], http => http.get('/v1/watch/holds')) // once the watch caught up
  } finally {
    over.abort()
    await showing
  }
}

async function settle (city: City, url: string, { passwords }: Access): Promise<DayView> {
  const path = `/v1/days/${city.parameters.day}`
  const tokenOf = async (name: string): Promise<string> => await as(url, undefined, async http =>
    (await http.post('/v1/session', { name, password: passwords[name] }) as { token: string }).token)
  const settler = await tokenOf('settler')
  const closed = await as(url, settler, http => http.post(`${path}/close`, {})) as DayView
  if (closed.digest === null) throw new Error(`the day stays ${closed.state}: ${closed.blockers.join('; ')}`)
  for (const name of ['approver-1', 'approver-2']) {
    await as(url, await tokenOf(name), http => http.post(`${path}/approvals`, { digest: closed.digest }))
  }
  return await as(url, settler, http => http.post(`${path}/instruct`, {})) as DayView
}

/* ---- what is seen while it runs ---- */

const shownEveryMs = 2_000

/**
 * Lines a second by outcome, what lies in spools and what waits in the ledger, what is open, and what each
 * operator has earned by now; the last time when all is over.
 */
async function show (url: string, access: Access, spools: Spools, over: AbortSignal): Promise<void> {
  const startedMs = performance.now()
  for (let before = 0, beforeMs = startedMs, isLast = false; !isLast;) {
    isLast = over.aborted
    const waiting = spools.words()
    const page = await (await fetch(new URL('/metrics', url))).text()
    const { accounts } = await as(url, access.tokens['AUDITOR'], http =>
      http.get('/v1/accounts') as Promise<TrialBalance>)
    const judged = valuesOf(page, 'ledger_records_total')
    const nowMs = performance.now()
    const all = [...judged.values()].reduce((sum, count) => sum + count, 0)
    const rate = Math.round(1_000 * (all - before) / Math.max(1, nowMs - beforeMs))
    const sum = (name: string): number =>
      [...valuesOf(page, name).values()].reduce((all, one) => all + one, 0)
    const earned = accounts.filter(({ account, balanceFen }) =>
      account.startsWith('commerce/merchant-pending/') && balanceFen !== 0)
      .map(({ account, balanceFen }) => `${account.split('/').at(-1) ?? ''} ${showYuan(Number(balanceFen))}`)
    say([
      `${((nowMs - startedMs) / 1_000).toFixed(0).padStart(4)} s`,
      `${all} lines of ${options.taps} taps, ${rate}/s`,
      [...judged].map(([outcome, count]) => `${outcome} ${count}`).join(', '),
      waiting,
      `${sum('ledger_lanes_waiting')} parts wait, ${sum('ledger_items_open')} items open`,
      earned.join(', ')
    ].filter(words => words !== '').join(' · '))
    before = all
    beforeMs = nowMs
    if (!isLast) await delay(shownEveryMs, undefined, { signal: over }).catch(() => undefined)
  }
}

/** Of a metric, by outcome and reason. */
function valuesOf (page: string, name: string): Map<string, number> {
  const rows = page.matchAll(new RegExp(`^${name}(?:\\{([^}]*)\\})? (\\S+)$`, 'gm'))
  const found = new Map<string, number>()
  for (const [, labels = '', value] of rows) {
    const words = [...labels.matchAll(/="([^"]*)"/g)].map(([, word]) => word).filter(word => word !== 'ok')
    found.set(words.join(' '), (found.get(words.join(' ')) ?? 0) + Number(value))
  }
  return found
}

/* ---- afterwards ---- */

async function lookAtChips (city: City, url: string, { tokens }: Access) {
  const chips = Array.from({ length: city.cards }, (_, at) => ({ card: city.cardOf(at), ...city.chipOf(at) }))
  return await audit({ ledgerUrl: url, token: tokens['AUDITOR'] ?? '', chips, differingOnly: true })
}

/** Each operator claims what its riders have paid, and not a fen more. */
function asExpected (city: City, { positions }: DayView): string[] {
  return city.totals.parties.flatMap(({ party, acceptedFen }) => {
    const own = positions.filter(one => one.party === party)
    const claimedFen = own.reduce((sum, one) => sum + Number(one.claimsFen) + Number(one.adjustmentsFen), 0)
    if (claimedFen === acceptedFen) return []
    return [`${party} claims ${claimedFen} fen, ${acceptedFen} were paid there`]
  })
}

try {
  const gone = starter.released.then(() => { throw new Error('the starter let go before the end') })
  gone.catch(() => undefined)
  await Promise.race([run(), gone])
} catch (error) {
  console.error((error as Error).stack)
  process.exitCode = 1
} finally {
  starter.leave()
}
process.exit()
