// Postings that people decide on: what an account does not take is refused in words, whoever asks and
// whenever it turns out, and nothing is written.
import t, { type Test } from 'tap'
import type { Registry } from '../schemas/api.ts'
import { transferCodes } from '../ledger/core/chart.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(180_000)

const prepaid = 'commerce/agent-prepaid/PRE'
const online = 'commerce/online'
const bank = 'commerce/custody-bank'

/** An agent that has paid in 100.00, and a card with 20.00 of it on its online account. */
async function opened (): Promise<Door> {
  const door = await doors.open()
  const { parties = [] } = smallCity([])
  const agent: NonNullable<Registry['parties']> =
    [{ code: 'PRE', kind: 'agent', nameZh: '预存代理', nameEn: 'Prefunded agent', prepaid: true }]
  await door.ok('registrar', 'PUT', '/v1/registry',
    smallCity([card(0), card(1)], { parties: [...parties, ...agent] }))
  const clients = [{ id: 'FORE', kind: 'agent' as const, party: 'PRE', secret: secretOf('FORE') }]
  await bootstrap(door.db, { clients }, door.clock.now())
  await correct(door, { debit: bank, credit: prepaid, amountFen: 10_000 })
  await sell(door, 'first', 2_000)
  return door
}

const sell = async (door: Door, key: string, amountFen: number): Promise<void> => {
  const json = { kind: 'top_up', key: `request-${key}`, card: cardOf(0), amountFen, party: 'PRE' }
  const token = `FORE.${secretOf('FORE')}`
  const { json: reply } = await door.ask(null, 'POST', '/v1/requests', { json, token })
  if (reply.outcome !== 'approved') throw new Error(JSON.stringify(reply))
}

const proposed = (door: Door, transfer: object) => door.ask('clerk', 'POST', '/v1/proposals', {
  json: { kind: 'correction', reason: 'the account was looked through', body: { transfers: [transfer] } }
})
const approved = (door: Door, id: number) =>
  door.ask('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { json: { approves: true } })

async function correct (door: Door, transfer: object): Promise<void> {
  const { json: { id } } = await proposed(door, transfer)
  const { status, text } = await approved(door, id)
  if (status !== 200) throw new Error(text)
}

async function verified (t: Test, door: Door): Promise<void> {
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(checks.filter((one: { ok: boolean }) => !one.ok), [], 'the books verify')
}

t.test('what a guarded balance does not hold is refused at the start', async t => {
  const door = await opened()
  for (const [transfer, reason, detail] of [
    [{ debit: prepaid, credit: bank, amountFen: 8_001 }, 'amount_wrong', /PRE holds 8000 fen and stays at 0/],
    [{ debit: online, credit: bank, amountFen: 2_001, card: cardOf(0) }, 'amount_wrong', /holds 2000 fen/],
    [{ debit: online, credit: bank, amountFen: 1, card: cardOf(1) }, 'registry_invalid', /is not open/],
    [{ debit: bank, credit: online, amountFen: 1, card: cardOf(1) }, 'registry_invalid', /is not open/],
    [{ debit: bank, credit: online, amountFen: 1 }, 'registry_invalid', /name the card/]
  ] as const) {
    const answer = await proposed(door, transfer)
    t.match(answer, { status: 422, json: { reason, detail } }, JSON.stringify(transfer))
  }
  await correct(door, { debit: prepaid, credit: bank, amountFen: 8_000 })
  await correct(door, { debit: online, credit: bank, amountFen: 2_000, card: cardOf(0) })
  await verified(t, door)
  await door.close()
})

t.test('and at the approval, where the balance went down meanwhile', async t => {
  const door = await opened()
  const { json: { id } } = await proposed(door, { debit: prepaid, credit: bank, amountFen: 8_000 })
  await sell(door, 'second', 1_000)
  const late = await approved(door, id)
  t.match(late, { status: 422, json: { reason: 'amount_wrong', detail: /holds 7000 fen/ } })
  const { state } = await door.ok('clerk', 'GET', `/v1/proposals/${id}`)
  t.equal(state, 'pending', 'the agent may pay in again')
  await verified(t, door)
  await door.close()
})

t.test('different corrections of one account wait beside each other, the same one reordered not', async t => {
  const door = await opened()
  const start = async (transfers: readonly object[]) => (await door.ask('clerk', 'POST', '/v1/proposals', {
    json: { kind: 'correction', reason: 'the account was looked through', body: { transfers } }
  })).json
  const [one, other] = [{ debit: bank, credit: 'commerce/unidentified-receipts', amountFen: 7 },
    { debit: bank, credit: 'commerce/unidentified-receipts', amountFen: 8, card: cardOf(0) }]
  const first = await start([one, other])
  t.equal(first.state, 'pending')
  t.equal((await start([other, one])).reason, 'proposal_pending', 'the same')
  const second = await start([one])
  t.equal(second.state, 'pending')
  t.not(first.subject, second.subject)
  t.equal((await start([{ ...other, card: cardOf(1) }, one])).state, 'pending', 'of another card')
  await door.close()
})

t.test('a correction names the transfer that was wrong', async t => {
  const door = await opened()
  const sold = await door.db.query<{ id: string, code: string }>(`
    select t.transfer_id::text as id from transfer t join account a on a.account_id = t.debit_account
    where a.heading = 'agent-prepaid' order by 1`)
  const [original] = sold.rows
  const back = { debit: online, credit: prepaid, amountFen: 2_000, card: cardOf(0), corrects: original?.id }
  for (const [transfer, detail] of [
    [{ ...back, corrects: '999999999' }, /no transfer 999999999/],
    [{ debit: bank, credit: 'commerce/shortage', amountFen: 1, corrects: original?.id }, /neither of these/]
  ] as const) {
    t.match((await proposed(door, transfer)).json,
      { reason: 'registry_invalid', where: '/transfers/0/corrects', detail })
  }
  await correct(door, back)
  const { rows } = await door.db.query(`
    select corrects::text, amount_fen as fen from transfer where code = $1 and corrects is not null`,
  [transferCodes.correction])
  t.strictSame(rows, [{ corrects: original?.id, fen: 2_000n }])
  await verified(t, door)
  await door.close()
})

t.test('once the ledger works no card brings value that nobody paid for', async t => {
  const door = await opened()
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')
  const before = await door.ok('auditor', 'GET', '/v1/accounts')
  const registered = async (registry: object) => {
    const { status, json } = await door.ask('registrar', 'PUT', '/v1/registry', { json: registry })
    return { status, ...json }
  }
  const gift = card(7, { soldBy: null, balanceFen: 500_000 })
  t.match(await registered({
    cards: [card(6, { balanceFen: 0 }), gift], terminals: [
      { terminal: 'NEW', operator: 'BUS' }]
  }),
  { reason: 'registry_invalid', where: '/cards/1/balanceFen', detail: /nobody has paid/ })
  const { rows } = await door.db.query(`
    select (select count(*)::int from terminal where code = 'NEW') as terminals,
      (select count(*)::int from card where serial = any($1)) as cards`,
  [[6, 7].map(number => Buffer.from(cardOf(number).serial, 'hex'))])
  t.strictSame(rows, [{ terminals: 0, cards: 0 }], 'refused whole')
  t.strictSame((await door.ok('auditor', 'GET', '/v1/accounts')).accounts, before.accounts)
  t.match(await registered({ cards: [card(0)] }), { cards: 0 }, 'one that is there stays as it is')
  const sold = card(7, { soldBy: 'SHP', balanceFen: 500 })
  t.match(await registered({ cards: [card(6, { balanceFen: 0 }), sold] }), { cards: 2 })
  await verified(t, door)
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
