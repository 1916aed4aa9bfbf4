// The batches as the centre's exchange sees them: which there are, the bytes of one, and that it has them. It
// refuses to know how they are made.
import { inflateSync } from 'node:zlib'
import { formatIso } from '../../runtime/instants.ts'
import type { NationalBatchView } from '../../schemas/national.ts'
import { batchName, parseBatchName, type BatchKey } from '../core/national.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { insertReceipt, readBatch, readBatchBytes, readBatches, type BatchRow } from '../store/national.ts'

export type Asked = {
  /** Null: whoever asks sees those of all centres. */
  readonly centre: string | null
  /** Only those that no centre has confirmed. */
  readonly waiting: boolean
  readonly after: string | null
  readonly limit: number
}

/** One page, in the order of dates. Throws Refusal body_invalid. */
export async function viewOutbound (
  { db }: Ledger, { centre, waiting, after, limit }: Asked
): Promise<{ items: NationalBatchView[], next: string | null }> {
  const behind = after === null ? null : parseBatchName(after)
  if (after !== null && behind === null) {
    throw new Refusal('body_invalid', `no batch is called ${after}`, '/after')
  }
  const items = (await readBatches(db, { centre, waiting, after: behind, limit })).map(shown)
  return { items, next: items.length < limit ? null : items.at(-1)?.batch ?? null }
}

/** The bytes, always the same. Throws Refusal not_found. */
export async function outboundBytes ({ db }: Ledger, centre: string | null, name: string): Promise<Buffer> {
  return inflateSync(await readBatchBytes(db, await known(db, centre, name)))
}

/**
 * The centre has the batch: told again, the first time stays. Throws Refusal not_found, or conditions_not_met
 * where it has other bytes.
 */
export async function confirmBatch (
  ledger: Ledger, centre: string, name: string, digest: Buffer, by: string
): Promise<NationalBatchView> {
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const batch = await known(tx, centre, name)
    if (!digest.equals(batch.digest)) {
      const what = `the bytes of ${name} have another digest: fetch it again`
      throw new Refusal('conditions_not_met', what, '/digest')
    }
    if (!await insertReceipt(tx, batch, by, atMs)) return shown(batch)
    await audit(tx, atMs, { by, action: 'national.confirm', subject: `national/${name}` })
    return shown({ ...batch, forwardedAtMs: atMs })
  })
}

async function known (db: Db | Tx, centre: string | null, name: string): Promise<BatchRow> {
  const key: BatchKey | null = parseBatchName(name)
  const batch = key === null || (centre !== null && centre !== key.centre) ? null : await readBatch(db, key)
  if (batch === null) throw new Refusal('not_found', `there is no batch ${name}`)
  return batch
}

const shown = (row: BatchRow): NationalBatchView => ({
  batch: batchName(row), centre: row.centre, clearingDate: row.clearingDate,
  claims: { count: row.claims, amountFen: Number(row.claimsFen) },
  withdrawals: { count: row.withdrawals, amountFen: Number(row.withdrawalsFen) },
  digest: row.digest.toString('hex').toUpperCase(), madeAt: formatIso(row.madeAtMs),
  forwardedAt: row.forwardedAtMs === null ? null : formatIso(row.forwardedAtMs)
})
