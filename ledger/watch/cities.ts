// Watches for terminals that accept by a list of cities that is too old: 30 days after a city joined and 7
// after one left, each must have said that it has applied the version. Time alone makes them late, so this
// looks whenever the watch does; a terminal is named once for each version.
import { localDate } from '../../runtime/instants.ts'
import { versionDue } from '../core/cities.ts'
import { raiseAlerts, type Alert } from '../alerts.ts'
import { cityDeadlines } from '../parameters/cities.ts'
import type { AlertRow } from '../store/alerts.ts'
import { findBehind, lastCityVersion } from '../store/cities.ts'
import { inTransaction, type Db } from '../store/db.ts'
import { openDate } from '../store/lock.ts'
import type { Watching } from './watch.ts'

/** What was published this shortly before, no terminal need have: gateways fetch lists every few minutes. */
const fetchMs = 3_600_000

/** What was looked for last: once a day, and where another version is due or the registry has changed. */
const looked = new WeakMap<Db, string>()

export async function findOverdueLists ({ db, clock, registry }: Watching): Promise<AlertRow[]> {
  const { cities, policies, version } = await registry()
  const atMs = clock.now()
  if (cities.length === 0) return []
  const told = await lastCityVersion(db, atMs - fetchMs)
  const due = versionDue(cities, cityDeadlines(policies), atMs, told)
  const look = `${due} ${version} ${localDate(atMs)}`
  if (due === 0 || looked.get(db) === look) return []
  const raised = await inTransaction(db, async tx => {
    const clearingDate = await openDate(tx)
    if (clearingDate === null) return []
    const alerts = (await findBehind(tx, due)).map(({ terminal, operator, version }): Alert => ({
      kind: 'city_list_overdue', about: `terminal/${operator}/${terminal}`, clearingDate,
      evidence: { operator, due, version }
    }))
    return await raiseAlerts(tx, alerts, atMs)
  })
  looked.set(db, look)
  return raised
}
