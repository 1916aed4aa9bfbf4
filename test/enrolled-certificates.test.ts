// Certificates from the tool that makes them to the books: ledger and gateway as processes that speak TLS
// with each other, a POS whose certificate came with its enrolment. Whoever shows another one is told why,
// and what a chip has paid waits for the right one.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { fingerprintOf, issue, makeAuthority, makeRequest } from '../bin/enrol.ts'
import { runLedger } from '../bin/stack.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { createHttpClient, type HttpClient } from '../runtime/http-client.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'
import type { RecordView } from '../schemas/api.ts'
import type { GatewayConfig, ReadyView, SpoolView } from '../schemas/gateway.ts'
import type { PortConfig } from '../schemas/port.ts'
import { cardKey } from '../schemas/record.ts'
import { connectSecurely, connectTo } from '../terminal-sim/line/line.ts'
import { openPos } from '../terminal-sim/pos/pos.ts'
import { password, secretOf, startDoors } from './support/ledger-http.ts'
import { card, D, debit } from './support/small-city.ts'
import { openCity, type RunningGateway, upload } from './support/terminals.ts'

t.setTimeout(600_000)
const root = join(import.meta.dirname, '..')
const dir = mkdtempSync(join(tmpdir(), 'enrolled-'))
const doors = await startDoors()
t.teardown(async () => {
  await doors.stop()
  rmSync(dir, { recursive: true, force: true })
})

/* ---- what the city's authority has signed, and another one ---- */

const env = { ...process.env, ENROL_PASSPHRASE: 'correct horse battery' }
const [city, foreign] = [join(dir, 'city'), join(dir, 'foreign')]
makeAuthority(city, env)
makeAuthority(foreign, env)
type Pair = { readonly cert: string, readonly key: string }
let made = 0

/** Paths, as configurations name them. */
function pair (name: string, more: { by?: string, server?: string[] } = {}): Pair {
  const home = join(dir, `${++made}-${name}`)
  const csr = makeRequest(home, name, env)
  const { by: authority = city, ...rest } = more
  issue({ authority, csr, out: join(home, 'cert.pem'), ...rest }, env)
  return { cert: join(home, 'cert.pem'), key: join(home, `${name}.key`) }
}

/** The same by the tool as somebody runs it on that machine and beside the authority. */
function pairByHand (name: string): Pair & { readonly bound: string[] } {
  const home = join(dir, `${++made}-${name}`)
  mkdirSync(home)
  const tool = (...args: string[]) => execFileSync(process.execPath,
    ['runtime/start.mjs', 'bin/enrol.ts', ...args], { cwd: root, env }).toString()
  const cert = join(home, 'cert.pem')
  tool('request', home, name)
  tool('issue', city, join(home, `${name}.csr`), cert)
  const { certificates } = JSON.parse(tool('fingerprint', cert)) as { certificates: string[] }
  return { cert, key: join(home, `${name}.key`), bound: certificates }
}
const read = (path: string) => readFileSync(path, 'utf8')
const ca = join(city, 'ca.pem')
const server = ['127.0.0.1']
const doorOf = { ledger: pair('ledger', { server }), gateway: pair('gateway', { server }) }
const [gw1, gw2, till, otherTill] = [pairByHand('GW1'), pair('GW2'), pairByHand('B1'), pair('B2')]

/* ---- a city, whose ledger from now on is a process behind TLS ---- */

const place = await openCity(t, doors, { cards: 3 })
const { door } = place
await bootstrap(door.db, { clients: [{ id: 'GW2', kind: 'gateway', secret: secretOf('GW2') }] }, 0)
door.clock.advance(24 * 3_600_000)
await door.ok('settler', 'POST', `/v1/days/${D}/close`)
await door.close()
const now = '2026-03-03T13:00:00+08:00'
const ledgerEnv = {
  ...doors.env(door.databaseUrl), LEDGER_CLOCK: now, LEDGER_TLS_CERT: doorOf.ledger.cert,
  LEDGER_TLS_KEY: doorOf.ledger.key, LEDGER_TLS_CLIENT_CA: ca
}
const bound = [
  await runLedger(ledgerEnv, 'certify', 'GW1', gw1.cert),
  await runLedger(ledgerEnv, 'certify', 'GW2', gw2.cert)
]
const ledger = await superviseChild<{ url: string }>({
  name: 'ledger', ...nodeCommand('ledger/main.ts'), env: ledgerEnv, readyTimeoutMs: 120_000
})
t.teardown(() => ledger.stop())
const { url } = ledger.ready

/** People have no certificate: they sign in, over the same door. */
async function person (name: string): Promise<HttpClient> {
  const client = (headers: Record<string, string>) =>
    createHttpClient({ baseUrl: url, random: () => 0, tls: { ca: read(ca) }, headers })
  const desk = client({})
  const { token } = await desk.post('/v1/session', { name, password }) as { token: string }
  desk.close()
  const own = client({ authorization: `Bearer ${token}` })
  t.teardown(() => own.close())
  return own
}
const auditor = await person('inspector')
const approver = await person('approver-1')
const clerk = await person('clerk')
const registrar = createHttpClient({
  baseUrl: url, random: () => 0, tls: { ca: read(ca) },
  headers: { authorization: `Bearer REGISTRAR.${secretOf('REGISTRAR')}` }
})
t.teardown(() => registrar.close())

/** Records of card 1, in the order of its counter. */
async function booked (): Promise<string[]> {
  const { items } = await auditor.get(`/v1/records?card=${cardKey(card(1).card)}`) as { items: RecordView[] }
  return items.map(({ counter, outcome }) => `${counter} ${outcome}`).sort()
}
const upTo = (counter: number) =>
  Array.from({ length: counter - 100 }, (_, index) => `${101 + index} accepted`)

/* ---- a gateway between a POS and that ledger ---- */

const port: PortConfig = {
  port: 'POS', tcp: { port: 0, tls: { ...doorOf.gateway, clientCa: ca } },
  speaks: {
    protocol: 'pos-line', terminals: ['B1', 'B2'].map(terminal => ({ operator: 'BUS', terminal }))
  }
}
const own: GatewayConfig['ledger'] =
  { url, token: `GW1.${secretOf('GW1')}`, tls: { ca, cert: gw1.cert, key: gw1.key } }
const gateway = (toLedger: GatewayConfig['ledger']) =>
  place.gateway([port], {
    config: { ledger: toLedger, reportEverySeconds: 1 }, env: { GATEWAY_CLOCK: now }
  })

/** What a terminal hears over a connection with this certificate; `none`: nobody answers it. */
async function says (
  at: RunningGateway, shown: Pair | 'nothing' | 'in clear', kind: 'ECHO' | 'RECORD' | 'SALE', nth = 1,
  terminal: 'B1' | 'B2' = 'B1'
): Promise<string> {
  const number = Number((await at.port('POS')).address.split(':').at(-1))
  const to = { port: number, host: '127.0.0.1', ca: read(ca) }
  const line = await (shown === 'in clear'
    ? connectTo(number)
    : connectSecurely(shown === 'nothing' ? to : { ...to, cert: read(shown.cert), key: read(shown.key) }))
    .catch(() => null)
  if (line === null) return 'none'
  const key = `${kind}-${nth}-${terminal}`
  const fields = {
    ECHO: { key }, RECORD: upload(key, debit(1, nth)),
    SALE: { key, card: cardKey(card(1).card), amountFen: '100' }
  }[kind]
  const pos = openPos({ line, ackTimeoutMs: 5_000, sendsMax: 1 })
  const answer = await pos.ask(kind, { ...fields, terminal }).catch(() => null)
  line.close()
  return answer?.fields.reason ?? 'none'
}
const spool = (at: RunningGateway) => at.get<SpoolView>('/v1/spool')
async function until (what: string, is: () => Promise<boolean>): Promise<void> {
  for (const giveUpAt = performance.now() + 60_000; !await is(); await delay(30)) {
    if (performance.now() > giveUpAt) throw new Error(`waited in vain: ${what}`)
  }
}

await t.test('a POS is served over the certificate that two people enrolled, and over no other', async t => {
  const calls = [['GW1', gw1], ['GW2', gw2]] as const
  t.same(bound, calls.map(([client, { cert }]) =>
    `${client} calls with ${fingerprintOf(read(cert))} from now on\n`))
  const { proposal } = await registrar.post('/v1/terminals/enrolments', {
    reason: 'the tills get certificates',
    terminals: [{
      operator: 'BUS', terminal: 'B1', kind: 'pos', place: '', gateway: null, firmware: null, keys: null,
      certificates: till.bound
    }]
  }) as { proposal: number }
  const serving = await gateway(own)
  t.equal(await says(serving, otherTill, 'ECHO'), 'ok', 'one person alone changes nothing')
  await approver.post(`/v1/proposals/${proposal}/decisions`, { approves: true })
  await until('the list', async () => await says(serving, otherTill, 'ECHO') === 'terminal_unknown')
  const rows: readonly (readonly [string, Pair | 'nothing' | 'in clear', string])[] = [
    ['that of another terminal', otherTill, 'terminal_unknown'],
    ['that of the gateway itself', gw1, 'terminal_unknown'],
    ['one of the same name that nobody enrolled', pair('B1'), 'terminal_unknown'],
    ['one of the same name by another authority', pair('B1', { by: foreign }), 'none'],
    ['none', 'nothing', 'none'],
    ['no TLS', 'in clear', 'none'],
    ['its own', till, 'stored'],
    ['its own, once more', till, 'stored']
  ]
  for (const [what, shown, reason] of rows) t.equal(await says(serving, shown, 'RECORD'), reason, what)
  t.equal(await says(serving, till, 'ECHO', 1, 'B2'), 'terminal_unknown', 'it speaks for nobody else')
  await serving.drained()
  t.same(await booked(), upTo(101), 'the POS kept it until it was taken, and it is there once')
  await serving.stop()
})

await t.test('a gateway that shows another one, or none: it says why, and keeps what it is told', async t => {
  const shows = ({ cert, key }: Pair, trusts = ca) => ({ ...own, tls: { ca: trusts, cert, key } })
  const unbound = /GW1 is not bound to the certificate that it showed/
  const unknown = /GW1 calls with a certificate, and showed none of our authority/
  const rows: readonly (readonly [string, GatewayConfig['ledger'], RegExp])[] = [
    ['that of another gateway', shows(gw2), unbound],
    ['that of a terminal', shows(till), unbound],
    ['one of the same name by another authority', shows(pair('GW1', { by: foreign })), unknown],
    ['none', { ...own, tls: { ca } }, unknown],
    ['its own, with the token of another', { ...own, token: `GW2.${secretOf('GW2')}` }, /GW2 is not bound/],
    ['its own, to a ledger of another authority', shows(gw1, join(foreign, 'ca.pem')), /certificate|verify/],
    ['no TLS', { url: url.replace('https:', 'http:'), token: own.token }, /http:.*(hang up|ECONNRESET)/]
  ]
  let nth = 1
  for (const [what, toLedger, why] of rows) {
    const refused = await gateway(toLedger)
    t.equal(await says(refused, till, 'RECORD', ++nth), 'stored', `${what}: its POS is served`)
    await until(what, async () => (await spool(refused)).uplink.lastFailure !== null)
    const { depth, uplink, parked } = await spool(refused)
    t.match(uplink.lastFailure, why, what)
    t.same([depth, parked], [nth - 1, []], `${what}: kept, and nothing is blamed on the records`)
    const { ready, worries } = await refused.get<ReadyView>('/readyz')
    t.match([ready, worries.find(one => one.what === 'uplink')?.why], [true, why], `${what}: /readyz says so`)
    await refused.stop()
  }
  t.same(await booked(), upTo(101), 'none of them got through')
  await t.rejects(gateway({ ...own, url: url.replace('https:', 'http:') }),
    /ledger has tls, and http:\S+ is not https/)
  await t.rejects(gateway({ ...own, tls: { ca, cert: gw1.cert } }), /cert and key of ledger\.tls go together/)
  const right = await gateway(own)
  await right.drained()
  t.same(await booked(), upTo(100 + nth), 'each of them once')
  await right.stop()
})

await t.test('revoked while it works, renewed; a terminal that is suspended meanwhile', async t => {
  const serving = await gateway(own)
  t.equal(await says(serving, till, 'RECORD', 9), 'stored')
  await serving.drained()
  await runLedger(ledgerEnv, 'revoke', ...gw1.bound)
  t.equal(await says(serving, till, 'RECORD', 10), 'stored')
  await until('a refusal', async () => (await spool(serving)).uplink.lastFailure !== null)
  t.match((await spool(serving)).uplink.lastFailure, /401.*GW1 showed a certificate that was revoked/)
  await serving.stop()
  t.same(await booked(), upTo(109))

  const next = pair('GW1')
  await runLedger(ledgerEnv, 'certify', 'GW1', next.cert)
  const renewed = await gateway({ ...own, tls: { ca, ...next } })
  await renewed.drained()
  t.same(await booked(), upTo(110))
  const terminals = [{ operator: 'BUS', terminal: 'B1' }]
  await clerk.post('/v1/terminals/withdrawals', { terminals, to: 'suspended', reason: 'the till was stolen' })
  await until('the list', async () => await says(renewed, till, 'SALE') === 'terminal_suspended')
  t.equal(await says(renewed, otherTill, 'RECORD', 11), 'terminal_unknown', 'it is bound all the same')
  t.equal(await says(renewed, till, 'RECORD', 11), 'stored', 'what a chip has paid is history')
  await renewed.drained()
  t.same(await booked(), upTo(111))
})
