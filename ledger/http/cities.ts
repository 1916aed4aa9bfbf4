// Cards of other cities: the list of accepted cities.
import { Type } from 'typebox'
import { CityList, CityPublication } from '../../schemas/city.ts'
import { listOfCities, publishCities } from '../parameters/cities.ts'
import type { Ledger } from '../ledger.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'
import { ledgerIn } from './once.ts'

const closed = { additionalProperties: false } as const
const Version = Type.Object({
  version: Type.Integer(),
  proposal: Type.Optional(Type.Integer({ description: 'in which it waits for a second person' }))
}, closed)

export const cityRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/cities', {
    config: { allow: ['registrar'], keyed: true },
    schema: { body: CityPublication, response: { 200: Version } }
  }, async request => await publishCities(ledgerIn(request), request.body, memberOf(callerIn(request))))

  app.get('/v1/cities', {
    config: { allow: ['gateway', 'operator', 'auditor', 'staff'] },
    schema: { response: { 200: CityList } }
  }, async () => await listOfCities(ledger))
}
