// What was seen of a terminal and is not told to the centre yet, as plain data: last word, clock, firmware,
// versions applied, events found and cleared. It refuses to know files, networks and time.
import { formatIso } from '../../runtime/instants.ts'
import type {
  ParameterKind, TerminalEventKind, TerminalRef, TerminalReport, Where
} from '../../schemas/terminals.ts'

export type Event = {
  readonly kind: TerminalEventKind
  readonly foundAtMs: number
  readonly clearedAtMs: number | null
  readonly detail: string
  readonly told: boolean
}
export type Applied = { readonly kind: ParameterKind, readonly version: number, readonly atMs: number }

/** What is on disk of a terminal: what would be lost for good. */
export type Sighting = TerminalRef & {
  /** Not told yet. */
  readonly applied: readonly Applied[]
  /** Those that last, and those whose end is not told yet. */
  readonly events: readonly Event[]
}

/** What the next word of the terminal brings anew anyway. */
export type Passing = {
  readonly heardAtMs?: number, readonly bootedAtMs?: number, readonly firmware?: string,
  readonly driftMs?: number, readonly where?: Where
}

/** A terminal that raises and clears without end pushes its own oldest events out, nobody else's. */
export const keptMax = { events: 40, applied: 40 } as const

export const nothingSeen = ({ operator, terminal }: TerminalRef): Sighting =>
  ({ operator, terminal, applied: [], events: [] })

/** The same version again says nothing new. */
export function withApplied (seen: Sighting, applied: Applied): Sighting {
  const known = seen.applied.some(one => one.kind === applied.kind && one.version === applied.version)
  return known ? seen : { ...seen, applied: [...seen.applied, applied].slice(-keptMax.applied) }
}

/** An event that lasts already is not found again. */
export function withEvent (
  seen: Sighting, { kind, atMs, detail }: { kind: TerminalEventKind, atMs: number, detail: string }
): Sighting {
  if (lasts(seen, kind)) return seen
  const found: Event = { kind, foundAtMs: atMs, clearedAtMs: null, detail: detail.slice(0, 200), told: false }
  return { ...seen, events: [...seen.events, found].slice(-keptMax.events) }
}

/** Never before it was found, whatever the clock says. */
export function withoutEvent (seen: Sighting, kind: TerminalEventKind, atMs: number): Sighting {
  if (!lasts(seen, kind)) return seen
  return {
    ...seen,
    events: seen.events.map(event => event.kind !== kind || event.clearedAtMs !== null
      ? event
      : { ...event, clearedAtMs: Math.max(atMs, event.foundAtMs), told: false })
  }
}

export const lasts = ({ events }: Sighting, kind: TerminalEventKind): boolean =>
  events.some(event => event.kind === kind && event.clearedAtMs === null)

export const isUntold = ({ applied, events }: Sighting): boolean =>
  applied.length > 0 || events.some(event => !event.told)

/** After the centre has answered a report that was made from `told`. */
export function afterTelling (seen: Sighting, told: Sighting): Sighting {
  const events = seen.events.map(event => told.events.includes(event) ? { ...event, told: true } : event)
  return {
    ...seen,
    applied: seen.applied.filter(one => !told.applied.includes(one)),
    events: events.filter(event => !event.told || event.clearedAtMs === null)
  }
}

export function reportOf ({ operator, terminal, applied, events }: Sighting, now: Passing): TerminalReport {
  const { heardAtMs, bootedAtMs, firmware, driftMs, where } = now
  const untold = events.filter(event => !event.told)
  return {
    operator,
    terminal,
    ...heardAtMs === undefined ? {} : { heardAt: formatIso(heardAtMs) },
    ...bootedAtMs === undefined ? {} : { bootedAt: formatIso(bootedAtMs) },
    ...firmware === undefined ? {} : { firmware },
    ...driftMs === undefined ? {} : { driftMs },
    ...where === undefined ? {} : { where },
    ...applied.length === 0
      ? {}
      : { applied: applied.map(({ kind, version, atMs }) => ({ kind, version, at: formatIso(atMs) })) },
    ...untold.length === 0
      ? {}
      : {
          events: untold.map(({ kind, foundAtMs, clearedAtMs, detail }) => ({
            kind, foundAt: formatIso(foundAtMs), detail,
            clearedAt: clearedAtMs === null ? null : formatIso(clearedAtMs)
          }))
        }
  }
}
