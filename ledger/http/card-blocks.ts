// The doors of blocks on chips: signed, told of, looked at.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import {
  BlockOutcome, BlockOutcomeReply, BlockReply, blockStates, BlockView, NewBlock, type BlockState
} from '../../schemas/card-block.ts'
import type { CardRef } from '../../schemas/record.ts'
import { masked } from '../core/mask.ts'
import type { Ledger } from '../ledger.ts'
import { askBlock, tellBlock } from '../posting/block-card.ts'
import { listBlocks, type BlockPlace, type BlockRow } from '../store/card-blocks.ts'
import { cardsOf } from '../store/loads.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'
import { page, pageLimit, pageOf, pagingBack } from './page.ts'
import { CardInQuery, placeIn } from './views.ts'

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
        state: Type.Optional(Type.Unsafe<BlockState>(Type.String({
          enum: [...blockStates], description: 'when absent blocked, or of a card all'
        }))),
        card: CardInQuery,
        ...pagingBack('^\\d{1,15}~\\d{1,2}~[!-}]{1,64}~[!-}]{1,64}$')
      }, { additionalProperties: false }),
      response: { 200: pageOf(BlockView) }
    }
  }, async ({ query }) => {
    const { card, state = card === undefined ? 'blocked' : null, before, limit: said } = query
    const limit = pageLimit(said)
    const rows = await listBlocks(ledger.db, {
      state, card: await placeIn(ledger.db, card), limit,
      before: before === undefined ? null : listPlace(before)
    })
    const cards = await cardsOf(ledger.db, rows)
    return page(rows, limit, ({ cardId, operator, terminal, form, listedFor, state, ...times }) => ({
      card: masked(cards.get(cardId) as CardRef), operator, terminal, form, listedFor, state,
      requestedAt: formatIso(times.requestedAtMs),
      decidedAt: times.decidedAtMs === null ? null : formatIso(times.decidedAtMs)
    }), placeOf)
  })
}

/** Blocks have no numbers: their place is when they were asked for, and their key. */
const placeOf = ({ requestedAtMs, bucket, client, key }: BlockRow): string =>
  [requestedAtMs, bucket, client, key].join('~')

function listPlace (text: string): BlockPlace {
  const [atMs, bucket, client = '', key = ''] = text.split('~')
  return { requestedAtMs: Number(atMs), bucket: Number(bucket), client, key }
}
