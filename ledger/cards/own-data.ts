// All that the ledger knows of a resident, for himself, in one document. It stands in the audit log.
import { addDays, formatIso, localDate } from '../../runtime/instants.ts'
import { limits } from '../../schemas/limits.ts'
import type { OwnData } from '../../schemas/own-data.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { ownCaseView } from '../redress/cases.ts'
import { Refusal } from '../refusal.ts'
import { ownServices } from '../services/own-services.ts'
import { casesOf } from '../store/cases.ts'
import { inTransaction } from '../store/db.ts'
import { cardsOfHolder, findHolder } from '../store/holders.ts'
import { ownCardView, ownLife, type Own } from './own.ts'

const daysShown = 366

export type JourneysOf = (
  card: Parameters<typeof ownServices>[1], place: Parameters<typeof ownServices>[2],
  days: { readonly from: string, readonly until: string }
) => Promise<OwnData['cards'][number]['journeys']>

/** Journeys of the last year; `journeysOf` shows them. Throws Refusal not_found. */
export async function ownData (ledger: Ledger, own: Own, journeysOf: JourneysOf): Promise<OwnData> {
  const { db, clock, personal } = ledger
  const atMs = clock.now()
  const until = localDate(atMs)
  const row = await findHolder(db, own.holder)
  if (row === null) throw new Refusal('not_found', 'you are not entered any more')
  const cards: OwnData['cards'] = []
  for (const { card } of await cardsOfHolder(db, own.holderId)) {
    const place = await ownLife(db, own, card)
    const [view, services, journeys] = [
      await ownCardView(ledger, own, card), await ownServices(ledger, card, place),
      await journeysOf(card, place, { from: addDays(until, -daysShown), until })]
    cards.push({ view, services, journeys })
  }
  const cases = await casesOf(db, own.holderId, { before: null, limit: limits.pageItemsMax })
  await inTransaction(db, async tx => {
    const by = `holder/${own.holder}`
    await audit(tx, atMs, { by, action: 'holder.export', subject: by })
  })
  return {
    madeAt: formatIso(atMs), holder: own.holder, registeredAt: formatIso(row.registeredAtMs),
    person: personal.open(own.holder, row), cards, cases: cases.map(ownCaseView)
  }
}
