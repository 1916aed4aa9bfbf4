// E: what chips hold against what the ledger owes their holders. A card may differ while records of it are
// open, where the issuer bears a debit, or where people took its value; a difference without such a reason is
// an item of its own.
import { differenceFen, reconcile, type Entry } from '../core/reconcile.ts'
import { purseAsChip } from '../core/proposed.ts'
import { readCardDifferences, readPopulation, type CardDifference } from '../store/comparisons.ts'
import { entry, evidenceOf, type LayerOfReconciliation } from './layer.ts'

const prefix = 'card-balance/'
const cardsMax = 10_000

export const cardLayer: LayerOfReconciliation = {
  layer: 'E',
  prefix,
  compare: async (tx, _ledger, { date }) => {
    const all = await readPopulation(tx)
    const { cards, explained } = await readCardDifferences(tx, cardsMax)
    const byKey = new Map(cards.map(card => [keyOf(card), card]))
    const chips = cards.reduce((sum, one) => sum + one.chipFen, 0n)
    const shadows = cards.reduce((sum, one) => sum + one.shadowFen, 0n)
    // All that agree, or have a reason not to, are one entry; each that differs is one of its own. Those
    // beyond the limit make the one entry differ.
    const rest = { count: Number(all.purses) - cards.length }
    const explainedFen = explained.shadowFen - explained.chipFen
    const left: Entry[] = [entry(`${prefix}others`, date, all.chipFen - chips, rest)]
    const right: Entry[] = [entry(`${prefix}others`, date, all.shadowFen - shadows - explainedFen, rest)]
    for (const card of cards) {
      left.push(entry(keyOf(card), date, card.chipFen))
      right.push(entry(keyOf(card), date, card.shadowFen))
    }
    return {
      matches: reconcile(left, right),
      itemOf: match => {
        const card = byKey.get(match.key)
        return {
          key: match.key, card: card ?? null,
          amountFen: differenceFen(match), evidence: evidenceOf(match),
          proposal: card && purseAsChip({ ...card, explainedFen: card.lossFen - card.takenFen })
        }
      },
      note: `${all.purses} purses: chips ${all.chipFen} fen, shadows ${all.shadowFen} fen, ` +
        `${all.differing} differ, ${explained.count} of them with a reason`
    }
  }
}

const keyOf = ({ bucket, cardId, purse }: CardDifference): string => `${prefix}${bucket}/${cardId}/${purse}`
