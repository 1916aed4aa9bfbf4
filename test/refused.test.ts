// What is asked for and is not there, or not yet: each route says so with the reason that it declares. What a
// refusal means is held where the thing itself is tested; here a door is knocked at once.
import t from 'tap'
import type { RequestReason } from '../schemas/reasons.ts'
import { startDoors, type Who } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, D, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const stranger = { ...cardOf(0), serial: '99'.repeat(10) }
const noDay = '2020-01-01'
const rules = {
  from: '2025-01-01', loanDays: 30, loansMax: 3, renewalsMax: 1, holdsMax: 5, finePerDayFen: 10,
  fineFenMax: 2_000, blockAboveFen: 500, depositFen: 0, closedWeekdays: [], closedOnHolidays: true,
  closedDates: [], accruing: 'refuse'
}

const absent: readonly (readonly [Who, string, string, (object | undefined)?])[] = [
  ['auditor', 'GET', `/v1/days/${noDay}`],
  ['auditor', 'GET', `/v1/positions/${noDay}`],
  ['auditor', 'GET', `/v1/positions/${noDay}/BUS/commerce`],
  ['auditor', 'GET', `/v1/positions/${D}/NIX/commerce/batches`],
  ['auditor', 'GET', `/v1/statements/BUS/${noDay}`],
  ['approver-1', 'POST', `/v1/days/${noDay}/approvals`, { digest: '0'.repeat(64) }],
  ['settler', 'POST', `/v1/reconciliation/${noDay}`],
  ['gateway', 'GET', `/v1/operators/NIX/QS/${D}`],
  ['gateway', 'GET', `/v1/operators/NIX/SS/${D}`],
  ['gateway', 'GET', `/v1/operators/NIX/NS/${D}`],
  ['auditor', 'GET', '/v1/records?card=nobody'],
  ['auditor', 'GET', '/v1/exports/records.csv?card=nobody'],
  ['auditor', 'GET', '/v1/exports/records.xlsx?card=nobody'],
  ['clerk', 'POST', '/v1/cards/nobody/readings', { counter: 1, balanceFen: 0 }],
  ['gateway', 'POST', '/v1/loads/pending', { card: stranger }],
  ['auditor', 'GET', '/v1/proofs?id=1'],
  ['auditor', 'GET', '/v1/consistency?first=7'],
  ['auditor', 'GET', '/v1/audit/proof?after=999'],
  ['settler', 'POST', '/v1/party-positions', { party: 'NIX', date: D, claimsFen: 0 }],
  ['clerk', 'POST', '/v1/items', { items: [999], note: 'nothing there' }],
  ['clerk', 'POST', '/v1/items/999/close', { reason: 'nothing there' }],
  ['clerk', 'POST', '/v1/disputes', {
    card: stranger, counter: 1, side: 'holder', amountFen: 1, reason: 'nobody has this card'
  }],
  ['chief', 'POST', '/v1/disputes/999/decision', { accepts: true, words: 'there is nothing to decide' }],
  ['registrar', 'PUT', '/v1/library/NIX/rules', rules],
  ['registrar', 'PUT', '/v1/library/NIX/catalogue', {}]
]

/** What a library is asked by its self-checks, under `/v1/library/LIB`. */
const ofLibrary: readonly (readonly [string, string, object?])[] = [
  ['POST', 'patrons/look-up', { token: 'R1' }],
  ['POST', 'patrons/block', { token: 'R1', note: 'lost', retained: false }],
  ['POST', 'patrons/enable', { token: 'R1' }],
  ['POST', 'checkouts', { token: 'R1', item: 'one' }],
  ['POST', 'checkins', { item: 'one' }],
  ['POST', 'renewals', { token: 'R1' }],
  ['POST', 'holds', { token: 'R1', item: 'one' }],
  ['GET', 'items/one'],
  ['PUT', 'items/one', { properties: 'blue' }],
  ['POST', 'payments', { transaction: 'BK-0001', token: 'R1', amountFen: 1, by: 'cash' }]
]

const bill = {
  person: 'P1', visit: 'V1', setting: 'outpatient', items: [{ item: 'one', class: 'A', amountFen: 100 }]
}
/** What a clinic asks, under `/v1/clinic/HOS`; its level is not known yet, and nobody owes for funds. */
const ofClinic: readonly (readonly [string, object])[] = [
  ['looks', bill], ['settlements', { message: 'm1', ...bill }],
  ['cancellations', { message: 'm1', person: 'P1', settlement: '1' }],
  ['reversals', { message: 'm1', person: 'P1', original: 'm2' }]
]

t.test('what is not there', async t => {
  const door = await doors.open()
  const city = smallCity([card(0)])
  await door.ok('registrar', 'PUT', '/v1/registry', {
    ...city,
    parties: [...city.parties ?? [],
      { code: 'LIB', kind: 'operator', nameZh: '图书馆', nameEn: 'Library', service: 'library' },
      { code: 'HOS', kind: 'operator', nameZh: '医院', nameEn: 'Hospital', service: 'clinic' }]
  })
  await door.ledger.sealer.seal()
  const said = async (
    reason: RequestReason, [who, method, path, json]: readonly [Who, string, string, (object | undefined)?]
  ) => {
    const answer = await door.ask(who, method, path, json === undefined ? {} : { json })
    t.equal(answer.json?.reason, reason, `${method} ${path}`)
  }
  for (const asked of absent) await said('not_found', asked)
  for (const [method, path, json] of ofLibrary) {
    await said('not_found', ['gateway', method, `/v1/library/NIX/${path}`, json])
    await said('conditions_not_met', ['gateway', method, `/v1/library/LIB/${path}`, json])
  }
  for (const [path, json] of ofClinic) {
    await said('not_found', ['gateway', 'POST', `/v1/clinic/LIB/${path}`, json])
    await said('conditions_not_met', ['gateway', 'POST', `/v1/clinic/HOS/${path}`, json])
  }
  await said('not_found', ['registrar', 'PUT', '/v1/clinic/LIB', { level: 'tier1' }])
  await said('not_found', ['auditor', 'GET', '/v1/clinic/LIB/settlements'])
  await said('not_found', ['auditor', 'GET', '/v1/clinic/HOS/settlements/1/explanation'])
  await said('registry_invalid', ['registrar', 'PUT', '/v1/library/LIB/catalogue',
    { patrons: [{ patron: 'R1', name: 'Ann', card: stranger }] }])

  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', {
    kind: 'correction', reason: 'a fen was booked to the wrong side',
    body: {
      transfers: [{
        debit: 'commerce/unidentified-receipts', credit: 'commerce/merchant-pending/BUS', amountFen: 1
      }]
    }
  })
  await door.ok('clerk', 'DELETE', `/v1/proposals/${id}`)
  await said('proposal_over', ['clerk', 'DELETE', `/v1/proposals/${id}`])

  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  for (const date of [D, '2026-03-03']) await door.ok('settler', 'POST', `/v1/days/${date}/close`)
  await said('day_state', ['settler', 'POST', '/v1/days/2026-03-04/close'])
  await said('not_found', ['registrar', 'POST', '/v1/blacklist', { add: [], remove: [cardOf(0)] }])
  t.strictSame(doors.mismatches(), [])
  await door.close()
})

t.test('a key that was used for a block with another challenge', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([card(0)]))
  const listed = { card: cardOf(0), reason: 'loss', at: `${D}T11:00:00+08:00` }
  await door.ok('registrar', 'POST', '/v1/blacklist', { add: [listed], remove: [] })
  const block = {
    key: 'block-0001', card: cardOf(0), operator: 'BUS', terminal: 'B1', form: 'temporary', keyVersion: 1,
    challenge: 'C0FFEE01'
  }
  const first = await door.ok('gateway', 'POST', '/v1/card-blocks', block)
  t.strictSame(await door.ok('gateway', 'POST', '/v1/card-blocks', block), first, 'the same again')
  t.match(await door.ask('gateway', 'POST', '/v1/card-blocks', { json: { ...block, challenge: 'C0FFEE02' } }),
    { status: 409, json: { reason: 'request_conflict', where: '/key' } })
  t.strictSame(doors.mismatches(), [])
  await door.close()
})
