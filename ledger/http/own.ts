// The doors inside for residents: cards of one person and nothing else. What is somebody else's is not found,
// as what was never there.
import { Type } from 'typebox'
import { LocalDate } from '../../schemas/api.ts'
import { Proofs } from '../../schemas/proof.ts'
import { cardKey } from '../../schemas/record.ts'
import { OwnCardView, OwnJourneys, OwnMove, OwnOverview, OwnServices } from '../../schemas/own.ts'
import { askErasure, viewErasure, withdrawErasure } from '../cards/erasure.ts'
import { ownData, type JourneysOf } from '../cards/own-data.ts'
import { moveOwnCard } from '../cards/own-moves.ts'
import { overviewOf, ownCardView, ownLife } from '../cards/own.ts'
import { ErasureView } from '../../schemas/erasure.ts'
import { OwnData } from '../../schemas/own-data.ts'
import type { Ledger } from '../ledger.ts'
import { prove } from '../proof/prove.ts'
import { ownServices } from '../services/own-services.ts'
import type { App } from './app.ts'
import { residentIn } from './auth.ts'
import { journeysBetween } from './fares.ts'
import { ledgerIn } from './once.ts'
import { cardOf } from './views.ts'

const closed = { additionalProperties: false } as const
const ByCard = Type.Object({ card: Type.String({ maxLength: 48 }) }, closed)
const ByUse = Type.Object({ ...ByCard.properties, counter: Type.String({ pattern: '^[0-9]{1,5}$' }) }, closed)

export const ownRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/my', {
    config: { allow: ['resident'] }, schema: { response: { 200: OwnOverview } }
  }, async request => await overviewOf(ledger, residentIn(request)))

  app.get('/v1/my/cards/:card', {
    config: { allow: ['resident'] }, schema: { params: ByCard, response: { 200: OwnCardView } }
  }, async request => await ownCardView(ledger, residentIn(request), cardOf(request.params.card)))

  app.post('/v1/my/cards/:card/moves', {
    config: { allow: ['resident'], keyed: true },
    schema: { params: ByCard, body: OwnMove, response: { 200: OwnCardView } }
  }, async request => {
    const ledger = ledgerIn(request)
    const [own, card] = [residentIn(request), cardOf(request.params.card)]
    await moveOwnCard(ledger, own, card, request.body.move)
    return await ownCardView(ledger, own, card)
  })

  app.get('/v1/my/cards/:card/journeys', {
    config: { allow: ['resident'] },
    schema: {
      params: ByCard,
      querystring: Type.Object({ from: LocalDate, until: LocalDate }, closed),
      response: { 200: OwnJourneys }
    }
  }, async request => {
    const card = cardOf(request.params.card)
    const life = await ownLife(ledger.db, residentIn(request), card)
    return await journeysOf(ledger)(card, life, request.query)
  })

  app.get('/v1/my/cards/:card/receipts/:counter', {
    config: { allow: ['resident'] },
    schema: {
      params: ByUse,
      response: { 200: Proofs }
    }
  }, async request => {
    const card = cardOf(request.params.card)
    await ownLife(ledger.db, residentIn(request), card)
    return await prove(ledger.db, `${cardKey(card)}/${request.params.counter}`)
  })

  app.get('/v1/my/erasure', {
    config: { allow: ['resident'] }, schema: { response: { 200: ErasureView } }
  }, async request => await viewErasure(ledger, residentIn(request)))

  app.post('/v1/my/erasure', {
    config: { allow: ['resident'], repeated: 'The first wish counts.' },
    schema: { response: { 200: ErasureView } }
  }, async request => await askErasure(ledger, residentIn(request)))

  app.delete('/v1/my/erasure', {
    config: { allow: ['resident'] }, schema: { response: { 200: ErasureView } }
  }, async request => await withdrawErasure(ledger, residentIn(request)))

  app.post('/v1/my/data', {
    config: { allow: ['resident'], repeated: 'Each is in the audit log.' },
    schema: { response: { 200: OwnData } }
  }, async request => await ownData(ledger, residentIn(request), journeysOf(ledger)))

  app.get('/v1/my/cards/:card/services', {
    config: { allow: ['resident'] }, schema: { params: ByCard, response: { 200: OwnServices } }
  }, async request => {
    const card = cardOf(request.params.card)
    return await ownServices(ledger, card, await ownLife(ledger.db, residentIn(request), card))
  })
}

/** What operators owe each other for a journey is not the passenger's. */
const journeysOf = (ledger: Ledger): JourneysOf => async (card, place, between) => {
  const { journeys, days } = await journeysBetween(ledger, card, place, between)
  const { parties } = await ledger.registry()
  const nameOf = (code: string) => {
    const { nameZh = code, nameEn = code } = parties.get(code) ?? {}
    return { zh: nameZh, en: nameEn }
  }
  return {
    card, days,
    journeys: journeys.map(({ claims: _claims, treasuryFen: _treasury, markedFen: _marked, ...own }) =>
      ({ ...own, operatorName: nameOf(own.operator) }))
  }
}
