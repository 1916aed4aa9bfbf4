// What passed between us and the national centre: batches are the bytes that were told and add up to what the
// centre came to owe; what it confirmed and returned is what the audit log and the transfers say.
import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import type { NationalBatch } from '../../schemas/national.ts'
import { batchName } from '../core/national.ts'
import {
  batchPages, forwardDifferences, receiptDifferences, returnDifferences, type StoredBatch
} from '../store/verify-national.ts'
import { equal, faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const nationalChecks: readonly BookCheck[] = [
  { name: 'batches for the national centre are those that were told', run: checkBatches },
  {
    name: 'what was told is what the national centre came to owe',
    run: async ({ tx, start }) => equal(await forwardDifferences(tx, start))
  },
  {
    name: 'what the national centre confirmed and returned is booked so',
    run: async ({ tx, start }) =>
      equal([...await receiptDifferences(tx, start), ...await returnDifferences(tx, start)])
  }
]

async function checkBatches ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  let count = 0
  for await (const page of batchPages(tx, start)) {
    count += page.length
    for (const row of page.filter(isOther)) {
      add(`national_batch ${batchName(row)} of ${row.clearingDate}: not as told`)
    }
  }
  return { faults, seen: `${count} batches` }
}

/** The digest is that of the audit log; the columns are what the bytes say. */
function isOther (row: StoredBatch): boolean {
  const told = toldIn(row)
  if (told === null || row.deed !== row.digest.toString('hex').toUpperCase()) return true
  const sumsOf = (kind: string) => {
    const own = told.entries.filter(entry => entry.kind === kind)
    return `${own.length}/${own.reduce((sum, { amountFen }) => sum + amountFen, 0)}`
  }
  return told.batch !== batchName(row) || told.clearingDate !== row.clearingDate ||
    told.centre !== row.centre || sumsOf('claim') !== `${row.claims}/${row.claimsFen}` ||
    sumsOf('withdrawal') !== `${row.withdrawals}/${row.withdrawalsFen}`
}

/** Null for bytes that are not those with the digest. */
function toldIn ({ bytes, digest }: StoredBatch): NationalBatch | null {
  let told: Buffer
  try {
    told = inflateSync(bytes)
  } catch (error) {
    if (!String((error as { code?: unknown }).code).startsWith('Z_')) throw error
    return null
  }
  if (!createHash('sha256').update(told).digest().equals(digest)) return null
  return JSON.parse(told.toString('utf8')) as NationalBatch
}
