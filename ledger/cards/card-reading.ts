// A card is read at a counter: its committed counter and its balance say what became of grey records. The
// reading is kept and counts for records that arrive later too. A TAC that the chip remembers is kept for the
// watch, which holds it against grey records.
import { maskCards } from '../../runtime/log.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import type { CardReading } from '../../schemas/watch.ts'
import { audit } from '../people/audit.ts'
import type { Ledger } from '../ledger.ts'
import { reconsider } from '../intake/reconsider.ts'
import { Refusal } from '../refusal.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { insertLastTacs } from '../store/last-tacs.ts'
import type { CardPlace } from '../store/parameters.ts'

/** How many verdicts are others now. Throws Refusal not_found. */
export async function readCardAtCounter (
  ledger: Pick<Ledger, 'db' | 'clock' | 'registry' | 'random'>, card: CardRef,
  { counter, balanceFen, lastTac }: CardReading, by: string
): Promise<number> {
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    const row = (await findCards(tx, [card])).get(cardKey(card))
    if (row === undefined) throw new Refusal('not_found', 'no such card was issued')
    const changed = await takeReading(tx, ledger, row, { counter, balanceFen }, by, atMs)
    const key = { bucket: row.bucket, cardId: row.cardId, purse: 2 }
    const told = lastTac === undefined ? [] : [{ ...key, counter, tac: Buffer.from(lastTac, 'hex') }]
    await insertLastTacs(tx, told, { source: by, atMs })
    const subject = `card/${maskCards(cardKey(card))}`
    const detail = { counter, balanceFen, changed, ...lastTac === undefined ? {} : { lastTac } }
    await audit(tx, atMs, { by, action: 'card.read', subject, detail })
    return changed
  })
}

/**
 * The reading becomes a fact of the chain, and what it says of grey records is done. How many verdicts are
 * others now.
 */
export async function takeReading (
  tx: Tx, ledger: Pick<Ledger, 'registry' | 'random'>, { bucket, cardId }: CardPlace,
  { counter, balanceFen }: Pick<CardReading, 'counter' | 'balanceFen'>, by: string, atMs: number
): Promise<number> {
  const key = { bucket, cardId, purse: 2 }
  const reading = {
    ...key, counter, kind: 'reading' as const, atMs, content: null, balanceFen: BigInt(balanceFen),
    findings: null, source: by
  }
  // It speaks of the use of its counter, and of an attempt at the next one.
  const keys = [{ ...key, counter }, { ...key, counter: counter + 1 }]
  return await reconsider(tx, ledger, keys, atMs, [reading])
}
