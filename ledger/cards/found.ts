// Cards that somebody found and brought: where they lie until whoever lost them fetches them. It refuses to
// know how their owners are told.
import { formatIso } from '../../runtime/instants.ts'
import type { FoundCardView } from '../../schemas/card-return.ts'
import type { CardRef } from '../../schemas/record.ts'
import { masked } from '../core/mask.ts'
import { audit } from '../people/audit.ts'
import type { Member } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { insertFound, lastFound, noteFetched, type FoundRow } from '../store/card-ends.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { news, tell } from '../store/outbox.ts'
import { lockedCard, lockedLife, type LifeBook } from './card-life.ts'

/** Whoever finds a card may be from anywhere: branches do not count. Throws Refusal not_found. */
export async function takeFound (
  ledger: LifeBook, by: Member, ref: CardRef, place: string
): Promise<FoundCardView> {
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const life = await lockedCard(tx, ref)
    await noteFetched(tx, life, atMs) // it was lost again
    await insertFound(tx, life, { place, by: by.name, atMs })
    const data = { card: masked(ref), place, holder: life.holder }
    await tell(tx, [news({ topic: 'card.found', subject: `card/${masked(ref)}`, data, party: null })], atMs)
    const subject = `card/${ledger.nameCard(ref)}`
    await audit(tx, atMs, { by: by.name, action: 'card.found', subject, detail: { place } })
    return await last(tx, life)
  })
}

/** Throws Refusal not_found, other_branch, conditions_not_met where it does not lie anywhere. */
export async function handOutFound (ledger: LifeBook, by: Member, ref: CardRef): Promise<FoundCardView> {
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const life = await lockedLife(tx, by, ref)
    if (!await noteFetched(tx, life, atMs)) {
      throw new Refusal('conditions_not_met', 'nobody brought this card')
    }
    const subject = `card/${ledger.nameCard(ref)}`
    await audit(tx, atMs, { by: by.name, action: 'card.fetched', subject })
    return await last(tx, life)
  })
}

async function last (tx: Tx, card: Parameters<typeof lastFound>[1]): Promise<FoundCardView> {
  const row = await lastFound(tx, card)
  if (row === null) throw new Error('a card that was found is not there')
  return shownFound(row)
}

export const shownFound = (
  { foundNo: _, foundBy, foundAtMs, fetchedAtMs, ...row }: FoundRow
): FoundCardView => ({
  ...row, by: foundBy, foundAt: formatIso(foundAtMs),
  fetchedAt: fetchedAtMs === null ? null : formatIso(fetchedAtMs)
})
