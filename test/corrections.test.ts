// Postings that people decide on: what an account does not take is refused in words, whoever asks and
// whenever it turns out, and nothing is written.
import t, { type Test } from 'tap'
import type { Registry } from '../schemas/api.ts'
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

t.strictSame(doors.mismatches(), [], 'every answer is as described')
