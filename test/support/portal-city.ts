// A small city whose residents look after their own cards: li has two, wang another. Rides by bus (one paid
// too dear, one without an exit), a loan that is late, a bill of the clinic, an annual pass.
import { firstDocument } from '../../bench/fares/city.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import type { LedgerOptions } from '../../ledger/ledger.ts'
import { enterClinics, items } from './clinic.ts'
import type { Door, Doors } from './ledger-http.ts'
import { cardOf } from './posting.ts'
import { activated, enter } from './residents.ts'
import { card, D, debit, deliver, smallCity } from './small-city.ts'

export const li = { kind: 'resident_id', number: '430400199001011234' } as const
export const wang = { kind: 'passport', number: 'E12345678' } as const

const { transfers: _, concessions: __, ...plain } = firstDocument
const buses = { ...plain, services: plain.services.filter(({ id }) => id !== 'metro') }

const party = (code: string, nameZh: string, nameEn: string, service?: string) =>
  ({ code, kind: 'operator' as const, nameZh, nameEn, ...service === undefined ? {} : { service } })

export async function portalCity (doors: Doors, more: Partial<LedgerOptions> = {}): Promise<Door> {
  const door = await doors.open(`${D}T04:00:00+08:00`, more)
  const city = smallCity([0, 1, 2].map(number => card(number, { type: 'named' })))
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city,
    parties: [
      ...(city.parties ?? []).map(one => one.kind === 'operator' ? { ...one, service: 'transit' } : one),
      { code: 'YBJ', kind: 'bureau', nameZh: '医保局', nameEn: 'Bureau' },
      party('HOS', '医院', 'Hospital', 'clinic'), party('TWO', '二院', 'Second', 'clinic'),
      party('LIB', '图书馆', 'Library', 'library'), party('TOUR', '旅游', 'Tourism'), party('LAKE', '湖', 'Lake')]
  })
  await door.ok('registrar', 'POST', '/v1/services/transit/tariffs', buses)
  await door.ok('registrar', 'PUT', '/v1/library/LIB/rules', {
    from: '2025-01-01', loanDays: 1, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 10,
    fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: true,
    closedDates: [], accruing: 'refuse'
  })
  await door.ok('registrar', 'PUT', '/v1/library/LIB/catalogue', {
    items: [{ item: 'one', title: '边城' }], patrons: [{ patron: 'R1', name: 'Li', card: cardOf(0) }]
  })
  await door.ok('registrar', 'PUT', '/v1/services/annual_pass/parties/TOUR/rules', {
    from: '2026-01-01',
    rules: { priceFen: 10_000, waitDays: 5, validMonths: 12, spots: ['LAKE'], sellerPpm: 0 }
  })
  await enterClinics(door)
  await activated(door, await enter(door, li, [0, 1]), li)
  await activated(door, await enter(door, wang, [2], '王芳'), wang)
  await useThem(door)
  return door
}

const ride = (
  number: number, nth: number, time: string, amountFen: number, beforeFen: number, line: string, stop?: string
) =>
  debit(number, nth, 'B1', {
    amountFen, balanceBeforeFen: beforeFen, dateTime: `20260302${time}`, line, sequence: 100 * number + nth,
    ride: { sense: 'either', ...stop === undefined ? {} : { stop } }
  }) as TransactionRecord

/** Monday; it is Wednesday morning afterwards. */
async function useThem (door: Door): Promise<void> {
  door.clock.set(Date.parse(`${D}T12:00:00+08:00`))
  await deliver(door, 'rides-of-monday', [
    ride(0, 1, '080000', 200, 10_000, '1'), ride(0, 2, '110000', 400, 9_800, 'S2', 'X0'),
    ride(2, 1, '083000', 180, 10_000, '1')])
  await door.ok('gateway', 'POST', '/v1/requests',
    { kind: 'top_up', key: 'top-up-1', card: cardOf(0), amountFen: 20_000, party: 'SHP' })
  await door.ok('gateway', 'POST', '/v1/library/LIB/checkouts', { token: cardOf(0).serial, item: 'one' })
  await door.ok('gateway', 'POST', '/v1/services/annual_pass/parties/TOUR/events',
    { key: 'pass-1', event: 'buy', card: cardOf(0) })
  await door.ok('gateway', 'POST', '/v1/clinic/HOS/settlements', {
    message: 'bill-1', person: 'P1', visit: 'V1', setting: 'outpatient', items: items('A 200 B 180 C 100'),
    pays: { account: true, purse: { by: 'online', fenMax: 2_000 } }
  })
  door.clock.set(Date.parse('2026-03-04T09:00:00+08:00'))
  await door.ledger.watch.catchUp()
}
