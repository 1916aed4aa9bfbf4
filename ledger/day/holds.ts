// Who is not paid for now: parties whose settlement a rule holds, and how people release it. Their nets are
// carried over, nothing is lost.
import { Type, type Static } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfParties } from '../store/branches.ts'
import type { Tx } from '../store/db.ts'
import { readHolds, releaseHolds, type Hold } from '../store/holds.ts'
import { readLastPaidDate } from '../store/settlement.ts'

/**
 * Codes of the parties that are held while `date` is being settled. Whatever is paid then is paid out of the
 * nets of all instructed dates, later ones too, so it is the last of these that a hold is held against.
 */
export async function heldParties (tx: Tx, date: string): Promise<Set<string>> {
  const last = await readLastPaidDate(tx, date)
  const holds = await readHolds(tx, null)
  return new Set(holds.filter(({ sinceDate }) => sinceDate <= last).map(({ party }) => party))
}

export const HoldRelease = Type.Object({
  party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })
}, { additionalProperties: false })
type HoldRelease = Static<typeof HoldRelease>

export const holdReleaseKind: ProposalKind = {
  body: HoldRelease,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { party }: HoldRelease) => await branchesOfParties(tx, [party]),
  subject: ({ party }: HoldRelease) => `hold/${party}`,
  look: async (tx, _ledger, { party }: HoldRelease) => (await holdsOf(tx, party)).map(holdView),
  carryOut: async (tx, _ledger, { party }: HoldRelease, { proposalId, atMs }) => {
    const holds = await holdsOf(tx, party)
    await releaseHolds(tx, holds.map(({ holdId }) => holdId), `proposal/${proposalId}`, atMs)
    return { released: holds.length }
  }
}

async function holdsOf (tx: Tx, party: string): Promise<Hold[]> {
  const holds = await readHolds(tx, party)
  if (holds.length === 0) throw new Refusal('not_found', `the settlement of ${party} is not held`)
  return holds
}

export const holdView = ({ holdId, atMs, ...hold }: Hold) =>
  ({ ...hold, id: Number(holdId), at: formatIso(atMs) })
