// What terminals are told and what they tell back: blacklist, tariffs, acknowledgements.
import { Type } from 'typebox'
import {
  BlacklistPublication, BlacklistReply, LiabilityLine, LocalDate, ParameterAcknowledgement
} from '../../schemas/api.ts'
import { blackFileDate } from '../../schemas/clearing-file/file-name.ts'
import { Tariff } from '../../schemas/tariff/tariff.ts'
import type { Ledger } from '../ledger.ts'
import {
  acknowledge, blacklistFile, blacklistSince, currentTariffs, liabilityOf, publishBlacklist, publishTariff
} from '../parameters/parameters.ts'
import { Refusal } from '../refusal.ts'
import type { App } from './app.ts'
import { callerIn, memberOf } from './auth.ts'
import { ledgerIn } from './once.ts'
import { byPlace, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const Version = Type.Object({
  version: Type.Integer(),
  proposal: Type.Optional(Type.Integer({ description: 'in which the rest waits for a second person' }))
}, closed)
const Have = Type.Object({
  have: Type.Optional(Type.String({ pattern: '^\\d{1,9}$', description: 'the version the terminal has' }))
}, closed)

export const parameterRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/blacklist', {
    bodyLimit: listBytesMax,
    config: { allow: ['registrar'], keyed: true },
    schema: { body: BlacklistPublication, response: { 200: Version } }
  }, async request => await publishBlacklist(ledgerIn(request), request.body, memberOf(callerIn(request))))

  app.get('/v1/blacklist', {
    config: { allow: ['gateway', 'operator', 'auditor', 'staff'] },
    schema: { querystring: Have, response: { 200: BlacklistReply } }
  }, async ({ query }) => await blacklistSince(ledger, query.have === undefined ? null : Number(query.have)))

  app.get('/v1/blacklist-files/:file', {
    config: { allow: ['gateway', 'operator', 'auditor', 'staff'] },
    schema: {
      params: Type.Object({ file: Type.String({ maxLength: 32, description: '20260302_Black.txt' }) }),
      response: { 200: { content: { 'text/plain': { schema: Type.String() } } } }
    }
  }, async ({ params }, reply) => {
    const date = blackFileDate(params.file)
    if (date === null) throw new Refusal('not_found', 'wanted: YYYYMMDD_Black.txt')
    return await reply.type('text/plain; charset=latin1').send(await blacklistFile(ledger, date))
  })

  app.get('/v1/blacklist/liability', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object({
        date: LocalDate, party: Type.Optional(Type.String({ maxLength: 15, description: 'an operator' })),
        ...paging('^\\d{1,9}$')
      }, closed),
      response: { 200: pageOf(LiabilityLine) }
    }
  }, async ({ query }) => {
    const lines = (await liabilityOf(ledger, query.date))
      .filter(({ operator }) => query.party === undefined || operator === query.party)
    return byPlace(lines, query)
  })

  app.post('/v1/tariffs', {
    config: { allow: ['registrar'], keyed: true }, schema: { body: Tariff, response: { 200: Version } }
  }, async request => await publishTariff(ledgerIn(request), request.body, memberOf(callerIn(request))))

  app.get('/v1/tariffs', {
    config: { allow: ['gateway', 'operator', 'auditor', 'staff'] },
    schema: { response: { 200: Type.Array(Tariff) } }
  }, async () => await currentTariffs(ledger))

  app.post('/v1/parameters/applied', {
    config: { allow: ['gateway'], repeated: 'Told again, it changes nothing.' },
    schema: { body: ParameterAcknowledgement, response: { 204: Type.Null() } }
  }, async (request, reply) => {
    await acknowledge(ledger, request.body, memberOf(callerIn(request)))
    return await reply.code(204).send(null)
  })
}

/** A registry's worth of cards, 120 bytes each. */
const listBytesMax = 16 * 1024 * 1024
