// A day of the city as live traffic: records leave for a ledger at the pace of the day or so many times
// faster, and what comes of them is told while it flows. It refuses to know what a verdict should be.
import { setTimeout as delay } from 'node:timers/promises'
import { type HttpClient, createHttpClient } from '../../runtime/http-client.ts'
import type { DeliveryReply } from '../../schemas/api.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { City, Tap } from './city.ts'
import type { Spools } from './spools.ts'

export type LiveOptions = {
  readonly ledgerUrl: string
  /** Of a machine that delivers records, and of one that fills the registry first; null: it is filled. */
  readonly token: string, readonly registrar: string | null
  /** So many times faster than the day; 0: as fast as the ledger takes it. */
  readonly speed: number
  readonly spools: Spools
  readonly say: (line: string) => void
}

export type Delivered = {
  readonly records: number, readonly outcomes: Readonly<Record<string, number>>, readonly seconds: number
}

const cardsAtOnce = 2_000
const recordsAtOnce = 1_000
/** Minutes of the day between two lines. */
const toldEvery = 30
/** With so many records unanswered nobody taps: by a ledger that is away, or by one that is asked at once. */
const spoolMax = 100_000
const spoolMaxAtOnce = 2 * recordsAtOnce
const lookMs = 5

export async function deliverLive (
  city: City, recordOf: (tap: Tap) => TransactionRecord, options: LiveOptions
): Promise<Delivered> {
  const clientOf = (token: string): HttpClient => createHttpClient({
    baseUrl: options.ledgerUrl, random: Math.random, tryTimeoutMs: 120_000,
    headers: { authorization: `Bearer ${token}` }
  })
  if (options.registrar !== null) await fill(city, clientOf(options.registrar))
  const http = clientOf(options.token)
  const { spools, speed, say } = options
  const most = speed === 0 ? spoolMaxAtOnce : spoolMax
  const outcomes: Record<string, number> = {}
  const startedMs = performance.now()
  const waiting: { readonly party: string, readonly record: TransactionRecord }[] = []
  const sender = new AbortController()
  const day = { isOver: false }
  let records = 0
  let told = 0
  let firstSecond = -1

  async function send (): Promise<void> {
    for (let parts = 1; !(day.isOver && waiting.length === 0);) {
      const some = waiting.slice(0, recordsAtOnce)
      if (some.length === 0) {
        await delay(lookMs)
        continue
      }
      const delivery = `city.${city.parameters.day}.${String(parts++).padStart(6, '0')}`
      const body = { delivery, records: some.map(({ record }) => record) }
      const { results } = await http.post('/v1/records', body) as DeliveryReply
      for (const { outcome, reason } of results) {
        const name = reason === 'ok' ? outcome : `${outcome} ${reason}`
        outcomes[name] = (outcomes[name] ?? 0) + 1
      }
      waiting.splice(0, some.length)
      for (const { party } of some) spools.answered(party, 1)
      records += some.length
    }
  }
  function tell (second: number): void {
    const passedSeconds = (performance.now() - startedMs) / 1_000
    const by = Object.entries(outcomes).map(([name, count]) => `${count} ${name}`).join(', ')
    const rate = Math.round(records / passedSeconds)
    say(`${clockOf(second)}  ${records} records, ${rate}/s: ${by}; ${spools.words()}`)
  }
  const sending = send().finally(() => sender.abort())
  sending.catch(() => undefined) // told below
  for (const tap of city.taps()) {
    if (firstSecond < 0) firstSecond = tap.second
    const dueMs = speed === 0 ? 0 : 1_000 * (tap.second - firstSecond) / speed
    const earlyMs = startedMs + dueMs - performance.now()
    if (earlyMs > 0) await delay(earlyMs)
    while (waiting.length >= most && !sender.signal.aborted) await delay(lookMs)
    if (sender.signal.aborted) break
    const { party = '' } = city.services[tap.service] ?? {}
    for (let times = tap.toldTwice ? 2 : 1; times > 0; times--) {
      waiting.push({ party, record: recordOf(tap) })
      spools.taken(party, 1)
    }
    if (Math.floor(tap.second / 60 / toldEvery) > told) {
      told = Math.floor(tap.second / 60 / toldEvery)
      tell(tap.second)
    }
  }
  day.isOver = true
  await sending
  http.close()
  return { records, outcomes, seconds: Math.round((performance.now() - startedMs) / 1_000) }
}

async function fill (city: City, http: HttpClient): Promise<void> {
  await http.put('/v1/registry', city.registry())
  for (let from = 0; from < city.cards; from += cardsAtOnce) {
    await http.put('/v1/registry', { cards: city.registered(from, cardsAtOnce) })
  }
  await http.post('/v1/tariffs', city.tariff())
  http.close()
}

const clockOf = (second: number): string =>
  [second / 3_600, second / 60 % 60].map(part => String(Math.floor(part)).padStart(2, '0')).join(':')
