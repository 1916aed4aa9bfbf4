// Prices the cards of which something new is known and books what follows: what comes back to holders, parts
// of operators, claims on the treasury. When it runs decides only how soon; what stands afterwards is a
// function of what is known. It refuses to know why a card is due.
import { groupBy } from '../../../runtime/collections.ts'
import { limits } from '../../../schemas/limits.ts'
import type { Entitlement } from '../../../schemas/tariff/journey.ts'
import { type Fares, versionAt } from '../../../schemas/tariff/fares.ts'
import { dateOf, transitDay } from '../../../schemas/tariff/periods.ts'
import type { Ledger } from '../../ledger.ts'
import { inTransaction, type Db, type Tx } from '../../store/db.ts'
import {
  insertEntries, readCardTypes, readExits, readRights, readStanding, replaceDays, type FareEntry,
  type Standing
} from '../../store/fares.ts'
import { predecessorsOf, successorsOf, type Predecessor } from '../../store/card-ends.ts'
import { lockPurses, openDate } from '../../store/lock.ts'
import type { CardPlace } from '../../store/parameters.ts'
import { readCodeRides, readCodesRidden } from '../../store/phone-codes.ts'
import { postBatch, type NewTransfer } from '../../store/post.ts'
import { accountId, type Snapshot } from '../../store/registry.ts'
import { findDue, markDue, readRidden, readRides, takeDue, type DueCard } from '../../store/rides.ts'
import { changesTo, keyOf, type Claim, type Consequences } from './claims.ts'
import { codeCounter, consequencesOfCard, type CardHistories } from './code-rides.ts'

export type Pricing = Pick<Ledger, 'db' | 'clock' | 'registry' | 'random'>

const cardsAtOnce = 200

/** How many cards were priced. */
export async function priceDueCards (ledger: Pricing): Promise<number> {
  let priced = 0
  for (;;) {
    const due = await findDue(ledger.db, cardsAtOnce)
    if (due.length === 0) return priced
    const done = await inTransaction(ledger.db, tx => priceSome(tx, ledger, due))
    if (done === null) return priced
    priced += done
  }
}

/** Null before the first clearing date. */
async function priceSome (
  tx: Tx, { clock, random, registry }: Pricing, cards: readonly CardPlace[]
): Promise<number | null> {
  const clearingDate = await openDate(tx)
  if (clearingDate === null) return null
  await lockPurses(tx, cards)
  const due = await takeDue(tx, cards)
  await markDue(tx, await successorsOf(tx, due)) // what their cards were before is part of their history
  const snapshot = await registry() // after that: a tariff that has marked a card must be seen
  if (due.length === 0 || snapshot.fares.length === 0) return due.length
  const histories = await historiesOf(tx, due.map(card => earlier(card, dependsOnDays)))
  const recent = due.map(card => earlier(card, openDaysMax + 1))
  const codes = await readCodesRidden(tx, recent)
  const changed = [
    ...await readRidden(tx, recent), ...codes.map(({ cardId, no }) => ({ cardId, counter: codeCounter(no) }))]
  const ridden = groupBy(changed, one => one.cardId)
  const standing = groupBy(await readStanding(tx, due), one => one.cardId)
  const priced = due.map(card => changesOf(snapshot.fares, card, {
    history: histories(card.cardId),
    ridden: new Set(ridden.get(card.cardId)?.map(({ counter }) => counter)),
    standing: standing.get(card.cardId) ?? []
  }))
  // From here on nothing is decided any more.
  await book(tx, snapshot, priced, { clearingDate, atMs: clock.now(), salt: random(16) })
  await replaceDays(tx, priced, priced.flatMap(({ bucket, cardId, fromDay, days }) =>
    days.filter(({ day, dueFen, paidFen, taps }) =>
      day >= fromDay && dueFen !== paidFen && taps.some(({ counter }) => counter > 0))
      .map(day => ({ bucket, cardId, ...day }))))
  return due.length
}

/* ---- what is known of cards ---- */

/**
 * What a price depends on began at most a month before (ladders), and what that depends on at most seven days
 * (transfers, open trips) before that.
 */
export const dependsOnDays = 62
/** As long as a trip may be open. */
const openDaysMax = 7

const earlier = (card: DueCard, days: number): DueCard =>
  ({ ...card, fromMs: card.fromMs - days * 86_400_000 })

/**
 * Answers the history of each of the cards from its instant on. Whoever has another card goes on where the
 * one before it ended: its taps are part of the history, under counters below zero, so that none is taken for
 * a tap of the new card; what follows from them stays with the old one.
 */
export async function historiesOf (
  db: Db | Tx, cards: readonly DueCard[]
): Promise<(cardId: bigint) => CardHistories> {
  const before = await predecessorsOf(db, cards)
  const all = withEarlier(cards, before)
  const lines = groupBy(before, ({ of }) => of)
  const rides = groupBy(await readRides(db, all), one => one.cardId)
  const codes = groupBy(await readCodeRides(db, all), one => one.cardId)
  const exits = groupBy(await readExits(db, all), one => one.cardId)
  const rights = groupBy(await readRights(db, cards), one => one.cardId)
  const types = new Map((await readCardTypes(db, cards)).map(one => [one.cardId, one.cardType]))
  return cardId => {
    const line = [...lines.get(cardId) ?? [], { cardId, level: 0 }]
    return {
      taps: line.flatMap(own => (rides.get(own.cardId) ?? [])
        .map(({ bucket: _, cardId: __, paidFen, counter, ...tap }) =>
          ({ ...tap, counter: earlierCounter(counter, own), paidFen: Number(paidFen) }))),
      codes: line.flatMap(own => (codes.get(own.cardId) ?? [])
        .map(({ bucket: _, cardId: __, paidFen, no, ...tap }) =>
          ({ ...tap, counter: earlierCode(codeCounter(no), own), paidFen: Number(paidFen) }))),
      entitlements: entitlementsOf(rights.get(cardId) ?? [], types.get(cardId) ?? null),
      corrections: line.flatMap(own => (exits.get(own.cardId) ?? []).map(({ entryCounter, stop, atMs }) =>
        ({ entryCounter: earlierCounter(entryCounter, own), stop, atMs })))
    }
  }
}

const earlierCounter = (counter: number, { level }: Pick<Predecessor, 'level'>): number =>
  counter - level * (limits.counterMax + 1)

/** Below zero, and of no other: instants say the order of codes. */
const earlierCode = (counter: number, { level }: Pick<Predecessor, 'level'>): number =>
  counter - level * 1_000_000_000

/** Each card once, from the earliest instant that somebody asks for. */
function withEarlier (cards: readonly DueCard[], before: readonly Predecessor[]): DueCard[] {
  const fromOf = new Map(cards.map(card => [card.cardId, card.fromMs]))
  const all = [...cards, ...before.map(({ bucket, cardId, of }) =>
    ({ bucket, cardId, fromMs: fromOf.get(of) ?? 0 }))]
  return [...groupBy(all, ({ cardId }) => cardId).values()].map(same =>
    ({ ...same[0] as DueCard, fromMs: Math.min(...same.map(({ fromMs }) => fromMs)) }))
}

/** A card of which nobody has said what it may is what its type says, for as long as it lives. */
export const entitlementsOf = (rights: readonly Entitlement[], cardType: string | null): Entitlement[] => {
  if (rights.length > 0) return rights.map(({ class: name, from, until }) => ({ class: name, from, until }))
  return cardType === null ? [] : [{ class: cardType, from: null, until: null }]
}

/* ---- what changes ---- */

type PricedCard = CardPlace & Pick<Consequences, 'days'> & {
  readonly fromDay: string
  readonly changes: readonly (Claim & { readonly corrects: bigint | null })[]
}

type Known = {
  readonly history: CardHistories
  /** Counters of which a claim may have changed, also of rides that no longer count. */
  readonly ridden: ReadonlySet<number>
  readonly standing: readonly Standing[]
}

function changesOf (
  fares: Fares, { bucket, cardId, fromMs }: DueCard, { history, ridden, standing }: Known
): PricedCard {
  const { days, claims } = consequencesOfCard(fares, history)
  const version = versionAt(fares, fromMs)
  // What is due from an instant on may change the journey that was open then.
  const fromDay = version === null ? '0001-01-01' : dateOf(transitDay(version.document, fromMs) - openDaysMax)
  const firsts = new Map(standing.map(one => [keyOf(one), one.firstTransfer]))
  const within = (claim: Claim): boolean => ridden.has(claim.counter)
  return {
    bucket, cardId, days, fromDay,
    changes: changesTo(claims.filter(within), standing.filter(within))
      .map(change => ({ ...change, corrects: firsts.get(keyOf(change)) ?? null }))
  }
}

/* ---- money ---- */

const codes = {
  refund: ['fare_refund', 'fare_refund_reversed'],
  share: ['fare_share', 'fare_share_reversed'],
  treasury: ['concession_claim', 'concession_claim_reversed']
} as const

type Booking = { readonly clearingDate: string, readonly atMs: number, readonly salt: Buffer }

async function book (
  tx: Tx, snapshot: Snapshot, cards: readonly PricedCard[],
  { clearingDate, atMs, salt }: Booking
): Promise<void> {
  const changes = cards.flatMap(({ bucket, cardId, changes }) =>
    changes.map(change => ({ bucket, cardId, ...change })))
  if (changes.length === 0) return
  const { transferIds } = await postBatch(tx, {
    kind: 'correction', reopens: true, clearingDate, createdAtMs: atMs, salt, items: cards.length,
    transfers: changes.map((change, place) => transferOf(snapshot, change, place, atMs))
  })
  await insertEntries(tx, changes.map((change, place): FareEntry =>
    ({ ...change, transferId: transferIds[place] ?? 0n })), clearingDate)
}

type Change = CardPlace & PricedCard['changes'][number]

function transferOf (
  snapshot: Snapshot, { bucket, cardId, kind, giver, taker, amountFen, corrects }: Change, journal: number,
  eventAtMs: number
): NewTransfer {
  const book = kind === 'treasury' ? 'treasury' as const : 'commerce' as const
  const [forward, back] = codes[kind]
  const debit = giver === null
    ? accountId(snapshot, book, 'receivable-treasury')
    : accountId(snapshot, book, 'merchant-pending', giver)
  const credit = taker === null
    ? accountId(snapshot, book, 'pending-load')
    : accountId(snapshot, book, 'merchant-pending', taker)
  const same = { journal, book, bucket, cardId, eventAtMs, corrects }
  return amountFen > 0n
    ? { ...same, code: forward, debit, credit, amountFen }
    : { ...same, code: back, debit: credit, credit: debit, amountFen: -amountFen }
}
