// The doors of loads: asked for, told of, looked at.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import {
  LoadOutcome, LoadOutcomeReply, LoadReply, loadStates, LoadView, NewLoad, PendingQuery, PendingReply,
  type LoadState
} from '../../schemas/load.ts'
import { answerReasonOf } from '../../schemas/reasons.ts'
import type { CardRef } from '../../schemas/record.ts'
import { masked } from '../core/mask.ts'
import type { Ledger } from '../ledger.ts'
import { askLoad, readPending, tellLoad } from '../posting/loads.ts'
import { Refusal } from '../refusal.ts'
import { cardsOf, listLoads } from '../store/loads.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'
import { CardInQuery, placeIn } from './views.ts'

const allow = ['gateway', 'operator', 'agent'] as const

export const loadRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/loads', {
    config: { allow: [...allow], repeated: 'The same `key` gets its first answer again.' },
    schema: { body: NewLoad, response: { 200: LoadReply } }
  }, async request => {
    const { id, party } = callerIn(request)
    if (party !== null && party !== request.body.party) {
      throw new Refusal('forbidden', `a client of ${party} cannot ask for ${request.body.party}`, '/party')
    }
    return await askLoad(ledger, { client: id, load: request.body })
  })

  app.post('/v1/loads/outcome', {
    config: { allow: [...allow], repeated: 'The first news decides; repeating it changes nothing.' },
    schema: { body: LoadOutcome, response: { 200: LoadOutcomeReply } }
  }, async request => await tellLoad(ledger, { client: callerIn(request).id, told: request.body }))

  app.post('/v1/loads/pending', {
    config: { allow: ['gateway'], repeated: 'It reads; nothing is kept.' },
    schema: { body: PendingQuery, response: { 200: PendingReply } }
  }, async request => ({ pendingFen: Number(await readPending(ledger, request.body.card)) }))

  app.get('/v1/loads', {
    config: { allow: ['clerk', 'settler', 'auditor'] },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(Type.Unsafe<LoadState>(Type.String({
          enum: [...loadStates], description: 'when absent open, or of a card all'
        }))),
        card: CardInQuery,
        ...pagingBack('^\\d{1,18}$')
      }, { additionalProperties: false }),
      response: { 200: pageOf(LoadView) }
    }
  }, async ({ query }) => {
    const { card, state = card === undefined ? 'open' : null, before, limit: said } = query
    const limit = pageLimit(said)
    const rows = await listLoads(ledger.db, {
      state, card: await placeIn(ledger.db, card), before: before === undefined ? null : BigInt(before), limit
    })
    const cards = await cardsOf(ledger.db, rows)
    const { partyById } = await ledger.registry()
    return page(rows, limit, row => ({
      card: masked(cards.get(row.cardId) as CardRef),
      client: row.client, key: row.key, source: row.source,
      party: partyById.get(row.partyId ?? -1)?.code ?? null, amountFen: Number(row.amountFen),
      state: row.state, reason: answerReasonOf(row.reason), ...row.rule === null ? {} : { rule: row.rule },
      evidence: row.evidence, requestedAt: formatIso(row.requestedAtMs),
      decidedAt: row.decidedAtMs === null ? null : formatIso(row.decidedAtMs)
    }), ({ loadId }) => loadId)
  })
}
