// What residents ask for without a visit, and what becomes of it: consult, apply, progress, result. Money by
// hand: a section bus costs 4.00 unless one gets off at X1, then 2.00 (test/transit.test.ts).
import t from 'tap'
import { cardKey } from '../schemas/record.ts'
import { caseState, signalOf } from '../ledger/core/cases.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { employ } from './support/console-city.ts'
import { startDoors, type Answer, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { li, portalCity, wang } from './support/portal-city.ts'
import { asResident, type Inside } from './support/residents.ts'

t.setTimeout(300_000)
const doors = await startDoors()
t.teardown(() => doors.stop())
const said = ({ status, json }: Answer) => status < 300 ? String(status) : `${status} ${json.reason}`

const words = 'the reader in the bus was dark'
const exit = (more: object = {}, say = words) => ({
  kind: 'missing_exit', words: say,
  body: { card: cardOf(0), entryCounter: 102, stop: 'X1', at: '2026-03-02T11:20:00+08:00', ...more }
})
const refund = (more: object = {}) =>
  ({ kind: 'refund', words, body: { card: cardOf(0), counter: 101, amountFen: 100, ...more } })
const complaint = (say: string) => ({ kind: 'complaint', words: say, body: {} })
const file = async (by: Inside, json: unknown) => await by.ask('POST', '/v1/my/cases', { json })
const decide = async (door: Door, proposal: number, approves = true) =>
  await door.ok('approver-1', 'POST', `/v1/proposals/${proposal}/decisions`, { approves })

for (const priced of ['at the end', 'in between'] as const) {
  t.test(`a missing exit and a refund, agreed by two, priced ${priced}; the money comes back`, async t => {
    const door = await portalCity(doors)
    const own = await asResident(door, li)
    const { kinds } = (await own.ask('GET', '/v1/my/case-options')).json
    t.match(kinds, [
      { kind: 'missing_exit', workingDays: 10, rules: { zh: /两名工作人员/ } }, { kind: 'refund' },
      { kind: 'lift_loss' }, { kind: 'complaint', workingDays: 5 }])
    const { json: filed } = await file(own, exit())
    // Ten working days after Wednesday, 4 March 2026, are Wednesday, 18 March.
    t.match(filed, { case: 1, state: 'filed', dueOn: '2026-03-18', endedAt: null, answer: null })
    t.match((await file(own, refund())).json, { case: 2, state: 'filed' })
    t.match((await door.ok('hotline', 'GET', '/v1/cases')).items, [
      { case: 2, kind: 'refund', signal: 'none', proposal: null },
      { case: 1, holder: own.session.holder, words }])
    for (const no of [1, 2]) {
      const { proposal, state } = await door.ok('clerk', 'POST', `/v1/cases/${no}/proposal`)
      t.equal(state, 'deciding')
      t.equal(said(await own.ask('DELETE', `/v1/my/cases/${no}`)), '409 conditions_not_met', 'too late')
      const alone = { json: { approves: true } }
      t.equal(said(await door.ask('clerk', 'POST', `/v1/proposals/${proposal}/decisions`, alone)),
        '403 forbidden', 'a second person')
      await decide(door, proposal)
      if (priced === 'in between') await door.ledger.watch.catchUp()
    }
    await door.ledger.watch.catchUp()
    t.match((await own.ask('GET', '/v1/my/cases')).json.items,
      [
        { case: 2, state: 'granted' },
        { case: 1, state: 'granted', endedAt: '2026-03-04T09:00:00.000+08:00' }
      ])
    const view = (await own.ask('GET', `/v1/my/cards/${cardKey(cardOf(0))}`)).json
    // 6.00 were paid, 3.80 are due: 2.20 come back, 1.00 of it by the refund.
    t.equal(view.money.waitingFen, 220)
    t.match((await own.ask('GET', '/v1/my')).json.notices,
      [{ kind: 'load_waiting', amountFen: 220 }, { kind: 'refund_granted', amountFen: 100 }])
    t.match((await door.ok('clerk', 'GET', '/v1/cases?state=over')).items, [{ case: 2 }, { case: 1 }])
    t.strictSame((await door.ok('clerk', 'GET', '/v1/cases')).items, [])
    const of = async (holder: string) =>
      (await door.ok('hotline', 'GET', `/v1/cases?state=any&holder=${holder}`)).items
    t.match(await of(own.session.holder), [{ case: 2 }, { case: 1 }], 'of one person, open and over')
    t.strictSame(await of((await asResident(door, wang)).session.holder), [], 'of another, none')
    const report = await verifyBooks(door.db)
    t.strictSame(report.checks.filter(({ ok }) => !ok), [])
    await door.close()
  })
}

t.test('what is refused when it is filed, and later', async t => {
  const door = await portalCity(doors)
  const [own, other] = [await asResident(door, li), await asResident(door, wang)]
  for (const [json, expected] of [
    [exit({ entryCounter: 103 }), '404 not_found'],
    [exit({ entryCounter: 101 }), '409 conditions_not_met'],
    [exit({ at: '2026-03-02T10:59:00+08:00' }), '400 body_invalid'],
    [exit({}, 'too short'), '400 body_invalid'],
    [refund({ amountFen: 201 }), '422 amount_wrong'],
    [refund({ counter: 109 }), '404 not_found'],
    [refund({ card: cardOf(2) }), '404 not_found'],
    [{ kind: 'lift_loss', words, body: { card: cardOf(0) } }, '409 conditions_not_met'],
    [{ kind: 'lift_loss', words, body: { card: cardOf(9) } }, '404 not_found'],
    [{ kind: 'complaint', words, body: { card: cardOf(0) } }, '400 body_invalid']
  ] as const) t.equal(said(await file(own, json)), expected, JSON.stringify(json))
  t.equal(said(await file(other, exit())), '404 not_found', 'the card of somebody else')
  t.equal(said(await file(own, exit())), '201')
  t.equal(said(await file(own, exit({ stop: 'X2' }))), '409 conditions_not_met', 'the same journey twice')
  t.equal(said(await other.ask('GET', '/v1/my/cases/1')), '404 not_found')
  t.equal(said(await other.ask('DELETE', '/v1/my/cases/1')), '404 not_found')
  t.strictSame((await other.ask('GET', '/v1/my/cases')).json, { items: [], next: null })
  t.match((await own.ask('DELETE', '/v1/my/cases/1')).json, { state: 'withdrawn' })
  t.equal(said(await file(own, exit())), '201', 'once it is taken back it can be asked for again')

  const answer = async (no: number, outcome: string) =>
    said(await door.ask('clerk', 'POST', `/v1/cases/${no}/answer`, { json: { outcome, words } }))
  t.equal(await answer(1, 'refused'), '409 conditions_not_met', 'withdrawn')
  t.equal(await answer(9, 'refused'), '404 not_found')
  t.equal(await answer(2, 'answered'), '409 conditions_not_met', 'granted by two or refused')
  const { proposal } = await door.ok('clerk', 'POST', '/v1/cases/2/proposal')
  await decide(door, proposal, false)
  t.match((await own.ask('GET', '/v1/my/cases/2')).json, { state: 'filed' }, 'somebody must say why')
  t.equal(await answer(2, 'refused'), '200')
  t.match((await own.ask('GET', '/v1/my/cases/2')).json, { state: 'refused', answer: words })

  // A proposal that somebody has started by hand stands in the way.
  t.equal(said(await file(own, exit())), '201')
  await door.ok('clerk', 'POST', '/v1/proposals',
    { kind: 'exit_decision', reason: 'he was at the counter', body: exit().body })
  const take = async (no: number) => said(await door.ask('clerk', 'POST', `/v1/cases/${no}/proposal`))
  t.equal(await take(3), '409 proposal_pending')
  t.equal(await take(9), '404 not_found')
  t.equal(said(await door.ask('clerk', 'GET', '/v1/cases/9')), '404 not_found')

  await employ(door, 'north', ['clerk'], 'NORTH')
  const { json: { token } } = await door.signIn('north', 'correct horse battery')
  await door.db.query("update holder set branch = 'SOUTH' where holder = $1", [own.session.holder])
  const ask = async (method: string, path: string, json?: unknown) =>
    await door.ask(null, method, path, { token, ...json === undefined ? {} : { json } })
  t.strictSame((await ask('GET', '/v1/cases')).json.items, [])
  t.equal(said(await ask('GET', '/v1/cases/3')), '403 other_branch')
  t.equal(said(await ask('POST', '/v1/cases/3/proposal')), '403 other_branch')
  t.equal(said(await ask('POST', '/v1/cases/3/answer', { outcome: 'refused', words })), '403 other_branch')
  await door.close()
})

t.test('complaints: five working days, a warning before, yellow, red; no flood', async t => {
  const door = await portalCity(doors)
  const own = await asResident(door, li)
  t.match((await file(own, complaint('the driver did not stop'))).json, { dueOn: '2026-03-11' })
  t.equal(said(await file(own, complaint('the driver did not stop'))), '409 conditions_not_met', 'twice')
  t.equal(said(await door.ask('clerk', 'POST', '/v1/cases/1/proposal')), '409 conditions_not_met')
  const signalOn = async (day: string) => {
    door.clock.set(Date.parse(`${day}T09:00:00+08:00`))
    return (await door.ok('hotline', 'GET', '/v1/cases/1')).signal
  }
  for (const [day, signal] of [
    ['2026-03-09', 'none'], ['2026-03-10', 'due'], ['2026-03-11', 'due'], ['2026-03-12', 'yellow'],
    ['2026-03-17', 'yellow'], ['2026-03-18', 'red']
  ] as const) t.equal(await signalOn(day), signal, day)
  const json = { outcome: 'answered', words: 'he was told, and is sorry' }
  const key = { json, key: 'answered-once' }
  for (const replayed of [false, true]) {
    t.match(await door.ask('clerk', 'POST', '/v1/cases/1/answer', key),
      { replayed, json: { signal: 'none' } })
  }
  const again = await asResident(door, li)
  t.match((await again.ask('GET', '/v1/my/cases/1')).json, { state: 'answered', answer: json.words })
  for (let nth = 1; nth <= 20; nth++) {
    t.equal(said(await file(again, complaint(`it happened again, no. ${nth}`))), '201')
  }
  t.equal(said(await file(again, complaint('and once more, no. 21'))), '409 conditions_not_met')
  await door.close()
})

// O6 of the facts: due on a Friday, a warning on Thursday, yellow after Friday.
t.test('over a weekend', async t => {
  const rested = new Map([['2026-03-16', false]])
  const of = (today: string, state: 'filed' | 'granted' = 'filed') =>
    signalOf({ dueOn: '2026-03-13', state, today }, 1, rested)
  const days = ['2026-03-11', '2026-03-12', '2026-03-13', '2026-03-14', '2026-03-16', '2026-03-17']
  t.strictSame(days.map(day => of(day)), ['none', 'due', 'due', 'yellow', 'yellow', 'red'],
    'the Monday behind it is no working day')
  t.equal(of('2027-01-01', 'granted'), 'none')
  t.strictSame((['pending', 'done', 'refused', 'stale', 'withdrawn', null] as const)
    .map(proposal => caseState({ outcome: null, proposal })),
  ['deciding', 'granted', 'filed', 'filed', 'filed', 'filed'])
  t.equal(caseState({ outcome: 'withdrawn', proposal: 'refused' }), 'withdrawn')
})

t.strictSame(doors.unused().filter(route => /\/v1\/(my|cases)/.test(route)), [], 'each route was used')
