// The doors of those who want to be told: webhooks, their secrets, what was told and what was not.
import { Type } from 'typebox'
import {
  NewWebhook, platformTopics, socialTopics, TellingStateName, TellingView, WebhookSecret, WebhookView,
  type Topic
} from '../../schemas/events.ts'
import type { Ledger } from '../ledger.ts'
import {
  createWebhook, listTellings, listWebhooks, removeWebhook, resend, rotateSecret, showSecret, type Asker
} from '../jobs/webhooks.ts'
import { Refusal } from '../refusal.ts'
import type { App } from './app.ts'
import { callerIn, type Caller, type Capacity } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, paging, pagingBack, slice } from './page.ts'

const closed = { additionalProperties: false } as const
const Id = Type.String({ pattern: '^\\d{1,15}$' })
const ById = Type.Object({ id: Id }, closed)
/** Machines tell machines; people look at what was told. */
const allow: readonly Capacity[] = [
  'gateway', 'operator', 'agent', 'registrar', 'auditor', 'platform', 'social-security'
]
/** Kinds of machines that hear of some topics alone. */
const topicsOf: Readonly<Record<string, readonly Topic[]>> = {
  platform: platformTopics, 'social-security': socialTopics
}
const askerOf = ({ id, party }: Caller): Asker => ({ id, party })

export const webhookRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/webhooks', {
    config: { allow, keyed: true },
    schema: { summary: 'Be told of events at a URL', body: NewWebhook, response: { 201: WebhookView } }
  }, async (request, reply) => {
    const ledger = ledgerIn(request)
    const { capacities, id } = callerIn(request)
    for (const [kind, topics] of Object.entries(topicsOf)) {
      if (!capacities.some(one => one === kind) || request.body.topics.every(one => topics.includes(one))) {
        continue
      }
      throw new Refusal('forbidden', `${id} is ${kind}: it hears of ${topics.join(', ')}`, '/topics')
    }
    reply.code(201)
    return await createWebhook(ledger, askerOf(callerIn(request)), request.body)
  })

  app.get('/v1/webhooks', {
    config: { allow },
    schema: {
      summary: 'Your webhooks', querystring: Type.Object(paging('^\\d{1,15}$'), closed),
      response: { 200: pageOf(WebhookView) }
    }
  }, async request => slice(await listWebhooks(ledger, askerOf(callerIn(request))), request.query,
    ({ id }) => String(id)))

  app.delete('/v1/webhooks/:id', {
    config: { allow },
    schema: { summary: 'Be told no more', params: ById, response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await removeWebhook(ledger, askerOf(callerIn(request)), BigInt(request.params.id))
    return await reply.code(204).send(null)
  })

  app.get('/v1/webhooks/:id/secret', {
    config: { allow },
    schema: { summary: 'The secret that signs the calls', params: ById, response: { 200: WebhookSecret } }
  }, async request => await showSecret(ledger, askerOf(callerIn(request)), BigInt(request.params.id)))

  app.put('/v1/webhooks/:id/secret', {
    config: { allow },
    schema: {
      summary: 'A new secret; the one before also signs for a day', params: ById,
      response: { 200: WebhookSecret }
    }
  }, async request => await rotateSecret(ledger, askerOf(callerIn(request)), BigInt(request.params.id)))

  app.get('/v1/webhooks/:id/tellings', {
    config: { allow },
    schema: {
      summary: 'What was told, newest first; state=dead for dead letters',
      params: ById,
      querystring: Type.Object({
        state: Type.Optional(TellingStateName),
        ...pagingBack('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(TellingView) }
    }
  }, async request => {
    const { state = null, before, limit: said } = request.query
    const limit = pageLimit(said)
    const tellings = await listTellings(ledger, askerOf(callerIn(request)), {
      webhookId: BigInt(request.params.id), state, before: before === undefined ? null : BigInt(before), limit
    })
    return page(tellings, limit, telling => telling, ({ id }) => String(id))
  })

  app.post('/v1/webhooks/:id/tellings/:telling/resend', {
    config: { allow, keyed: true },
    schema: {
      summary: 'Tell it again', params: Type.Object({ id: Id, telling: Id }, closed),
      response: { 204: Type.Null() }
    }
  }, async (request, reply) => {
    const ledger = ledgerIn(request)
    const { id, telling } = request.params
    await resend(ledger, askerOf(callerIn(request)), BigInt(id), BigInt(telling))
    reply.code(204)
    return null
  })
}
