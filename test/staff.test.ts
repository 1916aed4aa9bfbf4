// People: passwords of their own, sessions that can be seen and ended, roles that two administrators hand
// out, branches that keep to themselves, and a database role that cannot edit the past.
import t from 'tap'
import { passwordWeakness } from '../ledger/core/password.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { appendOnly } from '../ledger/store/grants.ts'
import { cardOf } from './support/posting.ts'
import { password, startDoors, type Door, type Who } from './support/ledger-http.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const approves = { approves: true }
const reason = 'asked for by the head of the office'
const answerOf = async (
  door: Door, who: Who, method: string, path: string, json?: unknown, token?: string
) => {
  const sent = { ...json === undefined ? {} : { json }, ...token === undefined ? {} : { token } }
  const { status, json: body } = await door.ask(who, method, path, sent)
  return status < 300 ? String(status) : `${status} ${body.reason}`
}

async function hire (door: Door, name: string, more: object = {}): Promise<string> {
  const body = { name, roles: ['clerk'], branch: null, active: true, initialPassword: true, ...more }
  const { id } = await door.ok('admin-1', 'POST', '/v1/proposals', { kind: 'staff_member', body, reason })
  await door.ok('admin-2', 'POST', `/v1/proposals/${id}/decisions`, approves)
  const first = await door.ok('admin-1', 'POST', `/v1/staff/${name}/initial-password`)
  const { token } = (await door.signIn(name, first.password)).json
  const wanted = `${name.slice(0, 2)} likes long walks`
  await door.ask(null, 'PUT', '/v1/session/password', { token, json: { old: first.password, wanted } })
  return token
}

t.test('what a password must be', async t => {
  for (const [given, wrong] of [
    ['correct horse battery', false], ['elevenchars', true], ['twelve chars', false],
    ['aaaaaaaaaaaaaa', true],
    ['alice', true], ['my name is Alice!', true], ['ＡＬＩＣＥ is not here', true],
    ['北京西路一百二十三号院三楼', false]
  ] as const) t.equal(passwordWeakness('alice', given) !== null, wrong, given)
})

t.test('a new member: two administrators, one initial password, and first of all another one', async t => {
  const door = await doors.open()
  const ask = (who: Who, method: string, path: string, json?: unknown) =>
    answerOf(door, who, method, path, json)
  const body = { name: 'li.na', roles: ['clerk'], branch: 'EAST', active: true, initialPassword: true }
  const proposal = { kind: 'staff_member', body, reason }
  t.equal(await ask('settler', 'POST', '/v1/proposals', proposal), '403 forbidden')
  const propose = (more: object) =>
    ask('admin-1', 'POST', '/v1/proposals', { ...proposal, body: { ...body, ...more } })
  t.equal(await propose({ roles: ['admin', 'approver'] }), '422 registry_invalid',
    'who hands out roles handles no money')
  t.equal(await propose({ name: 'GW1' }), '422 registry_invalid', 'a machine is no person')
  const { id } = await door.ok('admin-1', 'POST', '/v1/proposals', proposal)
  t.equal(await ask('admin-1', 'POST', `/v1/proposals/${id}/decisions`, approves), '403 self_approval')
  const initial = '/v1/staff/li.na/initial-password'
  t.equal(await ask('admin-1', 'POST', initial), '404 not_found', 'not approved yet')
  t.equal(await ask('admin-2', 'POST', `/v1/proposals/${id}/decisions`, approves), '200')
  t.equal(await ask('admin-2', 'POST', initial), '403 forbidden', 'granted to the other')
  const { password: first } = await door.ok('admin-1', 'POST', initial)
  t.equal(await ask('admin-1', 'POST', initial), '403 forbidden', 'once')

  const signedIn = await door.signIn('li.na', first)
  t.match(signedIn.json, { mustChange: true, branch: 'EAST', roles: ['clerk'] })
  const { token } = signedIn.json
  const own = (method: string, path: string, json?: unknown) =>
    answerOf(door, null, method, path, json, token)
  t.equal(await own('GET', '/v1/days'), '403 password_change_needed')
  const change = (wanted: string, old = first) => own('PUT', '/v1/session/password', { old, wanted })
  t.equal(await change('short'), '422 password_weak')
  t.equal(await change('this is li.na speaking'), '422 password_weak')
  t.equal(await change(first), '422 password_weak', 'the same again')
  t.equal(await change('walks by the river', 'wrong'), '401 credentials_wrong')
  t.equal(await change('walks by the river'), '204')
  t.equal(await own('GET', '/v1/days'), '200', 'the session goes on')
  t.equal((await door.signIn('li.na', first)).status, 401, 'the initial one is gone')
  const { items } = await door.ok('admin-1', 'GET', '/v1/staff')
  t.match(items.find((one: { name: string }) => one.name === 'li.na'),
    { roles: ['clerk'], branch: 'EAST', active: true, mustChange: false })
  t.notMatch(door.logLines().join('\n'), new RegExp(first), 'no password in the log')
  await door.close()
})

t.test('nobody decides on their own roles', async t => {
  const door = await doors.open()
  const member = { branch: null, active: true, initialPassword: false }
  const body = { name: 'admin-2', roles: ['admin', 'auditor'], ...member }
  const { id } = await door.ok('admin-1', 'POST', '/v1/proposals', { kind: 'staff_member', body, reason })
  const deciding = `/v1/proposals/${id}/decisions`
  t.equal(await answerOf(door, 'admin-2', 'POST', deciding, approves), '403 self_approval')
  await door.close()
})

t.test('sessions are seen, ended, and end by themselves', async t => {
  const door = await doors.open()
  const tokenOf = async () => (await door.signIn('clerk', password)).json.token as string
  const [one, other] = [await tokenOf(), await tokenOf()]
  const days = (token: string) => answerOf(door, null, 'GET', '/v1/days', undefined, token)
  const list = async () => (await door.ask(null, 'GET', '/v1/sessions', { token: other })).json.items
  t.equal((await list()).length, 2)
  const [{ id }] = await list()
  t.equal(await answerOf(door, 'settler', 'DELETE', `/v1/sessions/${id}`), '403 forbidden', 'not theirs')
  t.equal(await answerOf(door, null, 'DELETE', `/v1/sessions/${id}`, undefined, other), '204')
  t.equal(await days(one), '401 unauthenticated')
  t.equal(await days(other), '200')
  t.equal((await door.ok('admin-1', 'GET', '/v1/staff/clerk/sessions')).items.length, 1)
  t.equal(await answerOf(door, 'admin-1', 'DELETE', '/v1/sessions/999'), '404 not_found')

  const wanted = 'another good phrase'
  const third = await tokenOf()
  t.equal(await answerOf(door, null, 'PUT', '/v1/session/password', { old: password, wanted }, third), '204')
  t.equal(await days(other), '401 unauthenticated', 'a changed password ends the others')
  t.equal(await answerOf(door, 'admin-1', 'POST', '/v1/staff/clerk/lock'), '204')
  t.equal(await days(third), '401 unauthenticated')
  t.equal((await door.signIn('clerk', wanted)).status, 401, 'who was locked out stays out')
  await door.close()
})

t.test('so many guesses at once are not more than so many in a row', async t => {
  const door = await doors.open()
  const guesses = Array.from({ length: 12 }, () => door.signIn('clerk', 'wrong horse battery'))
  const last = Promise.all(guesses.slice(0, 6)).then(() => door.signIn('clerk', password))
  t.ok((await Promise.all(guesses)).every(({ status }) => status === 401))
  t.equal((await last).status, 401, 'the right one comes too late')
  const { rows } = await door.db.query("select count(*)::int as n from audit where action = 'session.lock'")
  t.strictSame(rows, [{ n: 1 }], 'locked once')
  door.clock.advance(16 * 60_000)
  t.equal((await door.signIn('clerk', password)).status, 200)
  await door.close()
})

t.test('a flood of sign-ins is told to come again, and locks nobody out', async t => {
  const door = await doors.open()
  const flood = Array.from({ length: 120 }, (_, index) => fetch(`${door.url}/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: `nobody-${index}`, password: 'wrong horse battery' })
  }))
  const mine = Array.from({ length: 8 }, () => fetch(`${door.url}/v1/session`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'clerk', password })
  }))
  const busy = (await Promise.all(flood)).filter(({ status }) => status === 503)
  t.ok(busy.length > 0, `${busy.length} of 120`)
  t.match(busy[0]?.headers.get('retry-after'), /^\d+$/)
  t.match(await busy[0]?.json(), { reason: 'unavailable' })
  const mineWere = (await Promise.all(mine)).map(({ status }) => status)
  t.ok(mineWere.every(status => status === 200 || status === 503), 'no failure of mine')
  t.equal((await door.signIn('clerk', password)).status, 200, 'and no lock')
  await door.close()
})

t.test('a machine of a company is of one company', async t => {
  const door = await doors.open()
  for (const kind of ['operator', 'agent'] as const) {
    const clients = [{ id: 'LOST', kind, secret: 's'.repeat(32) }]
    await t.rejects(bootstrap(door.db, { clients }, 0), /say which/, kind)
  }
  await door.close()
})

t.test('a session that nobody uses is over', async t => {
  const door = await doors.open('2026-03-02T12:00:00+08:00', { idleMs: 30 * 60_000 })
  const { token } = (await door.signIn('clerk', password)).json
  const days = () => answerOf(door, null, 'GET', '/v1/days', undefined, token)
  for (let nth = 0; nth < 3; nth++) {
    door.clock.advance(29 * 60_000)
    t.equal(await days(), '200', 'each use prolongs it')
  }
  door.clock.advance(31 * 60_000)
  t.equal(await days(), '401 unauthenticated')
  await door.close()
})

const newMember = { roles: ['clerk'], active: true, initialPassword: true }

t.test('a teller of one branch does not touch what belongs to another', async t => {
  const door = await doors.open()
  const card = (number: number, more: object) => ({
    card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1,
    cityFactor: null, balanceFen: 5_000, counter: 100, soldBy: null, depositFen: 0, ...more
  })
  const psam = {
    psam: '990000000001', issue: 1, terminal: 'E1', from: '2025-01-01T00:00:00+08:00', to: null,
    stolenAt: null, test: false
  }
  const account = { number: '6222000000000009', holder: 'Agent', bankCode: '102100099996' }
  await door.ok('registrar', 'PUT', '/v1/registry', {
    clearingDate: '2026-03-02',
    parties: [
      { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card Company' },
      { code: 'EAGENT', kind: 'agent', nameZh: '东区代理', nameEn: 'East', branch: 'EAST', prepaid: true },
      { code: 'WAGENT', kind: 'agent', nameZh: '西区代理', nameEn: 'West', branch: 'WEST' }
    ],
    terminals: [{ terminal: 'E1', operator: 'EAGENT' }],
    psams: [psam],
    cards: [card(0, { branch: 'EAST' }), card(1, { branch: 'WEST' }), card(2, {})]
  })
  const roles = ['clerk', 'registrar', 'settler', 'approver']
  const token = await hire(door, 'teller', { roles, branch: 'WEST' })
  const ask = (method: string, path: string, json?: unknown) =>
    answerOf(door, null, method, path, json, token)
  const money = { debit: 'commerce/unidentified-receipts', credit: 'commerce/pending-load', amountFen: 1 }
  const correction = (transfer: object) => ask('POST', '/v1/proposals', {
    kind: 'correction', reason, body: { transfers: [{ ...money, ...transfer }] }
  })
  t.equal(await correction({ card: cardOf(0) }), '403 other_branch')
  t.equal(await correction({ card: cardOf(1) }), '201', 'its own')
  t.equal(await correction({ credit: 'commerce/receivable-agent/EAGENT' }), '403 other_branch')
  const registry = (more: object) => ask('PUT', '/v1/registry', more)
  t.equal(await registry({ cards: [card(7, { branch: 'EAST' })] }), '403 other_branch', 'activation')
  t.equal(await registry({ cards: [card(7, { soldBy: 'EAGENT' })] }), '403 other_branch', 'with a first load')
  t.equal(await registry({ parties: [{ code: 'EAGENT', kind: 'agent', nameZh: 'x', nameEn: 'x' }] }),
    '403 other_branch', 'nor takes it over')
  t.equal(await registry({ cards: [card(7, { soldBy: 'WAGENT', branch: 'WEST' })] }), '200')
  for (const stage of ['close', 'instruct']) {
    t.equal(await ask('POST', `/v1/days/2026-03-02/${stage}`), '403 other_branch', `${stage} is the city's`)
  }
  for (const [kind, body] of [
    ['agent_prefund', { agent: 'EAGENT', amountFen: 1_000, bankReference: 'B1' }],
    ['bank_account', { ...account, party: 'EAGENT' }],
    ['hold_release', { party: 'EAGENT' }],
    ['account_closing', { account: 'commerce/merchant-held/EAGENT' }],
    ['card_account_closing', { account: 'commerce/online', card: cardOf(0) }],
    ['grey_expiry', { card: cardOf(0), counter: 101 }],
    ['redate', { psam: '990000000001', issue: 1 }],
    ['attribute_line', { line: 1, account: 'commerce/receivable-agent/EAGENT' }]
  ] as const) t.equal(await ask('POST', '/v1/proposals', { kind, reason, body }), '403 other_branch', kind)
  t.equal(await registry({ bankAccounts: [{ ...account, party: 'EAGENT' }] }), '403 other_branch',
    'nor says where it is paid')
  t.equal(await registry({ terminals: [{ terminal: 'E2', operator: 'EAGENT' }] }), '403 other_branch')
  t.equal(await registry({ psams: [{ ...psam, issue: 2 }] }), '403 other_branch')
  t.equal(await registry({ bankAccounts: [{ ...account, party: 'WAGENT' }] }), '200', 'its own')
  const foreign = await door.ok('clerk', 'POST', '/v1/proposals', {
    kind: 'correction', reason, body: {
      transfers: [{ ...money, debit: 'commerce/shortage', credit: 'commerce/receivable-agent/EAGENT' }]
    }
  })
  const deciding = `/v1/proposals/${foreign.id}/decisions`
  t.equal(await ask('POST', deciding, approves), '403 other_branch', 'nor approves')
  await door.close()
})

t.test('an administrator of a branch makes members of that branch only', async t => {
  const door = await doors.open()
  const token = await hire(door, 'boss', { roles: ['admin'], branch: 'WEST' })
  const start = (name: string, branch: string | null) => answerOf(door, null, 'POST', '/v1/proposals', {
    kind: 'staff_member', reason, body: { ...newMember, name, branch }
  }, token)
  t.equal(await start('east', 'EAST'), '403 other_branch')
  t.equal(await start('city', null), '403 other_branch', 'nor one of the whole city')
  t.equal(await start('clerk', 'WEST'), '403 other_branch', 'nor takes one of the whole city into the branch')
  t.equal(await start('west', 'WEST'), '201')
  await door.close()
})

t.test('whoever serves cannot edit the past', async t => {
  const door = await doors.open()
  for (const table of appendOnly) {
    for (const statement of [`update ${table} set`, `delete from ${table}`, `truncate ${table}`]) {
      const { rows: [column] } = await door.ledger.db.query<{ name: string }>(`
        select attname as name from pg_attribute
          where attrelid = $1::regclass and attnum > 0 and attidentity = '' order by attnum limit 1`, [table])
      const whole = statement.endsWith(' set') ? `${statement} ${column?.name} = ${column?.name}` : statement
      await t.rejects(door.ledger.db.query(whole), { code: '42501' }, whole)
    }
  }
  await t.rejects(door.ledger.db.query('delete from transfer_20260302'), { code: /42501|42P01/ }, 'nor past its parent')
  await t.rejects(door.ledger.db.query('drop table audit'), { code: '42501' })
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
