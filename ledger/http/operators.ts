// The own door of a company: what it earned, and how its terminals are doing. It sees itself and nobody else.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { LocalDate } from '../../schemas/api.ts'
import { Income, OperatorItem, TerminalState } from '../../schemas/operator.ts'
import { LayerName, type ItemView } from '../../schemas/reconciliation.ts'
import { incomeOf } from '../day/income.ts'
import { viewItems } from '../reconciling/items.ts'
import type { Ledger } from '../ledger.ts'
import {
  incomeColumns, incomeDates, readTerminals, type IncomeColumn, type IncomeDate
} from '../store/income.ts'
import type { App } from './app.ts'
import { callerIn, requireSelf, type Capacity } from './auth.ts'
import { page, pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const allow: readonly Capacity[] = ['operator', 'auditor', 'staff']
const OfParty = Type.Object({ party: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }) }, closed)

export const operatorRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/operators/:party/income', {
    config: { allow },
    schema: {
      summary: 'What a party earned on a date, by line, vehicle, shift or terminal',
      params: OfParty,
      querystring: Type.Object({
        date: LocalDate,
        on: Type.Optional(Type.Unsafe<IncomeDate>(Type.String({
          enum: Object.keys(incomeDates), description: 'cleared, as when absent, or used on that date'
        }))),
        by: Type.Unsafe<IncomeColumn>(Type.String({ enum: [...incomeColumns] })),
        book: Type.Optional(Type.String({ pattern: '^[a-z]{1,12}$', description: 'commerce when absent' }))
      }, closed),
      response: { 200: Income }
    }
  }, async request => {
    const { party } = request.params
    requireSelf(callerIn(request), party)
    const { date, on = 'cleared', by, book = 'commerce' } = request.query
    const sums = await incomeOf(ledger, { party, date, on, by, book })
    const total = (pick: (one: typeof sums[number]) => bigint) =>
      Number(sums.reduce((sum, one) => sum + pick(one), 0n))
    return {
      items: sums.map(one => ({
        ...one, claimsFen: Number(one.claimsFen), adjustmentsFen: Number(one.adjustmentsFen)
      })),
      next: null,
      claimsFen: total(one => one.claimsFen),
      adjustmentsFen: total(one => one.adjustmentsFen)
    }
  })

  app.get('/v1/operators/:party/terminals', {
    config: { allow },
    schema: {
      summary: 'Terminals of a party with their last upload',
      params: OfParty,
      querystring: Type.Object(paging('^[A-Z0-9-]{1,8}$'), closed),
      response: { 200: pageOf(TerminalState) }
    }
  }, async request => {
    const { party } = request.params
    requireSelf(callerIn(request), party)
    const { after = '', limit: said } = request.query
    const limit = pageLimit(said)
    const rows = await readTerminals(ledger.db, party, after, limit)
    const at = (ms: number | null) => ms === null ? null : formatIso(ms)
    return page(rows, limit, ({ psam, lastSequence, lastEventAtMs, lastUploadAtMs, ...same }) => ({
      ...same, psam: psam === null ? null : psam.toString('hex').toUpperCase(),
      lastSequence: lastSequence === null ? null : Number(lastSequence),
      lastEventAt: at(lastEventAtMs), lastUploadAt: at(lastUploadAtMs)
    }), ({ terminal }) => terminal)
  })

  app.get('/v1/operators/:party/items', {
    config: { allow: [...allow, 'agent'] },
    schema: {
      params: OfParty,
      querystring: Type.Object({
        layer: Type.Optional(LayerName),
        state: Type.Optional(Type.Unsafe<'open' | 'closed'>(Type.String({ enum: ['open', 'closed'] }))),
        ...paging('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(OperatorItem) }
    }
  }, async request => {
    const { party } = request.params
    requireSelf(callerIn(request), party)
    const { layer = null, state = null, after = '0', limit } = request.query
    await ledger.watch.catchUp()
    const { items, next } = await viewItems(ledger, {
      layer, state, party, owner: null, date: null, outcome: null, ageDaysMin: null,
      after: BigInt(after), limit: pageLimit(limit)
    })
    return { items: items.map(ownItem), next }
  })
}

/** Without what the staff writes beside it, and who they are. */
function ownItem ({ owner, note, proposal, party, evidence, layer, ...same }: ItemView): OperatorItem {
  return { ...same, layer, evidence: ownEvidence.has(layer) ? evidence : null }
}

/** Layers whose evidence is what the company itself told or sent. */
const ownEvidence: ReadonlySet<string> = new Set(['A', 'B', 'C', 'E', 'F'])
