// Online requests through the ledger's door and below it: what is approved and declined and why, once each,
// whoever asks at the same moment; and that the clearing day pays for them.
import t, { type Test } from 'tap'
import { createRandom } from '../terminal-sim/random.ts'
import { gather } from '../runtime/gather.ts'
import type { Registry } from '../schemas/api.ts'
import type { MoneyRequest, RequestReply } from '../schemas/request.ts'
import { answerRequests, requestDesk, type Asked } from '../ledger/posting/requests.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { accountDifferences, balances } from '../ledger/store/balances.ts'
import type { Db } from '../ledger/store/db.ts'
import { guardedDifferences, guardedTotalDifferences } from '../ledger/store/guarded.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { openWithClients, secretOf, startDoors, type Answer, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const anonymous = cardOf(0)
const named = cardOf(1)
const registry: Registry = {
  clearingDate: '2026-03-02',
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
    { code: 'PRK', kind: 'operator', nameZh: '停车', nameEn: 'Parking', service: 'retail' },
    { code: 'SHP', kind: 'agent', nameZh: '商店', nameEn: 'Shop' },
    { code: 'PRE', kind: 'agent', nameZh: '预存代理', nameEn: 'Prefunded agent', prepaid: true }],
  commissions: [
    { party: 'PRK', product: 'debit', ratePpm: 5_000, from: '2026-01-01' },
    { party: 'SHP', product: 'load', ratePpm: 2_000, from: '2026-01-01' },
    { party: 'PRE', product: 'load', ratePpm: 2_000, from: '2026-01-01' }],
  cards: Array.from({ length: 40 }, (_, number) => ({
    card: cardOf(number), profile: 't-union' as const, suite: '3des' as const, keyVersion: 1,
    cityFactor: null,
    type: number === 0 ? 'anonymous' as const : number === 9 ? 'test' as const : 'named' as const,
    balanceFen: 5_000, counter: 100, soldBy: null, depositFen: 0
  })),
  policies: { topUpStepFen: 1_000 }
}
const clients = { PARK: ['operator', 'PRK'], SHOP: ['agent', 'SHP'], FORE: ['agent', 'PRE'] } as const

const opened = (): Promise<Door> => openWithClients(doors, registry, clients)

const send = (door: Door, client: string, json: unknown): Promise<Answer> =>
  door.ask(null, 'POST', '/v1/requests', { json, token: `${client}.${secretOf(client)}` })

/** Four people and a bank line: the agent has paid in. */
async function prefund (door: Door, amountFen: number): Promise<Answer> {
  const started = await door.ask('clerk', 'POST', '/v1/proposals', {
    json: {
      kind: 'agent_prefund', reason: 'bank line of this morning',
      body: { agent: 'PRE', amountFen, bankReference: `B${amountFen}` }
    }
  })
  if (started.status !== 201) return started
  return await door.ask('approver-1', 'POST', `/v1/proposals/${started.json.id}/decisions`,
    { json: { approves: true } })
}

/** Asks in the order of the table, each by itself: `SHOP top_up k1 1000 -> approved ok 1000`. */
async function story (t: Test, door: Door, table: string): Promise<void> {
  for (const line of table.split('\n').map(line => line.trim()).filter(Boolean)) {
    const [said = '', expected = ''] = line.split('->').map(part => part.trim())
    const [client = '', kind = '', key = '', card = '', amount = '', party = ''] = said.split(/\s+/)
    const shared = { kind, key: `request-${key}` }
    const json = kind === 'reinstatement'
      ? { ...shared, of: { key: `request-${card}` } }
      : kind === 'reversal'
        ? { ...shared, of: { key: `request-${card}`, client: party || client }, ...amountOf(amount) }
        : kind === 'balance'
          ? { ...shared, card: cardOf(Number(card)) }
          : { ...shared, card: cardOf(Number(card)), amountFen: Number(amount), party }
    const { status, json: reply } = await send(door, client, json)
    const answer = status === 200
      ? `${reply.outcome} ${reply.reason} ${reply.balanceFen ?? '-'}${reply.replayed ? ' again' : ''}`
      : `${status} ${reply.reason}${reply.where === undefined ? '' : ` ${reply.where}`}`
    t.equal(answer, expected, said)
  }
}
const amountOf = (text: string) => text === 'all' ? {} : { amountFen: Number(text) }

async function books (db: Db): Promise<Record<string, number>> {
  return Object.fromEntries((await balances(db, null))
    .map(row => [
      `${row.heading}${row.party === null ? '' : `/${row.party}`}`, Number(row.debitFen - row.creditFen)
    ] as const)
    .filter(([, fen]) => fen !== 0))
}

t.test('a line of the bank becomes money of an agent once', async t => {
  const door = await opened()
  t.equal((await prefund(door, 5_000)).json.state, 'done')
  t.match((await prefund(door, 5_000)).json, { reason: 'charge_conflict', where: '/body/bankReference' })
  t.equal((await books(door.db))['agent-prepaid/PRE'], -5_000)
  await door.close()
})

t.test('cards that a prefunded agent sells are taken from what it has paid in', async t => {
  const door = await opened()
  await prefund(door, 5_000)
  const sale = (number: number, balanceFen: number) => ({
    cards: [{
      card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1,
      cityFactor: null, balanceFen, counter: 0, soldBy: 'PRE', depositFen: 1_000
    }]
  })
  await door.ok('registrar', 'PUT', '/v1/registry', sale(100, 2_500))
  const after = await books(door.db)
  t.equal(after['agent-prepaid/PRE'], -1_500)
  t.equal(after['receivable-agent/PRE'], undefined)
  t.match(await door.ask('registrar', 'PUT', '/v1/registry', { json: sale(101, 501) }),
    { status: 422, json: { reason: 'amount_wrong', detail: /PRE holds 1500 fen/ } })
  await door.ok('registrar', 'PUT', '/v1/registry', sale(101, 500))
  t.equal((await books(door.db))['agent-prepaid/PRE'], undefined, 'all of it is sold')
  t.strictSame((await door.ok('auditor', 'POST', '/v1/verify')).checks
    .filter((one: { ok: boolean }) => !one.ok), [])
  await door.close()
})

t.test('what a terminal has named is one request, whichever gateway brings it', async t => {
  const door = await opened()
  await bootstrap(door.db, { clients: [{ id: 'GW2', kind: 'gateway', secret: secretOf('GW2') }] },
    door.clock.now())
  const topUp = { kind: 'top_up', key: 'trace-000001', card: named, amountFen: 5_000, party: 'SHP' }
  const back = { kind: 'reversal', key: 'trace-000001.r', of: { key: 'trace-000001' } }
  const rows = [
    ['GW1', topUp, 'SHP/POS-1', 'approved ok 5000'],
    ['GW2', topUp, 'SHP/POS-1', 'approved ok 5000 again'],
    ['GW2', { ...topUp, amountFen: 6_000 }, 'SHP/POS-1', '409 request_conflict /amountFen'],
    ['GW2', topUp, 'SHP/POS-2', 'approved ok 10000'],
    ['GW2', topUp, 'SHP', 'approved ok 15000'],
    ['GW2', topUp, undefined, 'approved ok 20000'],
    ['GW2', back, 'SHP/POS-1', 'approved ok 15000'],
    ['GW1', back, 'SHP/POS-1', 'approved ok 15000 again'],
    ['GW1', { kind: 'reinstatement', key: 'trace-000001.n', of: { key: back.key } }, 'SHP/POS-1',
      'approved ok 20000'],
    ['GW1', { ...back, key: 'trace-000002.r', of: { key: 'trace-000002' } }, 'SHP/POS-1',
      'declined original_unknown -'],
    ['GW2', { ...topUp, key: 'trace-000002' }, 'SHP/POS-1', 'declined taken_back -'],
    ['GW1', { ...back, key: 'of-another-1', of: { ...back.of, client: '@SHP/POS-2' } }, undefined,
      'approved ok 15000'],
    ['SHOP', { ...topUp, key: 'trace-000003' }, 'SHP/POS-1', '403 forbidden /by']
  ] as const
  for (const [client, json, by, expected] of rows) {
    const { status, json: reply } = await send(door, client, { ...json, ...by === undefined ? {} : { by } })
    const answer = status === 200
      ? `${reply.outcome} ${reply.reason} ${reply.balanceFen ?? '-'}${reply.replayed ? ' again' : ''}`
      : `${status} ${reply.reason} ${reply.where}`
    t.equal(answer, expected, `${client} ${json.kind} ${json.key} by ${by}`)
  }
  t.strictSame(await accountDifferences(door.db, null), [])
  await door.close()
})

t.test('approved and declined, each reason in its place', async t => {
  const door = await opened()
  await story(t, door, `
    PARK  purchase  a1  0  100     PRK  -> declined account_unknown -
    SHOP  top_up    a2  0  20000   SHP  -> approved ok 20000
    PARK  purchase  a3  0  20001   PRK  -> declined insufficient_funds 20000
    PARK  purchase  a4  0  5000    PRK  -> approved ok 15000
    GW1   purchase  a5  0  5000    SHP  -> approved ok 10000
    GW1   balance   a6  0               -> approved ok 10000
    GW1   balance   a6  2               -> declined account_unknown -
    GW1   balance   a6  77              -> declined card_unknown -
    GW1   purchase  a7  0  100     NIX  -> declined party_unknown -
    GW1   purchase  a8  77 100     PRK  -> declined card_unknown -
    GW1   purchase  a9  9  100     PRK  -> declined test_card -
    GW1   top_up    b1  0  1500    SHP  -> declined amount_not_allowed -
    GW1   purchase  b2  0  100001  PRK  -> declined amount_over_limit -
    GW1   top_up    b3  0  86000   SHP  -> declined balance_over_limit 10000
    GW1   top_up    b4  0  85000   SHP  -> approved ok 95000
    GW1   top_up    b5  1  495000  SHP  -> approved ok 495000
    GW1   top_up    b6  1  1000    SHP  -> declined balance_over_limit 495000
    FORE  top_up    b7  1  1000    PRE  -> declined agent_insufficient 495000`)
  await door.ok('registrar', 'POST', '/v1/blacklist',
    { add: [{ card: anonymous, reason: 'loss', at: '2026-03-02T11:00:00+08:00' }], remove: [] })
  await story(t, door, `
    GW1   purchase  c1  0  100     PRK  -> declined card_blocked -
    GW1   purchase  c1  0  100     PRK  -> declined card_blocked - again`)
  t.strictSame(await guardedDifferences(door.db), [])
  await door.close()
})

t.test('who may ask for whom', async t => {
  const door = await opened()
  await story(t, door, `
    PARK  purchase  a1  0  100   SHP  -> 403 forbidden /party
    SHOP  top_up    a2  0  1000  PRE  -> 403 forbidden /party
    SHOP  top_up    a3  0  2000  SHP  -> approved ok 2000
    PARK  reversal  a4  a3 all   SHOP -> declined original_unknown -`)
  for (const who of ['registrar', 'auditor', 'clerk', 'approver-1'] as const) {
    const asked = { kind: 'balance', key: 'request-x1', card: named }
    t.equal((await door.ask(who, 'POST', '/v1/requests', { json: asked })).status, 403, who)
  }
  t.equal((await door.ask(null, 'POST', '/v1/requests', { json: {} })).status, 401)
  t.equal((await send(door, 'GW1', { kind: 'purchase', key: 'short' })).json.reason, 'body_invalid')
  await door.close()
})

t.test('a repeat gets the first answer; a look-alike is told which field differs', async t => {
  const door = await opened()
  await story(t, door, `
    SHOP  top_up    a1  0  2000  SHP -> approved ok 2000
    SHOP  top_up    a1  0  2000  SHP -> approved ok 2000 again
    SHOP  top_up    a1  0  3000  SHP -> 409 request_conflict /amountFen
    SHOP  top_up    a1  1  2000  SHP -> 409 request_conflict /card
    SHOP  purchase  a1  0  2000  SHP -> 409 request_conflict /kind
    GW1   top_up    a1  0  1000  SHP -> approved ok 3000
    PARK  purchase  a1  0  2500  PRK -> approved ok 500
    PARK  purchase  a2  0  600   PRK -> declined insufficient_funds 500
    SHOP  top_up    a5  0  1000  SHP -> approved ok 1500
    PARK  purchase  a2  0  600   PRK -> declined insufficient_funds 500 again
    PARK  purchase  a3  0  600   PRK -> approved ok 900`)
  t.strictSame(await books(door.db), {
    'custody-bank': 200_000, purse: -200_000, 'receivable-agent/SHP': 4_000, online: -900,
    'merchant-pending/PRK': -3_100
  })
  await door.close()
})

t.test('what was sold comes back in parts, never more than was left, naming the original', async t => {
  const door = await opened()
  await story(t, door, `
    SHOP  top_up    a1  0  10000 SHP  -> approved ok 10000
    PARK  purchase  a2  0  5000  PRK  -> approved ok 5000
    PARK  reversal  a3  a2 3000       -> approved ok 8000
    PARK  reversal  a4  a2 3000       -> declined amount_over_remaining -
    PARK  reversal  a5  a2 all        -> approved ok 10000
    PARK  reversal  a6  a2 all        -> declined amount_over_remaining -
    PARK  reversal  a7  a5 all        -> declined original_declined -
    PARK  reversal  a8  a4 all        -> declined original_declined -
    PARK  reversal  a9  zz all        -> declined original_unknown -
    PARK  purchase  b1  0  9000  PRK  -> approved ok 1000
    SHOP  reversal  b2  a1 all        -> declined insufficient_funds 1000
    SHOP  reversal  b3  a1 1000       -> approved ok 0`)
  const { rows } = await door.db.query<Record<string, bigint>>(`
    select r.amount_fen, r.corrects = o.transfer_id and r.debit_account = o.credit_account
      and r.credit_account = o.debit_account as swapped
    from transfer r join transfer o on o.transfer_id = r.corrects order by r.transfer_id`)
  t.strictSame(rows.map(row => [row['amount_fen'], row['swapped']]),
    [[3_000n, true], [2_000n, true], [1_000n, true]])
  t.strictSame(await books(door.db), {
    'custody-bank': 200_000, purse: -200_000, 'receivable-agent/SHP': 9_000, 'merchant-pending/PRK': -9_000
  })
  await door.close()
})

t.test('an account is closed when it holds nothing, and takes no money after it', async t => {
  const door = await opened()
  await story(t, door, `
    SHOP  top_up    a1  0  1000 SHP -> approved ok 1000`)
  const body = { account: 'commerce/online', card: anonymous }
  const start = (body: unknown) => door.ask('clerk', 'POST', '/v1/proposals',
    { json: { kind: 'card_account_closing', body, reason: 'the holder has left the city' } })
  t.equal((await start(body)).json.reason, 'account_not_empty')
  const purse = { account: 'commerce/purse', card: anonymous }
  t.equal((await start(purse)).json.reason, 'not_found', 'the chip guards it, not we')
  t.equal((await start({ account: 'commerce/online' })).json.reason, 'body_invalid')
  await story(t, door, `
    PARK  purchase  a2  0  1000 PRK -> approved ok 0`)
  const started = await start(body)
  t.equal(started.status, 201)
  await door.ok('approver-1', 'POST', `/v1/proposals/${started.json.id}/decisions`, { approves: true })
  await story(t, door, `
    SHOP  top_up    a3  0  1000 SHP -> declined account_closed 0
    PARK  reversal  a4  a2 all      -> declined account_closed 0`)
  t.equal((await start(body)).json.reason, 'not_found', 'closed once')
  // As people would have closed it, were it empty.
  await door.db.query(`
    with own as (
      select account_id from account join party using (party_id)
      where code = 'SHP' and heading = 'receivable-agent'),
    closed as (
      update account a set closed_at = now() from own where a.account_id = own.account_id)
    insert into account_closing (account_id, from_at) select account_id, now() from own`)
  await door.ok('registrar', 'PUT', '/v1/registry', { terminals: [] }) // the registry has changed
  await story(t, door, `
    SHOP  top_up    a5  1  1000 SHP -> declined account_closed -
    GW1   top_up    a6  1  1000 PRK -> approved ok 1000`)
  await door.close()
})

t.test('a prefunded agent sells what it has paid in; the day pays commission and sums to zero', async t => {
  const door = await opened()
  t.equal((await prefund(door, 30_000)).json.state, 'done')
  await story(t, door, `
    FORE  top_up    a1  1  20000 PRE -> approved ok 20000
    FORE  top_up    a2  2  11000 PRE -> declined agent_insufficient 0
    FORE  top_up    a3  2  10000 PRE -> approved ok 10000
    FORE  reversal  a4  a3 4000      -> approved ok 6000
    SHOP  top_up    a5  3  50000 SHP -> approved ok 50000
    SHOP  reversal  a6  a5 10000     -> approved ok 40000
    PARK  purchase  a7  1  15000 PRK -> approved ok 5000
    PARK  reversal  a8  a7 5000      -> approved ok 10000`)
  t.equal((await prefund(door, -5_000)).json.reason, 'account_not_empty', 'no more comes back than is unsold')
  t.equal((await prefund(door, -4_000)).json.state, 'done')
  door.clock.set(Date.parse('2026-03-03T08:00:00+08:00'))
  const day = await door.ok('settler', 'POST', '/v1/days/2026-03-02/close')
  // By hand. PRK: claims 150.00, back 50.00, commission 0.50 % of 100.00. PRE owes nothing, it has paid: only
  // 0.20 % of the 260.00 it sold. SHP took 400.00 and gets 0.80 for it. ISS is the mirror.
  t.strictSame(day.positions.map((position: Record<string, number>) => [
    position['party'], position['claimsFen'], position['adjustmentsFen'], position['commissionFen'],
    position['loadsFen'], position['loadCommissionFen'], position['netFen']]), [
    ['ISS', -15_000, 5_000, -50, -40_000, -132, 29_918], ['PRE', 0, 0, 0, 0, 52, 52],
    ['PRK', 15_000, -5_000, 50, 0, 0, 9_950], ['SHP', 0, 0, 0, 40_000, 80, -39_920]])
  t.equal(day.netSumFen, 0)
  const after = await books(door.db)
  t.equal(after['merchant-settlement/PRE'], -52)
  t.equal(after['merchant-settlement/SHP'], 39_920)
  t.equal(after['receivable-agent/SHP'] ?? 0, 0)
  t.equal(after['agent-prepaid/PRE'] ?? 0, 0)
  const report = await verifyBooks(door.db)
  t.ok(report.ok, JSON.stringify(report.checks.filter(check => !check.ok)))
  await door.close()
})

t.test('a guarded balance that was changed by hand is found and named', async t => {
  const door = await opened()
  await story(t, door, `
    SHOP  top_up  a1  0  2000 SHP -> approved ok 2000`)
  await door.db.query('update guarded_balance set balance_fen = balance_fen + 1 where card_id > 0')
  const [found] = await guardedDifferences(door.db)
  t.match(found, { what: /guarded balance of account \d+ card 1$/, leftFen: 2_001n, rightFen: 2_000n })
  t.equal((await guardedTotalDifferences(door.db)).length, 1)
  const report = await verifyBooks(door.db)
  t.notOk(report.checks.find(({ check }) => check === 'guarded balances equal their transfers')?.ok)
  await door.close()
})

/* ---- many at once ---- */

const request = (
  kind: 'purchase' | 'top_up', key: string, card: number, amountFen: number, party: string
): Asked => {
  const asked: MoneyRequest = { kind, key, card: cardOf(card), amountFen, party }
  return { client: 'GW1', party: null, request: asked }
}

const outcomes = (replies: readonly (RequestReply | Error)[]): string[] =>
  replies.map(reply => reply instanceof Error ? reply.message : reply.reason)

t.test('one poor card costs nobody else anything, in one transaction', async t => {
  const { ledger, db, close } = await opened()
  await answerRequests(ledger, [1, 2, 3].map(card => request('top_up', `load-${card}`, card, 1_000, 'SHP')))
  const replies = await answerRequests(ledger, [
    request('purchase', 'buy-1', 1, 700, 'PRK'), request('purchase', 'buy-2', 2, 1_001, 'PRK'),
    request('purchase', 'buy-3', 3, 1_000, 'PRK'), request('purchase', 'buy-4', 1, 700, 'PRK'),
    request('purchase', 'buy-5', 1, 300, 'PRK')])
  t.strictSame(outcomes(replies), ['ok', 'insufficient_funds', 'ok', 'insufficient_funds', 'ok'])
  const { rows: [batch] } = await db.query<{ items: number, transfers: number }>(
    "select items, transfers from batch where kind = 'requests' order by batch_id desc limit 1")
  t.strictSame(batch, { items: 5, transfers: 3 })
  await close()
})

t.test('writers that share cards and agents never deadlock, and lose or double nothing', async t => {
  const { ledger, db, close } = await opened()
  const deadlocks = async () => {
    const { rows } = await db.query<{ deadlocks: bigint }>(
      'select deadlocks from pg_stat_database where datname = current_database()')
    return rows[0]?.deadlocks
  }
  const random = createRandom('writers')
  const cards = Array.from({ length: 30 }, (_, number) => number + 10)
  await answerRequests(ledger, cards.map(card => request('top_up', `first-${card}`, card, 10_000, 'SHP')))
  let keys = 0
  const batch = (): Asked[] => random.shuffle(cards).slice(0, 20).map(card => random.int(0, 1) === 0
    ? request('purchase', `many-${keys++}`, card, random.int(1, 3_000), 'PRK')
    : request('top_up', `many-${keys++}`, card, 1_000, 'SHP'))
  const batches = Array.from({ length: 60 }, batch)
  const writers = Array.from({ length: 6 }, async (_, writer) => {
    const replies: (RequestReply | Error)[] = []
    for (let at = writer; at < batches.length; at += 6) {
      replies.push(...await answerRequests(ledger, batches[at] ?? []))
    }
    return replies
  })
  const replies = (await Promise.all(writers)).flat() as RequestReply[]
  t.equal(await deadlocks(), 0n)
  // By another route: the answers added up.
  const sum = (kind: string) => replies.filter(reply => reply.kind === kind)
    .reduce((total, reply) => total + reply.amountFen, 0)
  t.strictSame(await books(db), {
    'custody-bank': 200_000, purse: -200_000, 'merchant-pending/PRK': -sum('purchase'),
    'receivable-agent/SHP': 300_000 + sum('top_up'), online: -(300_000 + sum('top_up') - sum('purchase'))
  })
  t.strictSame(await guardedDifferences(db), [])
  t.strictSame(await accountDifferences(db, null), [])
  await close()
})

t.test('one request told at the same moment over many connections is carried out once', async t => {
  const { ledger, db, close } = await opened()
  const replies = await Promise.all(Array.from({ length: 8 }, () =>
    answerRequests(ledger, [request('top_up', 'same-key-1', 5, 3_000, 'SHP')])))
  t.equal(replies.flat().filter(reply => !(reply as RequestReply).replayed).length, 1)
  t.ok(replies.flat().every(reply => (reply as RequestReply).balanceFen === 3_000))
  t.equal((await books(db))['online'], -3_000)
  const reversed = await Promise.all(Array.from({ length: 6 }, (_, place) => answerRequests(ledger, [{
    client: 'GW1', party: null,
    request: { kind: 'reversal', key: `back-${place}00000`, of: { key: 'same-key-1' }, amountFen: 1_000 }
  }])))
  t.strictSame(outcomes(reversed.flat()).sort(),
    ['amount_over_remaining', 'amount_over_remaining', 'amount_over_remaining', 'ok', 'ok', 'ok'])
  await close()
})

t.test('a reversal that comes first declines its original, whenever that comes', async t => {
  const door = await opened()
  await story(t, door, `
    SHOP  top_up    a1  0  10000  SHP  -> approved ok 10000
    PARK  reversal  a2  a3 all         -> declined original_unknown -
    PARK  purchase  a3  0  500    PRK  -> declined taken_back -
    PARK  purchase  a3  0  500    PRK  -> declined taken_back -
    PARK  reversal  a2  a3 all         -> declined original_unknown - again
    PARK  reversal  a4  a3 all         -> declined original_unknown -
    SHOP  reversal  a5  b1 all    PARK -> declined original_unknown -
    PARK  purchase  b1  0  500    PRK  -> approved ok 9500`)
  const { ledger, db } = door
  const outcomesOf = async (place: number): Promise<string[]> => {
    const key = `at-once-${place}`
    const both = [
      request('purchase', key, 0, 100, 'PRK'),
      { client: 'GW1', party: null, request: { kind: 'reversal' as const, key: `${key}-back`, of: { key } } }
    ]
    const asked = place % 2 === 0 ? both : both.reverse()
    const replies = await Promise.all(asked.map(one => answerRequests(ledger, [one])))
    return outcomes((place % 2 === 0 ? replies : replies.reverse()).flat())
  }
  const seen = await Promise.all(Array.from({ length: 12 }, (_, place) => outcomesOf(place)))
  const possible = ['ok ok', 'taken_back original_unknown']
  t.strictSame(seen.map(one => one.join(' ')).filter(one => !possible.includes(one)), [],
    'either order, nothing between')
  t.equal((await books(db))['online'], -9_500, 'nothing moved for any of them')
  t.strictSame(await accountDifferences(db, null), [])
  await door.close()
})

t.test('a reversal is taken back, and the original can be reversed again', async t => {
  const door = await opened()
  await story(t, door, `
    SHOP  top_up         a1  0  10000  SHP  -> approved ok 10000
    PARK  purchase       a2  0  4000   PRK  -> approved ok 6000
    PARK  reversal       a3  a2 4000        -> approved ok 10000
    PARK  reinstatement  a4  a3             -> approved ok 6000
    PARK  reinstatement  a4  a3             -> approved ok 6000 again
    PARK  reinstatement  a5  a3             -> declined amount_over_remaining -
    PARK  reinstatement  a6  a2             -> declined original_declined -
    PARK  reversal       d1  a4 all         -> declined original_declined -
    PARK  reversal       a7  a2 1000        -> approved ok 7000
    PARK  reversal       a8  a2 all         -> approved ok 10000
    PARK  reversal       a9  a2 all         -> declined amount_over_remaining -
    PARK  reinstatement  b1  b2             -> declined original_unknown -
    PARK  reversal       b2  a2 all         -> declined taken_back -
    SHOP  reversal       c1  a1 all         -> approved ok 0
    PARK  reinstatement  c2  a8             -> declined insufficient_funds 0
    SHOP  reinstatement  c3  c1             -> approved ok 10000`)
  t.strictSame(await guardedDifferences(door.db), [])
  t.strictSame(await accountDifferences(door.db, null), [])
  const report = await verifyBooks(door.db)
  t.ok(report.ok, JSON.stringify(report.checks.filter(check => !check.ok)))
  await door.close()
})

t.test('requests that come together share a transaction; a lone one waits for nobody', async t => {
  const { ledger, db, close } = await opened()
  const ask = requestDesk(ledger)
  const batches = async () => {
    const { rows } = await db.query<{ n: bigint }>(
      "select count(*) as n from batch where kind = 'requests'")
    return Number(rows[0]?.n)
  }
  const replies = await Promise.all(Array.from({ length: 200 }, (_, place) =>
    ask(request('top_up', `gather-${place}`, 10 + place % 30, 1_000, 'SHP'))))
  t.ok(replies.every(reply => reply.outcome === 'approved'))
  t.ok(await batches() <= 3, `${await batches()} transactions for 200 requests`)
  const twice = await Promise.all([1, 2].map(() => ask(request('top_up', 'gather-same', 1, 1_000, 'SHP'))))
  t.strictSame(twice.map(reply => reply.replayed), [false, true], 'the same request never shares with itself')
  await t.rejects(ask(request('top_up', 'gather-same', 1, 2_000, 'SHP')), /with another amountFen/)
  await close()
})

t.test('gathering: bounded, in order, one failure is one failure', async t => {
  const seen: number[][] = []
  const ask = gather<number, number>(async items => {
    seen.push([...items])
    if (items.includes(99)) throw new Error('all of them')
    return items.map(item => item < 0 ? new Error(`no ${item}`) : item * 2)
  }, { itemsMax: 3, waitingMax: 6, full: () => new Error('full'), namesOf: item => [String(item % 10)] })
  const answers = await Promise.allSettled([1, 2, -3, 4, 11, 12, 7].map(ask))
  t.strictSame(answers.map(one => one.status === 'fulfilled' ? one.value : (one.reason as Error).message),
    [2, 4, 'no -3', 8, 22, 24, 'full'])
  t.strictSame(seen, [[1, 2, -3], [4, 11, 12]])
  seen.length = 0
  await Promise.all([5, 15, 25, 6].map(ask))
  t.strictSame(seen, [[5, 6], [15], [25]], 'what is about the same thing waits its turn')
  await t.rejects(ask(99), /all of them/)
  t.equal(await ask(8), 16, 'and goes on after it')
})

t.test('every answer is as described', async t => {
  t.strictSame(doors.mismatches(), [])
})
