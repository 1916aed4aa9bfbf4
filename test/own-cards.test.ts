// What a resident sees of cards of his own, and what of others': nothing. Figures by hand: 2.00 paid where
// the bus costs 1.80, a section bus left without an exit, a book a day late; of a bill of 480.00 the funds
// pay 60 % of 480 - 100 - 18 - 100 = 262.00, the card 20.00.
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkReceipt } from '../console/my/receipt.ts'
import { cardKey } from '../schemas/record.ts'
import { startDoors } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { li, portalCity, wang } from './support/portal-city.ts'
import { asResident } from './support/residents.ts'

t.setTimeout(300_000)
const doors = await startDoors()
t.teardown(() => doors.stop())
const path = (number: number, what = ''): string => `/v1/my/cards/${cardKey(cardOf(number))}${what}`
const monday = '/journeys?from=2026-03-02&until=2026-03-02'

t.test('cards, money as of the last record, journeys, bills, loans, passes', async t => {
  const door = await portalCity(doors)
  const { ask } = await asResident(door, li)
  const ok = async (of: string) => {
    const { status, json, text } = await ask('GET', of)
    t.equal(status, 200, text)
    return json
  }
  t.match(await ok('/v1/my'), {
    cards: [{ card: cardOf(0), state: 'normal' }, { card: cardOf(1) }],
    notices: [{ kind: 'load_waiting', card: cardOf(0), amountFen: 20, on: null }]
  })
  t.match(await ok(path(0)), {
    state: 'normal', mayMove: ['report_orally'],
    money: { chipFen: 9_400, asOf: '2026-03-02T11:00:00.000+08:00', waitingFen: 20, onlineFen: 8_000 },
    uses: [
      { counter: 102, amountFen: 400, words: { zh: /公交.*支付 4\.00 元，余额 94\.00 元/ } },
      { counter: 101, amountFen: 200 }]
  })
  t.match(await ok(path(1)), { money: { chipFen: 10_000, asOf: null, waitingFen: 0 }, uses: [] })
  const { journeys, days } = await ok(path(0, monday))
  t.match(journeys, [
    { counters: [101], amountFen: 180, operatorName: { zh: '公交', en: 'Bus' }, words: { zh: [/./], en: [/./] } },
    { counters: [102], kind: 'open' }])
  t.match(days, [{ day: '2026-03-02', refundFen: 20 }])
  t.notMatch(JSON.stringify(journeys), /claims|treasuryFen|markedFen/, 'between operators and the treasury')
  const services = await ok(path(0, '/services'))
  t.match(services, {
    libraries: [{
      library: { zh: '图书馆' }, owedFen: 10, loans: [{ title: '边城', overdue: true, leftFen: 10 }]
    }],
    passes: [{ from: '2026-03-07', until: '2027-03-07' }], waitingPass: null
  })
  const [bill] = services.bills
  t.match(bill, {
    clinic: { en: 'Hospital' }, on: '2026-03-02', state: 'live', totalFen: 48_000, fundsFen: 15_720,
    accountFen: 0, purseFen: 2_000, cashFen: 30_280, hospitalFen: 0
  })
  await door.db.query('delete from library_rules')
  t.match(await ok(path(0, '/services')), { libraries: [], bills: [{}] }, 'a library that has no rules yet')
  t.match(await ok(path(1, '/services')), { bills: [], libraries: [], passes: [], waitingPass: null })
  await door.close()
})

t.test('all that is known of one, and of nobody else', async t => {
  const door = await portalCity(doors)
  const { ask, session: { holder } } = await asResident(door, li)
  const { json, text } = await ask('POST', '/v1/my/data')
  t.match(json, {
    holder, person: { document: li, name: '李明', phone: '13800001234' },
    cards: [{ view: { card: cardOf(0) }, journeys: { journeys: [{}, {}] }, services: { bills: [{}] } }, {}],
    cases: []
  })
  t.equal(json.cards.length, 2)
  t.notMatch(text, new RegExp(`${wang.number}|${cardOf(2).serial}|claims|treasuryFen`))
  t.match((await door.ok('auditor', 'GET', '/v1/audit?action=holder.export')).items,
    [{ by: `holder/${holder}`, subject: `holder/${holder}` }])
  await door.close()
})

t.test('a card is lost, and found again', async t => {
  const door = await portalCity(doors)
  const [own, other] = [await asResident(door, li), await asResident(door, wang)]
  const move = async (by: typeof own, name: string, number = 0) => {
    const { status, json } = await by.ask('POST', path(number, '/moves'), { json: { move: name } })
    return status === 200 ? json.state : `${status} ${json.reason}`
  }
  t.equal(await move(own, 'lift_oral'), '409 conditions_not_met', 'nothing was reported')
  t.equal(await move(other, 'report_orally'), '404 not_found', 'of somebody else')
  t.equal(await move(own, 'report_orally'), 'oral_loss')
  t.equal(await move(own, 'report_orally'), '409 conditions_not_met', 'twice')
  t.match((await own.ask('GET', '/v1/my')).json.notices, [{}, { kind: 'reported_lost', card: cardOf(0) }])
  t.equal(await move(other, 'lift_oral'), '404 not_found')
  for (const name of ['lift_loss', 'unlock', 'die']) t.equal(await move(own, name), '400 body_invalid', name)
  const key = { key: 'once-and-no-more', json: { move: 'lift_oral' } }
  for (const replayed of [false, true]) {
    t.match(await own.ask('POST', path(0, '/moves'), key), { replayed, json: { state: 'normal' } })
  }
  const { moves } = await door.ok('clerk', 'GET', `/v1/cards/${cardKey(cardOf(0))}/life`)
  t.match(moves, [{ move: 'report_orally', by: `holder/${own.session.holder}` }, { move: 'lift_oral' }])
  await door.close()
})

t.test('a receipt, and one of which anything was changed', async t => {
  const door = await portalCity(doors)
  await door.ledger.sealer.seal()
  const { ask } = await asResident(door, li)
  const { json: receipt } = await ask('GET', path(0, '/receipts/101'))
  t.match(await checkReceipt(receipt), { ok: true, at: receipt.head.at, keyId: receipt.head.keyId })
  const file = join(t.testdir({}), 'receipt.json')
  const separate = (value: unknown) => {
    writeFileSync(file, JSON.stringify(value))
    return spawnSync(process.execPath, ['runtime/start.mjs', 'bin/verify-proof.ts', file]).status === 0
  }
  t.ok(separate(receipt), 'the separate verifier says the same')
  // One letter of each text and each number in it, one after the other.
  const places: string[] = []
  const withoutAudit = (value: unknown): string =>
    JSON.stringify(value, (key, one: unknown) => key === 'audit' ? undefined : one)
  JSON.stringify(receipt, function (key, value: unknown) {
    if (typeof value !== 'object' && this !== receipt.head.audit) places.push(key)
    return value
  })
  const changed = (nth: number): unknown => {
    let seen = -1
    return JSON.parse(JSON.stringify(receipt), function (_key, value: unknown) {
      if (typeof value === 'object' || ++seen !== nth) return value
      if (typeof value === 'number') return value + 1
      return String(value).replace(/[0-9a-zA-Z](?=\W*$)/, last => last === '1' ? '2' : '1')
    })
  }
  let found = 0
  for (let nth = 0; JSON.stringify(changed(nth)) !== JSON.stringify(receipt); nth++) {
    const wrong = changed(nth)
    const { ok } = await checkReceipt(wrong)
    // What is signed beside the tree, the audit log, is nothing that a receipt says.
    const same = withoutAudit(wrong) === withoutAudit(receipt)
    if (!same) t.equal(ok, false, `value ${nth}: ${places[nth] ?? ''}`)
    found += same ? 0 : 1
  }
  t.ok(found > 12, `${found} values`)
  const format = 'citizen-card-proof-1'
  for (const nothing of [null, 7, 'text', [], {}, { format }, { ...receipt, proofs: 1 }]) {
    t.strictSame(await checkReceipt(nothing), { ok: false, fault: 'unreadable' })
  }
  t.equal((await ask('GET', path(0, '/receipts/999'))).json.reason, 'not_found')
  await door.close()
})

t.test('a card of somebody else is not there, in whatever way it is asked for', async t => {
  const door = await portalCity(doors)
  const [own, other] = [await asResident(door, li), await asResident(door, wang)]
  t.match((await other.ask('GET', '/v1/my')).json, { cards: [{ card: cardOf(2) }], notices: [] })
  const nobodys = path(9).replace(/0{6}9-/, '9999999-')
  for (const what of ['', monday, '/services', '/receipts/101']) {
    const [foreign, none] = [await other.ask('GET', path(0, what)), await other.ask('GET', nobodys + what)]
    t.match([foreign.status, foreign.json.reason], [404, 'not_found'], what)
    t.equal(foreign.json.detail, none.json.detail, 'as one that was never issued')
    t.equal((await other.ask('GET', `/v1/my/cards/nonsense${what}`)).status, 404)
  }
  // A card that becomes another person's is not the first one's any more, all that was before included.
  await door.db.query(`update card_holder set ended_at = now() where card_id = (
    select card_id from card_holder where ended_at is null order by card_id limit 1)`)
  t.equal((await own.ask('GET', path(0))).status, 404)
  t.equal((await own.ask('GET', '/v1/my')).json.cards.length, 1)
  await door.close()
})
