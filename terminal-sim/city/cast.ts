// Who plays in the made-up city: parties with their names and rates, the lanes where cards are tapped, the
// prices, the three families of cards. Constant data; it refuses to know seeds and what happens.
import type { Commission, Party } from '../../schemas/api.ts'
import type { ProfileName } from '../../schemas/epurse/profiles.ts'
import type { Tariff } from '../../schemas/tariff/tariff.ts'

export const days = {
  clearingDate: '2026-03-02',
  /** Registry, prices and blacklist are published the evening before. */
  eve: '2026-03-01T18:00:00+08:00',
  /** When the terminals applied what was published. */
  applied: '2026-03-01T19:00:00+08:00',
  morning: '2026-03-02T06:30:00+08:00',
  /** Everything in the registry is valid from here. */
  opened: '2025-01-01T00:00:00+08:00'
} as const

export const parties: readonly Party[] = [
  { code: 'ISS', kind: 'issuer', nameZh: '雁城市民卡公司', nameEn: 'Goose City Card Company' },
  {
    code: 'BUS', kind: 'operator', service: 'transit', nameZh: '雁城公交', nameEn: 'Goose City Bus',
    merchant: '430400000000101', industry: '02'
  },
  {
    code: 'RIV', kind: 'operator', service: 'transit', nameZh: '湘江巴士', nameEn: 'Xiang River Coaches',
    merchant: '430400000000102', industry: '02'
  },
  {
    code: 'HOS', kind: 'operator', service: 'clinic', nameZh: '回雁峰医院', nameEn: 'Huiyan Peak Hospital',
    merchant: '430400000000201', industry: '03'
  },
  {
    code: 'LIB', kind: 'operator', service: 'library', nameZh: '石鼓图书馆', nameEn: 'Stone Drum Library',
    merchant: '430400000000301', industry: '04'
  },
  { code: 'AGT', kind: 'agent', nameZh: '便民充值点', nameEn: 'Corner Shop Top-up' }
]

export const partyName = (code: string): { zh: string, en: string } => {
  const party = parties.find(one => one.code === code)
  return { zh: party?.nameZh ?? code, en: party?.nameEn ?? code }
}

/** Parts per million; the library and the clinic pay none. */
const rates = [['BUS', 'debit', 3_000], ['RIV', 'debit', 3_000], ['AGT', 'load', 2_000]] as const
export const commissions: readonly Commission[] =
  rates.map(([party, product, ratePpm]) => ({ party, product, ratePpm, from: '2026-01-01' }))

const flat = { kind: 'flat', byCardType: { student: 100, senior: 0 } } as const
export const tariff: Tariff = {
  version: 1,
  from: days.opened,
  operators: {
    BUS: { ...flat, fareFen: 200, cardFareFen: 180 },
    RIV: { ...flat, fareFen: 300, cardFareFen: 250 }
  }
}

/* ---- cards ---- */

/** A PSAM serves the cards of one scheme: the national one, or that of the cities. */
export type Scheme = 'national' | 'city'
export type Family = {
  readonly profile: ProfileName, readonly scheme: Scheme, readonly issuer: string
  readonly purchase: '06' | '09'
}
export const families = [
  { profile: 't-union', scheme: 'national', issuer: '02315540FFFFFFFF', purchase: '09' },
  { profile: 'cjt166', scheme: 'city', issuer: '100042100000FFFF', purchase: '09' },
  { profile: 'pboc', scheme: 'city', issuer: '430400000000FFFF', purchase: '06' }
] as const satisfies readonly Family[]

/** Twenty decimal digits: family and number can be read off. */
export const serialOf = (family: number, number: number): string =>
  `03104210${String(family + 1).padStart(2, '0')}${String(number).padStart(10, '0')}`

/* ---- lanes ---- */

export type LaneCast = {
  readonly lane: string, readonly operator: string, readonly terminal: string, readonly scheme: Scheme
  readonly mode: 'fare' | 'till'
  readonly line?: string, readonly vehicle?: string
  /** What a till asks for, fen, both included. */
  readonly asks?: readonly [low: number, high: number]
}

/** Seven pairs of readers, as many as one pcscd serves. */
export const lanes: readonly LaneCast[] = [
  bus('BUS-101', 'BUS', 'B101', 'national', '101', 'D10101'),
  bus('BUS-102', 'BUS', 'B102', 'city', '102', 'D10217'),
  bus('RIV-201', 'RIV', 'R201', 'city', '201', 'D20108'),
  till('CLINIC-1', 'HOS', 'H1', 'national', [500, 9_000]),
  till('CLINIC-2', 'HOS', 'H2', 'city', [500, 9_000]),
  till('LIBRARY-1', 'LIB', 'L1', 'city', [30, 600]),
  till('LIBRARY-2', 'LIB', 'L2', 'national', [30, 600])
]

function bus (
  lane: string, operator: string, terminal: string, scheme: Scheme, line: string, vehicle: string
): LaneCast {
  return { lane, operator, terminal, scheme, mode: 'fare', line, vehicle }
}

function till (
  lane: string, operator: string, terminal: string, scheme: Scheme, asks: readonly [number, number]
): LaneCast {
  return { lane, operator, terminal, scheme, mode: 'till', asks }
}

/** Six bytes: terminal number of the PSAM, as signed in MAC1 and TAC. */
export const psamNumber = (number: number): string => `4304${String(number).padStart(8, '0')}`
