// A card as whoever answers the telephone sees it; each look says why and stands in the audit log. It changes
// nothing.
import { formatIso } from '../../runtime/instants.ts'
import { cardMoveRow, isNamed, movesAlone } from '../../schemas/card-life.ts'
import type { CardLookView } from '../../schemas/card-look.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { stateWords, useWords } from '../core/card-words.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { requireOwnBranch, type Member } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { listedFor } from '../store/card-blocks.ts'
import { readLife } from '../store/card-life.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { readGuarded } from '../store/guarded.ts'
import { holderOfCard } from '../store/holders.ts'
import { lastUses } from '../store/last-uses.ts'
import { pendingOf } from '../store/loads.ts'
import type { CardPlace } from '../store/parameters.ts'
import { accountId } from '../store/registry.ts'
import { viewCard } from '../store/views.ts'
import { maskedPerson } from './personal-data.ts'
import { onlineKey } from './value.ts'

type LookBook = Pick<Ledger, 'db' | 'clock' | 'registry' | 'personal' | 'nameCard'>
const usesShown = 30

/** Throws Refusal not_found, other_branch. */
export async function lookAtCard (
  ledger: LookBook, by: Member, ref: CardRef, reason: string
): Promise<CardLookView> {
  return await inTransaction(ledger.db, async tx => {
    const known = (await findCards(tx, [ref])).get(cardKey(ref))
    const life = known === undefined ? null : await readLife(tx, known)
    if (life === null) throw new Refusal('not_found', 'no such card was issued')
    requireOwnBranch(by, [life.branch])
    const { type, state } = life
    const uses = await lastUses(tx, life, usesShown)
    const { policies: { anonymousLossReports } } = await ledger.registry(tx)
    const view = {
      card: ref, type, state, stateWords: stateWords[state], listed: await listedFor(tx, life),
      holder: await personOf(tx, ledger, life), money: await moneyOf(tx, ledger, ref, life),
      uses: uses.map(use => ({
        at: formatIso(use.atMs), counter: use.counter, amountFen: Number(use.amountFen), words: useWords(use)
      })),
      mayMove: movesAlone.filter(move => {
        const { from, by: roles, namedOnly } = cardMoveRow(move)
        const isTold = namedOnly !== true || isNamed(type) || anonymousLossReports
        return isTold && from.includes(state) && by.roles.some(role => roles.includes(role))
      })
    }
    await audit(tx, ledger.clock.now(), {
      by: by.name, action: 'card.look', subject: `card/${ledger.nameCard(ref)}`, detail: { reason }
    })
    return view
  })
}

async function personOf (
  tx: Tx, { personal }: LookBook, card: CardPlace
): Promise<CardLookView['holder']> {
  const row = await holderOfCard(tx, card)
  if (row === null) return null
  const { name, phone } = maskedPerson(personal.open(row.holder, row))
  return { holder: row.holder, name, phone }
}

/** What there is on a card and on its way there. */
export async function moneyOf (
  tx: Tx, { registry }: Pick<Ledger, 'registry'>, ref: CardRef, card: CardPlace
): Promise<CardLookView['money']> {
  const snapshot = await registry(tx)
  const view = (await viewCard(tx, card.bucket, ref))?.view
  const waitingFen = await pendingOf(tx, card, accountId(snapshot, 'commerce', 'pending-load'))
  const online = await readGuarded(tx, onlineKey(snapshot, card))
  return {
    chipFen: view?.purse.lastBalanceFen ?? 0, owedFen: view?.purse.shadowFen ?? 0,
    waitingFen: Number(waitingFen), onlineFen: Number(online?.balanceFen ?? 0n),
    openItems: view?.purse.openItems ?? 0
  }
}
