// Rows of the estate as the API shows them.
import { formatIso } from '../../runtime/instants.ts'
import type { GatewayView, TerminalEventView, TerminalView } from '../../schemas/estate.ts'
import { terminalEventKinds, type TerminalKind } from '../../schemas/terminals.ts'
import type { EventRow, GatewayViewRow, ViewRow } from '../store/estate-views.ts'

const orIso = (atMs: number | null): string | null => atMs === null ? null : formatIso(atMs)

export function terminalView (row: ViewRow): TerminalView {
  const { operator, terminal, name, state, place, gateway, health, heardBy, boots, firmware } = row
  return {
    operator,
    terminal,
    name,
    state,
    kind: row.kind as TerminalKind,
    place,
    gateway,
    firmwareWanted: row.firmwareWanted,
    keys: row.keyName === null ? null : { name: row.keyName, check: row.keyCheck },
    certificates: [...row.certificates],
    heartbeatSeconds: row.heartbeatSeconds,
    enrolledAt: orIso(row.enrolledAtMs),
    health,
    heardBy,
    heardAt: orIso(row.heardAtMs),
    bootedAt: orIso(row.bootedAtMs),
    boots,
    firmware,
    driftMs: row.driftMs === null ? null : Number(row.driftMs),
    where: row.latitude === null || row.longitude === null
      ? null
      : { latitude: row.latitude, longitude: row.longitude },
    held: { blacklist: row.blacklist, tariff: row.tariff, cities: row.cities },
    events: [...row.events]
  }
}

export function eventView (row: EventRow): TerminalEventView {
  const { operator, terminal, kind, gateway, handledBy, note, detail } = row
  return {
    id: Number(row.eventId),
    operator,
    terminal,
    kind,
    gateway,
    foundAt: formatIso(row.foundAtMs),
    clearedAt: orIso(row.clearedAtMs),
    handledAt: orIso(row.handledAtMs),
    handledBy,
    note,
    detail,
    dueAt: formatIso(row.foundAtMs + terminalEventKinds[kind].handleMinutes * 60_000)
  }
}

export function gatewayView (row: GatewayViewRow): GatewayView {
  const { gateway, away, everySeconds, software, estateVersion, spoolDepth } = row
  return {
    gateway,
    reportedAt: formatIso(row.reportedAtMs),
    away,
    everySeconds,
    startedAt: formatIso(row.startedAtMs),
    software,
    estate: estateVersion,
    spoolDepth,
    terminals: Number(row.terminals)
  }
}
