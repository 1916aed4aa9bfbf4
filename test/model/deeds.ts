// What people, online terminals and the national centre do between the records: each deed is done with the
// ledger and with the model, and says what both answered. Requests are asked twice, and now and then the
// database goes away in between.
import { inflateSync } from 'node:zlib'
import { localDate, startOfDate } from '../../runtime/instants.ts'
import type { NationalBatch } from '../../schemas/national.ts'
import type { MoneyRequest } from '../../schemas/request.ts'
import type { Random } from '../../terminal-sim/random.ts'
import { readCardAtCounter } from '../../ledger/cards/card-reading.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { takeReturns } from '../../ledger/national/returns.ts'
import { proposalKinds } from '../../ledger/people/proposal-kinds.ts'
import { decideProposal, startProposal, type Member } from '../../ledger/people/proposals.ts'
import { askLoad, tellLoad } from '../../ledger/posting/loads.ts'
import { answerRequests } from '../../ledger/posting/requests.ts'
import { answerDispute, decideDispute, raiseDispute } from '../../ledger/redress/dispute.ts'
import { refund } from '../../ledger/redress/refund.ts'
import { Refusal } from '../../ledger/refusal.ts'
import { ownCards, psams, type Psam } from './city.ts'
import { psamNumbers, recordFor, refOf, type PlannedLoad } from './history.ts'
import type { Model, Told, ToldTap, World } from './model.ts'

export type Scene = {
  readonly ledger: Ledger, readonly model: Model, readonly random: Random
  readonly told: readonly ToldTap[]
  /** Loads that chips still wait for. */
  readonly loads: PlannedLoad[]
  /** Whose end no terminal told. */
  readonly silent: { readonly key: string, readonly load: PlannedLoad }[]
  /** Every request that anybody wanted, whether it ever arrived or not. */
  readonly wanted: Map<string, MoneyRequest>
  /** The first clearing date that is not cut. */
  openDate: string
  /** How often something was asked while the database went away. */
  crashes: number
}
export type Answers = { readonly real: unknown, readonly model: unknown }
export type Deed = (scene: Scene, reference: string) => Promise<Answers>

const same: Answers = { real: null, model: null }

export const worldOf = ({ ledger, openDate }: Pick<Scene, 'ledger' | 'openDate'>): World => {
  const nowMs = ledger.clock.now()
  return { nowMs, date: localDate(nowMs), openDateMs: startOfDate(openDate) }
}

/* ---- a database that goes away ---- */

/** Does `deed`, now and then once more before, with a database that goes away in the middle of it. */
export async function often<T> (scene: Scene, deed: (ledger: Ledger) => Promise<T>): Promise<T> {
  if (scene.random.int(0, 3) === 0) {
    const flaky = crashing(scene.ledger, scene.random.int(0, 14))
    await deed(flaky).then(() => undefined, (error: unknown) => {
      if (!(error instanceof Crash)) throw error
      scene.crashes++
    })
  }
  return await deed(scene.ledger)
}

class Crash extends Error {}

/**
 * A ledger whose database goes away at the so-and-so-many-th question of its transactions, once; it may have
 * committed, and nobody hears of it.
 */
function crashing (ledger: Ledger, atQuestion: number): Ledger {
  let left = atQuestion
  const connect = async () => {
    const tx = await ledger.db.connect()
    return withOwn(tx, 'query', (...args: unknown[]) => {
      const ask = () => (tx.query as (...args: unknown[]) => unknown)(...args)
      if (String(args[0]).startsWith('rollback') || left-- !== 0) return ask()
      if (typeof args[0] !== 'string') throw new Crash() // a COPY is asked for by no promise
      return Promise.resolve(args[0] === 'commit' ? ask() : null).then(() => { throw new Crash() })
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

/* ---- people ---- */

const member = (name: string, role: Member['roles'][number]): Member =>
  ({ name, roles: [role], branch: null, party: null })
const [clerk, other, third] = ['clerk', 'clerk-2', 'clerk-3'].map(name => member(name, 'clerk')) as
  [Member, Member, Member]
const approver = member('approver', 'approver')

/** What `deed` says, or null where it is refused. */
const orRefused = async <T>(deed: Promise<T>): Promise<T | null> => await deed.catch((error: unknown) => {
  if (error instanceof Refusal) return null
  throw error
})

/** One starts it, another approves it; false where it cannot be started. */
async function propose ({ ledger }: Scene, kind: string, body: object): Promise<boolean> {
  const proposal = { kind, body, reason: 'looked at by two people' }
  const id = await orRefused(startProposal(ledger, proposalKinds, clerk, proposal))
  if (id === null) return false
  await decideProposal(ledger, proposalKinds, approver, id, { approves: true, note: null })
  return true
}

const someUse = ({ random, told }: Scene): { card: number, counter: number, amountFen: number } => {
  const { card, counter } = random.pick(told)
  return { card, counter, amountFen: random.int(1, 200) }
}

/** A refund of some use of some chip. */
export const refundSomething: Deed = async (scene, reference) => {
  const { card, counter, amountFen } = someUse(scene)
  if (!scene.model.isClear(card, counter)) return same
  const wanted = { card: refOf(card), counter, amountFen, reason: 'brought the receipt', reference }
  const real = await orRefused(refund(scene.ledger, clerk, wanted))
  return { real: real !== null, model: scene.model.refund(card, counter, amountFen) }
}

/** A dispute about some use of some chip: raised, contested, and accepted or refused. */
export const disputeSomething: Deed = async scene => {
  const { ledger, model, random } = scene
  const { card, counter, amountFen } = someUse(scene)
  const side = random.pick(['holder', 'operator'] as const)
  const accepts = random.int(0, 2) > 0
  if (!model.isClear(card, counter)) return same
  const words = 'says that it was not so'
  const wanted = { card: refOf(card), counter, side, amountFen, reason: words }
  const id = await orRefused(raiseDispute(ledger, clerk, wanted))
  if (id !== null) {
    await answerDispute(ledger, other, id, { stance: 'contests', words })
    await decideDispute(ledger, third, id, { accepts, words })
  }
  return {
    real: id === null ? null : accepts ? 'ACCEPTED' : 'REFUSED',
    model: model.dispute(card, counter, amountFen, side, accepts, worldOf(scene))
  }
}

/** Two people look at a record that is held for a conflict or its PSAM: it is good, or it is not. */
export const decideSomething: Deed = async scene => {
  const { model, random, told } = scene
  const held = model.verdicts().filter(({ reason }) => ['conflict', 'psam_regression'].includes(reason))
  const tap = held.length === 0 ? random.pick(told) : random.pick(held).tap
  const isReleased = random.int(0, 1) === 0
  const body = {
    card: refOf(tap.card), counter: tap.counter, psam: psamNumbers[tap.psam], sequence: tap.sequence,
    to: isReleased ? 'operator' : 'nobody'
  }
  const real = await propose(scene, 'held_release', body)
  return { real, model: model.decide(tap, isReleased ? 'released' : 'rejected') }
}

/** Two people give the records of a PSAM that are held for their clock a time. */
export const redateSomething: Deed = async scene => {
  const psam: Psam = scene.random.pick(['B1', 'M1'])
  const { issue } = scene.random.pick(psams[psam])
  const real = await propose(scene, 'redate', { psam: psamNumbers[psam], issue })
  return { real, model: scene.model.redate(psam, issue) }
}

/** A chip is read at a counter: as it ought to be, or not. */
export const readSomething: Deed = async ({ ledger, model, random, told }) => {
  const tap = random.pick(told.filter(({ card }) => card < ownCards))
  const after = random.int(0, 2) > 0
  const counter = after ? tap.counter : tap.counter - 1
  const balanceFen = tap.beforeFen - (random.int(0, 2) === 0 ? 0 : after ? tap.amountFen : 0)
  await readCardAtCounter(ledger, refOf(tap.card), { counter, balanceFen }, 'clerk')
  model.read({ card: tap.card, counter, fen: balanceFen, atMs: ledger.clock.now() })
  return same
}

/* ---- loads ---- */

type Macs = { readonly load: (asked: { readonly ask: string }) => Promise<object> }
/** Its MACs are right; other tests look at them. */
const withKeys = (ledger: Ledger, tacRight: boolean): Ledger => {
  const load: Macs['load'] = ({ ask }) =>
    Promise.resolve({ known: true, right: ask !== 'tac' || tacRight, mac2: new Uint8Array(4) })
  return { ...ledger, tac: { ...ledger.tac, load } as unknown as Ledger['tac'] }
}

/** A load that some chip waits for: asked, and told as the terminal saw it, or never. */
export const loadSomething: Deed = async (scene, reference) => {
  const { model, random, loads, silent } = scene
  if (loads.length === 0) return same
  const { card: wanted } = random.pick(loads)
  const [load] = loads.splice(loads.findIndex(one => one.card === wanted), 1) // of a chip one after the other
  if (load === undefined) return same
  const key = `load-${reference}`
  const answers: unknown[] = []
  const expected: unknown[] = []
  if (random.int(0, 9) === 0) { // given up before the question arrives
    answers.push(await tell(scene, key, load.card, { outcome: 'withdrawn' }))
    expected.push(model.tellLoad(key, load.card, { outcome: 'withdrawn' }, worldOf(scene)))
  }
  const reason = model.askLoad(key, load, worldOf(scene))
  for (let times = 0; times < 2; times++) {
    answers.push(await ask(scene, key, load))
    expected.push(reason)
  }
  const told = reason === 'ok' ? sawOf(load, random) : null
  if (told !== null) {
    for (let times = 0; times < 2; times++) {
      answers.push(await tell(scene, key, load.card, told))
      expected.push(model.tellLoad(key, load.card, told, worldOf(scene)))
    }
  }
  if (reason === 'ok') silent.push({ key, load })
  return { real: answers, model: expected }
}

/** What a terminal saw of a load, and is sometimes wrong about; null where it saw nothing. */
function sawOf ({ taken }: PlannedLoad, random: Random): Told | null {
  const chance = random.int(0, 9)
  if (chance < 3) return null
  if (chance === 3) return { outcome: 'written', tacRight: false }
  if (chance === 4) return { outcome: 'withdrawn' }
  return taken ? { outcome: 'written', tacRight: true } : { outcome: 'withdrawn' }
}

/** The chip of an earlier load is asked again: all it can say is its online counter. */
export const countSomething: Deed = async scene => {
  const { model, random, silent } = scene
  if (silent.length === 0) return same
  const { key, load } = random.pick(silent)
  const told = { outcome: 'counted' as const, onlineCounter: load.onlineCounter + Number(load.taken) }
  const real = await tell(scene, key, load.card, told)
  return { real, model: model.tellLoad(key, load.card, told, worldOf(scene)) }
}

async function ask (scene: Scene, key: string, planned: PlannedLoad): Promise<string> {
  const { card, counter, beganFen, fen, onlineCounter, source } = planned
  const chip = {
    balanceFen: beganFen, onlineCounter, offlineCounter: counter, keyVersion: 1, algorithm: 0,
    random: '00000000', mac1: '00000000'
  }
  const asked = { key, card: refOf(card), source, amountFen: fen, party: 'BUS' }
  const load = { ...asked, chip, terminal: '990000000099' }
  const { reason } = await often(scene, async ledger =>
    await askLoad(withKeys(ledger, true), { client: 'GW', load }))
  return reason
}

async function tell (scene: Scene, key: string, card: number, said: Told): Promise<string> {
  const tacRight = said.outcome !== 'written' || said.tacRight
  const told = {
    key, card: refOf(card), outcome: said.outcome, ...said.outcome === 'written' ? { tac: '00000000' } : {},
    ...said.outcome === 'counted' ? { onlineCounter: said.onlineCounter } : {}
  }
  return (await often(scene, async ledger =>
    await tellLoad(withKeys(ledger, tacRight), { client: 'GW', told }))).state
}

/* ---- online requests ---- */

/** Something is wanted of an online account, or taken back, or repeated; now and then it never arrives. */
export const requestSomething: Deed = async (scene, reference) => {
  const { random, wanted } = scene
  const request = somethingWanted(scene, `request-${reference}`)
  wanted.set(request.key, request)
  if (random.int(0, 5) === 0) return same
  const real: unknown[] = []
  for (let times = 0; times < 2; times++) {
    const [answer] = await often(scene, async ledger =>
      await answerRequests(ledger, [{ client: 'GW', party: null, request }]))
    real.push(answer instanceof Refusal || answer === undefined ? '?' : answer.reason)
  }
  const reason = answerOf(scene, request)
  return { real, model: [reason, reason] }
}

function somethingWanted ({ random, wanted }: Scene, key: string): MoneyRequest {
  const chance = wanted.size === 0 ? 0 : random.int(0, 9)
  if (chance < 6) {
    const isMet = random.int(0, 1) === 0
    return {
      kind: chance < 3 ? 'top_up' : 'purchase', key, card: refOf(random.int(0, ownCards - 1)),
      amountFen: random.int(1, 400), party: isMet ? 'MET' : 'BUS', ...isMet ? { terminal: 'M1' } : {}
    }
  }
  const of = random.pick([...wanted.values()])
  if (chance === 9) return of
  const reversed = [...wanted.values()].filter(({ kind }) => kind === 'reversal')
  if (chance === 8 && reversed.length > 0) {
    return { kind: 'reinstatement', key, of: { key: random.pick([...reversed, of]).key } }
  }
  const part = random.int(0, 1) === 0 ? {} : { amountFen: random.int(1, 200) }
  return { kind: 'reversal', key, of: { key: of.key }, ...part }
}

function answerOf (scene: Scene, request: MoneyRequest): string {
  const { online } = scene.model
  const { key } = request
  if (request.kind === 'reversal') return online.reverse(key, request.of.key, request.amountFen ?? null)
  if (request.kind === 'reinstatement') return online.reinstate(key, request.of.key)
  const { kind, card, amountFen: fen, party, terminal = null } = request
  return online.ask(key, { kind, card: Number(card.serial.slice(-4)), fen, party, terminal },
    worldOf(scene).date)
}

/* ---- the national centre ---- */

/** The issuer of some guest refuses what it was told of; told twice, answered alike. */
export const returnSomething: Deed = async ({ ledger, model, random, told }, reference) => {
  const { rows } = await ledger.db.query<{ bytes: Buffer }>(
    'select bytes from national_batch order by clearing_date, part')
  const batches = rows.map(({ bytes }) => JSON.parse(inflateSync(bytes).toString()) as NationalBatch)
  const claims = batches.flatMap(({ entries }) => entries).filter(({ kind }) => kind === 'claim')
  if (claims.length === 0) return same
  const { claim, amountFen, record } = random.pick(claims)
  const centre = (await ledger.registry()).parties.get('NAT')
  if (centre === undefined) throw new Error('no national centre')
  const returned = [{ id: `return-${reference}`, claim, amountFen, cause: 'not ours' }]
  const [first] = await takeReturns(ledger, centre, returned, 'NAT')
  const [again] = await takeReturns(ledger, centre, returned, 'NAT')
  const tap = told.find(one => recordFor(one).card.serial === record.card.serial &&
    one.counter === record.counter && one.sequence === record.sequence &&
    recordFor(one).dateTime === record.dateTime && one.amountFen === record.amountFen)
  const time = claims.filter(one => Number(one.claim) <= Number(claim) &&
    one.record.counter === record.counter && one.record.card.serial === record.card.serial &&
    one.record.sequence === record.sequence && one.record.dateTime === record.dateTime).length
  const expected = tap !== undefined && model.giveBack(tap, time) ? 'charged_back' : 'refused'
  return { real: [first?.outcome, again?.outcome], model: [expected, expected] }
}
