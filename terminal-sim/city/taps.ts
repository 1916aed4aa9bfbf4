// The residents of a morning and every tap of their cards, tears included: a pure function of the seed.
// What each terminal will say and what each chip will lose is worked out here, before anything happens.
import assert from 'node:assert/strict'
import type { Card } from '../../schemas/api.ts'
import type { TapReason } from '../../schemas/gateway.ts'
import { priceBoarding } from '../../schemas/tariff/tariff.ts'
import type { CardDescription } from '../card/description.ts'
import type { Random } from '../random.ts'
import type { Fault } from '../reader/fault.ts'
import { type LaneCast, families, lanes, serialOf, tariff } from './cast.ts'

export type CardType = 'anonymous' | 'named' | 'student' | 'senior'

export type Resident = {
  readonly chip: string
  readonly registered: Card
  readonly description: CardDescription
  readonly listed: boolean
}

export type Tap = {
  readonly chip: string
  readonly lane: string
  /** Order of the morning; nothing waits for it. */
  readonly atSecond: number
  readonly charge: { readonly amountFen: number, readonly reference: string } | null
  readonly fault: Fault | null
  /** An interrupted payment of this card is open when it comes. */
  readonly returns: boolean
  readonly expect: { readonly reason: TapReason, readonly amountFen: number | null }
  /** What the chip loses, whatever the terminal learns of it. */
  readonly chipLosesFen: number
  /** The terminal never learns what became of it. */
  readonly staysOpen: boolean
}

export type TapPlan = { readonly residents: readonly Resident[], readonly taps: readonly Tap[] }

/** How a payment can be interrupted, and where the card is seen again. */
type Tear = {
  readonly fault: Fault
  readonly chipPays: boolean
  readonly seen: 'torn' | 'card_removed'
  readonly comesBack: 'here' | 'elsewhere' | 'never'
}
const midDebit = (commit: 'before' | 'after', kind: 'tear' | 'silence' = 'tear'): Fault =>
  ({ kind, commit, command: '8054' })
const tears: readonly Tear[] = [
  { fault: midDebit('after'), chipPays: true, seen: 'torn', comesBack: 'here' },
  { fault: midDebit('before'), chipPays: false, seen: 'torn', comesBack: 'here' },
  { fault: midDebit('after'), chipPays: true, seen: 'torn', comesBack: 'elsewhere' },
  { fault: { kind: 'cut', bytes: 3, command: '8054' }, chipPays: true, seen: 'torn', comesBack: 'here' },
  {
    fault: { kind: 'tear', commit: 'before', command: '8050' },
    chipPays: false, seen: 'card_removed', comesBack: 'here'
  },
  { fault: midDebit('after', 'silence'), chipPays: true, seen: 'torn', comesBack: 'here' },
  { fault: midDebit('after'), chipPays: true, seen: 'torn', comesBack: 'never' }
]

type Role = { readonly kind: 'plain' | 'listed' | 'poor' } | { readonly kind: 'torn', readonly tear: Tear }

/** `cards` from 4: at least one of each role. */
export function planTaps (cards: number, random: Random): TapPlan {
  const roles = rolesFor(cards, random)
  const planned = roles.map((role, index) => planResident(index, role, random.fork(`card ${index}`)))
  const taps = planned.flatMap(({ taps }) => taps)
  return { residents: planned.map(({ resident }) => resident), taps: taps.sort(byTime) }
}

const byTime = (a: Tap, b: Tap) => a.atSecond - b.atSecond || (a.chip < b.chip ? -1 : 1)

/** A quarter is torn off, each kind of tear in turn. */
function rolesFor (cards: number, random: Random): Role[] {
  assert(cards >= 4, `a morning needs 4 cards at least, not ${cards}`)
  const few = cards < 20 ? 1 : 2
  const torn = Math.max(2, Math.round(cards / 4))
  return random.shuffle<Role>([
    ...Array.from({ length: few }, () => ({ kind: 'listed' as const })),
    ...Array.from({ length: few }, () => ({ kind: 'poor' as const })),
    ...Array.from({ length: torn }, (_, at) => tornBy(tears[at % tears.length] as Tear)),
    ...Array.from({ length: cards - 2 * few - torn }, () => ({ kind: 'plain' as const }))
  ])
}

const tornBy = (tear: Tear): Role => ({ kind: 'torn', tear })

function planResident (index: number, role: Role, random: Random): { resident: Resident, taps: Tap[] } {
  const family = index % families.length
  const { profile, issuer, scheme } = families[family] as typeof families[number]
  const chip = `card-${String(index + 1).padStart(2, '0')}`
  const type = typeFor(profile, role, random)
  const taps = tapsOf(chip, type, role, lanes.filter(lane => lane.scheme === scheme), random)
  const lostFen = taps.reduce((sum, tap) => sum + tap.chipLosesFen, 0)
  const poor = role.kind === 'poor'
  const balanceFen = poor ? 10 : 1_000 * (Math.ceil(lostFen / 1_000) + random.int(1, 9))
  const card = { issuer, serial: serialOf(family, index + 1), issue: 1 }
  const counter = random.int(0, 400)
  const sold = !poor && random.chance(0.5)
  return {
    taps,
    resident: {
      chip,
      listed: role.kind === 'listed',
      registered: {
        card, profile, type, suite: '3des', keyVersion: 1, cityFactor: null, balanceFen, counter,
        soldBy: sold ? 'AGT' : null, depositFen: sold ? 2_000 : 0
      },
      description: {
        profile, issuer, serial: card.serial, balanceFen, offlineCounter: counter,
        ...(type === 'anonymous' ? {} : { cardClass: cardClasses[type] })
      }
    }
  }
}

/** Class byte of file 0017 or 0015, as gateways read it. */
const cardClasses = { named: 1, student: 2, senior: 3 } as const

/** Cards of the oldest family say nothing of their holder; who must not ride free pays in full. */
function typeFor (profile: Card['profile'], { kind }: Role, random: Random): CardType {
  if (profile === 'pboc') return 'anonymous'
  return kind === 'plain' ? random.pick(['named', 'named', 'student', 'senior'] as const) : 'named'
}

/** Each lane once, so that no tap is taken for a second one of the same ride. */
function tapsOf (
  chip: string, type: CardType, role: Role, own: readonly LaneCast[], random: Random
): Tap[] {
  const least = role.kind === 'torn' ? 2 : 1
  const ways = random.shuffle(own).slice(0, random.int(least, own.length))
  let atSecond = random.int(0, 600)
  return ways.flatMap((lane, place) => {
    atSecond += random.int(30, 300)
    const charge = chargeFor(chip, lane, random)
    const dueFen = charge?.amountFen ?? fareOf(lane, type)
    const base = { chip, lane: lane.lane, atSecond, charge, fault: null, returns: false }
    if (role.kind === 'listed') return [refused(base, 'blacklisted', null)]
    if (role.kind === 'poor') return [refused(base, 'insufficient_funds', dueFen)]
    if (role.kind === 'torn' && place === 0) return tornTaps(base, dueFen, role.tear)
    if (role.kind === 'torn' && role.tear.comesBack === 'never') return []
    const returns = role.kind === 'torn' && role.tear.comesBack === 'elsewhere' && place === 1
    return [{ ...paid(base, dueFen), returns }]
  })
}

type Base = Omit<Tap, 'expect' | 'chipLosesFen' | 'staysOpen'>

const paid = (base: Base, dueFen: number): Tap =>
  ({ ...base, expect: { reason: 'paid', amountFen: dueFen }, chipLosesFen: dueFen, staysOpen: false })

const refused = (base: Base, reason: TapReason, amountFen: number | null): Tap =>
  ({ ...base, expect: { reason, amountFen }, chipLosesFen: 0, staysOpen: false })

/** The interrupted tap and, where the card comes back to this lane, the one after it. */
function tornTaps (base: Base, dueFen: number, { fault, chipPays, seen, comesBack }: Tear): Tap[] {
  const torn: Tap = {
    ...base,
    fault,
    expect: { reason: seen, amountFen: dueFen },
    chipLosesFen: chipPays ? dueFen : 0,
    staysOpen: comesBack === 'never'
  }
  if (comesBack !== 'here') return [torn]
  const again = { ...base, atSecond: base.atSecond + 20, returns: seen === 'torn' }
  const expect = { reason: 'paid_before', amountFen: dueFen } as const
  return [torn, chipPays ? { ...paid(again, dueFen), expect, chipLosesFen: 0 } : paid(again, dueFen)]
}

function chargeFor (chip: string, { lane, asks }: LaneCast, random: Random): Tap['charge'] {
  if (asks === undefined) return null
  return { amountFen: random.int(...asks), reference: `${lane}/${chip}` }
}

function fareOf ({ operator }: LaneCast, type: CardType): number {
  const price = priceBoarding(tariff, operator, type)
  assert(price !== null, `the tariff has no fare of ${operator}`)
  return price.amountFen
}
