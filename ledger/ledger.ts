// What the ledger's verbs are given: its dependencies by name. It refuses to know who builds them.
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Db } from './store/db.ts'
import type { Snapshot } from './store/registry.ts'
import type { TacPool } from './verify/tac-pool.ts'
import type { HeadSigner } from './seal.ts'

export type Ledger = {
  readonly db: Db
  readonly clock: Clock
  readonly log: Log
  readonly tac: TacPool
  readonly registry: () => Promise<Snapshot>
  readonly signer: HeadSigner
  /** Random bytes for salts and tokens. */
  readonly random: (length: number) => Buffer
  readonly partitionDays: number
}
