// Where a journey without an exit ended, as one person says and another agrees: the card is priced anew. It
// refuses to know prices.
import { Type, type Static } from 'typebox'
import { formatIso } from '../../../runtime/instants.ts'
import { Instant } from '../../../schemas/api.ts'
import { limits } from '../../../schemas/limits.ts'
import { bucketOf, cardKey, CardRef } from '../../../schemas/record.ts'
import { openDateOf } from '../../open-date.ts'
import type { ProposalKind } from '../../people/proposals.ts'
import { instantIn, Refusal } from '../../refusal.ts'
import { branchesOfCards } from '../../store/branches.ts'
import { findCards } from '../../store/cards.ts'
import type { Tx } from '../../store/db.ts'
import { upsertExit } from '../../store/fares.ts'
import { lockPurses } from '../../store/lock.ts'
import type { CardPlace } from '../../store/parameters.ts'
import { markDue } from '../../store/rides.ts'
import type { Ledger } from '../../ledger.ts'
import { journeysOf, type ExplainedJourney } from './explain-card.ts'

const ExitDecision = Type.Object({
  card: CardRef,
  entryCounter: Type.Integer({ minimum: 1, maximum: limits.counterMax }),
  stop: Type.String({ minLength: 1, maxLength: 64 }),
  at: Instant
}, { additionalProperties: false })
type ExitDecision = Static<typeof ExitDecision>

export const exitDecisionKind: ProposalKind = {
  body: ExitDecision,
  start: ['clerk'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { card }: ExitDecision) => await branchesOfCards(tx, [card]),
  subject: ({ card, entryCounter }: ExitDecision, { nameCard }) => `card/${nameCard(card)}/${entryCounter}`,
  look: async (tx, ledger, said: ExitDecision) => {
    const { journey } = await unfinished(tx, ledger, said)
    const { kind, service, operator, amountFen, day } = journey
    return { kind, service, operator, amountFen, day }
  },
  carryOut: async (tx, ledger, said: ExitDecision, { startedBy, approvedBy, atMs }) => {
    const { place, enteredMs } = await unfinished(tx, ledger, said)
    const { entryCounter, stop, at } = said
    const by = [startedBy, ...approvedBy].join(' + ')
    await upsertExit(tx, place, { entryCounter, stop, atMs: Date.parse(at) }, by, atMs)
    await markDue(tx, [{ ...place, fromMs: enteredMs }])
    return { entryCounter, stop, at: formatIso(Date.parse(at)) }
  }
}

type Unfinished = {
  readonly place: CardPlace, readonly journey: ExplainedJourney, readonly enteredMs: number
}

/** Locks the card. Throws Refusal not_found, conditions_not_met, body_invalid. */
async function unfinished (
  tx: Tx, ledger: Ledger, { card, entryCounter, at }: ExitDecision
): Promise<Unfinished> {
  await openDateOf(tx)
  const atMs = instantIn(at, '/body/at')
  const known = (await findCards(tx, [card])).get(cardKey(card))
  if (known === undefined) throw new Refusal('not_found', 'no such card is registered', '/body/card')
  const place = { bucket: bucketOf(card), cardId: known.cardId }
  await lockPurses(tx, [place])
  const { journeys, taps } = await journeysOf(tx, ledger, place, 0)
  const journey = journeys.find(({ counters }) => counters[0] === entryCounter)
  const entry = taps.find(({ counter }) => counter === entryCounter)
  if (journey === undefined || entry === undefined) {
    throw new Refusal('not_found', `no journey begins with counter ${entryCounter}`, '/body/entryCounter')
  }
  if (!['open', 'one_sided', 'corrected'].includes(journey.kind)) {
    throw new Refusal('conditions_not_met', `the journey is ${journey.kind}: its end is known`)
  }
  if (atMs < entry.atMs) throw new Refusal('body_invalid', 'it ends before it began', '/body/at')
  return { place, journey, enteredMs: entry.atMs }
}
