// Each deed of a counter, and each message of a registry, cut by a ledger that dies before its commit and
// behind it: sent again it is done once, and the whole database is what it is where nobody died.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { nodeCommand, superviseChild, type Child } from '../runtime/supervise.ts'
import { cardKey } from '../schemas/record.ts'
import { specOf } from '../terminal-sim/scenario/desk.ts'
import { differences, pictureOf, plain, type Picture } from './support/database-picture.ts'
import { machines, password, secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, clientOf, D, D1, debit, smallCity } from './support/small-city.ts'

t.setTimeout(900_000)
const doors = await startDoors()
t.teardown(() => doors.stop())

type Json = Record<string, unknown>
type Who = keyof typeof machines | 'clerk' | 'hotline' | 'approver-1' | 'approver-2' | 'settler' | 'shop'
/** Answers so far, by the deed. */
type Said = Readonly<Record<string, Json>>
type Asking = { readonly who: Who, readonly path: string, readonly json?: object }
type Ask = (said: Said) => Asking

type Deed = {
  /** What stands before -commit in the name of the place, or the whole of it behind before- and after-. */
  readonly place: string
  readonly ask: Ask
  /** What goes before, whole. */
  readonly first?: readonly (readonly [name: string, ask: Ask])[]
  readonly day?: 1
  /** The request of the deed before, which died on its way and comes to this place now. */
  readonly goesOn?: true
  /** More was done before this place, in transactions of its own. */
  readonly partly?: true
  /** Where the answer was lost, another is not to be had yet. */
  readonly again?: { readonly status: number, readonly reason: string }
}

const path = (number: number, what: string): string => `/v1/cards/${cardKey(cardOf(number))}/${what}`
const social = (number: number): string => `/v1/social-security/cards/${cardKey(cardOf(number))}/messages`
const keyed = (
  who: Who, where: string | ((said: Said) => string), json?: object | ((said: Said) => object)
) => ({
  place: 'keyed-commit',
  ask: (said: Said): Asking => ({
    who, path: typeof where === 'string' ? where : where(said),
    ...json === undefined ? {} : { json: typeof json === 'function' ? json(said) : json }
  })
}) as const
const move = (who: Who, number: number, move: string): Deed =>
  keyed(who, path(number, 'moves'), { move, reason: 'told at the counter' })
const message = (number: number, id: string, says: string, more: object = {}): Deed => ({
  place: 'social-commit',
  ask: () => ({
    who: 'social-security', path: social(number),
    json: { id, at: `${D}T11:00:00+08:00`, says, reason: 'told by the bureau', ...more }
  })
})
const step = (name: string, to: string, who: Who, more: object = {}): Ask => said => ({
  who, path: `/v1/card-applications/${said[name]?.['application']}/moves`,
  json: { to, reason: 'usual', ...more }
})
const applied = (to: string, who: Who, more: object = {}): Deed =>
  ({ place: 'keyed-commit', ask: step('applies', to, who, more) })
const whole = (ask: Ask, name = '') => [name, ask] as const
const holderIn = (said: Said): unknown => said['a person is entered']?.['holder']
const person = { document: { kind: 'passport', number: 'E1234567' }, name: 'Li Na', phone: '13900000000' }
const atTill = { outlet: 'SHP', undamaged: true, reason: 'moves away' }
const proposal = (kind: string) => ({ kind, reason: 'years without use', body: { card: cardOf(13) } })
const decisionsOn = (name: string) => (said: Said): string => `/v1/proposals/${said[name]?.['id']}/decisions`
const made = { issuer: '02313750FFFFFFFF', serial: '03104990600000000901', issue: 1 }
const close = (place: string, more: object = {}): Deed => ({
  place, day: 1, partly: true, ask: () => ({ who: 'settler', path: `/v1/days/${D}/close` }), ...more
})

const deeds: Readonly<Record<string, Deed>> = {
  'a person is entered': keyed('clerk', '/v1/holders', person),
  'a card is hers': keyed('clerk', path(0, 'holder'), said => ({ holder: holderIn(said) })),
  applies: keyed('clerk', '/v1/card-applications', said =>
    ({ holder: holderIn(said), type: 'named', why: 'first' })),
  'is made': {
    ...applied('made', 'registrar', { card: cardOf(5) }),
    first: [
      whole(step('applies', 'task_made', 'clerk')),
      whole(step('applies', 'in_production', 'registrar'))]
  },
  'is handed over': {
    ...applied('issued', 'clerk'), first: [whole(step('applies', 'received', 'clerk'))]
  },
  'lost, by telephone': move('hotline', 0, 'report_orally'),
  'found again': move('clerk', 0, 'lift_oral'),
  'lost, in writing': move('clerk', 0, 'report_loss'),
  'somebody brings it': keyed('clerk', path(0, 'found'), { place: 'desk 3' }),
  'lifting is asked for': keyed('clerk', '/v1/proposals',
    { kind: 'card_move', reason: 'brought to the counter', body: { card: cardOf(0), move: 'lift_loss' } }),
  'lifting is approved': keyed('approver-1',
    said => `/v1/proposals/${said['lifting is asked for']?.['id']}/decisions`, { approves: true }),
  'it is fetched': keyed('clerk', path(0, 'fetched')),
  'a phone is bound': keyed('clerk', path(0, 'phones'), { party: 'SHP' }),
  'a code is given': {
    place: 'given-commit',
    first: [whole(() => ({
      who: 'shop', path: '/v1/requests',
      json: { kind: 'top_up', key: 'top-up-01', card: cardOf(0), amountFen: 3_000, party: 'SHP' }
    }))],
    ask: said => ({ who: 'shop', path: '/v1/codes', json: { token: said['a phone is bound']?.['token'] } }),
    again: { status: 409, reason: 'too_early' }
  },
  'a phone is bound no more': keyed('hotline', said =>
    path(0, `phones/${said['a phone is bound']?.['phone']}/end`)),
  'a fare is given back': {
    first: [whole(() => ({
      who: 'gateway', path: '/v1/records',
      json: { delivery: 'one-ride', records: [debit(0, 1, 'B1', { balanceBeforeFen: 5_000 })] }
    }))],
    ...keyed('clerk', '/v1/refunds', {
      card: cardOf(0), counter: 101, amountFen: 80, reason: 'the bus did not stop', reference: 'refund-01'
    })
  },
  'another card for one that was read': keyed('clerk', path(0, 'replacement'), {
    to: cardOf(10), why: 'quality', chip: { counter: 101, balanceFen: 4_820 }, reason: 'bent'
  }),
  'another card for one that is lost, for a fee': {
    ...keyed('clerk', path(1, 'replacement'),
      { to: cardOf(11), why: 'lost', chip: null, outlet: 'SHP', reason: 'in a taxi' }),
    first: [whole(move('clerk', 1, 'report_loss').ask)]
  },
  'given back': keyed('clerk', path(2, 'return'), { ...atTill, chip: { counter: 100, balanceFen: 5_000 } }),
  'given back unreadable': keyed('clerk', path(3, 'return'), { ...atTill, chip: null }),
  'locked up': {
    ...move('registrar', 4, 'lock'), first: [whole(move('hotline', 6, 'report_orally').ask)]
  },
  'an order for its chip': keyed('clerk', '/v1/card-orders',
    { card: cardOf(4), order: { name: 'block_card' }, reason: 'fraud' }),
  'the registry: lost': message(7, 'R-1', 'lost'),
  'the registry: lifted': message(7, 'R-2', 'lifted', { at: `${D}T11:05:00+08:00` }),
  'the registry: replaced': message(8, 'R-3', 'replaced', { to: cardOf(12) }),
  'the registry: cancelled': message(9, 'R-4', 'cancelled'),
  'the registry: an answer': {
    place: 'social-commit',
    first: [
      whole(said => ({
        who: 'clerk', path: '/v1/card-applications',
        json: { holder: holderIn(said), type: 'social-security', why: 'first' }
      }), 'social'),
      whole(step('social', 'task_made', 'clerk')), whole(step('social', 'health_asked', 'registrar'))],
    ask: said => ({
      who: 'social-security',
      path: `/v1/social-security/applications/${said['social']?.['application']}/messages`,
      json: { id: 'R-5', at: `${D}T11:30:00+08:00`, to: 'health_approved', reason: 'insured' }
    })
  },
  'a batch of blank cards': keyed('registrar', '/v1/issuing/batches', {
    batch: 'B-1', type: 'anonymous', lot: '00000000000000A7', lotKeyVersion: 1, soldBy: 'SHP',
    depositFen: 2_000,
    cards: [specOf({ profile: 't-union', ...made })]
  }),
  'a card is made': {
    place: 'issued-commit',
    ask: () => ({
      who: 'gateway', path: '/v1/issuing/outcomes', json: { batch: 'B-1', card: made, outcome: 'issued' }
    })
  },
  'income of a forgotten card is asked for': keyed('clerk', '/v1/proposals', proposal('residual')),
  'one agrees':
    keyed('approver-1', decisionsOn('income of a forgotten card is asked for'), { approves: true }),
  'an oral report lapses': close('lapsed'),
  'the value follows': close('value-moved', { goesOn: true }),
  'an unreadable card is paid': {
    ...keyed('clerk', path(3, 'return/payment'), { outlet: 'SHP' }), day: 1
  },
  'a second one agrees': {
    ...keyed('approver-2', decisionsOn('income of a forgotten card is asked for'), { approves: true }), day: 1
  },
  'its holder is back': {
    ...keyed('approver-1', decisionsOn('back'), { approves: true }), day: 1,
    first: [whole(() => ({ who: 'clerk', path: '/v1/proposals', json: proposal('residual_return') }), 'back')]
  }
}

const named = { type: 'named', soldBy: 'SHP', balanceFen: 5_000, depositFen: 2_000 } as const
const blank = { balanceFen: 0, counter: 0 } as const
const registry = smallCity([
  ...[0, 1, 2, 3, 5, 6].map(number => card(number, named)), card(4),
  ...[7, 8, 9].map(number => card(number, { type: 'social-security' })),
  ...[10, 11].map(number => card(number, { type: 'named', ...blank })),
  card(12, { type: 'social-security', ...blank }), card(13, named)], {
  policies: {
    oralLossDays: 1, replacementWaitDays: 1, unreadableReturnDays: 1, replacementFeeFen: 1_000,
    lossHolderHours: 0, ownOutlets: ['SHP'], topUpStepFen: 1_000,
    residualRecognition: true, residualAfterDays: 365
  }
})

/* ---- a ledger that dies where it is told to ---- */

type Ledger = Child<{ url: string }>
type Answer = { readonly status: number, readonly json: Json, readonly replayed: boolean }

const clocks = [`${D}T12:00:00+08:00`, `${D1}T01:00:00+08:00`] as const

type Run = {
  readonly door: Door
  readonly said: Record<string, Json>
  readonly tokens: Record<Who, string>
  /** Of this city: what was signed for another is not in its database. */
  readonly signingKey: string
}

async function openRun (): Promise<Run> {
  const door = await doors.open(clocks[0])
  await door.ok('registrar', 'PUT', '/v1/registry', registry)
  // Forgotten for years: no ledger was there that its holder could have met.
  await door.db.query(
    "update card set opened_at = '2020-01-01T12:00:00+08:00' where serial = decode($1, 'hex')",
    [cardOf(13).serial])
  const machine = ([kind, id]: [string, string]) => [kind, `${id}.${secretOf(id)}`]
  const tokens = Object.fromEntries(Object.entries(machines).map(machine)) as Run['tokens']
  tokens.shop = await clientOf(door, 'SHP', 'agent')
  const folder = mkdtempSync(join(tmpdir(), 'card-cuts-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const run = { door, said: {}, tokens, signingKey: join(folder, 'signing.pem') }
  await signIn(run, 0)
  return run
}

/** Past the ledger that dies, once a day. */
async function signIn ({ door, tokens }: Run, day: 0 | 1): Promise<void> {
  door.clock.set(Date.parse(clocks[day]))
  for (const name of ['clerk', 'hotline', 'approver-1', 'approver-2', 'settler'] as const) {
    tokens[name] = (await door.signIn(name, password)).json.token
  }
}

const start = async (
  { door, signingKey }: Run, day: 0 | 1, killAt?: string
): Promise<Ledger> => await superviseChild({
  name: 'ledger', ...nodeCommand('ledger/main.ts'),
  readyTimeoutMs: 180_000, // on a machine that many share it takes more than thirty seconds
  env: {
    ...doors.env(door.databaseUrl), LEDGER_CLOCK: clocks[day], LEDGER_COURIER: 'false',
    LEDGER_SIGNING_KEY: signingKey,
    ...killAt === undefined ? {} : { CITIZEN_CARD_KILL_AT: killAt }
  }
})

async function send ({ tokens }: Run, { ready }: Ledger, asking: Asking, key?: string): Promise<Answer> {
  const { who, path, json } = asking
  const response = await fetch(new URL(path, ready.url), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tokens[who]}`,
      ...json === undefined ? {} : { 'content-type': 'application/json' },
      ...key === undefined ? {} : { 'idempotency-key': key }
    },
    ...json === undefined ? {} : { body: JSON.stringify(json) }
  })
  return {
    status: response.status, json: await response.json() as Json,
    replayed: response.headers.get('idempotency-replayed') === 'true'
  }
}

const deed = (name: string): Deed => {
  const found = deeds[name]
  if (found === undefined) throw new Error(name)
  return found
}
const dayOf = (wanted: Deed): 0 | 1 => wanted.day ?? 0
const isKeyed = ({ place }: Deed): boolean => place === 'keyed-commit'
const attempt = async (run: Run, ledger: Ledger, name: string): Promise<Answer> => {
  const wanted = deed(name)
  const key = isKeyed(wanted) ? name.replaceAll(' ', '-') : undefined
  return await send(run, ledger, wanted.ask(run.said), key)
}
/** What is done before, whole. */
async function prepare (run: Run, ledger: Ledger, name: string): Promise<void> {
  for (const [called, ask] of deed(name).first ?? []) {
    const { status, json } = await send(run, ledger, ask(run.said))
    if (status >= 300) throw new Error(`before ${name}: ${status} ${JSON.stringify(json)}`)
    if (called !== '') run.said[called] = json
  }
}

type Step = { readonly answer: string, readonly picture: Picture }
const words = (json: Json): string => plain(JSON.stringify(json)).replace(/"replayed":(true|false)/, '')

/** Nobody dies. */
async function straight (): Promise<Record<string, Step>> {
  const run = await openRun()
  const steps: Record<string, Step> = {}
  let day = dayOf(deed('a person is entered'))
  let ledger = await start(run, day)
  for (const [name, wanted] of Object.entries(deeds)) {
    if (dayOf(wanted) !== day) {
      await ledger.stop()
      day = dayOf(wanted)
      await signIn(run, day)
      ledger = await start(run, day)
    }
    await prepare(run, ledger, name)
    const { status, json } = await attempt(run, ledger, name)
    if (status >= 300) throw new Error(`${name}: ${status} ${JSON.stringify(json)}`)
    run.said[name] = json
    steps[name] = { answer: words(json), picture: await pictureOf(run.door.db) }
  }
  await ledger.stop()
  await run.door.close()
  return steps
}

/** The ledger dies in each deed; the next one is asked again, and dies in the next deed. */
async function cut (t: Test, side: 'before' | 'after', steps: Readonly<Record<string, Step>>): Promise<void> {
  const run = await openRun()
  let open: { readonly name: string, readonly left: Picture } | null = null
  let day = dayOf(deed('a person is entered'))
  const again = async (ledger: Ledger): Promise<void> => {
    if (open === null) return
    const { name, left } = open
    open = null
    const wanted = deed(name)
    const { status, json, replayed } = await attempt(run, ledger, name)
    const what = `${name}, cut ${side}`
    const picture = await pictureOf(run.door.db)
    if (side === 'after' && wanted.again !== undefined) t.match({ status, ...json }, wanted.again, what)
    else {
      t.ok(status < 300, `${what}: asked again ${status} ${JSON.stringify(json)}`)
      t.equal(words(json), steps[name]?.answer, `${what}: the same answer`)
    }
    if (isKeyed(wanted)) t.equal(replayed, side === 'after', `${what}: the first answer again`)
    run.said[name] = json
    if (side === 'after' && wanted.partly !== true) {
      t.strictSame(differences(left, picture), [], `${what}: not twice`)
    }
    t.strictSame(differences(steps[name]?.picture ?? {}, picture), [], `${what}: as if nobody had died`)
  }
  for (const [name, wanted] of Object.entries(deeds)) {
    if (dayOf(wanted) !== day) {
      const ledger = await start(run, day)
      await again(ledger)
      await ledger.stop()
      day = dayOf(wanted)
      await signIn(run, day)
    }
    const passes = open !== null && wanted.goesOn !== true && deed(open.name).place === wanted.place ? 2 : 1
    const ledger = await start(run, day, `${side}-${wanted.place}:${passes}`)
    if (wanted.goesOn !== true) await again(ledger)
    await prepare(run, ledger, name)
    const stood = await pictureOf(run.door.db)
    await t.rejects(attempt(run, ledger, name), `${name}, cut ${side}: no answer`)
    t.match(await ledger.stop(), { signal: 'SIGKILL' }, `${name}, cut ${side}: it died`)
    const left = await pictureOf(run.door.db)
    const done = differences(stood, left)
    if (side === 'before' && wanted.partly !== true) {
      t.strictSame(done, [], `${name}, cut before: nothing of it is there`)
    }
    if (side === 'after' && wanted.again === undefined) {
      t.not(done.length, 0, `${name}, cut after: it is there`)
    }
    open = { name, left }
  }
  const last = await start(run, day)
  await again(last)
  await last.stop()
  const { checks } = await run.door.ok('auditor', 'POST', '/v1/verify')
  t.strictSame(checks.filter((one: { ok: boolean }) => !one.ok), [], 'the books verify')
  await run.door.close()
}

const steps = await straight()
for (const side of ['before', 'after'] as const) {
  t.test(`${Object.keys(deeds).length} deeds, each cut ${side} its commit`, async t => {
    await cut(t, side, steps)
  })
}
