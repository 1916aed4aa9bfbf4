// The ledger's door: who may enter, what hostile bytes are answered, and that every answer is what the
// OpenAPI description says.
import t from 'tap'
import { request } from 'node:http'
import { cardKey, type CardRef } from '../schemas/record.ts'
import { requestReasons } from '../schemas/reasons.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord } from '../schemas/clearing-file/event.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { cardOf, recordOf } from './support/posting.ts'
import { machines, password, secretOf, staff, startDoors, type Answer, type Door, type Who }
  from './support/ledger-http.ts'
import { bankAccounts } from './support/settling.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
const D = '2026-03-02'
const merchant = '430400000000002'

const registry = {
  clearingDate: D,
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card Company' },
    { code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', merchant, industry: '02' },
    { code: 'NAT', kind: 'centre', nameZh: '全国清分中心', nameEn: 'National Centre' }
  ],
  terminals: [{ terminal: 'B1', operator: 'BUS' }, { terminal: 'B2', operator: 'BUS' }],
  psams: [{
    psam: '990000000001', issue: 1, terminal: 'B1', from: '2025-01-01T00:00:00+08:00', to: null,
    stolenAt: null, test: false
  }],
  cards: [0, 1, 2].map(number => ({
    card: cardOf(number), profile: 't-union', type: 'anonymous', suite: '3des', keyVersion: 1,
    cityFactor: null, balanceFen: 5_000,
    counter: 100, soldBy: null, depositFen: 0
  }))
}
async function opened (): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', registry)
  return door
}

/** Every refusal is a problem document whose status and title are those of its reason. */
function isProblem (t: { match: (found: unknown, wanted: object, what: string) => unknown }, answer: Answer,
  reason: keyof typeof requestReasons, what: string): void {
  const { http, en } = requestReasons[reason]
  t.match({ status: answer.status, type: answer.type, json: answer.json }, {
    status: http, type: /^application\/problem\+json/, json: {
      type: `urn:citizen-card:problem:${reason}`,
      status: http, title: en, reason, instance: /^\/[^?]*$/
    }
  }, what)
}

t.test('staff sign in, and nobody learns which names exist', async t => {
  const door = await opened()
  const right = await door.signIn('settler', password)
  t.match(right.json, {
    token: /^[\w-]{43}$/, expiresAt: '2026-03-03T00:00:00.000+08:00',
    roles: ['settler'], branch: null, mustChange: false
  })
  const [wrong, unknown] = [await door.signIn('settler', 'wrong'), await door.signIn('nobody', 'wrong')]
  isProblem(t, wrong, 'credentials_wrong', 'a wrong password')
  t.strictSame(unknown, wrong, 'an unknown name gets the same words')
  const { rows } = await door.db.query<{ hash: string, token: Buffer }>(
    "select password_hash as hash, token_hash as token from staff, session where name = 'settler' limit 1")
  t.match(rows[0]?.hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  t.notMatch(door.logLines().join('\n'), new RegExp(`${password}|${right.json.token}`),
    'neither passwords nor tokens in the log')

  const token = right.json.token as string
  t.equal((await door.ask(null, 'GET', '/v1/days', { token })).status, 200)
  door.clock.advance(12 * 3_600_000)
  isProblem(t, await door.ask(null, 'GET', '/v1/days', { token }), 'unauthenticated',
    'a session ends after twelve hours')
  const again = (await door.signIn('settler', password)).json.token
  const whoAsks = await door.ask(null, 'GET', '/v1/session', { token: again })
  t.match(whoAsks.json, { name: 'settler', expiresAt: '2026-03-03T12:00:00.000+08:00', csrf: null })
  const credentials = { name: 'settler', password }
  const { json: inBrowser } = await door.ask(null, 'POST', '/v1/session/browser', { json: credentials })
  t.match(inBrowser, { name: 'settler', roles: ['settler'], csrf: /^[\w-]{43}$/ })
  t.notOk('token' in inBrowser, 'it is in the cookie alone')
  t.equal((await door.ask(null, 'DELETE', '/v1/session', { token: again })).status, 204)
  isProblem(t, await door.ask(null, 'GET', '/v1/days', { token: again }), 'unauthenticated', 'signed out')
  await door.close()
})

t.test('five failures lock a name for a quarter of an hour, known or not', async t => {
  const door = await opened()
  for (let nth = 1; nth <= 5; nth++) t.equal((await door.signIn('approver-1', `guess ${nth}`)).status, 401)
  isProblem(t, await door.signIn('approver-1', password), 'credentials_wrong',
    'locked, even with the right password')
  t.equal((await door.signIn('approver-2', password)).status, 200, 'others are not')
  door.clock.advance(14 * 60_000)
  t.equal((await door.signIn('approver-1', password)).status, 401, 'still')
  door.clock.advance(61_000)
  t.equal((await door.signIn('approver-1', password)).status, 200, 'a try in between did not prolong it')
  for (let nth = 1; nth <= 4; nth++) await door.signIn('approver-1', 'guess')
  t.equal((await door.signIn('approver-1', password)).status, 200, 'four are forgiven')
  for (let nth = 1; nth <= 4; nth++) await door.signIn('approver-1', 'guess')
  t.equal((await door.signIn('approver-1', password)).status, 200,
    'and counted from one again after a success')
  await door.close()
})

/** Who gets through; everybody else is told that the role does not allow it. */
const access: Record<string, readonly Who[]> = {
  'PUT /v1/registry': ['registrar'],
  'POST /v1/blacklist': ['registrar'],
  'POST /v1/tariffs': ['registrar'],
  'POST /v1/cities': ['registrar'],
  'GET /v1/cities': ['gateway', 'auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'GET /v1/usage-limits': ['gateway', 'auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'GET /v1/calendar': ['gateway', 'registrar', 'auditor', 'settler', 'approver-1', 'chief', 'clerk',
    'inspector'],
  'GET /v1/psams': ['registrar', 'auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'GET /v1/national/outbound': ['centre', 'auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'GET /v1/national/outbound/20260302-NAT-1': ['centre', 'auditor', 'settler', 'approver-1', 'chief', 'clerk',
    'inspector'],
  'POST /v1/national/outbound/20260302-NAT-1/receipt': ['centre'],
  'POST /v1/national/returns': ['centre'],
  'POST /v1/records': ['gateway'],
  'POST /v1/parameters/applied': ['gateway'],
  'GET /v1/blacklist': ['gateway', 'auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'GET /v1/blacklist/liability?date=2026-03-02': ['auditor', 'settler', 'approver-1', 'chief', 'clerk',
    'inspector'],
  'GET /v1/watch/items?layer=B': ['auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'POST /v1/cards/02313750FFFFFFFF-03104990600000000000-1/readings': ['gateway', 'clerk'],
  'GET /v1/watch/holds': ['auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'GET /v1/alerts': ['auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'GET /v1/days': ['auditor', 'settler', 'approver-1', 'chief', 'clerk', 'inspector'],
  'POST /v1/days/2026-03-09/close': ['settler', 'chief'],
  'POST /v1/days/2026-03-09/instruct': ['settler', 'chief'],
  'POST /v1/days/2026-03-09/approvals': ['approver-1', 'chief'],
  'POST /v1/verify': ['auditor', 'inspector'],
  'GET /v1/head': [null, 'gateway', 'registrar', 'auditor', 'centre', 'settler', 'approver-1', 'chief',
    'clerk', 'inspector']
}

t.test('who may do what', async t => {
  const door = await opened()
  const everybody: readonly Who[] = [null, 'gateway', 'registrar', 'auditor', 'centre', 'settler',
    'approver-1', 'chief', 'clerk', 'inspector']
  for (const [route, allowed] of Object.entries(access)) {
    const [method = '', path = ''] = route.split(' ')
    for (const who of everybody) {
      const answer = await door.ask(who, method, path, method === 'GET' ? {} : { json: {} })
      const reason = answer.json?.reason as string | undefined
      if (allowed.includes(who)) {
        t.notOk(['forbidden', 'unauthenticated'].includes(reason ?? ''),
        `${route} as ${who}: ${answer.status}`)
      } else isProblem(t, answer, who === null ? 'unauthenticated' : 'forbidden', `${route} as ${who}`)
    }
  }
  const id = machines.auditor
  for (const token of ['', 'x', '.', `${id}.`, `${id}.${secretOf('another')}`, `NOBODY.${secretOf(id)}`,
    `${id}.${secretOf(id)}x`, secretOf(id),
    `${id}' or true--.${secretOf(id)}`]) {
    isProblem(t, await door.ask(null, 'GET', '/v1/days', { token }), 'unauthenticated',
      `token ${token.slice(0, 20)}`)
  }
  const { status } = await door.ask(null, 'GET', '/v1/days', { token: `${id}.${secretOf(id)}` })
  t.equal(status, 200)
  await door.close()
})

t.test('hostile bodies are answered with what is wrong and where', async t => {
  const door = await opened()
  const put = (bytes: string | Uint8Array, type = 'application/json') => door.ask('registrar', 'PUT',
    '/v1/registry', { bytes, type })
  for (const [what, bytes, where] of [
    ['nothing', '', ''], ['no JSON', '{', undefined], ['two documents', '{}{}', undefined], ['a list', '[]',
      ''], ['null', 'null', ''],
    ['a text', '"x"', ''], ['not UTF-8', Buffer.from('{"a":"\xff"}', 'latin1'), undefined],
    ['an unknown field', '{"party":[]}', '/party'],
    ['a prototype', '{"__proto__":{"admin":true}}', '/__proto__'], ['a constructor',
      '{"constructor":{"prototype":{}}}', '/constructor'],
    ['a number for a text', '{"parties":[{"code":7,"kind":"issuer","nameZh":"x","nameEn":"x"}]}',
      '/parties/0/code'],
    ['a text for a number', '{"policies":{"lateDays":"90"}}', '/policies/lateDays'], ['half a fen',
      '{"policies":{"debitFenMax":0.5}}', '/policies/debitFenMax'],
    ['a field too many inside', '{"terminals":[{"terminal":"B9","operator":"BUS","colour":"red"}]}',
      '/terminals/0/colour'],
    ['a deep nest', '['.repeat(100_000) + ']'.repeat(100_000), ''], ['an open nest', '['.repeat(100_000),
      undefined]
  ] as const) {
    const answer = await put(bytes)
    isProblem(t, answer, 'body_invalid', what)
    if (where !== undefined) t.equal(answer.json.where, where, `${what} is at ${where}`)
  }
  const deep = '['.repeat(100_000) + ']'.repeat(100_000)
  for (const record of [deep, `{"profile":${deep}}`]) {
    isProblem(t, await door.ask('gateway', 'POST', '/v1/records', {
      bytes: `{"delivery":"nested-deep","records":[${record}]}`, type: 'application/json'
    }), 'body_invalid', 'a deep nest where any value may stand')
  }
  const shown = { delivery: 'signs-in-texts', records: [{ profile: '[{"'.repeat(100) }] }
  t.equal((await door.ask('gateway', 'POST', '/v1/records', { json: shown })).status, 200, 'not in texts')
  isProblem(t, await put('<registry/>', 'text/xml'), 'unsupported_media_type', 'XML')
  isProblem(t, await put('{}', 'application/x-www-form-urlencoded'), 'unsupported_media_type', 'a form')
  isProblem(t, await door.ask('gateway', 'POST', '/v1/records', {
    json: {
      delivery: 'delivery-1',
      records: []
    }
  }), 'body_invalid', 'no records')
  isProblem(t, await door.ask('gateway', 'POST', '/v1/records', {
    json: {
      delivery: 'a b',
      records: [1]
    }
  }), 'body_invalid', 'a wrong delivery id')
  const many = { delivery: 'delivery-2', records: Array.from({ length: 5_001 }, () => 0) }
  isProblem(t, await door.ask('gateway', 'POST', '/v1/records', { json: many }), 'body_invalid',
    '5,001 records')
  isProblem(t, await door.ask('gateway', 'POST', '/v1/records', {
    bytes: Buffer.alloc(8 * 1024 * 1024 + 1,
      ' ')
  }), 'too_large', 'a byte too many')
  isProblem(t, await door.ask('auditor', 'GET', '/v1/days/2026-3-2'), 'body_invalid', 'a date that is none')
  isProblem(t, await door.ask('gateway', 'GET', '/v1/blacklist?have=-1'), 'body_invalid',
    'a negative version')
  isProblem(t, await door.ask('gateway', 'GET', '/v1/blacklist?have=1&page=2'), 'body_invalid',
    'an unknown parameter')
  const undated = await door.ask('auditor', 'GET', '/v1/records/totals')
  isProblem(t, undated, 'body_invalid', 'totals of no date in particular would read all there is')
  t.equal(undated.json.where, '/date', 'what is missing is named')
  isProblem(t, await door.ask('auditor', 'GET', '/v1/nothing/here'), 'not_found', 'no such route')
  isProblem(t, await door.ask('auditor', 'DELETE', '/v1/registry'), 'not_found', 'no such method')
  isProblem(t, await door.ask('auditor', 'GET', `/v1/cards/${cardKey(cardOf(9))}`), 'not_found',
    'no such card')
  const trial = await door.ok('auditor', 'GET', '/v1/accounts')
  t.equal(trial.accounts.find((one: { account: string }) => one.account === 'commerce/purse').balanceFen,
    15_000, 'none of it left a trace')
  await door.close()
})

t.test('a body that never ends is cut off', async t => {
  const door = await opened()
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const token = `${machines.gateway}.${secretOf(machines.gateway)}`
    const sending = request(`${door.url}/v1/records`, {
      method: 'POST', headers: {
        authorization: `Bearer ${token}`, 'content-type': 'application/json',
        'transfer-encoding': 'chunked'
      }
    }, response => resolve(response.statusCode))
    sending.on('error', reject)
    const chunk = Buffer.alloc(1024 * 1024, ' ')
    let chunks = 0
    const more = () => {
      if (chunks++ > 9) return
      if (!sending.write(chunk)) sending.once('drain', more)
      else more()
    }
    more()
  })
  t.equal(status, 413)
  await door.close()
})

t.test('blacklist: versions, increments, digests, retractions', async t => {
  const door = await opened()
  const at = '2026-03-02T06:00:00.000+08:00'
  const entry = (number: number) => ({ card: cardOf(number), reason: 'loss', at })
  const publish = (json: object) => door.ask('registrar', 'POST', '/v1/blacklist', { json })
  const since = (have?: number) => door.ok('gateway', 'GET',
    `/v1/blacklist${have === undefined ? '' : `?have=${have}`}`)
  t.match(await since(), { from: null, to: 0, add: [], digest: /^E3B0C442/ }, 'nothing published yet')
  t.strictSame((await publish({ version: 55, add: [entry(2)], remove: [] })).json, { version: 55 })
  t.strictSame((await publish({ add: [entry(0)], remove: [] })).json, { version: 56 })
  t.strictSame((await publish({ add: [entry(1), entry(0)], remove: [cardOf(2)] })).json, { version: 57 },
    'a card on the list stays on it')
  const listed = ({ add }: { add: { card: object }[] }) => add.map(one =>
    cardKey(one.card as never).slice(-3))
  const step = await since(55)
  t.match(step, { from: 55, to: 57, remove: [cardOf(2)] })
  t.strictSame(listed(step), ['0-1', '1-1'])
  t.strictSame(listed(await since(56)), ['1-1'])
  t.match(await since(57), { from: 57, to: 57, add: [], remove: [] })
  const full = await since(60)
  t.match(full, { from: null, to: 57, remove: [] })
  t.strictSame(listed(full), ['0-1', '1-1'], 'a version nobody published gets the whole list')
  t.equal(full.digest, 'D47003EB8C4D3D44DF417BFCB6E22D6C88ED99527B2A13853ACFA6286187CD0F')
  t.equal(step.digest, full.digest)
  t.strictSame((await publish({ add: [], remove: [cardOf(0)] })).json, { version: 58 })
  t.strictSame((await publish({ add: [entry(0)], remove: [] })).json, { version: 59 })
  t.match(await since(57), { add: [], remove: [] }, 'off and on again in between changes nothing')
  t.strictSame(listed(await since(58)), ['0-1'])
  isProblem(t, await publish({ version: 59, add: [], remove: [] }), 'registry_invalid',
    'a version that was used')
  isProblem(t, await publish({ add: [entry(0)], remove: [cardOf(0)] }), 'registry_invalid',
    'added and removed at once')
  const unknown = await publish({ add: [entry(0), entry(9)], remove: [] })
  isProblem(t, unknown, 'registry_invalid', 'a card nobody issued')
  t.equal(unknown.json.where, '/add/1/card')
  const racing = await Promise.all(Array.from({ length: 6 }, () => publish({ add: [], remove: [] })))
  t.strictSame(racing.map(one => one.json.version).sort(), [60, 61, 62, 63, 64, 65],
    'six at once get six numbers')

  const tariff = {
    version: 2, from: '2026-03-05T05:00:00+08:00', operators: {
      BUS: {
        kind: 'flat',
        fareFen: 200, cardFareFen: 180
      }
    }
  }
  for (const one of [{ ...tariff, version: 1, from: '2026-01-01T05:00:00+08:00' }, tariff,
    tariff]) await door.ok('registrar', 'POST', '/v1/tariffs', one)
  isProblem(t, await door.ask('registrar', 'POST', '/v1/tariffs', { json: { ...tariff, operators: {} } }),
    'registry_invalid', 'another tariff under the same number')
  isProblem(t, await door.ask('registrar', 'POST', '/v1/tariffs', {
    json: {
      ...tariff, version: 3,
      from: 'soon'
    }
  }), 'body_invalid', 'no instant')
  t.strictSame((await door.ok('gateway', 'GET', '/v1/tariffs')).map((one: { version: number }) =>
    one.version), [1, 2])
  door.clock.set(Date.parse('2026-03-05T05:00:00+08:00'))
  t.strictSame((await door.ok('gateway', 'GET', '/v1/tariffs')).map((one: { version: number }) =>
    one.version), [2], 'what is past is gone')
  const said = { terminal: 'B1', kind: 'blacklist', version: 59, appliedAt: at }
  t.equal((await door.ask('gateway', 'POST', '/v1/parameters/applied', { json: said })).status, 204)
  t.equal((await door.ask('gateway', 'POST', '/v1/parameters/applied', { json: said })).status, 204,
    'told twice')
  const slow = { ...said, terminal: 'B2', appliedAt: '2026-01-01T00:00:00+08:00' }
  t.equal((await door.ask('gateway', 'POST', '/v1/parameters/applied', { json: slow })).status, 204)
  t.strictSame((await door.db.query(`
    select a.applied_at = v.published_at as same from parameter_applied a join terminal t using (terminal_id)
    join blacklist_version v using (version) where t.code = 'B2' and a.kind = 'blacklist'`)).rows,
  [{ same: true }], 'nothing is applied before it was published')
  isProblem(t, await door.ask('gateway', 'POST', '/v1/parameters/applied', {
    json: {
      ...said,
      terminal: 'B9'
    }
  }), 'not_found', 'a strange terminal')
  await door.close()
})

t.test('who bears the use of a listed card, by what the terminal had applied', async t => {
  const door = await opened()
  const at = '2026-03-02T06:00:00+08:00'
  door.clock.set(Date.parse(at))
  await door.ok('registrar', 'POST', '/v1/blacklist', {
    add: [0, 1].map(number => ({
      card: cardOf(number),
      reason: 'loss', at
    })), remove: []
  })
  door.clock.set(Date.parse('2026-03-02T12:00:00+08:00'))
  const records = [recordOf(0, 1, { dateTime: '20260302083000' }), recordOf(1, 1,
    { dateTime: '20260302103000' }), recordOf(2, 1, { dateTime: '20260302103100' })]
  await door.ok('gateway', 'POST', '/v1/records', { delivery: 'delivery-1', records })
  const lines = async () => (await door.ok('clerk', 'GET',
    `/v1/blacklist/liability?date=${D}`)).items.map((one: Record<string, unknown>) =>
    [String((one['card'] as { serial: string }).serial).slice(-1), one['liable'], 'listed',
      one['listedVersion'], 'had', String(one['terminalVersion'])].join(' '))
  t.strictSame(await lines(), ['0 issuer listed 1 had null', '1 issuer listed 1 had null'],
    'inside the window of 24 hours')
  await door.ask('gateway', 'POST', '/v1/parameters/applied', {
    json: {
      terminal: 'B1', kind: 'blacklist',
      version: 1, appliedAt: '2026-03-02T09:00:00+08:00'
    }
  })
  t.strictSame(await lines(), ['0 issuer listed 1 had null', '1 operator listed 1 had 1'],
    'an acknowledgement counts from when it was applied')
  await door.close()
})

t.test('a gateway speaks for terminals it may, and for versions that there are', async t => {
  const door = await opened()
  // Two operators number their terminals alike.
  await door.ok('registrar', 'PUT', '/v1/registry', {
    parties: [{ code: 'MET', kind: 'operator', nameZh: '地铁', nameEn: 'Metro' }],
    terminals: ['B1', 'M1'].map(terminal => ({ terminal, operator: 'MET' }))
  })
  await bootstrap(door.db, {
    clients: [{ id: 'BUS-GW', kind: 'gateway', party: 'BUS', secret: secretOf('BUS-GW') }]
  }, door.clock.now())
  const own = `BUS-GW.${secretOf('BUS-GW')}`
  const at = '2026-03-02T09:00:00+08:00'
  const bus = { kind: 'flat', fareFen: 200, cardFareFen: 180 }
  await door.ok('registrar', 'POST', '/v1/tariffs', { version: 4, from: at, operators: { BUS: bus } })
  await door.ok('registrar', 'POST', '/v1/blacklist', { version: 55, add: [], remove: [] })
  await door.ok('registrar', 'POST', '/v1/blacklist', { version: 57, add: [], remove: [] })
  const told = async (said: object, token?: string) => {
    const json = { kind: 'blacklist', version: 57, appliedAt: at, ...said }
    const answer = await door.ask(token === undefined ? 'gateway' : null, 'POST', '/v1/parameters/applied',
      { json, ...token === undefined ? {} : { token } })
    return answer.status === 204 ? 'taken' : `${answer.status} ${answer.json.reason} ${answer.json.where}`
  }
  for (const [said, expected] of [
    [{ terminal: 'B1' }, '422 registry_invalid /operator'],
    [{ terminal: 'B1', operator: 'SHP' }, '404 not_found /terminal'],
    [{ terminal: 'B9' }, '404 not_found /terminal'],
    [{ terminal: 'B1', operator: 'MET', version: 56 }, '409 conditions_not_met /version'], // left out
    [{ terminal: 'B1', operator: 'MET', version: 58 }, '409 conditions_not_met /version'], // to come
    [{ terminal: 'B1', operator: 'MET', version: 0 }, 'taken'], // the empty list of before the first
    [{ terminal: 'B1', operator: 'MET', version: 55 }, 'taken'],
    [{ terminal: 'B1', operator: 'MET', kind: 'tariff', version: 4 }, 'taken'],
    [{ terminal: 'B1', operator: 'MET', kind: 'tariff', version: 0 }, '409 conditions_not_met /version'],
    [{ terminal: 'B1', operator: 'MET', kind: 'cities', version: 1 }, '409 conditions_not_met /version'],
    [{ terminal: 'M1' }, 'taken'] // one operator has it
  ] as const) t.equal(await told(said), expected, JSON.stringify(said))
  for (const [said, expected] of [
    [{ terminal: 'B1' }, 'taken'], // its own
    [{ terminal: 'B1', operator: 'BUS', version: 55 }, 'taken'],
    [{ terminal: 'B1', operator: 'MET' }, '403 forbidden /operator'],
    [{ terminal: 'M1' }, '404 not_found /terminal']
  ] as const) t.equal(await told(said, own), expected, `BUS-GW: ${JSON.stringify(said)}`)
  const { rows } = await door.db.query<{ said: string }>(`
    select p.code || '/' || t.code || ' ' || a.kind || ' ' || a.version as said
    from parameter_applied a join terminal t using (terminal_id) join party p using (party_id) order by 1`)
  t.strictSame(rows.map(({ said }) => said), [
    'BUS/B1 blacklist 55', 'BUS/B1 blacklist 57', 'MET/B1 blacklist 0', 'MET/B1 blacklist 55',
    'MET/B1 tariff 4', 'MET/M1 blacklist 57'
  ], 'each on the terminal that was meant')
  await door.close()
})

t.test('cards page by page: each of them once, in the order of their key', async t => {
  const door = await opened()
  const pages: string[][] = []
  for (let after = ''; after !== 'none';) {
    const { items, next } = await door.ok('auditor', 'GET', `/v1/cards?limit=2${after && `&after=${after}`}`)
    pages.push(items.map((one: { card: CardRef }) => cardKey(one.card)))
    after = next ?? 'none'
  }
  const { rows } = await door.db.query<{ n: bigint }>('select count(*) as n from card')
  t.equal(new Set(pages.flat()).size, Number(rows[0]?.n), 'every card')
  t.equal(pages.flat().length, Number(rows[0]?.n), 'and none twice')
  t.ok(pages.every(one => one.length <= 2), 'in pages')
  await door.close()
})

t.test('every route answers as described', async t => {
  const door = await opened()
  const records = [recordOf(0, 1), recordOf(1, 1, { tac: '00000001' }), recordOf(2, 1, { grey: true }),
    { nonsense: true }]
  const reply = await door.ok('gateway', 'POST', '/v1/records', { delivery: 'delivery-1', records })
  t.strictSame(reply.results.map((one: { reason: string }) => one.reason), ['ok', 'tac_wrong', 'grey',
    'malformed'])
  isProblem(t, await door.ask('gateway', 'POST', '/v1/records', {
    json: {
      delivery: 'delivery-1',
      records: [1]
    }
  }), 'delivery_conflict', 'an id used twice')
  const raw = writeConsumptionRecord(toConsumptionRecord(recordOf(0, 2), merchant, 1))
  const { name, text } = writeConsumptionFile({ date: '20260302', industry: '02', merchant, sequence: 1 },
    [raw, raw.replace('00000001', '00000002')])
  const sent = await door.ask('gateway', 'PUT', `/v1/files/${name}`, {
    bytes: text,
    type: 'application/octet-stream'
  })
  t.match(sent.json, { status: 'processed', count: 2, confirmed: { count: 1 }, refused: { count: 1 } })
  t.equal((await door.ask('gateway', 'PUT', `/v1/files/${name}`, {
    bytes: text,
    type: 'application/octet-stream'
  })).json.status, 'already_processed')
  const other = writeConsumptionFile({ date: '20260302', industry: '02', merchant, sequence: 1 }, [raw])
  t.equal(other.name, name)
  isProblem(t, await door.ask('gateway', 'PUT', `/v1/files/${name}`, {
    bytes: other.text, type: 'application/octet-stream'
  }), 'file_sequence_used', 'a name used twice')
  isProblem(t, await door.ask('gateway', 'PUT', `/v1/files/${name}`, { json: {} }),
    'unsupported_media_type', 'JSON for a file')
  isProblem(t, await door.ask('gateway', 'PUT', '/v1/files/XF', {
    bytes: text,
    type: 'application/octet-stream'
  }), 'file_name_invalid', 'a wrong name')
  isProblem(t, await door.ask('gateway', 'PUT', `/v1/files/${name}`, {
    bytes: text.slice(0, -20),
    type: 'application/octet-stream'
  }), 'file_record_length_wrong', 'cut short')
  t.equal((await door.ok('clerk', 'GET', `/v1/files/${name}`)).file, name)
  t.match(await door.ask('clerk', 'GET', `/v1/files/${name}/SS`), {
    status: 200,
    text: /^SS02000000010000019/
  })
  await door.ok('registrar', 'POST', '/v1/blacklist', { add: [], remove: [] })
  t.match(await door.ask('gateway', 'GET', '/v1/blacklist-files/20260302_Black.txt'),
    { status: 200, text: /^20260302000000\n$/ })
  isProblem(t, await door.ask('gateway', 'GET', '/v1/blacklist-files/20260303_Black.txt'), 'not_found',
    'a day to come')
  await door.ok('registrar', 'POST', '/v1/tariffs', {
    version: 1, from: '2026-01-01T05:00:00+08:00',
    operators: {}
  })
  await door.ask('gateway', 'POST', '/v1/parameters/applied', {
    json: {
      terminal: 'B1', kind: 'tariff',
      version: 1, appliedAt: '2026-03-02T09:00:00+08:00'
    }
  })
  const transit = '/v1/services/transit'
  isProblem(t, await door.ask('registrar', 'POST', `${transit}/tariffs`, { json: { version: 2 } }),
    'body_invalid', 'no tariff document')
  t.strictSame(await door.ok('gateway', 'GET', `${transit}/tariffs`), [])
  const settings = {
    version: 2, from: '2026-03-02T05:00:00+08:00', operator: 'BUS', openMinutesMax: 180,
    transitDay: { startsAtMinute: 270, crossing: 'start' }, duplicateTapSeconds: 5
  }
  t.match(await door.ok('registrar', 'POST', `${transit}/feeds`, { files: {}, settings }), { document: null })
  const at = encodeURIComponent('2026-03-02T09:00:00+08:00')
  for (const path of [`quotes?operator=BUS&at=${at}`, `passes?class=student&at=${at}`]) {
    isProblem(t, await door.ask('auditor', 'GET', `${transit}/${path}`), 'not_found', path)
  }
  const rider = `${transit}/cards/${cardKey(cardOf(0))}`
  const concessions = [{ class: 'student', from: null, until: '2026-08-31' }]
  await door.ok('registrar', 'PUT', `${rider}/concessions`, { concessions })
  t.match(await door.ok('auditor', 'GET', `${rider}/journeys?from=${D}&until=${D}`), { journeys: [] })
  t.match(await door.ok('auditor', 'GET', `${transit}/fare-days?day=${D}`), { items: [] })
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json',
    '/v1/head']) t.equal((await door.ask(null, 'GET', path)).status, 200, path)
  for (const path of [
    '/v1/blacklist', '/v1/tariffs', '/v1/days', `/v1/days/${D}`, `/v1/positions/${D}`,
      `/v1/instructions/${D}`, `/v1/blacklist/liability?date=${D}`,
    `/v1/cards/${cardKey(cardOf(0))}`, '/v1/cards', '/v1/cards?limit=1', '/v1/records',
      `/v1/records?date=${D}&operator=BUS&outcome=held&limit=1`,
      `/v1/records/totals?date=${D}`, '/v1/accounts', `/v1/accounts?asOf=${D}`,
    `/v1/operators/BUS/QS/${D}`, `/v1/operators/BUS/NS/${D}`, `/v1/operators/BUS/SS/${D}`,
    `/v1/services/transit/price-findings?date=${D}`
  ]) t.equal((await door.ask('auditor', 'GET', path)).status, 200, path)
  for (const path of ['', '/integrity', '/proof']) await door.ok('auditor', 'GET', `/v1/audit${path}`)
  for (const path of [
    '/v1/accounts/commerce%2Fpurse/statement', `/v1/cards/${cardKey(cardOf(0))}/statement`, '/v1/items',
    `/v1/reconciliation?from=${D}&to=${D}`, `/v1/float/${D}`
  ]) await door.ok('auditor', 'GET', path)
  const none = { count: 0, amountFen: 0 }
  await door.ok('gateway', 'POST', '/v1/terminal-totals', {
    operator: 'BUS', terminal: 'B1', batch: '1', psam: '990000000001', issue: 1, fromSequence: 1,
    toSequence: 2, consume: none, return: none, load: { count: 1, amountFen: 5_000 }
  })
  await door.ask('settler', 'POST', '/v1/party-positions', { json: { party: 'BUS', date: D, claimsFen: 0 } })
  await door.ask('settler', 'POST', '/v1/medical-totals', { json: { date: D, items: [] } })
  await door.ok('settler', 'POST', `/v1/reconciliation/${D}`)
  const [difference] = (await door.ok('clerk', 'GET', '/v1/items?layer=A')).items
  for (const [what, json] of [
    ['/owner', { owner: 'clerk' }], ['/note', { note: 'asked' }], ['/close', { reason: 'told by mistake' }]
  ] as const) await door.ok('clerk', 'POST', `/v1/items/${difference.item}${what}`, json)
  await door.ask('clerk', 'POST', '/v1/items', { json: { items: [difference.item], note: 'again' } })
  const correction = {
    kind: 'correction', reason: 'a fen was booked to the wrong side',
    body: {
      transfers: [{
        debit: 'commerce/unidentified-receipts', credit: 'commerce/merchant-pending/BUS', amountFen: 1
      }]
    }
  }
  for (const [method, path] of [['POST', '/decisions'], ['DELETE', '']] as const) {
    const { id } = await door.ok('clerk', 'POST', '/v1/proposals', correction)
    await door.ok('clerk', 'GET', `/v1/proposals/${id}`)
    const who = method === 'POST' ? 'approver-1' : 'clerk'
    const decision = method === 'POST' ? { approves: true } : undefined
    await door.ok(who, method, `/v1/proposals/${id}${path}`, decision)
  }
  await door.ok('auditor', 'GET', '/v1/proposals')
  for (const path of ['/v1/staff', '/v1/staff/clerk/sessions']) await door.ok('admin-1', 'GET', path)
  const [session] = (await door.ok('inspector', 'GET', '/v1/sessions')).items
  await door.ask('inspector', 'DELETE', `/v1/sessions/${session.id}`)
  await door.ask('settler', 'PUT', '/v1/session/password', { json: { old: password, wanted: password } })
  await door.ask('admin-1', 'POST', '/v1/staff/nobody/lock')
  const event = { card: cardOf(0), counter: 101, amountFen: 1, reason: 'too early for all of these' }
  await door.ok('clerk', 'POST', '/v1/refunds', { ...event, reference: 'refund-1' })
  await door.ask('clerk', 'POST', '/v1/disputes', { json: { ...event, side: 'holder' } })
  await door.ok('clerk', 'GET', '/v1/disputes')
  await door.ask('clerk', 'GET', '/v1/disputes/1')
  for (const step of ['answer', 'decision', 'escalation']) {
    await door.ask('chief', 'POST', `/v1/disputes/1/${step}`)
  }
  await door.ask('admin-1', 'POST', '/v1/staff/nobody/initial-password')
  const balance = { kind: 'balance', key: 'balance-1', card: recordOf(0, 1).card }
  await door.ok('gateway', 'POST', '/v1/requests', balance)
  const { card } = balance
  const chip = {
    balanceFen: 4_820, onlineCounter: 0, offlineCounter: 101, keyVersion: 1, algorithm: 0, random: '00000000',
    mac1: '00000000'
  }
  const load = {
    key: 'load-0001', card, source: 'pending', amountFen: 1, party: 'BUS', terminal: '990000000099'
  }
  await door.ok('gateway', 'POST', '/v1/loads', { ...load, chip })
  await door.ok('gateway', 'POST', '/v1/loads/outcome', { key: load.key, card, outcome: 'withdrawn' })
  await door.ok('gateway', 'POST', '/v1/loads/pending', { card })
  await door.ok('clerk', 'GET', '/v1/loads')
  const block = {
    key: 'block-0001', card, operator: 'BUS', terminal: 'B1', form: 'temporary', keyVersion: 1,
    challenge: 'C0FFEE01'
  }
  t.match(await door.ok('gateway', 'POST', '/v1/card-blocks', block), { reason: 'not_listed', mac: null })
  const outcome = { key: block.key, card, outcome: 'refused' }
  await door.ask('gateway', 'POST', '/v1/card-blocks/outcome', { json: outcome })
  await door.ok('clerk', 'GET', '/v1/card-blocks')
  const { digest } = await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  for (const who of ['approver-1', 'approver-2'] as const) {
    await door.ok(who, 'POST',
    `/v1/days/${D}/approvals`, { digest })
  }
  await door.ok('settler', 'POST', `/v1/days/${D}/instruct`)
  for (const path of ['', '/cards']) await door.ok('auditor', 'GET', `/v1/reports/card-chain${path}`)
  const lists = ['records', 'transfers', 'positions', 'statements', 'items', 'card-chain', 'supervision']
  for (const what of lists) {
    for (const format of ['csv', 'xlsx']) {
      const dated = /items|chain|supervision/.test(what) ? '' : `?date=${D}`
      await door.bytes('auditor', `/v1/exports/${what}.${format}${dated}`)
    }
  }
  await door.bytes('auditor', `/v1/exports/journal/${D}.journal`)
  await door.ok('auditor', 'GET', `/v1/operators/BUS/income?date=${D}&by=line`)
  await door.ok('auditor', 'GET', '/v1/operators/BUS/terminals')
  await door.ok('auditor', 'GET', '/v1/operators/BUS/items')
  const position = await door.ok('auditor', 'GET', `/v1/positions/${D}/BUS/commerce`)
  const [batch] = (await door.ok('auditor', 'GET', position.links.batches)).items
  await door.ok('auditor', 'GET', batch.links.batch)
  const [tap] = (await door.ok('auditor', 'GET', batch.links.lines)).items
  for (const path of [...Object.values(tap.links), `/v1/transfers/${tap.transfer}`]) {
    if (path !== null) await door.ok('auditor', 'GET', path as string)
  }
  const hook = { url: 'https://hooks.example.com/', topics: ['day.moved'] }
  const webhook = `/v1/webhooks/${(await door.ok('auditor', 'POST', '/v1/webhooks', hook)).id}`
  await door.ok('auditor', 'GET', '/v1/webhooks')
  for (const method of ['GET', 'PUT']) await door.ok('auditor', method, `${webhook}/secret`)
  await door.ok('auditor', 'GET', `${webhook}/tellings`)
  isProblem(t, await door.ask('auditor', 'POST', `${webhook}/tellings/9/resend`), 'not_found', 'never told')
  await door.ask('auditor', 'DELETE', webhook)
  await door.ok('clerk', 'GET', `/v1/statements/BUS/${D}`)
  await door.ok('clerk', 'GET', `/v1/charges/${D}`)
  await door.ask('registrar', 'POST', '/v1/cities', { json: { add: [], remove: [] } })
  await door.ok('auditor', 'GET', '/v1/cities')
  await door.ok('auditor', 'GET', '/v1/calendar')
  await door.ok('auditor', 'GET', '/v1/usage-limits')
  await door.ok('auditor', 'GET', '/v1/psams?stolen=false')
  await door.ask('centre', 'GET', '/v1/national/outbound')
  await door.ask('auditor', 'GET', '/v1/national/outbound/20260302-NAT-1')
  await door.ask('centre', 'POST', '/v1/national/outbound/20260302-NAT-1/receipt', { json: {} })
  await door.ask('centre', 'POST', '/v1/national/returns', { json: { returns: [] } })
  await door.ok('registrar', 'PUT', '/v1/registry', { bankAccounts: bankAccounts.slice(0, 2) })
  for (const form of ['pain001', 'csv']) await door.ask('settler', 'GET', `/v1/instructions/${D}/${form}`)
  await door.ask('settler', 'POST', `/v1/instructions/${D}/replacements`, { json: { instruction: 'none' } })
  await door.ask('settler', 'POST', '/v1/bank-statements', { bytes: '<a/>', type: 'application/xml' })
  for (const path of ['/v1/bank-statements', '/v1/bank-lines']) await door.ok('clerk', 'GET', path)
  await door.ok('auditor', 'GET', `/v1/ledger/${D}`)
  await door.ok('clerk', 'GET', `/v1/proofs?id=${cardKey(cardOf(0))}/101`)
  await door.ok(null, 'GET', `/v1/consistency?first=${(await door.ok(null, 'GET', '/v1/head')).size}`)
  t.equal((await door.ok('auditor', 'POST', '/v1/verify')).ok, true)
  await door.ask('clerk', 'DELETE', '/v1/session')
  const metrics = await door.ask(null, 'GET', '/metrics')
  t.match(metrics.text, /ledger_request_seconds_count\{method="POST",route="\/v1\/records",status="200"\} 1\n/)
  const log = door.logLines().join('\n')
  t.match(log, /"url":"\/v1\/cards\/023137…-031049…0000-1"/, 'card numbers are masked in the log')
  t.notMatch(log, new RegExp(cardOf(0).serial))
  await door.close()

  t.strictSame(doors.mismatches(), [], 'each answer is what the description says')
  // What follows is held to that by tests of its own, each to the end of its file.
  const own = new RegExp('/v1/(' + [
    'terminals', 'components', 'library', 'clinic', 'card-orders', 'card-applications', 'issuing', 'holders',
    'found-cards', 'forgotten-cards', 'services', 'treasury', 'statistics', 'days/{date}/archive',
    'session/(oidc|ways)',
    'codes', 'code-keys', 'code-uses', 'reports/loads', 'my', 'cases', 'supervision',
    'social-security', 'tapes',
    'cards/{card}/(life|moves|holder|look-up|replacement|return|found|fetched|phones|codes)'
  ].join('|') + ')\\b')
  t.strictSame(doors.unused().filter(route => !own.test(route)), [], 'each route of the description was used')
  t.ok(Object.keys(staff).length > 0)
})

t.test('a database that goes away is unavailable, not wrong', async t => {
  const door = await opened()
  const database = new URL(door.databaseUrl).pathname.slice(1)
  t.equal((await door.ask(null, 'GET', '/readyz')).status, 200)
  await door.db.query(`alter database ${database} with connection limit 0`)
  await door.db.query(`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`)
  const answers = await Promise.all([1, 2, 3].map(() => door.ask(null, 'GET', '/readyz')))
  t.ok(answers.every(answer => [200, 503].includes(answer.status)), answers.map(answer =>
    answer.status).join())
  await door.close()
})
