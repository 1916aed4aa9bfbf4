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

const closed = { additionalProperties: false } as const
const pageSize = 500

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
    schema: { response: { 200: Type.Object({ items: Type.Array(SettlementHold) }, closed) } }
  }, async () => {
    await ledger.watch.catchUp()
    return { items: (await readHolds(ledger.db, null)).map(holdView) }
  })

  app.get('/v1/watch/items', {
    config: { allow: ['staff', 'auditor', 'operator'] },
    schema: {
      querystring: Type.Object({
        layer: Type.Unsafe<'B' | 'E'>(Type.String({ enum: ['B', 'E'], description: 'B: PSAMs, E: cards' })),
        party: Type.Optional(Type.String({ maxLength: 15, description: 'an operator sees its own only' })),
        after: Type.Optional(Type.String({ pattern: '^\\d{1,15}$' }))
      }, closed),
      response: {
        200: Type.Object({
          items: Type.Array(WatchItem), next: Type.Union([Type.String(), Type.Null()])
        }, closed)
      }
    }
  }, async request => {
    const { layer, party = null, after = '0' } = request.query
    await ledger.watch.catchUp()
    const rows = await readWatchItems(ledger.db, {
      layer, party: callerIn(request).party ?? party, after: BigInt(after), limit: pageSize
    })
    return {
      items: rows.map(({ itemId, openedAtMs, amountFen, ...row }) => ({
        ...row, id: Number(itemId), kind: row.evidence.kind, about: row.evidence.about,
        amountFen: Number(amountFen), openedAt: formatIso(openedAtMs)
      })),
      next: rows.length < pageSize ? null : String(rows.at(-1)?.itemId)
    }
  })
}
