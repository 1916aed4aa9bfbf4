// Gives up a grey record that nobody could prove for so many days: by policy, and by two approvals. The
// operator is not paid, the holder keeps the money; a proof that comes later still counts.
import { Type, type Static } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { reasonNumbers } from '../../schemas/reasons.ts'
import { cardKey, CardRef } from '../../schemas/record.ts'
import type { Ledger } from '../ledger.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { reconsider } from '../intake/reconsider.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfCards } from '../store/branches.ts'
import { findCards } from '../store/cards.ts'
import type { Tx } from '../store/db.ts'
import { findFacts, type ChainFact } from '../store/facts.ts'
import { receivedAt } from '../store/misdated.ts'
import { findEvents, type StoredEvent } from '../store/records.ts'

export const GreyExpiry = Type.Object({
  card: CardRef,
  counter: Type.Integer({ minimum: 1, description: 'committed counter of the grey record' })
}, { additionalProperties: false })
type GreyExpiry = Static<typeof GreyExpiry>

export const greyExpiryKind: ProposalKind = {
  body: GreyExpiry,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 2,
  branches: async (tx, _ledger, { card }: GreyExpiry) => await branchesOfCards(tx, [card]),
  subject: ({ card, counter }: GreyExpiry, { nameCard }) => `grey/${nameCard(card)}/${counter}`,
  look: async (tx, ledger, body: GreyExpiry) => {
    const greys = await greysOf(tx, ledger, body)
    return greys.map(({ amountFen, balanceBeforeFen, eventAtMs }) => ({
      amountFen: Number(amountFen), balanceBeforeFen: Number(balanceBeforeFen), eventAt: formatIso(eventAtMs)
    }))
  },
  carryOut: async (tx, ledger, body: GreyExpiry, { proposalId, atMs }) => {
    const greys = await greysOf(tx, ledger, body)
    const facts = greys.map(({ bucket, cardId, purse, counter, content }) => ({
      bucket, cardId, purse, counter, content, kind: 'expiry' as const, atMs, balanceFen: null,
      findings: null, source: `proposal/${proposalId}`
    }))
    return { expired: await reconsider(tx, ledger, greys, atMs, facts) }
  }
}

/** Those that are still held and old enough. Throws Refusal not_found, registry_invalid. */
async function greysOf (tx: Tx, ledger: Ledger, { card, counter }: GreyExpiry): Promise<StoredEvent[]> {
  const row = (await findCards(tx, [card])).get(cardKey(card))
  if (row === undefined) throw new Refusal('not_found', 'no such card was issued', '/card')
  const range = { bucket: row.bucket, cardId: row.cardId, purse: 2, from: counter, to: counter }
  const events = await findEvents(tx, [range])
  const greys = events.filter(event => event.evidence === 'grey' && event.reason === reasonNumbers.grey)
  if (greys.length === 0) throw new Refusal('not_found', `no grey record is held at counter ${counter}`)
  const { greyDays } = (await ledger.registry()).policies
  const youngest = Math.max(...await sinceWhen(tx, greys, await findFacts(tx, [range])))
  if (ledger.clock.now() - youngest < greyDays * 86_400_000) {
    const since = formatIso(youngest)
    throw new Refusal('too_early', `grey since ${since}; it expires after ${greyDays} days`)
  }
  return greys
}

/** When each happened; where its clock cannot be right and nobody has dated it, when it was told. */
async function sinceWhen (
  tx: Tx, greys: readonly StoredEvent[], facts: readonly ChainFact[]
): Promise<number[]> {
  const received = await receivedAt(tx, greys.map(({ deliveryNo }) => deliveryNo))
  return greys.map(({ content, firstReason, firstFindings, eventAtMs, deliveryNo }) => {
    const estimate = facts.findLast(fact => fact.kind === 'estimate' && fact.content?.equals(content))
    const findings = estimate?.findings ?? firstFindings ?? [firstReason]
    return findings.includes(reasonNumbers.clock_implausible)
      ? received.get(deliveryNo) ?? eventAtMs
      : estimate?.atMs ?? eventAtMs
  })
}
