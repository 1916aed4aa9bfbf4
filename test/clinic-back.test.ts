// Bills of clinics that are taken back: to whom money goes, what counts under another's number or too late,
// which debits of chips go back by themselves and which wait for people.
import t, { type Test } from 'tap'
import { returnDue } from '../ledger/services/clinic/due.ts'
import {
  ask, books, cancel, chipPays, credit, faults, g1, items, openClinic, persons, psam, reverse, said, settle
} from './support/clinic.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { clientOf, D, D1 } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
const opened = async () => await openClinic(doors)

const accountOf = async (door: Door, person: string): Promise<number> =>
  (await ask(door, 'persons/look-up', { person })).accountFen
const accounts = async (door: Door): Promise<number[]> =>
  await Promise.all(persons.map(({ person }) => accountOf(door, person)))

t.test("a family's part goes back to who paid it then", async t => {
  const door = await opened()
  await credit(door, 'P2', 4_000)
  await credit(door, 'P3', 700)
  const pays = { family: true }
  const one = await settle(door, 'm1', { pays })
  t.equal(said(one), 'settled 15720 0 4000 0 28280')
  t.strictSame(await accounts(door), [0, 0, 700])
  const family = async (family?: string) => await door.ok('registrar', 'PUT', '/v1/clinic/persons', {
    persons: [{ ...persons[0], family }]
  })
  await family('P3')
  t.equal(said(await cancel(door, 'm2', one.settlement)), 'cancelled 15720 0 4000 0 28280')
  t.strictSame(await accounts(door), [0, 4_000, 700], 'not to who is family now')
  t.equal(said(await reverse(door, 'm3', 'm2')), 'reinstated 15720 0 4000 0 28280')
  t.strictSame(await accounts(door), [0, 0, 700], 'and who paid then pays again')
  await family()
  t.equal(said(await reverse(door, 'm4', 'm1')), 'cancelled 15720 0 4000 0 28280')
  t.strictSame(await accounts(door), [0, 4_000, 700], 'nor to nobody where there is no family any more')
  await family('P3')
  t.equal(said(await settle(door, 'm5', { pays })), 'settled 15720 0 700 0 31580', 'now it is the other')
  t.strictSame(await accounts(door), [0, 4_000, 0])
  const own = await door.ask('registrar', 'PUT', '/v1/clinic/persons', {
    json: { persons: [{ ...persons[0], family: 'P1' }] }
  })
  t.match(own, { status: 422, json: { reason: 'registry_invalid', where: '/persons/0/family' } })
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test("under another person's number nothing is taken back, and nothing is remembered as taken back",
  async t => {
    const door = await opened()
    const one = await settle(door, 'm1')
    const before = await books(door)
    t.equal(said(await cancel(door, 'm2', one.settlement, { person: 'P2' })), 'settlement_unknown /person')
    t.equal(said(await reverse(door, 'm3', 'm1', { person: 'P2' })), 'settlement_unknown /person')
    t.strictSame(await books(door), before)
    t.equal(said(await settle(door, 'm1')), 'settled 15720 0 0 0 32280 again', 'it was not reversed')
    t.equal(said(await reverse(door, 'm4', 'm1')), 'cancelled 15720 0 0 0 32280', 'its own person can')
    t.equal(said(await cancel(door, 'm5', '999999')), 'settlement_unknown /settlement')
    t.strictSame(await faults(door), [])
    await door.close()
  })

t.test('what was reversed before it came has no effect, whatever it asks', async t => {
  const door = await opened()
  const one = await settle(door, 'm1')
  const two = await settle(door, 'm2', { items: items('A 50') })
  for (const [place, late] of ['late-1', 'late-2', 'late-3'].entries()) {
    t.equal(said(await reverse(door, `r${place}`, late)), 'nothing')
  }
  const before = await books(door)
  t.equal(said(await settle(door, 'late-1')), 'message_reversed')
  t.equal(said(await cancel(door, 'late-2', one.settlement)), 'message_reversed')
  t.equal(said(await reverse(door, 'late-3', 'm2')), 'message_reversed')
  t.strictSame(await books(door), before, 'both bills stand')
  t.equal(said(await cancel(door, 'm3', two.settlement)), 'cancelled 0 0 0 0 5000', 'nor was the other hit')
  t.equal(said(await reverse(door, 'm4', 'm1')), 'cancelled 15720 0 0 0 32280')
  t.equal(said(await settle(door, 'm1')), 'message_reversed', 'a repeat is told so')
  t.equal(said(await settle(door, 'm1', { visit: 'V2' })), 'message_reused /visit')
  t.equal((await door.ok('gateway', 'GET', '/v1/clinic/HOS/messages/m1')).reason, 'message_reversed')
  const three = await settle(door, 'm5')
  t.equal(said(await cancel(door, 'm6', three.settlement)), 'cancelled 15720 0 0 0 32280')
  t.equal(said(await reverse(door, 'm7', 'm6')), 'reinstated 15720 0 0 0 32280')
  t.equal(said(await cancel(door, 'm6', three.settlement)), 'message_reversed')
  t.equal(said(await reverse(door, 'm7', 'm6')), 'reinstated 15720 0 0 0 32280 again')
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('a bill and its reversal at one moment, under whichever number: one of them is first', async t => {
  const door = await opened()
  const seen = new Set<string>()
  for (let nth = 0; nth < 30; nth++) {
    const [bill, back] = await Promise.all([
      settle(door, `m${nth}`, { items: items('C 10') }),
      reverse(door, `r${nth}`, `m${nth}`, { person: 'P2' })])
    seen.add(`${said(bill)}, ${said(back)}`)
  }
  const whole = ['settled 0 0 0 0 1000, settlement_unknown /person', 'message_reversed, nothing']
  t.strictSame([...seen].filter(one => !whole.includes(one)), [])
  await door.close()
})

/* ---- debits of chips ---- */

const byChip = (nth: number, amountFen: number) =>
  ({ purse: { by: 'chip', amountFen, debit: `${psam}-${nth}` } })
const deliver = async (door: Door, id: string, ...records: readonly object[]) =>
  await door.ok('gateway', 'POST', '/v1/records', { delivery: id, records })
const pendingLoad = async (door: Door): Promise<number> => (await books(door))['commerce/pending-load'] ?? 0
const proposals = async (door: Door, state: string): Promise<{ id: number }[]> =>
  (await door.ok('approver-1', 'GET', `/v1/proposals?state=${state}`)).items
const decide = async (door: Door, id: number, approves: boolean) =>
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves })
/** Goes over what is due until the end of it; how many went back. */
async function everything (door: Door, limit?: number): Promise<number> {
  let [returned, after]: [number, bigint | null] = [0, 0n]
  while (after !== null) {
    const round: { returned: number, after: bigint | null } = await returnDue(door.ledger, after, limit)
    returned += round.returned
    after = round.after
  }
  return returned
}
/** A bill of 10.00 that the chip of a card pays by its debit `nth`, not here yet. */
const ten = (nth: number) => ({ items: items('A 10'), pays: byChip(nth, 1_000) })

t.test('debits whose records do not come keep no other waiting', async t => {
  const door = await opened()
  for (const nth of [1, 2, 3, 4, 5]) {
    const { settlement, purse } = await settle(door, `m${nth}`, ten(nth))
    t.equal(purse, 'awaited')
    t.equal((await cancel(door, `c${nth}`, settlement)).purse, 'to_be_returned')
  }
  await deliver(door, 'the-fifth-pays', chipPays(0, 5, 1_000, 50_000))
  const first = await returnDue(door.ledger, 0n, 2)
  t.equal(first.returned, 0, 'two of the four whose records are not here')
  t.type(first.after, 'bigint')
  t.equal(await everything(door, 2), 1, 'the fifth')
  t.equal(await pendingLoad(door), 1_000)
  t.equal(await everything(door, 2), 0, 'once')
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('one that cannot be looked at stops no other', async t => {
  const door = await opened()
  await door.ok('registrar', 'PUT', '/v1/clinic/NEW', { level: 'tier2' })
  for (const [nth, at] of [[1, 'NEW'], [2, 'HOS']] as const) {
    const { settlement } = await settle(door, `m${nth}`, ten(nth), at)
    t.equal((await cancel(door, `c${nth}`, settlement, {}, at)).purse, 'to_be_returned')
  }
  await door.db.query(`delete from clinic_institution where party_id =
    (select party_id from party where code = 'NEW')`)
  await deliver(door, 'the-second-pays', chipPays(0, 2, 1_000, 50_000))
  t.equal(await everything(door), 1)
  t.match(door.logLines().join('\n'), /conditions_not_met.*c1|c1.*conditions_not_met/, 'and it is told')
  await door.close()
})

t.test('a debit that turns out another does not go back', async t => {
  const door = await opened()
  const { settlement } = await settle(door, 'm1', ten(1))
  await deliver(door, 'another-amount', chipPays(0, 1, 900, 50_000))
  t.equal((await cancel(door, 'c1', settlement)).purse, 'to_be_returned', 'people have to look')
  t.equal(await everything(door), 0)
  t.equal(await pendingLoad(door), 0, 'nothing went back')
  const { rows: [row] } = await door.db.query(
    'select returned_at is null as not_marked from clinic_settlement where settlement_no = $1', [settlement])
  t.strictSame(row, { not_marked: true })
  t.strictSame(await proposals(door, 'pending'), [], 'nor was it proposed')
  await door.close()
})

t.test('what people refused to give back is not asked of them again', async t => {
  const door = await opened()
  await deliver(door, 'chip-pays', chipPays(0, 1, 40_000, 50_000))
  const one = await settle(door, 'm1', { items: items('C 400'), pays: byChip(1, 40_000) })
  t.equal(said(one), 'settled 0 0 0 40000 0')
  const back = await cancel(door, 'm2', one.settlement)
  t.equal(back.purse, 'to_be_returned', 'above the limit of a refund')
  const [asked, ...others] = await proposals(door, 'pending')
  t.strictSame(others, [])
  t.equal(await everything(door), 0)
  t.equal((await proposals(door, 'pending')).length, 1)
  await decide(door, asked?.id ?? 0, false)
  t.equal(await everything(door), 0)
  t.equal((await cancel(door, 'm2', one.settlement)).purse, 'to_be_returned', 'nor by a repeat')
  t.strictSame(await proposals(door, 'pending'), [])
  t.equal(await pendingLoad(door), 0)
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', {
    kind: 'refund', reason: 'the hospital agrees after all',
    body: {
      card: cardOf(0), counter: 101, amountFen: 40_000, reference: 'by-hand-1', reason: 'bill cancelled'
    }
  })
  await decide(door, id, true)
  t.equal(await pendingLoad(door), 40_000)
  t.equal(await everything(door), 1, 'people gave it back: nothing is due any more')
  t.equal((await cancel(door, 'm2', one.settlement)).purse, 'returned')
  t.equal(await pendingLoad(door), 40_000, 'once')
  t.strictSame(await faults(door), [])
  await door.close()
})

async function disputed (t: Test): Promise<{ door: Door, dispute: number, settlement: string }> {
  const door = await opened()
  await deliver(door, 'chip-pays', chipPays(0, 1, 3_000, 50_000))
  const { settlement, ...one } = await settle(door, 'm1', { items: items('C 30'), pays: byChip(1, 3_000) })
  t.equal(said(one), 'settled 0 0 0 3000 0')
  door.clock.set(Date.parse(`${D1}T01:00:00+08:00`))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  door.clock.set(Date.parse(`${D1}T12:00:00+08:00`))
  const { id: dispute } = await door.ok('clerk', 'POST', '/v1/disputes', {
    card: cardOf(0), counter: 101, side: 'holder', amountFen: 3_000, reason: 'the holder was not there'
  })
  const back = await cancel(door, 'm2', settlement)
  t.strictSame([back.does, back.purse], ['cancelled', 'to_be_returned'], 'the bill is taken back')
  t.equal(await everything(door), 0)
  return { door, dispute, settlement }
}
const words = 'as the camera shows'

t.test('a debit that a dispute is about waits for its end', async t => {
  const { door, dispute } = await disputed(t)
  const token = await clientOf(door, 'HOS', 'operator')
  const answer = { json: { stance: 'agrees', words }, token }
  t.equal((await door.ask(null, 'POST', `/v1/disputes/${dispute}/answer`, answer)).status, 200)
  await door.ok('approver-1', 'POST', `/v1/disputes/${dispute}/decision`, { accepts: true, words })
  t.equal(await pendingLoad(door), 3_000)
  t.equal(await everything(door), 1, 'it went back by the dispute')
  t.equal(await pendingLoad(door), 3_000, 'and not a second time')
  t.strictSame(await faults(door), [])
  await door.close()
})

t.test('and where it is refused for good, people give the debit back', async t => {
  const { door, dispute } = await disputed(t)
  const token = await clientOf(door, 'HOS', 'operator')
  const answer = { json: { stance: 'contests', words }, token }
  t.equal((await door.ask(null, 'POST', `/v1/disputes/${dispute}/answer`, answer)).status, 200)
  await door.ok('approver-1', 'POST', `/v1/disputes/${dispute}/decision`, { accepts: false, words })
  door.clock.set(Date.parse('2026-04-30T12:00:00+08:00'))
  t.equal(await everything(door), 0, 'it is never tried again by itself')
  t.equal(await pendingLoad(door), 0)
  t.match(await door.ok('clerk', 'POST', '/v1/refunds', {
    card: cardOf(0), counter: 101, amountFen: 3_000, reference: 'by-hand-1', reason: 'the bill was cancelled'
  }), { state: 'posted' })
  t.equal(await everything(door), 1)
  t.equal(await pendingLoad(door), 3_000)
  await door.close()
})

/* ---- what routes refuse ---- */

t.test('a clinic that is not set up, and one whose account is closed', async t => {
  const door = await opened()
  const asked = {
    settlements: { message: 'x1', ...g1 }, cancellations: { message: 'x2', person: 'P1', settlement: '1' },
    reversals: { message: 'x3', person: 'P1', original: 'm1' }
  }
  for (const [what, json] of Object.entries(asked)) {
    t.match(await door.ask('gateway', 'POST', `/v1/clinic/NEW/${what}`, { json }),
      { status: 409, json: { reason: 'conditions_not_met' } }, `${what}: no level yet`)
  }
  const one = await settle(door, 'm1', {}, 'TWO')
  t.equal(said(one), 'settled 18720 0 0 0 29280')
  door.clock.set(Date.parse(`${D1}T01:00:00+08:00`))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  const close = async (open: boolean) => {
    const { id } = await door.ok('settler', 'POST', '/v1/proposals', {
      kind: 'account_closing', reason: 'it moves away',
      body: { account: 'medical/merchant-pending/TWO', open }
    })
    await decide(door, id, true)
  }
  await close(false)
  const before = await books(door)
  const { settlement } = one
  for (const [what, json] of Object.entries({
    ...asked, cancellations: { message: 'x2', person: 'P1', settlement }
  })) {
    t.match(await door.ask('gateway', 'POST', `/v1/clinic/TWO/${what}`, { json }),
      { status: 422, json: { reason: 'registry_invalid' } }, `${what}: closed`)
  }
  t.strictSame(await books(door), before)
  await close(true)
  t.equal(said(await cancel(door, 'x2', settlement, {}, 'TWO')), 'cancelled 18720 0 0 0 29280')
  t.strictSame(await faults(door), [])
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
