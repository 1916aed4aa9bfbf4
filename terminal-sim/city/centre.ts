// The ledger as the city's machines and staff use it: registry, blacklist, offline records, the close of the
// day. It refuses to know what anything should amount to.
import { type HttpClient, createHttpClient } from '../../runtime/http-client.ts'
import type {
  DayView, DeliveryReply, RecordDelivery, RecordTotals, SignedHead, VerifyReport
} from '../../schemas/api.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { totalsOver, type RecordCounts } from '../record-totals.ts'
import { days, tariff } from './cast.ts'
import type { CityPlan } from './plan.ts'
import type { Batch, Line } from './records.ts'
import type { Access } from './starter.ts'

const clientOf = (url: string, token?: string): HttpClient => createHttpClient({
  baseUrl: url,
  random: Math.random,
  tryTimeoutMs: 120_000,
  ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
})

/** Runs `work` with a client of this machine. */
async function as<T> (
  url: string, token: string | undefined, work: (http: HttpClient) => Promise<T>
): Promise<T> {
  const http = clientOf(url, token)
  try {
    return await work(http)
  } finally {
    http.close()
  }
}

/** Who and what takes part, prices and blacklist; the validators say that they applied it. */
export async function setUp (
  url: string, { tokens }: Access, plan: CityPlan, onPart: () => void
): Promise<void> {
  await as(url, tokens['REGISTRAR'], async http => {
    const { cards = [], ...rest } = plan.registry
    await http.put('/v1/registry', rest)
    onPart()
    for (let from = 0; from < cards.length; from += cardsAtOnce) {
      await http.put('/v1/registry', { cards: cards.slice(from, from + cardsAtOnce) })
      onPart()
    }
    await http.post('/v1/tariffs', tariff)
    await http.post('/v1/blacklist', plan.blacklist)
    onPart()
  })
  await as(url, tokens['DEPOT'], async http => {
    for (const terminal of plan.records.acknowledged) {
      const applied = { terminal, kind: 'blacklist', version: 1, appliedAt: days.applied }
      await http.post('/v1/parameters/applied', applied)
    }
    onPart()
  })
}
const cardsAtOnce = 1_000
export const setUpParts = ({ registry }: CityPlan): number =>
  3 + Math.ceil((registry.cards?.length ?? 0) / cardsAtOnce)

export type Answered = {
  readonly line: Line, readonly outcome: string, readonly reason: string, readonly replayed: boolean
}

/** All batches of a wave, several at once; a wave begins when the one before is answered. */
export async function deliver (
  url: string, { tokens }: Access, waves: CityPlan['records']['waves'], onLines: (count: number) => void
): Promise<Answered[]> {
  return await as(url, tokens['DEPOT'], async http => {
    const answered: Answered[] = []
    for (const wave of waves) {
      const waiting = [...wave]
      const worker = async () => {
        for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
          answered.push(...await deliverBatch(http, batch))
          onLines(batch.lines.length)
        }
      }
      await Promise.all(Array.from({ length: connections }, worker))
    }
    return answered
  })
}
const connections = 4

async function deliverBatch (http: HttpClient, batch: Batch): Promise<Answered[]> {
  const body = bodyOf(batch)
  const reply = await http.post('/v1/records', body) as DeliveryReply
  if (batch.twice) assertSame(reply, await http.post('/v1/records', body) as DeliveryReply)
  return answersOf(batch, reply)
}

export const bodyOf = ({ delivery, lines }: Batch): RecordDelivery =>
  ({ delivery, records: lines.map(({ record }) => record as TransactionRecord) })

export const answersOf = ({ lines }: Batch, { results }: DeliveryReply): Answered[] =>
  results.map(({ index, outcome, reason, replayed }) =>
    ({ line: lines[index] as Line, outcome, reason, replayed }))

/** A delivery that comes again gets its first answer. */
function assertSame (first: DeliveryReply, again: DeliveryReply): void {
  const same = again.replayed && JSON.stringify(again.results) === JSON.stringify(first.results)
  if (!same) throw new Error(`${first.delivery}, sent again under the same id, got another answer`)
}

/** The day closed by one, approved by two others, settled. */
export async function settleDay (url: string, access: Access, onStep: () => void): Promise<DayView> {
  const path = `/v1/days/${days.clearingDate}`
  const signIn = (name: string) => as(url, undefined, async http =>
    (await http.post('/v1/session', { name, password: access.passwords[name] }) as { token: string }).token)
  const settler = await signIn('settler')
  const closed = await as(url, settler, http => http.post(`${path}/close`, {})) as DayView
  onStep()
  if (closed.digest === null) {
    throw new Error(`${days.clearingDate} stays ${closed.state}: ${closed.blockers.join('; ')}`)
  }
  for (const name of ['approver-1', 'approver-2']) {
    const token = await signIn(name)
    await as(url, token, http => http.post(`${path}/approvals`, { digest: closed.digest }))
    onStep()
  }
  const settled = await as(url, settler, http => http.post(`${path}/instruct`, {})) as DayView
  onStep()
  return settled
}

/** Of all days. */
export const totals = async (url: string, { tokens }: Access): Promise<RecordCounts> =>
  await as(url, tokens['AUDITOR'], async http => {
    const { items } = await http.get('/v1/days') as { readonly items: readonly DayView[] }
    return await totalsOver(items, async path => await http.get(path) as RecordTotals)
  })

export const verify = (url: string, { tokens }: Access): Promise<VerifyReport> =>
  as(url, tokens['AUDITOR'], http => http.post('/v1/verify', {})) as Promise<VerifyReport>

export const head = (url: string, { tokens }: Access): Promise<SignedHead> =>
  as(url, tokens['AUDITOR'], http => http.get('/v1/head')) as Promise<SignedHead>
