// The doors of blocks on chips: signed, told of, looked at.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import {
  BlockOutcome, BlockOutcomeReply, BlockReply, BlocksView, blockStates, NewBlock, type BlockState
} from '../../schemas/card-block.ts'
import type { CardRef } from '../../schemas/record.ts'
import { masked } from '../core/mask.ts'
import type { Ledger } from '../ledger.ts'
import { askBlock, tellBlock } from '../posting/block-card.ts'
import { listBlocks } from '../store/card-blocks.ts'
import { cardsOf } from '../store/loads.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'

const listMax = 200

export const cardBlockRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/card-blocks', {
    config: { allow: ['gateway'], repeated: 'The same `key` and challenge get the same MAC.' },
    schema: { body: NewBlock, response: { 200: BlockReply } }
  }, async request => await askBlock(ledger, { client: callerIn(request).id, block: request.body }))

  app.post('/v1/card-blocks/outcome', {
    config: { allow: ['gateway'], repeated: 'The first news decides; repeating it changes nothing.' },
    schema: { body: BlockOutcome, response: { 200: BlockOutcomeReply } }
  }, async request => await tellBlock(ledger, { client: callerIn(request).id, told: request.body }))

  app.get('/v1/card-blocks', {
    config: { allow: ['registrar', 'clerk', 'auditor'] },
    schema: {
      querystring: Type.Object({
        state: Type.Optional(Type.Unsafe<BlockState>(Type.String({ enum: [...blockStates] })))
      }, { additionalProperties: false }),
      response: { 200: BlocksView }
    }
  }, async request => {
    const rows = await listBlocks(ledger.db, request.query.state ?? 'blocked', listMax)
    const cards = await cardsOf(ledger.db, rows)
    return {
      blocks: rows.map(({ cardId, operator, terminal, form, listedFor, state, ...times }) => ({
        card: masked(cards.get(cardId) as CardRef), operator, terminal, form, listedFor, state,
        requestedAt: formatIso(times.requestedAtMs),
        decidedAt: times.decidedAtMs === null ? null : formatIso(times.decidedAtMs)
      }))
    }
  })
}
