// A city with three hospitals behind the ledger's door, and what they ask; for tests of clinic bills.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { balances } from '../../ledger/store/balances.ts'
import { verifyBooks } from '../../ledger/verifying/verify-books.ts'
import type { Answer, Door, Doors } from './ledger-http.ts'
import { cardOf, recordOf } from './posting.ts'
import { card, D, smallCity } from './small-city.ts'

export const ruleSet = (name: string): Record<string, unknown> => parse(readFileSync(
  new URL(`../../ledger/services/clinic/rule-sets/${name}.yaml`, import.meta.url), 'utf8'))

export const psam = '990000000009'
export const persons = [
  { person: 'P1', card: cardOf(0), area: '430400', scheme: 'employee', category: 'active', family: 'P2' },
  { person: 'P2', card: cardOf(1), area: '430400', scheme: 'employee', category: 'retired' },
  { person: 'P3', card: cardOf(2), area: '430400', scheme: 'resident', category: 'pupil' }
]

export async function openClinic (doors: Doors): Promise<Door> {
  const door = await doors.open(`${D}T10:00:00+08:00`)
  const city = smallCity([0, 1, 2, 3].map(number => card(number, { balanceFen: 50_000, type: 'named' })))
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city,
    parties: [...city.parties ?? [],
      { code: 'HOS', kind: 'operator', nameZh: '医院', nameEn: 'Hospital', service: 'clinic' },
      { code: 'TWO', kind: 'operator', nameZh: '二院', nameEn: 'Second', service: 'clinic' },
      { code: 'NEW', kind: 'operator', nameZh: '新院', nameEn: 'New', service: 'clinic' },
      { code: 'YBJ', kind: 'bureau', nameZh: '医保局', nameEn: 'Bureau' }],
    terminals: [...city.terminals ?? [], { terminal: 'H1', operator: 'HOS' }],
    psams: [...city.psams ?? [], {
      psam, issue: 1, terminal: 'H1', from: '2025-01-01T00:00:00+08:00', to: null, stolenAt: null, test: false
    }]
  })
  await enterClinics(door)
  return door
}

/** Where its parties and cards are registered. */
export async function enterClinics (door: Door): Promise<void> {
  t.strictSame(await door.ok('registrar', 'POST', '/v1/clinic/rules', ruleSet('hengyang')), { version: 1 })
  await door.ok('registrar', 'PUT', '/v1/clinic/HOS', { level: 'tier3-city' })
  await door.ok('registrar', 'PUT', '/v1/clinic/TWO', { level: 'tier2' })
  t.strictSame(await door.ok('registrar', 'PUT', '/v1/clinic/persons', { persons }), { persons: 3 })
}

/**
 * Bills of every kind in a city that has begun: paid by everybody, taken back, put back; by a chip whose
 * record does not come; a message that was reversed before it came.
 */
export async function billsOfAllKinds (door: Door): Promise<void> {
  await door.ok('registrar', 'PUT', '/v1/registry', {
    parties: [
      { code: 'HOS', kind: 'operator', nameZh: '医院', nameEn: 'Hospital', service: 'clinic' },
      { code: 'TWO', kind: 'operator', nameZh: '二院', nameEn: 'Second', service: 'clinic' },
      { code: 'YBJ', kind: 'bureau', nameZh: '医保局', nameEn: 'Bureau' }]
  })
  const { proposal } = await door.ok('registrar', 'POST', '/v1/clinic/rules', ruleSet('hengyang'))
  await door.ok('approver-1', 'POST', `/v1/proposals/${proposal}/decisions`, { approves: true })
  await door.ok('registrar', 'PUT', '/v1/clinic/HOS', { level: 'tier3-city' })
  await door.ok('registrar', 'PUT', '/v1/clinic/persons', {
    persons: persons.map(one => ({ ...one, bornOn: '1970-01-01', tags: ['in-need'] }))
  })
  await credit(door, 'P1', 15_000)
  await credit(door, 'P2', 3_000)
  await topUp(door, 0, 50_000)
  const pays = { account: true, family: true, purse: { by: 'online', fenMax: 10_000 } }
  const { settlement } = await settle(door, 'bill-1', { pays })
  await cancel(door, 'bill-2', settlement)
  await reverse(door, 'bill-3', 'bill-2')
  const chip = { purse: { by: 'chip', amountFen: 1_000, debit: `${psam}-1` } }
  const other = await settle(door, 'bill-4', { items: items('A 10'), pays: chip })
  await cancel(door, 'bill-5', other.settlement)
  await reverse(door, 'bill-6', 'bill-7')
}

export const ask = async (door: Door, what: string, json: object, at = 'HOS'): Promise<Answer['json']> =>
  await door.ok('gateway', 'POST', `/v1/clinic/${at}/${what}`, json)

/** Classes and yuan: `A 200 B 180 C 100`. */
export const items = (text: string) => [...text.matchAll(/([ABC]) (\d+)/g)].map(([, kind, yuan], place) =>
  ({ item: `item-${place}`, class: kind, amountFen: Number(yuan) * 100 }))
export const g1 = {
  person: 'P1', visit: 'V1', setting: 'outpatient', items: items('A 200 B 180 C 100')
} as const
export const settle = async (door: Door, message: string, more: object = {}, at?: string) =>
  await ask(door, 'settlements', { message, ...g1, ...more }, at)
export const cancel = async (
  door: Door, message: string, settlement: string, more: object = {}, at?: string
) => await ask(door, 'cancellations', { message, person: 'P1', settlement, ...more }, at)
export const reverse = async (
  door: Door, message: string, original: string, more: object = {}, at?: string
) => await ask(door, 'reversals', { message, person: 'P1', original, ...more }, at)
/** As a line: what it did, and who paid how much of it. */
export function said ({ outcome, reason, where, does, split, replayed }: Answer['json']): string {
  const again = replayed === true ? ' again' : ''
  if (outcome === 'declined') return `${reason}${where === null ? '' : ` ${where}`}${again}`
  if (split === null) return `${does}${again}`
  const { pool, account, family, purse, cash } = split.paid
  return `${does} ${[pool, account, family, purse, cash].join(' ')}${again}`
}

export async function credit (door: Door, person: string, amountFen: number): Promise<void> {
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', {
    kind: 'medical_credit', body: { person, amountFen, bankReference: `${person} ${amountFen}` },
    reason: 'premiums of the month'
  })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
}
export const topUp = async (door: Door, number: number, amountFen: number): Promise<void> => {
  const topUp = { kind: 'top_up', key: `top-up-${number}`, card: cardOf(number), amountFen, party: 'SHP' }
  t.match(await door.ok('gateway', 'POST', '/v1/requests', topUp), { outcome: 'approved' })
}
/** What the chip pays at H1; the record of it. */
export const chipPays = (number: number, nth: number, amountFen: number, balanceBeforeFen: number) =>
  recordOf(number, nth, { amountFen, balanceBeforeFen, terminal: 'H1', operator: 'HOS', psam, sequence: nth })

export async function books (door: Door): Promise<Record<string, number>> {
  return Object.fromEntries((await balances(door.db, null))
    .map(row => [`${row.book}/${row.heading}${row.party === null ? '' : `/${row.party}`}`,
      Number(row.creditFen - row.debitFen)] as const).filter(([, fen]) => fen !== 0))
}
export const faults = async (door: Door): Promise<string[]> =>
  (await verifyBooks(door.db)).checks.filter(({ ok }) => !ok).map(({ detail }) => detail)
export const year = async (door: Door, person = 'P1'): Promise<Record<string, number>> => {
  const { accumulators } = await ask(door, 'persons/look-up', { person })
  return Object.fromEntries(accumulators.map(({ counter, amount }: { counter: string, amount: number }) =>
    [counter, amount]))
}
