// Random histories of records with all their faults, told in any order, in pieces and twice, of readings,
// loads, refunds, disputes and decisions about what is held, of online requests and their reversals, with
// crashes and closing days between: after every step the real
// ledger says what the model says, everything verifies, and nothing that was written before has changed. A
// seed that ever failed stays in the table.
import t, { type Test } from 'tap'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addDays, bcdDateTime, startOfDate } from '../runtime/instants.ts'
import { outcomeNumbers, reasonNumbers } from '../schemas/reasons.ts'
import { contentHash, type TransactionRecord } from '../schemas/record.ts'
import { createRandom, type Random } from '../terminal-sim/random.ts'
import type { MoneyRequest } from '../schemas/request.ts'
import { closeDay } from '../ledger/day/close-day.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { readCardAtCounter } from '../ledger/cards/card-reading.ts'
import { proposalKinds } from '../ledger/people/proposal-kinds.ts'
import { decideProposal, startProposal, type Member } from '../ledger/people/proposals.ts'
import { askLoad, tellLoad } from '../ledger/posting/loads.ts'
import { answerRequests } from '../ledger/posting/requests.ts'
import { answerDispute, decideDispute, raiseDispute } from '../ledger/redress/dispute.ts'
import { refund } from '../ledger/redress/refund.ts'
import { Refusal } from '../ledger/refusal.ts'
import { openSigner, startSealer } from '../ledger/proof/seal.ts'
import { balances } from '../ledger/store/balances.ts'
import type { Db } from '../ledger/store/db.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { newModel, type Model, type ToldTap, type World } from './model/model.ts'
import { verdictsOf } from './support/books.ts'
import { cardOf, deliver, recordOf, startBench } from './support/posting.ts'

t.setTimeout(900_000)
const bench = await startBench()
t.teardown(() => bench.stop())
const folder = mkdtempSync(join(tmpdir(), 'model-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const signer = openSigner(join(folder, 'key.pem'))

const cards = 6
const psams = { B1: '990000000001', M1: '990000000002', unknown: '990000000099' } as const

function recordFor (tap: ToldTap): TransactionRecord {
  return recordOf(tap.card, tap.counter - 100, {
    balanceBeforeFen: tap.beforeFen, amountFen: tap.amountFen, psam: psams[tap.psam], sequence: tap.sequence,
    dateTime: Buffer.from(bcdDateTime(tap.atMs)).toString('hex'), grey: tap.grey,
    terminal: tap.terminal === 'none' ? 'B9' : tap.terminal, operator: tap.terminal === 'M1' ? 'MET' : 'BUS',
    ...tap.grey ? { tac: null } : tap.signed ? {} : { tac: '00112233' }
  })
}

/** Value that a chip takes after a counter, whenever the ledger is asked for it. */
type PlannedLoad = {
  readonly card: number, readonly counter: number, readonly beforeFen: number, readonly fen: number
}

/** What the chips did, and what the terminals tell of it: torn, cloned, copied, lost, forged, misplaced. */
function history (random: Random, loads: PlannedLoad[]): ToldTap[] {
  let sequence = 0
  return Array.from({ length: cards }, (_, card) => card).flatMap(card => {
    let beforeFen = 5_000
    return Array.from({ length: random.int(2, 7) }, (_, nth) => nth + 1).flatMap(nth => {
      const amountFen = [0, 100, 180, 300][random.int(0, 3)] ?? 180
      const terminal = random.int(0, 3) === 0 ? 'M1' as const : 'B1' as const
      const tap: ToldTap = {
        card, counter: 100 + nth, beforeFen, amountFen, psam: terminal, terminal, sequence: ++sequence,
        atMs: Date.parse('2026-03-02T06:00:00+08:00') + nth * 600_000 + (card + random.int(0, 500)) * 1_000,
        grey: false, signed: true
      }
      beforeFen -= amountFen
      if (random.int(0, 7) === 0) {
        loads.push({ card, counter: tap.counter, beforeFen, fen: 1_000 })
        beforeFen += 1_000
      }
      return toldOf(tap, random)
    })
  })
}

function toldOf (tap: ToldTap, random: Random): ToldTap[] {
  const grey = { ...tap, grey: true, signed: false }
  switch (random.int(0, 15)) {
    case 0: return []
    case 1: return [grey]
    case 2: return [grey, tap]
    case 3: return [tap, { ...tap, sequence: tap.sequence + 5_000, amountFen: 250 }] // a clone
    case 4: return [tap, { ...tap, counter: tap.counter + 1 }] // a copy with the next counter
    case 5: return [tap, { ...tap, signed: false }]
    case 6: return [{ ...tap, beforeFen: tap.beforeFen + 500 }]
    case 7: return [{ ...tap, psam: 'unknown' }]
    case 8: return [{ ...tap, terminal: 'none' }]
    case 9: return [{ ...tap, terminal: tap.terminal === 'B1' ? 'M1' : 'B1' }]
    case 10: return [{ ...tap, atMs: Date.parse('2026-03-09T08:00:00+08:00') + tap.sequence * 1_000 }]
    case 11: return [{ ...tap, atMs: Date.parse('2025-10-01T08:00:00+08:00') + tap.sequence * 1_000 }]
    case 12: return [grey, { ...grey, sequence: tap.sequence + 6_000, amountFen: 120 }]
    default: return [tap]
  }
}

/* ---- the real one, in the words of the model ---- */

const name = (numbers: Readonly<Record<string, number>>, number: number): string =>
  Object.entries(numbers).find(([, one]) => one === number)?.[0] ?? String(number)

const verdictsNow = async (db: Db): Promise<string[]> => (await verdictsOf(db))
  .map(({ content, outcome, reason }) =>
    `${content} ${name(outcomeNumbers, outcome)} ${name(reasonNumbers, reason)}`).sort()
const verdictsIn = (model: Model): string[] => model.verdicts().map(({ tap, outcome, reason }) =>
  `${contentHash(recordFor(tap)).toString('hex')} ${outcome} ${reason}`).sort()

type PurseRow = {
  readonly card: number, readonly counter: number, readonly lastFen: number, readonly owedFen: number
  readonly open: number
}
async function pursesOf (db: Db): Promise<PurseRow[]> {
  const { rows } = await db.query<Record<keyof PurseRow, number | bigint>>(`
    select right(encode(c.serial, 'hex'), 4)::int as card, p.last_counter as counter,
      p.last_balance_fen as "lastFen", p.shadow_fen as "owedFen", p.open_items as open
    from purse p join card c using (bucket, card_id) order by 1`)
  return rows.map(row => Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, Number(value)])) as PurseRow)
}

/** Both in one form: a chip's last balance may have in what was loaded since, or not. */
function pursesBeside (real: readonly PurseRow[], model: Model): [string[], string[]] {
  const expected = model.purses()
  const line = (card: number, counter: number, lastFen: number, owedFen: number, open: number) =>
    `${card}: ${counter} ${lastFen} ${owedFen} ${open}`
  return [
    real.map(({ card, counter, lastFen, owedFen, open }, place) => {
      const { balanceFen = lastFen, loadedFen = 0 } = expected[place] ?? {}
      const withLoads = lastFen > balanceFen && lastFen <= balanceFen + loadedFen
      return line(card, counter, withLoads ? balanceFen : lastFen, owedFen, open)
    }),
    expected.map(({ card, counter, balanceFen, owedFen, open }) =>
      line(card, counter, balanceFen, owedFen, open))]
}

const ofParties: ReadonlySet<string> =
  new Set(['merchant-settlement', 'merchant-pending', 'receivable-agent'])

/** What taps left on accounts; clearing moves it on between accounts of the house and of operators. */
async function accountsOf (db: Db): Promise<Record<string, number>> {
  const rows = await balances(db, null)
  const sums: Record<string, number> = {}
  for (const { heading, party, creditFen, debitFen } of rows) {
    const name = ofParties.has(heading)
      ? `merchant-pending/${party}`
      : heading
    sums[name] = (sums[name] ?? 0) + Number(creditFen - debitFen)
  }
  return Object.fromEntries(Object.entries(sums).filter(([, fen]) => fen !== 0))
}

/** Everything written up to a batch, as one number: the past is never edited. */
async function pastUpTo (db: Db, batchId: bigint): Promise<string> {
  const parts = await Promise.all(['transfer', 'card_event', 'evidence', 'adjustment', 'batch'].map(table =>
    db.query<{ sum: string }>(`
      select md5(coalesce(string_agg(x::text, ';' order by x::text), '')) as sum from ${table} x
      where batch_id <= $1`, [batchId])))
  return parts.map(({ rows: [row] }) => row?.sum).join()
}

/** A ledger whose database goes away at the so-and-so-many-th question of a transaction, once. */
function crashing (ledger: Ledger, atQuestion: number): Ledger {
  let left = atQuestion
  const connect = async () => {
    const tx = await ledger.db.connect()
    return withOwn(tx, 'query', (...args: unknown[]) => {
      if (!/^rollback/.test(String(args[0])) && left-- === 0) {
        if (typeof args[0] !== 'string') throw new Error('crash') // a COPY is asked for by no promise
        return Promise.reject(new Error('crash'))
      }
      return (tx.query as (...args: unknown[]) => unknown)(...args)
    })
  }
  return { ...ledger, db: withOwn(ledger.db, 'connect', connect) }
}

/** `of` with one method of our own. */
const withOwn = <T extends object>(of: T, name: keyof T, method: unknown): T => new Proxy(of, {
  get: (target, key) => {
    const value: unknown = key === name ? method : Reflect.get(target, key)
    return typeof value === 'function' && key !== name ? value.bind(target) as unknown : value
  }
})

/* ---- what people and online terminals do between the records ---- */

const clerk: Member = { name: 'clerk', roles: ['clerk'], branch: null, party: null }

/** A refund of some use of some chip: posted or refused, as the model says. */
async function refundSomething (ledger: Ledger, model: Model, random: Random, reference: string) {
  const [card, nth, amountFen] = [random.int(0, cards - 1), random.int(1, 7), random.int(1, 200)]
  if (!model.isClear(card, 100 + nth)) return { real: false, model: false }
  const reason = 'brought the receipt'
  const wanted = { card: cardOf(card), counter: 100 + nth, amountFen, reason, reference }
  const real = await refund(ledger, clerk, wanted).then(() => true, (error: unknown) => {
    if (error instanceof Refusal) return false
    throw error
  })
  return { real, model: model.refund(card, 100 + nth, amountFen) }
}

const other: Member = { ...clerk, name: 'clerk-2' }
const third: Member = { ...clerk, name: 'clerk-3' }
const approver: Member = { ...clerk, name: 'approver', roles: ['approver'] }

/** What `deed` says, or null where it is refused. */
const orRefused = async <T>(deed: Promise<T>): Promise<T | null> => await deed.catch((error: unknown) => {
  if (error instanceof Refusal) return null
  throw error
})

/** A dispute about some use of some chip: raised, contested, and accepted or refused. */
async function disputeSomething (ledger: Ledger, model: Model, random: Random, world: World) {
  const [card, nth, amountFen] = [random.int(0, cards - 1), random.int(1, 7), random.int(1, 200)]
  const counter = 100 + nth
  const side = random.int(0, 1) === 0 ? 'holder' as const : 'operator' as const
  const accepts = random.int(0, 2) > 0
  if (!model.isClear(card, counter)) return { real: null, model: null }
  const words = 'says that it was not so'
  const wanted = { card: cardOf(card), counter, side, amountFen, reason: words }
  const id = await orRefused(raiseDispute(ledger, clerk, wanted))
  if (id !== null) {
    await answerDispute(ledger, other, id, { stance: 'contests', words })
    await decideDispute(ledger, third, id, { accepts, words })
  }
  const said = model.dispute(card, counter, amountFen, side, accepts, world)
  return { real: id === null ? null : accepts ? 'ACCEPTED' : 'REFUSED', model: said }
}

/** Two people look at a record that is held for a conflict, and say that it is good, or that it is not. */
async function decideSomething (ledger: Ledger, model: Model, random: Random, told: readonly ToldTap[]) {
  const held = model.verdicts().filter(({ reason }) => reason === 'conflict').map(({ tap }) => tap)
  const tap = held[random.int(0, Math.max(0, held.length - 1))] ?? told[0] as ToldTap
  const isReleased = random.int(0, 1) === 0
  const body = {
    card: cardOf(tap.card), counter: tap.counter, psam: psams[tap.psam], sequence: tap.sequence,
    to: isReleased ? 'operator' : 'nobody'
  }
  const reason = 'looked at by two people'
  const proposal = { kind: 'held_release', body, reason }
  const id = await orRefused(startProposal(ledger, proposalKinds, clerk, proposal))
  if (id !== null) {
    await decideProposal(ledger, proposalKinds, approver, id, { approves: true, note: null })
  }
  return { real: id !== null, model: model.decide(tap, isReleased ? 'released' : 'rejected') }
}

/** A chip is read at a counter: as it ought to be, or not. */
async function readSomething (ledger: Ledger, model: Model, random: Random, told: readonly ToldTap[]) {
  const tap = told[random.int(0, told.length - 1)] as ToldTap
  const after = random.int(0, 2) > 0
  const reading = {
    counter: after ? tap.counter : tap.counter - 1,
    balanceFen: tap.beforeFen - (random.int(0, 2) === 0 ? 0 : after ? tap.amountFen : 0)
  }
  await readCardAtCounter(ledger, cardOf(tap.card), reading, 'clerk')
  const { counter, balanceFen: fen } = reading
  model.read({ card: tap.card, counter, fen, atMs: ledger.clock.now() })
}

/** Its MACs are right; other tests look at them. */
const loadKeys = { load: () => Promise.resolve({ known: true, right: true, mac2: new Uint8Array(4) }) }

/** A load asked twice, which the chip takes, or not; told twice. */
async function loadSomething (
  ledger: Ledger, model: Model, random: Random, { card, counter, beforeFen, fen }: PlannedLoad,
  onlineCounter: number
) {
  const key = `load-${card}-${counter}`
  const chip = {
    balanceFen: beforeFen, onlineCounter, offlineCounter: counter, keyVersion: 1, algorithm: 0,
    random: '00000000', mac1: '00000000'
  }
  const load = {
    key, card: cardOf(card), source: 'agent' as const, amountFen: fen, party: 'BUS', chip,
    terminal: '990000000099'
  }
  const book = { ...ledger, tac: { ...ledger.tac, ...loadKeys } }
  const first = await askLoad(book, { client: 'GW', load })
  const again = await askLoad(book, { client: 'GW', load })
  const outcome = random.int(0, 3) === 0 ? 'withdrawn' as const : 'written' as const
  const told = { key, card: load.card, outcome, ...outcome === 'written' ? { tac: '00000000' } : {} }
  const states = []
  for (let times = 0; times < 2; times++) states.push((await tellLoad(book, { client: 'GW', told })).state)
  if (outcome === 'written') model.load({ card, counter, fen })
  const state = outcome === 'written' ? 'written' : 'not_written'
  return {
    real: [first.outcome, again.outcome, ...states], model: ['approved', 'approved', state, state]
  }
}

/** A top-up, a purchase, or a part of one of them taken back; asked twice, answered alike. */
async function requestSomething (ledger: Ledger, model: Model, random: Random, keys: string[], key: string) {
  const [card, amountFen, what] = [random.int(0, cards - 1), random.int(1, 400), random.int(0, 3)]
  const place = random.int(0, Math.max(0, keys.length - 1))
  const isReversal = what === 3 && keys.length > 0
  const party = what === 0 ? 'BUS' : 'MET'
  const request: MoneyRequest = isReversal
    ? { kind: 'reversal', key, of: { key: keys[place] as string }, amountFen }
    : { kind: what === 0 ? 'top_up' : 'purchase', key, card: cardOf(card), amountFen, party }
  const ask = async () => (await answerRequests(ledger, [{ client: 'GW', party: null, request }]))[0]
  const first = await ask()
  const again = await ask()
  const outcome = (reply: typeof first) =>
    reply === undefined || reply instanceof Refusal ? '?' : reply.outcome
  const said = { real: outcome(first), again: outcome(again) }
  if (isReversal) return { ...said, model: model.takeBack(place, amountFen) }
  const taken = model.request(card, what === 0 ? amountFen : -amountFen, party)
  if (taken !== null) keys[taken] = key
  return { ...said, model: taken !== null }
}

async function play (t: Test, seed: string): Promise<void> {
  const random = createRandom(seed)
  const { ledger, db, clock, close } = await bench.freshLedger(cards)
  const sealer = await startSealer({
    db, signer, now: () => clock.now(), everyMs: 3_600_000, onError: error => { throw error }
  })
  t.teardown(async () => {
    await sealer.stop()
    await close()
  })
  const whole: Ledger = { ...ledger, sealer }
  const model = newModel(cards)
  const loads: PlannedLoad[] = []
  const told = random.shuffle(history(random, loads))
  let onlineCounter = 0
  let openDate = '2026-03-02'
  let crashes = 0
  const keys: string[] = []
  let past = { batchId: 0n, sum: await pastUpTo(db, 0n) }
  for (let at = 0, step = 0; at < told.length; step++) {
    const size = random.int(1, 6)
    const piece = told.slice(at, at + size)
    if (random.int(0, 3) === 0) piece.push(...random.shuffle(told.slice(0, at)).slice(0, 3)) // told before
    at += size
    const records = piece.map(recordFor)
    const send = async (through = whole) => await deliver(through, `${seed}-${step}`, records)
    if (random.int(0, 3) === 0) {
      await send(crashing(whole, random.int(0, 14))).then(() => undefined, () => { crashes++ })
    }
    const first = await send()
    const answers = first.results.map(({ outcome, reason }) => `${outcome} ${reason}`)
    if (random.int(0, 3) === 0) {
      const again = await send()
      t.ok(again.replayed)
      t.strictSame(again.results.map(({ outcome, reason }) => `${outcome} ${reason}`), answers,
        'its first answer')
    }
    const world = { nowMs: clock.now(), openDateMs: startOfDate(openDate) }
    // Of one delivery a signed line tells its event, whatever place it has beside a grey one.
    for (const tap of [...piece].sort((a, b) => Number(a.grey) - Number(b.grey))) model.tell(tap, world)
    model.settle()
    const where = `${seed}, step ${step}`
    if (random.int(0, 1) === 0) {
      const refunded = await refundSomething(whole, model, random, `${seed}-${step}`)
      t.equal(refunded.real, refunded.model, `${where}: a refund`)
    }
    for (let asked = random.int(0, 2); asked > 0; asked--) {
      const answer = await requestSomething(whole, model, random, keys, `request-${step}-${asked}`)
      const said = answer.model ? 'approved' : 'declined'
      t.strictSame([answer.real, answer.again], [said, said], `${where}: a request`)
    }
    if (random.int(0, 2) === 0) {
      await readSomething(whole, model, random, told)
      model.settle()
    }
    const next = random.int(0, Math.max(0, loads.length - 1))
    const load = random.int(0, 2) === 0 ? loads.splice(next, 1)[0] : undefined
    if (load !== undefined) {
      const said = await loadSomething(whole, model, random, load, ++onlineCounter)
      t.strictSame(said.real, said.model, `${where}: a load`)
      model.settle()
    }
    if (random.int(0, 2) === 0) {
      const said = await decideSomething(whole, model, random, told)
      t.equal(said.real, said.model, `${where}: a decision about what is held`)
      model.settle()
    }
    if (random.int(0, 1) === 0) {
      const said = await disputeSomething(whole, model, random, world)
      t.equal(said.real, said.model, `${where}: a dispute`)
    }
    t.strictSame(await verdictsNow(db), verdictsIn(model), `${where}: verdicts`)
    t.strictSame(...pursesBeside(await pursesOf(db), model), `${where}: purses`)
    t.strictSame(await accountsOf(db), model.accounts(), `${where}: accounts`)
    t.equal(await pastUpTo(db, past.batchId), past.sum, `${where}: the past is as it was`)
    if (random.int(0, 4) === 0) {
      clock.set(startOfDate(openDate) + 25 * 3_600_000)
      await closeDay(whole, openDate, 'settler')
      openDate = addDays(openDate, 1)
      clock.advance(8 * 3_600_000)
    }
    const { checks } = await verifyBooks(db)
    t.strictSame(checks.filter(one => !one.ok), [], `${where}: everything verifies`)
    const { rows: [row] } = await db.query<{ id: bigint }>('select max(batch_id) as id from batch')
    past = { batchId: row?.id ?? 0n, sum: await pastUpTo(db, row?.id ?? 0n) }
    if (!t.passing()) break
  }
  t.comment(`${seed}: ${told.length} lines, ${model.distinct()} events, ${crashes} crashes, open ${openDate}`)
}

/**
 * Seeds that once failed, each with what it showed, and some that never did. MODEL_SEEDS=100 plays a hundred
 * more, MODEL_SEED='model 7' one.
 */
const seeds: readonly (readonly [string, string])[] = [
  ['model 0', ''], ['model 1', ''], ['model 2', ''], ['model 3', ''],
  ['model 41', 'a crash at a COPY'],
  ['model 22', 'a copy and a stranger on one counter: verify took the lower balance for the right one'],
  ['model 38', 'what a reading had decided above the last counter was forgotten at the next record']
]
const only = process.env['MODEL_SEED']
const more = Array.from({ length: Number(process.env['MODEL_SEEDS'] ?? 0) }, (_, at) =>
  [`model ${10 + at}`, ''] as const)
for (const [seed, showed] of only === undefined ? [...seeds, ...more] : [[only, ''] as const]) {
  t.test(`${seed}${showed === '' ? '' : `: ${showed}`}`, async t => { await play(t, seed) })
}
