// A second calculator of Hengyang's clinic bills, slow and by another route: the figures of the city's table
// in yuan and per cent, fractions instead of rates, no sums of the year: it looks through all earlier bills.
// It shares no line with the ledger; test/clinic-bills.test.ts holds the two side by side, and the simulated
// insurance centre settles by it.

export type SlowItem = {
  readonly class: 'A' | 'B' | 'C', readonly fen: bigint
  /** Price limit, and the own share first in thousandths; null where the item has none. */
  readonly limit: bigint | null, readonly ownPerMille: bigint | null
}
export type SlowBill = {
  readonly insured: 'active' | 'retired' | 'resident', readonly stay: boolean
  readonly level: 'grassroots' | 'tier1' | 'tier2' | 'tier3-city' | 'tier3-province'
  readonly items: readonly SlowItem[]
  readonly account: bigint, readonly family: bigint, readonly purse: bigint
}
export const slowFigures = [
  'own', 'overLimit', 'preOwn', 'scope', 'deductible', 'pool', 'largeSum', 'seriousIllness', 'account',
  'family', 'purse', 'cash'
] as const
export type Slow = Readonly<Record<typeof slowFigures[number], bigint>>
export type Earlier = { readonly bill: SlowBill, readonly got: Slow }

/** In yuan and per cent, as people write them. */
const table = {
  visit: {
    grassroots: [0, 0], tier1: [0, 0], tier2: [50, 200], 'tier3-city': [100, 300],
    'tier3-province': [100, 300]
  },
  visits: 300,
  outpatient: {
    active: { grassroots: 70, tier1: 70, tier2: 60, 'tier3-city': 60, 'tier3-province': 60, most: 1_500 },
    retired: { grassroots: 75, tier1: 75, tier2: 65, 'tier3-city': 65, 'tier3-province': 65, most: 2_000 },
    resident: { grassroots: 70, tier1: 0, tier2: 0, 'tier3-city': 0, 'tier3-province': 0, most: 400 }
  },
  stay: { grassroots: 200, tier1: 400, tier2: 600, 'tier3-city': 1_200, 'tier3-province': 1_500 },
  employee: { grassroots: 93, tier1: 92, tier2: 90, 'tier3-city': 85, 'tier3-province': 80 },
  resident: { grassroots: 85, tier1: 82, tier2: 80, 'tier3-city': 65, 'tier3-province': 60 },
  pool: 150_000, largeSum: [90, 500_000], seriousIllnessMost: 400_000,
  bands: [[16_000, 30_000, 60], [30_000, 100_000, 65], [100_000, Infinity, 75]]
} as const

export function slowly (earlier: readonly Earlier[], bill: SlowBill): Slow {
  const own = total(bill.items.filter(one => one.class === 'C').map(one => one.fen))
  const covered = bill.items.filter(one => one.class !== 'C')
  const overLimit = total(covered.map(({ fen, limit }) => limit !== null && fen > limit ? fen - limit : 0n))
  const preOwn = preOwnOf(covered)
  const scope = total(bill.items.map(one => one.fen)) - own - overLimit - preOwn
  const deductible = deductibleOf(earlier, bill, scope)
  const { pool, largeSum } = poolOf(earlier, bill, scope - deductible)
  const burden = scope - pool - largeSum
  const seriousIllness = bill.insured === 'resident' && bill.stay ? illnessOf(earlier, burden) : 0n
  const inPolicy = burden - seriousIllness
  const account = bill.insured === 'resident' ? 0n : smaller(bill.account, inPolicy)
  const family = smaller(bill.family, inPolicy - account)
  const rest = own + overLimit + preOwn + inPolicy - account - family
  const purse = smaller(bill.purse, rest)
  return {
    own, overLimit, preOwn, scope, deductible, pool, largeSum, seriousIllness, account, family, purse,
    cash: rest - purse
  }
}

/** Item after item is laid on a heap of its share, and each heap is rounded once. */
function preOwnOf (covered: readonly SlowItem[]): bigint {
  const heaps: Record<string, bigint> = {}
  for (const { class: costClass, fen, limit, ownPerMille } of covered) {
    const share = ownPerMille ?? (costClass === 'B' ? 100n : 0n)
    heaps[String(share)] = (heaps[String(share)] ?? 0n) + (limit === null ? fen : smaller(fen, limit))
  }
  return total(Object.entries(heaps).map(([share, fen]) => rounded(fen * BigInt(share), 1_000n)))
}

function deductibleOf (
  earlier: readonly Earlier[], { insured, stay, level }: SlowBill, scope: bigint
): bigint {
  const alike = earlier.filter(({ bill }) => !bill.stay && bill.insured !== 'resident')
  if (stay) {
    const whole = yuan(table.stay[level])
    return smaller(scope, earlier.some(({ bill }) => bill.stay && bill.level === level) ? whole / 2n : whole)
  }
  if (insured === 'resident') return 0n
  const [visit, year] = table.visit[level]
  const sameTier = alike.filter(({ bill }) => tier(bill.level) === tier(level))
  const bounds = [
    scope, yuan(visit), yuan(year) - total(sameTier.map(one => one.got.deductible)),
    yuan(table.visits) - total(alike.map(one => one.got.deductible))
  ]
  return bounds.reduce(smaller)
}
const tier = (level: SlowBill['level']): string => level.slice(0, 5)

function poolOf (
  earlier: readonly Earlier[], { insured, stay, level }: SlowBill, shared: bigint
): { pool: bigint, largeSum: bigint } {
  const resident = insured === 'resident'
  const alike = earlier.filter(({ bill }) => bill.stay === stay && (bill.insured === 'resident') === resident)
  const used = total(alike.map(one => one.got.pool))
  if (!stay) {
    const row = table.outpatient[insured]
    return { pool: upTo(yuan(row.most) - used, rounded(shared * BigInt(row[level]), 100n)), largeSum: 0n }
  }
  if (resident) return { pool: rounded(shared * BigInt(table.resident[level]), 100n), largeSum: 0n }
  const percent = BigInt(table.employee[level] + (insured === 'retired' ? 2 : 0))
  const wanted = rounded(shared * percent, 100n)
  const pool = upTo(yuan(table.pool) - used, wanted)
  if (pool === wanted) return { pool, largeSum: 0n }
  const [large, most] = table.largeSum
  const rest = shared - rounded(pool * 100n, percent)
  const usedLarge = total(alike.map(one => one.got.largeSum))
  return { pool, largeSum: upTo(yuan(most) - usedLarge, rounded(rest * BigInt(large), 100n)) }
}

/** What the year's bands give with this bill, less what they give without it. */
function illnessOf (earlier: readonly Earlier[], burden: bigint): bigint {
  const stays = earlier.filter(({ bill }) => bill.stay && bill.insured === 'resident')
  const before = total(stays.map(({ got }) => got.scope - got.pool))
  const used = total(stays.map(({ got }) => got.seriousIllness))
  return upTo(yuan(table.seriousIllnessMost) - used, inBands(before + burden) - inBands(before))
}

const inBands = (fen: bigint): bigint => total(table.bands.map(([from, to, percent]) => {
  const end = to === Infinity ? fen : smaller(fen, yuan(to))
  return end <= yuan(from) ? 0n : rounded((end - yuan(from)) * BigInt(percent), 100n)
}))

/** A fraction to the nearest whole, halves upwards: by what is left, not by adding a half. */
function rounded (over: bigint, under: bigint): bigint {
  const [whole, rest] = [over / under, over % under]
  return rest + rest >= under ? whole + 1n : whole
}
const upTo = (most: bigint, fen: bigint): bigint => smaller(most < 0n ? 0n : most, fen)
const yuan = (amount: number): bigint => BigInt(amount) * 100n
const smaller = (one: bigint, other: bigint): bigint => one < other ? one : other
const total = (amounts: readonly bigint[]): bigint => amounts.reduce((all, one) => all + one, 0n)
