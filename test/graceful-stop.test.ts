// SIGTERM in the middle of an exchange, at a gateway as a process: what was begun comes to its end, and the
// next gateway goes on where it stopped. Taps and loads: test/faults.test.ts and test/gateway-loads.test.ts.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { sealTerminalKeys } from '../gateway/keys.ts'
import { unhex } from '../schemas/epurse/hex.ts'
import { openPos } from '../terminal-sim/iso8583/pos.ts'
import { connectTo } from '../terminal-sim/line/line.ts'
import { newTerminal, serveLine } from '../terminal-sim/polled/terminal.ts'
import { cableTo } from './support/cable.ts'
import { startDoors } from './support/ledger-http.ts'
import { card, debit } from './support/small-city.ts'
import { openCity, storedAtTerminal } from './support/terminals.ts'

t.setTimeout(240_000)
const doors = await startDoors()
t.teardown(() => doors.stop())
const ended = { code: 0, signal: null }

t.test('ISO 8583: the answer that is awaited still comes, and counts', async t => {
  const master = '0123456789ABCDEFFEDCBA9876543210'
  const merchant = '898421000000001'
  const city = await openCity(t, doors, { topUps: [1] })
  await city.door.ok('registrar', 'PUT', '/v1/registry',
    { terminals: [{ terminal: 'POS-1', operator: 'SHP' }] })
  const ledger = await cableTo(city.door.url)
  t.teardown(() => ledger.close())
  const keys = join(city.dir, 'keys')
  writeFileSync(keys, sealTerminalKeys(
    { keys: { 'POS-1': { suite: '3des', master } } }, 'secret', randomBytes(16), randomBytes(12)))
  const start = () => city.gateway([{
    port: 'CARDS', tcp: { port: 0 }, speaks: {
      protocol: 'iso8583', terminals: [{ terminal: 'POS-1', merchant, operator: 'SHP' }],
      issuers: [{ begins: '310499', issuer: card(0).card.issuer }]
    }
  }], { ledgerUrl: ledger.url, env: { GATEWAY_KEYS: keys, GATEWAY_KEYS_PASSPHRASE: 'secret' } })
  const pos = openPos({ terminal: 'POS-1', merchant, master: unhex(master) })
  const plug = async (gateway: Awaited<ReturnType<typeof start>>) => {
    const socket = connect(Number((await gateway.port('CARDS')).address.split(':').at(-1)), '127.0.0.1')
    t.teardown(() => socket.destroy())
    pos.attach(socket)
  }
  const first = await start()
  await plug(first)
  await pos.signIn()
  const buy = { 2: card(1).card.serial.slice(1), 4: '000000000100', 11: '000001' }
  // Booked, and its answer lost on the way: the gateway asks once more, and is told to stop meanwhile.
  const broken = ledger.breakNext('POST /v1/requests', 'before the answer')
  const answered = pos.ask('purchase', buy)
  await broken
  first.child.kill('SIGTERM')
  t.equal((await answered).code, '00')
  t.strictSame(await first.child.stop(), ended)
  const second = await start()
  await plug(second)
  t.equal((await pos.ask('purchase', buy)).code, '00', 'the first answer')
  t.equal(await city.online(card(1).card), 4_900, 'once')
})

t.test('a polled line: no record is lost or doubled by a stop at any moment', async t => {
  const city = await openCity(t, doors)
  const terminal = newTerminal(1, '990000000001', '20260302120000')
  terminal.store.records =
    Array.from({ length: 30 }, (_, index) => storedAtTerminal(debit(1, index + 1, 'B1')))
  for (let stops = 0; terminal.store.records.length > 0; stops++) {
    const gateway = await city.gateway([{
      port: 'CANTEEN', tcp: { port: 0 }, speaks: {
        protocol: 'polled', echoMs: 500, answerMs: 2_000, turnMs: 20,
        terminals: [{ address: 1, operator: 'BUS', terminal: 'B1' }]
      }
    }])
    const line = await connectTo(Number((await gateway.port('CANTEEN')).address.split(':').at(-1)))
    const serving = serveLine(line, [terminal])
    const left = terminal.store.records.length
    const last = stops === 2
    while (terminal.store.records.length > (last ? 0 : left - 7)) await delay(2)
    await delay(stops)
    const given = terminal.heard['give'] ?? 0
    if (last) await gateway.drained()
    else while ((terminal.heard['give'] ?? 0) === given) await delay(1)
    gateway.child.kill('SIGTERM')
    t.strictSame(await gateway.child.stop(), ended, `stop ${stops + 1}`)
    line.close()
    await serving
  }
  t.equal((await city.booked(card(1).card)).length, 30)
})
