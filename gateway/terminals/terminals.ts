// The terminals at this gateway: whether one may be served, when it was last heard, how far its clock is off,
// what is wrong with it; told to the centre in batches. It refuses to know how terminals speak.
import { join } from 'node:path'
import { Type } from 'typebox'
import { Check } from 'typebox/value'
import type { Clock } from '../../runtime/clock.ts'
import type { HttpClient } from '../../runtime/http-client.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Log } from '../../runtime/log.ts'
import {
  EstateReportReply, terminalKey, type EstateReport, type TerminalEventKind, type TerminalRef, type Where
} from '../../schemas/terminals.ts'
import { keepJson, readKept } from '../uplink/keep.ts'
import { openEstate } from './estate.ts'
import { foundAmong, foundUnlisted, type Found } from './found.ts'
import {
  afterTelling, isUntold, lasts, nothingSeen, reportOf, withApplied, withEvent, withoutEvent, type Applied,
  type Passing, type Sighting
} from './sightings.ts'

/** What a terminal says of itself, each part only where it says it. */
export type Said = {
  /** It has just started. */
  readonly boot?: boolean
  readonly firmware?: string
  /** What its clock shows now. */
  readonly clockMs?: number
  readonly where?: Where
  /** Versions it has applied, and when by its own clock. */
  readonly applied?: readonly Applied[]
}

export type Terminals = {
  /**
   * Whether it may be served. Without an operator the number must be of one operator only. One that the
   * configuration names and nobody has enrolled is an event, once, until it is enrolled: names that a peer
   * makes up leave nothing behind.
   */
  find (terminal: string, operator?: string): Found
  /** Certificates that it was enrolled with; none: it may be served over any connection. */
  certificates (terminal: TerminalRef): readonly string[]
  /** Keys of the terminals for which this certificate was enrolled. */
  holders (fingerprint: string): readonly string[]
  /** It is there: any whole message of a terminal that was found. */
  heard (terminal: TerminalRef, said?: Said): void
  /** Something is wrong with it, until it is cleared; repeating it changes nothing. */
  raise (terminal: TerminalRef, kind: TerminalEventKind, detail?: string): void
  clear (terminal: TerminalRef, kind: TerminalEventKind): void
  /** Fetches the list of who is enrolled. Throws when the ledger cannot be asked. */
  refresh (): Promise<void>
  /** Looks who is silent, tells the centre what it does not know. Throws when the ledger cannot be told. */
  report (): Promise<void>
  view (): TerminalsView
  /** What must not be lost is on disk when it returns. */
  close (): void
}

export type TerminalsView = {
  /** Version of the list that is held; null before the first one. */
  readonly version: number | null
  readonly enrolled: number
  /** Heard since the start. */
  readonly heard: number
  /** Events that last, by kind. */
  readonly events: Readonly<Partial<Record<TerminalEventKind, number>>>
  readonly untold: number
}

export type TerminalsOptions = {
  dir: string
  /** Client id of this gateway at the ledger. */
  gateway: string
  /** Terminals that the configuration names: served before the first list has come, missed in it later. */
  configured: readonly TerminalRef[]
  http: Pick<HttpClient, 'get' | 'post'>
  clock: Clock
  nowMs: () => number
  log: Log
  software?: string
  /** Records that wait for the ledger. */
  spoolDepth?: () => number
  settings?: Partial<TerminalsSettings>
}

export type TerminalsSettings = {
  /** A clock further off is an event. */
  driftMsMax: number
  /** Heartbeats that may be missing before a terminal is silent. */
  silentBeats: number
  reportMax: number
  reportEverySeconds: number
}
const defaults: TerminalsSettings =
  { driftMsMax: 60_000, silentBeats: 3, reportMax: 500, reportEverySeconds: 60 }

const KeptSightings = Type.Array(Type.Unsafe<Sighting>(Type.Object({
  operator: Type.String(), terminal: Type.String(), applied: Type.Array(Type.Object({})),
  events: Type.Array(Type.Object({}))
})))

/** Reads what is kept. Throws when a kept file is not what it should be. */
export function openTerminals (options: TerminalsOptions): Terminals {
  const { dir, gateway, configured, http, clock, nowMs, log, software, spoolDepth } = options
  const settings = { ...defaults, ...options.settings }
  const path = join(dir, 'sightings.json')
  const estate = openEstate({ dir, http, log })
  const startedAtMs = clock.now()
  const startMs = nowMs()
  const seen = new Map(keptIn(path).map(one => [terminalKey(one), one]))
  const passing = new Map<string, Passing>()
  /** By the clock that only runs forward. */
  const lastMs = new Map<string, number>()
  let keeping: NodeJS.Timeout | null = null
  const expected = new Set(configured.map(terminalKey))
  for (const one of [...seen.values()]) if (!expected.has(terminalKey(one))) clear(one, 'not_enrolled')

  function find (terminal: string, operator?: string): Found {
    const sought = { terminal, operator, gateway }
    const found = estate.version() === null
      ? foundUnlisted(configured, sought)
      : foundAmong(estate.named(terminal), sought)
    if (found.ok) clear(found.terminal, 'not_enrolled')
    else if (operator !== undefined && expected.has(terminalKey({ operator, terminal }))) {
      missed({ operator, terminal }, found)
    }
    return found
  }

  /** A suspended one is enrolled: whoever stopped it knows. */
  function missed (ref: TerminalRef, { reason, why }: Extract<Found, { ok: false }>): void {
    if (reason === 'terminal_not_enrolled') raise(ref, 'not_enrolled', why)
    else clear(ref, 'not_enrolled')
  }

  function heard (ref: TerminalRef, said: Said = {}): void {
    const key = terminalKey(ref)
    lastMs.set(key, nowMs())
    const atMs = clock.now()
    const driftMs = said.clockMs === undefined ? undefined : said.clockMs - atMs
    passing.set(key, {
      ...passing.get(key),
      heardAtMs: atMs,
      ...said.boot === true ? { bootedAtMs: atMs } : {},
      ...said.firmware === undefined ? {} : { firmware: said.firmware },
      ...driftMs === undefined ? {} : { driftMs },
      ...said.where === undefined ? {} : { where: said.where }
    })
    clear(ref, 'silent')
    for (const applied of said.applied ?? []) change(ref, one => withApplied(one, applied))
    if (driftMs === undefined) return
    if (Math.abs(driftMs) <= settings.driftMsMax) clear(ref, 'clock_drift')
    else raise(ref, 'clock_drift', `${Math.round(driftMs / 1_000)} s`)
  }

  function raise (ref: TerminalRef, kind: TerminalEventKind, detail = ''): void {
    const before = seen.get(terminalKey(ref))
    if (before !== undefined && lasts(before, kind)) return
    change(ref, one => withEvent(one, { kind, atMs: clock.now(), detail }))
    log.warn({ terminal: terminalKey(ref), event: kind, detail }, 'found at a terminal')
  }

  function clear (ref: TerminalRef, kind: TerminalEventKind): void {
    const before = seen.get(terminalKey(ref))
    if (before === undefined || !lasts(before, kind)) return
    change(ref, one => withoutEvent(one, kind, clock.now()))
    log.info({ terminal: terminalKey(ref), event: kind }, 'cleared at a terminal')
  }

  function change (ref: TerminalRef, by: (seen: Sighting) => Sighting): void {
    const key = terminalKey(ref)
    const before = seen.get(key) ?? nothingSeen(ref)
    const after = by(before)
    if (after === before) return
    seen.set(key, after)
    keepSoon()
  }

  /** Ten thousand that boot at once are one write; what a kill in between takes, they tell again. */
  function keepSoon (): void {
    keeping ??= setTimeout(() => {
      try {
        keep()
      } catch (error) {
        log.error(error as Error, 'what was seen of terminals is not on disk; the next change tries again')
      }
    }, keepWithinMs).unref()
  }

  function keep (): void {
    if (keeping !== null) clearTimeout(keeping)
    keeping = null
    for (const [key, one] of seen) if (one.applied.length + one.events.length === 0) seen.delete(key)
    keepJson(path, [...seen.values()])
  }

  async function report (): Promise<void> {
    findSilent()
    const untold = [...seen].filter(([, one]) => isUntold(one)).map(([key]) => key)
    const keys = [...new Set([...passing.keys(), ...untold])]
    for (let at = 0; at === 0 || at < keys.length; at += settings.reportMax) {
      await tell(keys.slice(at, at + settings.reportMax))
    }
  }

  async function tell (keys: readonly string[]): Promise<void> {
    const made = keys.map(key =>
      ({ key, one: seen.get(key) ?? nothingSeen(refOf(key)), now: passing.get(key) ?? {} }))
    const version = estate.version()
    const body: EstateReport = {
      at: formatIso(clock.now()),
      everySeconds: settings.reportEverySeconds,
      startedAt: formatIso(startedAtMs),
      ...software === undefined ? {} : { software },
      ...version === null ? {} : { estate: version },
      ...spoolDepth === undefined ? {} : { spoolDepth: spoolDepth() },
      terminals: made.map(({ one, now }) => reportOf(one, now))
    }
    const reply = await http.post('/v1/terminals/reports', body)
    if (!Check(EstateReportReply, reply)) {
      throw new Error('POST /v1/terminals/reports: not an answer to a report')
    }
    for (const { key, one, now } of made) {
      if (passing.get(key) === now) passing.delete(key)
      const after = seen.get(key)
      if (after !== undefined) seen.set(key, afterTelling(after, one))
    }
    keepSoon()
    for (const { operator, terminal, why } of reply.refused.slice(0, refusalsSaidMax)) {
      log.warn({ terminal: `${operator}/${terminal}` }, `the centre does not take what is told: ${why}`)
    }
    if (reply.estate !== estate.version()) await estate.refresh()
  }

  /**
   * A terminal of this gateway, or one that it has heard, that says nothing for some heartbeats. Of one that
   * may as well be at another gateway nothing is expected.
   */
  function findSilent (): void {
    for (const one of estate.all()) {
      const last = lastMs.get(terminalKey(one)) ?? (one.gateway === gateway ? startMs : null)
      if (last === null || one.state !== 'enrolled') continue
      const silentMs = nowMs() - last
      if (silentMs <= one.heartbeatSeconds * 1_000 * settings.silentBeats) continue
      raise(one, 'silent', `for ${Math.round(silentMs / 1_000)} s`)
    }
  }

  return {
    find, heard, raise, clear, report,
    certificates: ({ operator, terminal }) =>
      estate.named(terminal).find(one => one.operator === operator)?.certificates ?? [],
    holders: estate.holders,
    refresh: estate.refresh,
    view: () => viewOf(estate.version(), estate.all().length, lastMs.size, [...seen.values()]),
    close: () => {
      if (keeping !== null) keep()
    }
  }
}

const keepWithinMs = 1_000
const refusalsSaidMax = 10

function refOf (key: string): TerminalRef {
  const [operator = '', terminal = ''] = key.split('/')
  return { operator, terminal }
}

function viewOf (
  version: number | null, enrolled: number, heard: number, seen: readonly Sighting[]
): TerminalsView {
  const events: Partial<Record<TerminalEventKind, number>> = {}
  for (const { kind, clearedAtMs } of seen.flatMap(one => one.events)) {
    if (clearedAtMs === null) events[kind] = (events[kind] ?? 0) + 1
  }
  return { version, enrolled, heard, events, untold: seen.filter(isUntold).length }
}

function keptIn (path: string): Sighting[] {
  const content = readKept(path)
  if (content === null) return []
  if (!Check(KeptSightings, content)) throw new Error(`${path} cannot be read; move it away`)
  return content
}
