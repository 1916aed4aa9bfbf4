// Bills of a clinic shared out by the rules of a city, without a database: golden calculations, rule sets
// that are not believed, what takes settlements back, and ten thousand bills beside a slow calculator.
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import fc from 'fast-check'
import { parse } from 'yaml'
import { wholeOf } from '../ledger/core/rounding.ts'
import { accumulate, noneYet, takenBack, type Accumulators } from '../ledger/services/clinic/accumulators.ts'
import { explain } from '../ledger/services/clinic/explain.ts'
import { fundFieldsOf, settlementFieldsOf, type Whose } from '../ledger/services/clinic/national-fields.ts'
import { postingsOf } from '../ledger/services/clinic/postings.ts'
import { restate } from '../ledger/services/clinic/restate.ts'
import { readRuleSet, rulesOn } from '../ledger/services/clinic/rule-set.ts'
import {
  ageOn, fundsFen, personFen, settleBill, type MeansFen, type Split
} from '../ledger/services/clinic/settle-bill.ts'
import {
  accumulatedIn, decide, liveIn, newStanding, type City, type Done, type Request, type Standing
} from '../ledger/services/clinic/settlements.ts'
import { after, isEnd, outcomeSignals, outcomeStates } from '../ledger/services/clinic/unknown.ts'
import { brokenIdentities } from '../schemas/medical/fields.ts'
import {
  burdens, funds, payers, type Bill, type Fund, type Layer, type RuleSet
} from '../schemas/medical/rule-set.ts'
import { slowFigures, slowly, type Earlier, type SlowBill } from '../terminal-sim/insurance/slowly.ts'

/* ---- the documents ---- */

const document = (name: string): unknown =>
  parse(readFileSync(new URL(`../ledger/services/clinic/rule-sets/${name}.yaml`, import.meta.url), 'utf8'))

function rulesIn (name: string): RuleSet {
  const read = readRuleSet(document(name))
  if (!read.ok) throw new Error(JSON.stringify(read.problems, null, 2))
  return read.rules
}
const hengyang = rulesIn('hengyang')
const xianyang = rulesIn('xianyang')
const accountFirst = rulesIn('account-first')
const cities: Readonly<Record<string, RuleSet>> = { hengyang, xianyang, 'account-first': accountFirst }

/* ---- tables in the words of the trade ---- */

const fenOf = (yuan: string): number => Number(yuan.replace('.', ''))

const sumOf = (amounts: readonly bigint[]): bigint => amounts.reduce((all, one) => all + one, 0n)
const figures: Readonly<Record<string, (split: Split) => bigint>> = {
  total: split => split.totalFen,
  own: ({ classes }) => classes.own,
  overLimit: ({ classes }) => classes.overLimit,
  preOwn: ({ classes }) => classes.preOwn,
  scope: ({ classes }) => classes.scope,
  deductible: split => split.deductibleFen,
  funds: fundsFen,
  person: personFen,
  ...Object.fromEntries(payers.map(payer => [payer, ({ paid }: Split) => paid[payer]]))
}

/** `employee active outpatient tier3-city A 200.00 B 180.00 limit 150.00 born 1990-01-01` → a bill. */
function billIn (words: readonly string[]): Bill {
  const [scheme = '', category = '', setting = '', level = '', ...rest] = words
  const items: Bill['items'] = []
  const person: Bill['person'] = { category }
  for (let place = 0; place < rest.length; place += 2) {
    const [what = '', value = ''] = rest.slice(place)
    const last = items.at(-1)
    if (what === 'born') person.bornOn = value
    else if (what === 'tag') person.tags = [value]
    else if (what === 'limit' && last !== undefined) last.limitFen = fenOf(value)
    else if (what === 'first' && last !== undefined) last.ownPpm = Number(value) * 10_000
    else items.push({ item: `item-${items.length}`, class: what as 'A', amountFen: fenOf(value) })
  }
  return { scheme, setting: setting as 'outpatient', level, date: '2026-03-02', person, items }
}

/**
 * Lines of one person's year: `in CITY`, `used COUNTER YUAN`, `has account|family|purse YUAN`, and bills with
 * what comes of them. Each bill is sound by the national identities, whatever the line says.
 */
function check (t: Test, name: string, story: string): void {
  let rules = hengyang
  let year: Accumulators = noneYet
  let means: MeansFen = { accountFen: 0n, familyFen: 0n, purseFen: 0n }
  const lines = story.replaceAll(/\n\s*->/g, ' ->').split('\n').map(each => each.trim())
  for (const line of lines.filter(each => each !== '')) {
    const [said = '', expected] = line.split(/\s*->\s*/)
    const [verb = '', what = '', value = ''] = said.split(/\s+/)
    if (verb === 'in') rules = cities[what] as RuleSet
    else if (verb === 'used') year = accumulate([{ counter: what, amount: BigInt(fenOf(value)) }], year)
    else if (verb === 'has') means = { ...means, [`${what}Fen`]: BigInt(fenOf(value)) }
    else {
      const shared = settleBill(billIn(said.split(/\s+/)), rules, year, means)
      if (!shared.ok) {
        t.equal(`${shared.reason} ${shared.where}`, expected, `${name}: ${line}`)
        continue
      }
      const { split } = shared
      for (const each of (expected ?? '').split(/,\s*/)) {
        const [figure = '', yuan = ''] = each.split(/\s+/)
        t.equal(figures[figure]?.(split), BigInt(fenOf(yuan)), `${name}: ${figure} ${yuan}`)
      }
      sound(t, split)
      year = accumulate(split.adds, year)
      means = {
        accountFen: means.accountFen - split.paid.account, familyFen: means.familyFen - split.paid.family,
        purseFen: means.purseFen - split.paid.purse
      }
    }
  }
}

const whose: Whose = {
  mdtrt_id: 'V-1', setl_id: 'S-1', psn_no: 'P-1', insutype: '310', setl_time: null, medins_setl_id: 'M-1',
  clr_optins: null, clr_way: null, clr_type: null
}
const fundTypes = Object.fromEntries(funds.map((fund, place) => [fund, `F${place}`])) as Record<Fund, string>

/** The identities of the national fields hold, forwards and backwards; the steps are the bill. */
function sound (t: Pick<Test, 'strictSame' | 'equal'>, split: Split): void {
  for (const sign of [1n, -1n] as const) {
    const fields = settlementFieldsOf(split, whose, { balanceFen: 0n, sign })
    t.strictSame(brokenIdentities(fields, fundFieldsOf(split, fundTypes, sign), sign), [])
  }
  const paid = explain(split).steps.flatMap(step => step.paid.map(({ amountFen }) => amountFen))
  t.equal(sumOf(paid), split.totalFen, 'the steps are the whole bill')
}

t.test('golden calculations', async t => {
  check(t, 'G1', `
    employee active outpatient tier3-city A 200.00 B 180.00 C 100.00
      -> preOwn 18.00, scope 362.00, deductible 100.00, pool 157.20, person 322.80, total 480.00
  `)
  check(t, 'G2', `
    has account 150.00
    employee active outpatient tier3-city A 200.00 B 180.00 C 100.00
      -> pool 157.20, account 150.00, cash 172.80
  `)
  check(t, 'G2, and 54.80 more would have been taken from the account', `
    has account 999.00
    employee active outpatient tier3-city A 200.00 B 180.00 C 100.00 -> account 204.80, cash 118.00
  `)
  check(t, 'G3', `
    used outpatient-deductible 200.00
    used outpatient-deductible/tier2 200.00
    used outpatient-pool 1900.00
    employee retired outpatient tier2 A 310.00 -> deductible 0.00, pool 100.00, person 210.00
    employee retired outpatient tier2 A 310.00 -> pool 0.00, person 310.00
  `)
  check(t, 'G4', `
    employee active outpatient tier3-city A 500.00 -> deductible 100.00
    employee active outpatient tier3-city A 500.00 -> deductible 100.00
    employee active outpatient tier2 A 500.00 -> deductible 50.00
    employee active outpatient tier3-city A 500.00 -> deductible 50.00
    employee active outpatient tier3-city A 500.00 -> deductible 0.00
    employee active outpatient tier2 A 500.00 -> deductible 0.00
  `)
  check(t, 'G5', `
    employee active outpatient grassroots A 88.00 -> pool 61.60, person 26.40
  `)
  check(t, 'G6, G8', `
    employee active inpatient tier3-city A 12000.00 B 6000.00 C 2000.00
      -> scope 17400.00, pool 13770.00, person 6230.00
    employee active inpatient tier3-city A 12000.00 B 6000.00 C 2000.00 -> deductible 600.00, pool 14280.00
    employee active inpatient tier2 A 1000.00 -> deductible 600.00
  `)
  check(t, 'G7', `
    employee retired inpatient tier3-city A 12000.00 B 6000.00 C 2000.00 -> pool 14094.00
  `)
  // 1,500.00 and 40 % of 108,750.00 are a burden of 45,000.00.
  check(t, 'G9', `
    resident resident inpatient tier3-province A 110250.00 -> pool 65250.00, seriousIllness 18150.00
  `)
  check(t, 'G9 in pieces: the second pays 750.00 first, so 45,000.00 are reached in two', `
    resident resident inpatient tier3-province A 41500.00 -> pool 24000.00, seriousIllness 900.00
    resident resident inpatient tier3-province A 67625.00 -> pool 40125.00, seriousIllness 17250.00
  `)
  check(t, 'G10', `
    in xianyang
    resident resident inpatient tier3 A 240000.00 -> pool 120000.00, seriousIllness 67500.00
  `)
})

t.test('what else the tables say', async t => {
  check(t, 'beyond the pool 90 % of the rest: 150,000.00 ÷ 85 % = 176,470.59 of 298,800.00', `
    employee active inpatient tier3-city A 300000.00
      -> deductible 1200.00, pool 150000.00, largeSum 110096.47, person 39903.53
    employee active inpatient tier3-city A 10600.00
      -> deductible 600.00, pool 0.00, largeSum 9000.00, person 1600.00
  `)
  check(t, 'large sums end at 500,000.00', `
    used large-sum 499990.00
    used inpatient-pool 150000.00
    employee retired inpatient tier1 A 10400.00 -> pool 0.00, largeSum 10.00, person 10390.00
  `)
  check(t, 'residents: village clinics, 400.00 a year, nothing elsewhere', `
    resident resident outpatient grassroots A 500.00 -> pool 350.00
    resident resident outpatient grassroots A 500.00 -> pool 50.00
    resident resident outpatient tier2 A 500.00 -> pool 0.00, person 500.00
  `)
  check(t, 'serious illness ends at 400,000.00 and begins above 16,000.00', `
    used serious-illness 399999.00
    used serious-illness/burden 600000.00
    resident resident inpatient grassroots A 200.00 -> pool 0.00, seriousIllness 1.00, person 199.00
  `)
  check(t, 'a deductible of the year', `
    in xianyang
    employee active outpatient tier1 A 200.00 -> deductible 200.00, pool 0.00
    employee active outpatient tier1 A 200.00 -> deductible 60.00, pool 98.00
    employee retired outpatient tier3 A 4000.00 -> deductible 0.00, pool 1602.00
  `)
  check(t, 'the account first, then the own segment, then the shared one', `
    in account-first
    has account 300.00
    employee active outpatient tier3 A 1000.00 born 1990-05-01
      -> account 300.00, deductible 700.00, pool 0.00, cash 700.00
    employee active outpatient tier3 A 2000.00 born 1990-05-01
      -> account 0.00, deductible 800.00, pool 600.00, cash 1400.00
    employee active outpatient tier3 A 100.00 born 1980-05-01 -> deductible 0.00, pool 60.00
    employee active outpatient tier3 A 100.00 born 1981-03-02 -> pool 60.00
    employee active outpatient tier3 A 100.00 born 1981-03-03 -> pool 50.00
    employee active outpatient tier3 A 100.00 born 1990-05-01 tag in-need
      -> pool 50.00, assistance 35.00, cash 15.00
    employee active outpatient tier3 A 100.00 limit 80.00 born 1990-05-01
      -> hospital 20.00, overLimit 20.00, scope 80.00, pool 40.00
  `)
  check(t, 'price limits, and an own share of the item itself', `
    employee active outpatient grassroots B 100.00 limit 80.00
      -> overLimit 20.00, preOwn 8.00, scope 72.00, pool 50.40
    employee active outpatient grassroots A 100.00 limit 120.00 -> overLimit 0.00, scope 100.00
    employee active outpatient grassroots B 100.00 first 30 -> preOwn 30.00
    employee active outpatient grassroots C 100.00 limit 80.00 -> own 100.00, overLimit 0.00, pool 0.00
  `)
  check(t, 'half up, once on the sum: 10 % of 0.05 and 0.05 is 0.01, not 0.02', `
    employee active outpatient grassroots B 0.05 B 0.05 -> preOwn 0.01, scope 0.09, pool 0.06
    employee active outpatient grassroots B 0.05 -> preOwn 0.01, scope 0.04
    employee active outpatient grassroots B 0.04 -> preOwn 0.00, scope 0.04
  `)
  check(t, 'family account and purse: what is in policy; what there is', `
    has account 10.00
    has family 20.00
    has purse 100.00
    employee active outpatient grassroots A 100.00 C 50.00
      -> pool 70.00, account 10.00, family 20.00, purse 50.00, cash 0.00
    employee active outpatient grassroots C 100.00 -> account 0.00, family 0.00, purse 50.00, cash 50.00
  `)
  check(t, 'nothing at all', `
    employee active outpatient tier3-city A 0.00 -> total 0.00, deductible 0.00, pool 0.00
  `)
  check(t, 'who is not met by the rules, in order', `
    soldier active outpatient tier3-city A 1.00 -> plan_missing /scheme
    employee unborn outpatient tier9 A 1.00 -> level_unknown /level
    employee unborn outpatient tier3-city A 1.00 -> category_unknown /person/category
    in account-first
    employee active outpatient tier3 A 1.00 -> age_missing /person/bornOn
  `)
  t.strictSame(['2026-02-28', '2026-03-01'].map(date => ageOn('2008-02-29', date)), [17, 18])
  t.equal(ageOn('2008-02-29', '2028-02-29'), 20)
})

t.test('C1: two books, which never meet', async t => {
  const shared = settleBill(billIn(
    'employee active outpatient tier3-city A 200.00 B 180.00 C 100.00'.split(' ')
  ), hengyang, noneYet, { accountFen: 150_00n, familyFen: 0n, purseFen: 999_00n })
  t.ok(shared.ok)
  if (!shared.ok) return
  const said = (purseFrom: 'online' | 'chip') => postingsOf(shared.split, { hospital: 'HOS', purseFrom })
    .map(({ debit, credit, amountFen, holder }) => `${debit} ${credit} ${amountFen} ${holder}`)
  const medical = [
    'medical/receivable-bureau medical/merchant-pending/HOS 15720 null',
    'medical/medical-account medical/merchant-pending/HOS 15000 self'
  ]
  t.strictSame(said('online'), [...medical, 'commerce/online commerce/merchant-pending/HOS 17280 self'])
  t.strictSame(said('chip'), medical, 'the chip pays by a record of its own')
})

t.test('a split explains itself', async t => {
  const means = { accountFen: 150_00n, familyFen: 0n, purseFen: 0n }
  const words = 'employee active outpatient tier3-city A 200.00 B 180.00 C 100.00'
  const shared = settleBill(billIn(words.split(' ')), hengyang, noneYet, means)
  if (!shared.ok) throw new Error(shared.reason)
  const told = explain(shared.split)
  t.strictSame(told.rules,
    { area: '430400', version: 1, from: '2023-01-01', scheme: 'employee', setting: 'outpatient' })
  t.strictSame(told.steps.map(({ en }) => en), [
    'Class C is paid by the person alone: 100.00',
    'Above the price limits, borne by the person: 0.00',
    'Own share first: 180.00 × 10 % = 18.00',
    'Deductible: 100.00, the least of 362.00 in policy, 100.00 for the visit, 300.00 left of this level, ' +
      '300.00 left of the year',
    'pooled fund: 262.00 × 60 % = 157.20',
    'personal account: 150.00 of 150.00, for 204.80 (deductible, co-payment, beyond the cap)',
    'family account: 0.00 of 0.00, for 54.80 (deductible, co-payment, beyond the cap)',
    'purse: 0.00 of 0.00, for 172.80 (in policy, own pay, above price limits, own share first, deductible, ' +
      'co-payment, beyond the cap)',
    'Left for the person: 172.80'
  ])
  t.strictSame(told.steps.slice(2, 5).map(({ zh }) => zh), [
    '先行自付：180.00 × 10 % = 18.00',
    '起付线：100.00，取最小值：政策范围内362.00、本次标准100.00、本级别年度剩余300.00、年度剩余300.00',
    '统筹基金：262.00 × 60 % = 157.20'
  ])
  const dear = billIn('employee retired outpatient grassroots A 4000.00'.split(' '))
  const capped = settleBill(dear, hengyang, noneYet)
  if (!capped.ok) throw new Error(capped.reason)
  const fund = fundFieldsOf(capped.split, fundTypes)
  t.strictSame(fund.map(row => [row.fund_payamt, row.crt_payb_lmt_amt, row.setl_proc_info]),
    [[200_000n, 200_000n, '统筹基金：4000.00 × 75 % = 3000.00；已达年度封顶线，仅支付2000.00']])
  t.match(explain(capped.split).steps.find(({ kind }) => kind === 'fund')?.en,
    /the cap of the year is reached, 2000\.00 was left$/)
})

t.test('what a fund has shared in when its money ends: half up', async t => {
  for (const [paidFen, ppm, wholeFen] of [
    [150_000_00n, 850_000, 176_470_59n], [100_00n, 650_000, 153_85n], [0n, 1, 0n], [1n, 1_000_000, 1n],
    [1n, 666_667, 1n], [1n, 666_666, 2n], [33n, 330_000, 100n], [500_000_00n, 1, 50_000_000_000_000n]
  ] as const) t.equal(wholeOf(paidFen, ppm), wholeFen, `${paidFen} at ${ppm}`)
})

/* ---- rule sets ---- */

type Changes = (set: { plans: { layers: Record<string, unknown>[] }[] } & Record<string, unknown>) => void

t.test('a rule set that is wrong says where', async t => {
  const rows: readonly (readonly [string, Changes, readonly string[]])[] = [
    ['no plans', set => { set.plans = [] }, ['/plans']],
    ['no date', set => { delete set.from }, ['/from is missing']],
    ['a date that is none', set => { set.from = '2023-1-1' }, ['/from']],
    ['a field too many', set => { set.remark = 'x' }, ['/remark unknown field']],
    ['all that is wrong', set => { delete set.area; set.version = 0 }, ['/area is missing', '/version']],
    ['a layer without kind', set => { delete set.plans[0]?.layers[4]?.kind },
      ['/plans/0/layers/4/kind is missing; the kinds of layers are own-pay, over-limit, pre-own']],
    ['an unknown kind', set => { set.plans[0]!.layers[4]!.kind = 'pool' },
      ['/plans/0/layers/4/kind "pool" is none; the kinds']],
    ['a field of another kind', set => { set.plans[0]!.layers[4]!.pays = ['own'] },
      ['/plans/0/layers/4/pays unknown field']],
    ['a rate in per cent', set => { set.plans[0]!.layers[2]!.shares = { B: 0.1 } },
      ['/plans/0/layers/2/shares/B']],
    ['a rate above one', set => { set.plans[0]!.layers[2]!.shares = { B: 1_000_001 } },
      ['/plans/0/layers/2/shares/B']],
    ['a fund that is none', set => { set.plans[0]!.layers[4]!.fund = 'bank' },
      ['/plans/0/layers/4/fund must be equal to one of the allowed values: pool, civilServant']],
    ['the plan twice', set => { set.plans.push(structuredClone(set.plans[0]!)) },
      ['/plans/4 /plans/0 is employee outpatient too']],
    ['a level that nobody has', set => { rowsIn(set, 0, 4, 'ratePpm')[0]!.levels = ['tier1', 'tier7'] }, [
      '/plans/0/layers/4/ratePpm/0/levels tier7 is no level of the plan',
      '/plans/0/layers/4/ratePpm no row for grassroots, active'
    ]],
    ['a category that nobody is', set => { rowsIn(set, 0, 4, 'yearFenMax')[0]!.categories = ['student'] }, [
      '/plans/0/layers/4/yearFenMax/0/categories student is no category of the plan',
      '/plans/0/layers/4/yearFenMax no row for grassroots, active'
    ]],
    ['two rows for one', set => { delete rowsIn(set, 0, 4, 'yearFenMax')[0]!.categories },
      ['/plans/0/layers/4/yearFenMax rows 0 and 1 are both for grassroots, retired']],
    ['an age that is left out', set => { rowsIn(set, 0, 4, 'yearFenMax')[0]!.fromAge = 18 },
      ['/plans/0/layers/4/yearFenMax no row for grassroots, active, aged 0']],
    ['a row of a deductible twice', set => { rowsIn(set, 0, 3, 'rows')[1]!.name = 'none' },
      ['/plans/0/layers/3/rows/1/name row 0 is none too']],
    ['a deductible without end', set => { delete rowsIn(set, 1, 3, 'rows')[0]!.visitFen }, [
      '/plans/1/layers/3/rows/0 nothing bounds it: visitFen or a yearFenMax is missing',
      '/plans/1/layers/3/rows/0/repeatPpm it is a part of visitFen, which is missing'
    ]],
    ['bands that fall',
      set => { set.plans[3]!.layers[5]!.bands = [5, 5].map(aboveFen => ({ aboveFen, ratePpm: 1 })) },
      ['/plans/3/layers/5/bands/1/aboveFen bands rise: it must be above 5']],
    ['items after the fund', ({ plans: [plan] }) => { plan!.layers.splice(5, 0, plan!.layers.shift()!) },
      ['/plans/0/layers/5 own-pay looks at items: own-pay, over-limit, pre-own come first, in this order']],
    ['own pay twice', set => { set.plans[0]!.layers.unshift(structuredClone(set.plans[0]!.layers[0]!)) },
      ['/plans/0/layers/1 own-pay is there twice']],
    ['no cash', set => { set.plans[0]!.layers.pop() },
      ['/plans/0/layers/7 the last layer must be cash: it takes all that is left']],
    ['cash before the purse', set => { set.plans[0]!.layers.splice(7, 0, { kind: 'cash' }) },
      ['/plans/0/layers/7 cash takes all that is left: it is last']],
    ['a fund that leaves nothing', set => { set.plans[1]!.layers[4]!.beyond = 'person' },
      ['/plans/1/layers/4 a fund comes after it: beyond must be next']],
    ['a fund that leaves it to nobody', set => { set.plans[1]!.layers[5]!.beyond = 'next' },
      ['/plans/1/layers/5 no fund comes after it: beyond must be person']],
    ['a fund without an end', set => { delete set.plans[1]!.layers[4]!.yearFenMax },
      ['/plans/1/layers/4 without yearFenMax it leaves nothing for the next fund']],
    ['a sum of two things', set => { set.plans[0]!.layers[4]!.counter = 'outpatient-deductible' },
      ['/plans/0/layers/4/counter outpatient-deductible counts deductible at /plans/0/layers/3/counter, ' +
        'and fund pool here']]
  ]
  for (const [name, change, expected] of rows) {
    const set = structuredClone(document('hengyang')) as Parameters<Changes>[0]
    change(set)
    const read = readRuleSet(set)
    const said = read.ok ? [] : read.problems.map(({ where, what }) => `${where} ${what}`)
    for (const each of expected) {
      t.ok(said.some(one => one.startsWith(each)), `${name}: ${each} in ${said.join(' | ')}`)
    }
  }
  t.strictSame([null, 7, 'x', []].map(value => readRuleSet(value).ok), [false, false, false, false])
})

const rowsIn = (set: Parameters<Changes>[0], plan: number, layer: number, name: string) =>
  set.plans[plan]!.layers[layer]![name] as Record<string, unknown>[]

t.test('the rules of a date', async t => {
  const set = (from: string, version: number, area = '430400'): RuleSet =>
    ({ ...hengyang, area, from, version })
  const all = [
    set('2026-01-01', 3), set('2023-01-01', 1), set('2026-01-01', 4), set('2020-01-01', 9, '610400')
  ]
  for (const [date, version] of [
    ['2022-12-31', undefined], ['2023-01-01', 1], ['2025-12-31', 1], ['2026-01-01', 4], ['2030-01-01', 4]
  ] as const) {
    t.equal(rulesOn(all, '430400', date)?.version, version, date)
    t.equal(rulesOn([...all].reverse(), '430400', date)?.version, version, `${date}, in another order`)
  }
})

/* ---- settlements ---- */

const dearer: RuleSet = { ...hengyang, from: '2027-01-01', version: 2 }
const visit = billIn('employee active outpatient tier3-city A 200.00 B 180.00 C 100.00'.split(' '))

/** Plays requests one after the other; replies as words. */
function play (
  requests: readonly Request[], from: Standing = newStanding
): { standing: Standing, said: string[] } {
  let standing = from
  let made = standing.settlements.length
  const city: City = { rules: [hengyang, dearer], newId: () => `S${++made}` }
  const said = requests.map(request => {
    const done: Done = decide(standing, request, city)
    standing = done.standing
    return wordsOf(done)
  })
  return { standing, said }
}

function wordsOf ({ reply, replayed }: Done): string {
  const again = replayed ? ' again' : ''
  if (reply.outcome === 'declined') {
    return `${reply.reason}${reply.where === null ? '' : ` ${reply.where}`}${again}`
  }
  if (reply.does === 'nothing') return `nothing${again}`
  const name = reply.does === 'shown' ? '' : ` ${reply.settlement}`
  return `${reply.does}${name} ${reply.split.paid.pool}${again}`
}

const basic = { area: '430400', bill: visit, means: {} } as const
const settle = (message: string, more: Partial<Extract<Request, { do: 'settle' }>> = {}): Request =>
  ({ do: 'settle', message, basis: null, ...basic, ...more })
const show = (message: string, more: object = {}): Request =>
  ({ do: 'pre_settle', message, ...basic, ...more })
const cancel = (message: string, settlement: string): Request => ({ do: 'cancel', message, settlement })
const reverse = (message: string, original: string): Request => ({ do: 'reverse', message, original })

function basisOf (standing: Standing, more: object = {}): string {
  const { reply } = decide(standing, show('ahead', more), { rules: [hengyang, dearer], newId: () => 'none' })
  if (reply.outcome !== 'approved' || reply.does !== 'shown') throw new Error('not shown')
  return reply.basis
}

t.test('C6: a look ahead has no effect, and holds until something is settled', async t => {
  const shown = decide(newStanding, show('m0'), { rules: [hengyang], newId: () => 'none' })
  t.equal(shown.standing, newStanding)
  const basis = basisOf(newStanding)
  const { standing, said } = play([show('m1'), settle('m2', { basis }), settle('m3', { basis })])
  t.strictSame(said, ['shown 15720', 'settled S1 15720', 'basis_changed /basis'])
  const again = basisOf(standing)
  t.strictSame(play([settle('m4', { basis: again })], standing).said, ['settled S2 15720'])
  t.strictSame(play([cancel('m5', 'S1'), settle('m6', { basis })], standing).said,
    ['cancelled S1 15720', 'settled S2 15720'], 'as it was: what was shown holds')
  for (const [name, more] of [
    ['another bill', { bill: { ...visit, level: 'tier2' } }],
    ['another account', { means: { accountFen: 1 } }],
    ['other rules', { bill: { ...visit, date: '2027-03-02' } }]
  ] as const) t.strictSame(play([settle('m7', { basis, ...more })]).said, ['basis_changed /basis'], name)
})

t.test('settlements, one after the other', async t => {
  const rows: readonly (readonly [string, readonly Request[], readonly string[]])[] = [
    ['the same message again', [settle('m1'), settle('m1')], ['settled S1 15720', 'settled S1 15720 again']],
    ['another bill under its id', [settle('m1'), settle('m1', { bill: { ...visit, level: 'tier2' } })],
      ['settled S1 15720', 'message_reused /bill']],
    ['another request under its id', [settle('m1'), cancel('m1', 'S1')],
      ['settled S1 15720', 'message_reused /area']],
    ['a decline again', [settle('m1', { area: '999999' }), settle('m1', { area: '999999' })],
      ['rules_missing /bill/date', 'rules_missing /bill/date again']],
    ['not met by the rules', [settle('m1', { bill: { ...visit, level: 'tier9' } })],
      ['level_unknown /bill/level']],
    ['cancelled', [settle('m1'), cancel('m2', 'S1'), cancel('m3', 'S1'), cancel('m2', 'S1')],
      ['settled S1 15720', 'cancelled S1 15720', 'not_live /settlement', 'cancelled S1 15720 again']],
    ['cancelled, what is not there', [cancel('m1', 'S9')], ['settlement_unknown /settlement']],
    ['reversed', [settle('m1'), reverse('m2', 'm1'), reverse('m2', 'm1'), reverse('m3', 'm1'), settle('m1')],
      ['settled S1 15720', 'cancelled S1 15720', 'cancelled S1 15720 again', 'nothing', 'message_reversed']],
    ['reversed before it came', [reverse('m2', 'm1'), settle('m1'), settle('m3')],
      ['nothing', 'message_reversed', 'settled S1 15720']],
    ['a decline reversed', [cancel('m1', 'S9'), reverse('m2', 'm1'), cancel('m1', 'S9')],
      ['settlement_unknown /settlement', 'nothing', 'message_reversed']],
    ['reversed after it was cancelled', [settle('m1'), cancel('m2', 'S1'), reverse('m3', 'm1')],
      ['settled S1 15720', 'cancelled S1 15720', 'not_live /original']],
    ['a cancellation reversed', [settle('m1'), cancel('m2', 'S1'), reverse('m3', 'm2'), cancel('m4', 'S1')],
      ['settled S1 15720', 'cancelled S1 15720', 'reinstated S1 15720', 'cancelled S1 15720']],
    ['a cancellation reversed, too late',
      [settle('m1'), cancel('m2', 'S1'), settle('m3'), reverse('m4', 'm2')],
      ['settled S1 15720', 'cancelled S1 15720', 'settled S2 15720', 'settled_between /original']],
    ['a reversal reversed', [settle('m1'), reverse('m2', 'm1'), reverse('m3', 'm2')],
      ['settled S1 15720', 'cancelled S1 15720', 'original_is_reversal /original']]
  ]
  for (const [name, requests, expected] of rows) t.strictSame(play(requests).said, expected, name)
})

t.test('the year of a bill, and each year by itself', async t => {
  const later = { ...visit, date: '2027-01-01' }
  const { standing } = play([settle('m1'), settle('m2'), settle('m3', { bill: later }), cancel('m4', 'S1')])
  t.strictSame([...accumulatedIn(standing, '2026')], [
    ['outpatient-deductible', 100_00n], ['outpatient-deductible/tier3', 100_00n],
    ['outpatient-pool', 157_20n]
  ])
  t.strictSame(accumulatedIn(standing, '2027'), accumulatedIn(standing, '2026'))
  t.strictSame([...accumulatedIn(standing, '2028')], [])
  t.equal(standing.settlements.find(({ year }) => year === '2027')?.split.rules.version, 2)
})

t.test('a year settled again: by the same rules, by corrected ones, after a cancellation', async t => {
  const { standing } = play(['m1', 'm2', 'm3', 'm4'].map(id => settle(id)))
  const live = liveIn(standing, '2026')
  t.strictSame(restate(live, [hengyang]), [])
  const said = (all: ReturnType<typeof restate>) =>
    all.map(one => 'reason' in one ? `${one.settlement} ${one.reason}` : `${one.settlement} ${one.fundsFen}`)
  // A tenth less: of 362.00 − 90.00 the fund has 60 %: 163.20, 6.00 more. The fourth had nothing left of the
  // 300.00 of a year; now 30.00 are: 332.00 × 60 % = 199.20, 18.00 less than 217.20.
  const corrected = structuredClone(hengyang)
  for (const layer of corrected.plans[0]?.layers ?? []) {
    if (layer.kind !== 'deductible') continue
    for (const row of layer.rows) row.visitFen = (row.visitFen ?? 0) * 9 / 10
  }
  t.strictSame(said(restate(live, [corrected])), ['S1 600', 'S2 600', 'S3 600', 'S4 -1800'])
  const cancelled = play([cancel('m5', 'S1')], standing).standing
  t.strictSame(said(restate(liveIn(cancelled, '2026'), [hengyang])), ['S4 -6000'],
    'its 100.00 of a deductible were used up by what was cancelled')
  t.strictSame(said(restate(live.slice(0, 1), [dearer])), ['S1 rules_missing'])
})

t.test('a lost answer ends in one of three ways, whatever comes', async t => {
  const run = (...signals: readonly (typeof outcomeSignals[number])[]) =>
    signals.reduce(after, 'sent' as typeof outcomeStates[number])
  for (const [signals, end] of [
    [['approved'], 'settled'],
    [['declined', 'approved'], 'declined'],
    [['silent', 'found'], 'settled'],
    [['silent', 'silent', 'approved'], 'settled'],
    [['silent', 'not_found', 'reversed'], 'undone'],
    [['silent', 'not_found', 'silent', 'reversed'], 'undone'],
    [['silent', 'given_up', 'approved', 'reversed'], 'undone'],
    [['silent', 'not_found', 'reversed', 'approved'], 'undone'],
    [['silent', 'not_found', 'found'], 'reversing']
  ] as const) t.equal(run(...signals), end, signals.join(' '))
  t.strictSame(outcomeStates.filter(isEnd), ['settled', 'declined', 'undone'])
})

/* ---- ten thousand bills ---- */

const fenOfItem = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 500_00 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 30_000_00 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 600_000_00 }) }
)
const purseOf = fc.oneof(fc.constant(0), fenOfItem)
const levels = ['grassroots', 'tier1', 'tier2', 'tier3-city', 'tier3-province'] as const
const item = fc.record({
  class: fc.constantFrom('A', 'A', 'B', 'C'), fen: fenOfItem,
  limit: fc.option(fenOfItem, { freq: 4 }),
  perMille: fc.option(fc.integer({ min: 0, max: 1_000 }), { freq: 5 })
})
const randomBill = fc.record({
  insured: fc.constantFrom('active', 'retired', 'resident'), stay: fc.boolean(),
  level: fc.constantFrom(...levels), items: fc.array(item, { minLength: 1, maxLength: 6 }),
  account: purseOf, family: purseOf, purse: purseOf,
  /** Which earlier bill is cancelled before this one, if it is there. */
  cancels: fc.option(fc.nat(9), { freq: 4 })
})
type RandomBill = typeof randomBill extends fc.Arbitrary<infer B> ? B : never

const fastBill = ({ insured, stay, level, items }: RandomBill): Bill => ({
  scheme: insured === 'resident' ? 'resident' : 'employee', setting: stay ? 'inpatient' : 'outpatient', level,
  date: '2026-03-02', person: { category: insured },
  items: items.map((one, place) => ({
    item: `item-${place}`, class: one.class as 'A', amountFen: one.fen,
    ...(one.limit === null ? {} : { limitFen: one.limit }),
    ...(one.perMille === null ? {} : { ownPpm: one.perMille * 1_000 })
  }))
})
const slowBill = ({ items, account, family, purse, ...bill }: RandomBill): SlowBill => ({
  ...bill,
  insured: bill.insured as 'active',
  account: BigInt(account),
  family: BigInt(family),
  purse: BigInt(purse),
  items: items.map(one => ({
    class: one.class as 'A', fen: BigInt(one.fen), limit: one.limit === null ? null : BigInt(one.limit),
    ownPerMille: one.perMille === null ? null : BigInt(one.perMille)
  }))
})

t.test('10,000 bills of 1,000 years beside the slow calculator', async t => {
  let bills = 0
  const reached = new Set<string>()
  const quiet = { strictSame: same, equal: same } as unknown as Test
  fc.assert(fc.property(fc.array(randomBill, { minLength: 10, maxLength: 10 }), year => {
    let sums: Accumulators = noneYet
    const live = new Map<number, { fast: Split, slow: Earlier }>()
    for (const [place, random] of year.entries()) {
      const taken = random.cancels === null ? undefined : live.get(random.cancels)
      if (taken !== undefined && random.cancels !== null) {
        sums = accumulate(takenBack(taken.fast.adds), sums)
        live.delete(random.cancels)
      }
      const means = {
        accountFen: BigInt(random.account), familyFen: BigInt(random.family), purseFen: BigInt(random.purse)
      }
      const shared = settleBill(fastBill(random), hengyang, sums, means)
      if (!shared.ok) throw new Error(shared.reason)
      const { split } = shared
      const earlier = [...live.values()].map(({ slow }) => slow)
      const bill = slowBill(random)
      const got = slowly(earlier, bill)
      same(Object.fromEntries(slowFigures.map(name => [name, figures[name]?.(split)])), got)
      for (const name of slowFigures) if (got[name] > 0n) reached.add(name)
      sound(quiet, split)
      same(payers.every(payer => split.paid[payer] >= 0n), true)
      same(sumOf(payers.map(payer => split.paid[payer])), sumOf(random.items.map(one => BigInt(one.fen))))
      sums = accumulate(split.adds, sums)
      live.set(place, { fast: split, slow: { bill, got } })
      same(sums, accumulate([...live.values()].reverse().flatMap(({ fast }) => fast.adds)))
      bills += 1
    }
  }), { numRuns: 1_000 })
  t.equal(bills, 10_000)
  t.strictSame([...reached].sort(), [...slowFigures].sort(), 'every figure was above zero in some bill')
})

/** Outside of tap, which would remember ten thousand passes. */
function same (one: unknown, other: unknown): void {
  const [left, right] = [one, other].map(each => JSON.stringify(each, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value} fen` : value instanceof Map ? [...value] : value))
  if (left !== right) throw new Error(`${left} is not ${right}`)
}

t.test('order where it says nothing', async t => {
  fc.assert(fc.property(randomBill, fc.infiniteStream(fc.nat()), (random, order) => {
    const bill = fastBill(random)
    const turned = shuffled(bill.items, order)
    const rules = structuredClone(hengyang)
    rules.plans = shuffled(rules.plans, order).map(plan => ({
      ...plan, layers: plan.layers.map(layer => withRows(layer, rows => shuffled(rows, order)))
    }))
    same(settleBill({ ...bill, items: turned }, rules, noneYet), settleBill(bill, hengyang, noneYet))
  }), { numRuns: 300 })
})

t.test('a visit and a stay share no sum: either may come first', async t => {
  fc.assert(fc.property(randomBill, randomBill, (one, other) => {
    const [visit, stay] = [fastBill({ ...one, stay: false }), fastBill({ ...other, stay: true })]
    const inOrder = (bills: readonly Bill[]) => {
      let sums: Accumulators = noneYet
      const splits = bills.map(bill => {
        const shared = settleBill(bill, hengyang, sums)
        if (!shared.ok) throw new Error(shared.reason)
        sums = accumulate(shared.split.adds, sums)
        return shared.split
      })
      return { splits, sums }
    }
    const [there, back] = [inOrder([visit, stay]), inOrder([stay, visit])]
    same(there.splits, [...back.splits].reverse())
    same(there.sums, back.sums)
  }), { numRuns: 300 })
})

function shuffled<T> (all: readonly T[], order: Iterator<number>): T[] {
  const rest = [...all]
  return all.map(() => rest.splice((order.next().value as number) % rest.length, 1)[0] as T)
}

const withRows = (layer: Layer, turn: <T>(rows: readonly T[]) => T[]): Layer => {
  if (layer.kind === 'deductible') return { ...layer, rows: turn(layer.rows) }
  if (layer.kind !== 'fund') return layer
  const caps = layer.yearFenMax
  return { ...layer, ratePpm: turn(layer.ratePpm), ...(caps === undefined ? {} : { yearFenMax: turn(caps) }) }
}

/* ---- any order of layers ---- */

const ppm = fc.integer({ min: 0, max: 1_000_000 })
const capFen = fc.integer({ min: 0, max: 50_000_00 })
const someBurdens = fc.uniqueArray(fc.constantFrom(...burdens), { minLength: 1 })
const anyLayer: fc.Arbitrary<Layer> = fc.oneof(
  fc.record({
    kind: fc.constant('deductible' as const), counter: fc.constant('d'), yearFenMax: capFen,
    rows: fc.record({ name: fc.constant('all'), visitFen: capFen, repeatPpm: ppm }).map(row => [row])
  }),
  fc.record({
    kind: fc.constant('fund' as const), fund: fc.constantFrom(...funds), counter: fc.constant('f'),
    ratePpm: ppm.map(value => [{ value }]), yearFenMax: capFen.map(value => [{ value }]),
    beyond: fc.constant('next' as const)
  }),
  fc.record({
    kind: fc.constant('relief' as const), fund: fc.constantFrom(...funds), counter: fc.constant('r'),
    of: someBurdens, yearFenMax: capFen,
    bands: fc.uniqueArray(capFen, { minLength: 1, maxLength: 4 }).map(edges => edges
      .sort((one, other) => one - other)
      .map((aboveFen, place) => ({ aboveFen, ratePpm: 250_000 * (place + 1) })))
  }),
  fc.record({ kind: fc.constant('account' as const), pays: someBurdens }),
  fc.record({ kind: fc.constant('family' as const), pays: someBurdens }),
  fc.record({ kind: fc.constant('purse' as const), pays: someBurdens })
)
const anyPlan = fc.tuple(
  fc.subarray<Layer>([
    { kind: 'own-pay', classes: ['C'] }, { kind: 'over-limit', borneBy: 'hospital' },
    { kind: 'pre-own', shares: { A: 33_333, B: 100_000 } }
  ]), fc.array(anyLayer, { maxLength: 8 })
).map(([first, then]): Layer[] => {
  const last = then.findLastIndex(({ kind }) => kind === 'fund')
  const ended = then.map((layer, place): Layer =>
    layer.kind === 'fund' && place === last ? { ...layer, beyond: 'person' } : layer)
  return [...first, ...ended, { kind: 'cash' }]
})

t.test('whatever the order of layers: no part below zero, together the bill, each year its sum', async t => {
  const quiet = { strictSame: same, equal: same } as unknown as Test
  fc.assert(fc.property(anyPlan, fc.array(randomBill, { minLength: 1, maxLength: 4 }), (layers, bills) => {
    const rules: RuleSet = {
      ...hengyang,
      plans: hengyang.plans.map(plan => ({ ...plan, layers }))
    }
    let sums: Accumulators = noneYet
    for (const random of bills) {
      const means = {
        accountFen: BigInt(random.account), familyFen: BigInt(random.family), purseFen: BigInt(random.purse)
      }
      const shared = settleBill(fastBill(random), rules, sums, means)
      if (!shared.ok) throw new Error(shared.reason)
      sound(quiet, shared.split)
      const { paid } = shared.split
      for (const payer of ['account', 'family', 'purse'] as const) {
        same(paid[payer] <= means[`${payer}Fen`], true)
      }
      sums = accumulate(shared.split.adds, sums)
    }
  }), { numRuns: 1_000 })
})

t.test('any messages in any order: the sums are those of the live settlements', async t => {
  const message = fc.nat(7).map(number => `m${number}`)
  const request: fc.Arbitrary<Request> = fc.oneof(
    fc.tuple(message, fc.constantFrom('tier2', 'tier3-city'))
      .map(([id, level]) => settle(id, { bill: { ...visit, level } })),
    fc.tuple(message, fc.integer({ min: 1, max: 4 })).map(([id, number]) => cancel(id, `S${number}`)),
    fc.tuple(message, message).map(([id, original]) => reverse(id, original))
  )
  fc.assert(fc.property(fc.array(request, { maxLength: 20 }), requests => {
    const { standing } = play(requests)
    const live = liveIn(standing, '2026')
    same(accumulatedIn(standing, '2026'), accumulate([...live].reverse().flatMap(({ split }) => split.adds)))
    for (const id of standing.reversed) {
      if (live.some(({ message: by }) => by === id)) throw new Error(`${id} was reversed and counts`)
    }
    const twice = play(requests.flatMap(each => [each, each]))
    same(twice.standing.settlements.map(one => [one.settlement, one.takenBackBy, one.split.paid]),
      standing.settlements.map(one => [one.settlement, one.takenBackBy, one.split.paid]))
  }), { numRuns: 500 })
  const pair = [settle('m1'), reverse('m2', 'm1')]
  for (const requests of [pair, [...pair].reverse()]) {
    t.strictSame(liveIn(play(requests).standing, '2026'), [], 'a reversal may overtake')
  }
})
