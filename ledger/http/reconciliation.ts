// The doors of reconciliation: run a date, see the trend and the float, and what the other side tells.
import { Type } from 'typebox'
import { LocalDate } from '../../schemas/api.ts'
import {
  FloatView, LayerName, MedicalTotals, PartyPosition, RunView, TerminalCheck, TerminalTotals
} from '../../schemas/reconciliation.ts'
import { viewFloat } from '../day/float.ts'
import type { Ledger } from '../ledger.ts'
import { takeMedicalTotals, takePartyPosition, takeTerminalTotals } from '../reconciling/other-side.ts'
import { reconcileDay, viewRuns } from '../reconciling/reconcile.ts'
import type { App } from './app.ts'
import { callerIn, requireSelf, type Capacity } from './auth.ts'
import { pageOf, paging, slice } from './page.ts'

const closed = { additionalProperties: false } as const
const looking: readonly Capacity[] = ['staff', 'auditor']
const Day = Type.Object({ date: LocalDate }, closed)
const Runs = Type.Object({ items: Type.Array(RunView) }, closed)
const nothing = { 204: Type.Null() }

export const reconciliationRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/reconciliation', {
    config: { allow: looking },
    schema: {
      querystring: Type.Object({
        from: LocalDate, to: LocalDate, layer: Type.Optional(LayerName),
        ...paging('^\\d{4}-\\d{2}-\\d{2}\\.[A-I]$')
      }, closed),
      response: { 200: pageOf(RunView) }
    }
  }, async ({ query }) => slice(
    (await viewRuns(ledger, query.from, query.to))
      .filter(({ layer }) => query.layer === undefined || layer === query.layer),
    query, ({ date, layer }) => `${date}.${layer}`))

  app.post('/v1/reconciliation/:date', {
    config: { allow: ['settler'], repeated: 'Run again, it stores what has changed.' },
    schema: { params: Day, response: { 200: Runs } }
  }, async request => ({ items: await reconcileDay(ledger, request.params.date, callerIn(request).id) }))

  app.get('/v1/float/:date', {
    config: { allow: looking }, schema: { params: Day, response: { 200: FloatView } }
  }, async ({ params }) => {
    const { date, books, faults } = await viewFloat(ledger.db, params.date)
    const shown = books.map(({ book, ...amounts }) =>
      ({ book, ...Object.fromEntries(Object.entries(amounts).map(([name, fen]) => [name, Number(fen)])) }))
    return { date, red: faults.length > 0, books: shown as FloatView['books'], faults: [...faults] }
  })

  app.post('/v1/terminal-totals', {
    config: { allow: ['gateway', 'operator'], repeated: 'Told again, a batch is compared again.' },
    schema: { body: TerminalTotals, response: { 200: TerminalCheck } }
  }, async request => {
    requireSelf(callerIn(request), request.body.operator)
    return await takeTerminalTotals(ledger, request.body, callerIn(request).id)
  })

  app.post('/v1/party-positions', {
    config: {
      allow: ['operator', 'agent', 'settler'], repeated: 'Told again, it takes the place of what was told.'
    },
    schema: { body: PartyPosition, response: nothing }
  }, async (request, reply) => {
    requireSelf(callerIn(request), request.body.party)
    await takePartyPosition(ledger, request.body, callerIn(request).id)
    return await reply.code(204).send(null)
  })

  app.post('/v1/medical-totals', {
    config: { allow: ['settler'], repeated: 'Told again, they take the place of what was told.' },
    schema: { body: MedicalTotals, response: nothing }
  }, async (request, reply) => {
    await takeMedicalTotals(ledger, request.body, callerIn(request).id)
    return await reply.code(204).send(null)
  })
}
