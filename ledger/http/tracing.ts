// The doors from a net position down to raw bytes: position, batches, transfers, line, chain, journal. Each
// reply says where the next level is. A company goes down from its own positions and sees its own share of
// what it shares with others. They change nothing.
import { Type } from 'typebox'
import { LocalDate, type Position } from '../../schemas/api.ts'
import { parseCardKey } from '../../schemas/record.ts'
import {
  BatchLine, BatchView, ChainEntry, PositionBatch, RawLineView, TracedPosition, TransferView
} from '../../schemas/tracing.ts'
import { positionView } from '../day/day-view.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { viewChain } from '../tracing/chain.ts'
import {
  batchLines, positionBatches, positionOf, viewBatch, viewJournal, viewTransfer
} from '../tracing/position.ts'
import { viewRawLine } from '../tracing/raw-line.ts'
import type { App } from './app.ts'
import { callerIn, requireSelf, type Capacity } from './auth.ts'
import { pageLimit, pageOf, paging } from './page.ts'

const closed = { additionalProperties: false } as const
const house: readonly Capacity[] = ['staff', 'auditor']
const allow: readonly Capacity[] = [...house, 'operator', 'agent']
const Party = Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })
const Book = Type.String({ pattern: '^[a-z]{1,12}$' })
const Number19 = Type.String({ pattern: '^\\d{1,18}$' })
const OfPosition = Type.Object({ date: LocalDate, party: Party, book: Book }, closed)

export const tracingRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/positions/:date/:party/:book', {
    config: { allow }, schema: { params: OfPosition, response: { 200: TracedPosition } }
  }, async request => {
    const { date, ...whose } = request.params
    requireSelf(callerIn(request), whose.party)
    return { ...positionView(await positionOf(ledger, date, whose)), links: linksOf({ date, ...whose }) }
  })

  app.get('/v1/positions/:date/:party/:book/batches', {
    config: { allow },
    schema: {
      params: OfPosition, querystring: Type.Object(paging('^\\d{1,18}$'), closed),
      response: { 200: pageOf(PositionBatch) }
    }
  }, async request => {
    const { date, ...whose } = request.params
    requireSelf(callerIn(request), whose.party)
    const { after = '0', limit } = request.query
    return await positionBatches(ledger, date, whose, { after: BigInt(after), limit: pageLimit(limit) })
  })

  app.get('/v1/batches/:batch', {
    config: { allow },
    schema: { params: Type.Object({ batch: Number19 }, closed), response: { 200: BatchView } }
  }, async request =>
    await viewBatch(ledger, BigInt(request.params.batch), callerIn(request).party))

  app.get('/v1/batches/:batch/lines', {
    config: { allow },
    schema: {
      params: Type.Object({ batch: Number19 }, closed),
      querystring: Type.Object({
        party: Type.Optional({
          ...Party, description: 'those behind its position; a company asks for its own, also without it'
        } as typeof Party),
        book: Type.Optional(Type.String({ pattern: '^[a-z]{1,12}$', description: 'commerce when absent' })),
        ...paging('^\\d{1,18}$')
      }, closed),
      response: { 200: pageOf(BatchLine) }
    }
  }, async request => {
    const caller = callerIn(request)
    const { party = caller.party, book = 'commerce', after = '0', limit } = request.query
    if (party !== null) requireSelf(caller, party)
    const whose = party === null ? null : { party, book }
    return await batchLines(ledger, BigInt(request.params.batch), { whose, by: caller.party },
      { after: BigInt(after), limit: pageLimit(limit) })
  })

  app.get('/v1/deliveries/:delivery/lines/:line', {
    config: { allow },
    schema: {
      params: Type.Object({
        delivery: Number19, line: Type.String({ pattern: '^\\d{1,9}$', description: 'from 1' })
      }, closed),
      response: { 200: RawLineView }
    }
  }, async request => {
    const { delivery, line } = request.params
    return await viewRawLine(ledger, BigInt(delivery), Number(line), callerIn(request).party)
  })

  app.get('/v1/cards/:card/chain', {
    config: { allow: house },
    schema: {
      params: Type.Object({ card: Type.String({ maxLength: 48 }) }, closed),
      querystring: Type.Object(paging('^\\d{1,6}$'), closed), response: { 200: pageOf(ChainEntry) }
    }
  }, async ({ params, query: { after = '0', limit } }) => {
    const card = parseCardKey(params.card)
    if (card === null) throw new Refusal('not_found', 'a card is written ISSUER-SERIAL-ISSUE')
    return await viewChain(ledger, card, { after: Number(after), limit: pageLimit(limit) })
  })

  app.get('/v1/journals/:journal', {
    config: { allow },
    schema: { params: Type.Object({ journal: Number19 }, closed), response: { 200: pageOf(TransferView) } }
  }, async request => {
    const by = callerIn(request).party
    return { items: await viewJournal(ledger, BigInt(request.params.journal), by), next: null }
  })

  app.get('/v1/transfers/:transfer', {
    config: { allow },
    schema: { params: Type.Object({ transfer: Number19 }, closed), response: { 200: TransferView } }
  }, async request =>
    await viewTransfer(ledger, BigInt(request.params.transfer), callerIn(request).party))
}

/** Where the next level of a position is. */
export const linksOf = (
  { date, party, book }: Pick<Position, 'party' | 'book'> & { readonly date: string }
): { batches: string } => ({ batches: `/v1/positions/${date}/${party}/${book}/batches` })
