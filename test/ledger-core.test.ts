// The pure rules of the ledger, in the words of the trade: the order of the checks, what the chain of a card
// says of grey and conflicting records, and whose money moves under a verdict.
import t from 'tap'
import { priceDifference } from '../ledger/services/transit/price-difference.ts'
import { verdictReasons, type VerdictReason } from '../schemas/reasons.ts'
import { chainItems } from '../ledger/core/chain-items.ts'
import { chainOf, elsewhere, gapsAt, losersOf, noFacts, type ChainEvent } from '../ledger/core/chain.ts'
import { cityAt, everListed } from '../ledger/core/cities.ts'
import { postingOf, reverse } from '../ledger/core/posting.ts'
import { checks, examine, isRemark, verdictOf, type Facts } from '../ledger/core/verdict.ts'

const noon = Date.parse('2026-03-02T12:00:00+08:00')
const hour = 3_600_000
const day = 24 * hour
const policy = {
  lateMs: 90 * day, clockToleranceMs: 10 * 60_000, debitFenMax: 100_000n, cityGraceMs: 7 * day
}
const good: Facts = {
  psam: {
    issuedAtMs: noon - 100 * 24 * hour, boundUntilMs: null, terminalId: 1, stolenAtMs: null,
    test: false
  },
  terminal: { terminalId: 1, operatorId: 7 },
  operatorId: 7,
  card: { test: false },
  city: null,
  merchantClosed: false,
  cardTypeAllowed: true,
  typeAllowed: true,
  tacValid: true,
  grey: false,
  eventAtMs: noon - hour,
  receivedAtMs: noon,
  beforeOpenDate: false,
  amountFen: 180n,
  abnormal: false,
  regressed: false,
  listing: 'clear'
}
const psam = good.psam as NonNullable<Facts['psam']>

t.test('the order of the checks is the order of the registry of reasons', async t => {
  const registry = Object.keys(verdictReasons) as VerdictReason[]
  const places = checks.map(([reason]) => registry.indexOf(reason))
  t.strictSame(places, [...places].sort((a, b) => a - b))
  t.equal(verdictOf([...registry].reverse().filter(reason => reason !== 'ok')).reason, registry[0])
})

const cases: [string, Partial<Facts>, string][] = [
  ['nothing wrong', {}, 'accepted ok'],
  ['a PSAM nobody registered', { psam: null }, 'refused psam_unknown'],
  ['a terminal nobody registered', { terminal: null }, 'refused terminal_unknown'],
  ['a card nobody issued', { card: null, tacValid: false }, 'refused card_unknown'],
  ['a test card', { card: { test: true } }, 'excluded test_card'],
  ['a test PSAM', { psam: { ...psam, test: true } }, 'excluded test_psam'],
  ['a test card with a wrong TAC is still a test card', { card: { test: true }, tacValid: false },
    'excluded test_card'],
  ['no TAC', { tacValid: null }, 'held grey'],
  ['flagged grey, with a TAC', { grey: true }, 'held grey'],
  ['a wrong TAC', { tacValid: false }, 'refused tac_wrong'],
  ['12 minutes ahead', { eventAtMs: noon + 12 * 60_000 }, 'held clock_implausible'],
  ['9 minutes ahead', { eventAtMs: noon + 9 * 60_000 }, 'accepted ok clock_drift'],
  ['half a minute ahead', { eventAtMs: noon + 30_000 }, 'accepted ok'],
  ['a clock that lost its battery', { eventAtMs: Date.parse('2000-01-01T00:00:40+08:00') },
    'held clock_implausible'],
  ['before the PSAM was issued', { eventAtMs: psam.issuedAtMs - 1 }, 'held clock_implausible'],
  ['a PSAM bound to another terminal', { psam: { ...psam, terminalId: 2 } },
    'refused psam_terminal_mismatch'],
  ['a PSAM whose binding is over', { psam: { ...psam, boundUntilMs: noon - hour } },
    'refused psam_terminal_mismatch'],
  ['a terminal of another operator', { operatorId: 8 }, 'refused merchant_mismatch'],
  ['an operator whose account was closed', { merchantClosed: true }, 'refused merchant_closed'],
  ['no such purse here', { typeAllowed: false }, 'refused type_not_allowed'],
  ['above the limit', { amountFen: 100_001n }, 'refused amount_over_limit'],
  ['89 days old', { eventAtMs: noon - 89 * 24 * hour, beforeOpenDate: true }, 'accepted late'],
  ['91 days old', { eventAtMs: noon - 91 * 24 * hour, beforeOpenDate: true }, 'refused overdue'],
  ['a stolen PSAM', { psam: { ...psam, stolenAtMs: noon - 2 * hour } }, 'refused psam_stolen'],
  ['a PSAM stolen afterwards', { psam: { ...psam, stolenAtMs: noon } }, 'accepted ok'],
  ['a list that the terminal had', { listing: 'terminal_had_it' }, 'refused blacklisted'],
  ['a list that it should have had', { listing: 'terminal_should_have_had_it' }, 'refused blacklisted'],
  ['a list still on its way', { listing: 'inside_window' }, 'accepted issuer_risk'],
  ['the PSAM used that number before', { regressed: true }, 'held psam_regression'],
  ['a city whose cards were not taken yet', { city: { addedAtMs: noon, deletedAtMs: null } },
    'refused city_not_listed'],
  ['a city that left 8 days before', { city: { addedAtMs: 0, deletedAtMs: noon - hour - 8 * day } },
    'refused city_deleted'],
  ['a city that left 6 days before', { city: { addedAtMs: 0, deletedAtMs: noon - hour - 6 * day } },
    'accepted ok city_leaving'],
  ['a city that left afterwards', { city: { addedAtMs: 0, deletedAtMs: noon } }, 'accepted ok'],
  ['a student card in a shop that takes none', { cardTypeAllowed: false }, 'refused card_type_not_allowed'],
  ['an amount that is no fare', { abnormal: true }, 'accepted ok amount_abnormal'],
  ['an amount that is no fare, late', { abnormal: true, beforeOpenDate: true },
    'accepted late amount_abnormal'],
  ['the same, and late', { listing: 'inside_window', beforeOpenDate: true }, 'accepted issuer_risk']
]
for (const [says, facts, expected] of cases) {
  t.test(says, async t => {
    const { outcome, reason, findings } = verdictOf(examine({ ...good, ...facts }, policy))
    t.equal([outcome, reason, ...findings.filter(isRemark)].join(' '), expected)
  })
}

/* ---- the chain ---- */

const opening = { counter: 74, balanceFen: 1_200n }
let sequences = 0n
const event = (kind: ChainEvent['kind'], counter: number, before: bigint, amount: bigint,
  more: Partial<ChainEvent> = {}): ChainEvent => ({
  kind,
  purse: '1/2',
  counter,
  balanceBeforeFen: before,
  amountFen: amount,
  content: `${kind} ${counter} ${before} ${amount} ${++sequences}`,
  eventAtMs: noon + counter,
  clockWrong: false,
  psamId: 1,
  terminalId: 1,
  sequence: sequences,
  ...more
})
const grey = event('grey', 77, 1_200n, 300n)
const says = (events: ChainEvent[], about: ChainEvent): string => {
  const orders = permutations(events).map(one => chainOf(one, new Set(), opening).findings(about).join(' '))
  t.equal(new Set(orders).size, 1, 'whatever the order')
  return orders[0] ?? ''
}
function permutations<T> (items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, place) =>
    permutations([...items.slice(0, place), ...items.slice(place + 1)]).map(rest => [item, ...rest]))
}

t.test('a grey debit of 3.00 under counter 77 from 12.00', async t => {
  const old = event('claim', 75, 1_200n, 0n)
  const after = (before: bigint) => event('claim', 78, before, 180n)
  t.equal(says([grey], grey), 'grey', 'nobody says more')
  t.equal(says([grey, after(900n)], grey), '', 'the next one begins with 9.00: paid')
  t.equal(says([grey, after(1_200n)], grey), 'grey_cancelled', 'the next one begins with 12.00: not paid')
  t.equal(says([grey, after(700n)], grey), 'grey', 'the next one begins with something else: not proven')
  t.equal(says([grey, event('claim', 77, 1_200n, 180n)], grey), 'grey_cancelled',
    'the counter was used otherwise')
  t.equal(says([grey, old], grey), 'grey', 'an older record proves nothing')
  t.equal(says([grey, old, after(900n)], grey), '', 'nor does it with the proof')
  t.equal(says([grey, event('claim', 79, 900n, 180n)], grey), 'grey',
    'a later record than the next proves nothing')
  t.equal(says([grey, event('stranger', 78, 900n, 180n)], grey), '',
    'a chip that paid at a stranger has signed too')
  t.equal(says([grey, event('grey', 78, 900n, 180n)], grey), 'grey', 'another grey record is no proof')
  const twin = event('grey', 77, 1_200n, 300n)
  t.equal(says([grey, twin, after(900n)], grey), 'grey', 'two that both fit: not proven which')
})

t.test('adjacent records that contradict each other', async t => {
  const one = event('claim', 75, 1_200n, 180n)
  t.equal(says([one, event('claim', 76, 1_020n, 180n)], one), '', 'the first goes on from the opening')
  const two = event('claim', 76, 1_500n, 180n)
  t.equal(says([one, two], two), 'chain_broken')
  t.equal(says([two], two), '', 'with a gap before it nothing is contradicted')
  const before = event('claim', 74, 1_380n, 180n)
  t.equal(says([before], before), 'chain_broken', 'from before the card joined')
})

t.test('gaps are runs of missing counters', async t => {
  const covers = (...counters: number[]) => (counter: number) => counters.includes(counter)
  const all = Array.from({ length: 20 }, (_, place) => 75 + place)
  t.equal(gapsAt(all, covers(75, 76, 77), opening), 0)
  t.equal(gapsAt(all, covers(78), opening), 1)
  t.equal(gapsAt(all, covers(75, 78, 80, 81), opening), 2)
})

t.test('rank decides between claims: event time, terminal, sequence', async t => {
  const base = event('claim', 80, 900n, 100n, { sequence: 5n })
  const lost = (...claims: ChainEvent[]) => {
    const ends = permutations(claims).map(order => claims.map(one => losersOf(order).has(one)))
    t.equal(new Set(ends.map(String)).size, 1, 'whatever the order')
    return ends[0]
  }
  const clone = (more: Partial<ChainEvent>) => ({ ...base, content: 'clone', sequence: 6n, ...more })
  t.strictSame(lost(base, clone({ eventAtMs: base.eventAtMs - 1 })), [true, false], 'the earlier event wins')
  t.strictSame(lost(base, clone({ terminalId: 2, sequence: 1n })), [false, true], 'then the lower terminal')
  t.strictSame(lost(base, clone({})), [false, true], 'then the lower sequence')
  const copy = { ...base, counter: 81, content: 'copy' }
  t.strictSame(lost(base, copy), [false, true], 'a copy with a bumped counter loses')
  const other = { ...base, purse: '2/2', content: 'other card', eventAtMs: base.eventAtMs + 5 }
  const first = clone({ eventAtMs: base.eventAtMs - 9 })
  t.strictSame(lost(base, other), [false, true], 'one sequence for two cards')
  t.strictSame(lost(first, base, other), [false, true, false], 'who loses the counter frees the sequence')
})

t.test('a card of another city: holes and other money say nothing, two claims on a counter do', async t => {
  const opening = { counter: elsewhere, balanceFen: 0n }
  const base = event('claim', 500, 3_000n, 180n, { sequence: 50n })
  const rides = [
    { ...base, counter: 500, balanceBeforeFen: 3_000n, amountFen: 180n, content: 'first' },
    { ...base, counter: 501, balanceBeforeFen: 9_000n, amountFen: 180n, content: 'loaded', sequence: 51n },
    { ...base, counter: 509, balanceBeforeFen: 100n, amountFen: 100n, content: 'later', sequence: 52n }]
  const chain = chainOf(rides, new Set(), opening)
  t.strictSame(rides.map(ride => chain.findings(ride)), [[], [], []])
  t.equal(gapsAt([500, 501, 509], chain.covers, opening), 0)
  t.strictSame(chainItems(chain, rides, opening, noFacts, () => null), [])
  const copy = { ...base, counter: 501, balanceBeforeFen: 9_000n, amountFen: 100n, content: 'copy' }
  t.strictSame(chainOf([...rides, copy], new Set([copy]), opening).findings(copy), ['conflict'])
})

t.test('the city of an issuer', async t => {
  const stay = (prefix: string, city: string, addedAtMs: number, deletedAtMs: number | null = null) =>
    ({ prefix, city, addedAtMs, deletedAtMs })
  const list = [
    stay('04', 'the province', 0), stay('0421', 'Hengyang', 100, 200), stay('0421', 'Hengyang again', 500)]
  const city = (issuer: string, atMs: number) => cityAt(list, issuer, atMs)?.city ?? null
  t.equal(city('0499FFFFFFFFFFFF', 50), 'the province')
  t.equal(city('0421FFFFFFFFFFFF', 100), 'Hengyang', 'the longest prefix names the city')
  t.equal(city('0421FFFFFFFFFFFF', 50), 'Hengyang', 'before it came, the stay to come')
  t.equal(city('0421FFFFFFFFFFFF', 400), 'Hengyang', 'after it left, the stay that is over')
  t.equal(city('0421FFFFFFFFFFFF', 500), 'Hengyang again')
  t.equal(city('0731FFFFFFFFFFFF', 500), null)
  t.strictSame(['0421FFFFFFFFFFFF', '0731FFFFFFFFFFFF', '0421FFFFFFFFFFFF'].map(everListed(list)),
    [true, false, true])
})

/* ---- money ---- */

t.test('for a card of another city the national centre owes, or nobody', async t => {
  const accounts = { purse: 1, unpaid: 2, issuerLoss: 3, merchant: 4, centre: 5 }
  const posted = (...findings: VerdictReason[]) => postingOf(verdictOf(findings), 180n, accounts, 'first')
  const owed = { code: 'foreign_tap', debit: 5, credit: 4, fromPurseFen: 0n }
  for (const reason of ['city_leaving', 'late', 'issuer_risk'] as const) t.strictSame(posted(reason), owed)
  for (const reason of ['overdue', 'blacklisted', 'city_deleted', 'returned_by_issuer'] as const) {
    t.equal(posted(reason), null, reason)
  }
  t.equal(posted('conflict'), null)
  const first = posted()
  t.ok(first)
  if (first !== null) {
    t.strictSame(reverse(first), { code: 'foreign_tap_reversed', debit: 4, credit: 5, fromPurseFen: 0n })
  }
})

t.test('whose money moves under a verdict', async t => {
  const accounts = { purse: 1, unpaid: 2, issuerLoss: 3, merchant: 4, centre: null }
  const moves = (...findings: VerdictReason[]): string => {
    const posting = postingOf(verdictOf(findings), 180n, accounts, 'first')
    if (posting === null) return 'nothing'
    return `${posting.debit} to ${posting.credit}, ${posting.fromPurseFen} from the purse`
  }
  t.equal(moves(), '1 to 4, 180 from the purse')
  t.equal(moves('late'), '1 to 4, 180 from the purse')
  t.equal(moves('issuer_risk'), '3 to 4, 0 from the purse')
  t.equal(moves('issuer_risk', 'late'), '3 to 4, 0 from the purse')
  const unpaid: VerdictReason[] = ['psam_terminal_mismatch', 'merchant_mismatch', 'type_not_allowed',
    'amount_over_limit', 'overdue', 'psam_stolen', 'blacklisted']
  for (const reason of unpaid) t.equal(moves(reason), '1 to 2, 180 from the purse', reason)
  const nothing: VerdictReason[] = ['duplicate', 'malformed', 'psam_unknown', 'card_unknown', 'test_card',
    'test_psam', 'grey', 'grey_cancelled', 'tac_wrong', 'clock_implausible', 'conflict', 'chain_broken']
  for (const reason of nothing) t.equal(moves(reason), 'nothing', reason)
  t.equal(moves('overdue', 'conflict'), 'nothing', 'only the winner of a counter moves money')
  t.equal(moves('overdue', 'grey_cancelled'), 'nothing', 'a chip that did not pay moves none')
  t.equal(postingOf(verdictOf([]), 0n, accounts, 'first'), null, 'a free ride moves none')
  const tap = postingOf(verdictOf([]), 180n, accounts, 'first')
  t.ok(tap)
  if (tap !== null) t.match(reverse(tap), { code: 'tap_reversed', debit: 4, credit: 1, fromPurseFen: -180n })
})

t.test('a boarding priced otherwise than its tariff is a finding', async t => {
  const flat = (cardFareFen: number) =>
    ({ kind: 'flat' as const, fareFen: 200, cardFareFen, byCardType: { student: 100 } })
  const tariffs = [
    { version: 1, from: '2026-01-01T00:00:00+08:00', operators: { BUS: flat(180) } },
    { version: 2, from: '2026-03-02T05:00:00+08:00', operators: { BUS: flat(200) } }]
  const found = (operator: string, cardType: string, time: string, amountFen: number) =>
    priceDifference(
      tariffs, { operator, cardType, eventAtMs: Date.parse(`2026-03-02T${time}+08:00`), amountFen })
  t.equal(found('BUS', 'anonymous', '04:59:59', 180), null, 'the old tariff a second before')
  t.equal(found('BUS', 'anonymous', '05:00:00', 200), null, 'the new one at its instant')
  t.match(found('BUS', 'anonymous', '05:00:00', 180), { dueFen: 200, differenceFen: -20, tariffVersion: 2 })
  t.match(found('BUS', 'anonymous', '06:00:00', 100), { dueFen: 200, differenceFen: -100 },
    'a student fare without the right')
  t.equal(found('BUS', 'student', '06:00:00', 100), null)
  t.equal(found('LIB', 'anonymous', '06:00:00', 350), null, 'a till says the amount')
})
