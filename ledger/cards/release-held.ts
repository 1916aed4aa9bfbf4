// Records that are held because another claims the same counter, or because their PSAM started over: people
// look at them and say whether the operator is paid. A decision is a fact of the chain: what is told later is
// judged with it, and the verdicts it changes are corrections in the open date.
import { Type, type Static } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { limits } from '../../schemas/limits.ts'
import { outcomeNumbers, reasonNumbers } from '../../schemas/reasons.ts'
import { cardKey, CardRef } from '../../schemas/record.ts'
import { reconsider } from '../intake/reconsider.ts'
import { reasonName } from '../judging/book.ts'
import type { Ledger } from '../ledger.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfCards, branchesOfParties } from '../store/branches.ts'
import { findCards } from '../store/cards.ts'
import type { Tx } from '../store/db.ts'
import { findEvents, type StoredEvent } from '../store/records.ts'

const HeldRelease = Type.Object({
  card: CardRef,
  counter: Type.Integer({ minimum: 1, maximum: limits.counterMax, description: 'committed counter' }),
  psam: Type.String({ pattern: '^[0-9A-F]{12}$', description: 'terminal number of its PSAM' }),
  sequence: Type.Integer({ minimum: 0, maximum: limits.sequenceMax, description: 'of its PSAM' }),
  to: Type.Union([Type.Literal('operator'), Type.Literal('nobody')], {
    description: 'operator: it is good, or the issuer bears it; nobody: the operator is owed nothing'
  })
}, { additionalProperties: false })
type HeldRelease = Static<typeof HeldRelease>

export const heldReleaseKind: ProposalKind = {
  body: HeldRelease,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, ledger, body: HeldRelease) => [
    ...await branchesOfCards(tx, [body.card]),
    ...await branchesOfParties(tx, [await operatorOf(ledger, await heldOf(tx, ledger, body)) ?? ''])
  ],
  subject: ({ card, counter, psam, sequence }: HeldRelease, { nameCard }) =>
    `held/card/${nameCard(card)}/${counter}/${psam}/${sequence}`,
  look: async (tx, ledger, body: HeldRelease) => {
    const held = await heldOf(tx, ledger, body)
    return {
      heldFor: reasonName(held.reason), amountFen: Number(held.amountFen), eventAt: formatIso(held.eventAtMs),
      operator: await operatorOf(ledger, held)
    }
  },
  carryOut: async (tx, ledger, body: HeldRelease, { proposalId, atMs }) => {
    const { bucket, cardId, purse, counter, content } = await heldOf(tx, ledger, body)
    const kind = body.to === 'operator' ? 'release' as const : 'rejection' as const
    const fact = {
      bucket, cardId, purse, counter, content, kind, atMs, balanceFen: null, findings: null,
      source: `proposal/${proposalId}`
    }
    return { changed: await reconsider(tx, ledger, [fact], atMs, [fact], { ranksAnew: true }) }
  }
}

const releasable: readonly number[] = [reasonNumbers.conflict, reasonNumbers.psam_regression]

/** Throws Refusal not_found where nothing of that is held for what people may decide. */
async function heldOf (
  tx: Tx, ledger: Pick<Ledger, 'registry'>, { card, counter, psam, sequence }: HeldRelease
): Promise<StoredEvent> {
  const row = (await findCards(tx, [card])).get(cardKey(card))
  if (row === undefined) throw new Refusal('not_found', 'no such card was issued', '/body/card')
  const { bucket, cardId } = row
  const psams = ((await ledger.registry()).psams.get(psam) ?? []).map(({ psamId }) => psamId)
  const events = await findEvents(tx, [1, 2].map(purse =>
    ({ bucket, cardId, purse, from: counter, to: counter })))
  const held = events.find(event => event.outcome === outcomeNumbers.held &&
    releasable.includes(event.reason) && psams.includes(event.psamId) && event.sequence === BigInt(sequence))
  if (held !== undefined) return held
  throw new Refusal('not_found', `no record ${psam}/${sequence} is held for a conflict or its PSAM`)
}

async function operatorOf (
  ledger: Pick<Ledger, 'registry'>, { terminalId }: StoredEvent
): Promise<string | null> {
  const { terminalById, partyById } = await ledger.registry()
  return partyById.get(terminalById.get(terminalId)?.partyId ?? -1)?.code ?? null
}
