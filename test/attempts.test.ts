// What must not go, each through the door by which somebody would try it: the reason that is given, and that
// nothing has happened. One table; how each part works otherwise stands in the tests of that part.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { testKeys } from '../bin/test-keys.ts'
import { nodeCommand } from '../runtime/supervise.ts'
import type { LoadReply } from '../schemas/load.ts'
import { cardKey } from '../schemas/record.ts'
import { sealKeys } from '../ledger/keys/key-file.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { balances } from '../ledger/store/balances.ts'
import { firstDocument } from '../bench/fares/city.ts'
import { putDown, type InHand } from './support/chips-in-hand.ts'
import { password, startDoors, type Door } from './support/ledger-http.ts'
import { creditOf, credit, initialise, newCard } from './support/loading.ts'
import { cardOf } from './support/posting.ts'
import { card, debit, deliver, smallCity } from './support/small-city.ts'

const doors = await startDoors()
t.teardown(() => doors.stop())
const dir = mkdtempSync(join(tmpdir(), 'attempts-'))
t.teardown(() => rmSync(dir, { recursive: true, force: true }))

const path = (no: number, what: string): string => `/v1/cards/${cardKey(cardOf(no))}/${what}`
const why = 'somebody tries it'

type Stage = {
  readonly door: Door
  /** Asks for a load, as an agent's terminal does through its gateway; the ledger's answer. */
  readonly load: (key: string, load: object) => Promise<LoadReply>
}

/** An attempt, and what is said to it. */
type Attempt = readonly [what: string, expected: RegExp, attempt: (stage: Stage) => Promise<string>]

const answerOf = (answer: { reason?: string, detail?: string, rule?: string, outcome?: string }): string =>
  [answer.reason, answer.rule ?? answer.detail].filter(Boolean).join(' ')

const asked = async (door: Door, as: 'clerk' | 'admin-1' | 'approver-1', where: string, json: object) =>
  answerOf((await door.ask(as, 'POST', where, { json })).json)

const table: readonly Attempt[] = [
  ['a load under a key version that nobody holds', /^load_key_unknown/, async ({ load }) => {
    const asked = await initialise(putDown(newCard(2)), 2, 1_000)
    return answerOf(await load('version', { ...asked, chip: { ...asked.chip, keyVersion: 2 } }))
  }],
  ['a debit that names another key version', /^refused tac_wrong/, async ({ door }) => {
    const { results } = await deliver(door, 'version-debit', [debit(6, 1, 'B1', { keyVersion: 2 })])
    return `${results[0].outcome} ${results[0].reason}`
  }],
  ['the answer to one load given to the chip for the next', /^9302, holds 6000/, async ({ load }) => {
    const chip = newCard(3)
    const hand = putDown(chip)
    const first = await load('first', await initialise(hand, 3, 1_000))
    await credit(hand, first)
    await load('second', await initialise(hand, 3, 1_000))
    return `${await swOf(hand, creditOf(first))}, holds ${chip.report().purse.balanceFen}`
  }],
  ['the TAC of one load told for the next', /^false open/, async ({ door, load }) => {
    const hand = putDown(newCard(4))
    const first = await load('own', await initialise(hand, 4, 1_000))
    const tac = await credit(hand, first)
    await load('next', await initialise(hand, 4, 1_000))
    const told = { key: 'attempt-next', card: cardOf(4), outcome: 'written', tac }
    const { tacRight, state } = await door.ok('gateway', 'POST', '/v1/loads/outcome', told)
    return `${tacRight} ${state}`
  }],
  ['the MAC of one card for another', /^mac1_wrong/, async ({ load }) =>
    answerOf(await load('other', { ...await initialise(putDown(newCard(2)), 2, 1_000), card: cardOf(5) }))],
  ['more than the card may hold', /^balance_over_limit an anonymous prepaid card holds 1000\.00/,
    async ({ load }) => answerOf(await load('limit',
      await initialise(putDown(newCard(5, { balanceFen: 99_000 })), 5, 2_000)))],
  ['a clerk of the west for a card of the east', /^other_branch/, async ({ door }) => {
    const { token } = (await door.signIn('west', password)).json
    const json = { move: 'report_loss', reason: why }
    return answerOf((await door.ask(null, 'POST', path(1, 'moves'), { token, json })).json)
  }],
  ['whoever asked for it approves it', /^self_approval/, async ({ door }) => {
    const body = { name: 'li.na', roles: ['clerk'], branch: null, active: true, initialPassword: true }
    const { id } = await door.ok('admin-1', 'POST', '/v1/proposals',
      { kind: 'staff_member', reason: 'a new clerk at the counter', body })
    return await asked(door, 'admin-1', `/v1/proposals/${id}/decisions`, { approves: true })
  }],
  ['a card given back on a journey', /^holder_rule openJourney/, async ({ door }) => {
    await deliver(door, 'entry-tap', [debit(7, 1, 'B1', {
      balanceBeforeFen: 5_000, amountFen: 400, line: 'S2', ride: { sense: 'either', stop: 'X0' },
      dateTime: '20260302110000'
    })])
    await door.ledger.watch.catchUp()
    return await asked(door, 'clerk', path(7, 'return'), {
      outlet: 'SHP', chip: { counter: 101, balanceFen: 4_600 }, undamaged: true, reason: why
    })
  }],
  ['a master key asked for at a ceremony', /^1 keys: key_not_exportable: tac\.3des\.01/, async () => {
    const place = join(dir, 'keys.sealed')
    writeFileSync(place, sealKeys(testKeys, 'test', new Uint8Array(16), new Uint8Array(12)))
    const main = join(import.meta.dirname, '../ledger/keys/main.ts')
    const { command, args } = nodeCommand(main, ['export', 'tac.3des.01'])
    const env = { ...process.env, LEDGER_KEYS: place, LEDGER_KEYS_PASSPHRASE: 'test' }
    const { status, stderr, stdout } = spawnSync(command, args ?? [],
      { encoding: 'utf8', input: '', env, timeout: 60_000, killSignal: 'SIGKILL' })
    return `${status} ${stderr}${stdout}`
  }]
]

async function swOf ({ channel }: InHand, command: Uint8Array): Promise<string> {
  const answer = await channel.transmit(command)
  return answer.kind === 'unknown' ? answer.why : answer.sw.toString(16)
}

/** Balances that are not zero. */
const booksOf = async ({ db }: Door): Promise<Record<string, number>> =>
  Object.fromEntries((await balances(db, null)).map(row => [
    `${row.heading}${row.party === null ? '' : `/${row.party}`}`, Number(row.debitFen - row.creditFen)
  ] as const).filter(([, fen]) => fen !== 0))

/** Of two loads that are good the second asks with a counter that proves the first: it is on the purse. */
const twoLoads = { 'receivable-agent/SHP': 2_000, purse: -1_000, 'pending-load': -1_000 }
/** What the attempts book on their way to what is refused. */
const meant: Readonly<Record<string, Record<string, number>>> = {
  'the answer to one load given to the chip for the next': twoLoads,
  'the TAC of one load told for the next': twoLoads,
  'a card given back on a journey': { purse: 400, 'merchant-pending/BUS': -400 }
}

for (const [what, expected, attempt] of table) {
  t.test(what, async t => {
    const door = await doors.open('2026-03-02T04:00:00+08:00')
    const cards = [2, 3, 4, 6, 7].map(no => card(no, { balanceFen: 5_000 }))
    const named = card(1, { type: 'named', balanceFen: 5_000, branch: 'EAST' })
    const city = smallCity(
      [...cards, named, card(5, { balanceFen: 99_000 })], { policies: { topUpStepFen: 1_000 } })
    const parties = (city.parties ?? []).map(party =>
      party.kind === 'operator' ? { ...party, service: 'transit' as const } : party)
    await door.ok('registrar', 'PUT', '/v1/registry', { ...city, parties })
    const { transfers: _, concessions: __, ...plain } = firstDocument
    const buses = { ...plain, services: plain.services.filter(({ id }) => id !== 'metro') }
    await door.ok('registrar', 'POST', '/v1/services/transit/tariffs', buses)
    await bootstrap(door.db, { staff: [{ name: 'west', password, roles: ['clerk'], branch: 'WEST' }] }, 0)
    door.clock.set(Date.parse('2026-03-02T12:00:00+08:00'))
    const before = await booksOf(door)
    const load = async (key: string, load: object) =>
      await door.ok('gateway', 'POST', '/v1/loads', { key: `attempt-${key}`, ...load })
    t.match(await attempt({ door, load }), expected)
    const after = await booksOf(door)
    const moved = Object.fromEntries(Object.keys({ ...before, ...after })
      .map(name => [name, (after[name] ?? 0) - (before[name] ?? 0)] as const).filter(([, fen]) => fen !== 0))
    t.strictSame(moved, meant[what] ?? {}, 'nothing else has moved')
    await door.close()
  })
}
