// Value onto chips, through the ledger's doors with a virtual card on the other side: approved and refused
// and why, torn before and after the chip took it, told late, twice and never; the money is in one place.
import t, { type Test } from 'tap'
import { bcdDateTime } from '../runtime/instants.ts'
import { selectByName } from '../schemas/epurse/apdu.ts'
import { hex } from '../schemas/epurse/hex.ts'
import { profiles } from '../schemas/epurse/profiles.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'
import type { LoadReply } from '../schemas/load.ts'
import type { Registry } from '../schemas/api.ts'
import { byNextBalance, byOnlineCounter } from '../ledger/core/load.ts'
import { balances } from '../ledger/store/balances.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { putDown } from './support/chips-in-hand.ts'
import { openWithClients, secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { credit, initialise, newCard, say, terminal } from './support/loading.ts'
import { cardOf, recordOf } from './support/posting.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

const registry: Registry = {
  clearingDate: '2026-03-02',
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
    { code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', service: 'transit' },
    { code: 'SHP', kind: 'agent', nameZh: '商店', nameEn: 'Shop' },
    { code: 'PRE', kind: 'agent', nameZh: '预存代理', nameEn: 'Prefunded agent', prepaid: true }],
  terminals: [{ terminal: 'B1', operator: 'BUS' }],
  psams: [{
    psam: '990000000001', issue: 1, terminal: 'B1', from: '2025-01-01T00:00:00+08:00', to: null,
    stolenAt: null, test: false
  }],
  cards: Array.from({ length: 10 }, (_, number) => ({
    card: cardOf(number), profile: 't-union' as const, suite: '3des' as const, keyVersion: 1,
    cityFactor: null,
    type: number === 1 ? 'named' as const : number === 9 ? 'test' as const : 'anonymous' as const,
    balanceFen: 5_000, counter: 100, soldBy: null, depositFen: 0
  })),
  policies: { topUpStepFen: 1_000, loadFenMax: 60_000 }
}
const clients = { SHOP: ['agent', 'SHP'], FORE: ['agent', 'PRE'], BUS: ['operator', 'BUS'] } as const

const opened = (): Promise<Door> => openWithClients(doors, registry, clients)
const send = async (door: Door, client: string, path: string, json: unknown) =>
  await door.ask(null, 'POST', path, { json, token: `${client}.${secretOf(client)}` })

async function deliver (door: Door, delivery: string, records: readonly object[]): Promise<string[]> {
  const { results } = await door.ok('gateway', 'POST', '/v1/records', { delivery, records })
  return results.map((one: { reason: string }) => one.reason)
}

async function books (door: Door): Promise<Record<string, number>> {
  return Object.fromEntries((await balances(door.db, null))
    .map(row => [
      `${row.heading}${row.party === null ? '' : `/${row.party}`}`, Number(row.debitFen - row.creditFen)
    ] as const).filter(([, fen]) => fen !== 0))
}
const purseFen = 50_000
const soundBooks = async (t: Test, door: Door) => {
  await door.ledger.watch.catchUp()
  await door.ledger.sealer.seal()
  const { checks } = await verifyBooks(door.db)
  t.same(checks.filter(({ ok }) => !ok), [], 'verify finds nothing')
}

/* ---- the stories ---- */

t.test('MAC1, MAC2 and TAC of the worked example', async t => {
  const door = await opened()
  const macs = {
    suite: '3des' as const, keyVersion: 1, cardFactor: '0000000012345678', amountFen: 0x1388, counter: 7,
    terminal, dateTime: '20260105090000'
  }
  const { tac: keys } = door.ledger
  const asked = { ...macs, ask: 'macs' as const, balanceFen: 0x2648, random: '5E6F7081' }
  const answer = await keys.load({ ...asked, mac1: 'EF9FAE34' })
  t.equal(hex(answer.mac2 ?? new Uint8Array(0)), 'C6EB3CCB')
  t.match(await keys.load({ ...asked, mac1: 'EF9FAE35' }), { known: true, right: false, mac2: null })
  t.match(await keys.load({ ...asked, keyVersion: 2, mac1: 'EF9FAE34' }), { known: false, right: false })
  const after = {
    ...macs, ask: 'tac' as const, balanceFen: 0x39D0, order: 'city-first' as const, cityFactor: null
  }
  t.match(await keys.load({ ...after, tac: '8A77D40A' }), { right: true })
  t.match(await keys.load({ ...after, tac: '8A77D40B' }), { right: false })
  await door.close()
})

t.test('an agent sells a load: once, whatever is repeated, and the next debit fits', async t => {
  const door = await opened()
  const card = newCard(2)
  const hand = putDown(card)
  const load = { key: 'load-0001', ...await initialise(hand, 2, 3_000) }
  const { json: reply } = await send(door, 'SHOP', '/v1/loads', load)
  t.match(reply, { outcome: 'approved', reason: 'ok', amountFen: 3_000, state: 'open', replayed: false })
  t.equal(reply.dateTime, hex(bcdDateTime(door.clock.now())))
  t.same(await books(door),
    { 'custody-bank': purseFen, purse: -purseFen, 'receivable-agent/SHP': 3_000, 'pending-load': -3_000 })
  t.match((await send(door, 'SHOP', '/v1/loads', load)).json, { ...reply, replayed: true })
  t.match((await send(door, 'SHOP', '/v1/loads', { ...load, amountFen: 4_000 })).json,
    { reason: 'request_conflict', where: '/key' })

  const tac = await credit(hand, reply)
  const told = { key: load.key, card: load.card, outcome: 'written', tac }
  t.match((await send(door, 'SHOP', '/v1/loads/outcome', { ...told, tac: '00000000' })).json,
    { state: 'open', tacRight: false }, 'a wrong TAC decides nothing')
  const { items: alerts } = await door.ok('auditor', 'GET', '/v1/alerts?kind=load_tac_wrong')
  t.match(alerts, [{ about: /^card\/\d{6}…\d{4}-1#\d+$/, evidence: { key: load.key } }], 'and is told')
  t.equal(alerts.length, 1)
  t.match((await send(door, 'SHOP', '/v1/loads/outcome', told)).json, { state: 'written', tacRight: true })
  t.match((await send(door, 'SHOP', '/v1/loads/outcome', told)).json, { state: 'written' })
  t.match((await send(door, 'SHOP', '/v1/loads/outcome', { ...told, outcome: 'withdrawn' })).json,
    { state: 'written' }, 'what is written cannot be withdrawn')
  const sold = { 'custody-bank': purseFen, purse: -purseFen - 3_000, 'receivable-agent/SHP': 3_000 }
  t.same(await books(door), sold)
  const record = recordOf(2, 1, { balanceBeforeFen: 8_000 })
  const next = recordOf(2, 2, { balanceBeforeFen: 7_820 })
  t.same(await deliver(door, 'delivery-1', [record, next]), ['ok', 'ok'])
  await soundBooks(t, door)
  await door.close()
})

t.test('every refusal, in its order, with the rule it comes from', async t => {
  const door = await opened()
  const anonymous = putDown(newCard(3, { balanceFen: 98_000 }))
  const named = putDown(newCard(1, { balanceFen: 499_000 }))
  const plain = await initialise(putDown(newCard(4)), 4, 1_000)
  const table: [string, object, string, RegExp?][] = [
    ['a stranger', { ...plain, card: { ...plain.card, serial: '99'.repeat(10) } }, 'card_unknown'],
    ['a test card', { ...plain, card: cardOf(9) }, 'test_card'],
    ['another key version', { ...plain, chip: { ...plain.chip, keyVersion: 9 } }, 'load_key_unknown'],
    ['a wrong MAC1', { ...plain, chip: { ...plain.chip, mac1: '00000000' } }, 'mac1_wrong'],
    ['a balance that was changed', { ...plain, chip: { ...plain.chip, balanceFen: 1 } }, 'mac1_wrong'],
    ['the MAC1 of another card', { ...plain, card: cardOf(5) }, 'mac1_wrong'],
    ['no multiple', await initialise(putDown(newCard(4)), 4, 1_500), 'amount_not_allowed', /10\.00 yuan/],
    ['too much at once', await initialise(putDown(newCard(4)), 4, 61_000), 'amount_over_limit', /600\.00/],
    ['an anonymous card with 980.00 gets 30.00', await initialise(anonymous, 3, 3_000),
      'balance_over_limit', /anonymous prepaid card holds 1000\.00 yuan at most .*预付卡/],
    ['a named one with 4,990.00 gets 20.00', await initialise(named, 1, 2_000),
      'balance_over_limit', /a named prepaid card holds 5000\.00/],
    ['nothing waits', { ...plain, source: 'pending' }, 'pending_insufficient']
  ]
  for (const [index, [what, load, reason, rule]] of table.entries()) {
    const { json } = await send(door, 'SHOP', '/v1/loads', { key: `load-10${index}`, ...load })
    t.match(json, { outcome: 'declined', reason, mac2: null, state: 'declined' }, what)
    t.match(json.rule, rule ?? undefined, `${what}: the rule`)
    const again = await send(door, 'SHOP', '/v1/loads', { key: `load-10${index}`, ...load })
    const isKept = reason !== 'card_unknown' // of a card nobody knows there is nothing to keep
    t.strictSame(again.json, { ...json, replayed: isKept }, `${what}: asked again`)
  }
  const listed: { key: string, reason: string, rule?: string }[] = []
  for (let next: string | null = ''; next !== null;) {
    const { items, next: place } = await door.ok('clerk', 'GET',
      `/v1/loads?state=declined&limit=4${next === '' ? '' : `&before=${next}`}`)
    listed.push(...items)
    next = place
  }
  t.strictSame(listed.map(({ key, reason }) => `${key} ${reason}`),
    [...table.entries()].slice(1).map(([index, [, , reason]]) => `load-10${index} ${reason}`).reverse(),
    'all that were declined, the newest first, page by page')
  t.match(listed.find(({ key }) => key === 'load-107')?.rule, /600\.00/)
  const unpaid = { key: 'load-2000', ...plain, party: 'PRE' }
  t.match((await send(door, 'FORE', '/v1/loads', unpaid)).json,
    { reason: 'agent_insufficient' }, 'an agent that has paid in nothing')
  t.match((await send(door, 'FORE', '/v1/loads', { key: 'load-2001', ...plain })).json,
    { reason: 'forbidden', where: '/party' })
  t.same(await books(door), { 'custody-bank': purseFen, purse: -purseFen }, 'no money moved')
  await door.close()
})

t.test('blocked cards are listed page by page, the newest first', async t => {
  const door = await opened()
  const at = '2026-03-02T11:00:00+08:00'
  await door.ok('registrar', 'POST', '/v1/blacklist',
    { add: [2, 3, 4].map(number => ({ card: cardOf(number), reason: 'loss', at })), remove: [] })
  for (const [place, number] of [2, 4, 3].entries()) {
    if (place === 2) door.clock.advance(1) // two of one moment, and a later one
    t.match(await door.ok('gateway', 'POST', '/v1/card-blocks', {
      key: `block-000${number}`, card: cardOf(number), operator: 'BUS', terminal: 'B1', form: 'temporary',
      keyVersion: 1, challenge: 'C0FFEE01'
    }), { reason: 'ok' })
  }
  const pages: string[][] = []
  for (let next: string | null = ''; next !== null;) {
    const before = next === '' ? '' : `&before=${encodeURIComponent(next)}`
    const page = await door.ok('clerk', 'GET', `/v1/card-blocks?state=open&limit=1${before}`)
    pages.push(page.items.map((one: { card: string }) => one.card.slice(-3)))
    next = page.next
  }
  t.strictSame([pages[0], ...pages.slice(1, 3).sort(), pages[3]], [['3-1'], ['2-1'], ['4-1'], []])
  await door.close()
})

t.test('money taken in has limits of card and terminal; what was not written is not counted', async t => {
  const door = await opened()
  const from = '2026-01-01'
  const limit = (per: string, more: object) =>
    ({ of: 'load', per, operator: null, terminal: null, from, ...more })
  await door.ok('registrar', 'PUT', '/v1/registry', {
    usageLimits: [
      limit('card_day', { fenMax: 3_000 }),
      limit('terminal_day', { operator: 'SHP', terminal, fenMax: 5_000 })]
  })
  const ask = async (key: string, number: number, amountFen: number, counter: number) => {
    const chip = putDown(newCard(number, { onlineCounter: counter }))
    const load = { key: `load-${key}`, ...await initialise(chip, number, amountFen) }
    const { json } = await send(door, 'SHOP', '/v1/loads', load)
    return `${json.reason} ${json.rule ?? ''}`
  }
  const withdraw = async (key: string, number: number) => (await send(door, 'SHOP', '/v1/loads/outcome',
    { key: `load-${key}`, card: cardOf(number), outcome: 'withdrawn' })).json.state
  const topUp = async (key: string, number: number, amountFen: number) => (await send(door, 'SHOP',
    '/v1/requests', { kind: 'top_up', key: `top-up-${key}`, card: cardOf(number), amountFen, party: 'SHP' }))
    .json.reason
  t.equal(await ask('0001', 2, 3_000, 7), 'ok ')
  t.equal(await topUp('0001', 2, 1_000), 'card_day_limit', 'on whichever way')
  t.equal(await withdraw('0001', 2), 'not_written')
  t.equal(await topUp('0002', 2, 1_000), 'ok')
  t.equal(await ask('0002', 2, 3_000, 8),
    'card_day_limit money taken in of one card in a day: 30.00 yuan at most')
  t.equal(await ask('0003', 2, 2_000, 9), 'ok ')
  t.equal(await ask('0004', 3, 3_000, 7), 'ok ')
  t.equal(await ask('0005', 4, 1_000, 7),
    'terminal_day_limit money taken in at this terminal in a day: 50.00 yuan at most')
  await soundBooks(t, door)
  await door.close()
})

t.test('torn before and after the chip took it: waits until something decides, once', async t => {
  const door = await opened()
  const amountFen = 2_000
  const moments = [
    { no: 2, commit: 'before', by: 'next_load' }, { no: 3, commit: 'after', by: 'next_load' },
    { no: 4, commit: 'before', by: 'next_debit' }, { no: 5, commit: 'after', by: 'next_debit' },
    { no: 6, commit: 'after', by: 'written' }, { no: 7, commit: 'before', by: 'reading' },
    { no: 8, commit: 'after', by: 'reading' }
  ] as const
  for (const { no, commit, by } of moments) {
    const card = newCard(no)
    const hand = putDown(card, { at: 3, commit })
    const load = { key: `load-torn-${no}`, ...await initialise(hand, no, amountFen) }
    const { json: reply } = await send(door, 'SHOP', '/v1/loads', load)
    await t.rejects(credit(hand, reply), /left/)
    const holdsFen = card.report().purse.balanceFen
    t.equal(holdsFen, commit === 'after' ? 7_000 : 5_000, `card ${no}: the chip`)
    const { json: waiting } = await door.ask('clerk', 'GET', '/v1/loads')
    t.equal(waiting.items.length, 1, 'nobody knows yet')
    const { rows } = await door.ok('auditor', 'GET', '/v1/reports/loads?day=2026-03-02')
    t.match(rows, [{ open: { loads: 1, fen: 2_000 } }], 'and the report of the day says so')

    if (by === 'next_load') {
      const next = { key: `load-next-${no}`, ...await initialise(putDown(card), no, amountFen) }
      const { json } = await send(door, 'SHOP', '/v1/loads', next)
      t.match(json, { outcome: 'approved' })
      await send(door, 'SHOP', '/v1/loads/outcome', { key: next.key, card: next.card, outcome: 'withdrawn' })
    } else if (by === 'next_debit') {
      const record = recordOf(no, 1, { balanceBeforeFen: holdsFen })
      await deliver(door, `delivery-${no}`, [record])
      await door.ledger.watch.catchUp()
    } else if (by === 'written') {
      const proof = await say(putDown(card), selectByName(profiles['t-union'].aid))
      t.ok(proof)
      const { proof: kept } = card.report()
      await send(door, 'SHOP', '/v1/loads/outcome',
        { key: load.key, card: load.card, outcome: 'written', tac: kept?.tac })
    } else {
      door.clock.set(door.clock.now() + 3_600_000)
      const { issuer, serial } = cardOf(no)
      await door.ok('clerk', 'POST', `/v1/cards/${issuer}-${serial}-1/readings`,
        { counter: 100, balanceFen: holdsFen })
      await door.ledger.watch.catchUp()
    }
    const state = commit === 'after' ? 'written' : 'not_written'
    const { json: after } = await door.ask('clerk', 'GET', `/v1/loads?state=${state}`)
    t.match(after.items.find((one: { key: string }) => one.key === load.key), { evidence: by }, `card ${no}`)
  }
  // Of eleven loads: seven were torn, four of those on their chip; two more were withdrawn by their terminal.
  t.strictSame(await door.ok('auditor', 'GET', '/v1/reports/loads?day=2026-03-02'), {
    day: '2026-03-02',
    rows: [{
      party: 'SHP', source: 'agent', taken: { loads: 9, fen: 18_000 }, credited: { loads: 4, fen: 8_000 },
      givenBack: { loads: 5, fen: 10_000 }, open: { loads: 0, fen: 0 }
    }]
  }, 'taken is credited, given back or open')
  const writtenFen = 4 * amountFen
  t.match(await books(door), { 'receivable-agent/SHP': writtenFen }, 'who took nothing owes nothing')
  t.notOk('pending-load' in await books(door), 'nothing waits any more')
  const { json: taken } = await door.ask('auditor', 'GET', '/v1/loads?state=open')
  t.same(taken.items, [])
  await soundBooks(t, door)
  await door.close()
})

t.test('a withdrawal that overtakes its load; value that waited goes onto the chip', async t => {
  const door = await opened()
  const load = { key: 'load-late', ...await initialise(putDown(newCard(2)), 2, 1_000) }
  const told = { key: load.key, card: load.card, outcome: 'withdrawn' }
  t.match((await send(door, 'SHOP', '/v1/loads/outcome', told)).json, { state: 'declined' })
  t.match((await send(door, 'SHOP', '/v1/loads', load)).json,
    { outcome: 'declined', reason: 'withdrawn', replayed: true })

  // A ride is refunded: its fare waits for the chip.
  t.same(await deliver(door, 'delivery-1', [recordOf(2, 1)]), ['ok'])
  await door.ok('clerk', 'POST', '/v1/refunds', {
    card: cardOf(2), counter: 101, amountFen: 180, reference: 'REF-0001', reason: 'out of service'
  })
  const pending = async () => await door.ok('gateway', 'POST', '/v1/loads/pending', { card: cardOf(2) })
  t.same(await pending(), { pendingFen: 180 })
  const hand = putDown(newCard(2, { balanceFen: 4_820, offlineCounter: 101 }))
  const written = { key: 'load-back', ...await initialise(hand, 2, 180), source: 'pending' }
  const { json: reply } = await send(door, 'SHOP', '/v1/loads', written)
  t.match(reply, { outcome: 'approved', amountFen: 180 }, 'no step for what is the holder\'s own')
  t.same(await pending(), { pendingFen: 0 }, 'under way: nobody gets it twice')
  const tac = await credit(hand, reply)
  await send(door, 'SHOP', '/v1/loads/outcome',
    { key: written.key, card: written.card, outcome: 'written', tac })
  t.notOk('pending-load' in await books(door))
  const next = recordOf(2, 2, { balanceBeforeFen: 5_000 })
  t.same(await deliver(door, 'delivery-2', [next]), ['ok'])
  await soundBooks(t, door)
  await door.close()
})

/* ---- a ledger that dies ---- */

async function startLedger (door: Door, killAt?: string) {
  const env = {
    ...doors.env(door.databaseUrl), LEDGER_CLOCK: '2026-03-02T12:00:00+08:00',
    ...(killAt === undefined ? {} : { CITIZEN_CARD_KILL_AT: killAt })
  }
  return await superviseChild<{ url: string }>({ name: 'ledger', ...nodeCommand('ledger/main.ts'), env })
}
async function post (url: string, path: string, json: unknown) {
  const headers = { authorization: `Bearer SHOP.${secretOf('SHOP')}`, 'content-type': 'application/json' }
  return await (await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(json) })).json()
}

t.test('a ledger that dies around a load: asked and told again, the chip gets it once', async t => {
  const door = await opened()
  const places = [
    'before-load-commit', 'after-load-commit', 'before-load-outcome-commit', 'after-load-outcome-commit'
  ]
  for (const [index, place] of places.entries()) {
    const card = newCard(index)
    const hand = putDown(card)
    const load = { key: `load-killed-${index}`, ...await initialise(hand, index, 1_000) }
    const first = await startLedger(door, place)
    const asked = await post(first.ready.url, '/v1/loads', load).catch(() => null)
    const reply = asked === null ? null : asked as LoadReply
    const told = async (from: LoadReply) =>
      ({ key: load.key, card: load.card, outcome: 'written', tac: await credit(hand, from) })
    let news: object | null = null
    if (reply !== null) {
      news = await told(reply)
      await t.rejects(post(first.ready.url, '/v1/loads/outcome', news), `${place}: no answer`)
    }
    await first.stop()
    const second = await startLedger(door)
    const again = await post(second.ready.url, '/v1/loads', load) as LoadReply
    t.match(again, { outcome: 'approved', amountFen: 1_000 }, place)
    news ??= await told(again)
    t.match(await post(second.ready.url, '/v1/loads/outcome', news), { state: 'written' }, place)
    t.match(await post(second.ready.url, '/v1/loads/outcome', news), { state: 'written' }, `${place}: again`)
    await second.stop()
    t.equal(card.report().purse.balanceFen, 6_000)
    t.match(await books(door), { 'receivable-agent/SHP': 1_000 * (index + 1) }, `${place}: sold once`)
    t.notOk('pending-load' in await books(door))
  }
  await soundBooks(t, door)
  await door.close()
})

t.test('what decides about an open load, as a table', t => {
  const load = { onlineCounter: 7, offlineCounter: 100, balanceFen: 5_000n, amountFen: 2_000n }
  for (const [counter, says] of [[6, null], [7, false], [8, true], [9, true]] as const) {
    t.equal(byOnlineCounter(load, counter), says, `online counter ${counter}`)
  }
  for (const [fen, says] of [[5_000n, false], [7_000n, true], [6_000n, null]] as const) {
    t.equal(byNextBalance(load, fen), says, `began with ${fen}`)
  }
  t.end()
})

t.test('the description says what the doors do', t => {
  t.strictSame(doors.mismatches(), [])
  t.end()
})
