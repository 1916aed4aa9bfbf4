// What issuers in other cities refuse to pay, told by the national centre. One that is due is a fact of the
// card's chain: the verdict turns, and the claim is charged back in the open date. One that is not is refused
// with its reason and becomes an item of reconciliation, because the centre will not pay it all the same.
import { localDate } from '../../runtime/instants.ts'
import { maskCards } from '../../runtime/log.ts'
import type { NationalReturn, NationalReturnResult } from '../../schemas/national.ts'
import { decideReturn, returnUntil, type ReturnDecision } from '../core/national.ts'
import { reconsider } from '../intake/reconsider.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { audit } from '../people/audit.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { openItems, type FoundItem } from '../store/items.ts'
import { lockPurses } from '../store/lock.ts'
import {
  findChargebacks, findClaims, findReturns, insertReturns, lockReturns, type ForwardedClaim, type ReturnRow
} from '../store/national.ts'
import type { PartyRow } from '../store/registry.ts'

/** A return as it was told, and what is to be done about it. */
type Decided =
  { readonly told: Told, readonly claim: ForwardedClaim | null, readonly decision: ReturnDecision }
type Told = Pick<ReturnRow, 'id' | 'claim' | 'amountFen' | 'cause'>

/**
 * Books what is due, all in one transaction; what was told before gets its first answer. Throws Refusal
 * request_conflict where an id says something else than before.
 */
export async function takeReturns (
  ledger: Ledger, centre: PartyRow, returns: readonly NationalReturn[], by: string
): Promise<NationalReturnResult[]> {
  const atMs = ledger.clock.now()
  const { returnDays } = (await ledger.registry()).policies
  const told = returns.map(toldOf)
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    await lockReturns(tx, centre.partyId)
    const known = await findReturns(tx, centre.partyId, told.map(({ id }) => id))
    const news = newsAmong(told, known)
    const claims = await lockClaims(tx, centre.code, news)
    const decided = decide(news, claims, { today: localDate(atMs), returnDays })
    const rows = await chargeBack(tx, ledger, decided, { clearingDate, atMs })
    await insertReturns(tx, centre.partyId, rows, by, atMs)
    const about = { centre: centre.code, clearingDate, returnDays }
    await openItems(tx, decided.flatMap(one => itemOf(one, about)), atMs)
    for (const row of rows) await note(tx, centre.code, row, by, atMs)
    const fresh = new Map(rows.map(row => [row.id, row]))
    return told.map(({ id }) => answerOf(fresh.get(id) ?? known.get(id) as ReturnRow, known.has(id)))
  })
}

const toldOf = ({ id, claim, amountFen, cause }: NationalReturn): Told =>
  ({ id, claim: BigInt(claim), amountFen: BigInt(amountFen), cause: maskCards(cause) })

/** Those nobody has told before, each once. */
function newsAmong (told: readonly Told[], known: ReadonlyMap<string, Told>): Told[] {
  const news = new Map<string, Told>()
  for (const [index, one] of told.entries()) {
    const before = known.get(one.id) ?? news.get(one.id)
    const field = before === undefined ? undefined : fields.find(field => before[field] !== one[field])
    if (field !== undefined) {
      const where = `/returns/${index}/${field}`
      throw new Refusal('request_conflict', `return ${one.id} was told with another ${field}`, where)
    }
    if (before === undefined) news.set(one.id, one)
  }
  return [...news.values()]
}
const fields = ['claim', 'amountFen', 'cause'] as const

/** Locks the purses first and then looks: a verdict that turns meanwhile would take the claim back. */
async function lockClaims (
  tx: Tx, centre: string, news: readonly Told[]
): Promise<Map<bigint, ForwardedClaim>> {
  const ids = [...new Set(news.map(({ claim }) => claim))]
  await lockPurses(tx, [...(await findClaims(tx, centre, ids)).values()])
  return await findClaims(tx, centre, ids)
}

/** Of two returns of one claim the second finds it returned. */
function decide (
  news: readonly Told[], claims: ReadonlyMap<bigint, ForwardedClaim>, rule: Parameters<typeof decideReturn>[2]
): Decided[] {
  const returned = new Set<bigint>()
  return news.map(told => {
    const found = claims.get(told.claim) ?? null
    const again = found !== null && returned.has(told.claim)
    const claim = again ? { ...found, state: 'returned' as const } : found
    const decision = decideReturn(claim, told.amountFen, rule)
    if (decision.outcome === 'charged_back') returned.add(told.claim)
    return { told, claim, decision }
  })
}

/** The rows of all returns, those that are due with the transfer that charged them back. */
async function chargeBack (
  tx: Tx, ledger: Ledger, decided: readonly Decided[],
  { clearingDate, atMs }: { readonly clearingDate: string, readonly atMs: number }
): Promise<ReturnRow[]> {
  const due = decided.flatMap(({ told, claim, decision }) =>
    claim !== null && decision.outcome === 'charged_back' ? [{ ...claim, source: `return/${told.id}` }] : [])
  const facts = due.map(({ bucket, cardId, purse, counter, content, source }) => ({
    bucket, cardId, purse, counter, content, source, kind: 'return' as const, atMs, balanceFen: null,
    findings: null
  }))
  await reconsider(tx, ledger, due, atMs, facts)
  const chargebacks = await findChargebacks(tx, due)
  return decided.map(({ told, decision }) => {
    const refused = decision.outcome === 'refused' ? decision.reason : null
    const transferId = refused === null ? chargebacks.get(told.claim) ?? null : null
    if (refused === null && transferId === null) throw new Error(`claim ${told.claim} was not charged back`)
    return { ...told, refused, transferId, clearingDate }
  })
}

/** Layer F: the centre's statement will differ from our position by it. */
function itemOf (
  { told, claim, decision }: Decided,
  { centre, clearingDate, returnDays }:
  { readonly centre: string, readonly clearingDate: string, readonly returnDays: number }
): FoundItem[] {
  if (decision.outcome !== 'refused') return []
  return [{
    layer: 'F', outcome: decision.difference, key: `return/${centre}/${told.id}`, party: centre, clearingDate,
    amountFen: -told.amountFen, records: 1,
    card: claim === null ? null : { bucket: claim.bucket, cardId: claim.cardId },
    evidence: {
      return: told.id, claim: String(told.claim), amountFen: told.amountFen, cause: told.cause,
      refused: decision.reason,
      ...claim === null
        ? {}
        : {
            claimedFen: claim.amountFen, claimedOn: claim.clearingDate, state: claim.state,
            until: returnUntil(claim.clearingDate, returnDays)
          }
    }
  }]
}

const note = async (tx: Tx, centre: string, row: ReturnRow, by: string, atMs: number): Promise<void> => {
  const { id, claim, amountFen, cause, refused, transferId, clearingDate } = row
  const detail = {
    claim: String(claim), amountFen: Number(amountFen), cause, refused,
    transfer: transferId === null ? null : String(transferId), clearingDate
  }
  await audit(tx, atMs, { by, action: 'national.return', subject: `return/${centre}/${id}`, detail })
}

const answerOf = ({ id, refused, clearingDate }: ReturnRow, replayed: boolean): NationalReturnResult =>
  ({ id, outcome: refused === null ? 'charged_back' : 'refused', reason: refused, clearingDate, replayed })
