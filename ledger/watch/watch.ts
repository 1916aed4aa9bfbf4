// The watch over PSAMs, cards and terminals, behind the traffic: folds what batches told, opens and closes
// items, raises alerts, looks again at records that a proof puts into another light. What it finds is a
// function of the set of known events; when it runs decides only how soon it is seen.
import { findChainItems } from './chains.ts'
import { findOverdueLists } from './cities.ts'
import { findEstateTrouble } from './terminals.ts'
import { findFraud } from './fraud.ts'
import { findTravel } from './travel.ts'
import { findGaps, lookAtSecondRuns } from './sequences.ts'
import { logAlerts } from '../alerts.ts'
import type { Ledger } from '../ledger.ts'
import type { AlertRow } from '../store/alerts.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { proveByLastTacs } from '../intake/last-tacs.ts'
import { openDate } from '../store/lock.ts'
import { settleOpenLoads } from '../posting/loads.ts'
import { priceDueCards } from '../services/transit/price-cards.ts'
import { takeNews, type TakenNews } from '../store/news.ts'

export type Watching = Pick<Ledger, 'db' | 'clock' | 'log' | 'registry' | 'random' | 'tac' | 'meters'>

/** What one look is made with. */
export type Look = {
  readonly tx: Tx, readonly ledger: Watching, readonly news: TakenNews, readonly atMs: number,
  readonly clearingDate: string
}
/** One thing that is watched; answers the alerts that are new. */
type Watch = (look: Look) => Promise<readonly AlertRow[]>

/** In order: what one of them judges anew is seen by the next. */
const watches: readonly Watch[] = [findGaps, lookAtSecondRuns, findChainItems, findFraud, findTravel]

/** Batches taken at once: a few hundred thousand records; of so many purses, since all stand in memory. */
const perLook = { batches: 100, purses: 50_000 } as const

/** Works off all that was told so far; whoever shows items, alerts or reports calls it before. */
export async function catchUp (ledger: Watching): Promise<void> {
  await proveByLastTacs(ledger)
  while (await isBehind(ledger.db)) await takeLook(ledger)
  await lookAround(ledger)
}

/** Works off what was told before now; unlike `catchUp` it ends while traffic flows, and moves nothing. */
export async function lookAtNews (ledger: Watching): Promise<void> {
  for (let left = await countNews(ledger.db); left > 0;) {
    const taken = await takeLook(ledger)
    if (taken === 0) return
    left -= taken
  }
}

/** How many batches were looked at. */
async function takeLook (ledger: Watching): Promise<number> {
  const { raised, batches } = await inTransaction(ledger.db, tx => lookOnce(tx, ledger))
  logAlerts(ledger, raised)
  return batches
}

/** What no batch tells of. */
async function lookAround (ledger: Watching): Promise<void> {
  await settleOpenLoads(ledger)
  await priceDueCards(ledger)
  logAlerts(ledger, await findOverdueLists(ledger))
  logAlerts(ledger, await findEstateTrouble(ledger))
}

const isBehind = async (db: Db): Promise<boolean> =>
  (await db.query('select 1 from batch_news where bucket = 0 limit 1')).rows.length > 0

const countNews = async (db: Db): Promise<number> =>
  Number((await db.query<{ n: bigint }>('select count(*) as n from batch_news where bucket = 0')).rows[0]?.n)

/** Locks of the watch come after the cut's and before those of purses. */
const watchLock = 7_010

async function lookOnce (
  tx: Tx, ledger: Watching
): Promise<{ raised: readonly AlertRow[], batches: number }> {
  const clearingDate = await openDate(tx)
  await tx.query('select pg_advisory_xact_lock($1)', [watchLock])
  const news = await takeNews(tx, perLook)
  if (news === null || clearingDate === null) return { raised: [], batches: news?.batches.length ?? 0 }
  // All waiters for the cut may have the pool's connections while this look keeps them waiting.
  const looking = { ...ledger, registry: () => ledger.registry(tx) }
  const raised: AlertRow[] = []
  for (const watch of watches) {
    raised.push(...await watch({ tx, ledger: looking, news, atMs: ledger.clock.now(), clearingDate }))
  }
  return { raised, batches: news.batches.length }
}

export type Watchman = { readonly catchUp: () => Promise<void>, readonly stop: () => Promise<void> }

/**
 * Looks once every `everyMs`; `stop` waits for the look under way. While traffic flows it is not followed at
 * once by the next: a look costs by the PSAM and chain, however many batches it takes (55 looks in a million
 * records: 8 of 29 µs a record of the server's time).
 */
export function startWatch (ledger: Watching, everyMs: number): Watchman {
  let looking: Promise<void> = Promise.resolve()
  const lookOnTime = async (): Promise<void> => {
    await proveByLastTacs(ledger)
    if (await isBehind(ledger.db)) await takeLook(ledger)
    await lookAround(ledger)
  }
  const look = () => {
    looking = looking.then(lookOnTime).catch((error: unknown) => {
      ledger.log.error({ err: error }, 'watch')
    })
  }
  const timer = setInterval(look, everyMs)
  timer.unref()
  return {
    catchUp: () => catchUp(ledger),
    stop: async () => {
      clearInterval(timer)
      await looking
    }
  }
}
