// Value onto chips at a lane, on the real stack: virtual readers under pcscd, gateways as processes, a ledger
// on PostgreSQL. A card that leaves at every command, gateways killed at every named place, a ledger that is
// gone at every point: the chip, the gateway's book and the ledger agree in the end.
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { openLoads } from '../gateway/loads/loads.ts'
import { balances } from '../ledger/store/balances.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { manualClock } from '../runtime/clock.ts'
import { HttpAnswerError } from '../runtime/http-client.ts'
import { maskCards } from '../runtime/log.ts'
import type { ChargeView, LaneConfig, TapView } from '../schemas/gateway.ts'
import { cardKey } from '../schemas/record.ts'
import { personalise, testMasterKeys } from '../terminal-sim/card/description.ts'
import type { Fault } from '../terminal-sim/reader/fault.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { breakPoints } from './support/cable.ts'
import { type City, fareFen, openCity, opening } from './support/edge-city.ts'
import { type GatewayWish, type Running } from './support/lanes.ts'
import { startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { recordingDisk } from './support/recording-disk.ts'

const here = { skip: whyNoFarm() ?? false, timeout: 300_000 }
const lanes = ['L1', 'L2', 'L3', 'L4', 'F5', 'K6', 'K7']
const doors = await startDoors()
t.teardown(() => doors.stop())
const amountFen = 2_000
/** Of its kind in any text. */
const pin = '918273645546'

const loadLane: Partial<LaneConfig> = { mode: 'load', agent: 'SHP', loadDeadlineMs: 20_000 }
/** Its list and its tariff are as old as the test wants: it asks for newer ones when it is told to. */
const opened = (city: City, name: string, own: readonly string[], wish: GatewayWish = {}) =>
  city.gateway(name, own, {
    ...wish, lane: { ...loadLane, ...wish.lane }, config: { parametersEverySeconds: 86_400, ...wish.config }
  })
const laneOf = (lane: string, more: Partial<LaneConfig>): LaneConfig => ({
  lane, readers: { card: `${lane} 00 00`, psam: `${lane} 00 01` }, operator: 'BUS', terminal: lane,
  mode: 'fare', transmitDeadlineMs: 1_500, ...more
})

async function order (
  gateway: Running, lane: string, reference: string, more: object = {}
): Promise<ChargeView> {
  const asked = { source: 'agent', amountFen, reference, ...more }
  const { status, body } = await gateway.post<ChargeView>(`/v1/lanes/${lane}/loads`, asked)
  if (status !== 202) throw new Error(JSON.stringify(body))
  return body
}

/** A load is asked for, and the card is held to the lane. */
async function load (
  city: City, gateway: Running, lane: string, no: number, reference = `ref-${no}`
): Promise<TapView> {
  await order(gateway, lane, reference)
  return await city.tap(gateway, lane, no)
}

async function figures (gateway: Running): Promise<{ open: number, untold: number }> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text()
  const read = (name: string) => Number(new RegExp(`^gateway_${name} (\\d+)`, 'm').exec(text)?.[1])
  return { open: read('loads_open'), untold: read('loads_untold') + read('blocks_untold') }
}
async function told (gateway: Running): Promise<void> {
  while ((await figures(gateway)).untold > 0) await delay(10)
}

const textsUnder = (dir: string): string[] => readdirSync(dir).flatMap(name => {
  const path = join(dir, name)
  return statSync(path).isDirectory() ? textsUnder(path) : [readFileSync(path).toString('latin1')]
})

const list = async (city: City, cards: readonly number[], reason: string) =>
  await city.door.ok('registrar', 'POST', '/v1/blacklist', {
    add: cards.map(no => ({ card: cardOf(no), reason, at: '2026-03-02T07:00:00+08:00' })), remove: []
  })
const fault = async (city: City, no: number, fault: Fault) =>
  await city.farm.arm({ chip: await city.chip(no), fault })

async function blocksOf (city: City, lane: string) {
  const count = async (state: string) => {
    const { items } = await city.door.ok('clerk', 'GET', `/v1/card-blocks?state=${state}`)
    return items.filter((one: { terminal: string }) => one.terminal === lane).length
  }
  return { blocked: await count('blocked'), refused: await count('refused'), open: await count('open') }
}

/** What the chip holds beyond its beginning, and what the books say it holds. */
async function standing (city: City, no: number) {
  const { purse } = await city.farm.inspectCard({ chip: await city.chip(no) })
  const view = await city.door.ok('inspector', 'GET', `/v1/cards/${cardKey(cardOf(no))}`)
  return {
    chip: purse.balanceFen - opening.balanceFen,
    books: view.purse.shadowFen - opening.balanceFen,
    times: purse.onlineCounter
  }
}
/* ---- what is told to whoever watches the log ---- */

t.test('alarms: a TAC that is wrong, an outcome that the ledger does not take; no card number', async t => {
  const refused = () => { throw new HttpAnswerError('the ledger', 404, {}) }
  const answers = [[() => ({ key: 'GW1-load-1', state: 'open', tacRight: false }), 'load_tac_wrong'],
    [refused, 'load_outcome_refused']] as const
  for (const [answer, alarm] of answers) {
    const lines: string[] = []
    const granted = {
      key: 'GW1-load-1', outcome: 'approved', reason: 'ok', replayed: false, amountFen, mac2: '01020304',
      dateTime: '20260302081530', state: 'open', clearingDate: '2026-03-02'
    }
    const book = await openLoads({
      http: { post: async path => path === '/v1/loads' ? granted : answer() },
      files: recordingDisk(), clock: manualClock(Date.parse('2026-03-02T08:15:30+08:00')), random: () => 0.5,
      nowMs: () => performance.now(), newKey: () => 'GW1-load-1',
      log: pino({ level: 'warn' }, { write: line => { lines.push(line) } })
    })
    const chip = {
      balanceFen: 0, onlineCounter: 7, offlineCounter: 9, keyVersion: 1, algorithm: 0, random: '01020304',
      mac1: '01020304'
    }
    const asked = await book.ask({
      lane: 'L1', reference: 'R', deadlineMs: 1_000,
      load: { card: cardOf(1), source: 'agent', amountFen, party: 'SHP', terminal: '990000000001', chip }
    })
    if (asked.kind !== 'granted') return t.fail(asked.kind)
    await book.send(asked.load)
    await book.conclude(asked.load, { outcome: 'written', tac: '01020304' })
    while (book.view().untold > 0) await delay(1)
    await book.close()
    t.equal(lines.length, 1, `${alarm}: once`)
    t.match(JSON.parse(lines[0] ?? '{}'), { alarm, load: 'GW1-load-1', outcome: 'written' })
    t.notMatch(lines[0], cardOf(1).serial)
  }
})

const once = { chip: amountFen, books: amountFen, times: 1 }
const never = { chip: 0, books: 0, times: 0 }

/** All the cash that the shop owes is on purses, nothing waits between, and everybody agrees. */
async function sound (t: Test, city: City): Promise<void> {
  await city.door.ledger.watch.catchUp()
  await city.door.ledger.sealer.seal()
  const rows = await balances(city.door.db, null)
  const of = (heading: string) => rows.filter(row => row.heading === heading)
    .reduce((sum, row) => sum + Number(row.debitFen - row.creditFen), 0)
  const { rows: loads } = await city.door.db.query<{ state: number, fen: string }>(
    'select state, sum(amount_fen) as fen from load where source = 0 group by state')
  t.notOk(loads.some(({ state }) => state === 0), 'no load is open')
  t.equal(of('receivable-agent'), Number(loads.find(({ state }) => state === 1)?.fen), 'the shop owes it')
  t.equal(of('pending-load'), 0, 'nothing waits')
  const { checks } = await verifyBooks(city.door.db)
  t.same(checks.filter(({ ok }) => !ok), [], 'verify finds nothing')
}

/** SELECT, files 0015 and 0017, record of 001E, INITIALIZE FOR PURCHASE, INITIALIZE FOR LOAD, CREDIT. */
const commands = ['00A4', '00B0', '00B0', '00B2', '805001', '805000', '8052'] as const
/** How far a load had come when the gateway died, and what its order is after the restart. */
const killed = [
  { at: 'load-after-asked', taken: 0, state: 'waiting', reason: 'loaded' },
  { at: 'load-after-answer', taken: 0, state: 'waiting', reason: 'loaded' },
  { at: 'load-after-intent', taken: 0, state: 'unknown', reason: 'loaded' },
  { at: 'load-after-credit', taken: 1, state: 'unknown', reason: 'loaded_before' },
  { at: 'load-after-outcome', taken: 1, state: 'approved', reason: 'no_load' }
] as const

t.test('loads at lanes', { ...here, jobs: 3 }, async t => {
  const city = await openCity(t, doors, lanes)
  let last = 0
  const next = () => ++last
  const tear = async (no: number, commit: 'before' | 'after') =>
    await city.farm.arm({ chip: await city.chip(no), fault: { kind: 'tear', commit, command: '8052' } })

  const atWork = t.test('what is loaded, and what is not', { buffered: true }, async t => {
    const lines: string[] = []
    const gateway = await city.gateway('GW-A', ['L1', 'L2', 'L4'], {
      onLine: line => lines.push(line),
      config: {
        lanes: [
          laneOf('L1', loadLane), laneOf('L2', { ...loadLane, keepPinSeconds: 1 }),
          laneOf('L4', { blockListed: 'temporary' })
        ]
      }
    })
    const on = await fetch(`${gateway.url}/v1/tapes/lane-L1`, {
      method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"seconds":3600}'
    })
    t.equal(on.status, 200)
    const fare = await city.gateway('GW-F', ['F5'])

    await t.test('a load, and the same one again', async t => {
      const no = next()
      t.equal((await city.tap(gateway, 'L1', no)).reason, 'no_load', 'nobody has asked')
      t.match(await load(city, gateway, 'L1', no), {
        outcome: 'approved', reason: 'loaded', amountFen, balanceAfterFen: opening.balanceFen + amountFen,
        cardKey: maskCards(cardKey(cardOf(no)))
      })
      const sent = (await city.farm.exchanges({ chip: await city.chip(no) })).map(one => one.command)
      t.same(sent.slice(-commands.length).map((command, index) => command.slice(0, commands[index]?.length)),
        commands, 'command by command')
      await told(gateway)
      t.same(await standing(city, no), once)
      t.match(await order(gateway, 'L1', `ref-${no}`), { state: 'approved', reason: 'loaded' })
      t.equal((await city.tap(gateway, 'L1', no)).reason, 'no_load', 'the same reference is the same load')
      const wrong = [{ amountFen: 1_000, reference: `ref-${no}` }, { reference: 'uncounted-cash' }]
      const answers = wrong.map(body => gateway.post('/v1/lanes/L1/loads', { source: 'agent', ...body }))
      t.same((await Promise.all(answers)).map(({ status }) => status), [409, 400])

      t.equal((await city.tap(fare, 'F5', no)).reason, 'paid')
      await fare.drained()
      const [debit] = await city.records(`card=${cardKey(cardOf(no))}`)
      t.match(debit, { outcome: 'accepted', reason: 'ok' }, 'the next debit began with the value')
      await city.door.ok('clerk', 'POST', '/v1/refunds', {
        card: cardOf(no), counter: opening.counter + 1, amountFen: fareFen, reference: 'REF-1',
        reason: 'out of service'
      })
      await order(gateway, 'L1', 'ref-refund', { source: 'pending', amountFen: undefined })
      t.match(await city.tap(gateway, 'L1', no), { reason: 'loaded', amountFen: fareFen }, 'all that waited')
      await told(gateway)
      t.same(await standing(city, no), { ...once, times: 2 })
    })

    await t.test('torn at every command, before and after the chip commits, and back', async t => {
      const stories = commands.flatMap((_, index) => (['before', 'after'] as const).map(commit =>
        ({ no: next(), nth: index + 1, commit, isCredit: index === commands.length - 1 })))
      await Promise.all(['L1', 'L2'].map(async lane => {
        for (let story = stories.shift(); story !== undefined; story = stories.shift()) {
          const { no, nth, commit, isCredit } = story
          const name = `command ${nth}, ${commit} the commit`
          await city.farm.arm({ chip: await city.chip(no), fault: { kind: 'tear', commit, nth } })
          const first = await load(city, gateway, lane, no)
          const { state } = await gateway.get<ChargeView>(`/v1/charges/${first.charge}`)
          const second = await city.tap(gateway, lane, no)
          const written = isCredit && commit === 'after'
          t.equal(first.outcome, isCredit ? 'unknown' : 'declined', name)
          t.equal(state, isCredit ? 'unknown' : 'waiting', `${name}: the order waits for this card`)
          t.match(second, { reason: written ? 'loaded_before' : 'loaded', amountFen }, name)
          await told(gateway)
          t.same(await standing(city, no), once, `${name}: written once`)
        }
      }))
      t.same(await figures(gateway), { open: 0, untold: 0 })
    })

    await t.test('a chip that wants its PIN, and how often it lets it be tried', async t => {
      const [bank, stranger, blocked, left, late] = [next(), next(), next(), next(), next()]
      const profile = 'pboc'
      for (const no of [bank, left, late]) await city.chip(no, 'L1', { profile, pin: { digits: pin } })
      await city.chip(stranger, 'L1', { profile, pin: { digits: '123456' } })
      await city.chip(blocked, 'L1', { profile, pin: { digits: pin, tries: 1 } })
      const tries = async (no: number) =>
        (await city.farm.inspectCard({ chip: await city.chip(no) })).pinTriesLeft
      const said = async (no: number, more: object = {}, lane = 'L1') => {
        const charge = await order(gateway, lane, `pin-${no}`, more)
        const { reason, triesLeft, why } = await city.tap(gateway, lane, no)
        const { state } = await gateway.get<ChargeView>(`/v1/charges/${charge.charge}`)
        return { reason, state, ...triesLeft === undefined ? {} : { triesLeft, why } }
      }
      t.strictSame(await said(bank), { reason: 'pin_wanted', state: 'waiting' }, 'none came with the order')
      t.strictSame(await said(bank, { pin: '000000' }), {
        reason: 'pin_wrong', state: 'waiting', triesLeft: 2, why: '63C2 authentication failed, 2 tries left'
      })
      t.strictSame(await said(bank), { reason: 'pin_wanted', state: 'waiting' }, 'it is not tried again')
      t.equal(await tries(bank), 2)
      t.strictSame(await said(bank, { pin }), { reason: 'loaded', state: 'approved' })
      t.equal(await tries(bank), 3, 'the right one gives all tries back')
      const sent = (await city.farm.exchanges({ chip: await city.chip(bank) })).map(one => one.command)
      t.same(sent.slice(-5).map(command => command.slice(0, 6)),
        ['805001', '805000', '002000', '805000', '805200'], 'asked for, given, asked again')
      t.equal(sent.at(-3), `0020000006${pin}`)

      t.match(await said(blocked, { pin: '000000' }),
        { reason: 'pin_blocked', state: 'declined', triesLeft: 0 })
      await order(gateway, 'L1', 'pin-blocked', { pin })
      t.match(await city.tap(gateway, 'L1', blocked), { reason: 'pin_blocked', triesLeft: 0, why: /^6983 / })

      await fault(city, left, { kind: 'tear', commit: 'after', command: '0020' })
      t.strictSame(await said(left, { pin }), { reason: 'card_removed', state: 'waiting' }, 'torn at VERIFY')
      t.strictSame(await said(left), { reason: 'pin_wanted', state: 'waiting' }, 'nobody knows: not sent')
      await fault(city, left, { kind: 'tear', commit: 'after', command: '805000', nth: 2 })
      t.strictSame(await said(left, { pin }), { reason: 'card_removed', state: 'waiting' }, 'torn behind it')
      t.equal((await city.tap(gateway, 'L1', stranger)).reason, 'pin_wanted', 'a PIN is for one card')
      t.equal(await tries(stranger), 3)
      t.strictSame(await said(left), { reason: 'loaded', state: 'approved' }, 'its own has it still')

      await order(gateway, 'L2', `pin-${late}`, { pin })
      await delay(1_100)
      t.strictSame(await said(late, {}, 'L2'), { reason: 'pin_wanted', state: 'waiting' }, 'its time is over')
      t.strictSame(await said(late, { pin: '4711' }, 'L2'), {
        reason: 'pin_wrong', state: 'waiting', triesLeft: 2, why: '63C2 authentication failed, 2 tries left'
      })
      await told(gateway)
      t.same([await standing(city, bank), await standing(city, left)], [once, once])
      t.same([await standing(city, blocked), await standing(city, late)], [never, never])
    })

    await t.test('the proof is gone, and the counter is told for the PIN alone', async t => {
      const no = next()
      await city.chip(no, 'L1', { pin: { digits: pin } })
      await tear(no, 'after')
      const { charge } = await order(gateway, 'L1', `ref-${no}`, { pin })
      const seen = [(await city.tap(gateway, 'L1', no)).reason, (await city.tap(fare, 'F5', no)).reason]
      await order(gateway, 'L1', 'another order of the lane')
      await order(gateway, 'L1', `ref-${no}`)
      seen.push((await city.tap(gateway, 'L1', no)).reason)
      t.match(await gateway.get(`/v1/charges/${charge}`), { state: 'unknown' }, 'it may have been written')
      await order(gateway, 'L1', `ref-${no}`, { pin })
      seen.push((await city.tap(gateway, 'L1', no)).reason)
      t.same(seen, ['torn', 'paid', 'pin_wanted', 'loaded_before'])
      await told(gateway)
      await fare.drained()
      const fen = amountFen - fareFen
      t.same(await standing(city, no), { chip: fen, books: fen, times: 1 })
    })

    await t.test('no PIN on a tape, in the log, in what is told, on disk', async t => {
      const texts = [
        lines.join('\n'), JSON.stringify(await gateway.get('/v1/taps?limit=1000')),
        await (await fetch(`${gateway.url}/metrics`)).text(), ...textsUnder(gateway.spoolDir)
      ]
      const taped = texts.some(text => text.includes('"said":"00200000 (11 bytes)"'))
      t.ok(taped, 'the tape tells that there was one')
      const shapes = [pin, Buffer.from(pin).toString('hex'), Buffer.from(pin, 'hex').toString('latin1')]
      for (const shape of shapes) t.notOk(texts.some(text => text.includes(shape)), 'nowhere')
    })

    await t.test('the proof is gone: the online counter decides', async t => {
      const seen: string[] = []
      for (const commit of ['before', 'after'] as const) {
        const no = next()
        await tear(no, commit)
        seen.push((await load(city, gateway, 'L2', no)).reason)
        // A gateway that knows nothing of it takes a fare: the chip proves its last transaction only.
        seen.push((await city.tap(fare, 'F5', no)).reason, (await city.tap(gateway, 'L2', no)).reason)
        await told(gateway)
        await fare.drained()
        const fen = amountFen - fareFen
        t.same(await standing(city, no), { chip: fen, books: fen, times: 1 }, commit)
      }
      t.same(seen, ['torn', 'paid', 'loaded', 'torn', 'paid', 'loaded_before'])
    })

    await t.test('a fare lane of the same gateway settles it before the fare', async t => {
      for (const commit of ['before', 'after'] as const) {
        const no = next()
        await tear(no, commit)
        const first = await load(city, gateway, 'L1', no)
        const settled = gateway.tap('L1')
        t.equal((await city.tap(gateway, 'L4', no)).reason, 'paid')
        const { charge, reason, outcome } = await settled
        t.equal(charge, first.charge)
        t.equal(reason, commit === 'after' ? 'loaded_before' : 'load_not_written')
        t.match(await gateway.get(`/v1/charges/${charge}`), { state: outcome, reason })
        await told(gateway)
        await gateway.drained()
        const fen = (commit === 'after' ? amountFen : 0) - fareFen
        t.match(await standing(city, no), { chip: fen, books: fen }, commit)
      }
    })

    await t.test('another card, and an older load, get nothing of an order', async t => {
      const [torn, other] = [next(), next()]
      await tear(torn, 'after')
      const reasons: string[] = [(await load(city, gateway, 'L1', torn)).reason]
      reasons.push((await city.tap(gateway, 'L1', other)).reason)
      await order(gateway, 'L1', `ref-${other}`)
      const settled = gateway.tap('L1')
      const back = await city.tap(gateway, 'L1', torn)
      reasons.push((await settled).reason, back.reason, (await city.tap(gateway, 'L1', other)).reason)
      t.same(reasons, ['torn', 'no_load', 'loaded_before', 'present_again', 'loaded'])
      await told(gateway)
      t.same([await standing(city, torn), await standing(city, other)], [once, once])
    })

    await t.test('refused: by the chip, by the ledger, by the list', async t => {
      const no = next()
      const chip = await city.chip(no)
      await city.farm.arm({ chip, fault: { kind: 'status', sw: '9302', command: '8052' } })
      t.match(await load(city, gateway, 'L1', no),
        { outcome: 'declined', reason: 'load_refused', why: '9302 MAC wrong', amountFen }, 'a wrong MAC2')
      await order(gateway, 'L1', 'ref-much', { amountFen: 95_000 })
      const tooMuch = await city.tap(gateway, 'L1', no)
      t.match(tooMuch, { reason: 'load_declined', why: /^balance_over_limit: an a/ })
      await order(gateway, 'L1', 'ref-none', { source: 'pending', amountFen: undefined })
      t.equal((await city.tap(gateway, 'L1', no)).reason, 'nothing_pending')
      await city.door.ok('registrar', 'POST', '/v1/blacklist', {
        add: [{ card: cardOf(no), reason: 'loss', at: '2026-03-02T07:00:00+08:00' }], remove: []
      })
      await order(gateway, 'L1', 'ref-listed')
      t.match(await city.tap(gateway, 'L1', no), { reason: 'load_declined', why: /^card_blocked: / },
        'the ledger knows of it before the gateway')
      await gateway.post('/v1/parameters/refresh', {})
      await order(gateway, 'L1', 'ref-listed-2')
      t.equal((await city.tap(gateway, 'L1', no)).reason, 'blacklisted')
      await told(gateway)
      t.same(await standing(city, no), never)
    })

    await t.test('a chip whose TAC is not its own: open until its counter proves it, and told', async t => {
      const no = next()
      const { issuer, serial } = cardOf(no)
      const made = {
        profile: 't-union', issuer, serial, balanceFen: opening.balanceFen, offlineCounter: opening.counter
      } as const
      const chip = `odd-${no}`
      const keys = { ...personalise(made, testMasterKeys()), dtk: 'AB'.repeat(16) }
      await city.farm.createCard({ chip, card: { ...made, keys } })
      const loaded = async (reference: string) => {
        await order(gateway, 'L1', reference)
        const said = gateway.tap('L1')
        await city.farm.insert({ chip, reader: 'L1 00 00' })
        const { reason } = await said
        await city.farm.remove({ reader: 'L1 00 00' })
        while ((await gateway.lane('L1')).cardReader !== 'empty') await delay(20)
        await told(gateway)
        return reason
      }
      const states = async () => {
        const { rows } = await city.door.db.query<{ state: number }>(`
          select load.state from load join card using (bucket, card_id)
          where encode(serial, 'hex') = $1 order by load_id`, [serial])
        return rows.map(({ state }) => state)
      }
      t.equal(await loaded('ref-odd'), 'loaded', 'the chip has it, whatever it says')
      t.same(await states(), [0], 'a wrong TAC decides nothing')
      const { items: alerts } = await city.door.ok('auditor', 'GET', '/v1/alerts?kind=load_tac_wrong')
      t.equal(alerts.length, 1, 'somebody has to look')
      await city.farm.arm({ chip, fault: { kind: 'status', sw: '9302', command: '8052' } })
      t.equal(await loaded('ref-odd-2'), 'load_refused')
      t.same(await states(), [1, 2], 'its counter has moved once')
      const { purse } = await city.farm.inspectCard({ chip })
      t.equal(purse.balanceFen, opening.balanceFen + amountFen)
    })

    await t.test('a listed card blocks itself where the lane says so', async t => {
      const [obeys, oral, torn, early, stubborn] = [next(), next(), next(), next(), next()]
      await list(city, [obeys, torn, early, stubborn], 'loss')
      await list(city, [oral], 'oral_loss')
      await gateway.post('/v1/parameters/refresh', {})
      await fault(city, torn, { kind: 'tear', commit: 'after', command: '841E' })
      await fault(city, early, { kind: 'tear', commit: 'before', command: '841E' })
      await fault(city, stubborn, { kind: 'status', sw: '6988', command: '841E' })
      const stories = [
        [obeys, ['card_blocked_now', 'card_locked'], 'temporary'],
        [oral, ['blacklisted', 'blacklisted'], 'none'],
        [torn, ['blacklisted', 'card_locked'], 'temporary'],
        [early, ['blacklisted', 'card_blocked_now'], 'temporary'],
        [stubborn, ['blacklisted', 'card_blocked_now'], 'temporary']
      ] as const
      for (const [no, reasons, lock] of stories) {
        const said = [(await city.tap(gateway, 'L4', no)).reason, (await city.tap(gateway, 'L4', no)).reason]
        t.same(said, reasons, `card ${no}`)
        t.equal((await city.farm.inspectCard({ chip: await city.chip(no) })).lock, lock)
      }
      t.equal((await city.tap(fare, 'F5', obeys)).reason, 'card_locked', 'it says so to everybody')
      await told(gateway)
      t.same(await blocksOf(city, 'L4'), { blocked: 4, refused: 1, open: 1 }, 'one command came to nothing')
      const { rows } = await city.door.db.query(
        "select 1 from outbox where topic = 'card.blocked' and body ->> 'terminal' = 'L4'")
      t.equal(rows.length, 4, 'others are told')
    })

    await t.test('its counter was used at another gateway since: that proof is not of this load', async t => {
      await city.rest('GW-F')
      const other = await opened(city, 'GW-G', ['F5'])
      const no = next()
      await tear(no, 'before')
      const reasons: string[] = [(await load(city, gateway, 'L1', no)).reason]
      reasons.push((await load(city, other, 'F5', no)).reason, (await city.tap(gateway, 'L1', no)).reason)
      t.same(reasons, ['torn', 'loaded', 'loaded'])
      await Promise.all([told(gateway), told(other)])
      t.same(await standing(city, no), { chip: 2 * amountFen, books: 2 * amountFen, times: 2 })
    })
  })

  const dying = t.test('kill -9 at every place, and the same order again', { buffered: true }, async t => {
    const waiting = [...killed]
    await Promise.all(['K6', 'K7'].map(async lane => {
      for (let story = waiting.shift(); story !== undefined; story = waiting.shift()) {
        const no = next()
        const first = await opened(city, `GW-${no}`, [lane], { killAt: story.at })
        const chip = await city.chip(no)
        await order(first, lane, `ref-${no}`)
        const said = first.tap(lane)
        await city.farm.insert({ chip, reader: `${lane} 00 00` })
        await first.ended
        await t.rejects(said, /the gateway has gone/, `${story.at}: who waits is told`)
        const { purse } = await city.farm.inspectCard({ chip })
        t.equal(purse.onlineCounter, story.taken, `${story.at}: what the chip has taken then`)
        await city.farm.remove({ reader: `${lane} 00 00` })
        const second = await opened(city, `GW-${no}`, [lane])
        t.equal((await order(second, lane, `ref-${no}`)).state, story.state, `${story.at}: after the restart`)
        t.equal((await city.tap(second, lane, no)).reason, story.reason, story.at)
        await told(second)
        t.same(await standing(city, no), once, `${story.at}: written once`)
        await city.rest(`GW-${no}`)
      }
    }))
    await t.test('SIGTERM in the middle of a load: it comes to its end', async t => {
      const no = next()
      const first = await opened(city, `GW-${no}`, ['K6'])
      const chip = await city.chip(no)
      await city.farm.setDelays({ chip, delays: { 8052: 400 } })
      await order(first, 'K6', `ref-${no}`)
      const said = first.tap('K6')
      await city.farm.insert({ chip, reader: 'K6 00 00' })
      while ((await first.lane('K6')).state !== 'crediting') await delay(5)
      first.child.kill('SIGTERM')
      t.equal((await said).reason, 'loaded')
      t.strictSame(await first.child.stop(), { code: 0, signal: null }, 'it ended by itself')
      await city.farm.remove({ reader: 'K6 00 00' })
      const second = await opened(city, `GW-${no}`, ['K6'])
      t.equal((await order(second, 'K6', `ref-${no}`)).state, 'approved', 'the next one knows')
      await told(second)
      t.same(await standing(city, no), once)
      await city.rest(`GW-${no}`)
    })
    await t.test('a disk that takes no byte more: the gateway ends, the same order is loaded', async t => {
      const no = next()
      const first = await opened(city, `GW-${no}`, ['K6'])
      t.equal((await load(city, first, 'K6', next())).reason, 'loaded', 'the book is begun')
      await told(first)
      await order(first, 'K6', `ref-${no}`)
      const book = join(first.spoolDir, 'loads')
      const bytes = Math.max(...readdirSync(book).map(file => statSync(join(book, file)).size))
      execFileSync('prlimit', ['--pid', String(first.child.pid), `--fsize=${bytes}`])
      t.equal((await city.tap(first, 'K6', no)).reason, 'spool_failed')
      t.strictSame(await first.ended, { code: 1, signal: null }, 'a supervisor starts it again')
      const second = await opened(city, `GW-${no}`, ['K6'])
      t.equal((await order(second, 'K6', `ref-${no}`)).state, 'waiting')
      t.equal((await city.tap(second, 'K6', no)).reason, 'loaded')
      await told(second)
      t.same(await standing(city, no), once)
      await city.rest(`GW-${no}`)
    })
    // A chip that is blocked for good says no more whose it was: what became of that block stays open.
    for (const [at, form] of [
      ['block-after-intent', 'permanent'], ['block-after-command', 'temporary']] as const) {
      const no = next()
      await list(city, [no], 'fraud')
      const blocking: GatewayWish = { lane: { mode: 'fare', blockListed: form } }
      const first = await opened(city, `GW-${no}`, ['K6'], { ...blocking, killAt: at })
      await first.post('/v1/parameters/refresh', {})
      await city.farm.insert({ chip: await city.chip(no), reader: 'K6 00 00' })
      await first.ended
      await city.farm.remove({ reader: 'K6 00 00' })
      const second = await opened(city, `GW-${no}`, ['K6'], blocking)
      const obeyed = at === 'block-after-command'
      t.equal((await city.tap(second, 'K6', no)).reason, obeyed ? 'card_locked' : 'card_blocked_now', at)
      t.equal((await city.farm.inspectCard({ chip: await city.chip(no) })).lock, form, at)
      const heard = obeyed ? 2 : 1
      for (let n = 0; n < 400 && (await blocksOf(city, 'K6')).blocked < heard; n++) await delay(25)
      t.match(await blocksOf(city, 'K6'), { blocked: heard }, `${at}: the ledger has heard what the chip did`)
      await city.rest(`GW-${no}`)
    }
  })

  const alone = t.test('the ledger is gone at every point', { buffered: true }, async t => {
    const no = next()
    const cable = await city.cable('GW-L')
    const gateway = await opened(city, 'GW-L', ['L3'], { lane: { loadDeadlineMs: 5_000 } })
    let loads = 0
    const agree = async (gateway: Running, name: string) => {
      await told(gateway)
      const fen = ++loads * amountFen
      t.same(await standing(city, no), { chip: fen, books: fen, times: loads }, name)
    }
    for (const path of ['POST /v1/loads', 'POST /v1/loads/outcome']) {
      for (const point of breakPoints) {
        const name = `${path}, ${point}`
        const broken = cable.breakNext(`${path} `, point)
        const first = await load(city, gateway, 'L3', no, name)
        await broken
        if (path === 'POST /v1/loads' && point === 'silence') {
          t.equal(first.reason, 'ledger_unavailable', 'nothing is written where nobody granted it')
          t.equal((await city.tap(gateway, 'L3', no)).reason, 'loaded', 'the order waited')
        } else t.equal(first.reason, 'loaded', name)
        await agree(gateway, name)
      }
    }
    await cable.cut()
    t.equal((await load(city, gateway, 'L3', no, 'cut')).reason, 'ledger_unavailable', 'before the question')
    t.same(await figures(gateway), { open: 0, untold: 1 }, 'it is withdrawn, should the ledger have heard')
    await cable.mend()
    t.equal((await city.tap(gateway, 'L3', no)).reason, 'loaded')
    await agree(gateway, 'withdrawn, then loaded')

    await city.farm.setDelays({ chip: await city.chip(no), delays: { 8052: 500 } })
    await order(gateway, 'L3', 'granted')
    const said = gateway.tap('L3')
    await city.farm.insert({ chip: await city.chip(no), reader: 'L3 00 00' })
    while ((await gateway.lane('L3')).state !== 'crediting') await delay(5)
    await cable.cut()
    t.equal((await said).reason, 'loaded', 'once it is granted the chip decides')
    await city.farm.remove({ reader: 'L3 00 00' })
    gateway.child.kill('SIGKILL')
    await gateway.stop()
    const after = await opened(city, 'GW-L', ['L3'])
    t.same(await figures(after), { open: 0, untold: 1 }, 'known over kill -9, and a start without a ledger')
    await cable.mend()
    await agree(after, 'told at last')
  })

  await Promise.all([atWork, dying, alone])
  await sound(t, city)
  t.strictSame(doors.mismatches(), [])
})
