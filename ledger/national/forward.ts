// What the national centre is told of a cleared date: every claim on it and every claim taken back, with the
// record as the terminal told it, cut into batches that stay as they are. A date is told once it is cleared,
// so its batches add up to what its positions say.
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { limits } from '../../schemas/limits.ts'
import type { NationalBatch, NationalEntry } from '../../schemas/national.ts'
import { contentHash, type TransactionRecord } from '../../schemas/record.ts'
import { transferCodes } from '../core/chart.ts'
import { hasReached } from '../core/day.ts'
import { batchBytes, batchName } from '../core/national.ts'
import { storedLines, type StoredLine } from '../intake/stored-lines.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { readDay } from '../store/days.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  findCompletion, foreignPages, insertNationalBatch, isForwarded, lockForwarding, untoldDates,
  type ForeignTransfer
} from '../store/national.ts'
import type { Snapshot } from '../store/registry.ts'

/** Makes the batches of a date once it is cleared; where they stand already, nothing. */
export async function forwardDate (ledger: Ledger, date: string): Promise<void> {
  const snapshot = await ledger.registry()
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    await lockForwarding(tx)
    const day = await readDay(tx, date)
    if (day === null || !hasReached(day.state, 'CLEARED') || await isForwarded(tx, date)) return
    const digests: Record<string, string> = {}
    for await (const batch of batchesOf(tx, snapshot, date)) {
      const bytes = batchBytes(batch.told)
      const digest = createHash('sha256').update(bytes).digest()
      digests[batch.told.batch] = digest.toString('hex').toUpperCase()
      await insertNationalBatch(tx, {
        clearingDate: date, centreId: batch.centreId, part: batch.part, claims: sumOf(batch.told, 'claim'),
        withdrawals: sumOf(batch.told, 'withdrawal'), bytes: deflateSync(bytes), digest, madeAtMs: atMs
      })
    }
    if (Object.keys(digests).length === 0) return
    const deed = { by: 'system', action: 'national.forward', subject: `day/${date}`, detail: digests }
    await audit(tx, atMs, deed)
  })
}

/** So many days back somebody may have died between clearing a date and telling of it. */
const untoldDays = 7

/** Tells of the dates that were cleared by a process that died before it told of them. */
export async function forwardUntold (ledger: Ledger): Promise<void> {
  if ((await ledger.registry()).cities.length === 0) return // nobody's cards but ours
  for (const date of await untoldDates(ledger.db, untoldDays)) await forwardDate(ledger, date)
}

const sumOf = ({ entries }: NationalBatch, kind: NationalEntry['kind']) => {
  const own = entries.filter(entry => entry.kind === kind)
  return { count: own.length, amountFen: BigInt(own.reduce((sum, { amountFen }) => sum + amountFen, 0)) }
}

type Batch = { readonly centreId: number, readonly part: number, readonly told: NationalBatch }

/** A batch ends where it is full, or where the next centre begins. */
async function * batchesOf (tx: Tx, snapshot: Snapshot, date: string): AsyncGenerator<Batch> {
  const recordOf = recordsIn(tx, snapshot)
  let last: ForeignTransfer | null = null
  let part = 1
  let entries: NationalEntry[] = []
  const made = ({ centreId, centre }: ForeignTransfer): Batch => ({
    centreId, part,
    told: { batch: batchName({ clearingDate: date, centre, part }), centre, clearingDate: date, entries }
  })
  for await (const page of foreignPages(tx, date)) {
    for (const one of page) {
      const isOther = last !== null && last.centreId !== one.centreId
      if (last !== null && (isOther || entries.length === limits.nationalEntriesMax)) {
        yield made(last)
        part = isOther ? 1 : part + 1
        entries = []
      }
      entries.push(entryOf(one, await recordOf(one)))
      last = one
    }
  }
  if (last !== null) yield made(last)
}

function entryOf (
  { transferId, code, corrects, amountFen }: ForeignTransfer, record: TransactionRecord
): NationalEntry {
  const isWithdrawal = code === transferCodes.foreign_tap_reversed
  return {
    kind: isWithdrawal ? 'withdrawal' : 'claim',
    claim: String(isWithdrawal ? corrects : transferId),
    amountFen: Number(amountFen),
    record
  }
}

/* ---- records, from the bytes they came in ---- */

/** The signed record of an event, where there is one: the line that told of it first may be a grey one. */
function recordsIn (tx: Tx, snapshot: Snapshot): (of: ForeignTransfer) => Promise<TransactionRecord> {
  const lineAt = storedLines(tx, snapshot)
  const read = async (line: StoredLine): Promise<TransactionRecord> => {
    const record = await lineAt(line)
    if (record === null) throw new Error(`line ${line.lineNo} of delivery ${line.deliveryNo} is gone`)
    return record
  }
  return async of => {
    const first = await read(of)
    if (first.tac !== null && !first.grey) return first
    const signed = await findCompletion(tx, { ...of, counter: first.counter, content: contentHash(first) })
    return signed === null ? first : await read(signed)
  }
}
