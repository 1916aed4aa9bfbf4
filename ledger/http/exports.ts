// The doors through which lists leave as files: CSV, XLSX, and an hledger journal of a day.
import type { Readable } from 'node:stream'
import { Type, type Static, type TObject, type TProperties } from 'typebox'
import { maskCards } from '../../runtime/log.ts'
import { LocalDate } from '../../schemas/api.ts'
import { BandName } from '../../schemas/card-chain.ts'
import { Quarter } from '../../schemas/case.ts'
import { outcomeNumbers } from '../../schemas/reasons.ts'
import { layers } from '../../schemas/reconciliation.ts'
import { giveOut, giveOutText, type Format } from '../exports/give-out.ts'
import { hledgerJournal } from '../exports/journal.ts'
import type { Sheet } from '../exports/sheet.ts'
import {
  cardChainSheet, itemsSheet, positionsSheet, recordsSheet, statementsSheet, supervisionSheet,
  transfersSheet, type Shown
} from '../exports/sheets.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { differingFilter } from '../tracing/card-chain.ts'
import type { App } from './app.ts'
import { callerIn, type Capacity } from './auth.ts'
import { recordFilter } from './views.ts'

const closed = { additionalProperties: false } as const
const allow: readonly Capacity[] = ['staff', 'auditor']

const Stream = Type.Unsafe<Readable>(Type.String())
const Party = Type.Optional(Type.String({ maxLength: 15, description: 'code of a party' }))
const yesNo = (description: string) => Type.Optional(Type.String({ enum: ['true', 'false'], description }))
const common = {
  bom: yesNo('a byte order mark before the CSV, for Excel; true when absent'),
  unmasked: yesNo('card numbers whole: only for auditors, and written into the audit log')
}

type Export<P extends TProperties> = {
  readonly summary: string
  readonly query: TObject<P>
  readonly sheet: (ledger: Ledger, query: Static<TObject<P>>, shown: Shown) => Promise<Sheet> | Sheet
}
const one = <P extends TProperties>(given: Export<P>): Export<TProperties> => given as never

const all: Readonly<Record<string, Export<TProperties>>> = {
  records: one({
    summary: 'Records with their first verdicts',
    query: Type.Object({
      ...common,
      card: Type.Optional(Type.String({ maxLength: 48 })),
      date: Type.Optional(LocalDate),
      operator: Party,
      outcome: Type.Optional(Type.String({ enum: Object.keys(outcomeNumbers) }))
    }, closed),
    sheet: async (ledger, query, shown) => {
      if (query.date === undefined && query.card === undefined) {
        throw new Refusal('body_invalid', 'say of which date or of which card', '/date')
      }
      return recordsSheet(ledger, { ...await recordFilter(ledger, query), limit: null }, shown)
    }
  }),
  transfers: one({
    summary: 'Transfers of a clearing date',
    query: Type.Object({
      ...common, date: LocalDate, party: Party,
      account: Type.Optional(Type.String({
        maxLength: 60, description: 'book/heading or book/heading/PARTY'
      }))
    }, closed),
    sheet: (ledger, { date, account = null, party = null }, shown) =>
      transfersSheet(ledger, { date, account, party }, shown)
  }),
  positions: one({
    summary: 'Positions of a clearing date',
    query: Type.Object({ ...common, date: LocalDate }, closed),
    sheet: async (ledger, { date }) => await positionsSheet(ledger, date)
  }),
  statements: one({
    summary: 'Lines of the statements of a clearing date',
    query: Type.Object({ ...common, date: LocalDate, party: Party }, closed),
    sheet: (ledger, { date, party = null }) => statementsSheet(ledger, date, party)
  }),
  'card-chain': one({
    summary: 'Purses whose chip says something else',
    query: Type.Object({ ...common, band: Type.Optional(BandName) }, closed),
    sheet: async (ledger, { band = null }, shown) => {
      await ledger.watch.catchUp()
      return cardChainSheet(ledger, differingFilter(ledger, { band, after: null, limit: null }), shown)
    }
  }),
  supervision: one({
    summary: 'Scores and grades of offices in a quarter',
    query: Type.Object({ ...common, quarter: Type.Optional(Quarter) }, closed),
    sheet: async (ledger, { quarter = null }) => await supervisionSheet(ledger, quarter)
  }),
  items: one({
    summary: 'Items of reconciliation',
    query: Type.Object({
      ...common, party: Party,
      layer: Type.Optional(Type.String({ enum: [...layers] })),
      state: Type.Optional(Type.String({ enum: ['open', 'closed'] }))
    }, closed),
    sheet: (ledger, { layer = null, state = null, party = null }, shown) =>
      itemsSheet(ledger, { layer, state, party }, shown)
  })
}

const mediaTypes: Readonly<Record<Format, string>> = {
  csv: 'text/csv', xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
}

export const exportRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  for (const [what, { summary, query: querystring, sheet }] of Object.entries(all)) {
    for (const format of ['csv', 'xlsx'] as const) {
      const content = { [mediaTypes[format]]: { schema: Stream } }
      app.get(`/v1/exports/${what}.${format}`, {
        config: { allow },
        schema: {
          summary: `${summary}, as ${format.toUpperCase()}`, querystring, response: { 200: { content } }
        }
      }, async (request, reply) => {
        const caller = callerIn(request)
        const query = request.query as Record<string, string>
        const shown = query['unmasked'] === 'true' ? 'whole' : 'masked'
        if (shown === 'whole' && !caller.capacities.includes('auditor')) {
          throw new Refusal('forbidden', `${caller.id} may not see whole card numbers; an auditor may`)
        }
        const stream = await giveOut(ledger, await sheet(ledger, query, shown), {
          by: caller.id, format, bom: query['bom'] !== 'false', shown,
          filter: JSON.parse(maskCards(JSON.stringify(query))) as object
        })
        return await reply.type(format === 'csv' ? 'text/csv; charset=utf-8' : mediaTypes.xlsx)
          .header('content-disposition', `attachment; filename="${what}.${format}"`).send(stream)
      })
    }
  }

  app.get('/v1/exports/journal/:date.journal', {
    config: { allow },
    schema: {
      summary: 'The books of a clearing date as an hledger journal',
      params: Type.Object({ date: LocalDate }, closed),
      querystring: Type.Object({
        detail: Type.Optional(Type.String({
          enum: ['transfer', 'kind'],
          description: 'one transaction per event, or per kind of transfer and pair of accounts'
        }))
      }, closed),
      response: { 200: { content: { 'text/plain': { schema: Stream } } } }
    }
  }, async (request, reply) => {
    const { detail = 'transfer' } = request.query
    const { date } = request.params
    const text = hledgerJournal(ledger.db, date, detail as 'transfer' | 'kind')
    const stream = await giveOutText(ledger, text,
      { what: 'journal', by: callerIn(request).id, date, detail })
    return await reply.type('text/plain; charset=utf-8').send(stream)
  })
}
