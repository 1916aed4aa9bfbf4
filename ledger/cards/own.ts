// Cards as the person sees them whose they are. What is somebody else's is not there, and not told to be
// somewhere. It changes nothing.
import { addDays, formatIso, localDate } from '../../runtime/instants.ts'
import { cardMoveRow } from '../../schemas/card-life.ts'
import { ownMoves, type Notice, type OwnCardView, type OwnOverview } from '../../schemas/own.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { stateWords, useWords } from '../core/card-words.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { readLife, type LifeRow } from '../store/card-life.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { cardsOfHolder, findHolder, type HeldCard } from '../store/holders.ts'
import { lastUses } from '../store/last-uses.ts'
import { concessionsEnding, refundsSince, validityOf } from '../store/own.ts'
import type { CardPlace } from '../store/parameters.ts'
import { moneyOf } from './look.ts'
import { maskedPerson } from './personal-data.ts'

/** The person, as whoever is in. */
export type Own = { readonly holderId: bigint, readonly holder: string }

const usesShown = 30
/** How long a refund is told of, and how long before its end a concession is. */
const noticeDays = 30

/** A card of this person. Throws Refusal not_found for any other, there or not. */
export async function ownLife (db: Db | Tx, { holderId }: Own, ref: CardRef): Promise<LifeRow> {
  const known = (await findCards(db, [ref])).get(cardKey(ref))
  const life = known === undefined ? null : await readLife(db, known)
  if (life === null || life.holderId !== holderId) throw new Refusal('not_found', 'you have no such card')
  return life
}

export async function overviewOf (ledger: Ledger, { holderId, holder }: Own): Promise<OwnOverview> {
  return await inTransaction(ledger.db, async tx => {
    const cards = await cardsOfHolder(tx, holderId)
    const notices: Notice[] = []
    for (const card of cards) notices.push(...await noticesOf(tx, ledger, card))
    return {
      holder, notices, cards: cards.map(({ card, type, state, sinceMs }) =>
        ({ card, type, state, words: stateWords[state], since: formatIso(sinceMs) }))
    }
  })
}

async function noticesOf (tx: Tx, ledger: Ledger, { card, state }: HeldCard): Promise<Notice[]> {
  const place = (await findCards(tx, [card])).get(cardKey(card))
  if (place === undefined) return []
  const today = localDate(ledger.clock.now())
  const { waitingFen } = await moneyOf(tx, ledger, card, place)
  const granted = await refundsSince(tx, place, addDays(today, -noticeDays))
  const ending = await concessionsEnding(tx, place, today, addDays(today, noticeDays))
  const expiring = await expiryOf(tx, ledger, place, state, today)
  const plain = { card, amountFen: null, on: null }
  return [
    ...waitingFen > 0 ? [{ ...plain, kind: 'load_waiting' as const, amountFen: waitingFen }] : [],
    ...granted.map(({ amountFen, on }) =>
      ({ ...plain, kind: 'refund_granted' as const, amountFen: Number(amountFen), on })),
    ...['oral_loss', 'loss'].includes(state) ? [{ ...plain, kind: 'reported_lost' as const }] : [],
    ...ending.map(({ on }) => ({ ...plain, kind: 'concession_ends' as const, on })),
    ...expiring.map(one => ({ ...plain, ...one }))
  ]
}

/** Nobody carries such a card any more. */
const over: ReadonlySet<HeldCard['state']> = new Set(['void', 'cancelled'])

/** Told while the end is near, and when it is past. */
async function expiryOf (
  tx: Tx, { registry }: Pick<Ledger, 'registry'>, place: CardPlace, state: HeldCard['state'], today: string
): Promise<Pick<Notice, 'kind' | 'on'>[]> {
  const on = await validityOf(tx, place)
  if (on === null || over.has(state)) return []
  if (on < today) return [{ kind: 'card_expired', on }]
  const { policies: { cardExpiryNoticeDays } } = await registry(tx)
  return on <= addDays(today, cardExpiryNoticeDays) ? [{ kind: 'card_expires', on }] : []
}

/** Throws Refusal not_found. */
export async function ownCardView (ledger: Ledger, own: Own, card: CardRef): Promise<OwnCardView> {
  return await inTransaction(ledger.db, async tx => {
    const life = await ownLife(tx, own, card)
    const { type, state } = life
    const { chipFen, waitingFen, onlineFen } = await moneyOf(tx, ledger, card, life)
    const uses = await lastUses(tx, life, usesShown)
    const [last] = uses
    return {
      card, type, state, words: stateWords[state], validUntil: await validityOf(tx, life),
      money: { chipFen, waitingFen, onlineFen, asOf: last === undefined ? null : formatIso(last.atMs) },
      uses: uses.map(use => ({
        at: formatIso(use.atMs), counter: use.counter, amountFen: Number(use.amountFen), words: useWords(use)
      })),
      mayMove: ownMoves.filter(move => cardMoveRow(move).from.includes(state))
    }
  })
}

/** Its first character: whoever looks over a shoulder learns no more. */
export async function ownName (
  { db, personal }: Pick<Ledger, 'db' | 'personal'>, holder: string
): Promise<string> {
  const row = await findHolder(db, holder)
  return row === null ? '' : maskedPerson(personal.open(holder, row)).name
}
