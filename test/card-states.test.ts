// States of cards and who may move them, persons who hold them and what is seen of them, applications from
// the counter to the hand of the holder. Through the door of a ledger.
import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { cardMoves, cardStates, type CardMove, type CardState } from '../schemas/card-life.ts'
import { applicationStates, applicationWays, type ApplicationState } from '../schemas/card-application.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { cardKey } from '../schemas/record.ts'
import { cardOf } from './support/posting.ts'
import { password, startDoors, type Door, type Who } from './support/ledger-http.ts'
import { card, D, D1, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(240_000)

const path = (number: number, what: string) => `/v1/cards/${cardKey(cardOf(number))}/${what}`
const person = {
  document: { kind: 'resident_id', number: '430400199001010017' }, name: '王小明', phone: '13800001234'
} as const

/** Cards 0 to 4 are of persons, 5 of nobody. */
async function opened (more: object = {}, at?: string): Promise<Door> {
  const door = await doors.open(at)
  const named = [0, 1, 2, 3, 4].map(number => card(number, { type: 'named' }))
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([...named, card(5)], more))
  return door
}

async function said (door: Door, who: Who, method: string, path: string, json?: unknown): Promise<string> {
  const { status, json: answer } = await door.ask(who, method, path, json === undefined ? {} : { json })
  return status < 300 ? answer.state ?? 'ok' : `${status} ${answer.reason}`
}
const moved = (door: Door, who: Who, number: number, move: string) =>
  said(door, who, 'POST', path(number, 'moves'), { move, reason: 'told at the counter' })

async function byTwo (door: Door, number: number, move: string, decider: Who = 'approver-1') {
  const body = { card: cardOf(number), move }
  const started = await door.ask('clerk', 'POST', '/v1/proposals', {
    json: { kind: 'card_move', body, reason: 'brought to the counter' }
  })
  if (started.status >= 300) return `${started.status} ${started.json.reason}`
  return await said(door, decider, 'POST', `/v1/proposals/${started.json.id}/decisions`, { approves: true })
}
const listed = async (door: Door): Promise<string[]> =>
  (await door.ok('gateway', 'GET', '/v1/blacklist')).add.map(
    ({ card, reason }: { card: { serial: string }, reason: string }) =>
      `${Number(card.serial.slice(-4))} ${reason}`)
const stateOf = async (door: Door, number: number): Promise<string> =>
  (await door.ok('clerk', 'GET', path(number, 'life'))).state

async function verified (t: Test, door: Door): Promise<void> {
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(checks.filter((one: { ok: boolean }) => !one.ok), [], 'the books verify')
}

t.test('the tables: numbers of a card centre, ways that end, states that can be reached', async t => {
  t.strictSame(cardStates, {
    not_enabled: 0, normal: 1, oral_loss: 2, loss: 3, locked: 4, void: 7, cancelled: 9
  })
  t.strictSame(Object.values(applicationStates),
    [0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 30, 31, 32, 33, 40, 50, 60, 70, 80, 90])
  const moves = Object.values(cardMoves)
  const ends = (Object.keys(cardStates) as CardState[]).filter(state =>
    !moves.some(({ from }) => (from as readonly CardState[]).includes(state)))
  t.strictSame(ends, ['void', 'cancelled'])
  const reached = new Set<ApplicationState>(['applied'])
  for (const state of reached) for (const { to } of applicationWays[state]) reached.add(to)
  t.equal(reached.size, Object.keys(applicationStates).length, 'every state of an application is reached')
  for (const [move, row] of Object.entries(cardMoves) as [CardMove, typeof cardMoves[CardMove]][]) {
    const isListed = 'listed' in row && row.listed !== null
    t.equal(isListed, row.to !== 'normal' && row.to !== 'not_enabled', `${move} and the list`)
  }
})

t.test('each state, each move, each role', async t => {
  const door = await opened()
  t.equal(await moved(door, 'hotline', 0, 'report_orally'), 'oral_loss')
  t.strictSame(await listed(door), ['0 oral_loss'])
  t.equal(await moved(door, 'hotline', 0, 'report_loss'), '403 forbidden', 'in writing at a counter alone')
  t.equal(await moved(door, 'clerk', 0, 'report_orally'), '409 conditions_not_met')
  const { to } = await door.ok('gateway', 'GET', '/v1/blacklist')
  t.equal(await moved(door, 'clerk', 0, 'report_loss'), 'loss')
  t.strictSame(await listed(door), ['0 loss'])
  t.equal((await door.ok('gateway', 'GET', '/v1/blacklist')).to, to, 'terminals have it already')
  t.equal(await moved(door, 'clerk', 0, 'lift_loss'), '400 body_invalid', 'not alone')
  t.equal(await byTwo(door, 0, 'lift_loss', 'clerk'), '403 forbidden')
  t.equal(await said(door, 'clerk', 'DELETE', '/v1/proposals/1'), 'withdrawn')
  t.equal(await byTwo(door, 0, 'lift_loss'), 'done')
  t.strictSame([await stateOf(door, 0), await listed(door)], ['normal', []])

  t.equal(await moved(door, 'clerk', 1, 'report_orally'), 'oral_loss')
  t.equal(await moved(door, 'clerk', 1, 'lift_oral'), 'normal')
  t.equal(await moved(door, 'registrar', 1, 'lock'), 'locked')
  t.equal(await moved(door, 'hotline', 2, 'lock'), '403 forbidden')
  t.equal(await byTwo(door, 1, 'lift_loss'), '409 conditions_not_met')
  t.equal(await byTwo(door, 1, 'unlock'), 'done')
  t.equal(await byTwo(door, 2, 'die'), 'done')
  t.strictSame([await stateOf(door, 2), await listed(door)], ['void', ['2 death']])
  t.equal(await moved(door, 'clerk', 2, 'enable'), '409 conditions_not_met', 'an end')
  t.equal(await moved(door, 'clerk', 99, 'report_orally'), '404 not_found')
  t.equal(await said(door, 'clerk', 'GET', path(99, 'life')), '404 not_found')

  const anybodys = await door.ask('clerk', 'POST', path(5, 'moves'), {
    json: { move: 'report_loss', reason: 'he says it is his' }
  })
  t.match(anybodys, { status: 409, json: { reason: 'holder_rule', detail: /^anonymousLossReports: / } })

  const life = await door.ok('inspector', 'GET', path(1, 'life'))
  t.match(life, {
    type: 'named', state: 'normal', listed: null, holder: null, moves: [
      { move: 'report_orally', from: 'normal', to: 'oral_loss', by: 'clerk' },
      { move: 'lift_oral' }, { move: 'lock', by: 'REGISTRAR' }, { move: 'unlock', by: 'clerk + approver-1' }]
  })
  const { items } = await door.ok('inspector', 'GET', '/v1/audit?limit=1000')
  const deeds = items.filter((one: { action: string }) => one.action === 'card.move')
  t.equal(deeds.length, 8, 'each move is in the audit log')
  t.notOk(JSON.stringify(deeds).includes(cardOf(1).serial), 'without numbers of cards')
  const { rows: told } = await door.db.query<{ body: object }>(
    "select body from outbox where topic = 'card.moved' order by outbox_id")
  t.equal(told.length, 8, 'and on the event stream')
  t.match(told[0]?.body, { move: 'report_orally', from: 'normal', to: 'oral_loss', card: /…/ })
  const { rows: states } = await door.db.query<{ body: { card: string, state: string, usable: boolean } }>(
    "select body from outbox where topic = 'card.state' order by outbox_id")
  t.equal(states.length, 8, 'a platform of identities hears of each')
  t.match(states[0]?.body, { state: 'oral_loss', usable: false, holder: null, at: /T/ })
  t.ok(states.some(({ body }) => body.state === 'normal'))
  t.ok(states.every(({ body }) => body.usable === (body.state === 'normal')))
  t.strictSame(states.map(({ body }) => `card/${body.card}`).sort(),
    deeds.map((one: { subject: string }) => one.subject).sort(), 'by the names that the log has')
  t.notOk(JSON.stringify(states).includes(cardOf(1).serial))
  await verified(t, door)
  await door.db.query("update card set state = 'normal' where state = 'void'")
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.match(checks.filter((one: { ok: boolean }) => !one.ok), [{
    check: 'the state of a card is that of its last move', detail: /^card \d+: normal, its last move says void$/
  }])
  await door.close()
})

t.test('a clerk of another branch', async t => {
  const door = await opened()
  await door.db.query("update card set branch = 'EAST'")
  await bootstrap(door.db, {
    staff: [{ name: 'west', password, roles: ['clerk'], branch: 'WEST' }]
  }, door.clock.now())
  const west = (await door.signIn('west', password)).json.token
  const ask = async (path: string, json: object) =>
    (await door.ask(null, 'POST', path, { json, token: west })).json.reason
  t.equal(await ask(path(0, 'moves'), { move: 'report_loss', reason: 'x' }), 'other_branch')
  const wish = { card: cardOf(0), order: { name: 'block_card' }, reason: 'x' }
  t.equal(await ask('/v1/card-orders', wish), 'other_branch')
  const { order } = await door.ok('clerk', 'POST', '/v1/card-orders', wish)
  t.equal(await ask(`/v1/card-orders/${order}/withdrawal`, {}), 'other_branch')
  t.equal(await ask(`/v1/card-orders/${order}/pin`, {}), 'other_branch')
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', person)
  await door.db.query("update holder set branch = 'EAST'")
  t.equal(await ask(path(0, 'holder'), { holder }), 'other_branch')
  t.equal(await ask('/v1/holders/look-up', { by: { holder }, reason: 'x' }), 'other_branch')
  t.equal(await ask(`/v1/holders/${holder}/reveal`, { reason: 'x' }), 'other_branch')
  const application = { holder, type: 'named', why: 'first' }
  t.equal(await ask('/v1/card-applications', application), 'other_branch')
  const { application: no } = await door.ok('clerk', 'POST', '/v1/card-applications', application)
  t.equal(await ask(`/v1/card-applications/${no}/moves`, { to: 'task_made', reason: 'x' }), 'other_branch')
  await door.close()
})

t.test('an oral report lapses with the seventh day after it, a formal one in time or never', async t => {
  const door = await opened({ policies: { lossLiftDays: 9 } }, `${D}T09:00:00+08:00`)
  for (const number of [0, 1]) await moved(door, 'clerk', number, 'report_orally')
  door.clock.set(Date.parse(`${D}T23:59:59+08:00`))
  await moved(door, 'clerk', 2, 'report_orally')
  await moved(door, 'clerk', 1, 'report_loss')
  const version = async () => (await door.ok('gateway', 'GET', '/v1/blacklist')).to as number
  const before = await version()
  const day = (number: number) => `2026-03-${String(number).padStart(2, '0')}`
  for (let number = 2; number <= 8; number++) {
    t.strictSame(await listed(door), ['0 oral_loss', '1 loss', '2 oral_loss'], day(number))
    door.clock.set(Date.parse(`${day(number + 1)}T01:00:00+08:00`))
    await door.ok('settler', 'POST', `/v1/days/${day(number)}/close`)
  }
  t.strictSame(await listed(door), ['1 loss'], 'D+7 has begun')
  const states = await Promise.all([0, 1, 2].map(number => stateOf(door, number)))
  t.strictSame(states, ['normal', 'loss', 'normal'])
  const increment = await door.ok('gateway', 'GET', `/v1/blacklist?have=${before}`)
  t.match(increment, { from: before, add: [], remove: [cardOf(0), cardOf(2)] }, 'in the next increment')
  t.match((await door.ok('clerk', 'GET', path(0, 'life'))).moves.at(-1), { move: 'lapse', by: 'system' })
  await door.ok('settler', 'POST', `/v1/days/${day(8)}/close`)
  t.equal((await door.ok('clerk', 'GET', path(0, 'life'))).moves.length, 2, 'once')
  door.clock.set(Date.parse(`${day(12)}T09:00:00+08:00`))
  const late = await door.ask('clerk', 'POST', '/v1/proposals', {
    json: { kind: 'card_move', body: { card: cardOf(1), move: 'lift_loss' }, reason: 'found behind the sofa' }
  })
  t.match(late, { status: 409, json: { reason: 'holder_rule', detail: /^lossLiftDays: .* 2026-03-11/ } })
  await verified(t, door)
  await door.close()
})

t.test('who bears what a reported card pays: its holder for some hours, then the issuer', async t => {
  const door = await opened({ policies: { lossHolderHours: 2 } }, `${D}T09:00:00+08:00`)
  await moved(door, 'clerk', 0, 'report_loss')
  door.clock.set(Date.parse(`${D}T15:00:00+08:00`))
  await deliver(door, 'after-the-report', [
    debit(0, 1, 'B1', { dateTime: '20260302103000' }), debit(0, 2, 'B1', { dateTime: '20260302113000' })])
  const { items } = await door.ok('auditor', 'GET', `/v1/records?card=${cardKey(cardOf(0))}`)
  t.strictSame(items.map((one: { counter: number, outcome: string, reason: string }) =>
    `${one.counter} ${one.outcome} ${one.reason}`), ['101 accepted ok', '102 accepted issuer_risk'])
  await verified(t, door)
  await door.close()
})

t.test('persons: entered once, sealed, masked, looked up with a reason', async t => {
  const personalKeys = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)] as const
  const door = await doors.open(undefined, { personalKeys })
  await door.ok('registrar', 'PUT', '/v1/registry',
    smallCity([card(0, { type: 'named' }), card(1, { type: 'student' }), card(5)]))
  const entered = await door.ok('clerk', 'POST', '/v1/holders', person)
  t.match(entered, {
    holder: /^H[0-9A-F]{16}$/, name: '王＊＊', phone: '…1234', cards: [],
    document: { kind: 'resident_id', number: '…0017' }
  })
  const { holder } = entered
  t.equal(await said(door, 'clerk', 'POST', '/v1/holders', { ...person, name: '王大明' }),
    '409 conditions_not_met', 'one document, one person')

  const { rows: [row] } = await door.db.query<Record<string, Buffer>>('select * from holder')
  const bytes = Object.values(row ?? {}).map(value =>
    Buffer.isBuffer(value) ? value.toString('latin1') : String(value)).join(' ')
  for (const secret of ['王小明', '430400199001010017', '13800001234']) t.notOk(bytes.includes(secret), 'sealed')
  t.strictSame(opened2(row?.['sealed'] as Buffer, holder, personalKeys[1]), person,
    'by another route: AES-256-GCM under the last key')
  const identity = createHmac('sha256', keyFor(personalKeys[0], 'identity'))
    .update('resident_id\n430400199001010017').digest()
  t.ok(row?.['identity']?.equals(identity), 'the first key makes identities, so rotation keeps them')
  t.equal(row?.['sealed_with'], createHash('sha256').update(personalKeys[1]).digest('hex').slice(0, 8))

  for (const number of [0, 1]) await door.ok('clerk', 'POST', path(number, 'holder'), { holder })
  await door.ok('clerk', 'POST', path(0, 'holder'), { holder })
  t.equal(await said(door, 'clerk', 'POST', path(5, 'holder'), { holder }), '409 conditions_not_met')
  const unknown = 'H0000000000000000'
  t.equal(await said(door, 'clerk', 'POST', path(0, 'holder'), { holder: unknown }), '404 not_found')
  const other = await door.ok('clerk', 'POST', '/v1/holders', {
    name: 'Li', document: { kind: 'passport', number: 'E12345678' }
  })
  t.match(other, { name: 'L＊', phone: null })
  t.equal(await said(door, 'clerk', 'POST', path(0, 'holder'), { holder: other.holder }),
    '409 conditions_not_met', 'somebody else\'s')

  const reason = 'he has lost a card'
  const look = (by: object) => door.ask('hotline', 'POST', '/v1/holders/look-up', { json: { by, reason } })
  const found = (await look({ card: cardOf(1) })).json
  t.match(found, {
    holder, name: '王＊＊', cards: [
      { card: cardOf(0), type: 'named', state: 'normal' }, { card: cardOf(1), type: 'student' }]
  })
  t.strictSame((await look({ document: person.document })).json, found)
  t.strictSame((await look({ holder })).json, found)
  t.equal((await look({ card: cardOf(5) })).status, 404)
  t.notOk(JSON.stringify(found).includes('小明'))
  const reveal = `/v1/holders/${holder}/reveal`
  t.equal(await said(door, 'hotline', 'POST', reveal, { reason }), '403 forbidden')
  t.strictSame(await door.ok('clerk', 'POST', reveal, { reason }), { holder, ...person })
  t.equal(await said(door, 'clerk', 'POST', reveal.replace(holder, unknown), { reason }),
    '404 not_found')
  t.equal(await said(door, 'clerk', 'POST', reveal, {}), '400 body_invalid', 'no reason')
  const { items } = await door.ok('inspector', 'GET', '/v1/audit?limit=1000')
  const looks = items.filter((one: { action: string }) => one.action.startsWith('holder.'))
  t.match(looks.filter((one: { action: string }) => one.action !== 'holder.enter').reverse(), [
    ...Array(3).fill({
      by: 'hotline', action: 'holder.look_up', subject: `holder/${holder}`, detail: { reason }
    }),
    { by: 'clerk', action: 'holder.reveal', detail: { reason } }])
  t.notMatch(JSON.stringify(items) + door.logLines().join(''), /小明|430400199001010017|13800001234/)
  await door.close()
})

const keyFor = (key: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, '', `personal data: ${purpose}`, 32))
function opened2 (sealed: Buffer, holder: string, key: Buffer): unknown {
  const decipher = createDecipheriv('aes-256-gcm', keyFor(key, 'seal'), sealed.subarray(0, 12))
  decipher.setAAD(Buffer.from(holder, 'utf8')).setAuthTag(sealed.subarray(sealed.length - 16))
  const text = Buffer.concat([decipher.update(sealed.subarray(12, sealed.length - 16)), decipher.final()])
  return JSON.parse(text.toString('utf8'))
}

t.test('an application from the counter to the hand of the holder', async t => {
  const door = await doors.open()
  const registry = smallCity([
    card(0, { type: 'social-security' }), card(1, { type: 'named' }), card(2, { type: 'named' })])
  await door.ok('registrar', 'PUT', '/v1/registry', registry)
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', person)
  const apply = (type: string) => ({ holder, type, why: 'first' })
  t.equal(await said(door, 'clerk', 'POST', '/v1/card-applications', apply('anonymous')),
    '409 conditions_not_met')
  const nobodys = { ...apply('named'), holder: 'H0000000000000000' }
  t.equal(await said(door, 'clerk', 'POST', '/v1/card-applications', nobodys), '404 not_found')
  const started = await door.ask('clerk', 'POST', '/v1/card-applications', { json: apply('social-security') })
  t.match(started, { status: 201, json: { application: 1, state: 'applied', card: null, steps: [] } })
  const step = (who: Who, to: string, more: object = {}, no = 1) =>
    said(door, who, 'POST', `/v1/card-applications/${no}/moves`, { to, reason: 'as usual', ...more })
  t.equal(await step('clerk', 'in_production'), '409 conditions_not_met', 'out of turn')
  t.equal(await step('clerk', 'task_made'), 'task_made')
  t.equal(await step('registrar', 'in_production'), '409 conditions_not_met', 'authorities come first')
  t.equal(await step('clerk', 'health_asked'), '403 forbidden')
  for (const to of [
    'health_asked', 'health_approved', 'bank_asked', 'bank_approved', 'department_asked',
    'department_approved', 'in_production'
  ]) t.equal(await step('registrar', to), to)
  t.equal(await step('registrar', 'made'), '409 conditions_not_met', 'which card?')
  t.equal(await step('registrar', 'made', { card: cardOf(1) }), '409 conditions_not_met', 'another type')
  t.equal(await step('registrar', 'made', { card: cardOf(9) }), '404 not_found')
  t.equal(await step('registrar', 'made', { card: cardOf(0) }), 'made')
  t.equal(await stateOf(door, 0), 'not_enabled')
  for (const to of ['account_asked', 'account_opened', 'shipped', 'received']) {
    t.equal(await step('registrar', to), to)
  }
  t.equal(await step('registrar', 'issued'), '403 forbidden', 'by a clerk, who sees the person')
  t.equal(await step('clerk', 'issued', { card: cardOf(0) }), '409 conditions_not_met', 'it was named before')
  t.equal(await step('clerk', 'issued'), 'issued')
  t.match(await door.ok('clerk', 'GET', path(0, 'life')), { state: 'normal', holder })
  t.equal(await step('clerk', 'cancelled'), '409 conditions_not_met', 'an end')
  t.equal(await step('clerk', 'task_made', {}, 99), '404 not_found')

  await door.ok('clerk', 'POST', '/v1/card-applications', apply('named'))
  await door.ok('clerk', 'POST', '/v1/card-applications', apply('named'))
  for (const to of ['task_made', 'in_production']) {
    for (const no of [2, 3]) await step('registrar', to, {}, no)
  }
  t.equal(await step('registrar', 'made', { card: cardOf(1) }, 2), 'made')
  const again = await step('registrar', 'made', { card: cardOf(1) }, 3)
  t.equal(again, '409 conditions_not_met', 'one card for two')
  const { items } = await door.ok('clerk', 'GET', '/v1/card-applications?state=in_production')
  t.match(items, [{ application: 3, card: null, steps: [{ to: 'task_made' }, { to: 'in_production' }] }])
  const { items: made } = await door.ok('inspector', 'GET', '/v1/card-applications?state=made')
  t.match(made, [{ application: 2, card: cardOf(1) }])
  await verified(t, door)
  await door.close()
})
t.test('whoever answers the telephone sees it in plain words, and says why', async t => {
  const door = await opened()
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', person)
  await door.ok('clerk', 'POST', path(0, 'holder'), { holder })
  await deliver(door, 'two-uses-and-one', [
    debit(0, 1, 'B1', { dateTime: '20260302081000' }), debit(0, 2, 'M1', { dateTime: '20260302091500' }),
    debit(0, 3, 'B1', { dateTime: '20000101000000' })])
  const asked = { reason: 'the caller says the bus took too much' }
  const seen = await door.ok('hotline', 'POST', path(0, 'look-up'), asked)
  t.match(seen, {
    type: 'named', state: 'normal', stateWords: { zh: '正常', en: 'in use' }, listed: null,
    holder: { holder, name: '王＊＊', phone: '…1234' }, mayMove: ['report_orally'],
    money: { owedFen: 10_000 - 360, waitingFen: 0, onlineFen: 0 }
  })
  t.strictSame(seen.uses.map((one: { words: object }) => one.words), [
    {
      zh: '01-01 00:00 公交（B1）：支付 1.80 元，余额 94.60 元；时钟异常',
      en: '01-01 00:00 Bus (B1): paid 1.80, 94.60 left; the terminal clock cannot be right'
    },
    { zh: '03-02 09:15 地铁（M1）：支付 1.80 元，余额 96.40 元', en: '03-02 09:15 Metro (M1): paid 1.80, 96.40 left' },
    { zh: '03-02 08:10 公交（B1）：支付 1.80 元，余额 98.20 元', en: '03-02 08:10 Bus (B1): paid 1.80, 98.20 left' }])
  t.equal(await moved(door, 'hotline', 0, 'report_orally'), 'oral_loss', 'in one step')
  t.match(await door.ok('clerk', 'POST', path(0, 'look-up'), asked), {
    state: 'oral_loss', listed: 'oral_loss', mayMove: ['report_loss', 'lift_oral']
  })
  t.equal(await said(door, 'hotline', 'POST', path(99, 'look-up'), asked), '404 not_found')
  t.equal(await said(door, 'settler', 'POST', path(0, 'look-up'), asked), '403 forbidden')
  t.equal(await said(door, 'hotline', 'POST', path(0, 'look-up'), {}), '400 body_invalid', 'no reason')
  await door.db.query("update card set branch = 'EAST'")
  await bootstrap(door.db, {
    staff: [{ name: 'west', password, roles: ['hotline'], branch: 'WEST' }]
  }, door.clock.now())
  const token = (await door.signIn('west', password)).json.token
  t.equal((await door.ask(null, 'POST', path(0, 'look-up'), { json: asked, token })).status, 403)
  const { items } = await door.ok('inspector', 'GET', '/v1/audit?limit=1000')
  t.match(items.filter((one: { action: string }) => one.action === 'card.look'), [
    { by: 'clerk', detail: asked }, { by: 'hotline', detail: asked }])
  await door.close()
})

t.test('the description says what the doors do', async t => {
  t.strictSame(doors.mismatches(), [])
  t.ok(D1 > D)
})
