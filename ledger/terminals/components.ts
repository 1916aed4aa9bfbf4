// Terminals as components of the city, for its platform: what it may see of them, and what happened. It
// refuses to know keys, certificates and gateways.
import { formatIso } from '../../runtime/instants.ts'
import {
  componentStates, componentWords, type Component, type ComponentNews
} from '../../schemas/components.ts'
import { terminalEventKinds, terminalKey, type TerminalKind } from '../../schemas/terminals.ts'
import type { ListedNews } from '../store/components.ts'
import type { ViewRow } from '../store/estate-views.ts'
import type { Snapshot } from '../store/registry.ts'

/** Null for what is only registered: nobody has put it up yet. */
export function componentOf ({ parties }: Snapshot, row: ViewRow): Component | null {
  const state = componentStates.find(one => one === row.state)
  if (state === undefined) return null
  const { operator, name, health, place, enrolledAtMs, heardAtMs, latitude, longitude, events } = row
  const party = parties.get(operator)
  const orIso = (atMs: number | null): string | null => atMs === null ? null : formatIso(atMs)
  return {
    component: terminalKey(row), operator, operatorZh: party?.nameZh ?? '', operatorEn: party?.nameEn ?? '',
    name, kind: row.kind as TerminalKind, state, health, since: orIso(enrolledAtMs), place: place || null,
    where: latitude === null || longitude === null ? null : { latitude, longitude },
    heardAt: orIso(heardAtMs), events: [...events]
  }
}

export function newsOf ({ number, what, kind, foundAtMs, atMs, ...ref }: ListedNews): ComponentNews {
  const event = kind === null ? null : terminalEventKinds[kind]
  const dueMs = what === 'found' && event !== null && foundAtMs !== null
    ? foundAtMs + event.handleMinutes * 60_000
    : null
  const says = componentWords[what]
  return {
    number: Number(number), component: terminalKey(ref), what, event: kind,
    says: event === null
      ? says
      : { en: `${event.en}: ${says.en}`, zh: `${event.zh}：${says.zh}` },
    down: event?.down ?? false, foundAt: foundAtMs === null ? null : formatIso(foundAtMs),
    dueAt: dueMs === null ? null : formatIso(dueMs), at: formatIso(atMs)
  }
}
