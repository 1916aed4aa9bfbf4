// The clerk's command line: words become calls, a real ledger answers, and a refusal says its reason.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { commands, readCommand, usage } from '../bin/clerk-commands.ts'
import { nodeCommand } from '../runtime/supervise.ts'
import { cardKey } from '../schemas/record.ts'
import { startFarm } from '../terminal-sim/reader/farm.ts'
import { whyNoFarm } from '../terminal-sim/reader/namespace.ts'
import { password, startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import { card, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
t.setTimeout(300_000)

const keyOf = (number: number): string => cardKey(cardOf(number))
const [A, N] = [keyOf(0), keyOf(9)]

/** The program, to its end. */
async function clerk (
  door: Door, ...args: string[]
): Promise<{ code: number, out: string, err: string }> {
  return await clerkAt(door, {}, ...args)
}

async function clerkAt (
  door: Door, reader: Readonly<Record<string, string>>, ...args: string[]
): Promise<{ code: number, out: string, err: string }> {
  const { command, args: all = [] } = nodeCommand(join(import.meta.dirname, '../bin/clerk.ts'), args)
  const child = spawn(command, all, {
    env: { ...process.env, CLERK_LEDGER: door.url, CLERK_NAME: 'clerk', CLERK_PASSWORD: password, ...reader }
  })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said.out += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said.err += text })
  const code = await new Promise<number>(resolve => child.on('close', code => { resolve(code ?? -1) }))
  return { code, ...said }
}

t.test('words become calls', async t => {
  for (const [line, expected] of [
    [['life', A], { method: 'GET', path: `/v1/cards/${A}/life` }],
    [['move', A, 'report_loss', 'lost', 'on', 'the', 'bus'],
      { path: `/v1/cards/${A}/moves`, json: { move: 'report_loss', reason: 'lost on the bus' } }],
    [['return', A, 'SHP', 'moves', '--chip', '101:-0.80', '--damaged'], {
      json: { outlet: 'SHP', chip: { counter: 101, balanceFen: -80 }, undamaged: false, reason: 'moves' }
    }],
    [['return', '--unreadable', A, 'SHP', 'moves'], { json: { chip: null, undamaged: true } }],
    [['replace', A, N, 'damage', 'bent', '--chip', '7:12', '--outlet', 'SHP'],
      { json: { to: cardOf(9), why: 'damage', chip: { counter: 7, balanceFen: 1_200 }, outlet: 'SHP' } }],
    [['person', 'passport', 'E1', 'Li', 'Na', '--phone', '13900000000'],
      { json: { document: { kind: 'passport', number: 'E1' }, name: 'Li Na', phone: '13900000000' } }],
    [['bind-phone', A, 'SHP'], { method: 'POST', path: `/v1/cards/${A}/phones`, json: { party: 'SHP' } }],
    [['end-phone', A, 'P7'], { method: 'POST', path: `/v1/cards/${A}/phones/P7/end` }],
    [['decide', '7', '--refuse'], { path: '/v1/proposals/7/decisions', json: { approves: false } }]
  ] as const) t.match(readCommand(line), expected, line.join(' '))
})

t.test('what is wrong with a line is said, and nothing is asked', async t => {
  for (const [line, says] of [
    [['dance'], /there is no “dance”/], [[], /npm run clerk/], [['life'], /^life CARD$/],
    [['life', A, 'more'], /^life CARD$/], [['life', '12'], /“12” is no card/],
    [['return', A, 'SHP', 'moves'], /--chip COUNTER:YUAN .*or --unreadable/],
    [['return', A, 'SHP', 'moves', '--chip', '1:2', '--unreadable'], /or --unreadable/],
    [['return', A, 'SHP', 'moves', '--chip', '48.20'], /is no reading of a chip/],
    [['return', A, 'SHP', 'moves', '--chip', '101:4.8'], /is no amount in yuan/],
    [['move', A, 'lock'], /^move CARD MOVE WHY…$/], [['life', A, '--hurry'], /life knows no --hurry/],
    [['found-cards', 'all'], /^found-cards$/], [['return', A, 'S', 'w', '--chip'], /--chip says no COUNTER/]
  ] as const) t.throws(() => readCommand(line), { message: says }, line.join(' '))
  for (const name of Object.keys(commands)) t.match(usage(), new RegExp(`^  ${name}\\b`, 'm'), name)
})

t.test('each path is a door of the ledger', async t => {
  const door = await doors.open()
  const { paths } = await door.ok(null, 'GET', '/openapi.json')
  const known = new Set(Object.entries(paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '*')}`)))
  const words: Readonly<Record<string, string>> = { CARD: A, TO: N }
  for (const [name, { words: places, options }] of Object.entries(commands)) {
    const chip = options?.['chip'] === undefined ? [] : ['--unreadable']
    const line = [name, ...places.map(place => words[place] ?? '7'), ...chip]
    const { method, path } = readCommand(line)
    const shape = path.replace(/\?.*/, '').replace(A, '*').replace(/\/7(?=\/|$)/g, '/*')
    t.ok(known.has(`${method} ${shape}`), `${name}: ${method} ${shape}`)
  }
  await door.close()
})

t.test('a counter in the morning', async t => {
  const door = await doors.open()
  const named = { type: 'named' as const, soldBy: 'SHP' }
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([
    card(0, { ...named, balanceFen: 5_000, depositFen: 2_000 }), card(9, { type: 'named', balanceFen: 0 })]))
  const said = async (...args: string[]) => {
    const { code, out, err } = await clerk(door, ...args)
    t.equal(code, 0, `${args[0]}: ${err}`)
    return JSON.parse(out)
  }
  const { holder } = await said('person', 'passport', 'E1234567', 'Li', 'Na')
  t.match(await said('give-to', A, holder), { cards: [{ type: 'named' }] })
  t.match(await said('whose-card', A, 'asks'), { holder, document: { number: '4567' } })
  t.match(await said('move', A, 'report_orally', 'left', 'in', 'a', 'taxi'), { state: 'oral_loss' })
  t.match(await clerk(door, 'move', A, 'lock', 'no', 'use'), {
    code: 1, out: '', err: /^conditions_not_met: the card is oral_loss/
  })
  t.match(await said('move', A, 'lift_oral', 'found'), { state: 'normal' })
  const again = ['--key', 'once', 'replace', A, N, 'damage', 'bent', '--chip', '100:50.00'] as const
  t.match(await said(...again), { movedFen: 5_000 })
  t.match(await said(...again), { movedFen: 5_000 }, 'the same key again is the same replacement')
  t.match(await said('life', N), { holder, state: 'normal' })
  t.match(await clerk(door, 'life', keyOf(77)), { code: 1, err: /^not_found/ })
  t.match(await clerk(door, 'life'), { code: 2, err: /life CARD/ })
  await door.close()
})

t.test('a card on the reader of the counter', { skip: whyNoFarm() ?? false }, async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity([
    card(0, { type: 'named', soldBy: 'SHP', balanceFen: 4_820, counter: 101, depositFen: 2_000 })]))
  const dir = mkdtempSync(join(tmpdir(), 'clerk-reader-'))
  const farm = await startFarm({ dir, pairs: [{ name: 'DESK' }] })
  t.teardown(async () => {
    await farm.stop()
    rmSync(dir, { recursive: true, force: true })
    await door.close()
  })
  const { issuer, serial } = cardOf(0)
  const chips = { mine: 4_820, empty: 0 } as const
  for (const [chip, balanceFen] of Object.entries(chips)) {
    const overdraft = balanceFen === 0 ? { limitFen: 800, usedFen: 80 } : { limitFen: 800 }
    await farm.createCard({
      chip, card: { profile: 't-union', issuer, serial, balanceFen, offlineCounter: 101, overdraft }
    })
  }
  const read = async () => {
    const { command, args } = nodeCommand('gateway/counter/main.ts', ['DESK 00 00', farm.socket])
    const { status, stdout, stderr } = spawnSync(command, args ?? [], { encoding: 'utf8' })
    return status === 0 ? JSON.parse(stdout) as object : stderr
  }
  await farm.insert({ chip: 'mine', reader: 'DESK 00 00' })
  t.match(await read(), { card: A, counter: 101, balanceFen: 4_820, enabled: true })
  const desk = { CLERK_READER: 'DESK 00 00', CLERK_READER_SOCKET: farm.socket }
  const look = await clerkAt(door, desk, 'life', 'reader')
  t.match(JSON.parse(look.out), { card: cardOf(0), state: 'normal' }, look.err)
  const given = await clerkAt(door, desk, 'return', 'reader', 'SHP', 'moves', '--chip', 'reader')
  const paid = { lines: [{ what: 'value', fen: 4_820 }, { what: 'deposit', fen: 2_000 }], paidFen: 6_820 }
  t.match(JSON.parse(given.out), paid, given.err)
  t.match(await farm.inspectCard({ chip: 'mine' }), { purse: { offlineCounter: 101 } }, 'nothing was written')
  await farm.remove({ reader: 'DESK 00 00' })
  await delay(600) // pcscd looks every 0.4 s whether a card has gone
  await farm.insert({ chip: 'empty', reader: 'DESK 00 00' })
  t.match(await read(), { card: A, counter: 101, balanceFen: -80 }, 'below zero')
  t.match(await clerk(door, 'life', 'reader'), { code: 2, err: /CLERK_READER is not set/ })
})
