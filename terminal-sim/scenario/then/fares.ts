// then: what journeys cost, why, and what followed from it.
import { Type } from 'typebox'
import { formatIso } from '../../../runtime/instants.ts'
import type {
  CardJourneysView, FareDayView, FareQuote, JourneyView, PassPrice
} from '../../../schemas/fares.ts'
import { cardKey } from '../../../schemas/record.ts'
import { mappingOf } from '../check.ts'
import { day, moment, name, showYuan, text, yuan } from '../values.ts'
import { compare, thenVerb, type Miss } from '../verb.ts'
import { known, type World } from '../world.ts'
import { money } from './balances.ts'

const closed = { additionalProperties: false } as const
const auditor = 'auditor' as const

/** `101 complete 1.80`: its taps, what it is, what it costs. */
const shown = ({ counters, kind, amountFen }: JourneyView): string =>
  `${counters.join('+')} ${kind} ${showYuan(amountFen)}`

export const journeys = thenVerb({
  says: 'journeys of cards by their tariff: taps, kind and price; the steps of each sum up to it, unasked',
  example: 'journeys: { A: [101 complete 1.80, 102+103 complete 3.00, 104 open 4.00] }',
  schema: mappingOf(
    name('a card'), Type.Array(text('COUNTER[+COUNTER] KIND PRICE'), { description: 'in order' }),
    'journeys by card'
  ),
  check: async (world, said) => (await Promise.all(Object.entries(said).map(async ([card, wanted]) => {
    const { journeys } = await journeysOf(world, card)
    return [
      ...compare(`journeys of ${card}`, wanted.join('; '), journeys.map(shown).join('; ')),
      ...journeys.flatMap(journey => unexplained(card, journey))
    ]
  }))).flat()
})

const sumOf = (parts: readonly { amountFen: number }[]): number =>
  parts.reduce((all, one) => all + one.amountFen, 0)

function unexplained (card: string, { steps, amountFen, charges, words }: JourneyView): Miss[] {
  return [
    ...money(`steps of a journey of ${card}`, amountFen, sumOf(steps)),
    ...charges.length === 0 ? [] : money(`charges of a journey of ${card}`, amountFen, sumOf(charges)),
    ...compare(`languages of ${card}`, String(words.zh.length), String(words.en.length))
  ]
}

export const explained = thenVerb({
  says: 'a step that the price of a journey has, in English',
  example: 'explained: { A/102: "concession student ended on 2026-02-28: 0.00" }',
  schema: mappingOf(name('CARD/COUNTER of its first tap'), text('a line of the explanation'), 'by journey'),
  check: async (world, said) => (await Promise.all(Object.entries(said).map(async ([label, wanted]) => {
    const [card = '', counter] = label.split('/')
    const { journeys } = await journeysOf(world, card)
    const lines = journeys.find(({ counters }) => counters[0] === Number(counter))?.words.en ?? []
    const what = `explanation of ${label}`
    return lines.includes(wanted) ? [] : [{ what, expected: wanted, found: lines.join('; ') }]
  }))).flat()
})

export const fareDays = thenVerb({
  says: 'a transit day on which another fare was paid than was due: what comes back, and what is reported',
  example: 'fare_days: { day: D, refund: 1.00, reported: 0.80 }',
  schema: Type.Object({
    day: day(),
    refund: Type.Optional(yuan('into pending load, of all cards')),
    reported: Type.Optional(yuan('paid too little, of all cards'))
  }, closed),
  check: async (world, said) => {
    const days = await world.api.all<FareDayView>(`/v1/services/transit/fare-days?day=${said.day}`)
    const sum = (of: 'refundFen' | 'reportedFen') => days.reduce((all, one) => all + Number(one[of]), 0)
    return [
      ...money('fares that come back', said.refund, sum('refundFen')),
      ...money('fares reported', said.reported, sum('reportedFen'))
    ]
  }
})

const Quote = Type.Object({
  operator: name('whose line'),
  line: Type.Optional(name('a line')),
  from: Type.Optional(name('a stop')),
  to: Type.Optional(name('a stop')),
  at: moment('when'),
  class: Type.Optional(name('a concession')),
  costs: text('amount and currency: 4.00 PLN')
}, closed)

export const quotes = thenVerb({
  says: 'what journeys would cost, for whoever asks before riding',
  example: 'quotes: [{ operator: MET, from: M0, to: M1, at: D 08:00, costs: 3.00 CNY }]',
  schema: Type.Array(Quote, { description: 'quotes' }),
  check: async (world, said) => {
    const misses: Miss[] = []
    for (const { costs, at, ...asked } of said) {
      const query = new URLSearchParams({ ...asked, at: formatIso(at) })
      const found = await get<FareQuote>(world, `/v1/services/transit/quotes?${query}`)
      const what = `${asked.operator} ${asked.line ?? ''} ${asked.from ?? ''} ${asked.to ?? ''}`
      misses.push(
        ...compare(`quote ${what}`, costs, `${showYuan(found.amountFen)} ${found.currency}`),
        ...money(`steps of ${what}`, found.amountFen, sumOf(found.steps))
      )
    }
    return misses
  }
})

export const passPrices = thenVerb({
  says: 'what passes cost by class',
  example: 'pass_prices: { at: D 08:00, prices: { senior: 88.20 PLN } }',
  schema: Type.Object({
    at: moment('when'),
    prices: mappingOf(name('a class'), text('amount and currency'), 'by class')
  }, closed),
  check: async (world, { at, prices }) => {
    const misses: Miss[] = []
    for (const [name, wanted] of Object.entries(prices)) {
      const query = new URLSearchParams({ at: formatIso(at), class: name })
      const { priceFen, currency } = await get<PassPrice>(world, `/v1/services/transit/passes?${query}`)
      misses.push(...compare(`pass of ${name}`, wanted, `${showYuan(priceFen)} ${currency}`))
    }
    return misses
  }
})

async function journeysOf (world: World, card: string): Promise<CardJourneysView> {
  const key = cardKey(known(world.chips, 'card', card).ref)
  return await get<CardJourneysView>(world,
    `/v1/services/transit/cards/${key}/journeys?from=2000-01-01&until=2100-01-01`)
}

const get = async <T>(world: World, path: string): Promise<T> =>
  (await world.api.call({ method: 'GET', path, as: auditor })) as T
