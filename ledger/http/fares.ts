// The doors to fares: documents and feeds that come in, prices before riding, and why each journey costs what
// it costs.
import { Type } from 'typebox'
import { addDays, startOfDate } from '../../runtime/instants.ts'
import { LocalDate } from '../../schemas/api.ts'
import {
  CardConcessions, CardJourneysView, FareDayView, FareQuote, FeedReply, FeedUpload, PassPrice, SentDocument,
  TariffPreview, TariffPreviewRequest, type CardJourneysView as Journeys
} from '../../schemas/fares.ts'
import { importFeed } from '../../schemas/gtfs/import-feed.ts'
import { tellWarning, type Warning } from '../../schemas/gtfs/warnings.ts'
import { bucketOf, cardKey, type CardRef } from '../../schemas/record.ts'
import { tellStep, tellSteps, type Step } from '../../schemas/tariff/explain.ts'
import { passOf, quote } from '../../schemas/tariff/quote.ts'
import { versionAt } from '../../schemas/tariff/fares.ts'
import type { Ledger } from '../ledger.ts'
import { instantIn, Refusal } from '../refusal.ts'
import { currentDocuments, publishDocument } from '../services/transit/documents.ts'
import { journeysOf, type ExplainedJourney } from '../services/transit/explain-card.ts'
import { setConcessions } from '../services/transit/concessions.ts'
import { previewTariff } from '../services/transit/preview.ts'
import { dependsOnDays } from '../services/transit/price-cards.ts'
import { findCards } from '../store/cards.ts'
import { readDays } from '../store/fares.ts'
import type { CardPlace } from '../store/parameters.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'
import { ledgerIn } from './once.ts'
import { byPlace, pageOf, paging } from './page.ts'
import { cardOf } from './views.ts'

const closed = { additionalProperties: false } as const
const Version = Type.Object({
  version: Type.Integer(),
  proposal: Type.Optional(Type.Integer({ description: 'in which it waits for a second person' }))
}, closed)
const ByCard = Type.Object({ card: Type.String({ maxLength: 48 }) }, closed)
const At = Type.String({ maxLength: 40, description: 'ISO 8601 with an offset' })
const Name = Type.String({ minLength: 1, maxLength: 128 })

/** Below zero are the counters of a card whose place this one took. */
const isItsOwn = (counter: number): boolean => counter >= 0

export const fareRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/services/transit/tariffs', {
    bodyLimit: documentBytesMax,
    config: { allow: ['registrar'], keyed: true },
    schema: { body: SentDocument, response: { 200: Version } }
  }, async request => await publishDocument(ledgerIn(request), request.body, memberOf(callerIn(request))))

  app.get('/v1/services/transit/tariffs', {
    config: { allow: ['gateway', 'operator', 'auditor', 'staff'] },
    schema: { response: { 200: Type.Array(SentDocument) } }
  }, async () => await currentDocuments(ledger))

  app.post('/v1/services/transit/feeds', {
    bodyLimit: documentBytesMax,
    config: { allow: ['registrar', 'staff'], repeated: 'It stores nothing.' },
    schema: { body: FeedUpload, response: { 200: FeedReply } }
  }, async ({ body: { files, settings } }) => {
    instantIn(settings.from, '/settings/from')
    const { document, warnings } = importFeed(files, settings)
    return { document, warnings: warnings.map(viewOfWarning) }
  })

  app.post('/v1/services/transit/previews', {
    bodyLimit: documentBytesMax,
    config: { allow: ['registrar', 'staff'], repeated: 'It stores nothing.' },
    schema: { body: TariffPreviewRequest, response: { 200: TariffPreview } }
  }, async ({ body }) => await previewTariff(ledger, body))

  app.get('/v1/services/transit/quotes', {
    config: { allow: ['staff', 'auditor', 'operator', 'registrar'] },
    schema: {
      querystring: Type.Object({
        operator: Type.String({ maxLength: 15 }),
        line: Type.Optional(Name),
        from: Type.Optional(Name),
        to: Type.Optional(Name),
        at: At,
        class: Type.Optional(Name)
      }, closed),
      response: { 200: FareQuote }
    }
  }, async ({ query: { operator, line = '', from = null, to = null, at, class: name } }) => {
    const { fares } = await ledger.registry()
    const atMs = instantIn(at, '/at')
    const found = quote(fares, {
      operator, line, from, to, atMs, ...name === undefined ? {} : { class: name }
    })
    if (found === null) throw new Refusal('not_found', 'no tariff has a price for this journey')
    return { ...found, steps: found.steps.map(viewOfStep) }
  })

  app.get('/v1/services/transit/passes', {
    config: { allow: ['staff', 'auditor', 'operator', 'registrar'] },
    schema: { querystring: Type.Object({ at: At, class: Name }, closed), response: { 200: PassPrice } }
  }, async ({ query: { at, class: name } }) => {
    const version = versionAt((await ledger.registry()).fares, instantIn(at, '/at'))
    const pass = version === null ? null : passOf(version.document, name)
    if (version === null || pass === null) throw new Refusal('not_found', `no pass is sold for ${name}`)
    const { currency, version: tariffVersion } = version.document
    return { id: pass.id, priceFen: pass.priceFen, currency, tariffVersion }
  })

  app.get('/v1/services/transit/cards/:card/journeys', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      params: ByCard,
      querystring: Type.Object({ from: LocalDate, until: LocalDate }, closed),
      response: { 200: CardJourneysView }
    }
  }, async ({ params, query: { from, until } }) => {
    const { card, place } = await cardAt(ledger, params.card)
    return await journeysBetween(ledger, card, place, { from, until })
  })

  app.put('/v1/services/transit/cards/:card/concessions', {
    config: { allow: ['registrar'] },
    schema: { params: ByCard, body: CardConcessions, response: { 200: CardConcessions } }
  }, async request => {
    const { card } = await cardAt(ledger, request.params.card)
    await setConcessions(ledger, card, request.body.concessions, memberOf(callerIn(request)))
    return request.body
  })

  app.get('/v1/services/transit/fare-days', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object({ day: LocalDate, ...paging('^\\d{1,9}$') }, closed),
      response: { 200: pageOf(FareDayView) }
    }
  }, async ({ query }) => {
    await ledger.watch.catchUp()
    const days = await readDays(ledger.db, query.day)
    return byPlace(days.map(({ dueFen, paidFen, taps, ...same }) => {
      const [due, paid] = [Number(dueFen), Number(paidFen)]
      return {
        ...same, dueFen: due, paidFen: paid, refundFen: Math.max(0, paid - due),
        reportedFen: Math.max(0, due - paid), taps: [...taps]
      }
    }), query)
  })
}

/** Journeys of one card by transit day, both included, with the reason of every price. */
export async function journeysBetween (
  ledger: Ledger, card: CardRef, place: CardPlace,
  { from, until }: { readonly from: string, readonly until: string }
): Promise<Journeys> {
  const sinceMs = startOfDate(addDays(from, -dependsOnDays))
  const { journeys, days } = await journeysOf(ledger.db, ledger, place, sinceMs)
  const within = (day: string | null): boolean => day === null || (day >= from && day <= until)
  return {
    card,
    journeys: journeys.filter(({ day, counters }) => within(day) && counters.some(isItsOwn))
      .map(viewOfJourney),
    days: days.filter(({ day }) => within(day)).map(day => ({ ...day, taps: [...day.taps] }))
  }
}

/** A distance tariff of a few hundred stations; a feed as text. */
const documentBytesMax = 32 * 1024 * 1024

/** Throws Refusal not_found. */
async function cardAt (
  { db }: Pick<Ledger, 'db'>, text: string
): Promise<{ readonly card: CardRef, readonly place: CardPlace }> {
  const card = cardOf(text)
  const known = (await findCards(db, [card])).get(cardKey(card))
  if (known === undefined) throw new Refusal('not_found', 'no such card is registered')
  return { card, place: { bucket: bucketOf(card), cardId: known.cardId } }
}

const viewOfStep = (step: Step) =>
  ({ ...step, inputs: { ...step.inputs }, zh: tellStep(step, 'zh'), en: tellStep(step, 'en') })

const viewOfWarning = (warning: Warning) => {
  const { severity, file, line } = warning
  return { severity, file, line, zh: tellWarning(warning, 'zh'), en: tellWarning(warning, 'en') }
}

function viewOfJourney ({ legs: _, claims, ...journey }: ExplainedJourney): Journeys['journeys'][number] {
  const currency = journey.currency ?? ''
  return {
    ...journey,
    counters: [...journey.counters],
    steps: journey.steps.map(viewOfStep),
    charges: journey.charges.map(charge => ({ ...charge })),
    claims: claims.map(({ kind, giver, taker, amountFen }) =>
      ({ kind, giver, taker, amountFen: Number(amountFen) })),
    words: { zh: tellSteps(journey.steps, 'zh', currency), en: tellSteps(journey.steps, 'en', currency) }
  }
}
