// What the treasury owes for a period as one document: what rides of concessions, free rides and subsidies of
// services moved on its account, by clearing date, operator and reason. It moves no money. It refuses to know
// why anything was free.
import { createHash } from 'node:crypto'
import { addDays, formatIso } from '../../../runtime/instants.ts'
import type {
  TreasuryClaimDocument, TreasuryClaimState, TreasuryClaimView
} from '../../../schemas/treasury.ts'
import { canonical } from '../../core/canonical.ts'
import { beforeCleared } from '../../core/day.ts'
import { housesOf } from '../../day/close-day.ts'
import type { Ledger } from '../../ledger.ts'
import { audit } from '../../people/audit.ts'
import { Refusal } from '../../refusal.ts'
import { inTransaction } from '../../store/db.ts'
import { news, tell } from '../../store/outbox.ts'
import { accountId } from '../../store/registry.ts'
import {
  findClaim, insertClaim, lockLastClaimed, nextClaimNo, readClaimable, readTreasuryMovements, type ClaimRow
} from '../../store/treasury.ts'

/**
 * Claims all that was not claimed yet, up to a cleared date. Throws Refusal day_state, conditions_not_met,
 * registry_invalid.
 */
export async function claimFromTreasury (
  ledger: Ledger, until: string, by: string
): Promise<TreasuryClaimView> {
  const snapshot = await ledger.registry()
  const party = snapshot.parties.get(housesOf(snapshot).get('treasury') ?? '')
  if (party === undefined) throw new Refusal('registry_invalid', 'no treasury is registered')
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const last = await lockLastClaimed(tx, party.partyId)
    const { first, uncleared } = await readClaimable(tx, beforeCleared)
    const from = last === null ? first : addDays(last, 1)
    if (from === null || uncleared === null || until >= uncleared) {
      throw new Refusal('day_state', `${uncleared ?? 'no date'} is not cleared`, '/until')
    }
    if (until < from) throw new Refusal('day_state', `up to ${last ?? from} all is claimed`, '/until')
    const lines = await readTreasuryMovements(tx,
      accountId(snapshot, 'treasury', 'receivable-treasury'), { from, until })
    const totalFen = lines.reduce((sum, { amountFen }) => sum + amountFen, 0)
    if (totalFen <= 0) {
      const what = `${totalFen} fen from ${from} to ${until}: claim them with later days`
      throw new Refusal('conditions_not_met', what, '/until')
    }
    const claim = await nextClaimNo(tx)
    const said: TreasuryClaimDocument = { claim, party: party.code, from, until, lines, totalFen }
    const document = canonical(said)
    const digest = createHash('sha256').update(document, 'utf8').digest()
    await insertClaim(tx,
      { claim, partyId: party.partyId, from, until, totalFen: BigInt(totalFen), document, digest, by, atMs })
    const detail = { from, until, totalFen, digest: hex(digest) }
    await tell(tx, [news({
      topic: 'treasury.claimed', subject: `treasury-claim/${claim}`, party: party.code,
      data: { claim, party: party.code, ...detail }
    })], atMs)
    await audit(tx, atMs, { by, action: 'treasury.claim', subject: `treasury-claim/${claim}`, detail })
    return {
      claim, party: party.code, from, until, totalFen, digest: hex(digest), state: 'told', paidFen: 0,
      lines: [], madeBy: by, madeAt: formatIso(atMs)
    }
  })
}

const hex = (digest: Buffer): string => digest.toString('hex').toUpperCase()

export const stateOfClaim = (
  { totalFen, paidFen }: Pick<ClaimRow, 'totalFen' | 'paidFen'>
): TreasuryClaimState => paidFen === 0n ? 'told' : paidFen < totalFen ? 'short' : 'paid'

export const viewClaim = (row: ClaimRow): TreasuryClaimView => {
  const { claim, party, from, until, madeBy } = row
  return {
    claim, party, from, until, totalFen: Number(row.totalFen), digest: hex(row.digest),
    state: stateOfClaim(row), paidFen: Number(row.paidFen), lines: row.lines.map(Number), madeBy,
    madeAt: formatIso(row.madeAtMs)
  }
}

/** Throws Refusal not_found. */
export async function claimIn ({ db }: Pick<Ledger, 'db'>, claim: number): Promise<ClaimRow> {
  const row = await findClaim(db, claim)
  if (row === null) throw new Refusal('not_found', `there is no claim ${claim} on the treasury`)
  return row
}
