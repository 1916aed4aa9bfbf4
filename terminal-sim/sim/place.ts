// The small town in which `sim stack` lets terminals be tried: who is there, which terminals are known, three
// cards with money. Constant data, made up; it refuses to know processes.
import type { Registry } from '../../schemas/api.ts'
import { type CardRef, cardKey, parseCardKey } from '../../schemas/record.ts'
import type { Tariff } from '../../schemas/tariff/tariff.ts'
import { testMasterKey } from '../keys.ts'

const opened = '2025-01-01T00:00:00+08:00'
const issuer = '02313750FFFFFFFF'

export type TownCard = {
  readonly card: CardRef
  /** On the chip, and of the account behind it. */
  readonly chipFen: number, readonly onlineFen: number
  readonly counter: number
  readonly type: 'named' | 'social-security'
}

/** Numbers 1 to 3. */
export const townCards: readonly TownCard[] = [1, 2, 3].map(no => ({
  card: { issuer, serial: `0310499060000000000${no}`, issue: 1 }, chipFen: 5_000, onlineFen: 10_000,
  counter: 100, type: no === 1 ? 'named' : 'social-security'
}))

/** A number of the three, or a card as it is written everywhere: issuer-serial-issue. Null: neither. */
export const cardSaid = (said: string): CardRef | null =>
  /^[1-9]$/.test(said) ? townCards[Number(said) - 1]?.card ?? null : parseCardKey(said)

export const townCardOf = (card: CardRef): TownCard | undefined =>
  townCards.find(one => cardKey(one.card) === cardKey(card))

/** Terminals of each face, and what they need to be let in. */
export const town = {
  shop: 'SHP', bus: 'BUS', library: 'LIB',
  till: 'TILL-1',
  iso8583: {
    terminal: '00000001', merchant: '430400000000005', master: testMasterKey('POS-1'), begins: '310499'
  },
  selfCheck: { terminal: 'LIB-1', user: 'LIB-1', password: 'books and more' },
  polled: [1, 2, 3].map(address => ({ address, terminal: `P${address}`, psam: psamOf(10 + address) })),
  lane: { terminal: 'GATE-1', psam: psamOf(1), fareFen: 200, cardFareFen: 180 },
  books: [['B-1', 'The Water Margin'], ['B-2', 'Journey to the West']] as const
} as const

/** Six bytes. */
function psamOf (number: number): string {
  return `9900${String(number).padStart(8, '0')}`
}

export const townRegistry = (clearingDate: string): Registry => ({
  clearingDate,
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card Company' },
    { code: 'NAT', kind: 'centre', nameZh: '全国清分中心', nameEn: 'National Centre' },
    {
      code: town.shop, kind: 'operator', service: 'retail', nameZh: '街角商店', nameEn: 'Corner Shop',
      merchant: town.iso8583.merchant, industry: '05'
    },
    {
      code: town.bus, kind: 'operator', service: 'transit', nameZh: '公交', nameEn: 'Town Bus',
      merchant: '430400000000002', industry: '02'
    },
    {
      code: town.library, kind: 'operator', service: 'library', nameZh: '图书馆', nameEn: 'Town Library',
      merchant: '430400000000008', industry: '08'
    }
  ],
  commissions: [
    { party: town.shop, product: 'debit', ratePpm: 8_000, from: '2025-01-01' },
    { party: town.bus, product: 'debit', ratePpm: 3_000, from: '2025-01-01' }
  ],
  terminals: [
    { terminal: town.till, operator: town.shop },
    { terminal: town.iso8583.terminal, operator: town.shop },
    { terminal: town.selfCheck.terminal, operator: town.library },
    { terminal: town.lane.terminal, operator: town.bus },
    ...town.polled.map(({ terminal }) => ({ terminal, operator: town.bus }))
  ],
  psams: [town.lane, ...town.polled].map(({ terminal, psam }) =>
    ({ psam, issue: 1, terminal, from: opened, to: null, stolenAt: null, test: false })),
  cards: townCards.map(({ card, chipFen, counter, type }) => ({
    card, profile: 't-union', type, suite: '3des', keyVersion: 1, cityFactor: null,
    balanceFen: chipFen, counter, soldBy: null, depositFen: 0
  })),
  policies: { topUpStepFen: 100 }
})

export const townTariff: Tariff = {
  version: 1,
  from: opened,
  operators: {
    [town.bus]: { kind: 'flat', fareFen: town.lane.fareFen, cardFareFen: town.lane.cardFareFen }
  }
}
