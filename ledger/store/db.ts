// The door to PostgreSQL: a pool with exact number types, and transactions that are tried again when the
// server asks for it.
import pg from 'pg'

export type Db = pg.Pool
export type Tx = pg.PoolClient

const int8Oid = 20
const dateOid = 1082
const timestamptzOid = 1184

/**
 * `2026-03-02 00:00:00.123+00` (the session runs in UTC) → epoch milliseconds. We write whole ones; what a
 * stranger's hand adds below them is kept, so that no changed byte is rounded away.
 */
function instantMs (text: string): number {
  const ms = Date.parse(text.replace(' ', 'T').replace(/\+00$/, 'Z'))
  return text.length <= wholeMsLength ? ms : ms + Number(`0.${text.slice(wholeMsLength - 3, -3)}`)
}
const wholeMsLength = '2026-03-02 00:00:00.123+00'.length

const parsers: Readonly<Record<number, (text: string) => unknown>> = {
  [int8Oid]: BigInt,
  [dateOid]: (text: string) => text,
  [timestamptzOid]: instantMs
}

/**
 * A pool whose int8 are bigints, dates `YYYY-MM-DD` and timestamps epoch milliseconds. The caller ends it.
 */
export function openDb (url: string, options: {
  readonly max?: number, readonly onError?: (error: Error) => void
  /** Taken on by every connection, for its rights; those of the login when absent. */
  readonly role?: string
} = {}): Db {
  const db = new pg.Pool({
    connectionString: url,
    max: options.max ?? 10,
    options: `-c timezone=UTC${options.role === undefined ? '' : ` -c role=${options.role}`}`,
    types: {
      getTypeParser: ((oid: number, format?: string) =>
        parsers[oid] ?? pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser
    }
  })
  survive(db, error => options.onError?.(error))
  return db
}

/**
 * A connection that dies with its server must not end the process. An idle one: the next query opens another.
 * One that is held, between two statements: the pool does not listen then, and the next statement says it.
 */
function survive (db: Db, onError: (error: Error) => void): void {
  db.on('error', error => onError(withoutClient(error)))
  db.on('connect', client => { client.on('error', () => undefined) })
}

/** The driver hangs the whole connection on an error; a log needs none of it. */
function withoutClient (error: Error & { client?: unknown }): Error {
  delete error.client
  return error
}

/** A pool for BullMQ: it looks into the schema of its own, and has the driver's own types. */
export function openQueueDb (url: string, schema: string, onError: (error: Error) => void): Db {
  const options = `-c search_path=${schema}`
  const db = new pg.Pool({ connectionString: url, max: 6, keepAlive: true, options })
  survive(db, onError)
  return db
}

const serializationFailure = '40001'
const deadlockDetected = '40P01'
const uniqueViolation = '23505'
const triesMax = 6

/** Thrown inside a transaction that must be decided again, on what another one has just committed. */
export class DecideAgain extends Error {
  constructor (why: string) {
    super(`decide again: ${why}`)
    this.name = 'DecideAgain'
  }
}

/** A unique key is somebody else's. */
export const isTaken = (error: unknown): boolean => (error as { code?: string }).code === uniqueViolation

const worthAnotherTry = (error: unknown): boolean =>
  error instanceof DecideAgain || isTaken(error) ||
  [serializationFailure, deadlockDetected].includes((error as { code?: string }).code ?? '')

/**
 * Runs `work` in one transaction, again (six times at most) where it lost a race: a serialization failure, a
 * deadlock, or a unique key that somebody else has just taken; the next run then reads what that one wrote.
 */
export async function inTransaction<T> (db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  const around = joins.get(db)
  if (around !== undefined) return await inSavepoint(around, work)
  for (let tries = 1; ; tries++) {
    const tx = await db.connect()
    let broken: Error | undefined
    try {
      await tx.query('begin')
      const result = await work(tx)
      await tx.query('commit')
      return result
    } catch (error) {
      await tx.query('rollback').catch((fault: Error) => { broken = fault })
      if (tries >= triesMax || !worthAnotherTry(error)) throw error
    } finally {
      tx.release(broken)
    }
  }
}

/* ---- many verbs in one transaction ---- */

const joins = new WeakMap<Db, Tx>()

/**
 * A transaction in the guise of a pool, for verbs that begin transactions of their own: theirs become
 * savepoints of it, and what they read beside is read inside. It cannot `connect`.
 */
export function joined (tx: Tx): Db {
  const db = { query: tx.query.bind(tx) } as unknown as Db
  joins.set(db, tx)
  return db
}

/** Locks of a run that lost a race are let go with its savepoint, so that the next run can win it. */
async function inSavepoint<T> (tx: Tx, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    await tx.query('savepoint verb')
    try {
      const result = await work(tx)
      await tx.query('release savepoint verb')
      return result
    } catch (error) {
      await tx.query('rollback to savepoint verb').catch(() => { throw error })
      if (tries >= triesMax || !worthAnotherTry(error)) throw error
    }
  }
}

/** For `timestamptz` parameters. */
export const timestamp = (ms: number): string => new Date(ms).toISOString()
