// A day of the city as live traffic: records leave for a ledger at the pace of the day or so many times
// faster, and what comes of them is told while it flows. It refuses to know what a verdict should be.
import { setTimeout as delay } from 'node:timers/promises'
import { type HttpClient, createHttpClient } from '../../runtime/http-client.ts'
import type { DeliveryReply } from '../../schemas/api.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { City, Tap } from './city.ts'

export type LiveOptions = {
  readonly ledgerUrl: string
  /** Of a machine that delivers records, and of one that fills the registry first; null: it is filled. */
  readonly token: string, readonly registrar: string | null
  /** So many times faster than the day; 0: as fast as the ledger takes it. */
  readonly speed: number
  readonly say: (line: string) => void
}

export type Delivered = {
  readonly records: number, readonly outcomes: Readonly<Record<string, number>>, readonly seconds: number
}

const cardsAtOnce = 2_000
const recordsAtOnce = 1_000
/** Minutes of the day between two lines. */
const toldEvery = 30

export async function deliverLive (
  city: City, recordOf: (tap: Tap) => TransactionRecord, options: LiveOptions
): Promise<Delivered> {
  const clientOf = (token: string): HttpClient => createHttpClient({
    baseUrl: options.ledgerUrl, random: Math.random, tryTimeoutMs: 120_000,
    headers: { authorization: `Bearer ${token}` }
  })
  if (options.registrar !== null) await fill(city, clientOf(options.registrar))
  const http = clientOf(options.token)
  const outcomes: Record<string, number> = {}
  const startedMs = performance.now()
  let waiting: TransactionRecord[] = []
  let records = 0
  let parts = 0
  let told = 0
  let firstSecond = -1

  async function leave (): Promise<void> {
    if (waiting.length === 0) return
    const delivery = `city.${city.parameters.day}.${String(++parts).padStart(6, '0')}`
    const { results } = await http.post('/v1/records', { delivery, records: waiting }) as DeliveryReply
    for (const { outcome, reason } of results) {
      const name = reason === 'ok' ? outcome : `${outcome} ${reason}`
      outcomes[name] = (outcomes[name] ?? 0) + 1
    }
    records += waiting.length
    waiting = []
  }
  function tell (second: number): void {
    const passedSeconds = (performance.now() - startedMs) / 1_000
    const by = Object.entries(outcomes).map(([name, count]) => `${count} ${name}`).join(', ')
    options.say(`${clockOf(second)}  ${records} records, ${Math.round(records / passedSeconds)}/s: ${by}`)
  }
  for (const tap of city.taps()) {
    if (firstSecond < 0) firstSecond = tap.second
    const dueMs = options.speed === 0 ? 0 : 1_000 * (tap.second - firstSecond) / options.speed
    const earlyMs = startedMs + dueMs - performance.now()
    if (waiting.length >= recordsAtOnce || (earlyMs > 0 && waiting.length > 0)) await leave()
    if (earlyMs > 0) await delay(earlyMs)
    waiting.push(recordOf(tap))
    if (tap.toldTwice) waiting.push(recordOf(tap))
    if (Math.floor(tap.second / 60 / toldEvery) > told) {
      await leave()
      told = Math.floor(tap.second / 60 / toldEvery)
      tell(tap.second)
    }
  }
  await leave()
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
