// What the ledger's verbs are given, and the one place that puts it together: database, key workers, sealer,
// door. It refuses to know the environment.
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { createMetrics, type Metrics } from '../runtime/metrics.ts'
import { cardNamer, type CardNamer } from './core/mask.ts'
import { personalSeal, type PersonalSeal } from './cards/personal-data.ts'
import { createApp, type App, type DoorTls } from './http/app.ts'
import { readConsole, type Console } from './http/console.ts'
import { createLanes, type Lanes } from './intake/lanes.ts'
import { routes } from './http/routes.ts'
import { openOidc, type Oidc, type OidcSettings } from './people/oidc.ts'
import type { HeadMemory } from './proof/head-memory.ts'
import { createMeters, type Meters } from './meters.ts'
import { startSealer, type HeadSigner, type Sealer } from './proof/seal.ts'
import { openDb, type Db, type Tx } from './store/db.ts'
import { servingRole } from './store/grants.ts'
import { registryCache, type Snapshot } from './store/registry.ts'
import { resumeFiles } from './intake/take-file.ts'
import { forwardUntold } from './national/forward.ts'
import type { TacPool } from './tac/tac-pool.ts'
import { startRounds } from './services/clinic/rounds.ts'
import { startWatch, type Watchman } from './watch/watch.ts'

export type Ledger = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** The ledger's own figures, shown by `metrics`. */
  readonly meters: Meters
  readonly tac: TacPool
  /** `tx`: the connection of a transaction that holds locks, and so must not wait for another one. */
  readonly registry: (tx?: Tx) => Promise<Snapshot>
  readonly lanes: Lanes
  readonly signer: HeadSigner
  readonly sealer: Sealer
  readonly watch: Watchman
  /** Random bytes for salts and tokens. */
  readonly random: (length: number) => Buffer
  /** How many clearing dates ahead there is room for transfers. */
  readonly partitionDays: number
  /** Names cards where their numbers must not stand. */
  readonly nameCard: CardNamer
  /** Secrets of webhooks are derived from it: 32 random bytes. */
  readonly webhookKey: Uint8Array
  /** Seals personal data, and opens it. */
  readonly personal: PersonalSeal
  /** Webhooks may lead to private addresses, and over plain HTTP. */
  readonly privateWebhooks: boolean
  /** How long a member of staff stays signed in. */
  readonly sessionMs: number
  /** A session that is not used for so long is over. */
  readonly idleMs: number
  /** The pages for people; null: none are served. */
  readonly console: Console | null
  /** Null: staff sign in with passwords alone. */
  readonly oidc: Oidc | null
}

export type LedgerOptions = {
  /** A database that is migrated already. */
  readonly databaseUrl: string
  readonly connections?: number
  readonly sealEveryMs?: number
  /** Between two rounds over what clinics have left open. */
  readonly roundEveryMs?: number
  /** Absent: whoever restores an old backup is not noticed here, only by the gateways. */
  readonly memory?: HeadMemory
  /** As long as the session when absent. */
  readonly idleMs?: number
  /** Absent: webhooks and their secrets, and names of cards, hold as long as this process. */
  readonly webhookKey?: Uint8Array
  /** 32 bytes each; the last one seals. Absent: what is sealed opens as long as this process lives. */
  readonly personalKeys?: readonly [Uint8Array, ...Uint8Array[]]
  readonly privateWebhooks?: boolean
  /** Absent: plain HTTP, behind something that speaks TLS. */
  readonly tls?: DoorTls
  /** Folder of a build of the console. */
  readonly consoleFolder?: string
  /** Absent: staff sign in with passwords alone. */
  readonly oidc?: OidcSettings
} & Pick<Ledger, 'clock' | 'log' | 'tac' | 'signer' | 'random' | 'partitionDays' | 'sessionMs'>

export type BuiltLedger = {
  readonly app: App
  readonly ledger: Ledger
  /** Answers what is under way, seals no more, lets the database go. Key workers are the caller's. */
  readonly close: () => Promise<void>
}

const sealEveryMs = 1_000
const watchEveryMs = 2_000
const roundEveryMs = 5_000

/** A whole ledger that does not listen yet. */
export async function buildLedger (options: LedgerOptions): Promise<BuiltLedger> {
  const { log, clock, tac, signer, random, partitionDays, sessionMs } = options
  const onError = (error: unknown) => { log.error({ err: error }, 'database or sealer') }
  const max = options.connections ?? 10
  const db = openDb(options.databaseUrl, { max, onError, role: servingRole })
  const sealer = await startSealer({
    db, signer, now: () => clock.now(), everyMs: options.sealEveryMs ?? sealEveryMs, onError,
    ...options.memory === undefined ? {} : { memory: options.memory }
  })
  const registry = registryCache(db)
  const metrics = createMetrics()
  const lanes = createLanes()
  const webhookKey = options.webhookKey ?? random(32)
  const meters = createMeters(metrics, { db, clock, lanesWaiting: lanes.waiting })
  const watch = startWatch({ db, clock, log, registry, random, tac, meters }, watchEveryMs)
  const ledger: Ledger = {
    db, clock, log, metrics, meters, tac, registry, lanes, signer, sealer, watch,
    random, partitionDays, sessionMs, idleMs: options.idleMs ?? sessionMs,
    webhookKey, nameCard: cardNamer(webhookKey),
    personal: personalSeal(options.personalKeys ?? [random(32)], random),
    privateWebhooks: options.privateWebhooks === true,
    console: options.consoleFolder === undefined ? null : readConsole(options.consoleFolder),
    oidc: options.oidc === undefined ? null : openOidc(options.oidc)
  }
  const app = await createApp(ledger, options.tls)
  await app.register(routes(ledger))
  const resumed = Promise.all([resumeFiles(ledger), forwardUntold(ledger)]).catch(onError)
  const rounds = startRounds(ledger, options.roundEveryMs ?? roundEveryMs)
  const close = async () => {
    await app.close()
    await resumed
    await rounds.stop()
    await watch.stop()
    await sealer.stop()
    await db.end()
  }
  return { app, ledger, close }
}
