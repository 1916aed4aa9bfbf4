// The doors of declared services: what there is, rules of a merchant, what happens at it. It refuses to know
// any service.
import { Type } from 'typebox'
import {
  ServiceDeclared, ServiceEvent, ServiceEventView, ServiceName, ServiceReply, ServiceRules
} from '../../schemas/service.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { serviceOf } from '../services/others/declared.ts'
import { serve } from '../services/others/serve.ts'
import { partyOf, setServiceRules } from '../services/others/set-up.ts'
import { declarations, viewEvent } from '../services/others/told.ts'
import { listServiceEvents } from '../store/services.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const Place = Type.Object({
  service: ServiceName, party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })
}, closed)
const at = '/v1/services/:service/parties/:party'

export const serviceRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/services', {
    config: { allow: ['gateway', 'operator', 'auditor', 'staff'] },
    schema: { response: { 200: Type.Object({ services: Type.Array(ServiceDeclared) }, closed) } }
  }, async () => ({ services: declarations() }))

  app.put(`${at}/rules`, {
    config: { allow: ['registrar'] },
    schema: { params: Place, body: ServiceRules, response: { 200: ServiceRules } }
  }, async request => {
    await setServiceRules(ledger, callerIn(request).id, request.params, request.body)
    return request.body
  })

  app.post(`${at}/events`, {
    config: { allow: ['gateway', 'operator'], repeated: 'The same `key` gets its first answer again.' },
    schema: { params: Place, body: ServiceEvent, response: { 200: ServiceReply } }
  }, async request => {
    const { id, party: own } = callerIn(request)
    const { params, body } = request
    if (own !== null && own !== params.party && own !== body.place) {
      throw new Refusal('forbidden', `a client of ${own} cannot speak for ${body.place ?? params.party}`)
    }
    return await serve(ledger, id, params, body)
  })

  app.get(`${at}/events`, {
    config: { allow: ['gateway', 'operator', 'auditor', 'staff'] },
    schema: {
      params: Place, querystring: Type.Object(paging('^\\d{1,15}$'), closed),
      response: { 200: pageOf(ServiceEventView) }
    }
  }, async request => {
    const { service: name, party } = request.params
    const { party: own } = callerIn(request)
    if (own !== null && own !== party) throw new Refusal('forbidden', `${own} cannot see events of ${party}`)
    const service = serviceOf(name)
    const limit = pageLimit(request.query.limit)
    const after = BigInt(request.query.after ?? '0')
    const partyId = await partyOf(ledger, party)
    const rows = await listServiceEvents(ledger.db, { partyId, service: name }, { after, limit })
    const snapshot = await ledger.registry()
    return page(rows, limit, row => viewEvent(service, snapshot, row), row => row.eventNo)
  })
}
