// Watches over the estate: gateways that are away, events that nobody has handled in time, a fleet that is
// less intact than a city is asked for. Time alone makes them so; it looks once a minute.
import { formatIso } from '../../runtime/instants.ts'
import { terminalEventKinds } from '../../schemas/terminals.ts'
import { raiseAlerts, type Alert } from '../alerts.ts'
import type { AlertRow } from '../store/alerts.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { findUnhandled, readGateways } from '../store/estate-views.ts'
import { openDate } from '../store/lock.ts'
import { availabilityOf, goals } from '../terminals/availability.ts'
import type { Watching } from './watch.ts'

const everyMs = 60_000
const dayMs = 86_400_000
/** More than these at once say nothing more: the list of events does. */
const alertsMax = 100

const looked = new WeakMap<Db, number>()

export async function findEstateTrouble ({ db, clock }: Watching): Promise<AlertRow[]> {
  const nowMs = clock.now()
  if (Math.abs(nowMs - (looked.get(db) ?? Number.NEGATIVE_INFINITY)) < everyMs) return []
  const raised = await inTransaction(db, async tx => {
    const clearingDate = await openDate(tx)
    if (clearingDate === null) return []
    const found = [...await away(tx, nowMs), ...await unhandled(tx, nowMs), ...await below(tx, nowMs)]
    return await raiseAlerts(tx, found.map(one => ({ ...one, clearingDate })), nowMs)
  })
  looked.set(db, nowMs)
  return raised
}

type Found = Omit<Alert, 'clearingDate'>

const away = async (tx: Tx, nowMs: number): Promise<Found[]> =>
  (await readGateways(tx, nowMs)).filter(gateway => gateway.away).map(({
    gateway, reportedAtMs,
    terminals
  }) => ({
    kind: 'gateway_away', about: `gateway/${gateway}`,
    evidence: { reportedAt: formatIso(reportedAtMs), terminals: Number(terminals) }
  }))

const unhandled = async (tx: Tx, nowMs: number): Promise<Found[]> =>
  (await findUnhandled(tx, nowMs, Object.entries(terminalEventKinds)
    .map(([kind, { handleMinutes }]) => ({ kind, handleMinutes })), alertsMax))
    .map(({ operator, terminal, kind, foundAtMs }) => ({
      kind: 'terminal_unhandled', about: `terminal/${operator}/${terminal}`,
      evidence: { event: kind, foundAt: formatIso(foundAtMs) }
    }))

async function below (tx: Tx, nowMs: number): Promise<Found[]> {
  const { fleet } = await availabilityOf(tx, { fromMs: nowMs - dayMs, toMs: nowMs, nowMs })
  const { intactPpm, handledPpm, terminals, found } = fleet
  const tooLow = (intactPpm ?? goals.intactPpm) < goals.intactPpm ||
    (handledPpm ?? goals.handledPpm) < goals.handledPpm
  return tooLow
    ? [{
        kind: 'fleet_below', about: 'fleet', evidence: {
          intactPpm, handledPpm, terminals,
          found
        }
      }]
    : []
}
