// `npm run bench -- clinic [BILLS]`: clinic bills shared out by one core, each checked, and years of them
// settled again after the rules were corrected. The heap may not grow with the bills.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { accumulate, noneYet } from '../ledger/services/clinic/accumulators.ts'
import { readRuleSet } from '../ledger/services/clinic/rule-set.ts'
import { settleBill } from '../ledger/services/clinic/settle-bill.ts'
import { decide, liveIn, newStanding, type City } from '../ledger/services/clinic/settlements.ts'
import { restate } from '../ledger/services/clinic/restate.ts'
import { payers, type Bill, type RuleSet } from '../schemas/medical/rule-set.ts'
import { createRandom, type Random } from '../terminal-sim/random.ts'
import { collector } from './support/collector.ts'
import type { Bench } from './main.ts'

const billsPerYear = 12
/** What the heap may have grown by from the first round to the last. */
const grownBytesMax = 4 * 2 ** 20

export const bench: Bench = async ({ args: [count = '200000'] }) => {
  const bills = Number(count)
  const chance = createRandom('clinic bench')
  const rules = rulesOfHengyang()
  const people = Math.ceil(bills / billsPerYear)
  const one = measured(people, () => oneYear(chance, rules))
  const again = measured(Math.ceil(people / 4), () => correctedYear(chance, rules))
  console.log(`${people * billsPerYear} bills of ${people} years: ${one.perSecond.toFixed(0)} a second, ` +
    `heap ${mib(one.grownBytes)} MiB more`)
  console.log(`settled by messages and twice again: ${again.perSecond.toFixed(0)} a second`)
  for (const { grownBytes } of [one, again]) {
    assert(grownBytes < grownBytesMax, `the heap grew by ${mib(grownBytes)} MiB`)
  }
  return { bills: people * billsPerYear, billsPerSecond: one.perSecond, restatedPerSecond: again.perSecond }
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)

function measured (years: number, live: () => void): { perSecond: number, grownBytes: number } {
  const collect = collector()
  for (let year = 0; year < 100; year++) live()
  const startBytes = collect()
  const startMs = performance.now()
  for (let year = 0; year < years; year++) live()
  const seconds = (performance.now() - startMs) / 1_000
  return { perSecond: years * billsPerYear / seconds, grownBytes: collect() - startBytes }
}

/** A year of one person; every bill is looked at. */
function oneYear (chance: Random, rules: RuleSet): void {
  let sums = noneYet
  for (let bill = 0; bill < billsPerYear; bill++) {
    const shared = settleBill(randomBill(chance), rules, sums)
    assert(shared.ok)
    const { paid, totalFen } = shared.split
    assert(payers.reduce((sum, payer) => sum + paid[payer], 0n) === totalFen)
    sums = accumulate(shared.split.adds, sums)
  }
}

/** The same with messages, then the deductible of a visit is corrected and the year is settled again. */
function correctedYear (chance: Random, rules: RuleSet): void {
  let standing = newStanding
  let made = 0
  const city: City = { rules: [rules], newId: () => `S${++made}` }
  for (let bill = 0; bill < billsPerYear; bill++) {
    const request = {
      do: 'settle', message: `m${bill}`, area: rules.area, bill: randomBill(chance), means: {}, basis: null
    } as const
    standing = decide(standing, request, city).standing
  }
  const live = liveIn(standing, '2026')
  assert.equal(live.length, billsPerYear)
  assert.deepEqual(restate(live, [rules]), [], 'the same rules give the same year')
  const plans = rules.plans.map(plan => ({ ...plan, layers: dearer(plan.layers) }))
  restate(live, [{ ...rules, version: 2, plans }])
}

const dearer = (layers: RuleSet['plans'][number]['layers']): RuleSet['plans'][number]['layers'] =>
  layers.map(layer => layer.kind === 'deductible'
    ? { ...layer, rows: layer.rows.map(row => ({ ...row, visitFen: (row.visitFen ?? 0) + 10_00 })) }
    : layer)

function randomBill (chance: Random): Bill {
  const levels = ['grassroots', 'tier1', 'tier2', 'tier3-city'] as const
  const items = Array.from({ length: chance.int(1, 8) }, (_, place) => ({
    item: `item-${place}`, class: chance.pick(['A', 'A', 'B', 'C'] as const), amountFen: chance.int(1, 500_00)
  }))
  return {
    scheme: 'employee', setting: chance.chance(0.1) ? 'inpatient' : 'outpatient', level: chance.pick(levels),
    date: '2026-03-02', person: { category: 'active' }, items
  }
}

function rulesOfHengyang (): RuleSet {
  const path = new URL('../ledger/services/clinic/rule-sets/hengyang.yaml', import.meta.url)
  const read = readRuleSet(parse(readFileSync(path, 'utf8')))
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.rules
}
