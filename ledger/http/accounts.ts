// The doors of accounts: trial balance, statements of accounts and of cards. They change nothing.
import { Type } from 'typebox'
import { AccountStatement, CardStatement } from '../../schemas/account.ts'
import { Instant, LocalDate, TrialBalance } from '../../schemas/api.ts'
import { limits } from '../../schemas/limits.ts'
import { parseCardKey } from '../../schemas/record.ts'
import { localDate, parseIso } from '../../runtime/instants.ts'
import { accountOf, accountStatement, trialBalance } from '../posting/account-statement.ts'
import { cardStatement } from '../cards/card-statement.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import type { App } from './app.ts'
import { callerIn, type Capacity } from './auth.ts'
import { pageLimit } from './page.ts'

const closed = { additionalProperties: false } as const
const looking: readonly Capacity[] = ['staff', 'auditor']
const optional = (pattern: string, description: string) =>
  Type.Optional(Type.String({ pattern, description }))
const described = <S extends object>(schema: S, description: string): S => ({ ...schema, description })

const Trial = Type.Object({
  asOf: Type.Optional(LocalDate),
  knownAt: Type.Optional(described(Instant, 'what the books said then; now when absent')),
  book: optional('^[a-z]{1,12}$', 'only accounts of this book'),
  heading: optional('^[a-z-]{1,30}$', 'only accounts of this heading'),
  party: optional('^[A-Z0-9-]{1,15}$', 'only accounts of this party')
}, closed)

export const Paging = {
  from: Type.Optional(described(LocalDate, 'first clearing date; from the beginning when absent')),
  to: Type.Optional(described(LocalDate, 'last clearing date; to the end when absent')),
  after: optional('^\\d{4}-\\d{2}-\\d{2}\\.\\d{1,19}\\.\\d{1,15}$', '`next` of the page before'),
  limit: optional('^\\d{1,4}$', `at most ${limits.pageItemsMax}; 100 when absent`)
}
const Page = Type.Object(Paging, closed)
type Page = { from?: string, to?: string, after?: string, limit?: string }

const asked = ({ clock }: Ledger, { from, to, after, limit }: Page) => ({
  from: from ?? '0001-01-01', to: to ?? farAhead(clock.now()), after: after ?? null, limit: pageLimit(limit)
})
/** The open date may lie ahead of the calendar, never by this much. */
const farAhead = (nowMs: number): string => localDate(nowMs + 40 * 86_400_000)

export const accountRoutes = (ledger: Ledger) => async (app: App): Promise<void> => {
  app.get('/v1/accounts', {
    config: { allow: [...looking, 'registrar'] },
    schema: { querystring: Trial, response: { 200: TrialBalance } }
  }, async ({ query }) => await trialBalance(ledger, {
    asOf: query.asOf ?? null,
    knownAtMs: query.knownAt === undefined ? null : parseIso(query.knownAt),
    book: query.book ?? null,
    heading: query.heading ?? null,
    party: query.party ?? null
  }))

  app.get('/v1/accounts/:account/statement', {
    config: { allow: [...looking, 'operator', 'agent'] },
    schema: {
      params: Type.Object({
        account: Type.String({ maxLength: 80, description: 'book/heading[/PARTY], encoded' })
      }),
      querystring: Page,
      response: { 200: AccountStatement }
    }
  }, async request => {
    const account = await accountOf(ledger, request.params.account)
    const { party, id } = callerIn(request)
    if (party !== null && party !== account.party) {
      throw new Refusal('forbidden', `${id} sees the accounts of ${party} only`)
    }
    return await accountStatement(ledger, account, asked(ledger, request.query))
  })

  app.get('/v1/cards/:card/statement', {
    config: { allow: looking },
    schema: {
      params: Type.Object({ card: Type.String({ maxLength: 48 }) }), querystring: Page,
      response: { 200: CardStatement }
    }
  }, async ({ params, query }) => {
    const card = parseCardKey(params.card)
    if (card === null) throw new Refusal('not_found', 'a card is written ISSUER-SERIAL-ISSUE')
    return await cardStatement(ledger, card, asked(ledger, query))
  })
}
