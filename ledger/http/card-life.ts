// The doors to the life of cards: states and moves, applications, persons who hold them.
import { Type } from 'typebox'
import {
  ApplicationMove, ApplicationStateName, ApplicationView, NewApplication
} from '../../schemas/card-application.ts'
import { CardLifeView, MoveRequest } from '../../schemas/card-life.ts'
import { CardLook, CardLookView } from '../../schemas/card-look.ts'
import {
  Binding, HolderLook, HolderToken, HolderView, NewHolder, Reveal, RevealedHolder
} from '../../schemas/holder.ts'
import {
  applyForCard, moveApplication, shownApplication, viewApplication
} from '../cards/applications.ts'
import { moveCard, viewLife } from '../cards/card-life.ts'
import { bindHolder, enterHolder, lookUpHolder, revealHolder, viewHolder } from '../cards/holders.ts'
import { lookAtCard } from '../cards/look.ts'
import type { Ledger } from '../ledger.ts'
import { listApplications } from '../store/card-applications.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, type Capacity } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'
import { cardOf } from './views.ts'

const closed = { additionalProperties: false } as const
const ByCard = Type.Object({ card: Type.String({ maxLength: 48 }) }, closed)
const ByHolder = Type.Object({ holder: HolderToken }, closed)
const ByApplication = Type.Object({ application: Type.String({ pattern: '^\\d{1,15}$' }) }, closed)
const looking: readonly Capacity[] = ['clerk', 'hotline', 'registrar', 'approver', 'auditor']
const office: readonly Capacity[] = ['clerk', 'registrar']

export const cardLifeRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/cards/:card/life', {
    config: { allow: looking }, schema: { params: ByCard, response: { 200: CardLifeView } }
  }, async request => await viewLife(ledger.db, cardOf(request.params.card)))

  app.post('/v1/cards/:card/look-up', {
    config: { allow: ['hotline', 'clerk'], repeated: 'Each look is in the audit log.' },
    schema: { params: ByCard, body: CardLook, response: { 200: CardLookView } }
  }, async request => {
    const member = memberOf(callerIn(request))
    return await lookAtCard(ledger, member, cardOf(request.params.card), request.body.reason)
  })

  app.post('/v1/cards/:card/moves', {
    config: { allow: ['clerk', 'hotline', 'registrar'], keyed: true },
    schema: { params: ByCard, body: MoveRequest, response: { 200: CardLifeView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const card = cardOf(request.params.card)
    await moveCard(ledger, memberOf(callerIn(request)), card, request.body)
    return await viewLife(ledger.db, card)
  })

  app.post('/v1/cards/:card/holder', {
    config: { allow: ['clerk'], keyed: true },
    schema: { params: ByCard, body: Binding, response: { 200: HolderView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const { holder } = request.body
    await bindHolder(ledger, memberOf(callerIn(request)), cardOf(request.params.card), holder)
    return await viewHolder(ledger, holder)
  })

  app.post('/v1/holders', {
    config: { allow: ['clerk'], keyed: true }, schema: { body: NewHolder, response: { 201: HolderView } }
  }, async (request, reply) => {
    const entered = await enterHolder(ledgerIn(request), memberOf(callerIn(request)), request.body)
    reply.code(201)
    return entered
  })

  app.post('/v1/holders/look-up', {
    config: { allow: ['clerk', 'hotline'], repeated: 'Each look is in the audit log.' },
    schema: { body: HolderLook, response: { 200: HolderView } }
  }, async request => await lookUpHolder(ledger, memberOf(callerIn(request)), request.body))

  app.post('/v1/holders/:holder/reveal', {
    config: { allow: ['clerk'], repeated: 'Each look is in the audit log.' },
    schema: { params: ByHolder, body: Reveal, response: { 200: RevealedHolder } }
  }, async request => {
    const { holder } = request.params
    const member = memberOf(callerIn(request))
    return { holder, ...await revealHolder(ledger, member, holder, request.body.reason) }
  })

  app.post('/v1/card-applications', {
    config: { allow: ['clerk'], keyed: true },
    schema: { body: NewApplication, response: { 201: ApplicationView } }
  }, async (request, reply) => {
    const ledger = ledgerIn(request)
    const no = await applyForCard(ledger, memberOf(callerIn(request)), request.body)
    reply.code(201)
    return await viewApplication(ledger.db, no)
  })

  app.get('/v1/card-applications', {
    config: { allow: [...office, 'auditor'] },
    schema: {
      querystring: Type.Object({ state: ApplicationStateName, ...pagingBack('^\\d{1,15}$') }, closed),
      response: { 200: pageOf(ApplicationView) }
    }
  }, async ({ query: { state, before, limit: said } }) => {
    const limit = pageLimit(said)
    const rows = await listApplications(ledger.db, {
      state, before: before === undefined ? null : BigInt(before), limit
    })
    const shown = (row: typeof rows[number]) => shownApplication(ledger.db, row)
    const { items, next } = page(rows, limit, shown, ({ applicationNo }) => applicationNo)
    return { items: await Promise.all(items), next }
  })

  app.post('/v1/card-applications/:application/moves', {
    config: { allow: office, keyed: true },
    schema: { params: ByApplication, body: ApplicationMove, response: { 200: ApplicationView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const no = BigInt(request.params.application)
    await moveApplication(ledger, memberOf(callerIn(request)), no, request.body)
    return await viewApplication(ledger.db, no)
  })
}
