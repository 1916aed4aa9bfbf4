// Online requests and their answers as rows, and the journals they can take back. It refuses to know what a
// request may do.
import { createHash } from 'node:crypto'
import type { StandingTransfer } from '../core/journal.ts'
import { bytes, numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { RequestKey } from './lock.ts'

/** Stored: never renumber. `forestalled`: the place of a request whose reversal came first. */
export const requestKinds = { purchase: 0, top_up: 1, reversal: 2, forestalled: 3, reinstatement: 4 } as const
export type RequestKind = keyof typeof requestKinds

/** The key of a client's request, in a bucket that is a hash of both. */
export function requestKey (client: string, key: string): RequestKey {
  const digest = createHash('sha256').update(`${client} ${key}`).digest()
  return { bucket: 1 + digest.readUInt32BE(0) % 63, client, key }
}

export type RequestRow = RequestKey & {
  readonly digest: Buffer
  readonly content: string
  readonly kind: number
  /** 0 approved, 1 declined. */
  readonly outcome: number
  readonly reason: number
  /** The limit it was declined by, in words; null where none was named. */
  readonly rule: string | null
  readonly cardBucket: number
  readonly cardId: bigint | null
  readonly partyId: number | null
  readonly amountFen: bigint
  readonly balanceFen: bigint | null
  readonly batchId: bigint
  readonly journalId: bigint | null
  readonly clearingDate: string
}

export type StoredRequest = RequestRow & { readonly requestedAtMs: number }

export async function findRequests (
  tx: Tx | Db, keys: readonly RequestKey[]
): Promise<StoredRequest[]> {
  if (keys.length === 0) return []
  const { rows } = await tx.query<StoredRequest>(`
    select r.bucket, r.client_id as client, r.key, r.digest, r.content, r.kind, r.outcome, r.reason, r.rule,
      r.card_bucket as "cardBucket", r.card_id as "cardId", r.party_id as "partyId",
      r.amount_fen as "amountFen", r.balance_fen as "balanceFen", r.batch_id as "batchId",
      r.journal_id as "journalId", r.clearing_date as "clearingDate",
      r.requested_at as "requestedAtMs"
    from unnest($1::smallint[], $2::text[], $3::text[]) as k (bucket, client_id, key)
    join request r on r.bucket = k.bucket and r.client_id = k.client_id and r.key = k.key`,
  [numbers(keys.map(k => k.bucket)), keys.map(k => k.client), keys.map(k => k.key)])
  return rows
}

/** Writes answers in key order: of two transactions with one request the second waits and looks again. */
export async function insertRequests (tx: Tx, given: readonly RequestRow[], atMs: number): Promise<void> {
  if (given.length === 0) return
  const rows = [...given].sort((a, b) =>
    a.bucket - b.bucket || compare(a.client, b.client) || compare(a.key, b.key))
  await tx.query(`
    insert into request (bucket, client_id, key, digest, content, kind, outcome, reason, card_bucket, card_id,
      party_id, amount_fen, balance_fen, batch_id, journal_id, rule, clearing_date, requested_at)
    select r.*, $17, $18
    from unnest($1::smallint[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::smallint[],
      $7::smallint[], $8::smallint[], $9::smallint[], $10::bigint[], $11::int[], $12::bigint[], $13::bigint[],
      $14::bigint[], $15::bigint[], $16::text[]) as r`, [
    numbers(rows.map(r => r.bucket)), rows.map(r => r.client), rows.map(r => r.key),
    bytes(rows.map(r => r.digest)), rows.map(r => r.content), numbers(rows.map(r => r.kind)),
    numbers(rows.map(r => r.outcome)), numbers(rows.map(r => r.reason)), numbers(rows.map(r => r.cardBucket)),
    numbers(rows.map(r => r.cardId)), numbers(rows.map(r => r.partyId)), numbers(rows.map(r => r.amountFen)),
    numbers(rows.map(r => r.balanceFen)), numbers(rows.map(r => r.batchId)),
    numbers(rows.map(r => r.journalId)), rows.map(r => r.rule), rows[0]?.clearingDate, timestamp(atMs)])
}
const compare = (one: string, other: string): number => one < other ? -1 : one > other ? 1 : 0

export type JournalKey = {
  readonly bucket: number, readonly clearingDate: string, readonly journalId: bigint
}

/**
 * Journals as they stand, by number: each transfer with what later ones took back of it. Those have the sides
 * swapped; one that books the event anew names the original too. What a reinstatement took back of a reversal
 * counts no more.
 */
export async function readJournals (
  tx: Tx, keys: readonly JournalKey[]
): Promise<Map<bigint, StandingTransfer[]>> {
  const journals = new Map<bigint, StandingTransfer[]>()
  if (keys.length === 0) return journals
  const { rows } = await tx.query<StandingTransfer & { journalId: bigint }>(`
    select t.journal_id as "journalId", t.transfer_id as "transferId", t.bucket, t.book, t.code,
      t.debit_account as debit, t.credit_account as credit, t.amount_fen as "amountFen",
      t.card_id as "cardId",
      coalesce((
        select sum(r.amount_fen - coalesce((
          select sum(u.amount_fen) from transfer u
          where u.bucket = r.bucket and u.corrects = r.transfer_id
            and u.debit_account = r.credit_account and u.credit_account = r.debit_account), 0))
        from transfer r
        where r.bucket = t.bucket and r.corrects = t.transfer_id
          and r.debit_account = t.credit_account and r.credit_account = t.debit_account), 0)::bigint
        as "reversedFen"
    from unnest($1::smallint[], $2::date[], $3::bigint[]) as k (bucket, clearing_date, journal_id)
    join transfer t on t.bucket in (k.bucket, 0) and t.clearing_date = k.clearing_date
      and t.transfer_id >= k.journal_id and t.transfer_id < ((k.journal_id >> 20) + 1) << 20
      and t.journal_id = k.journal_id
    order by t.transfer_id`,
  [numbers(keys.map(k => k.bucket)), keys.map(k => k.clearingDate), numbers(keys.map(k => k.journalId))])
  for (const { journalId, ...transfer } of rows) {
    const known = journals.get(journalId)
    if (known === undefined) journals.set(journalId, [transfer])
    else known.push(transfer)
  }
  return journals
}

/** What our books say the purses of cards hold. */
export async function readPurseTotals (
  tx: Tx, cards: readonly { readonly bucket: number, readonly cardId: bigint }[]
): Promise<Map<bigint, bigint>> {
  if (cards.length === 0) return new Map()
  const { rows } = await tx.query<{ cardId: bigint, fen: bigint }>(`
    select p.card_id as "cardId", sum(p.shadow_fen)::bigint as fen
    from unnest($1::smallint[], $2::bigint[]) as k (bucket, card_id)
    join purse p on p.bucket = k.bucket and p.card_id = k.card_id group by p.card_id`,
  [numbers(cards.map(card => card.bucket)), numbers(cards.map(card => card.cardId))])
  return new Map(rows.map(({ cardId, fen }) => [cardId, fen]))
}
