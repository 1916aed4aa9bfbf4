// A small city and one day of it in which every kind of row comes to be: what a test changes byte by byte,
// upgrades, or restores.
import type { Card, Registry } from '../../schemas/api.ts'
import { cardOf } from './posting.ts'

const psam = (number: string, terminal: string) => ({
  psam: number, issue: 1, terminal, from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null, test: false
})

/** Cards of 50.00 that have used counter 100; terminal B1 of BUS, M1 of MET; SHP sells cards. */
export const city = (cards: number, more: Partial<Registry> = {}): Registry => ({
  clearingDate: '2026-03-02',
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
    { code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', service: 'transit' },
    { code: 'MET', kind: 'operator', nameZh: '地铁', nameEn: 'Metro', service: 'transit' },
    { code: 'SHP', kind: 'agent', nameZh: '商户', nameEn: 'Shops' }],
  commissions: [
    { party: 'BUS', product: 'debit', ratePpm: 3_000, from: '2026-01-01' },
    { party: 'SHP', product: 'load', ratePpm: 2_000, from: '2026-01-01' }],
  terminals: [{ terminal: 'B1', operator: 'BUS' }, { terminal: 'M1', operator: 'MET' }],
  psams: [psam('990000000001', 'B1'), psam('990000000002', 'M1')],
  cards: Array.from({ length: cards }, (_, number): Card => ({
    card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1,
    cityFactor: null, balanceFen: 5_000, counter: 100, soldBy: number % 5 === 4 ? 'SHP' : null,
    depositFen: number % 5 === 4 ? 1_000 : 0
  })),
  ...more
})
