// The doors of a registry of social-security cards: what it says of cards, what it answers about
// applications, and the list that both sides compare.
import { Type } from 'typebox'
import {
  SocialApplicationMessage, SocialCardMessage, SocialCardView, SocialReply
} from '../../schemas/social-security.ts'
import {
  shownSocialCard, takeApplicationMessage, takeCardMessage, viewSocialCards
} from '../cards/social-registry.ts'
import type { Ledger } from '../ledger.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'
import { cardOf } from './views.ts'

const closed = { additionalProperties: false } as const
const ByCard = Type.Object({ card: Type.String({ maxLength: 48 }) }, closed)
const ByApplication = Type.Object({ application: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)
const repeated = 'Each message has an id, and gets its first answer again.'

export const socialSecurityRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/social-security/cards/:card/messages', {
    config: { allow: ['social-security'], repeated },
    schema: { params: ByCard, body: SocialCardMessage, response: { 200: SocialReply } }
  }, async request => {
    const member = memberOf(callerIn(request))
    return await takeCardMessage(ledger, member, cardOf(request.params.card), request.body)
  })

  app.post('/v1/social-security/applications/:application/messages', {
    config: { allow: ['social-security'], repeated },
    schema: { params: ByApplication, body: SocialApplicationMessage, response: { 200: SocialReply } }
  }, async request => {
    const member = memberOf(callerIn(request))
    return await takeApplicationMessage(ledger, member, BigInt(request.params.application), request.body)
  })

  app.get('/v1/social-security/cards', {
    config: { allow: ['social-security', 'auditor'] },
    schema: {
      querystring: Type.Object({ ...paging('^\\d{1,15}$') }, closed),
      response: { 200: pageOf(SocialCardView) }
    }
  }, async ({ query: { after, limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await viewSocialCards(ledger, { after: after === undefined ? null : BigInt(after), limit })
    return page(rows, limit, shownSocialCard(ledger), ({ cardId }) => cardId)
  })
}
