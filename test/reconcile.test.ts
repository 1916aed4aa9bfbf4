// What reconciliation decides, without a database: pairs, what is left over, what a terminal's check answers.
import t from 'tap'
import fc from 'fast-check'
import { addDays, daysBetween } from '../runtime/instants.ts'
import { floatOf, type AccountTurnover } from '../ledger/core/float.ts'
import { differenceFen, reconcile, tallyOf, type Entry, type Match } from '../ledger/core/reconcile.ts'

const D = '2026-03-02'
const carry = { days: 3, between: daysBetween }

/** `file-1 4.60 x3 D+1 cancelled`: key, amount, count, date, state; the last three may be left out. */
function entry (said: string): Entry {
  const [key = '', yuan = '', ...rest] = said.split(/ +/)
  const days = rest.find(word => word.startsWith('D'))?.slice(1) ?? ''
  const state = rest.find(word => /^[a-z]{2,}$/.test(word))
  return {
    key,
    amountFen: BigInt(yuan.replace('.', '')),
    count: Number(rest.find(word => /^x\d/.test(word))?.slice(1) ?? 1),
    date: addDays(D, Number(days === '' ? 0 : days)),
    ...(state === undefined ? {} : { state })
  }
}
const told = (one: Entry | null): string => one === null
  ? '-'
  : `${(Number(one.amountFen) / 100).toFixed(2)}${one.count === 1 ? '' : ` x${one.count}`}` +
    (one.date === D ? '' : ` D+${daysBetween(D, one.date)}`) +
    (one.state === undefined ? '' : ` ${one.state}`)
const said = (matches: readonly Match[]): string[] =>
  matches.map(({ key, outcome, left, right }) => `${key} ${outcome} ${told(left)} | ${told(right)}`)

t.test('what each difference is called', async t => {
  for (const [name, left, right, expected] of [
    ['equal', ['a 1.80'], ['a 1.80'], ['a MATCHED 1.80 | 1.80']],
    ['ours alone', ['a 1.80'], [], ['a LEFT_ONLY 1.80 | -']],
    ['theirs alone', [], ['a 1.80'], ['a RIGHT_ONLY - | 1.80']],
    ['another amount', ['a 1.80'], ['a 1.81'], ['a AMOUNT_DIFF 1.80 | 1.81']],
    ['as much in fewer records', ['a 3.60 x2'], ['a 3.60 x1'], ['a AMOUNT_DIFF 3.60 x2 | 3.60']],
    ['they cancelled it', ['a 1.80 paid'], ['a 1.80 cancelled'], ['a STATE_DIFF 1.80 paid | 1.80 cancelled']],
    ['the day after', ['a 1.80 D+1'], ['a 1.80'], ['a DATE_DIFF 1.80 D+1 | 1.80']],
    ['too far apart', ['a 1.80 D+4'], ['a 1.80'],
      ['a LEFT_ONLY 1.80 D+4 | -', 'a RIGHT_ONLY - | 1.80']],
    ['told twice', ['a 1.80', 'a 1.80'], ['a 1.80'], ['a MATCHED 1.80 | 1.80', 'a DUPLICATE 1.80 | -']],
    ['twice on both sides', ['a 1.80', 'a 1.80'], ['a 1.80', 'a 1.80'],
      ['a MATCHED 1.80 | 1.80', 'a MATCHED 1.80 | 1.80']],
    ['twice, and not here at all', [], ['a 1.80', 'a 1.80'],
      ['a RIGHT_ONLY - | 1.80', 'a DUPLICATE - | 1.80']],
    ['the gravest difference names the pair', ['a 1.80 D+1 paid'], ['a 1.90 cancelled'],
      ['a AMOUNT_DIFF 1.80 D+1 paid | 1.90 cancelled']],
    ['what differs least is paired first', ['a 1.80', 'a 1.90'], ['a 1.90', 'a 2.00'],
      ['a MATCHED 1.90 | 1.90', 'a AMOUNT_DIFF 1.80 | 2.00']],
    ['+5 and −5 are two differences', ['a 1.05', 'b 1.00'], ['a 1.00', 'b 1.05'],
      ['a AMOUNT_DIFF 1.05 | 1.00', 'b AMOUNT_DIFF 1.00 | 1.05']]
  ] as const) t.strictSame(said(reconcile(left.map(entry), right.map(entry), carry)), expected, name)
  t.strictSame(said(reconcile([entry('a 1.80 D+1')], [entry('a 1.80')])),
    ['a LEFT_ONLY 1.80 D+1 | -', 'a RIGHT_ONLY - | 1.80'], 'without a carry another date is another thing')
})

/** Few keys, amounts, dates and states, so that they meet. */
const entries = fc.array(fc.record({
  key: fc.constantFrom('a', 'b', 'c'), amountFen: fc.bigInt(-2n, 2n), count: fc.integer({ min: 1, max: 2 }),
  date: fc.integer({ min: 0, max: 6 }).map(days => addDays(D, days)),
  state: fc.constantFrom('paid', 'returned')
}), { maxLength: 12 })
const sum = (of: readonly Entry[]): bigint => of.reduce((all, one) => all + one.amountFen, 0n)
const mirrored: Record<string, string> = { LEFT_ONLY: 'RIGHT_ONLY', RIGHT_ONLY: 'LEFT_ONLY' }

t.test('properties of any two lists', async t => {
  fc.assert(fc.property(entries, entries, (left, right) => {
    const matches = reconcile(left, right, carry)
    const ofLeft = matches.flatMap(match => match.left ?? [])
    const ofRight = matches.flatMap(match => match.right ?? [])
    return ofLeft.length === left.length && new Set(ofLeft).size === new Set(left).size &&
      ofRight.length === right.length && new Set(ofRight).size === new Set(right).size
  }), { numRuns: 500 })
  t.pass('every entry of either side ends in exactly one match')

  fc.assert(fc.property(entries, entries, (left, right) => {
    const matches = reconcile(left, right, carry)
    const tally = Object.values(tallyOf(matches))
    const totalOf = (side: 'left' | 'right') => tally.reduce((all, one) => all + one[side].sumFen, 0n)
    return totalOf('left') === sum(left) && totalOf('right') === sum(right) &&
      matches.reduce((all, one) => all + differenceFen(one), 0n) === sum(left) - sum(right)
  }), { numRuns: 500 })
  t.pass('sums by outcome are the sums of the lists')

  fc.assert(fc.property(entries, entries, (left, right) => {
    const there = said(reconcile(left, right, carry))
    const shuffled = said(reconcile([...left].reverse(), [...right].reverse(), carry))
    return JSON.stringify(there) === JSON.stringify(shuffled)
  }), { numRuns: 500 })
  t.pass('the order of the lists makes no difference')

  fc.assert(fc.property(entries, left => {
    const matches = reconcile(left, left, carry)
    return matches.every(({ outcome }) => outcome === 'MATCHED')
  }), { numRuns: 200 })
  t.pass('a list agrees with itself')

  fc.assert(fc.property(entries, entries, (left, right) => {
    const here = reconcile(left, right, carry).map(({ outcome }) => outcome)
    const there = reconcile(right, left, carry).map(({ outcome }) => mirrored[outcome] ?? outcome)
    const alone = (outcomes: string[]) => outcomes.filter(one => one.endsWith('ONLY')).sort().join()
    return alone(here) === alone(there)
  }), { numRuns: 500 })
  t.pass('seen from the other side, left and right are swapped')

  fc.assert(fc.property(entries, entries, (left, right) =>
    reconcile(left, right, carry).every(({ outcome, left: one, right: other }) =>
      one === null || other === null || outcome === 'MATCHED' ||
      one.amountFen !== other.amountFen || one.count !== other.count || one.date !== other.date ||
      one.state !== other.state)), { numRuns: 500 })
  t.pass('no pair is called different that is equal')
})

const account = (
  heading: AccountTurnover['heading'], fen: number, party: string | null = null
): AccountTurnover => ({
  book: 'commerce', heading, party, normalSide: 'debit', debitFen: BigInt(Math.max(fen, 0)),
  creditFen: BigInt(Math.max(-fen, 0))
})

t.test('the identity of the float, line by line', async t => {
  // 100.00 at the bank and 70.00 with an agent; 20.00 deposits, 130.00 purses, 20.00 due to BUS of which
  // 0.06 is commission; 0.06 earned.
  const right = [
    account('custody-bank', 10_000), account('receivable-agent', 7_000, 'SHP'),
    account('card-deposit', -2_000), account('purse', -13_000),
    account('merchant-pending', -1_994, 'BUS'), account('commission-income', -6)
  ]
  t.match(floatOf(right), [{
    heldFen: 10_000n, transitFen: 7_000n, holdersFen: 15_000n, partiesFen: 1_994n, ownFen: 6n, offFen: 0n,
    uncoveredFen: 0n
  }])
  t.match(floatOf([...right, account('purse', -1)]), [{ offFen: -1n }], '0.01 too much owed shows')
  const lost = [account('custody-bank', 9_000), account('purse', -10_000), account('issuer-loss', 1_000)]
  t.match(floatOf(lost), [{ offFen: 0n, ownFen: -1_000n, uncoveredFen: 1_000n }],
    'a loss paid out of the reserve balances, and leaves holders uncovered')
  const refunded = [account('custody-bank', 9_000), account('purse', -10_000),
    account('merchant-pending', 1_500, 'SHP'), account('merchant-pending', -500, 'BUS')]
  t.match(floatOf(refunded), [{ offFen: 0n, uncoveredFen: 0n }],
    'what a shop owes after refunds stands against it')
})
