// What people do with items of reconciliation: take them, write beside them, close them with a reason, or let
// their proposed posting settle them by four eyes. It refuses to know how items are found.
import { Type } from 'typebox'
import type { ItemView } from '../../schemas/reconciliation.ts'
import { formatIso } from '../../runtime/instants.ts'
import { isPerCard, type ProposedKind } from '../core/proposed.ts'
import { maskedCard } from '../posting/account-statement.ts'
import { audit } from '../people/audit.ts'
import { Correction, correctionKind, postCorrection, requireFailed } from '../posting/correct.ts'
import type { Ledger } from '../ledger.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  changeItems, lockItems, readItems, type ItemChange, type ItemFilter, type ItemRow
} from '../store/items.ts'
import { findStaff } from '../store/staff.ts'

const dayMs = 86_400_000

/** One page of the exception queue, oldest first. */
export async function viewItems (
  { db, clock }: Ledger, filter: Omit<ItemFilter, 'openedByMs'> & { readonly ageDaysMin: number | null }
): Promise<{ items: ItemView[], next: string | null }> {
  const { ageDaysMin, ...same } = filter
  const nowMs = clock.now()
  const openedByMs = ageDaysMin === null ? null : nowMs - ageDaysMin * dayMs
  const rows = await readItems(db, { ...same, openedByMs })
  return {
    items: rows.map(row => itemView(row, nowMs)),
    next: rows.length < filter.limit ? null : String(rows.at(-1)?.itemId)
  }
}

export const itemView = (row: ItemRow, nowMs: number): ItemView => ({
  item: Number(row.itemId), layer: row.layer, outcome: row.outcome, key: row.key, party: row.party,
  card: maskedCard(row), clearingDate: row.clearingDate, amountFen: Number(row.amountFen),
  records: row.records, evidence: row.evidence, proposal: row.proposal, state: row.state, owner: row.owner,
  note: row.note,
  resolution: row.resolution, openedAt: formatIso(row.openedAtMs),
  ageDays: Math.floor(((row.closedAtMs ?? nowMs) - row.openedAtMs) / dayMs),
  closedAt: row.closedAtMs === null ? null : formatIso(row.closedAtMs)
})

/**
 * The same done to some items, all or none. Throws Refusal not_found, item_closed, registry_invalid for an
 * owner who is no member of staff.
 */
export async function actOnItems (
  ledger: Ledger, ids: readonly number[], change: ItemChange, by: string
): Promise<ItemView[]> {
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const wanted = [...new Set(ids)].sort((a, b) => a - b).map(BigInt)
    const found = await lockItems(tx, wanted)
    const missing = wanted.find(id => !found.some(one => one.itemId === id))
    if (missing !== undefined) throw new Refusal('not_found', `there is no item ${missing}`)
    const over = found.find(one => one.state === 'closed')
    if (over !== undefined) throw itemClosed(over)
    const { owner } = change
    if (typeof owner === 'string' && (await findStaff(tx, owner))?.party !== null) {
      throw new Refusal('registry_invalid', `${owner} is no member of staff`, '/owner')
    }
    await changeItems(tx, wanted, change, atMs)
    const action = change.resolution !== undefined ? 'item.close' : 'item.change'
    const subject = wanted.length === 1 ? `item/${wanted[0]}` : `items/${wanted.length}`
    await audit(tx, atMs, { by, action, subject, detail: { ...change, items: wanted.map(Number) } })
    return (await lockItems(tx, wanted)).map(row => itemView(row, atMs))
  })
}

const itemClosed = ({ itemId, resolution }: ItemRow): Refusal =>
  new Refusal('item_closed', `item ${itemId} is closed: ${resolution}`)

/* ---- the posting that settles an item ---- */

type Body = { readonly item: number, readonly transfers?: Correction['transfers'] } &
  Pick<Correction, 'check'>

/** Posts what the item proposes, or what is given instead, and closes the item by it. */
export const itemPostingKind: ProposalKind = {
  body: Type.Object({
    item: Type.Integer({ minimum: 1 }),
    transfers: Type.Optional(
      { ...Correction.properties.transfers, description: 'instead of what it proposes' }),
    check: Correction.properties.check
  }, { additionalProperties: false }),
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, ledger, body: Body) => {
    const { transfers } = await postingOf(tx, body)
    return await correctionKind.branches?.(tx, ledger, { transfers } as never) ?? []
  },
  subject: ({ item }: Body) => `item/${item}`,
  look: async (tx, ledger, body: Body) => {
    const { row, transfers } = await postingOf(tx, body)
    await requireFailed(tx, body.check)
    const books = await correctionKind.look(tx, ledger, { transfers } as never)
    const shown = transfers.map(({ card, ...rest }) =>
      card === undefined ? rest : { ...rest, card: ledger.nameCard(card) })
    return { key: row.key, outcome: row.outcome, amountFen: Number(row.amountFen), transfers: shown, books }
  },
  carryOut: async (tx, ledger, body: Body, { atMs }) => {
    const { row, transfers } = await postingOf(tx, body)
    const batchId = Number(await postCorrection(tx, ledger, transfers, atMs))
    await changeItems(tx, [row.itemId], { resolution: `posted by batch ${batchId}` }, atMs)
    return { item: body.item, batchId }
  }
}

async function postingOf (
  tx: Tx, { item, transfers }: Body
): Promise<{ row: ItemRow, transfers: Correction['transfers'] }> {
  const [row] = await lockItems(tx, [BigInt(item)])
  if (row === undefined) throw new Refusal('not_found', `there is no item ${item}`)
  if (row.state === 'closed') throw itemClosed(row)
  if (transfers !== undefined) return { row, transfers }
  const proposal = row.proposal as Partial<StoredPosting & ProposedKind> | null
  if (proposal?.transfers !== undefined) return { row, transfers: ofCard(proposal.transfers, row) }
  const instead = proposal?.kind === undefined
    ? `item ${item} proposes no posting: say which transfers`
    : `item ${item} is settled by a proposal ${proposal.kind}`
  throw new Refusal('registry_invalid', instead, '/body/transfers')
}

type StoredPosting = { readonly transfers: Correction['transfers'] }

/** A proposed transfer of an account per card is of the item's card, which stands in no item as it is. */
function ofCard (
  transfers: Correction['transfers'], { issuer, serial, issue }: ItemRow
): Correction['transfers'] {
  if (issuer === null || serial === null || issue === null) return transfers
  const card = { issuer: hex(issuer), serial: hex(serial), issue }
  return transfers.map(one => [one.debit, one.credit].some(isPerCard) ? { ...one, card } : one)
}
const hex = (bytes: Buffer): string => bytes.toString('hex').toUpperCase()
