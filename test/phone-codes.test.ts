// The card in a phone: its code byte by byte, and its road through the ledger's doors: given to a phone that
// was bound, paid once from the online account, a second use found out whichever comes first, and what
// becomes of both when the card is lost.
import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import t, { type Test } from 'tap'
import { formatIso } from '../runtime/instants.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'
import type { Registry } from '../schemas/api.ts'
import {
  checkCode, codeBody, codeReasonNumbers, codeReasons, readCode, refusalOfUse, writeCode, type CodeUseReply
} from '../schemas/phone-code.ts'
import { cardKey } from '../schemas/record.ts'
import { judgeUse } from '../ledger/core/phone-code.ts'
import { balances } from '../ledger/store/balances.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { openWithClients, secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())

/* ---- the code ---- */

// Laid out by hand from the table in docs/phone-codes.md; the key of RFC 8032, 7.1, test 1.
const layout = [
  '02', 'D75A9801', '02313750FFFFFFFF', '03104990600000000042', '01', '69A50CA0', '3C', '0011223344556677',
  '000007D0', '73656E696F722020' // “senior” and two spaces, ISO 646
].join('')
const code = {
  keyId: 'D75A9801', card: { issuer: '02313750FFFFFFFF', serial: '03104990600000000042', issue: 1 },
  issuedAtMs: Date.parse('2026-03-02T12:05:52+08:00'), nonce: '0011223344556677', limitFen: 2_000,
  class: 'senior'
}

t.test('bytes of a code', async t => {
  t.equal(codeBody(code).toString('hex').toUpperCase(), layout)
  t.equal(0x69A50CA0 * 1_000, code.issuedAtMs, 'the instant, by another route')
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const body = Buffer.from(layout, 'hex')
  const signature = sign(null, Buffer.concat([Buffer.from('phone code|1|'), body]), privateKey)
  const text = Buffer.concat([body, signature]).toString('base64url')
  t.equal(text, writeCode(body, signature))
  t.equal(text.length, 151, '113 bytes, six bits a character')
  t.same(readCode(text)?.code, code)
  const long = codeBody({ ...code, class: 'veterans of the railway' }).toString('latin1', 41)
  const digest = createHash('sha256').update('veterans of the railway').digest('hex').toUpperCase()
  t.equal(long, digest.slice(0, 8))
  const keys = new Map([[code.keyId, pem]])
  t.same(checkCode(text, keys), code)
  t.equal(checkCode(text, new Map()), 'code_key_unknown')
  for (const other of ['', text.slice(1), `${text}A`, text.replace(/^./, 'B'), ` ${text.slice(1)}`]) {
    t.equal(checkCode(other, keys), 'code_unreadable', JSON.stringify(other.slice(0, 4)))
  }
  const whole = Buffer.from(text, 'base64url')
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const flipped = Buffer.from(whole)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ 1 << (bit & 7)
    t.type(checkCode(flipped.toString('base64url'), keys), 'string', `bit ${bit}`)
  }
  const head = sign(null, body, privateKey) // what the key signs elsewhere does not begin alike
  t.equal(checkCode(writeCode(body, head), keys), 'code_signature_wrong')
  t.equal(createPublicKey(pem).asymmetricKeyType, 'ed25519')
  t.same(Object.keys(codeReasons).sort(), Object.keys(codeReasonNumbers).sort())
  t.equal(new Set(Object.values(codeReasonNumbers)).size, Object.keys(codeReasons).length)
})

t.test('its minute, with half a minute for the clock of the terminal', async t => {
  const table: [seconds: number, fen: number, string | null][] = [
    [-31, 100, 'code_not_yet'], [-30, 100, null], [0, 2_000, null], [0, 2_001, 'code_limit'], [90, 100, null],
    [91, 100, 'code_expired'], [-31, 2_001, 'code_not_yet']
  ]
  for (const [seconds, amountFen, expected] of table) {
    t.equal(refusalOfUse(code, { amountFen, atMs: code.issuedAtMs + seconds * 1_000 }), expected,
      `${seconds} s, ${amountFen} fen`)
  }
})

t.test('every reason, in its order', async t => {
  const use = { operator: 'BUS', terminal: 'B1', atMs: code.issuedAtMs + 10_000, amountFen: 500 }
  const good = {
    terminalKnown: true, cardKnown: true, receivedAtMs: use.atMs, lateMs: 1_000, merchantClosed: false,
    listing: 'clear', paid: null
  } as const
  const before = { ...use, atMs: use.atMs - 1 }
  const behind = { ...use, terminal: 'B2' }
  const table: [object, string, string | null][] = [
    [{}, 'ok', 'online'],
    [{ listing: 'inside_window' }, 'issuer_risk', 'issuer'],
    [{ paid: behind }, 'ok', 'online'],
    [{ paid: before, listing: 'inside_window' }, 'code_used', null],
    [{ listing: 'terminal_had_it', paid: before }, 'blacklisted', null],
    [{ listing: 'terminal_should_have_had_it' }, 'blacklisted', null],
    [{ merchantClosed: true, listing: 'terminal_had_it' }, 'merchant_closed', null],
    [{ receivedAtMs: use.atMs + 1_001, merchantClosed: true }, 'overdue', null],
    [{ cardKnown: false, receivedAtMs: use.atMs + 1_001 }, 'card_unknown', null],
    [{ terminalKnown: false, cardKnown: false }, 'terminal_unknown', null]
  ]
  for (const [facts, reason, payer] of table) {
    t.match(judgeUse(code, use, { ...good, ...facts }), { reason, payer }, JSON.stringify(facts))
  }
  t.match(judgeUse(code, use, { ...good, paid: behind }), { instead: true }, 'the one behind is taken back')
})

/* ---- the doors ---- */

const registry: Registry = {
  clearingDate: '2026-03-02',
  parties: [
    { code: 'ISS', kind: 'issuer', nameZh: '市民卡公司', nameEn: 'Card company' },
    { code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', service: 'transit' },
    { code: 'MET', kind: 'operator', nameZh: '地铁', nameEn: 'Metro', service: 'transit' },
    { code: 'APP', kind: 'agent', nameZh: '应用', nameEn: 'Program' }],
  terminals: [{ terminal: 'B1', operator: 'BUS' }, { terminal: 'M1', operator: 'MET' }],
  psams: [],
  cards: [0, 1, 2].map(number => ({
    card: cardOf(number), profile: 't-union' as const, suite: '3des' as const, keyVersion: 1,
    cityFactor: null, type: number === 2 ? 'anonymous' as const : 'named' as const, balanceFen: 0, counter: 0,
    soldBy: null, depositFen: 0
  })),
  policies: { topUpStepFen: 1_000, lossHolderHours: 0 }
}
const clients = { APP: ['agent', 'APP'], MET: ['operator', 'MET'] } as const
const path = (no: number): string => `/v1/cards/${cardKey(cardOf(no))}`

const as = async (door: Door, client: string, where: string, json: unknown) =>
  await door.ask(null, 'POST', where, { json, token: `${client}.${secretOf(client)}` })

type Phone = { readonly door: Door, readonly phone: string, readonly token: string }

/** A card of a person, with money on its online account and a phone. */
async function bound (fen = 5_000): Promise<Phone> {
  const door = await openWithClients(doors, registry, clients)
  const { holder } = await door.ok('clerk', 'POST', '/v1/holders', {
    document: { kind: 'resident_id', number: '430400199001011234' }, name: '王小明'
  })
  await door.ok('clerk', 'POST', `${path(0)}/holder`, { holder })
  if (fen > 0) {
    const topUp = { kind: 'top_up', key: 'top-up-01', card: cardOf(0), amountFen: fen, party: 'APP' }
    await as(door, 'APP', '/v1/requests', topUp)
  }
  return { door, ...await door.ok('clerk', 'POST', `${path(0)}/phones`, { party: 'APP' }) }
}

const codeOf = async ({ door, token }: Phone): Promise<string> => {
  const { status, json } = await as(door, 'APP', '/v1/codes', { token })
  if (status !== 200) throw new Error(JSON.stringify(json))
  return json.code
}
const tell = async (
  { door }: Phone, code: string, operator: 'BUS' | 'MET', amountFen: number, atMs: number
): Promise<CodeUseReply> => await door.ok('gateway', 'POST', '/v1/code-uses', {
  code, operator, terminal: operator === 'BUS' ? 'B1' : 'M1', amountFen, at: formatIso(atMs)
})

async function books ({ db }: Door): Promise<Record<string, number>> {
  return Object.fromEntries((await balances(db, null))
    .map(row => [
      `${row.heading}${row.party === null ? '' : `/${row.party}`}`, Number(row.debitFen - row.creditFen)
    ] as const).filter(([, fen]) => fen !== 0))
}
const took = 5_000
const verified = async (t: Test, door: Door) => {
  await door.ledger.watch.catchUp()
  await door.ledger.sealer.seal()
  const { checks } = await verifyBooks(door.db)
  t.same(checks.filter(({ ok }) => !ok), [], 'verify finds nothing')
}

t.test('a code is given, taken, told, paid once', async t => {
  const phone = await bound()
  const { door, token } = phone
  const { json: given } = await as(door, 'APP', '/v1/codes', { token })
  t.match(given, { limitFen: 5_000, goodUntil: formatIso(door.clock.now() + 60_000) })
  const [key] = await door.ok('gateway', 'GET', '/v1/code-keys')
  const read = checkCode(given.code, new Map([[key.keyId, key.publicKey]]))
  t.match(read, { card: cardOf(0), limitFen: 5_000 }, 'whoever has the public key can tell that it is good')
  const atMs = door.clock.now() + 20_000
  door.clock.set(atMs + 3_600_000)
  const paid = { paid: true, reason: 'ok', payer: 'online', replayed: false }
  t.match(await tell(phone, given.code, 'BUS', 180, atMs), paid, 'an hour later, of its minute')
  t.match(await tell(phone, given.code, 'BUS', 180, atMs), { ...paid, replayed: true })
  t.same(await books(door), {
    online: -4_820, 'receivable-agent/APP': took, 'merchant-pending/BUS': -180
  })
  t.match(await door.ok('hotline', 'GET', `${path(0)}/codes`), {
    phones: [{ phone: phone.phone, party: 'APP', boundBy: 'clerk', endedAt: null }],
    uses: [{ operator: 'BUS', terminal: 'B1', amountFen: 180, reason: 'ok', words: { zh: '成功' } }]
  })
  await verified(t, door)
  await door.close()
})

t.test('a phone that is bound again under the same key is the same phone', async t => {
  const { door } = await bound()
  const bind = async (key: string, party = 'APP') =>
    await door.ask('clerk', 'POST', `${path(0)}/phones`, { json: { party }, key })
  const first = await bind('counter-7')
  t.match(first, { status: 201, replayed: false })
  const again = await bind('counter-7')
  t.match(again, { status: 201, replayed: true })
  t.strictSame(again.json, first.json, 'its token too')
  t.not((await bind('counter-8')).json.token, first.json.token)
  t.match(await bind('counter-7', 'BUS'), { status: 422, json: { reason: 'key_reused' } })
  t.equal((await door.ok('hotline', 'GET', `${path(0)}/codes`)).phones.length, 3)
  const { rows } = await door.db.query<{ body: string }>('select body from keyed_reply')
  t.equal(rows.length, 2)
  for (const { body } of rows) t.notMatch(body, new RegExp(`${first.json.token}|token`), 'kept sealed')
  await door.db.query("update keyed_reply set key = 'counter-9' where key = 'counter-7'")
  t.equal((await bind('counter-9')).status, 500, 'and it opens for its own key alone')
  await door.close()
})

t.test('one code at two terminals: the first of them is paid, whichever tells first', async t => {
  for (const order of ['in order', 'the later one first'] as const) {
    const phone = await bound()
    const { door } = phone
    const code = await codeOf(phone)
    const atMs = door.clock.now()
    const bus = () => tell(phone, code, 'BUS', 180, atMs + 1_000)
    const metro = () => tell(phone, code, 'MET', 300, atMs + 2_000)
    if (order === 'in order') {
      t.match(await bus(), { reason: 'ok' })
      t.match(await metro(), { paid: false, reason: 'code_used', payer: null })
    } else {
      t.match(await metro(), { reason: 'ok' })
      t.match(await bus(), { reason: 'ok' })
      t.match(await metro(), { paid: false, reason: 'code_used', replayed: true }, 'and says so')
    }
    t.same(await books(door), {
      online: -4_820, 'receivable-agent/APP': took, 'merchant-pending/BUS': -180
    }, order)
    const { items } = await door.ok('inspector', 'GET', '/v1/items?layer=E')
    t.match(items, [{
      outcome: 'DUPLICATE', party: 'MET', amountFen: 300, evidence: { reason: 'code_used' }
    }], 'an exception for people, about the one that is not paid')
    t.equal(items.length, 1)
    await verified(t, door)
    await door.close()
  }
})

t.test('both at once', async t => {
  const phone = await bound()
  const code = await codeOf(phone)
  const atMs = phone.door.clock.now()
  const fifty = Array.from({ length: 40 }, (_, second) =>
    tell(phone, code, second % 2 === 0 ? 'BUS' : 'MET', 100, atMs + 1_000 * second))
  t.equal((await Promise.all(fifty)).length, 40)
  t.same(await books(phone.door), {
    online: -4_900, 'receivable-agent/APP': took, 'merchant-pending/BUS': -100
  }, 'the earliest of forty')
  await verified(t, phone.door)
  await phone.door.close()
})

t.test('lost: no codes, and what was taken with the last one', async t => {
  const phone = await bound()
  const { door, token } = phone
  const code = await codeOf(phone)
  const givenMs = door.clock.now()
  door.clock.set(givenMs + 20_000)
  await door.ok('hotline', 'POST', `${path(0)}/moves`, { move: 'report_orally', reason: 'called' })
  t.match((await as(door, 'APP', '/v1/codes', { token })).json,
    { reason: 'conditions_not_met', detail: /oral_loss/ })
  t.match(await tell(phone, code, 'BUS', 180, givenMs + 10_000), { reason: 'ok', payer: 'online' },
    'before the report: the holder')
  door.clock.set(givenMs + 60_000)
  await door.ok('clerk', 'POST', `${path(0)}/moves`, { move: 'lift_oral', reason: 'found' })
  door.clock.set(givenMs + 120_000)
  const other = await codeOf(phone)
  await door.ok('hotline', 'POST', `${path(0)}/moves`, { move: 'report_orally', reason: 'called' })
  t.match(await tell(phone, other, 'BUS', 180, givenMs + 130_000),
    { paid: true, reason: 'issuer_risk', payer: 'issuer' }, 'the terminal could not know')
  const third = {
    online: -4_820, 'receivable-agent/APP': took, 'merchant-pending/BUS': -360, 'issuer-loss': 180
  }
  t.same(await books(door), third)
  await door.ok('gateway', 'POST', '/v1/parameters/applied', {
    operator: 'MET', terminal: 'M1', kind: 'blacklist', version: 3, appliedAt: formatIso(givenMs + 121_000)
  })
  t.match(await tell(phone, other, 'MET', 180, givenMs + 125_000), { paid: false, reason: 'blacklisted' },
    'the terminal had the list')
  t.same(await books(door), third)
  await verified(t, door)
  await door.close()
})

t.test('spent meanwhile: the operator is paid all the same, and somebody is to ask the holder', async t => {
  const phone = await bound(1_000)
  const { door } = phone
  const code = await codeOf(phone)
  const sale = { kind: 'purchase', key: 'sale-0001', card: cardOf(0), amountFen: 900, party: 'MET' }
  t.match((await as(door, 'MET', '/v1/requests', sale)).json, { outcome: 'approved' })
  t.match(await tell(phone, code, 'BUS', 180, door.clock.now()),
    { paid: true, reason: 'uncovered', payer: 'issuer' })
  t.same(await books(door), {
    online: -100, 'receivable-agent/APP': 1_000, 'merchant-pending/BUS': -180, 'merchant-pending/MET': -900,
    'issuer-loss': 180
  })
  t.match((await door.ok('inspector', 'GET', '/v1/items?layer=E')).items,
    [{ outcome: 'AMOUNT_DIFF', party: 'BUS', amountFen: 180, evidence: { reason: 'uncovered' } }])
  await verified(t, door)
  await door.close()
})

t.test('whatever else is refused, and disturbs nothing', async t => {
  const phone = await bound()
  const { door, token } = phone
  const refused = async (
    as: 'clerk' | 'hotline' | 'gateway', method: string, where: string, json: unknown, expected: object
  ) => {
    const { json: answer } = await door.ask(as, method, where, { json })
    t.match(answer, expected, `${where} ${JSON.stringify(expected)}`)
  }
  await refused('clerk', 'POST', `${path(1)}/phones`, { party: 'APP' },
    { reason: 'conditions_not_met', detail: /nobody's/ })
  await refused('clerk', 'POST', `${path(2)}/phones`, { party: 'APP' }, { reason: 'conditions_not_met' })
  await refused('clerk', 'POST', `${path(9)}/phones`, { party: 'APP' }, { reason: 'not_found' })
  await refused('clerk', 'POST', `${path(0)}/phones`, { party: 'ISS' },
    { reason: 'registry_invalid', where: '/party' })
  await refused('hotline', 'POST', `${path(0)}/phones`, { party: 'APP' }, { reason: 'forbidden' })
  await refused('clerk', 'POST', `${path(9)}/phones/${phone.phone}/end`, undefined, { reason: 'not_found' })
  await refused('clerk', 'POST', `${path(1)}/phones/${phone.phone}/end`, undefined,
    { reason: 'conditions_not_met' })
  t.equal((await door.ask('hotline', 'GET', `${path(9)}/codes`)).status, 404)
  t.match((await as(door, 'MET', '/v1/codes', { token })).json, { reason: 'forbidden', where: '/token' })
  t.match((await as(door, 'APP', '/v1/codes', { token: 'f'.repeat(64) })).json,
    { reason: 'not_found', where: '/token' })
  const code = await codeOf(phone)
  t.match((await as(door, 'APP', '/v1/codes', { token })).json, { reason: 'too_early', detail: /30 s/ })
  const use = { code, operator: 'BUS', terminal: 'B1', amountFen: 180, at: formatIso(door.clock.now()) }
  await refused('gateway', 'POST', '/v1/code-uses', { ...use, at: '2026-02-31T00:00:00Z' },
    { reason: 'body_invalid', where: '/at' })
  const short = { ...use, code: code.slice(1) }
  await refused('gateway', 'POST', '/v1/code-uses', short, { reason: 'body_invalid' })
  const late = formatIso(door.clock.now() + 91_000)
  const table: [object, string][] = [
    [{ code: 'A'.repeat(151) }, 'code_unreadable'],
    [{ code: code.slice(0, -4) + 'AAAA' }, 'code_signature_wrong'],
    [{ terminal: 'M1' }, 'terminal_unknown'], [{ operator: 'ISS' }, 'terminal_unknown'],
    [{ at: late }, 'code_expired'], [{ amountFen: 5_001 }, 'code_limit']
  ]
  for (const [change, reason] of table) {
    t.match(await door.ok('gateway', 'POST', '/v1/code-uses', { ...use, ...change }), { paid: false, reason })
  }
  t.same(await books(door), { online: -took, 'receivable-agent/APP': took })
  await door.ok('hotline', 'POST', `${path(0)}/phones/${phone.phone}/end`)
  door.clock.set(door.clock.now() + 30_000)
  t.match((await as(door, 'APP', '/v1/codes', { token })).json,
    { reason: 'conditions_not_met', detail: /no codes any more/ })
  const poor = await bound(0)
  t.match((await as(poor.door, 'APP', '/v1/codes', { token: poor.token })).json,
    { reason: 'conditions_not_met', detail: /holds nothing/ })
  t.notMatch(door.logLines().join('\n'), token, 'tokens stand in no log')
  await verified(t, door)
  await door.close()
  await poor.door.close()
})

/* ---- a ledger that dies ---- */

async function startLedger (door: Door, killAt?: string) {
  const env = {
    ...doors.env(door.databaseUrl), LEDGER_CLOCK: formatIso(door.clock.now()),
    ...killAt === undefined ? {} : { CITIZEN_CARD_KILL_AT: killAt }
  }
  return await superviseChild<{ url: string }>({ name: 'ledger', ...nodeCommand('ledger/main.ts'), env })
}

t.test('a ledger that dies around a use: told again, paid once', async t => {
  for (const [place, stands] of [['before-code-commit', false], ['after-code-commit', true]] as const) {
    const phone = await bound()
    const { door } = phone
    const code = await codeOf(phone)
    const use = { code, operator: 'BUS', terminal: 'B1', amountFen: 180, at: formatIso(door.clock.now()) }
    const first = await startLedger(door, place)
    const headers = {
      authorization: `Bearer GW1.${secretOf('GW1')}`, 'content-type': 'application/json'
    }
    await t.rejects(
      fetch(`${first.ready.url}/v1/code-uses`, { method: 'POST', headers, body: JSON.stringify(use) }),
      `${place}: no answer`)
    await first.stop()
    t.match(await door.ok('gateway', 'POST', '/v1/code-uses', use), { paid: true, replayed: stands }, place)
    t.same(await books(door), {
      online: 180 - took, 'receivable-agent/APP': took, 'merchant-pending/BUS': -180
    }, `${place}: paid once`)
    await verified(t, door)
    await door.close()
  }
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
t.strictSame(doors.unused().filter(route => /v1\/(code|cards\/\{card\}\/(phones|codes))/.test(route)), [], 'every route was used')
