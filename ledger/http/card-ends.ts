// The doors to what ends a card's life at a counter: another in its place, given back, found.
import { Type } from 'typebox'
import {
  CardReturn, CardReturnView, ForgottenCardView, FoundCard, FoundCardView, Replacement,
  ReplacementView, ReturnPayment
} from '../../schemas/card-return.ts'
import { handOutFound, shownFound, takeFound } from '../cards/found.ts'
import { payReturn, returnCard, viewReturn } from '../cards/give-back.ts'
import { listForgotten, shownForgotten } from '../cards/residual.ts'
import { replaceCard, viewReplacement } from '../cards/replace.ts'
import type { Ledger } from '../ledger.ts'
import { listFound } from '../store/card-ends.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, type Capacity } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, paging, pagingBack } from './page.ts'
import { cardOf } from './views.ts'

const closed = { additionalProperties: false } as const
const ByCard = Type.Object({ card: Type.String({ maxLength: 48 }) }, closed)
const looking: readonly Capacity[] = ['clerk', 'hotline', 'approver', 'auditor']

export const cardEndRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/cards/:card/replacement', {
    config: { allow: ['clerk'], keyed: true },
    schema: { params: ByCard, body: Replacement, response: { 200: ReplacementView } }
  }, async request => {
    const member = memberOf(callerIn(request))
    return await replaceCard(ledgerIn(request), member, cardOf(request.params.card), request.body)
  })

  app.get('/v1/cards/:card/replacement', {
    config: { allow: looking }, schema: { params: ByCard, response: { 200: ReplacementView } }
  }, async request => await viewReplacement(ledger.db, cardOf(request.params.card)))

  app.post('/v1/cards/:card/return', {
    config: { allow: ['clerk'], keyed: true },
    schema: { params: ByCard, body: CardReturn, response: { 200: CardReturnView } }
  }, async request => {
    const member = memberOf(callerIn(request))
    return await returnCard(ledgerIn(request), member, cardOf(request.params.card), request.body)
  })

  app.get('/v1/cards/:card/return', {
    config: { allow: looking }, schema: { params: ByCard, response: { 200: CardReturnView } }
  }, async request => await viewReturn(ledger.db, cardOf(request.params.card)))

  app.post('/v1/cards/:card/return/payment', {
    config: { allow: ['clerk'], keyed: true },
    schema: { params: ByCard, body: ReturnPayment, response: { 200: CardReturnView } }
  }, async request => {
    const member = memberOf(callerIn(request))
    return await payReturn(ledgerIn(request), member, cardOf(request.params.card), request.body.outlet)
  })

  app.post('/v1/cards/:card/found', {
    config: { allow: ['clerk'], keyed: true },
    schema: { params: ByCard, body: FoundCard, response: { 200: FoundCardView } }
  }, async request => {
    const member = memberOf(callerIn(request))
    return await takeFound(ledgerIn(request), member, cardOf(request.params.card), request.body.place)
  })

  app.post('/v1/cards/:card/fetched', {
    config: { allow: ['clerk'], keyed: true },
    schema: { params: ByCard, response: { 200: FoundCardView } }
  }, async request =>
    await handOutFound(ledgerIn(request), memberOf(callerIn(request)), cardOf(request.params.card)))

  app.get('/v1/found-cards', {
    config: { allow: looking },
    schema: {
      querystring: Type.Object({ ...pagingBack('^\\d{1,15}$') }, closed),
      response: { 200: pageOf(FoundCardView) }
    }
  }, async ({ query: { before, limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await listFound(ledger.db, { before: before === undefined ? null : BigInt(before), limit })
    return page(rows, limit, shownFound, ({ foundNo }) => foundNo)
  })

  app.get('/v1/forgotten-cards', {
    config: { allow: ['clerk', 'settler', 'approver', 'auditor'] },
    schema: {
      querystring: Type.Object({ ...paging('^\\d{1,3}-\\d{1,15}$') }, closed),
      response: { 200: pageOf(ForgottenCardView) }
    }
  }, async ({ query: { after, limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await listForgotten(ledger, after, limit)
    return page(rows, limit, shownForgotten, ({ bucket, cardId }) => `${bucket}-${cardId}`)
  })
}
