// The registry of social-security cards and the house tell each other of cards: what the registry says moves
// a card once, in whatever order it comes; what the house does is told to it. Through the door of a ledger.
import t, { type Test } from 'tap'
import type { ApplicationState } from '../schemas/card-application.ts'
import { decideAnswer } from '../ledger/core/social-word.ts'
import { cardKey } from '../schemas/record.ts'
import { cardOf } from './support/posting.ts'
import { startDoors, type Door, type Who } from './support/ledger-http.ts'
import { card, D, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(240_000)

const path = (number: number, what: string) => `/v1/cards/${cardKey(cardOf(number))}/${what}`
const at = (time: string): string => `${D}T${time}:00.000+08:00`
const social = 'social-security'

/** So many cards of social security, then one that is named. */
async function opened (cards: number, more: object = {}): Promise<Door> {
  const door = await doors.open(at('09:00'))
  const all = Array.from({ length: cards }, (_, number) => card(number, { type: social }))
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([...all, card(cards, { type: 'named' })], more))
  return door
}

type Word = { id: string, at: string, says: string, reason?: string, to?: unknown }
const tell = (door: Door, number: number, word: Word, who: Who = social) =>
  door.ask(who, 'POST', `/v1/social-security/cards/${cardKey(cardOf(number))}/messages`,
    { json: { reason: 'told by the bureau', ...word } })
async function told (door: Door, number: number, word: Word): Promise<string> {
  const { status, json } = await tell(door, number, word)
  if (status === 200) return `${json.outcome} ${json.state}`
  return `${status} ${json.reason} ${json.where ?? ''}`.trim()
}
const move = async (door: Door, who: Who, number: number, move: string): Promise<string> => {
  const { status, json } = await door.ask(who, 'POST', path(number, 'moves'), {
    json: { move, reason: 'told at the counter' }
  })
  return status === 200 ? json.state : `${status} ${json.reason}`
}
const lifeOf = async (door: Door, number: number) => await door.ok('clerk', 'GET', path(number, 'life'))
const eventsOf = async (door: Door, topic: string) => (await door.db.query<{ subject: string, body: Event }>(
  'select subject, body from outbox where topic = $1 order by outbox_id', [topic])).rows
type Event = {
  card: string, holder: string | null, move: string, to: string, by: string, message: string | null
  state: string, application: number
}

async function verified (t: Test, door: Door): Promise<void> {
  const { checks } = await door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(checks.filter((one: { ok: boolean }) => !one.ok), [], 'the books verify')
}

function orders<T> (all: readonly T[]): T[][] {
  if (all.length < 2) return [[...all]]
  return all.flatMap((one, index) => orders(all.toSpliced(index, 1)).map(rest => [one, ...rest]))
}

t.test('a report and its lifting: the blacklist, the log, the stream', async t => {
  const door = await opened(1)
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', {
    name: 'Li', document: { kind: 'passport', number: 'E12345678' }
  })
  await door.ok('clerk', 'POST', path(0, 'holder'), { holder })
  const lost = { id: 'R-1', at: at('08:30'), says: 'lost' }
  t.strictSame((await tell(door, 0, lost)).json,
    { id: 'R-1', outcome: 'moved', state: 'loss', replayed: false })
  t.match(await lifeOf(door, 0), {
    state: 'loss', listed: 'loss',
    moves: [{ move: 'registry_lost', by: 'SOCIAL', reason: 'told by the bureau' }]
  })
  t.strictSame((await tell(door, 0, lost)).json,
    { id: 'R-1', outcome: 'moved', state: 'loss', replayed: true }, 'the first answer again')
  const lifted = { id: 'R-2', at: at('08:40'), says: 'lifted' }
  t.equal(await told(door, 0, lifted), 'moved normal')
  t.match(await lifeOf(door, 0), { state: 'normal', listed: null, moves: [{}, { move: 'registry_lifted' }] })
  t.strictSame((await tell(door, 0, lost)).json,
    { id: 'R-1', outcome: 'moved', state: 'loss', replayed: true }, 'and it moves nothing again')
  t.equal((await lifeOf(door, 0)).state, 'normal')
  t.equal(await move(door, 'hotline', 0, 'report_orally'), 'oral_loss')

  const events = await eventsOf(door, 'social.card')
  t.match(events.map(({ body }) => body), [
    { holder, move: 'registry_lost', from: 'normal', to: 'loss', by: 'registry', message: 'R-1', at: /T09:00/ },
    { holder, move: 'registry_lifted', to: 'normal', by: 'registry', message: 'R-2' },
    { holder, move: 'report_orally', to: 'oral_loss', by: 'house', message: null }])
  const { items } = await door.ok(social, 'GET', '/v1/social-security/cards')
  t.match(items, [{ card: cardOf(0), holder, state: 'oral_loss', since: /T09:00/ }], 'the named card is none')
  t.ok(events.every(({ body, subject }) => body.card === items[0].name && subject === `card/${body.card}`))
  t.notOk(JSON.stringify(events).includes(cardOf(0).serial), 'no number in an event')
  const deeds = (await door.ok('inspector', 'GET', '/v1/audit?limit=1000')).items.filter(
    (one: { by: string }) => one.by === 'SOCIAL')
  t.match(deeds.reverse(), [
    { action: 'blacklist.publish' }, { action: 'card.move' },
    { action: 'social.told', detail: { message: 'R-1', outcome: 'moved' } },
    { action: 'blacklist.publish' }, { action: 'card.move' },
    { action: 'social.told', detail: { message: 'R-2', at: /08:40/ } }])
  await verified(t, door)
  await door.close()
})

t.test('whatever comes first: of two deeds the later one counts', async t => {
  const sets: [words: string, end: string][] = [
    ['lost 08:10, lifted 08:20', 'normal'],
    ['lifted 08:10, lost 08:20', 'loss'],
    ['lost 08:10, lifted 08:20, lost 08:30', 'loss'],
    ['lost 08:10, lost 08:15, lifted 08:20', 'normal'],
    ['lost 08:10, lifted 08:10', 'loss'],
    ['lost 08:10, lifted 08:20, cancelled 08:15', 'void'],
    ['cancelled 08:10, lost 08:20', 'void']
  ]
  const plan = sets.flatMap(([words, end]) => orders(words.split(', ')).map(order => ({ order, end })))
  const door = await opened(plan.length)
  for (const [number, { order, end }] of plan.entries()) {
    for (const [index, word] of order.entries()) {
      const [says = '', time = ''] = word.split(' ')
      const { status } = await tell(door, number, { id: `M-${number}-${index}`, at: at(time), says })
      t.equal(status, 200)
    }
    const { state, listed } = await lifeOf(door, number)
    t.equal(state, end, order.join(', '))
    t.equal(listed, { normal: null, loss: 'loss', void: 'cancelled' }[end], 'and the list')
  }
  await verified(t, door)
  await door.close()
})

t.test('deeds of the house between them', async t => {
  const door = await opened(5)
  t.equal(await move(door, 'hotline', 0, 'report_orally'), 'oral_loss')
  t.equal(await told(door, 0, { id: 'A-1', at: at('08:59'), says: 'lifted' }), 'superseded oral_loss',
    'it was reported here after that')
  t.equal(await told(door, 0, { id: 'A-2', at: at('08:50'), says: 'lost' }), 'superseded oral_loss',
    'and lifted there')
  t.equal(await told(door, 0, { id: 'A-4', at: at('09:00'), says: 'lost' }), 'moved loss', 'in writing there')
  door.clock.set(Date.parse(at('10:00')))
  t.equal(await told(door, 0, { id: 'A-3', at: at('09:59'), says: 'lifted' }), 'moved normal')

  await move(door, 'hotline', 1, 'report_orally')
  door.clock.set(Date.parse(at('11:00')))
  t.equal(await move(door, 'clerk', 1, 'lift_oral'), 'normal')
  t.equal(await told(door, 1, { id: 'B-1', at: at('10:59'), says: 'lost' }), 'superseded normal',
    'found after that')
  t.equal(await told(door, 1, { id: 'B-2', at: at('11:00'), says: 'lost' }), 'moved loss',
    'of one instant the loss counts')

  t.equal(await move(door, 'registrar', 2, 'lock'), 'locked')
  t.equal(await told(door, 2, { id: 'C-1', at: at('10:30'), says: 'lost' }), 'noted locked')
  const unlock = { kind: 'card_move', body: { card: cardOf(2), move: 'unlock' }, reason: 'all is well' }
  const refused = await door.ask('clerk', 'POST', '/v1/proposals', { json: unlock })
  t.match(refused, { status: 409, json: { reason: 'conditions_not_met', detail: /registry .* as lost/ } })
  t.equal(await told(door, 2, { id: 'C-2', at: at('10:40'), says: 'lifted' }), 'noted locked')
  t.equal((await door.ask('clerk', 'POST', '/v1/proposals', { json: unlock })).status, 201)
  t.equal(await told(door, 2, { id: 'C-3', at: at('10:50'), says: 'cancelled' }), 'moved void')
  t.equal(await told(door, 2, { id: 'C-4', at: at('10:55'), says: 'cancelled' }), 'noted void')

  await door.ok('clerk', 'POST', path(3, 'moves'), { move: 'report_loss', reason: 'at the counter' })
  t.equal(await told(door, 3, { id: 'D-1', at: at('10:58'), says: 'lost' }), 'noted loss')
  t.equal(await told(door, 3, { id: 'D-2', at: at('11:01'), says: 'lifted' }), 'moved normal')
  await verified(t, door)
  await door.close()
})

t.test('an oral report lapses, and the registry had it as lost: it stays lost', async t => {
  const door = await opened(1, { policies: { oralLossDays: 1 } })
  await move(door, 'hotline', 0, 'report_orally')
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.equal((await lifeOf(door, 0)).state, 'normal', 'lapsed')
  t.equal(await told(door, 0, { id: 'L-1', at: at('12:00'), says: 'lost' }), 'moved loss',
    'said the day before, heard today: a lapse lifts nothing')
  await verified(t, door)
  await door.close()
})

t.test('another card in its place: its value follows', async t => {
  const door = await opened(4, { policies: { replacementWaitDays: 1, replacementFeeFen: 1_000 } })
  await deliver(door, 'one-ride', [debit(0, 1)])
  const replaced = { id: 'N-1', at: at('08:30'), says: 'replaced', to: cardOf(9) }
  t.equal(await told(door, 0, replaced), '404 not_found /to', 'not registered yet: told again later')
  t.equal(await told(door, 0, { ...replaced, to: cardOf(1) }), '409 conditions_not_met /to', 'it has value')
  await door.ok('registrar', 'PUT', '/v1/registry', {
    cards: [card(9, { type: social, balanceFen: 0, counter: 0 })]
  })
  t.equal(await told(door, 0, replaced), 'moved void')
  t.equal(await told(door, 0, replaced), 'moved void', 'once')
  t.equal(await told(door, 0, { ...replaced, to: cardOf(1) }), '409 request_conflict /to')
  t.equal(await told(door, 0, { id: 'N-2', at: at('08:40'), says: 'cancelled' }),
    '409 conditions_not_met /says', 'two ends contradict each other')
  t.equal(await told(door, 0, { id: 'N-3', at: at('08:50'), says: 'lost' }), 'noted void')
  t.match(await door.ok('clerk', 'GET', path(0, 'replacement')), {
    to: cardOf(9), dueOn: '2026-03-03', movedOn: null, feeFen: 0
  })
  door.clock.set(Date.parse('2026-03-03T01:00:00+08:00'))
  await door.ok('settler', 'POST', `/v1/days/${D}/close`)
  t.match(await door.ok('clerk', 'GET', path(0, 'replacement')), { movedOn: '2026-03-03', movedFen: 9_820 },
    '100.00 less a ride of 1.80')
  t.equal(await told(door, 1, { id: 'N-4', at: at('08:30'), says: 'lost', to: cardOf(9) }),
    '409 conditions_not_met /to')
  t.equal(await told(door, 1, { id: 'N-5', at: at('08:30'), says: 'replaced' }), '409 conditions_not_met /to')
  await verified(t, door)
  await door.close()
})

t.test('a card that has ended still owes: it is paid once, and the state stays', async t => {
  const door = await opened(4, { policies: { ownOutlets: ['SHP'] } })
  const back = async (number: number, chip: object | null = { counter: 100, balanceFen: 10_000 }) => {
    const { status, json } = await door.ask('clerk', 'POST', path(number, 'return'), {
      json: { outlet: 'SHP', chip, undamaged: true, reason: 'to the heirs' }
    })
    return status === 200 ? `${json.state} ${json.paidFen}` : `${status} ${json.reason}`
  }
  t.equal(await told(door, 0, { id: 'E-1', at: at('08:30'), says: 'cancelled' }), 'moved void')
  t.equal(await back(0), 'void 10000')
  t.equal(await back(0), '409 conditions_not_met', 'once')
  const died = { kind: 'card_move', body: { card: cardOf(1), move: 'die' }, reason: 'a certificate' }
  const { id } = await (await door.ask('clerk', 'POST', '/v1/proposals', { json: died })).json
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  t.equal(await back(1, null), 'void 0', 'the chip is not there: some days later')
  t.equal(await back(1), '409 conditions_not_met')
  await door.ok('registrar', 'PUT', '/v1/registry', {
    cards: [card(9, { type: social, balanceFen: 0, counter: 0 })]
  })
  await told(door, 2, { id: 'E-2', at: at('08:30'), says: 'replaced', to: cardOf(9) })
  t.equal(await back(2), '409 conditions_not_met', 'what is owed goes to the next card')
  t.match((await lifeOf(door, 0)), { state: 'void', moves: [{ move: 'registry_cancelled' }] })
  const { items } = await door.ok('inspector', 'GET', '/v1/audit?limit=1000')
  t.equal(items.filter((one: { action: string }) => one.action === 'card.return').length, 2)
  await verified(t, door)
  await door.close()
})

t.test('each message once, and what is none', async t => {
  const door = await opened(3)
  const lost = { id: 'R-1', at: at('08:30'), says: 'lost' }
  const answers = await Promise.all(Array.from({ length: 8 }, () => tell(door, 0, lost)))
  t.ok(answers.every(({ status, json }) => status === 200 && json.state === 'loss'))
  t.equal(answers.filter(({ json }) => json.replayed === false).length, 1, 'one moved it')
  t.equal((await lifeOf(door, 0)).moves.length, 1)
  t.equal(await told(door, 0, { ...lost, says: 'lifted' }), '409 request_conflict /says')
  t.equal(await told(door, 0, { ...lost, at: at('08:31') }), '409 request_conflict /at')
  t.equal(await told(door, 0, { ...lost, reason: 'another' }), '409 request_conflict /reason')
  t.equal(await told(door, 1, lost), '409 request_conflict /id', 'an id is of one card')
  const both = await Promise.all([1, 2].map(number => told(door, number, { ...lost, id: 'R-2' })))
  t.strictSame(both.sort(), ['409 request_conflict /id', 'moved loss'], 'also at the same moment')
  t.equal(await told(door, 3, { ...lost, id: 'R-3' }), '404 not_found /card', 'a named card is not its own')
  t.equal(await told(door, 8, { ...lost, id: 'R-3' }), '404 not_found /card')
  t.equal(await told(door, 2, { ...lost, id: 'R-3', at: at('09:02') }), '409 conditions_not_met /at',
    'of a time that has not come')
  t.equal(await told(door, 2, { ...lost, id: 'R-3', says: 'found' }), '400 body_invalid /says')
  for (const who of ['clerk', 'registrar', 'gateway', 'platform'] as const) {
    t.equal((await tell(door, 2, { ...lost, id: 'R-3' }, who)).status, 403, who)
  }
  const hook = async (topic: string, who: Who = social) => (await door.ask(who, 'POST', '/v1/webhooks', {
    json: { url: 'https://bureau.example.com/hook', topics: [topic] }
  })).status
  t.equal(await hook('social.card'), 201)
  t.equal(await hook('social.application'), 201)
  t.equal(await hook('card.moved'), 403)
  t.equal(await hook('day.moved'), 403)
  t.equal(await hook('social.card', 'platform'), 403)
  for (const route of ['/v1/cards', path(0, 'life'), '/v1/audit']) {
    t.equal((await door.ask(social, 'GET', route)).status, 403, route)
  }
  const first = await door.ok(social, 'GET', '/v1/social-security/cards?limit=2')
  const rest = await door.ok(social, 'GET', `/v1/social-security/cards?limit=2&after=${first.next}`)
  t.equal(new Set([...first.items, ...rest.items].map(({ name }: { name: string }) => name)).size, 3)
  await verified(t, door)
  await door.close()
})

t.test('answers about an application', async t => {
  const door = await opened(2)
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', {
    name: 'Li', document: { kind: 'passport', number: 'E12345678' }
  })
  await door.ok('clerk', 'POST', '/v1/card-applications', { holder, type: social, why: 'first' })
  await door.ok('clerk', 'POST', '/v1/card-applications', { holder, type: 'named', why: 'first' })
  const step = (to: string, more: object = {}) =>
    door.ok('registrar', 'POST', '/v1/card-applications/1/moves', { to, reason: 'as usual', ...more })
  const answer = async (id: string, to: string, time: string, no = 1) => {
    const path = `/v1/social-security/applications/${no}/messages`
    const { status, json } = await door.ask(social, 'POST', path, {
      json: { id, to, at: at(time), reason: 'decided' }
    })
    return status === 200 ? `${json.outcome} ${json.state}` : `${status} ${json.reason}`
  }
  await step('task_made')
  t.equal(await answer('P-1', 'health_approved', '08:10'), '409 conditions_not_met', 'nobody has asked')
  await step('health_asked')
  t.equal(await answer('P-2', 'health_refused', '08:20'), 'moved health_refused')
  t.equal(await answer('P-1', 'health_approved', '08:10'), 'superseded health_refused', 'an older answer')
  t.equal(await answer('P-3', 'health_approved', '08:30'), 'moved health_approved', 'another decision')
  t.equal(await answer('P-3', 'health_approved', '08:30'), 'moved health_approved', 'once')
  await step('bank_asked')
  t.equal(await answer('P-4', 'health_refused', '08:40'), '409 conditions_not_met', 'it has gone on')
  t.equal(await answer('P-5', 'health_approved', '08:40'), 'noted bank_asked')
  t.equal(await answer('P-5', 'bank_approved', '08:40'), '409 request_conflict')
  t.equal(await answer('P-6', 'bank_approved', '08:40'), 'moved bank_approved')
  await step('department_asked')
  t.equal(await answer('P-7', 'department_approved', '08:50'), 'moved department_approved')
  await step('in_production')
  await step('made', { card: cardOf(0) })
  t.equal(await told(door, 0, { id: 'P-8', at: at('08:55'), says: 'lost' }), 'noted not_enabled')
  await step('account_asked')
  t.equal(await answer('P-9', 'account_opened', '08:56'), 'moved account_opened')
  for (const to of ['shipped', 'received']) await step(to)
  const issue = () => door.ask('clerk', 'POST', '/v1/card-applications/1/moves', {
    json: { to: 'issued', reason: 'here it is' }
  })
  t.match(await issue(), { status: 409, json: { detail: /has it as lost/ } }, 'lost on its way')
  t.equal(await told(door, 0, { id: 'P-10', at: at('08:58'), says: 'lifted' }), 'noted not_enabled')
  t.equal((await issue()).status, 200)
  t.equal(await answer('P-11', 'health_approved', '08:30', 2), '404 not_found', 'not its own')
  t.equal(await answer('P-11', 'health_approved', '08:30', 9), '404 not_found')

  const events = (await eventsOf(door, 'social.application')).map(({ body }) => body)
  t.strictSame(events.map(({ state, by }) => `${state} ${by}`), [
    'applied house', 'task_made house', 'health_asked house', 'health_refused registry',
    'health_approved registry', 'bank_asked house', 'bank_approved registry', 'department_asked house',
    'department_approved registry', 'in_production house', 'made house', 'account_asked house',
    'account_opened registry', 'shipped house', 'received house', 'issued house'])
  const cards = (await eventsOf(door, 'social.card')).map(({ body }) => body)
  t.match(cards, [{ move: 'withhold', holder: null }, { move: 'enable', holder, by: 'house' }],
    'whose it is, from the moment it is handed over')
  t.ok(events.slice(10).every(one => one.card === cards[0]?.card && one.application === 1))
  await verified(t, door)
  await door.close()
})

t.test('answers of one question in any order, before anybody goes on', async t => {
  const answers = [
    { to: 'bank_approved', atMs: 10 }, { to: 'bank_refused', atMs: 20 }, { to: 'bank_approved', atMs: 15 }
  ] as const
  for (const order of orders(answers)) {
    let state: ApplicationState = 'bank_asked'
    let given = null as typeof answers[number] | null
    for (const one of order) {
      const { outcome } = decideAnswer(one, { state, given })
      if (outcome === 'moved') [state, given] = [one.to, one]
      else if (outcome === 'noted') given = one.atMs > (given?.atMs ?? 0) ? one : given
      t.not(outcome, 'refused')
    }
    t.equal(state, 'bank_refused', order.map(({ atMs }) => atMs).join(' '))
  }
})

t.strictSame(doors.unused().filter(route => route.includes('/v1/social-security')), [], 'each was used')
