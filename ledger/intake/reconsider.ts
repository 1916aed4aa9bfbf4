// Judges events that are stored already once more, because something else than a record has changed what is
// known: a proof about their PSAM, a card read at a counter, a decision of people. Verdicts that turn out
// otherwise are corrections in the open date, each naming its original.
import { raiseAlerts } from '../alerts.ts'
import { committedAdjustments, transfersOf } from './book-lines.ts'
import { adjustmentsDigest } from '../core/items.ts'
import type { Known } from '../judging/book.ts'
import { judge } from '../judging/judge.ts'
import type { Group, Sorted } from '../judging/sort-out.ts'
import { purseText } from '../judging/sort-out.ts'
import type { Ledger } from '../ledger.ts'
import { groupBy, uniqueBy } from '../../runtime/collections.ts'
import { reasonNumbers } from '../../schemas/reasons.ts'
import { readContext, readKnown, type OtherCard } from './read-known.ts'
import { changedAlerts } from './tell-watch.ts'
import { noteTakenBack } from '../redress/take-back.ts'
import { Refusal } from '../refusal.ts'
import { findCardsById, markBeyond, movePurses } from '../store/cards.ts'
import { DecideAgain, type Tx } from '../store/db.ts'
import { insertFacts, type ChainFact } from '../store/facts.ts'
import { lockPurses, openDate, type PurseRow } from '../store/lock.ts'
import { insertNews } from '../store/news.ts'
import { markRidden } from '../store/rides.ts'
import { nextBatchId, postBatch } from '../store/post.ts'
import { insertAdjustments, resetTops, type ChipKey } from '../store/records.ts'
import { storeReuses } from '../store/sequences.ts'

/**
 * Stores what is added to the chains and judges the events at `keys` and around them with it. How many
 * verdicts are others now. `ranksAnew`: also which of the claims on a counter or a sequence stands.
 */
export async function reconsider (
  tx: Tx, ledger: Pick<Ledger, 'registry' | 'random'>, keys: readonly ChipKey[], atMs: number,
  newFacts: readonly ChainFact[] = [], { ranksAnew = false }: { readonly ranksAnew?: boolean } = {}
): Promise<number> {
  if (keys.length === 0) return 0
  const date = await openDate(tx)
  if (date === null) throw new Refusal('unavailable', 'no clearing date is set yet')
  const purses = await lockPurses(tx, uniqueBy(keys, key => key.cardId))
  const cards = new Map((await findCardsById(tx, uniqueBy(keys, key => key.cardId)))
    .map(card => [card.cardId, card]))
  const purseOf = new Map(purses.map(purse => [purseText(purse), purse]))
  const careful = [...groupBy(keys, purseText)].map(([text, of]): Group => {
    const [{ counter: _, ...key }] = of as [ChipKey]
    const card = cards.get(key.cardId)
    return {
      key, purse: purseOf.get(text) ?? null, told: [], again: of.map(({ counter }) => counter),
      opening: { counter: card?.openedCounter ?? 0, balanceFen: card?.openedFen ?? 0n }
    }
  })
  const sorted = { unreadable: [], cardless: [], plain: [], careful }
  const given = { kind: 'json' as const, receivedAtMs: atMs, date }
  const snapshot = await ledger.registry()
  const context = await readContext(tx, snapshot, nothing, given)
  const known = ranksAnew ? await readRanked(tx, sorted, purses) : await readKnown(tx, sorted, purses, null)
  const decision = judge(sorted, { ...known, newFacts }, context)
  if (decision === 'collision') throw new Error('events without news collide')
  await insertFacts(tx, newFacts)
  await storeReuses(tx, decision.reuses)
  const batchId = await nextBatchId(tx)
  await insertNews(tx, batchId, { runs: [], purses: careful.map(({ key }) => key), tops: [] })
  if (decision.adjustments.length === 0) return 0
  const { transfers, takenBack } = await transfersOf(tx, decision.journals, null)
  await insertAdjustments(tx, batchId, date, decision.adjustments)
  await movePurses(tx, decision.moves)
  await resetTops(tx, decision.retop, reasonNumbers.conflict)
  await markBeyond(tx, [...decision.beyond, ...decision.retop])
  const { transferIds } = await postBatch(tx, {
    kind: 'correction', reopens: true, clearingDate: date, createdAtMs: atMs, salt: ledger.random(16),
    itemsDigest: adjustmentsDigest(committedAdjustments(decision)),
    items: decision.adjustments.length, transfers
  }, batchId)
  await noteTakenBack(tx, takenBack, transferIds, { date, atMs })
  await markRidden(tx, decision.adjustments.map(({ event }) => event))
  await raiseAlerts(tx, await changedAlerts(tx, snapshot, decision.adjustments, date), atMs)
  return decision.adjustments.length
}

const nothing = { psamIds: [], terminalIds: [], cards: [] }

/** With who else claims the same keys. Their purses are locked out of order: a deadlock is tried again. */
async function readRanked (tx: Tx, sorted: Sorted, purses: readonly PurseRow[]): Promise<Known> {
  let locked = purses
  for (;;) {
    let missing: readonly OtherCard[] = []
    const lockAlso = (cards: readonly OtherCard[]): never => {
      missing = cards
      throw new DecideAgain('other cards are touched')
    }
    try {
      return await readKnown(tx, sorted, locked, { lockAlso })
    } catch (error) {
      if (!(error instanceof DecideAgain)) throw error
      locked = [...locked, ...await lockPurses(tx, missing)]
    }
  }
}
