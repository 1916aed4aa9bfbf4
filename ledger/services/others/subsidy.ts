// Subsidies of pupils: what the bank received for them becomes theirs, many cards at once, by four eyes; each
// line of the bank once, in the campus book.
import { Type, type Static } from 'typebox'
import { limits } from '../../../schemas/limits.ts'
import { cardKey, CardRef } from '../../../schemas/record.ts'
import { headings } from '../../core/chart.ts'
import { openDateOf } from '../../open-date.ts'
import type { ProposalKind } from '../../people/proposals.ts'
import { postGuarded } from '../../posting/post-guarded.ts'
import { Refusal } from '../../refusal.ts'
import { knownReferences, lockBank } from '../../store/bank.ts'
import { findCards, type CardRow } from '../../store/cards.ts'
import type { Tx } from '../../store/db.ts'
import { guardedKey, openGuarded } from '../../store/guarded.ts'
import { byGuardedKey } from '../../store/lock.ts'
import { isDone } from '../../store/proposals.ts'
import { accountId } from '../../store/registry.ts'

const CampusSubsidy = Type.Object({
  bankReference: Type.String({ minLength: 1, maxLength: 64, description: 'of the bank line' }),
  cards: Type.Array(Type.Object({
    card: CardRef, amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax })
  }, { additionalProperties: false }), { minItems: 1, maxItems: 1_000 })
}, { additionalProperties: false })
type CampusSubsidy = Static<typeof CampusSubsidy>

const subjectOf = ({ bankReference }: CampusSubsidy): string => `campus/${bankReference}`

export const campusSubsidyKind: ProposalKind = {
  body: CampusSubsidy,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  subject: subjectOf,
  look: async (tx, _ledger, body: CampusSubsidy) => {
    await openDateOf(tx)
    await lockBank(tx)
    const known = await knownReferences(tx, 'campus', [body.bankReference])
    if (known.size > 0 || await isDone(tx, 'campus_subsidy', subjectOf(body))) {
      throw new Refusal('charge_conflict', `${body.bankReference} was booked before`, '/body/bankReference')
    }
    await cardsIn(tx, body)
    return { cards: body.cards.length, amountFen: body.cards.reduce((sum, one) => sum + one.amountFen, 0) }
  },
  carryOut: async (tx, ledger, body: CampusSubsidy, { atMs }) => {
    const clearingDate = await openDateOf(tx)
    const snapshot = await ledger.registry()
    const credit = accountId(snapshot, 'campus', 'campus-subsidy')
    const debit = accountId(snapshot, 'campus', 'custody-bank')
    const given = await cardsIn(tx, body)
    const keys = given.map(({ card }) => guardedKey({ accountId: credit, heading: 'campus-subsidy' }, card))
    await openGuarded(tx, keys.sort(byGuardedKey), headings['campus-subsidy'].floorFen, atMs)
    const transfers = given.map(({ card: { bucket, cardId }, amountFen }) => ({
      debit, credit, code: 'subsidy_credit' as const, book: 'campus' as const, bucket, cardId,
      eventAtMs: atMs, amountFen: BigInt(amountFen), corrects: null
    }))
    const { batchId, results: [result] } = await postGuarded(tx, {
      kind: 'requests', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1
    }, [{ transfers }], { accounts: snapshot.guarded, ceilingOf: () => null })
    if (result?.outcome !== 'posted') throw new Refusal('amount_wrong', 'an account takes no subsidy')
    return { batchId: Number(batchId) }
  }
}

/** Throws Refusal registry_invalid for a card that is not ours, or stands there twice. */
async function cardsIn (
  tx: Tx, { cards }: CampusSubsidy
): Promise<{ readonly card: CardRow, readonly amountFen: number }[]> {
  const known = await findCards(tx, cards.map(({ card }) => card))
  if (known.size < cards.length) {
    const at = cards.findIndex(({ card }, place) => !known.has(cardKey(card)) ||
      cards.findIndex(one => cardKey(one.card) === cardKey(card)) < place)
    throw new Refusal('registry_invalid', 'no such card, or it stands there twice', `/body/cards/${at}/card`)
  }
  return cards.map(({ card, amountFen }) => ({ card: known.get(cardKey(card)) as CardRow, amountFen }))
}
