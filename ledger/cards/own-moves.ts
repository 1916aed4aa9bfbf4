// A holder stops a card that is lost, and takes that back, without anybody of the staff. It refuses to know
// cards of others.
import type { ownMoves } from '../../schemas/own.ts'
import type { CardRef } from '../../schemas/record.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction } from '../store/db.ts'
import { lockedCard, makeMove, requireMove, type LifeBook } from './card-life.ts'
import { ownLife, type Own } from './own.ts'

/** Throws Refusal not_found, conditions_not_met, holder_rule. */
export async function moveOwnCard (
  ledger: LifeBook, own: Own, ref: CardRef, move: typeof ownMoves[number]
): Promise<void> {
  await inTransaction(ledger.db, async tx => {
    await ownLife(tx, own, ref) // before it is locked: nobody keeps the card of another locked
    const life = await lockedCard(tx, ref)
    if (life.holderId !== own.holderId) throw new Refusal('not_found', 'you have no such card')
    await requireMove(tx, ledger, life, move)
    const reason = 'by the holder, in the portal'
    await makeMove(tx, ledger, { ref, life, move, by: `holder/${own.holder}`, reason })
  })
}
