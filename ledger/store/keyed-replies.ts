// First answers by caller and key, as rows; and who is at work under a key right now.
import { timestamp, type Tx } from './db.ts'

export type KeyedReply = {
  readonly caller: string, readonly key: string
  /** SHA-256 of what was asked. */
  readonly request: Buffer
  readonly status: number
  readonly body: string | null
}

/**
 * Takes the key until the transaction ends, however it ends; false while another has it, in whatever process.
 */
export async function takeKey (tx: Tx, caller: string, key: string): Promise<boolean> {
  const { rows: [row] } = await tx.query<{ taken: boolean }>(
    'select pg_try_advisory_xact_lock(hashtextextended($1, 7110)) as taken', [`${caller} ${key}`])
  return row?.taken === true
}

export const findReply = async (tx: Tx, caller: string, key: string): Promise<KeyedReply | null> =>
  (await tx.query<KeyedReply>(`
    select caller, key, request, status, body from keyed_reply where caller = $1 and key = $2`,
  [caller, key])).rows[0] ?? null

export async function insertReply (tx: Tx, reply: KeyedReply, atMs: number): Promise<void> {
  await tx.query(`
    insert into keyed_reply (caller, key, request, status, body, made_at) values ($1, $2, $3, $4, $5, $6)`,
  [reply.caller, reply.key, reply.request, reply.status, reply.body, timestamp(atMs)])
}
