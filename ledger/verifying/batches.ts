// Batch after batch: its transfers, their sum, and the root over their salted leaves.
import { batchRoot } from '../core/commitment.ts'
import {
  batchPages, committedBatch, transfersOf, type BatchRow, type TransferRow
} from '../store/verification.ts'
import { faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const batchChecks: readonly BookCheck[] = [{ name: 'batches lead to their roots', run: checkBatches }]

async function checkBatches ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  let count = 0
  for await (const page of batchPages(tx, start)) {
    count += page.length
    const transfers = await transfersOf(tx, page)
    for (const batch of page) faultsOf(batch, transfers.get(batch.batchId) ?? []).forEach(add)
  }
  return { faults, seen: `${count} batches` }
}

function faultsOf (batch: BatchRow, own: readonly TransferRow[]): string[] {
  const { batchId, root } = batch
  const foundFen = own.reduce((sum, transfer) => sum + BigInt(transfer.amountFen), 0n)
  const faults: string[] = []
  if (batch.deliveryNo !== null && batch.deliveryDigest === null) {
    faults.push(`delivery ${batch.deliveryNo} of batch ${batchId} is not there`)
  }
  if (own.length !== batch.transfers || foundFen !== batch.sumFen) {
    const found = `${own.length} transfers of ${foundFen} fen`
    faults.push(`batch ${batchId}: ${found}, declared ${batch.transfers} of ${batch.sumFen}`)
  }
  if (!root.equals(batchRoot(committedBatch(batch, own)))) {
    const [first, last] = [own[0], own.at(-1)]
    const rows = first === undefined ? '' : `, transfer ${first.transferId} to ${last?.transferId}`
    faults.push(`batch ${batchId}${rows}: its rows do not lead to its root`)
  }
  return faults
}
