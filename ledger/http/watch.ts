// The doors of the watch: open items of PSAM sequences and card chains. They change nothing but that the
// watch catches up first.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { parseCardKey } from '../../schemas/record.ts'
import { CardReading, SettlementHold, WatchItem } from '../../schemas/watch.ts'
import { readCardAtCounter } from '../cards/card-reading.ts'
import { holdView } from '../day/holds.ts'
import type { Ledger } from '../ledger.ts'
import { readHolds } from '../store/holds.ts'
import { Refusal } from '../refusal.ts'
import { readWatchItems } from '../store/watch-items.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'
import { ledgerIn } from './once.ts'
import { page, pageLimit, pageOf, paging, slice } from './page.ts'

const closed = { additionalProperties: false } as const

export const watchRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.post('/v1/cards/:card/readings', {
    config: { allow: ['clerk', 'gateway'], keyed: true },
    schema: {
      params: Type.Object({ card: Type.String({ maxLength: 64 }) }, closed), body: CardReading,
      response: { 200: Type.Object({ changed: Type.Integer({ description: 'verdicts' }) }, closed) }
    }
  }, async request => {
    const ledger = ledgerIn(request)
    const card = parseCardKey(request.params.card)
    if (card === null) throw new Refusal('not_found', 'not a card')
    return { changed: await readCardAtCounter(ledger, card, request.body, callerIn(request).id) }
  })

  app.get('/v1/watch/holds', {
    config: { allow: ['staff', 'auditor'] },
    schema: {
      querystring: Type.Object({
        party: Type.Optional(Type.String({ maxLength: 15 })), ...paging('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(SettlementHold) }
    }
  }, async ({ query }) => {
    await ledger.watch.catchUp()
    const holds = await readHolds(ledger.db, query.party ?? null)
    return slice(holds.map(holdView), query, ({ id }) => String(id))
  })

  app.get('/v1/watch/items', {
    config: { allow: ['staff', 'auditor', 'operator'] },
    schema: {
      querystring: Type.Object({
        layer: Type.Unsafe<'B' | 'E'>(Type.String({ enum: ['B', 'E'], description: 'B: PSAMs, E: cards' })),
        party: Type.Optional(Type.String({ maxLength: 15, description: 'an operator sees its own only' })),
        ...paging('^\\d{1,15}$')
      }, closed),
      response: { 200: pageOf(WatchItem) }
    }
  }, async request => {
    const { layer, party = null, after = '0', limit: said } = request.query
    const limit = pageLimit(said)
    await ledger.watch.catchUp()
    const rows = await readWatchItems(ledger.db, {
      layer, party: callerIn(request).party ?? party, after: BigInt(after), limit
    })
    return page(rows, limit, ({ itemId, openedAtMs, amountFen, ...row }) => ({
      ...row, id: Number(itemId), kind: row.evidence.kind, about: row.evidence.about,
      amountFen: Number(amountFen), openedAt: formatIso(openedAtMs)
    }), ({ itemId }) => itemId)
  })
}
