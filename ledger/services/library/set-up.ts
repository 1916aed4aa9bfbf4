// What a library enters of itself: rules by their dates, books, readers with their cards. The past stays: a
// fine that has grown is not changed by rules that come later.
import { localDate } from '../../../runtime/instants.ts'
import type { LibraryCatalogue, LibraryRules } from '../../../schemas/library.ts'
import { cardKey } from '../../../schemas/record.ts'
import { canonical } from '../../core/canonical.ts'
import type { Ledger } from '../../ledger.ts'
import { audit } from '../../people/audit.ts'
import { hashPassword } from '../../people/sign-in.ts'
import { Refusal } from '../../refusal.ts'
import { findCards } from '../../store/cards.ts'
import { inTransaction, isTaken } from '../../store/db.ts'
import { readRules, upsertItems, upsertPatron, upsertRules } from '../../store/library.ts'
import { partyOf } from './reader.ts'

/** The first rules may begin whenever; later ones today at the earliest. Throws Refusal day_state. */
export async function setRules (
  ledger: Ledger, by: string, party: string, rules: LibraryRules
): Promise<void> {
  const partyId = await partyOf(ledger, party)
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const stand = await readRules(tx, partyId)
    const same = stand.find(({ from }) => from === rules.from)
    if (same !== undefined && canonical(same) === canonical(rules)) return
    if (stand.length > 0 && rules.from < localDate(atMs)) {
      throw new Refusal('day_state', `fines were counted by the rules of ${rules.from}: they stay`, '/from')
    }
    await upsertRules(tx, partyId, rules, by, atMs)
    await audit(tx, atMs, { by, action: 'library.rules', subject: `library/${party}`, detail: rules })
  })
}

export type Entered = { readonly items: number, readonly patrons: number, readonly rebound: number }

/** Throws Refusal registry_invalid for a card that is not ours, or another reader's. */
export async function enterCatalogue (
  ledger: Ledger, by: string, party: string, { items = [], patrons = [] }: LibraryCatalogue
): Promise<Entered> {
  const partyId = await partyOf(ledger, party)
  const atMs = ledger.clock.now()
  const hashes = await Promise.all(patrons.map(async ({ password }) =>
    password === undefined ? null : await hashPassword(password)))
  return await inTransaction(ledger.db, async tx => {
    await upsertItems(tx, partyId, items)
    const cards = await findCards(tx, patrons.map(({ card }) => card))
    let rebound = 0
    for (const [place, { patron, name, card, language = 'zh' }] of patrons.entries()) {
      const where = `/patrons/${place}/card`
      const known = cards.get(cardKey(card))
      if (known === undefined) {
        throw new Refusal('registry_invalid', `the card of ${patron} was not issued`, where)
      }
      const { bucket, cardId } = known
      const passwordHash = hashes[place] ?? null
      const row = { patron, name, language, passwordHash, token: card.serial, bucket, cardId }
      try {
        if (await upsertPatron(tx, partyId, row, atMs)) rebound += 1
      } catch (error) {
        if (!isTaken(error)) throw error
        throw new Refusal('registry_invalid', `the card of ${patron} is another reader's`, where)
      }
    }
    const detail = { items: items.length, patrons: patrons.length, rebound }
    await audit(tx, atMs, { by, action: 'library.catalogue', subject: `library/${party}`, detail })
    return detail
  })
}
