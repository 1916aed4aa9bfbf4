// Cards of accepted cities that were never registered here: the first record of one brings its row. It
// refuses to know verdicts and who owes for them.
import { uniqueBy } from '../../runtime/collections.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { everListed } from '../core/cities.ts'
import type { IncomingLine } from './incoming.ts'
import type { Ledger } from '../ledger.ts'
import { insertForeignCards } from '../store/cards.ts'
import type { Snapshot } from '../store/registry.ts'

/**
 * Gives cards of listed cities among `lines`, and among those of `plain` ones, their rows, before the
 * transaction that books the lines: one statement for all of them, none where there is no such card. Our own
 * cards stay as they are.
 */
export async function admitForeign (
  { db }: Pick<Ledger, 'db'>, { cities }: Snapshot, lines: readonly IncomingLine[], atMs: number,
  plain: readonly CardRef[] = []
): Promise<void> {
  if (cities.length === 0) return
  const isListed = everListed(cities)
  const refs = lines.flatMap(line =>
    line.readable && isListed(line.record.card.issuer) ? [line.record.card] : [])
    .concat(plain.filter(({ issuer }) => isListed(issuer)))
  if (refs.length > 0) await insertForeignCards(db, uniqueBy(refs, cardKey), atMs)
}
