// Ten thousand enrolled terminals of one gateway before a real ledger that has known them for a year:
// enrolled in bulk by two people, booted on their lines, brought clock, prices and blacklist, an increment of
// it, found silent and off by their clocks, counted by availability. Timed until the ledger itself knows it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { startPostgres, type Postgres } from '../../bin/postgres.ts'
import { bcdDateTime, formatIso, fromDigits, localDate } from '../../runtime/instants.ts'
import type { Card, Registry } from '../../schemas/api.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import type { Availability, EnrolmentReply, TerminalEnrolment } from '../../schemas/estate.ts'
import type { PortConfig, PortState } from '../../schemas/port.ts'
import type { EstateReply, EstateReport } from '../../schemas/terminals.ts'
import { connectTo, type Line } from '../../terminal-sim/line/line.ts'
import { newTerminal, type PolledTerminal, serveLine } from '../../terminal-sim/polled/terminal.ts'
import { type Gateway, startGateway } from '../support/gateway.ts'
import { type LedgerProcess, startLedger } from '../support/ledger.ts'
import { cpuSeconds } from '../support/processes.ts'

const database = 'fleet'
const linesWanted = 80
const perLine = 125
const wantedTerminals = linesWanted * perLine
const operators = 10
const perOperator = wantedTerminals / operators
const listedCards = 24
const dayMs = 86_400_000
const heartbeatSeconds = 10
/** Between two turns of a terminal that has nothing to tell. */
const turnMs = 5_000
const reportEverySeconds = 5
/** Of them all, at once. */
const oddTerminals = 100

const secret = () => randomBytes(32).toString('hex')
const secrets = { gateway: secret(), other: secret(), registrar: secret() }
const token = {
  gateway: `GW.${secrets.gateway}`, other: `GW2.${secrets.other}`, registrar: `REGISTRAR.${secrets.registrar}`
}
const password = secret().slice(0, 24)
const people = {
  staff: [
    { name: 'settler', password, roles: ['settler' as const] },
    { name: 'approver', password, roles: ['approver' as const] },
    { name: 'clerk', password, roles: ['clerk' as const] }
  ],
  clients: [
    { id: 'GW', kind: 'gateway' as const, secret: secrets.gateway },
    { id: 'GW2', kind: 'gateway' as const, secret: secrets.other },
    { id: 'REGISTRAR', kind: 'registrar' as const, secret: secrets.registrar }
  ]
}

type Figures = Record<string, unknown>
type Site = {
  readonly ledger: LedgerProcess, readonly gateway: Gateway, readonly postgres: Postgres
  readonly clerk: string
}

export async function fleet (): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
  const postgres = await startPostgres({
    dataDir: join(folder, 'data'), settings: { shared_buffers: '512MB' }
  })
  const lines: Line[] = []
  let ledger: LedgerProcess | null = null
  let gateway: Gateway | null = null
  try {
    ledger = await startLedger({ folder, postgres, name: database, people })
    await setUp(ledger)
    gateway = await startGateway(folder, {
      ledger: { url: ledger.url, token: token.gateway }, lanes: [], ports: ports(),
      parametersEverySeconds: 2, reportEverySeconds
    })
    const clerk = await ledger.signIn('clerk', password)
    const site: Site = { ledger, gateway, postgres, clerk }
    const empty = await gateway.look()
    const enrolment = await inBulk(site)
    const listed = await gateway.look()
    await liveThroughAYear(postgres)
    const { terminals: all, figures: boot } = await booted(site, lines)
    const odd = all.filter((_, number) => number % (wantedTerminals / oddTerminals) === 0)
    const running = await gateway.look()
    const figures: Figures = {
      terminals: wantedTerminals,
      enrolment,
      boot,
      increment: await increment(site, all),
      steady: await steady(site),
      clocks: await drifted(site, odd),
      silent: await silenced(site, odd),
      questions: await questions(site),
      reports: await reportsBySecond(site),
      lists: await listsBySecond(site),
      bytesPerTerminal: { enrolled: perTerminal(empty, listed), booted: perTerminal(listed, running) },
      residentMiB: { gateway: mib(gateway.child.peakRssBytes()), ledger: mib(ledger.child.peakRssBytes()) }
    }
    say('memory', { ...figures['bytesPerTerminal'] as object, ...figures['residentMiB'] as object })
    return figures
  } finally {
    for (const line of lines) line.close()
    await gateway?.child.stop()
    await ledger?.child.stop()
    await postgres.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}

/* ---- the city ---- */

const operatorOf = (number: number): string => `OP-${Math.floor(number / perOperator)}`
const terminalOf = (number: number): string => `T${String(number).padStart(5, '0')}`
const everyNumber = Array.from({ length: wantedTerminals }, (_, number) => number)
const refOf = (number: number) => ({ operator: operatorOf(number), terminal: terminalOf(number) })

const cardOf = (number: number): Card['card'] =>
  ({ issuer: '02313750FFFFFFFF', serial: String(number).padStart(20, '7'), issue: 1 })
const entryOf = (number: number) =>
  ({ card: cardOf(number), reason: 'loss' as const, at: formatIso(Date.now()) })

/** Its first day is over: from here on what serves takes two people. */
async function setUp (ledger: LedgerProcess): Promise<void> {
  const date = localDate(Date.now() - dayMs)
  const cards = Array.from({ length: 2 * listedCards }, (_, number): Card => ({
    card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1,
    cityFactor: null, balanceFen: 10_000, counter: 100, soldBy: null, depositFen: 0
  }))
  const registry: Registry = {
    clearingDate: date,
    parties: [
      { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
      ...Array.from({ length: operators }, (_, number) => ({
        code: `OP-${number}`, kind: 'operator' as const, nameZh: '公交', nameEn: 'Bus'
      }))],
    cards
  }
  await ledger.ask(token.registrar, 'PUT', '/v1/registry', registry)
  const fare = { kind: 'flat', fareFen: 200, cardFareFen: 180 }
  await ledger.ask(token.registrar, 'POST', '/v1/tariffs', {
    version: 1, from: '2025-01-01T00:00:00+08:00',
    operators: Object.fromEntries(Array.from({ length: operators }, (_, number) => [`OP-${number}`, fare]))
  })
  await ledger.ask(token.registrar, 'POST', '/v1/blacklist', {
    add: Array.from({ length: listedCards }, (_, number) => entryOf(number)), remove: []
  })
  const settler = await ledger.signIn('settler', password)
  await ledger.ask(settler, 'POST', `/v1/days/${date}/close`, {})
}

const ports = (): PortConfig[] => Array.from({ length: linesWanted }, (_, line) => ({
  port: `LINE-${line}`,
  tcp: { port: 0 },
  limits: { bytesPerSecond: 10_000_000, bytesAtOnce: 10_000_000 },
  speaks: {
    protocol: 'polled', turnMs, echoMs: 500, answerMs: 2_000,
    terminals: Array.from({ length: perLine }, (_, at) =>
      ({ address: at + 1, ...refOf(line * perLine + at) }))
  }
}))

/* ---- what is measured ---- */

/** Registered, enrolled by two people, and on the list of the gateway. */
async function inBulk (site: Site): Promise<Figures> {
  const { ledger } = site
  const used = spent(site)
  const [, register] = await timed(() => ledger.ask(token.registrar, 'PUT', '/v1/registry', {
    terminals: everyNumber.map(refOf)
  }))
  const terminals = everyNumber.map((number): TerminalEnrolment => ({
    ...refOf(number), kind: 'bus', place: `line ${number % 40}, bus ${number}`, gateway: null,
    firmware: '2.4', keys: null, heartbeatSeconds
  }))
  const body = { terminals, reason: 'all buses get new terminals' }
  const [{ waiting, proposal }, enrol] = await timed(() =>
    ledger.ask<EnrolmentReply>(token.registrar, 'POST', '/v1/terminals/enrolments', body))
  assert.equal(waiting, wantedTerminals)
  const approver = await ledger.signIn('approver', password)
  const [, approve] = await timed(() =>
    ledger.ask(approver, 'POST', `/v1/proposals/${proposal}/decisions`, { approves: true }))
  const [, arrive] = await timed(() => until('the list is at the gateway', () => holdsList(site)))
  return say('enrolment', { register, enrol, approve, arrive, ...used() })
}

async function holdsList ({ ledger, clerk }: Site): Promise<boolean> {
  const { to, add } = await ledger.ask<EstateReply>(token.gateway, 'GET', '/v1/terminals/estate')
  const { items } = await ledger.ask<{ items: { gateway: string, estate: number | null }[] }>(
    clerk, 'GET', '/v1/terminals/gateways')
  const own = items.find(({ gateway }) => gateway === 'GW')
  return add.length === wantedTerminals && own?.estate === to
}

/** What a year leaves behind: a list a day, and an event every other day, of each terminal. */
async function liveThroughAYear (postgres: Postgres): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url(database) })
  await client.connect()
  await client.query(`
    insert into parameter_applied (terminal_id, kind, version, applied_at, reported_at)
    select terminal_id, 'blacklist', 0, at, at
    from terminal, lateral (
      select now() - make_interval(days => day) as at from generate_series(1, 365) day) d`)
  await client.query(`
    insert into terminal_event (terminal_id, kind, gateway, found_at, cleared_at, detail)
    select terminal_id, 'silent', 'GW', at, at + interval '10 minutes', 'for 30 s'
    from terminal, lateral (
      select now() - make_interval(days => 2 * half) as at from generate_series(1, 182) half) d`)
  await client.query('analyze')
  await client.end()
}

type Booted = { readonly terminals: readonly PolledTerminal[], readonly figures: Figures }

/** All of them have just started: clock, prices and the whole list, until the ledger knows it of each. */
async function booted (site: Site, lines: Line[]): Promise<Booted> {
  const { gateway } = site
  const terminals = everyNumber.map(number => {
    const terminal = newTerminal(number % perLine + 1, String(990_000_000_000 + number), '20200101000000')
    letClockRun(terminal)
    return terminal
  })
  const states = await gateway.get<PortState[]>('/v1/ports')
  const used = spent(site)
  const [, took] = await timed(async () => {
    for (const [index, { address }] of states.entries()) {
      const line = await connectTo(Number(address.split(':').at(-1)))
      lines.push(line)
      void serveLine(line, terminals.slice(index * perLine, (index + 1) * perLine)).catch(() => undefined)
    }
    await until('every terminal holds the list', async () => !await isLacking(site, 1))
  })
  assert(terminals.every(({ store }) => store.list.size === listedCards && store.parameters.fareFen === 200))
  const turns = sum(await gateway.get<PortState[]>('/v1/ports'), 'turns')
  return { terminals, figures: say('boot', { seconds: took, turns, ...used() }) }
}

/** Four more cards: to the gateway, to each terminal, applied, and known to the ledger. */
async function increment (site: Site, all: readonly PolledTerminal[]): Promise<Figures> {
  const used = spent(site)
  const add = Array.from({ length: 4 }, (_, number) => entryOf(listedCards + number))
  await site.ledger.ask(token.registrar, 'POST', '/v1/blacklist', { add, remove: [] })
  const [, took] = await timed(() => until('the increment', async () => !await isLacking(site, 2)))
  assert(all.every(({ store }) => store.list.size === listedCards + 4))
  const whole = sum(await site.gateway.get<PortState[]>('/v1/ports'), 'wholeLists')
  assert.equal(whole, 0, 'nobody got the whole list for an increment')
  return say('increment', { seconds: took, ...used() })
}

/** Half a minute in which nothing happens but heartbeats. */
async function steady (site: Site): Promise<Figures> {
  const forSeconds = 30
  const turns = async () => sum(await site.gateway.get<PortState[]>('/v1/ports'), 'turns')
  const [used, before] = [spent(site), await turns()]
  await delay(forSeconds * 1_000)
  const turnsPerSecond = Math.round((await turns() - before) / forSeconds)
  return say('heartbeats', { turnsPerSecond, heartbeats: `every ${turnMs / 1_000} s`, ...used() })
}

/** Clocks ten minutes off are found, told, and set right. */
async function drifted (site: Site, odd: readonly PolledTerminal[]): Promise<Figures> {
  const sinceMs = Date.now() - 1_000
  for (const { store } of odd) store.clock = hex(bcdDateTime(Date.now() + 600_000))
  const [, took] = await timed(() => until('clocks are found and set', async () =>
    (await eventsOf(site, 'clock_drift', sinceMs)).filter(({ clearedAt }) => clearedAt !== null).length ===
      odd.length))
  return say('clocks', { terminals: odd.length, seconds: took })
}

async function silenced (site: Site, odd: readonly PolledTerminal[]): Promise<Figures> {
  const sinceMs = Date.now()
  const lasting = async () =>
    (await eventsOf(site, 'silent', sinceMs)).filter(({ clearedAt }) => clearedAt === null).length
  for (const terminal of odd) terminal.mood = 'silent'
  const [, found] = await timed(() => until('silence is found', async () => await lasting() === odd.length))
  for (const terminal of odd) terminal.mood = 'well'
  const [, over] = await timed(() => until('they are back', async () => await lasting() === 0))
  return say('silent', { terminals: odd.length, foundSeconds: found, backSeconds: over })
}

/** What people ask of ten thousand, three times each: the longest. */
async function questions ({ ledger, clerk }: Site): Promise<Figures> {
  const [from, to] = [Date.now() - dayMs, Date.now()].map(atMs => encodeURIComponent(formatIso(atMs)))
  const paths = {
    down: '/v1/terminals?health=down', unknown: '/v1/terminals?health=unknown',
    behind: '/v1/terminals?blacklistBelow=2', events: '/v1/terminals/events?open=true',
    availability: `/v1/terminals/availability?from=${from}&to=${to}`, gateways: '/v1/terminals/gateways',
    one: '/v1/terminals/OP-3/T03210'
  }
  const figures: Record<string, number> = {}
  for (const [name, path] of Object.entries(paths)) {
    const times: number[] = []
    for (let round = 0; round < 3; round++) {
      times.push((await timed(() => ledger.ask(clerk, 'GET', path)))[1])
    }
    figures[`${name}Ms`] = Math.round(Math.max(...times) * 1_000)
  }
  const { fleet } = await ledger.ask<Availability>(clerk, 'GET', paths.availability)
  assert.equal(fleet.terminals, wantedTerminals)
  assert((fleet.intactPpm ?? 0) > 900_000 && fleet.downSeconds > 0, 'silence is no service')
  return say('questions', figures)
}

/** Reports of 500 terminals, as fast as the ledger takes them, from two gateways that share them. */
async function reportsBySecond ({ ledger, gateway, postgres }: Site): Promise<Figures> {
  const calls = 60
  const perCall = 500
  const used = spent({ ledger, gateway, postgres })
  let next = 0
  const send = async (own: string): Promise<void> => {
    for (let call = next++; call < calls; call = next++) {
      const at = formatIso(Date.now())
      const body: EstateReport = {
        at, everySeconds: 60, startedAt: at, terminals: everyNumber
          .slice(call * perCall % wantedTerminals, call * perCall % wantedTerminals + perCall)
          .map(number => ({
            ...refOf(number), heardAt: at, driftMs: call, applied: [{ kind: 'tariff', version: 1, at }]
          }))
      }
      const { refused } = await ledger.ask<{ refused: unknown[] }>(own, 'POST', '/v1/terminals/reports', body)
      assert.equal(refused.length, 0)
    }
  }
  const [, took] = await timed(() => Promise.all([send(token.other), send(token.other)]))
  return say('reports', {
    callsPerSecond: round(calls / took), terminalsPerSecond: Math.round(calls * perCall / took), ...used()
  })
}

/** The whole list, one change, and nothing new, as gateways ask for it. */
async function listsBySecond ({ ledger }: Site): Promise<Figures> {
  const { to } = await ledger.ask<EstateReply>(token.other, 'GET', '/v1/terminals/estate?have=0')
  const rate = async (path: string, calls: number): Promise<number> => {
    const [, took] = await timed(async () => {
      for (let call = 0; call < calls; call++) await ledger.ask(token.other, 'GET', path)
    })
    return round(calls / took)
  }
  return say('lists', {
    wholePerSecond: await rate('/v1/terminals/estate', 10),
    unchangedPerSecond: await rate(`/v1/terminals/estate?have=${to}`, 200)
  })
}

/* ---- helpers ---- */

/** From what it is set to. */
function letClockRun ({ store }: PolledTerminal): void {
  let aheadMs = (fromDigits(store.clock) ?? 0) - Date.now()
  Object.defineProperty(store, 'clock', {
    get: () => hex(bcdDateTime(Date.now() + aheadMs)),
    set: (digits: string) => { aheadMs = (fromDigits(digits) ?? 0) - Date.now() }
  })
}

/** Whether there is a terminal of which the ledger does not know that it holds this version. */
async function isLacking ({ ledger, clerk }: Site, version: number): Promise<boolean> {
  const path = `/v1/terminals?blacklistBelow=${version}&limit=1`
  return (await ledger.ask<{ items: unknown[] }>(clerk, 'GET', path)).items.length > 0
}

async function eventsOf (
  { ledger, clerk }: Site, kind: string, sinceMs: number
): Promise<{ readonly clearedAt: string | null, readonly foundAt: string }[]> {
  const { items } = await ledger.ask<{ items: { clearedAt: string | null, foundAt: string }[] }>(
    clerk, 'GET', `/v1/terminals/events?kind=${kind}&limit=1000`)
  return items.filter(({ foundAt }) => Date.parse(foundAt) >= sinceMs)
}

const sum = (states: readonly PortState[], count: string): number =>
  states.reduce((total, { counts }) => total + (counts[count] ?? 0), 0)

/** What came of it, and how many seconds it took. */
async function timed<T> (work: () => Promise<T>): Promise<[T, number]> {
  const startMs = performance.now()
  const value = await work()
  return [value, round((performance.now() - startMs) / 1_000)]
}

/** Processor seconds from here on. */
function spent ({ ledger, gateway, postgres }: Pick<Site, 'ledger' | 'gateway' | 'postgres'>) {
  const now = () => ({
    ledger: cpuSeconds(ledger.child.pid), gateway: cpuSeconds(gateway.child.pid),
    postgres: cpuSeconds(postgres.pid)
  })
  const before = now()
  return (): { readonly cpuSeconds: Record<string, number> } => {
    const after = now()
    const parts = ['gateway', 'ledger', 'postgres'] as const
    return { cpuSeconds: Object.fromEntries(parts.map(part => [part, round(after[part] - before[part])])) }
  }
}

const untilMs = 300_000
async function until (what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + untilMs
  while (!await isSo()) {
    assert(performance.now() < endMs, `waited in vain: ${what}`)
    await delay(500)
  }
}

type Held = { readonly heapBytes: number, readonly externalBytes: number }
const perTerminal = (before: Held, after: Held): number => Math.round(
  (after.heapBytes + after.externalBytes - before.heapBytes - before.externalBytes) / wantedTerminals)
const mib = (bytes: number): number => Math.round(bytes / 2 ** 20)
const round = (value: number): number => Math.round(value * 100) / 100

function say (what: string, figures: Figures): Figures {
  console.log(`${what.padEnd(12)} ${JSON.stringify(figures)}`)
  return figures
}
