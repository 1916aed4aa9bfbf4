// Shares out a bill between funds, hospital and person, layer by layer, as the rules of its date say. Pure:
// the same bill, rules, year so far and means give the same split. It refuses to know messages and postings.
import assert from 'node:assert/strict'
import type { LocalDate } from '../../../runtime/instants.ts'
import {
  burdens, funds, payers, type Bill, type Burden, type LayerKind, type Payer, type Plan, type RuleSet
} from '../../../schemas/medical/rule-set.ts'
import { accumulate, type Accumulators, type Add } from './accumulators.ts'
import { compute, type About, type Inputs, type Move, type OpenItem, type Stand } from './layers.ts'
import { asksAge, planOf } from './rule-set.ts'

export type Step = {
  [K in LayerKind]: {
    /** Place in the plan. */
    readonly layer: number
    readonly kind: K
    readonly inputs: Inputs[K]
    readonly moves: readonly Move[]
  }
}[LayerKind]

export type Split = {
  readonly rules: {
    readonly area: string, readonly version: number, readonly from: LocalDate
    readonly scheme: string, readonly setting: string
  }
  readonly totalFen: bigint
  /** What the bill is made of; with what is in policy they are the whole. */
  readonly classes: Readonly<Record<'own' | 'overLimit' | 'preOwn' | 'scope', bigint>>
  readonly deductibleFen: bigint
  readonly paid: Readonly<Record<Payer, bigint>>
  readonly steps: readonly Step[]
  /** What the sums of the year grow by. */
  readonly adds: readonly Add[]
}

/** Why there is no split; in order of precedence. */
export const billReasons = ['plan_missing', 'level_unknown', 'category_unknown', 'age_missing'] as const
export type BillReason = typeof billReasons[number]
export type Shared =
  | { readonly ok: true, readonly split: Split }
  | { readonly ok: false, readonly reason: BillReason, readonly where: string }

export type MeansFen = { readonly accountFen: bigint, readonly familyFen: bigint, readonly purseFen: bigint }
export const noMeans: MeansFen = { accountFen: 0n, familyFen: 0n, purseFen: 0n }

export function settleBill (
  bill: Bill, rules: RuleSet, accumulated: Accumulators, means: MeansFen = noMeans
): Shared {
  const plan = planOf(rules, bill.scheme, bill.setting)
  const { bornOn, category, tags = [] } = bill.person
  if (plan === null) return { ok: false, reason: 'plan_missing', where: '/scheme' }
  if (!plan.levels.includes(bill.level)) return { ok: false, reason: 'level_unknown', where: '/level' }
  if (!plan.categories.includes(category)) {
    return { ok: false, reason: 'category_unknown', where: '/person/category' }
  }
  const age = bornOn === undefined ? null : ageOn(bornOn, bill.date)
  if (age === null && asksAge(plan)) return { ok: false, reason: 'age_missing', where: '/person/bornOn' }
  assert(Object.values(means).every(fen => fen >= 0n), 'nobody pays with less than nothing')
  const about: About = {
    whom: { level: bill.level, category, age },
    tags,
    accumulated,
    means: { account: means.accountFen, family: means.familyFen, purse: means.purseFen }
  }
  return { ok: true, split: share(bill, rules, plan, about) }
}

/** The reader of rule sets has made sure that the last layer takes all that is left. */
function share (bill: Bill, rules: RuleSet, plan: Plan, about: About): Split {
  const begun = begin(bill)
  let stand = begun
  const steps: Step[] = []
  const adds: Add[] = []
  for (const [place, layer] of plan.layers.entries()) {
    const result = compute(layer, stand, about)
    if (result === null) continue
    stand = moved({ ...stand, items: result.items ?? stand.items }, result.moves)
    steps.push({ layer: place, kind: layer.kind, inputs: result.inputs, moves: result.moves } as Step)
    adds.push(...result.adds ?? [])
  }
  const totalFen = begun.open.scope
  assert.equal(paidIn(stand), totalFen, 'the parts are the whole bill')
  const arrived = (to: Burden): bigint =>
    sum(steps.flatMap(({ moves }) => moves).filter(one => one.to === to).map(one => one.amountFen))
  const overLimit = arrived('overLimit') + stand.paid.hospital
  const [own, preOwn] = [arrived('own'), arrived('preOwn')]
  const { area, version, from } = rules
  return {
    rules: { area, version, from, scheme: plan.scheme, setting: plan.setting },
    totalFen,
    classes: { own, overLimit, preOwn, scope: totalFen - own - overLimit - preOwn },
    deductibleFen: arrived('deductible'),
    paid: stand.paid,
    steps,
    adds: [...accumulate(adds)].map(([counter, amount]) => ({ counter, amount }))
  }
}

/** All of a bill is in scope until a layer says otherwise. */
function begin ({ items }: Bill): Stand {
  const open = items.map((item): OpenItem => ({
    class: item.class, openFen: BigInt(item.amountFen), ownPpm: item.ownPpm ?? null,
    limitFen: item.limitFen === undefined ? null : BigInt(item.limitFen)
  }))
  return {
    items: open,
    open: { ...nothing(burdens), scope: sum(open.map(one => one.openFen)) },
    paid: nothing(payers)
  }
}

function moved (stand: Stand, moves: readonly Move[]): Stand {
  const open = { ...stand.open }
  const paid = { ...stand.paid }
  for (const { from, to, amountFen } of moves) {
    assert(amountFen > 0n && open[from] >= amountFen, `${amountFen} fen out of ${open[from]} of ${from}`)
    open[from] -= amountFen
    if (isBurden(to)) open[to] += amountFen
    else paid[to] += amountFen
  }
  return { ...stand, open, paid }
}

const isBurden = (place: Burden | Payer): place is Burden => (burdens as readonly string[]).includes(place)
const nothing = <N extends string>(names: readonly N[]): Record<N, bigint> =>
  Object.fromEntries(names.map(name => [name, 0n])) as Record<N, bigint>
const paidIn = ({ paid }: Stand): bigint => sum(payers.map(payer => paid[payer]))
const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)

/** Whole years; who was born on 29 February is a year older on 1 March. */
export const ageOn = (bornOn: LocalDate, date: LocalDate): number =>
  Number(date.slice(0, 4)) - Number(bornOn.slice(0, 4)) - (date.slice(5) < bornOn.slice(5) ? 1 : 0)

export const fundsFen = ({ paid }: Pick<Split, 'paid'>): bigint => sum(funds.map(fund => paid[fund]))

/** The person's share of the whole: from whichever purse it comes. */
export const personFen = ({ paid }: Pick<Split, 'paid'>): bigint =>
  paid.account + paid.family + paid.purse + paid.cash
