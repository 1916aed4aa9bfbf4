// A centre of medical insurance beside us, over real HTTP: it agrees, declines, has other figures, loses
// what is said or what it says; what nobody knows is asked after and comes to one of its ends. A date is
// compared.
import t, { type Test } from 'tap'
import { resolveOpen } from '../ledger/services/clinic/centre/resolve.ts'
import { startInsuranceCentre, type InsuranceCentre } from '../terminal-sim/insurance/server.ts'
import {
  ask, books, cancel, credit, faults, g1, items, openClinic, reverse, said, settle
} from './support/clinic.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { D, D1 } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

async function opened (t: Test): Promise<{ door: Door, centre: InsuranceCentre }> {
  const door = await openClinic(doors)
  const centre = await startInsuranceCentre({ now: () => door.clock.now() })
  t.teardown(() => centre.close())
  for (const [person, insured] of [['P1', 'active'], ['P2', 'retired'], ['P3', 'resident']] as const) {
    centre.persons.set(person, { insured, account: 0n })
  }
  centre.levels.set('H4304000001', 'tier3-city').set('H4304000002', 'tier2')
  await door.ok('registrar', 'PUT', '/v1/clinic/HOS', { level: 'tier3-city', code: 'H4304000001' })
  await door.ok('registrar', 'PUT', '/v1/clinic/TWO', { level: 'tier2', code: 'H4304000002' })
  t.strictSame(await door.ok('registrar', 'PUT', '/v1/clinic/centres', {
    centres: [{
      area: '430400', url: centre.url, dialect: 'national', answerMs: 400, receiver: 'YBXT',
      insurances: { employee: '310', resident: '390' }, care: { outpatient: '11', inpatient: '21' },
      clearing: { outpatient: '11', inpatient: '21' }
    }]
  }), { centres: 1 })
  t.match(await door.ok('auditor', 'GET', '/v1/clinic/centres'), [{ area: '430400', url: centre.url }])
  return { door, centre }
}
const later = (door: Door, seconds: number) => door.clock.set(door.clock.now() + seconds * 1_000)
const live = ({ settled }: InsuranceCentre): number => settled.filter(one => one.back === null).length

t.test('agreed: shown, settled, cancelled, reversed on both sides', async t => {
  const { door, centre } = await opened(t)
  await credit(door, 'P1', 15_000)
  const one = centre.persons.get('P1')
  if (one !== undefined) one.account = 15_000n
  const pays = { account: true }
  t.equal(said(await ask(door, 'looks', { ...g1, pays })), 'shown 15720 15000 0 0 17280')
  const done = await settle(door, 'm1', { pays })
  t.equal(said(done), 'settled 15720 15000 0 0 17280')
  t.equal(live(centre), 1)
  t.equal(said(await settle(door, 'm1', { pays })), 'settled 15720 15000 0 0 17280 again')
  t.strictSame(centre.heard(), ['2204', '2206', '2204', '2207'], 'a repeat is answered here')
  t.equal(said(await cancel(door, 'm2', done.settlement)), 'cancelled 15720 15000 0 0 17280')
  t.equal(live(centre), 0)
  t.equal(said(await reverse(door, 'm3', 'm2')), 'reinstated 15720 15000 0 0 17280')
  t.equal(live(centre), 1)
  t.equal(said(await reverse(door, 'm4', 'm1')), 'cancelled 15720 15000 0 0 17280')
  t.equal(live(centre), 0)
  t.equal(one?.account, 15_000n)
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('declined, or with other figures: nothing counts on either side', async t => {
  const { door, centre } = await opened(t)
  const before = await books(door)
  centre.persons.delete('P1')
  const no = await settle(door, 'm1')
  t.strictSame([no.outcome, no.reason, no.says], ['declined', 'centre_declined', '参保人不存在'])
  centre.persons.set('P1', { insured: 'retired', account: 0n })
  const other = await settle(door, 'm2')
  t.strictSame([other.reason, other.says], ['centre_differs', 'hifp_pay'], '65 % instead of 60 %')
  t.equal(live(centre), 1, 'the centre has settled it')
  t.equal(await resolveOpen(door.ledger), 1)
  t.equal(live(centre), 0, 'and takes it back')
  t.equal((await ask(door, 'looks', g1)).reason, 'centre_differs')
  t.strictSame(await books(door), before)
  t.equal(said(await settle(door, 'm2')), 'centre_differs again')
  await door.close()
})

t.test('an answer that is lost: asked after, and settled at the figures of the centre', async t => {
  const { door, centre } = await opened(t)
  centre.lose('2207', 'answer')
  const lost = await settle(door, 'm1')
  t.strictSame([lost.outcome, lost.reason, lost.settlement], ['unknown', 'centre_silent', null])
  t.equal((await door.ok('gateway', 'GET', '/v1/clinic/HOS/messages/m1')).outcome, 'unknown')
  centre.lose('5203', 'request')
  t.equal((await settle(door, 'm9')).reason, 'outcome_open', 'and nothing else of this person meanwhile')
  t.equal((await settle(door, 'm1', { visit: 'V2' })).reason, 'message_reused')
  t.equal(said(await settle(door, 'm1')), 'settled 15720 0 0 0 32280')
  t.equal(said(await settle(door, 'm1')), 'settled 15720 0 0 0 32280 again')
  t.equal(live(centre), 1)
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('a message that is lost: reversed, also where it comes late', async t => {
  const { door, centre } = await opened(t)
  for (const [nth, what] of (['request', 'late'] as const).entries()) {
    centre.lose('2207', what)
    t.equal((await settle(door, `m${nth}`)).outcome, 'unknown')
    centre.lose('2601', 'answer')
    later(door, 30)
    t.equal(await resolveOpen(door.ledger), 0, 'asked after: not there; reversed: no answer')
    t.equal(await resolveOpen(door.ledger), 0, 'not at once again')
    later(door, 30)
    t.equal(await resolveOpen(door.ledger), 1)
    centre.letGo()
    t.equal(live(centre), 0, what)
    t.equal(said(await settle(door, `m${nth}`)), 'centre_undone again')
  }
  t.equal(said(await settle(door, 'm3')), 'settled 15720 0 0 0 32280', 'free again')
  await door.close()
})

t.test('a person who does not wait; a cancellation whose answer is lost', async t => {
  const { door, centre } = await opened(t)
  centre.lose('2207', 'answer')
  t.equal((await settle(door, 'm1')).outcome, 'unknown')
  t.equal(live(centre), 1)
  t.equal(said(await reverse(door, 'm2', 'm1')), 'nothing', 'given up: taken back at the centre')
  t.equal(live(centre), 0)
  t.equal(said(await settle(door, 'm1')), 'message_reversed')
  const two = await settle(door, 'm3')
  centre.lose('2208', 'answer')
  t.equal((await cancel(door, 'm4', two.settlement)).outcome, 'unknown')
  t.equal(said(await cancel(door, 'm4', two.settlement)), 'cancelled 15720 0 0 0 32280')
  const three = await settle(door, 'm5')
  centre.lose('2208', 'request')
  t.equal((await cancel(door, 'm6', three.settlement)).outcome, 'unknown')
  t.equal(said(await cancel(door, 'm6', three.settlement)), 'centre_undone', 'the bill stands')
  t.equal(live(centre), 1)
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('3201 and 3202: a date compared, and layer H', async t => {
  const { door, centre } = await opened(t)
  const one = await settle(door, 'm1')
  const two = await settle(door, 'm2', { items: items('A 300') })
  await settle(door, 'm3', { items: items('A 50'), person: 'P2' }, 'TWO')
  await cancel(door, 'm4', two.settlement)
  const asked = async () => {
    const { statements } = await door.ok('settler', 'POST', '/v1/clinic/statements', { date: D })
    await door.ok('settler', 'POST', `/v1/reconciliation/${D}`)
    return statements.filter((each: { settlements: number, result: string }) =>
      each.settlements !== 0 || each.result !== 'equal')
      .map((each: {
        party: string, scheme: string, setting: string, settlements: number, result: string,
        lines: number
      }) => Object.values(each).join(' '))
  }
  const open = async () => (await door.ok('settler', 'GET', '/v1/items?state=open&layer=H')).items
    .map((item: { outcome: string, key: string, amountFen: number }) =>
      `${item.outcome} ${item.key} ${item.amountFen}`).sort()
  t.strictSame(await asked(), [
    '430400 HOS employee outpatient 1 equal 0', '430400 TWO employee outpatient 1 equal 0'])
  t.strictSame(await open(), [])
  const [first] = centre.settled
  if (first === undefined) throw new Error('nothing was settled')
  first.got = { ...first.got, pool: first.got.pool + 1n, cash: first.got.cash - 1n }
  centre.settled.push({ ...first, no: 'S99', msgid: 'x', institution: 'H4304000002' })
  t.strictSame(await asked(), [
    '430400 HOS employee outpatient 1 differ 1', '430400 TWO employee outpatient 1 centreMore 1'])
  t.strictSame(await open(), [
    'RIGHT_ONLY settlement/430400-S99 -48000', `STATE_DIFF settlement/${one.settlement} 0`])
  centre.lose('3201', 'answer', 2)
  t.match(await asked(), ['430400 HOS employee outpatient 1 silent 0'])
  t.equal(D1 > D, true)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
