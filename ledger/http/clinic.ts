// The doors of the clinic service: what a hospital asks for a person, what a city enters, what can be asked
// about a bill afterwards. It refuses to know rules and money.
import { Type } from 'typebox'
import {
  ClinicCancel, ClinicExplanation, ClinicInstitution, ClinicLook, ClinicPersonLookUp, ClinicPersons,
  ClinicPersonView, ClinicReply, ClinicReverse, ClinicSettle, ClinicSettlementView, MessageId, SettlementNo
} from '../../schemas/medical/clinic.ts'
import { CentreAsked, CentreStatements, ClinicCentre, ClinicCentres } from '../../schemas/medical/centre.ts'
import { ClinicNational } from '../../schemas/medical/national.ts'
import { RuleSetOutline } from '../../schemas/medical/rule-set.ts'
import { localDate } from '../../runtime/instants.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import type { Asked } from '../services/clinic/answer.ts'
import { askWithCentre } from '../services/clinic/centre/exchange.ts'
import { askForStatements } from '../services/clinic/centre/statements.ts'
import { clinicOf } from '../services/clinic/desk.ts'
import { answerNational } from '../services/clinic/national/door.ts'
import {
  enterCentres, enterPersons, publishRules, setInstitution, setNational
} from '../services/clinic/set-up.ts'
import { splitFrom } from '../services/clinic/stored.ts'
import { tellMessage, viewPerson } from '../services/clinic/told.ts'
import { explanationView, splitView } from '../services/clinic/views.ts'
import { findSettlement, listSettlements, readRuleSets, type SettlementRow } from '../store/clinic.ts'
import { listCentres } from '../store/clinic-centre.ts'
import type { App } from './app.ts'
import { callerIn, memberOf, requireSelf, type Caller } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const code = { party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }) }
const Party = Type.Object(code, closed)
const OneSettlement = Type.Object({ ...code, settlement: SettlementNo }, closed)
const Version = Type.Object({
  version: Type.Integer(),
  proposal: Type.Optional(Type.Integer({ description: 'in which it waits for a second person' }))
}, closed)
const asking = ['gateway', 'operator'] as const
/** What somebody was treated for is not for all of the staff. */
const looking = [...asking, 'auditor', 'clerk'] as const
const Envelope = Type.Unknown({ description: 'an envelope of the national messages (infno, msgid, …)' })
const first = 'The same `message` gets its first answer again.'

export const clinicRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  const asked = async (caller: Caller, party: string, asked: Asked) => {
    requireSelf(caller, party)
    return await askWithCentre(ledger, { party, client: caller.id }, asked)
  }

  app.post('/v1/clinic/rules', {
    config: { allow: ['registrar'], keyed: true },
    schema: { body: RuleSetOutline, response: { 200: Version } }
  }, async request => await publishRules(ledgerIn(request), request.body, memberOf(callerIn(request))))

  app.get('/v1/clinic/rules', {
    config: { allow: looking }, schema: { response: { 200: Type.Array(RuleSetOutline) } }
  }, async () => await readRuleSets(ledger.db))

  app.put('/v1/clinic/persons', {
    config: { allow: ['registrar'] },
    schema: { body: ClinicPersons, response: { 200: Type.Object({ persons: Type.Integer() }, closed) } }
  }, async request => await enterPersons(ledger, callerIn(request).id, request.body.persons))

  app.put('/v1/clinic/centres', {
    config: { allow: ['registrar'] },
    schema: { body: ClinicCentres, response: { 200: Type.Object({ centres: Type.Integer() }, closed) } }
  }, async request => await enterCentres(ledger, callerIn(request).id, request.body.centres))

  app.get('/v1/clinic/centres', {
    config: { allow: ['staff', 'auditor'] }, schema: { response: { 200: Type.Array(ClinicCentre) } }
  }, async () => await listCentres(ledger.db))

  app.post('/v1/clinic/statements', {
    config: { allow: ['settler'], repeated: 'Asked again, what is told takes the place of what was told.' },
    schema: { body: CentreAsked, response: { 200: CentreStatements } }
  }, async request => await askForStatements(ledger, request.body.date, callerIn(request).id))

  app.put('/v1/clinic/:party', {
    config: { allow: ['registrar'] },
    schema: { params: Party, body: ClinicInstitution, response: { 200: ClinicInstitution } }
  }, async request => {
    await setInstitution(ledger, callerIn(request).id, request.params.party, request.body)
    return request.body
  })

  app.post('/v1/clinic/:party/looks', {
    config: { allow: asking, repeated: 'It changes nothing.' },
    schema: { params: Party, body: ClinicLook, response: { 200: ClinicReply } }
  }, async request =>
    await asked(callerIn(request), request.params.party, { do: 'pre_settle', ...request.body }))

  app.post('/v1/clinic/:party/settlements', {
    config: { allow: asking, repeated: first },
    schema: { params: Party, body: ClinicSettle, response: { 200: ClinicReply } }
  }, async request =>
    await asked(callerIn(request), request.params.party, { do: 'settle', ...request.body }))

  app.put('/v1/clinic/:party/national', {
    config: { allow: ['registrar'] },
    schema: { params: Party, body: ClinicNational, response: { 200: ClinicNational } }
  }, async request => {
    await setNational(ledger, callerIn(request).id, request.params.party, request.body)
    return request.body
  })

  app.post('/v1/clinic/:party/national', {
    config: { allow: asking, repeated: 'The same `msgid` gets its first answer again.' },
    schema: { params: Party, body: Envelope, response: { 200: Envelope } }
  }, async (request, reply) => {
    const { party } = request.params
    const caller = callerIn(request)
    requireSelf(caller, party)
    const said = request.rawBody ?? Buffer.alloc(0)
    const bytes = await answerNational(ledger, { party, client: caller.id }, said)
    return await reply.type('application/json; charset=utf-8').send(Buffer.from(bytes))
  })

  app.post('/v1/clinic/:party/cancellations', {
    config: { allow: asking, repeated: first },
    schema: { params: Party, body: ClinicCancel, response: { 200: ClinicReply } }
  }, async request =>
    await asked(callerIn(request), request.params.party, { do: 'cancel', ...request.body }))

  app.post('/v1/clinic/:party/reversals', {
    config: { allow: asking, repeated: first },
    schema: { params: Party, body: ClinicReverse, response: { 200: ClinicReply } }
  }, async request =>
    await asked(callerIn(request), request.params.party, { do: 'reverse', ...request.body }))

  app.post('/v1/clinic/:party/persons/look-up', {
    config: { allow: looking, repeated: 'It changes nothing.' },
    schema: { params: Party, body: ClinicPersonLookUp, response: { 200: ClinicPersonView } }
  }, async request => {
    const { party } = request.params
    requireSelf(callerIn(request), party)
    await clinicOf(ledger, party)
    const { person, year = Number(localDate(ledger.clock.now()).slice(0, 4)) } = request.body
    return await viewPerson(ledger, person, year)
  })

  app.get('/v1/clinic/:party/messages/:message', {
    config: { allow: looking },
    schema: {
      params: Type.Object({ ...code, message: MessageId }, closed), response: { 200: ClinicReply }
    }
  }, async request => {
    const { party, message } = request.params
    requireSelf(callerIn(request), party)
    return await tellMessage(ledger, party, message)
  })

  app.get('/v1/clinic/:party/settlements', {
    config: { allow: looking },
    schema: {
      params: Party, querystring: Type.Object(paging('^\\d{1,15}$'), closed),
      response: { 200: pageOf(ClinicSettlementView) }
    }
  }, async request => {
    const { party } = request.params
    requireSelf(callerIn(request), party)
    const limit = pageLimit(request.query.limit)
    const after = BigInt(request.query.after ?? '0')
    const rows = await listSettlements(ledger.db, await clinicOf(ledger, party), { after, limit })
    return page(rows, limit, viewOf, row => row.settlementNo)
  })

  app.get('/v1/clinic/:party/settlements/:settlement/explanation', {
    config: { allow: looking }, schema: { params: OneSettlement, response: { 200: ClinicExplanation } }
  }, async request => {
    const { party, settlement } = request.params
    requireSelf(callerIn(request), party)
    const row = await findSettlement(ledger.db, await clinicOf(ledger, party), BigInt(settlement))
    if (row === null) throw new Refusal('not_found', `${party} has no settlement ${settlement}`)
    return explanationView(settlement, splitFrom(row.split))
  })
}

const viewOf = (row: SettlementRow) => ({
  settlement: String(row.settlementNo), person: row.person, visit: row.visit, message: row.message,
  state: row.takenBackBy === null ? 'live' as const : 'taken_back' as const,
  clearingDate: row.clearingDate, split: splitView(splitFrom(row.split))
})
