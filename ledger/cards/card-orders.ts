// What staff order for a chip: kept until a lane has the card, signed for the challenge of its chip as often
// as it takes, ended by what the chip says. It refuses to know how a chip is spoken to, and keys.
import type {
  NewCardOrder, OrderAsk, OrderOutcome, OrderOutcomeReply, OrderReply, OrderWish, PinLetter
} from '../../schemas/card-order.ts'
import type { Order } from '../../schemas/epurse/maintenance.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { masked } from '../core/mask.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { audit } from '../people/audit.ts'
import { requireOwnBranch, type Member } from '../people/proposals.ts'
import { note } from '../posting/note.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfCards } from '../store/branches.ts'
import { listedFor } from '../store/card-blocks.ts'
import {
  decideOrder, findOrder, findSignature, insertOrder, insertSignature, lockOrder, lockWaiting, nextOrderId,
  type CardOrderRow, type SignatureRow
} from '../store/card-orders.ts'
import { findCards, keyVersionOf, type CardRow } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { cardsOf } from '../store/loads.ts'
import { news, tell } from '../store/outbox.ts'

export type OrderBook = Pick<Ledger, 'db' | 'clock' | 'tac' | 'random' | 'nameCard'>

/**
 * Its number. Throws Refusal not_found, other_branch, conditions_not_met where the same is waiting already.
 */
export async function orderForCard (
  ledger: OrderBook, by: Member, { card: ref, order: wish, reason }: NewCardOrder
): Promise<bigint> {
  const { db, clock, nameCard } = ledger
  const card = await cardNamed(ledger, ref)
  const atMs = clock.now()
  return await inTransaction(db, async tx => {
    const clearingDate = await openDateOf(tx)
    requireOwnBranch(by, await branchesOfCards(tx, [ref]))
    const waiting = await lockWaiting(tx, card)
    if (waiting.some(one => one.wish.name === wish.name)) {
      throw new Refusal('conditions_not_met', `${wish.name} waits for this card already`, '/order')
    }
    const orderId = await nextOrderId(tx)
    const { bucket, cardId } = card
    await note(tx, ledger, { table: 'card_order', clearingDate, atMs }, notedIn => insertOrder(tx, {
      bucket, orderId, cardId, wish, reason, orderedBy: by.name, orderedAtMs: atMs
    }, notedIn))
    const detail = { order: Number(orderId), name: wish.name, reason }
    const subject = `card/${nameCard(ref)}`
    await audit(tx, atMs, { by: by.name, action: 'card.order', subject, detail })
    return orderId
  })
}

/** Throws Refusal not_found, other_branch, conditions_not_met where a chip has said what it did. */
export async function withdrawOrder (ledger: OrderBook, by: Member, orderId: bigint): Promise<void> {
  const { db, clock, nameCard } = ledger
  const atMs = clock.now()
  const { row, ref } = await orderNamed(ledger, orderId)
  await inTransaction(db, async tx => {
    const clearingDate = await openDateOf(tx)
    requireOwnBranch(by, await branchesOfCards(tx, [ref]))
    const now = await lockOrder(tx, row)
    if (now?.state === 'withdrawn') return
    if (now?.state !== 'waiting') {
      throw new Refusal('conditions_not_met', `the chip has ${now?.state ?? 'been asked'}`, '/order')
    }
    await note(tx, ledger, { table: 'card_order', clearingDate, atMs }, notedIn =>
      decideOrder(tx, row, { state: 'withdrawn', sw: null, atMs }, notedIn))
    const detail = { order: Number(orderId) }
    const subject = `card/${nameCard(ref)}`
    await audit(tx, atMs, { by: by.name, action: 'card.order_withdraw', subject, detail })
  })
}

/* ---- at a lane ---- */

/**
 * The oldest order that may be carried out now, as the chip wants it. A chip that was signed for and never
 * heard of is signed for anew. Throws Refusal request_conflict.
 */
export async function nextForCard (
  ledger: OrderBook, { client, asked }: { readonly client: string, readonly asked: OrderAsk }
): Promise<OrderReply> {
  const { db } = ledger
  const { key, card: ref, challenge } = asked
  const nothing: OrderReply = { key, order: null }
  const card = (await findCards(db, [ref])).get(cardKey(ref))
  if (card === undefined) return nothing
  return await inTransaction(db, async tx => {
    const clearingDate = await openDateOf(tx)
    const waiting = await lockWaiting(tx, card)
    const before = await findSignature(tx, card.bucket, client, key)
    requireSame(before, asked)
    const isListed = await listedFor(tx, card) !== null
    const row = before === null
      ? waiting.find(({ wish }) => mayBeDone(wish, isListed))
      : waiting.find(({ orderId }) => orderId === before.orderId)
    if (row === undefined) return nothing
    const command = await sign(tx, ledger, card, { ref, row, challenge })
    if (command === null) return nothing
    if (before === null) await keepSignature(tx, ledger, { client, asked, row, clearingDate })
    return { key, order: { name: row.wish.name, command } }
  })
}

/** What the list has blocked is not opened under its eyes. */
const mayBeDone = ({ name }: OrderWish, isListed: boolean): boolean =>
  !(isListed && name === 'unblock_application')

function requireSame (before: SignatureRow | null, { key, challenge }: OrderAsk): void {
  if (before === null || before.challenge.toString('hex').toUpperCase() === challenge) return
  throw new Refusal('request_conflict', `${key} was used before with another challenge`, '/key')
}

/** Null where the store has no key of that version. */
async function sign (tx: Tx, { tac }: OrderBook, card: CardRow, { ref, row, challenge }: {
  readonly ref: CardRef, readonly row: CardOrderRow, readonly challenge: string
}): Promise<string | null> {
  const { command } = await tac.chip({
    ask: 'order', suite: card.suite, keyVersion: await keyVersionOf(tx, card),
    cardFactor: ref.serial.slice(4), order: orderOf(row.wish), challenge, pinNo: Number(row.orderId)
  })
  return command === null ? null : Buffer.from(command).toString('hex').toUpperCase()
}

const orderOf = (wish: OrderWish): Order => {
  switch (wish.name) {
    case 'block_application': return { order: wish.name, form: wish.form }
    case 'update_binary': {
      const { name, sfi, offset, data } = wish
      return { order: name, sfi, offset, data }
    }
    default: return { order: wish.name }
  }
}

async function keepSignature (tx: Tx, ledger: OrderBook, { client, asked, row, clearingDate }: {
  readonly client: string, readonly asked: OrderAsk, readonly row: CardOrderRow
  readonly clearingDate: string
}): Promise<void> {
  const { key, operator, terminal, challenge } = asked
  const { bucket, orderId } = row
  const atMs = ledger.clock.now()
  const signature = {
    bucket, client, key, orderId, operator, terminal, challenge: Buffer.from(challenge, 'hex'),
    signedAtMs: atMs
  }
  await note(tx, ledger, { table: 'card_order_signature', clearingDate, atMs }, notedIn =>
    insertSignature(tx, signature, notedIn))
}

/**
 * The first news of an order decides. A chip that was not heard of at first may have obeyed then: what it
 * says to the same order again tells that, too. Throws Refusal not_found.
 */
export async function tellOrder (
  ledger: OrderBook, { client, told }: { readonly client: string, readonly told: OrderOutcome }
): Promise<OrderOutcomeReply> {
  const { db, clock } = ledger
  const { key, card: ref, sw } = told
  const card = await cardNamed(ledger, ref)
  const atMs = clock.now()
  return await inTransaction(db, async tx => {
    const clearingDate = await openDateOf(tx)
    const signature = await findSignature(tx, card.bucket, client, key)
    const row = signature === null ? null : await lockOrder(tx, signature)
    if (signature === null || row === null || row.cardId !== card.cardId) {
      throw new Refusal('not_found', `nothing was signed as ${key}`, '/key')
    }
    const state = outcomeOf(row, told)
    const written = await note(tx, ledger, { table: 'card_order', clearingDate, atMs }, notedIn =>
      decideOrder(tx, row, { state, sw, atMs }, notedIn))
    if (written > 0) {
      const { operator, terminal } = signature
      const data = {
        card: masked(ref), order: Number(row.orderId), name: row.wish.name, outcome: state, operator, terminal
      }
      const subject = `card/${masked(ref)}`
      await tell(tx, [news({ topic: 'card.obeyed', subject, data, party: operator })], atMs)
    }
    return { key, outcome: written > 0 ? state : heardBefore(row, told) }
  })
}

type Told = OrderOutcomeReply['outcome']

const outcomeOf = (row: CardOrderRow, { outcome, sw }: OrderOutcome): Told =>
  outcome === 'refused' && row.signed > 1 && row.wish.name === 'unblock_application' && sw === isOpenAlready
    ? 'obeyed'
    : outcome

/** What a chip that is not locked says to APPLICATION UNBLOCK. */
const isOpenAlready = '6985'

const heardBefore = ({ state }: CardOrderRow, { outcome }: OrderOutcome): Told =>
  state === 'obeyed' || state === 'refused' ? state : outcome

/* ---- the PIN that a chip has got ---- */

const pinShownForMs = 24 * 3_600_000

/**
 * For the clerk who tells it to the holder, within a day. Throws Refusal not_found, other_branch,
 * conditions_not_met.
 */
export async function readPin (ledger: OrderBook, by: Member, orderId: bigint): Promise<PinLetter> {
  const { db, clock, tac, nameCard } = ledger
  const { row, ref } = await orderNamed(ledger, orderId)
  requireOwnBranch(by, await branchesOfCards(db, [ref]))
  const atMs = clock.now()
  const isFresh = row.decidedAtMs !== null && atMs - row.decidedAtMs <= pinShownForMs
  if (row.wish.name !== 'unblock_pin' || row.state !== 'obeyed' || !isFresh) {
    throw new Refusal('conditions_not_met', 'no chip has got a PIN by this order within a day', '/order')
  }
  const card = await cardNamed(ledger, ref)
  const { pin } = await tac.chip({
    ask: 'pin', suite: card.suite, keyVersion: await keyVersionOf(db, card), cardFactor: ref.serial.slice(4),
    pinNo: Number(orderId)
  })
  if (pin === null) throw new Refusal('conditions_not_met', 'the key of its PINs is not there', '/order')
  const detail = { order: Number(orderId) }
  await inTransaction(db, tx =>
    audit(tx, atMs, {
      by: by.name, action: 'card.pin_shown', subject: `card/${nameCard(ref)}`, detail
    }))
  return { order: Number(orderId), pin }
}

/* ---- finding ---- */

async function cardNamed ({ db }: OrderBook, ref: CardRef): Promise<CardRow> {
  const card = (await findCards(db, [ref])).get(cardKey(ref))
  if (card === undefined) throw new Refusal('not_found', 'no such card was issued', '/card')
  return card
}

async function orderNamed (
  { db }: OrderBook, orderId: bigint
): Promise<{ readonly row: CardOrderRow, readonly ref: CardRef }> {
  const row = await findOrder(db, orderId)
  const ref = row === null ? undefined : (await cardsOf(db, [row])).get(row.cardId)
  if (row === null || ref === undefined) throw new Refusal('not_found', `there is no order ${orderId}`)
  return { row, ref }
}
