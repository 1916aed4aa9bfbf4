// The doors for looking: cards, records, totals. They change nothing.
import { Type } from 'typebox'
import { CardDetail, CardView, LocalDate, RecordTotals, RecordView } from '../../schemas/api.ts'
import { bucketOf, cardKey, parseCardKey, type CardRef } from '../../schemas/record.ts'
import { outcomeNumbers, reasonNumbers } from '../../schemas/reasons.ts'
import { formatIso } from '../../runtime/instants.ts'
import type { Ledger } from '../ledger.ts'
import { readPending } from '../posting/loads.ts'
import { Refusal } from '../refusal.ts'
import { listedFor } from '../store/card-blocks.ts'
import { findCards } from '../store/cards.ts'
import type { Db } from '../store/db.ts'
import type { CardPlace } from '../store/loads.ts'
import {
  everyRecord, viewCard, viewCards, viewRecords, viewTotals, type RecordFilter
} from '../store/views.ts'
import type { App } from './app.ts'
import { callerIn, requireSelf, type Capacity } from './auth.ts'
import { pageLimit, pageOf, paging } from './page.ts'

const allow: readonly Capacity[] = ['staff', 'auditor', 'registrar']
const closed = { additionalProperties: false } as const

export const viewRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/cards/:card', {
    config: { allow },
    schema: { params: Type.Object({ card: Type.String({ maxLength: 48 }) }), response: { 200: CardDetail } }
  }, async request => {
    const card = cardOf(request.params.card)
    const found = await viewCard(ledger.db, bucketOf(card), card)
    if (found === null) throw new Refusal('not_found', 'no such card is registered')
    const { view, place, branch, openedAtMs, validUntil } = found
    const [why, pendingFen] = await Promise.all([listedFor(ledger.db, place), readPending(ledger, card)])
    return {
      ...view, branch, openedAt: formatIso(openedAtMs), validUntil, listedFor: why,
      pendingFen: Number(pendingFen)
    }
  })

  app.get('/v1/cards', {
    config: { allow },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(Type.String({ maxLength: 20, description: 'normal and so on' })),
        type: Type.Optional(Type.String({ maxLength: 20, description: 'anonymous and so on' })),
        number: Type.Optional(Type.String({
          pattern: '^[0-9A-F]{6,20}$', description: 'the end of its serial number, as it is printed on it'
        })),
        ...paging('^\\d{1,2}\\.\\d{1,18}$')
      }, closed),
      response: { 200: pageOf(CardView) }
    }
  }, async ({ query: { state = null, type = null, number = null, after = '0.0', limit } }) => {
    const [bucket = '0', cardId = '0'] = after.split('.')
    return await viewCards(ledger.db, {
      state, type, number, after: { bucket: Number(bucket), cardId: BigInt(cardId) }, limit: pageLimit(limit)
    })
  })

  app.get('/v1/records', {
    config: { allow: [...allow, 'operator', 'agent'] },
    schema: {
      querystring: Type.Object({
        card: Type.Optional(Type.String({ maxLength: 48 })),
        date: Type.Optional(LocalDate),
        operator: Type.Optional(Type.String({ maxLength: 15 })),
        outcome: Type.Optional(Type.String({ enum: Object.keys(outcomeNumbers) })),
        reason: Type.Optional(Type.String({
          enum: Object.keys(reasonNumbers), description: 'of the first verdict'
        })),
        ...paging('^\\d{1,18}\\.\\d{1,9}$')
      }, closed),
      response: { 200: pageOf(RecordView) }
    }
  }, async request => {
    const caller = callerIn(request)
    const { query } = request
    const operator = query.operator ?? caller.party
    if (operator !== null) requireSelf(caller, operator)
    const [delivery = '0', line = '0'] = (query.after ?? '0.0').split('.')
    return await viewRecords(ledger.db, {
      ...await recordFilter(ledger, query), operator, afterDelivery: BigInt(delivery),
      afterLine: Number(line), limit: pageLimit(query.limit)
    })
  })

  // Of one date, always: whoever forgot to say which would have the ledger read all it ever took in.
  app.get('/v1/records/totals', {
    config: { allow },
    schema: { querystring: Type.Object({ date: LocalDate }, closed), response: { 200: RecordTotals } }
  }, async request => await viewTotals(ledger.db, request.query.date))
}

/** From a query to what it means; the first page, without a limit. */
export async function recordFilter (
  { db }: Ledger,
  query: { card?: string, date?: string, operator?: string, outcome?: string, reason?: string }
): Promise<RecordFilter> {
  const card = query.card === undefined ? null : cardOf(query.card)
  const known = card === null ? null : (await findCards(db, [card])).get(cardKey(card)) ?? null
  return {
    ...everyRecord, bucket: known?.bucket ?? null, cardId: known?.cardId ?? null, card,
    date: query.date ?? null, operator: query.operator ?? null,
    outcome: (query.outcome ?? null) as keyof typeof outcomeNumbers | null,
    reason: (query.reason ?? null) as keyof typeof reasonNumbers | null
  }
}

/** In the query of a list: those of this card alone. */
export const CardInQuery = Type.Optional(Type.String({
  pattern: '^[0-9A-F]{16}-[0-9A-F]{20}-\\d{1,3}$', description: 'of this card alone: ISSUER-SERIAL-ISSUE'
}))

/** No card at all has nothing in any list. */
const nowhere: CardPlace = { bucket: -1, cardId: 0n }

/** Where the card of a query stands; null: none was asked for. */
export async function placeIn (db: Db, text: string | undefined): Promise<CardPlace | null> {
  if (text === undefined) return null
  const card = parseCardKey(text)
  return (card === null ? undefined : (await findCards(db, [card])).get(text)) ?? nowhere
}

/** Throws Refusal not_found for what is no card. */
export function cardOf (text: string): CardRef {
  const card = parseCardKey(text)
  if (card === null) {
    throw new Refusal('not_found',
      'a card is written ISSUER-SERIAL-ISSUE: 16 and 20 hex digits, a number')
  }
  return card
}
