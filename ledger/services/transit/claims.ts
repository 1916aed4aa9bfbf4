// What follows from the prices of a card: money that comes back, what operators owe each other, what the
// treasury owes. Pure, and a function of the set of taps. It refuses to know what was booked before.
import type { Fares } from '../../../schemas/tariff/fares.ts'
import type { Journey } from '../../../schemas/tariff/journey.ts'
import { apportion } from './apportion.ts'
import { daysOfCard, type DayOfCard, type PaidHistory } from './due-and-paid.ts'

export type Claim = {
  readonly kind: 'refund' | 'share' | 'treasury'
  /** Of the tap that was overpaid, or of the first of the journey. */
  readonly counter: number
  /** Party code; null: the treasury. */
  readonly giver: string | null
  /** Party code; null: the holder. */
  readonly taker: string | null
  /** Of a claim on the treasury: the concession, or why the ride was free; empty where it is another. */
  readonly category: string
  /** Above zero. */
  readonly amountFen: bigint
}
export type Consequences = {
  readonly days: readonly DayOfCard[], readonly journeys: readonly Journey[]
  readonly claims: readonly Claim[]
}

export function consequencesOf (fares: Fares, history: PaidHistory): Consequences {
  const { days, journeys } = daysOfCard(fares, history)
  const operatorAt = new Map(history.taps.map(({ counter, operator }) => [counter, operator]))
  return {
    days, journeys,
    claims: [
      ...days.flatMap(refundsOf),
      ...journeys.flatMap(journey => sharesOf(journey, operatorAt)),
      ...journeys.flatMap(treasuryOf)
    ]
  }
}

/** Who took too much gives it back, in the order of the card, until the day is even. */
function refundsOf ({ refundFen, taps }: DayOfCard): Claim[] {
  let leftFen = refundFen
  return taps.flatMap(({ counter, operator, dueFen, paidFen }): Claim[] => {
    const fen = Math.min(leftFen, Math.max(0, paidFen - dueFen))
    leftFen -= fen
    const claim = { counter, giver: operator, taker: null, amountFen: BigInt(fen), category: '' }
    return fen === 0 ? [] : [{ kind: 'refund', ...claim }]
  })
}

/** Who collected gives the others their parts of what was due; whoever took too little bears it. */
function sharesOf (
  { counters: [counter = 0], charges, legs, amountFen, operator }: Journey,
  operatorAt: ReadonlyMap<number, string>
): Claim[] {
  if (legs.length === 0 || amountFen === 0) return []
  const paidAt = charges.findLast(charge => charge.amountFen > 0)?.counter
  const giver = operatorAt.get(paidAt ?? counter) ?? operator
  return apportion(BigInt(amountFen), legs, giver).flatMap((share): Claim[] =>
    share.operator === giver || share.amountFen === 0n
      ? []
      : [{ kind: 'share', counter, giver, taker: share.operator, amountFen: share.amountFen, category: '' }])
}

function treasuryOf (
  { counters: [counter = 0], operator, treasuryFen, steps, class: name }: Journey
): Claim[] {
  if (treasuryFen === 0) return []
  const free = steps.find(({ code }) => code === 'free_ride')?.inputs['reason']
  return [{
    kind: 'treasury', counter, giver: null, taker: operator, amountFen: BigInt(treasuryFen),
    category: free === undefined ? name : String(free)
  }]
}

/** What must be booked so that what stands becomes what is wanted; negative where it is taken back. */
export function changesTo (
  wanted: readonly Claim[], standing: readonly Claim[]
): readonly Claim[] {
  const found = new Map<string, Claim>()
  for (const claim of standing) found.set(keyOf(claim), { ...claim, amountFen: -claim.amountFen })
  for (const claim of wanted) {
    const key = keyOf(claim)
    found.set(key, { ...claim, amountFen: claim.amountFen + (found.get(key)?.amountFen ?? 0n) })
  }
  return [...found.values()].filter(({ amountFen }) => amountFen !== 0n)
}

export const keyOf = ({ kind, counter, giver, taker, category }: Omit<Claim, 'amountFen'>): string =>
  `${kind} ${counter} ${giver ?? ''} ${taker ?? ''} ${category}`
