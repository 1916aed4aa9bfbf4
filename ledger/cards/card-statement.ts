// The statement of a card's purse: what the ledger owed its holder before, what moved it, what it owes after,
// and what the chip itself said last. It refuses to know the holder.
import type { CardStatement } from '../../schemas/account.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { maskCards } from '../../runtime/log.ts'
import {
  accountCodes, boundOf, headView, lineView, placeAfter, type StatementAsked
} from '../posting/account-statement.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { cardLines } from '../store/card-lines.ts'
import { findCards } from '../store/cards.ts'
import { viewCard } from '../store/views.ts'

/** One page. Throws Refusal not_found, body_invalid. */
export async function cardStatement (
  ledger: Ledger, card: CardRef, { from, to, after, limit }: StatementAsked
): Promise<CardStatement> {
  const { db } = ledger
  const known = (await findCards(db, [card])).get(cardKey(card))
  const view = known === undefined ? null : (await viewCard(db, known.bucket, card))?.view ?? null
  if (known === undefined || view === null) throw new Refusal('not_found', 'no such card is registered')
  const bound = await boundOf(ledger, after)
  const rows = await cardLines(db, known, bound.known)
  const codes = await accountCodes(ledger)
  const key = maskCards(cardKey(card))
  let balanceFen = 0n
  const all = rows.map(row => {
    balanceFen += row.creditFen - row.debitFen
    return { row, view: { ...lineView(row, row.creditFen - row.debitFen, balanceFen, codes), card: key } }
  })
  const within = all.filter(({ row }) => row.clearingDate >= from && row.clearingDate <= to)
  const before = all.filter(({ row }) => row.clearingDate < from)
  const page = within.filter(({ row }) => bound.place === null ||
    row.clearingDate > bound.place.date ||
    (row.clearingDate === bound.place.date && row.transferId > bound.place.transferId)).slice(0, limit)
  const openingFen = before.at(-1)?.view.balanceFen ?? 0
  return {
    card: key, from, to, known: headView(bound.known), openingFen,
    closingFen: within.at(-1)?.view.balanceFen ?? openingFen, chipFen: view.purse.lastBalanceFen,
    lines: page.map(one => one.view),
    next: page.length < limit ? null : placeAfter(page.at(-1)?.row, bound.known)
  }
}
