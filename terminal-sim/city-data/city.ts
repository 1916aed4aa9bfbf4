// A day of a city, tap by tap in the order of time, from parameters, a number of taps and a seed: the same
// three give the same day. What is kept for each card are some bytes, so that ten million taps fit. It
// refuses to know what taps are written into.
import { startOfDate } from '../../runtime/instants.ts'
import type { Card, Registry } from '../../schemas/api.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { Tariff } from '../../schemas/tariff/tariff.ts'
import { createRandom, type Random } from '../random.ts'
import type { CardKind, CityParameters, ServiceParameters } from './parameters.ts'
import { shared } from './shares.ts'

export type Tap = {
  /** Of the day. */
  second: number
  /** Places in {@link City.services}, among the terminals of the service, and among the cards. */
  service: number, terminal: number, card: number
  amountFen: number, beforeFen: number
  /** Committed. */
  counter: number
  /** Of the PSAM, which is also the number of the record at its terminal. */
  sequence: number
  /** `torn`: the terminal does not know that the chip has paid; `wrong_tac`: a bit flipped on the way. */
  kind: 'plain' | 'torn' | 'wrong_tac'
  /** Its operator tells it twice. */
  toldTwice: boolean
}

export type Service = ServiceParameters & {
  readonly party: string, readonly terminals: number, readonly taps: number
}

export type City = {
  readonly parameters: CityParameters
  readonly services: readonly Service[]
  readonly cards: number
  /** Once; the same object each time, filled anew. */
  taps (): Generator<Tap>
  /** All that came of it; right once `taps` is through. */
  readonly totals: Totals
  cardOf (index: number): CardRef
  /** What the chip of a card holds and held in the morning; right once `taps` is through. */
  chipOf (index: number): {
    readonly balanceFen: number, readonly counter: number
    readonly opening: { readonly balanceFen: number, readonly counter: number }
  }
  terminalOf (service: number, terminal: number): { readonly terminal: string, readonly psam: string }
  /** Without cards. */
  registry (): Registry
  /** As the registry wants them, `count` from a place on. */
  registered (from: number, count: number): Card[]
  tariff (): Tariff
  /** Epoch milliseconds of the day's first second. */
  readonly startMs: number
}

/** What the day amounts to, and what a ledger must make of it in the end. */
export type Totals = {
  taps: number
  amountFen: number
  /** Chips hold that much in the evening. */
  chipsFen: number
  byHour: number[]
  /** By party, in the order of the services. */
  parties: {
    party: string, lines: number, accepted: number, acceptedFen: number, wrongTac: number, toldTwice: number
  }[]
  /** Torn, and no later tap of the card proves what became of it. */
  held: number
}

const opened = '2025-01-01T00:00:00+08:00'
const kinds: readonly CardKind[] = ['anonymous', 'named', 'student', 'senior']
/** Nobody taps twice within so long. */
const restSeconds = 120
const cardsLeast = 40

export function buildCity (parameters: CityParameters, taps: number, seed: number): City {
  const random = createRandom(`city ${seed} ${taps}`)
  const services = servicesOf(parameters, taps)
  const cards = Math.max(cardsLeast, Math.ceil(taps / Number(parameters.taps_per_card)))
  const chips = makeChips(parameters, cards, random.fork('cards'))
  const firstPsam = services.map((_, at) =>
    services.slice(0, at).reduce((sum, one) => sum + one.terminals, 1))
  const startMs = startOfDate(parameters.day)
  const totals: Totals = {
    taps: 0, amountFen: 0, chipsFen: chips.balanceFen.reduce((sum, fen) => sum + fen, 0),
    byHour: new Array<number>(24).fill(0), held: 0,
    parties: services.map(({ party }) =>
      ({ party, lines: 0, accepted: 0, acceptedFen: 0, wrongTac: 0, toldTwice: 0 }))
  }
  const cardOf = (index: number): CardRef =>
    ({ issuer: parameters.issuer, serial: `0310421099${String(index).padStart(10, '0')}`, issue: 1 })
  const terminalOf = (service: number, terminal: number) => ({
    terminal: `${services[service]?.party ?? ''}${terminal + 1}`,
    psam: `4304${String((firstPsam[service] ?? 0) + terminal).padStart(8, '0')}`
  })
  return {
    parameters, services, cards, totals, cardOf, terminalOf, startMs,
    chipOf: index => ({
      balanceFen: chips.balanceFen[index] ?? 0, counter: chips.counter[index] ?? 0,
      opening: { balanceFen: chips.openingFen[index] ?? 0, counter: chips.openingCounter[index] ?? 0 }
    }),
    taps: () => walk({ parameters, services, chips, totals, random: random.fork('taps') }),
    registry: () => registryOf(parameters, services, terminalOf),
    registered: (from, count) => Array.from({ length: Math.min(count, cards - from) }, (_, at): Card => ({
      card: cardOf(from + at), profile: 't-union', type: kinds[chips.kind[from + at] ?? 0] ?? 'anonymous',
      suite: '3des', keyVersion: 1, cityFactor: null, balanceFen: chips.openingFen[from + at] ?? 0,
      counter: chips.openingCounter[from + at] ?? 0, soldBy: null, depositFen: 0
    })),
    tariff: () => ({
      version: 1, from: opened,
      operators: Object.fromEntries(services.flatMap(({ party, prices }) => prices === undefined
        ? []
        : [[party, {
            kind: 'flat' as const, fareFen: prices.full, cardFareFen: prices.card,
            byCardType: { student: prices.student, senior: prices.senior }
          }]]))
    })
  }
}

function servicesOf ({ services }: CityParameters, taps: number): Service[] {
  const all = Object.entries(services)
  const counts = shared(taps, all.map(([, { share }]) => share))
  return all.map(([party, service], at) => {
    const own = counts[at] ?? 0
    const terminals = Math.max(2, Math.ceil(own / service.taps_per_terminal))
    if (`${party}${terminals}`.length > 8) {
      throw new RangeError(`${party} needs ${terminals} terminals, whose names have more than eight signs`)
    }
    return { ...service, party, taps: own, terminals }
  })
}

/* ---- chips ---- */

type Chips = {
  readonly kind: Uint8Array
  readonly openingFen: Int32Array, readonly openingCounter: Uint16Array
  readonly balanceFen: Int32Array, readonly counter: Uint16Array
  /** Second of its last tap. */
  readonly last: Int32Array
  /** 1: something went wrong with it once; that is enough. */
  readonly odd: Uint8Array
}

function makeChips ({ cards }: CityParameters, count: number, random: Random): Chips {
  const shares = shared(count, kinds.map(kind => cards[kind].share))
  const chips: Chips = {
    kind: new Uint8Array(count), openingFen: new Int32Array(count), openingCounter: new Uint16Array(count),
    balanceFen: new Int32Array(count), counter: new Uint16Array(count),
    last: new Int32Array(count).fill(-restSeconds), odd: new Uint8Array(count)
  }
  let at = 0
  for (const [kind, own] of shares.entries()) {
    const [low = 0, high = 0] = cards[kinds[kind] ?? 'anonymous'].holds
    for (let nth = 0; nth < own; nth++, at++) {
      chips.kind[at] = kind
      const holdsFen = 10 * random.int(Math.ceil(low / 10), Math.floor(high / 10))
      chips.openingFen[at] = chips.balanceFen[at] = holdsFen
      chips.openingCounter[at] = chips.counter[at] = random.int(0, 900)
    }
  }
  return chips
}

/* ---- the day ---- */

type Day = {
  readonly parameters: CityParameters, readonly services: readonly Service[], readonly chips: Chips
  readonly totals: Totals, readonly random: Random
}

const minutesOfHour = 60

function * walk (day: Day): Generator<Tap> {
  const { parameters, services, totals, random } = day
  const minutes = services.map(({ taps, curve }) =>
    shared(taps, parameters.curves[curve] ?? []).flatMap(ofHour =>
      shared(ofHour, new Array<number>(minutesOfHour).fill(1))))
  const sequences = services.map(({ terminals }) => new Uint32Array(terminals))
  const torn = new Map<number, { readonly service: number, readonly amountFen: number }>()
  const tap: Tap = {
    second: 0, service: 0, terminal: 0, card: 0, amountFen: 0, beforeFen: 0, counter: 0, sequence: 0,
    kind: 'plain', toldTwice: false
  }
  for (let minute = 0; minute < 24 * minutesOfHour; minute++) {
    for (const { second, service } of momentsOf(minutes, minute, random)) {
      tap.second = second
      tap.service = service
      use(day, tap)
      const own = sequences[service] as Uint32Array
      tap.terminal = random.int(0, own.length - 1)
      tap.sequence = own[tap.terminal] = (own[tap.terminal] ?? 0) + 1
      count(day, tap, torn)
      yield tap
    }
  }
  totals.held = torn.size
}

/** Of all services in one minute, in the order of time. */
function momentsOf (
  minutes: readonly (readonly number[])[], minute: number, random: Random
): { readonly second: number, readonly service: number }[] {
  const moments = minutes.flatMap((counts, service) => Array.from({ length: counts[minute] ?? 0 }, () =>
    ({ second: 60 * minute + random.int(0, 59), service })))
  return moments.sort((one, other) => one.second - other.second || one.service - other.service)
}

/** A card that can pay there and then does. */
function use ({ services, chips, random, parameters }: Day, tap: Tap): void {
  const service = services[tap.service] as Service
  const asked = service.amounts === undefined ? null : amountOf(service.amounts, random)
  const count = chips.kind.length
  const fits = (card: number): boolean => (chips.last[card] ?? 0) + restSeconds <= tap.second &&
    (chips.balanceFen[card] ?? 0) >= priceOf(service, chips.kind[card] ?? 0, asked)
  let card = random.int(0, count - 1)
  for (let tries = 0; tries < 40 && !fits(card); tries++) card = random.int(0, count - 1)
  for (let tries = 0; !fits(card); tries++, card = (card + 1) % count) {
    if (tries > count) throw new RangeError('no card can pay any more: fewer taps_per_card, or more money')
  }
  const amountFen = priceOf(service, chips.kind[card] ?? 0, asked)
  tap.card = card
  tap.amountFen = amountFen
  tap.beforeFen = chips.balanceFen[card] ?? 0
  tap.counter = chips.counter[card] = (chips.counter[card] ?? 0) + 1
  chips.balanceFen[card] = tap.beforeFen - amountFen
  chips.last[card] = tap.second
  tap.kind = 'plain'
  tap.toldTwice = false
  goWrong(chips, tap, parameters, random.int(0, 999_999))
}

const priceOf = ({ prices }: Service, kind: number, asked: number | null): number => {
  if (asked !== null || prices === undefined) return asked ?? 0
  return kind === 3 ? prices.senior : kind === 2 ? prices.student : prices.card
}

/** Small ones more often; ten fen apart. */
function amountOf ([low = 0, high = 0]: readonly number[], random: Random): number {
  const part = random.real() ** 3
  return 10 * Math.round((low + (high - low) * part) / 10)
}

/** Once a card at most: what comes of two at once is nobody's plan. Of a free ride nobody could tell. */
function goWrong (chips: Chips, tap: Tap, { faults }: CityParameters, drawn: number): void {
  if (chips.odd[tap.card] === 1 || tap.amountFen === 0) return
  const { wrong_tac: wrong, torn, told_twice: twice } = faults
  if (drawn >= wrong + torn + twice) return
  chips.odd[tap.card] = 1
  if (drawn < wrong) tap.kind = 'wrong_tac'
  else if (drawn < wrong + torn) tap.kind = 'torn'
  else tap.toldTwice = true
}

/** The next tap of a card that was torn off begins with what is left, which proves that it paid. */
function count (
  { totals }: Day, tap: Tap, torn: Map<number, { service: number, amountFen: number }>
): void {
  totals.taps++
  totals.amountFen += tap.amountFen
  totals.chipsFen -= tap.amountFen
  totals.byHour[Math.floor(tap.second / 3_600)]!++
  const accept = (service: number, amountFen: number): void => {
    const party = totals.parties[service] as Totals['parties'][number]
    party.accepted++
    party.acceptedFen += amountFen
  }
  const own = totals.parties[tap.service] as Totals['parties'][number]
  own.lines += tap.toldTwice ? 2 : 1
  own.toldTwice += Number(tap.toldTwice)
  own.wrongTac += Number(tap.kind === 'wrong_tac')
  const before = torn.get(tap.card)
  if (before !== undefined && torn.delete(tap.card)) accept(before.service, before.amountFen)
  if (tap.kind === 'torn') torn.set(tap.card, { service: tap.service, amountFen: tap.amountFen })
  if (tap.kind === 'plain') accept(tap.service, tap.amountFen)
}

/* ---- the registry ---- */

const registryOf = (
  { day, card_company: company }: CityParameters, services: readonly Service[],
  terminalOf: City['terminalOf']
): Registry => ({
  clearingDate: day,
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: company.zh, nameEn: company.name },
    ...services.map(({ party, name, zh, service, merchant, industry }) =>
      ({ code: party, kind: 'operator' as const, service, nameZh: zh, nameEn: name, merchant, industry }))
  ],
  commissions: services.map(({ party, commission }) =>
    ({ party, product: 'debit', ratePpm: commission, from: '2025-01-01' })),
  terminals: services.flatMap(({ party, terminals }, at) => Array.from({ length: terminals }, (_, nth) =>
    ({ terminal: terminalOf(at, nth).terminal, operator: party }))),
  psams: services.flatMap(({ terminals }, at) => Array.from({ length: terminals }, (_, nth) => ({
    ...terminalOf(at, nth), issue: 1, from: opened, to: null, stolenAt: null, test: false
  })))
})
