// Blocking a listed card on its chip: signed only while the list holds the card for good, remembered until
// the chip has obeyed, and then told to others. It refuses to know how a chip is spoken to.
import type {
  BlockOutcome, BlockOutcomeReply, BlockReason, BlockReply, NewBlock
} from '../../schemas/card-block.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { cardKey } from '../../schemas/record.ts'
import { masked } from '../core/mask.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { Refusal } from '../refusal.ts'
import { decideBlock, findBlock, insertBlock, listedFor } from '../store/card-blocks.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction } from '../store/db.ts'
import { news, tell } from '../store/outbox.ts'
import { note } from './note.ts'

export type BlockBook = Pick<Ledger, 'db' | 'clock' | 'tac' | 'random'>

/** Entries of these kinds lift by themselves. */
const passing: ReadonlySet<string> = new Set(['oral_loss'])

const macBytes = 4

/** Throws Refusal unavailable, and request_conflict for a key that was used with another challenge. */
export async function askBlock (
  ledger: BlockBook, { client, block }: { readonly client: string, readonly block: NewBlock }
): Promise<BlockReply> {
  const { db, clock, tac } = ledger
  const { key, card: ref, challenge, form, keyVersion, operator, terminal } = block
  const no = (reason: BlockReason): BlockReply => ({ key, reason, mac: null })
  const card = (await findCards(db, [ref])).get(cardKey(ref))
  if (card === undefined) return no('card_unknown')
  const { command } = await tac.chip({
    ask: 'order', suite: card.suite, keyVersion, cardFactor: ref.serial.slice(4), challenge,
    order: { order: 'block_application', form }, pinNo: 0
  })
  return await inTransaction(db, async tx => {
    const clearingDate = await openDateOf(tx)
    const before = await findBlock(tx, card.bucket, client, key)
    if (before !== null && before.challenge.toString('hex').toUpperCase() !== challenge) {
      throw new Refusal('request_conflict', `${key} was used before with another challenge`, '/key')
    }
    const reason = await listedFor(tx, card)
    if (reason === null) return no('not_listed')
    if (passing.has(reason)) return no('listed_for_now')
    if (command === null) return no('key_unknown')
    if (before === null) {
      const { bucket, cardId } = card
      const atMs = clock.now()
      await note(tx, ledger, { table: 'card_block', clearingDate, atMs }, notedIn => insertBlock(tx, {
        bucket, cardId, client, key, operator, terminal, form, challenge: Buffer.from(challenge, 'hex'),
        listedFor: reason, state: 'open', requestedAtMs: atMs
      }, notedIn))
    }
    return { key, reason: 'ok', mac: hex(command.subarray(-macBytes)) }
  })
}

/** Throws Refusal not_found, unavailable. */
export async function tellBlock (
  ledger: BlockBook, { client, told }: { readonly client: string, readonly told: BlockOutcome }
): Promise<BlockOutcomeReply> {
  const { db, clock } = ledger
  const { key, card: ref, outcome } = told
  const card = (await findCards(db, [ref])).get(cardKey(ref))
  if (card === undefined) throw new Refusal('not_found', 'no such card was issued', '/card')
  return await inTransaction(db, async tx => {
    const clearingDate = await openDateOf(tx)
    const row = await findBlock(tx, card.bucket, client, key)
    if (row === null) throw new Refusal('not_found', `there is no block ${key}`, '/key')
    const atMs = clock.now()
    const written = await note(tx, ledger, { table: 'card_block', clearingDate, atMs }, notedIn =>
      decideBlock(tx, row, { state: outcome, atMs }, notedIn))
    const decided = written > 0
    if (decided && outcome === 'blocked') {
      const { operator, terminal, form, listedFor: why } = row
      const subject = `card/${masked(ref)}`
      const data = { card: masked(ref), operator, terminal, form, listedFor: why }
      await tell(tx, [news({ topic: 'card.blocked', subject, data, party: operator })], atMs)
    }
    return { key, state: decided ? outcome : row.state }
  })
}
