// A city of two operators and a shop behind the ledger's door, for tests that look at its books.
import type { Card, Registry } from '../../schemas/api.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { bootstrap } from '../../ledger/people/bootstrap.ts'
import { secretOf, type Door } from './ledger-http.ts'
import { cardOf, recordOf } from './posting.ts'

export const D = '2026-03-02'
export const D1 = '2026-03-03'
export const D2 = '2026-03-04'

export const operators = { B1: 'BUS', B2: 'BUS', M1: 'MET', S1: 'SHP' } as const
export type Terminal = keyof typeof operators
export const psams = {
  B1: '990000000001', B2: '990000000004', M1: '990000000002', S1: '990000000003'
} as const satisfies Record<Terminal, string>

export const card = (number: number, more: Partial<Card> = {}): Card => ({
  card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1, cityFactor: null,
  balanceFen: 10_000, counter: 100, soldBy: null, depositFen: 0, ...more
})

export const smallCity = (cards: readonly Card[], more: Partial<Registry> = {}): Registry => ({
  clearingDate: D,
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card Company' },
    {
      code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', merchant: '430400000000002', industry: '02'
    },
    { code: 'MET', kind: 'operator', nameZh: '地铁', nameEn: 'Metro' },
    { code: 'SHP', kind: 'agent', nameZh: '商户', nameEn: 'Shops' }
  ],
  commissions: [
    { party: 'BUS', product: 'debit', ratePpm: 3_000, from: '2026-01-01' },
    { party: 'MET', product: 'debit', ratePpm: 3_000, from: '2026-01-01' },
    { party: 'SHP', product: 'debit', ratePpm: 8_000, from: '2026-01-01' },
    { party: 'SHP', product: 'load', ratePpm: 2_000, from: '2026-01-01' }
  ],
  terminals: Object.entries(operators).map(([terminal, operator]) => ({ terminal, operator })),
  psams: Object.entries(psams).map(([terminal, psam]) => ({
    psam, issue: 1, terminal, from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null, test: false
  })),
  cards: [...cards],
  ...more
})

/** Debit `nth` of a card, counted from 1, of 1.80 unless told otherwise. */
export const debit = (
  number: number, nth: number, terminal: Terminal = 'B1', more: Partial<TransactionRecord> = {}
): TransactionRecord => recordOf(number, nth, {
  balanceBeforeFen: 10_000 - (more.amountFen ?? 180) * (nth - 1), terminal, operator: operators[terminal],
  psam: psams[terminal], ...more
})

export const deliver = async (door: Door, delivery: string, records: readonly TransactionRecord[]) =>
  await door.ok('gateway', 'POST', '/v1/records', { delivery, records })

/** The token of an operator's or agent's own client. */
export async function clientOf (door: Door, party: string, kind: 'operator' | 'agent'): Promise<string> {
  const id = `${party}-CLIENT`
  const clients = [{ id, kind, party, secret: secretOf(id) }]
  await bootstrap(door.db, { clients }, door.clock.now())
  return `${id}.${secretOf(id)}`
}

/** Everything of a paged answer, page by page. */
export async function * pages<P extends { next: string | null }> (
  get: (after: string) => Promise<P>
): AsyncGenerator<P> {
  for (let after = ''; ;) {
    const page = await get(after)
    yield page
    if (page.next === null) return
    after = `&after=${encodeURIComponent(page.next)}`
  }
}
