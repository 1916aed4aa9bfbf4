// Items that a hospital uploads before it settles (2204), and takes back (2205): by visit and batch. A line
// that is told again is the same line. It refuses to know bills.
import type { RequestBody } from '../../../../schemas/medical/message.ts'
import { classOfLevel } from '../../../../schemas/medical/messages.ts'
import { billLimits } from '../../../../schemas/medical/rule-set.ts'
import { groupBy } from '../../../../runtime/collections.ts'
import { canonical } from '../../../core/canonical.ts'
import { findMessage, findSettlement, isReversed } from '../../../store/clinic.ts'
import {
  dropBatch, lockBatch, lockBatches, noteBatch, type BatchRow, type UploadedItem
} from '../../../store/clinic-national.ts'
import { inTransaction, type Tx } from '../../../store/db.ts'
import type { At, Said } from './door.ts'

type Line = RequestBody<'items'>['feedetail'][number]

class Declined extends Error {}

/** All lines of a message, or none of them. */
export async function takeItems ({ ledger, partyId }: At, lines: readonly Line[]): Promise<Said> {
  const atMs = ledger.clock.now()
  try {
    await inTransaction(ledger.db, async tx => {
      const batches = groupBy(lines, one => JSON.stringify([one.mdtrt_id, one.chrg_bchno, one.psn_no]))
      for (const [key, its] of [...batches].sort(([one], [other]) => one < other ? -1 : 1)) {
        const [visit = '', batch = '', person = ''] = JSON.parse(key) as string[]
        const row = await lockBatch(tx, partyId, { visit, batch, person }, atMs)
        if (row.person !== person) throw new Declined(`批次 ${batch} 属于其他人员`)
        const items = its.reduce(added, row.items)
        if (items === row.items) continue
        if (await isTaken(tx, partyId, row)) throw new Declined(`批次 ${batch} 已结算，请先撤销结算（2208）`)
        if (items.length > billLimits.itemsMax) throw new Declined(`批次 ${batch} 明细过多`)
        await noteBatch(tx, partyId, { ...row, items, basis: null }, atMs)
      }
    })
  } catch (error) {
    if (error instanceof Declined) return { no: error.message }
    throw error
  }
  return { body: null }
}

/** Throws Declined where the line was told before with something else in it. */
function added (items: readonly UploadedItem[], line: Line): readonly UploadedItem[] {
  const { feedetl_sn: no, det_item_fee_sumamt: fen, pric_uplmt_amt: limit, selfpay_prop: own } = line
  const kind = classOfLevel(line.chrgitm_lv)
  if (kind === null) throw new Declined(`明细 ${no}：chrgitm_lv 有误`)
  if (fen < 0n || fen > BigInt(billLimits.fenMax)) throw new Declined(`明细 ${no}：det_item_fee_sumamt 有误`)
  if (limit !== null && limit < 0n) throw new Declined(`明细 ${no}：pric_uplmt_amt 有误`)
  const item: UploadedItem = {
    line: no, item: line.med_list_codg, class: kind, amountFen: Number(fen),
    ...limit === null ? {} : { limitFen: Number(limit) }, ...own === null ? {} : { ownPpm: own }
  }
  const same = items.find(one => one.line === no)
  if (same === undefined) return [...items, item]
  if (canonical(same) === canonical(item)) return items
  throw new Declined(`明细 ${no} 已上传，内容不同`)
}

/** Batch 0000: all of the visit that are not settled. */
export async function takeItemsBack (
  { ledger, partyId }: At, { mdtrt_id: visit, chrg_bchno: batch, psn_no: person }:
  RequestBody<'itemsBack'>['data']
): Promise<Said> {
  return await inTransaction(ledger.db, async tx => {
    const isAll = batch === '0000'
    const rows = (await lockBatches(tx, partyId, visit, isAll ? null : batch))
      .filter(row => row.person === person)
    if (rows.length === 0 && !isAll) return { no: `批次 ${batch} 不存在` }
    for (const row of rows) {
      if (!await isTaken(tx, partyId, row)) await dropBatch(tx, partyId, row)
      else if (!isAll) return { no: `批次 ${batch} 已结算，请先撤销结算（2208）` }
    }
    return { body: null }
  })
}

/** A settlement of it counts, or is under way: nobody has heard yet what became of its message. */
export async function isTaken (
  tx: Tx, partyId: number, { message }: Pick<BatchRow, 'message'>
): Promise<boolean> {
  if (message === null || await isReversed(tx, partyId, message)) return false
  const found = await findMessage(tx, partyId, message)
  if (found === null) return true
  if (found.reply.outcome !== 'approved' || found.reply.settlement === null) return false
  const row = await findSettlement(tx, partyId, BigInt(found.reply.settlement))
  return row !== null && row.takenBackBy === null
}
