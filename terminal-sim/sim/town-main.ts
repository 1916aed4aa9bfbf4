// The process that makes a town to try terminals on: it has a ledger and a gateway started, enters who and
// what is there, puts money onto three accounts, and tells where everything answers.
//
//   town-main.ts '{"clock":"2026-03-02T09:00:00+08:00","ports":7001,"readers":null}'
// Started by bin/sim-stack.ts.

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createHttpClient, type HttpClient } from '../../runtime/http-client.ts'
import { localDate, parseIso } from '../../runtime/instants.ts'
import type { GatewayConfig, LaneConfig, ParametersView } from '../../schemas/gateway.ts'
import type { LibraryRules } from '../../schemas/library.ts'
import type { PortConfig, PortState } from '../../schemas/port.ts'
import type { RequestReply } from '../../schemas/request.ts'
import { cardKey } from '../../schemas/record.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { starterOverIpc } from '../city/starter.ts'
import { town, townCards, townRegistry, townTariff } from './place.ts'

type Options = {
  readonly clock: string
  /** The first of four; 0: any free ones. */
  readonly ports: number
  /** Socket of a pcscd with the lane of the town. */
  readonly readers: string | null
}
/** What is told once it stands. */
export type Town = {
  readonly ports: readonly { readonly speaks: string, readonly address: string, readonly needs: string }[]
  readonly lane: string | null
  readonly cards: readonly { readonly card: string, readonly chipFen: number, readonly onlineFen: number }[]
  readonly ledger: string, readonly gateway: string
}

const options = JSON.parse(process.argv[2] ?? '{}') as Options
const starter = starterOverIpc()

async function run (): Promise<void> {
  const { tokens, dir } = await starter.access()
  const { url: ledger } = await starter.ledger(options.clock)
  await as(ledger, tokens['REGISTRAR'], settle)
  const config: GatewayConfig = {
    gateway: 'GW1',
    ledger: { url: ledger, token: tokens['GW1'] ?? '' },
    spoolDir: join(dir, 'spool'),
    ...options.readers === null ? {} : { pcsc: { socket: options.readers } },
    lanes: options.readers === null ? [] : [lane],
    ports: ports(options.ports),
    uplink: { lingerMs: 50, retryMs: 100, retryMaxMs: 1_000 },
    parametersEverySeconds: 1
  }
  const { url: gateway } = await starter.gateway(config, options.clock)
  await as(ledger, tokens['GW1'], putMoneyOn)
  const states = await as(gateway, undefined, readyPorts)
  starter.tell({ figures: told(ledger, gateway, states) })
  await starter.released
}

async function as<T> (
  url: string, token: string | undefined, work: (http: HttpClient) => Promise<T>
): Promise<T> {
  const headers = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }
  const http = createHttpClient({ baseUrl: url, random: Math.random, tryTimeoutMs: 30_000, ...headers })
  try {
    return await work(http)
  } finally {
    http.close()
  }
}

/* ---- the ledger ---- */

const rules: Omit<LibraryRules, 'from'> = {
  loanDays: 30, loansMax: 10, renewalsMax: 1, holdsMax: 5, finePerDayFen: 10, fineFenMax: 2_000,
  blockAboveFen: 100_000, depositFen: 0, closedWeekdays: [], closedOnHolidays: true, closedDates: [],
  accruing: 'refuse'
}

async function settle (http: HttpClient): Promise<void> {
  await http.put('/v1/registry', townRegistry(localDate(parseIso(options.clock))))
  await http.post('/v1/tariffs', townTariff)
  const library = `/v1/library/${town.library}`
  await http.put(`${library}/rules`, { ...rules, from: '2025-01-01' })
  await http.put(`${library}/catalogue`, {
    items: town.books.map(([item, title]) => ({ item, title })),
    patrons: townCards.map(({ card }, index) =>
      ({ patron: `R${index + 1}`, name: `Reader ${index + 1}`, card }))
  })
}

async function putMoneyOn (http: HttpClient): Promise<void> {
  for (const { card, onlineFen } of townCards) {
    const request = {
      kind: 'top_up', key: `town-${card.serial}`, card, amountFen: onlineFen, party: town.shop,
      terminal: town.till
    }
    const { outcome, reason } = await http.post('/v1/requests', request) as RequestReply
    if (outcome !== 'approved') throw new Error(`no money for ${cardKey(card)}: ${reason}`)
  }
}

/* ---- the gateway ---- */

const lane: LaneConfig = {
  lane: town.lane.terminal,
  readers: { card: `${town.lane.terminal} 00 00`, psam: `${town.lane.terminal} 00 01` },
  operator: town.bus, terminal: town.lane.terminal, psam: town.lane.psam, mode: 'fare', line: '1'
}

function ports (first: number): PortConfig[] {
  const { terminal, merchant, begins } = town.iso8583
  const speaks: readonly PortConfig['speaks'][] = [
    { protocol: 'pos-line', language: 'en', terminals: [{ operator: town.shop, terminal: town.till }] },
    {
      protocol: 'iso8583', terminals: [{ terminal, merchant, operator: town.shop }],
      issuers: [{ begins, issuer: townCards[0]?.card.issuer ?? '' }]
    },
    {
      protocol: 'sip2', library: town.library, institution: town.library, name: 'Town Library',
      logins: [town.selfCheck]
    },
    {
      protocol: 'polled',
      terminals: town.polled.map(({ address, terminal }) => ({ address, operator: town.bus, terminal }))
    }
  ]
  return speaks.map((one, at) =>
    ({ port: one.protocol, tcp: { port: first === 0 ? 0 : first + at }, speaks: one }))
}

/** Listening, with prices. Throws where an address is taken. */
async function readyPorts (http: HttpClient): Promise<PortState[]> {
  for (let tries = 0; tries < 600; tries++) {
    const states = await http.get('/v1/ports') as PortState[]
    const { tariff } = await http.get('/v1/parameters') as ParametersView
    const away = states.find(({ state }) => state !== 'open')
    if (away === undefined && tariff !== null) return states
    if (away?.why != null) {
      throw new Error(`${away.port} does not listen at ${away.address}: ${away.why}; --ports N`)
    }
    await delay(50)
  }
  throw new Error('the gateway has no prices after half a minute')
}

function told (ledger: string, gateway: string, states: readonly PortState[]): Town {
  const { terminal, merchant, master } = town.iso8583
  const needs: Readonly<Record<string, string>> = {
    'pos-line': `terminal ${town.till}`,
    iso8583: `terminal ${terminal}, merchant ${merchant}, master key ${hex(master)}`,
    sip2: `user ${town.selfCheck.user}, password ${town.selfCheck.password}, AO ${town.library}`,
    polled: `addresses ${town.polled.map(({ address }) => address).join(', ')}`
  }
  return {
    ports: states.map(({ protocol, address }) =>
      ({ speaks: protocol, address, needs: needs[protocol] ?? '' })),
    lane: options.readers === null ? null : lane.lane,
    cards: townCards.map(({ card, chipFen, onlineFen }) => ({ card: cardKey(card), chipFen, onlineFen })),
    ledger, gateway
  }
}

await run().catch((error: Error) => {
  console.error(error.message)
  process.exitCode = 1
})
starter.leave()
