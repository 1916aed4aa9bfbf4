// A small city and one day of it in which every kind of row comes to be: what a test changes byte by byte,
// upgrades, or restores.
import type { Card, Registry } from '../../schemas/api.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord } from '../../schemas/clearing-file/event.ts'
import { cardKey, type TransactionRecord } from '../../schemas/record.ts'
import type { Door, Doors } from './ledger-http.ts'
import { cardOf, recordOf } from './posting.ts'

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

/**
 * A day with all that can happen to a record: grey and proven by its own end or by the next record, a clone,
 * wrong TAC, unreadable, told twice; closed, approved and instructed, with a tap, a correction, a file and a
 * card read at a counter after it.
 */
export async function wholeDay (doors: Doors): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(9))
  await door.ok('registrar', 'PUT', '/v1/registry', { parties: [busWithFiles] })
  await deliver(door, 'monday-morning', [
    recordOf(0, 1), recordOf(0, 2), recordOf(1, 1, { grey: true, tac: null }), recordOf(2, 1),
    recordOf(3, 1, { tac: '00112233' }), recordOf(5, 1, { grey: true, tac: null }), { nonsense: true }
  ])
  await welcomeGuests(door)
  await deliver(door, 'monday-guests', [1, 2].map(guestRide))
  await deliver(door, 'monday-noon', [
    recordOf(0, 1), recordOf(1, 1), recordOf(5, 2),
    recordOf(4, 1, { terminal: 'M1', operator: 'MET', psam: '990000000002' }),
    recordOf(2, 1, { sequence: 77, amountFen: 250, dateTime: '20260302091500' })
  ])
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  const { digest } = await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')
  await door.ok('approver-1', 'POST', '/v1/days/2026-03-02/approvals', { digest })
  await door.ok('approver-2', 'POST', '/v1/days/2026-03-02/approvals', { digest })
  await door.ok('settler', 'POST', '/v1/days/2026-03-02/instruct')
  await hearFromCentre(door)
  door.clock.set(Date.parse('2026-03-03T09:00:00+08:00'))
  const next = { dateTime: '20260303083000' }
  await deliver(door, 'tuesday-morning', [
    recordOf(0, 3, next), recordOf(6, 1, { ...next, grey: true, tac: null })
  ])
  await deliver(door, 'tuesday-noon', [
    recordOf(6, 2, next), recordOf(7, 1, { ...next, grey: true, tac: null })
  ])
  await sendFile(door, [recordOf(8, 1, next), recordOf(8, 2, { ...next, tac: '00112233' })])
  await door.ok('clerk', 'POST', `/v1/cards/${cardKey(cardOf(7))}/readings`,
    { counter: 101, balanceFen: 4_820 })
  await door.ledger.sealer.seal()
  return door
}

/** Cards of another city ride too; the centre owes for them. */
async function welcomeGuests (door: Door): Promise<void> {
  const centre = { code: 'NAT', kind: 'centre', nameZh: '全国清分中心', nameEn: 'National centre' }
  await door.ok('registrar', 'PUT', '/v1/registry', { parties: [centre] })
  const hengyang = { prefix: '0421', city: 'Hengyang', at: '2026-01-01T00:00:00+08:00' }
  await door.ok('registrar', 'POST', '/v1/cities', { add: [hengyang], remove: [] })
}

const guestRide = (number: number): TransactionRecord => recordOf(20 + number, 1, {
  card: { issuer: '0421000000000000', serial: `0421000000000000000${number}`, issue: 1 }, tac: 'ABCDEF01'
})

/** The centre has the batch, and its issuers do not pay one record of it; another return is not due. */
async function hearFromCentre (door: Door): Promise<void> {
  const [{ batch, digest }] = (await door.ok('centre', 'GET', '/v1/national/outbound')).items
  await door.ok('centre', 'POST', `/v1/national/outbound/${batch}/receipt`, { digest })
  const [entry] = (await door.ok('centre', 'GET', `/v1/national/outbound/${batch}`)).entries
  const saying = { claim: entry.claim, amountFen: entry.amountFen, cause: 'TAC does not match' }
  await door.ok('centre', 'POST', '/v1/national/returns',
    { returns: [{ id: 'R1', ...saying }, { id: 'R2', ...saying }] })
}

const merchant = '898421000000001'
const busWithFiles = {
  code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', service: 'transit', merchant, industry: '01'
}

async function sendFile (door: Door, records: readonly TransactionRecord[]): Promise<void> {
  const lines = records.map((record, index) =>
    writeConsumptionRecord(toConsumptionRecord(record, merchant, index + 1)))
  const { name, text } = writeConsumptionFile({ date: '20260303', industry: '01', merchant, sequence: 1 },
    lines)
  const { status, text: answer } = await door.ask('gateway', 'PUT', `/v1/files/${name}`,
    { bytes: text, type: 'application/octet-stream' })
  if (status >= 300) throw new Error(`${name}: ${status} ${answer}`)
}

export const deliver = async (
  door: Door, delivery: string, records: readonly (TransactionRecord | object)[]
) =>
  await door.ok('gateway', 'POST', '/v1/records', { delivery, records })
