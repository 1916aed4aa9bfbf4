// What may go wrong between a gateway and devices that speak over lines and sockets, each as a story: tills,
// a card terminal and a self-check at one gateway as a process, and a cable to the ledger that breaks.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { sealTerminalKeys } from '../../gateway/keys.ts'
import { unhex } from '../../schemas/epurse/hex.ts'
import type { PortConfig } from '../../schemas/port.ts'
import { cardKey } from '../../schemas/record.ts'
import { writePosMessage } from '../../schemas/pos-line/messages.ts'
import { buildFrame, control, plainLrc } from '../../schemas/serial/lrc-frame.ts'
import { say, type Said } from '../../schemas/sip2/message.ts'
import { openPos as openCardTerminal } from '../../terminal-sim/iso8583/pos.ts'
import { connectTo } from '../../terminal-sim/line/line.ts'
import { openPos, type Pos, type PosFields } from '../../terminal-sim/pos/pos.ts'
import { connectSelfCheck } from '../../terminal-sim/self-check/self-check.ts'
import { type BreakPoint, breakPoints, type Cable, cableTo } from './cable.ts'
import type { Doors } from './ledger-http.ts'
import { card } from './small-city.ts'
import { type City, openCity, type RunningGateway } from './terminals.ts'

/** What was seen, in the words of the table. */
export type Seen = { readonly resident: string, readonly spool: string, readonly ledger: string }

export type Shop = {
  readonly city: City
  readonly gateway: RunningGateway
  readonly ledger: Cable
  readonly till: Awaited<ReturnType<City['cable']>>
  /** The TCP port of one of the gateway's ports. */
  at (port: string): Promise<number>
}
type Story = (shop: Shop, no: number) => Promise<Seen>

const openingFen = 5_000
const saleFen = 100
const master = '0123456789ABCDEFFEDCBA9876543210'
const merchant = '898421000000001'
/** A request is given up so long after the ledger fell silent. */
const answerMs = 2_500

export const tillStories: Readonly<Record<string, Story>> = {
  'the ledger is gone at each of five points of a sale on a POS line': async (shop, no) => {
    const { city, ledger, till } = shop
    const line = till.device()
    const pos = openPos({ line })
    const told = await atEachPoint(ledger, 'POST /v1/requests', async point => {
      const first = (await pos.ask('SALE', sale(no, point)))?.fields.outcome ?? 'nothing'
      const last = (await pos.settle('SALE', sale(no, point))).fields.outcome
      return first === last ? first : `${first}, then ${last}`
    })
    line.close()
    return { resident: told, spool: nothingWaits, ledger: await sold(city, no) }
  },

  'the ledger is gone at each of five points of a purchase in ISO 8583': async ({ city, ledger, at }, no) => {
    const pos = openCardTerminal({ terminal: 'POS-1', merchant, master: unhex(master) })
    const socket = connect(await at('CARDS'), '127.0.0.1')
    pos.attach(socket)
    await pos.signIn()
    const told = await atEachPoint(ledger, 'POST /v1/requests', async point => {
      const first = (await pos.purchase(cardOf(no).serial.slice(1), saleFen)).code
      if (point !== 'silence') return first
      await until(async () => await city.online(cardOf(no)) === openingFen - 4 * saleFen)
      return first
    })
    socket.destroy()
    return { resident: told, spool: nothingWaits, ledger: await sold(city, no) }
  },

  'the ledger is gone at each of five points of a payment in SIP2': async ({ city, ledger, at }) => {
    const fee = await fined(city)
    const port = await at('DESK')
    const paying = (point: BreakPoint): Said => say('37',
      { date: '20260302    120000', feeType: '04', paymentType: '02', currency: 'CNY' },
      [['BV', '1.00'], ['AO', 'LIB'], ['AA', cardOf(libraryReader).serial], ['AC', ''], ['CG', fee],
        ['BK', `pay-${breakPoints.indexOf(point)}`]])
    const told = await atEachPoint(ledger, 'POST /v1/library', async point => {
      const first = await atDesk(port, paying(point))
      const last = await atDesk(port, paying(point))
      return first === last ? first : `${first}, then ${last}`
    })
    return { resident: told, spool: nothingWaits, ledger: await sold(city, libraryReader, 'payments') }
  },

  'the cable of a till is pulled in the middle of a sale, and plugged in again': async (shop, no) => {
    const { city, gateway, till } = shop
    const line = till.device()
    const asked = openPos({ line }).ask('SALE', sale(no, 'pulled'))
    await until(async () => await city.online(cardOf(no)) < openingFen)
    await till.unplug()
    await asked
    line.close()
    await until(async () => (await gateway.port('TILL')).state === 'away')
    await till.plug()
    await until(async () => (await gateway.port('TILL')).state === 'open')
    const other = till.device()
    const last = (await openPos({ line: other }).settle('SALE', sale(no, 'pulled'))).fields.outcome
    other.close()
    return { resident: `nothing, then ${last}`, spool: nothingWaits, ledger: await sold(city, no) }
  },

  'a till floods its line with NAKs and refuses every answer three times': async ({ city, till }, no) => {
    const line = till.device()
    await line.write(new Uint8Array(20_000).fill(control.nak))
    const pos = openPos({ line, faults: { refused: 3 } })
    const told = (await pos.ask('SALE', sale(no, 'storm')))?.fields.outcome ?? 'nothing'
    line.close()
    return { resident: told, spool: nothingWaits, ledger: await sold(city, no) }
  },

  'a till asks and reads nothing; another is served meanwhile': async ({ city, gateway, till, at }, no) => {
    const deaf = till.device()
    deaf.deafen()
    const given = async () => (await gateway.port('TILL')).counts['unacknowledged'] ?? 0
    const before = await given()
    const asked = sale(no, 'deaf')
    await deaf.write(buildFrame(writePosMessage({ kind: 'SALE', fields: asked }), plainLrc))
    const beside = await connectTo(await at('SHOPS'))
    const pos = openPos({ line: beside })
    const outcomes = new Set<string>()
    for (let nth = 0; nth < 3; nth++) {
      const asked = { ...sale(no, `beside-${nth}`), terminal: 'S2' }
      outcomes.add((await pos.settle('SALE', asked)).fields.outcome ?? '')
    }
    await until(async () => await given() > before)
    beside.close()
    const last = (await openPos({ line: deaf }).settle('SALE', asked)).fields.outcome
    deaf.close()
    return {
      resident: `nothing, then ${last}; beside it ${[...outcomes].join()}`, spool: nothingWaits,
      ledger: await sold(city, no)
    }
  },

  'a till vanishes without a word, its connection half open': async ({ city, gateway, at }, no) => {
    const port = await at('SHOPS')
    const gone = await connectTo(port)
    const asked = { ...sale(no, 'half-open'), terminal: 'S2' }
    await gone.write(buildFrame(writePosMessage({ kind: 'SALE', fields: asked }), plainLrc))
    await until(async () => await city.online(cardOf(no)) < openingFen)
    const back = await connectTo(port)
    const pos: Pos = openPos({ line: back })
    const last = (await pos.settle('SALE', asked)).fields.outcome
    // It goes on speaking; the one that says nothing is let go.
    await until(async () => await pos.enquire() === 'ack' && (await gateway.port('SHOPS')).wires === 1)
    back.close()
    gone.close()
    return { resident: `nothing, then ${last}`, spool: nothingWaits, ledger: await sold(city, no) }
  }
}

/* ---- the shop ---- */

/** One gateway for all stories, each with a card of its own. */
export async function openShop (t: Test, doors: Doors): Promise<Shop> {
  const numbers = Object.keys(tillStories).map((_, index) => index)
  const topUps = [...numbers, libraryReader]
  const city = await openCity(t, doors, { cards: libraryReader + 1, topUps })
  await city.door.ok('registrar', 'PUT', '/v1/registry', {
    parties: [{ code: 'LIB', kind: 'operator', nameZh: '图书馆', nameEn: 'Library', service: 'library' }],
    terminals: [
      { terminal: 'S2', operator: 'SHP' }, { terminal: 'POS-1', operator: 'SHP' },
      { terminal: 'L1', operator: 'LIB' }]
  })
  const till = await city.cable('till')
  const ledger = await cableTo(city.door.url)
  t.teardown(() => ledger.close())
  const keys = join(city.dir, 'keys')
  writeFileSync(keys, sealTerminalKeys(
    { keys: { 'POS-1': { suite: '3des', master } } }, 'secret', randomBytes(16), randomBytes(12)))
  const gateway = await city.gateway(portsAt(till.near), {
    ledgerUrl: ledger.url, env: { GATEWAY_KEYS: keys, GATEWAY_KEYS_PASSPHRASE: 'secret' }
  })
  return {
    city, gateway, ledger, till,
    at: async port => Number((await gateway.port(port)).address.split(':').at(-1))
  }
}

const posLine = (terminal: string) => ({
  protocol: 'pos-line' as const, terminals: [{ operator: 'SHP', terminal }], answerMs, ackTimeoutMs: 300,
  language: 'en' as const
})
const portsAt = (device: string): PortConfig[] => [
  { port: 'TILL', serial: { path: device, baudRate: 115_200 }, speaks: posLine('S1') },
  { port: 'SHOPS', tcp: { port: 0, idleSeconds: 2 }, speaks: posLine('S2') },
  {
    port: 'CARDS', tcp: { port: 0 }, speaks: {
      protocol: 'iso8583', deadlineMs: answerMs,
      terminals: [{ terminal: 'POS-1', merchant, operator: 'SHP' }],
      issuers: [{ begins: '310499', issuer: cardOf(0).issuer }]
    }
  },
  {
    port: 'DESK', tcp: { port: 0 }, speaks: {
      protocol: 'sip2', library: 'LIB', institution: 'LIB', name: 'Library', login: 'none', terminal: 'L1',
      answerSeconds: answerMs / 1_000
    }
  }
]

const libraryReader = 9
const cardOf = (no: number) => card(no).card
const sale = (no: number, key: string): PosFields =>
  ({ key: `${no}-${key.replaceAll(' ', '-')}`, card: cardKey(cardOf(no)), amountFen: String(saleFen) })

/** A fine of 10.00: ten days at 1.00. */
async function fined ({ door }: City): Promise<string> {
  const { serial } = cardOf(libraryReader)
  const at = async (path: string, json: unknown) =>
    await door.ok('gateway', 'POST', `/v1/library/LIB/${path}`, json)
  await door.ok('registrar', 'PUT', '/v1/library/LIB/rules', {
    from: '2025-01-01', loanDays: 1, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 100,
    fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: false,
    closedDates: [], accruing: 'refuse'
  })
  await door.ok('registrar', 'PUT', '/v1/library/LIB/catalogue', {
    items: [{ item: 'one', title: 'One' }],
    patrons: [{ patron: 'R1', name: 'Ann', card: cardOf(libraryReader) }]
  })
  await at('checkouts', { token: serial, item: 'one' })
  door.clock.advance(11 * 86_400_000)
  return (await at('checkins', { item: 'one' }) as { fee: { fee: string } }).fee.fee
}

/** Over a connection of its own; what nobody answers is waited for longer than the gateway waits. */
async function atDesk (port: number, said: Said): Promise<string> {
  const desk = await connectSelfCheck(port, { answerMs: answerMs + 1_500 })
  const answer = await desk.say(said).then(({ fixed }) => fixed['accepted'] ?? '', () => 'nothing')
  desk.close()
  return answer
}

/* ---- what is seen ---- */

const nothingWaits = 'nothing: a request is no record'

/** The same at four points, and at the fifth, where the ledger stays silent. */
async function atEachPoint (
  ledger: Cable, call: string, deed: (point: BreakPoint) => Promise<string>
): Promise<string> {
  const answered = new Set<string>()
  let silent = ''
  for (const point of breakPoints) {
    const broken = ledger.breakNext(call, point)
    const told = await deed(point)
    await broken
    if (point === 'silence') silent = told
    else answered.add(told)
  }
  return `${[...answered].join(' or ')}; silent until the deadline: ${silent}`
}

/** How many, by what the account has lost. */
async function sold ({ online }: City, no: number, what = 'sales'): Promise<string> {
  return `${(openingFen - await online(cardOf(no))) / saleFen} ${what}`
}

async function until (what: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000
  while (!await what()) {
    if (performance.now() > endMs) throw new Error('it never happens')
    await delay(20)
  }
}
