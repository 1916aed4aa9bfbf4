// Real PC/SC readers for the scenarios that tap cards: one farm for all of them, lanes for each. Chips
// are made from what the scenario says of its cards, and asked for the truth at the end.
import { createHash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { BlockForm } from '../../schemas/card-block.ts'
import type { ProfileName } from '../../schemas/epurse/profiles.ts'
import type { laneModes, LaneConfig, LaneView, TapView } from '../../schemas/gateway.ts'
import type { LoadSource } from '../../schemas/load.ts'
import type { CardDescription, CardReport } from '../card/description.ts'
import { type Farm, startFarm } from '../reader/farm.ts'
import { blankOf, type Desk } from './desk.ts'
import { type Edge, pollMs, waitsMax } from './edge.ts'
import { StepError } from './verb.ts'
import { known, nextName, psamNumber, type World } from './world.ts'

/** One farm for all scenarios of a run, started when the first needs it. */
export type FarmKeeper = { get(): Promise<Farm>; close(): Promise<void> }

export type LaneSaid = {
  readonly terminal?: string
  readonly mode?: typeof laneModes[number]
  readonly agent?: string
  readonly block_listed?: BlockForm
  readonly cards?: ProfileName
  readonly stop?: string
  readonly sense?: 'in' | 'out' | 'either'
  readonly line?: string
  readonly vehicle?: string
  readonly psam_sequence?: number
}

/** What a running scenario holds of readers. */
export type Readers = {
  tap (lane: string, card: string, how: TapHow): Promise<TapView>
  /** Value is asked for at the lane, then the card is held to it. */
  load (lane: string, card: string, how: LoadHow): Promise<TapView>
  /** At two readers that no lane has. */
  desk (): Desk
  /** The blank chip that is to become this card, and what it will be. */
  blank (card: string): Promise<{ chip: string, becomes: CardDescription }>
  /** Of no card that anybody has: it is thrown away. */
  waste (becomes: CardDescription): Promise<string>
  /** What the chip itself holds; null where it was never tapped. */
  inspect (card: string): Promise<CardReport | null>
}

/** Lanes as a gateway is told of them, and what can be done there once it runs. */
export type Bench = {
  readonly configs: LaneConfig[]
  /** Of the pcscd. */
  readonly socket: string
  readers (edge: Edge): Readers
  /** Takes every chip off its reader. */
  clear (): Promise<void>
}

type CardHow = { readonly torn: Torn | undefined, readonly amountFen: number | undefined }
export type TapHow = CardHow & {
  /** Where the lane is by now. */
  readonly stop: string | undefined
}
export type LoadHow = CardHow & {
  /** As the gateway knows it: the same one again is the same load. */
  readonly reference: string | undefined
  readonly source: LoadSource
  readonly disturbed: Disturbed | undefined
}
export const tornMoments = {
  'at init': { command: '8050', commit: 'before' },
  'before debit': { command: '8054', commit: 'before' },
  'after debit': { command: '8054', commit: 'after' },
  'before credit': { command: '8052', commit: 'before' },
  'after credit': { command: '8052', commit: 'after' },
  'before block': { command: '841E', commit: 'before' },
  'after block': { command: '841E', commit: 'after' }
} as const
/** What else may happen to a load: MAC2 does not fit the chip; the ledger is gone once it has granted it. */
export const disturbances = ['signature wrong', 'ledger gone after grant'] as const
export type Disturbed = typeof disturbances[number]
export type Torn = keyof typeof tornMoments

/** As many as one pcscd has readers for. */
const pairs = ['LANE-1', 'LANE-2', 'LANE-3', 'LANE-4', 'LANE-5', 'LANE-6', 'LANE-7'] as const

export function keepFarm (): FarmKeeper {
  let farm: Promise<Farm> | null = null
  const dir = join(tmpdir(), `cc-farm-${process.pid}`)
  return {
    get: () => {
      mkdirSync(dir, { recursive: true })
      farm ??= startFarm({ dir, pairs: pairs.map(name => ({ name })), seed: 'scenarios' })
      return farm
    },
    close: async () => {
      await (await farm)?.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

/** Puts PSAMs into their readers. */
export async function layLanes (
  world: World,
  keeper: FarmKeeper,
  said: Readonly<Record<string, LaneSaid>>
): Promise<Bench> {
  const farm = await keeper.get()
  const names = Object.keys(said)
  if (names.length > farm.pairs.length) {
    throw new StepError(`${names.length} lanes`, `${farm.pairs.length} at most`)
  }
  const mark = `${process.pid}-${++scenarios}`
  const lanes = new Map<string, { card: string, psam: string }>()
  const configs: LaneConfig[] = []
  for (const [index, [lane, one]] of Object.entries(said).entries()) {
    const pair = farm.pairs[index] ?? { card: '', psam: '' }
    const terminal = one.terminal ?? lane
    const { operator, psam } = known(world.terminals, 'terminal', terminal)
    const { number, sequence } = known(world.psams, 'PSAM', psam)
    const chip = `${mark}-psam-${lane}`
    const psamOf = { profile: one.cards ?? 'cjt166', terminal: number, sequence: sequence + 1 }
    await farm.createPsam({ chip, psam: psamOf })
    await farm.insert({ chip, reader: pair.psam })
    lanes.set(lane, { card: pair.card, psam: pair.psam })
    configs.push(laneConfig(lane, terminal, operator, number, one, pair))
  }
  const chips = new Map<string, string>()
  const emptySinceMs = new Map<string, number>()
  return {
    configs,
    socket: farm.socket,
    readers: edge => ({
      tap: async (lane, card, how) => {
        const { card: reader } = known(lanes, 'lane', lane)
        const chip = await chipOf(world, farm, chips, mark, card)
        return await tap({ edge, farm, lane, reader, chip }, how)
      },
      load: async (lane, card, how) => {
        const { card: reader } = known(lanes, 'lane', lane)
        const chip = await chipOf(world, farm, chips, mark, card)
        const reference = how.reference ?? nextName(world, 'load')
        return await load({ edge, farm, lane, reader, chip }, { ...how, reference })
      },
      desk: () => {
        const spare = farm.pairs[names.length]
        if (spare === undefined) throw new StepError('an issuing desk', 'six lanes beside it, at most')
        return { farm, socket: farm.socket, readers: [spare.card, spare.psam], emptySinceMs }
      },
      blank: async card => ({
        chip: await chipOf(world, farm, chips, mark, card), becomes: descriptionOf(world, card)
      }),
      waste: async becomes => {
        const chip = nextName(world, `${mark}-waste`)
        await farm.createCard({ chip, card: blankOf(becomes) })
        return chip
      },
      inspect: async card =>
        (chips.has(card) ? await farm.inspectCard({ chip: chips.get(card) ?? '' }) : null)
    }),
    clear: async () => {
      const occupants = await farm.occupants({})
      const ours = [...lanes.values()].flatMap(({ card, psam }) => [card, psam])
      for (const reader of ours.filter(one => occupants[one] !== null)) await farm.remove({ reader })
    }
  }
}

let scenarios = 0
const tapWaitMs = 30_000
/** A ledger that dies in the middle of a load is started again; on a busy machine that takes a while. */
const loadWaitMs = 25_000

function laneConfig (
  lane: string,
  terminal: string,
  operator: string,
  psam: string,
  said: LaneSaid,
  readers: { card: string, psam: string }
): LaneConfig {
  return {
    lane,
    readers: { card: readers.card, psam: readers.psam },
    operator,
    terminal,
    psam: psamNumber(psam),
    mode: said.mode ?? 'fare',
    ...(said.agent === undefined ? {} : { agent: said.agent }),
    ...(said.block_listed === undefined ? {} : { blockListed: said.block_listed }),
    ...(said.mode === 'load' ? { loadDeadlineMs: loadWaitMs } : {}),
    ...(said.stop === undefined ? {} : { stop: said.stop }),
    ...(said.sense === undefined ? {} : { sense: said.sense }),
    ...(said.line === undefined ? {} : { line: said.line }),
    ...(said.vehicle === undefined ? {} : { vehicle: said.vehicle })
  }
}

/** The chip of a card, made at its first tap. */
async function chipOf (
  world: World,
  farm: Farm,
  chips: Map<string, string>,
  mark: string,
  name: string
): Promise<string> {
  const there = chips.get(name)
  if (there !== undefined) return there
  const chip = `${mark}-card-${name}`
  const becomes = descriptionOf(world, name)
  const card = known(world.chips, 'card', name).blank ? blankOf(becomes) : becomes
  await farm.createCard({ chip, card })
  chips.set(name, chip)
  return chip
}

function descriptionOf (world: World, name: string): CardDescription {
  const { ref, profile, type, overdraftFen, suite, keyVersion, balanceFen, counter, forged } =
    known(world.chips, 'card', name)
  const cardClass = profile === 't-union' ? cardClasses.get(type) : undefined
  return {
    profile,
    issuer: ref.issuer,
    serial: ref.serial,
    balanceFen,
    offlineCounter: counter,
    suite,
    keyVersion,
    ...(overdraftFen === 0 ? {} : { overdraft: { limitFen: overdraftFen } }),
    ...(cardClass === undefined ? {} : { cardClass }),
    ...(forged ? { keys: foreignKeys(name) } : {})
  }
}

/** Of file 0017, as gateways read them. */
const cardClasses: ReadonlyMap<string, number> =
  new Map([['named', 1], ['student', 2], ['senior', 3], ['test', 4]])

function foreignKeys (name: string): NonNullable<CardDescription['keys']> {
  const key = (use: string) =>
    createHash('sha256').update(`${use} of a forged ${name}`).digest('hex').slice(0, 32).toUpperCase()
  return { dpk: key('dpk'), dlk: key('dlk'), dtk: key('dtk'), damk: key('damk') }
}

type Place = {
  readonly edge: Edge, readonly farm: Farm, readonly lane: string, readonly reader: string
  readonly chip: string
}

async function tap (place: Place, { torn, amountFen, stop }: TapHow): Promise<TapView> {
  const { edge, lane } = place
  await edge.follow()
  if (stop !== undefined) await edge.post(`/v1/lanes/${lane}/stop`, { stop })
  const seen = await lastTap(edge)
  if (amountFen !== undefined) {
    await edge.post(`/v1/lanes/${lane}/charges`, { amountFen, reference: `tap-${seen + 1}` })
  }
  return await hold(place, seen, torn, edge.ask)
}

async function load (
  place: Place, { torn, amountFen, source, reference, disturbed }: LoadHow
): Promise<TapView> {
  const { edge, farm, lane, chip } = place
  await edge.follow()
  const seen = await lastTap(edge)
  await edge.post(`/v1/lanes/${lane}/loads`,
    { source, reference, ...(amountFen === undefined ? {} : { amountFen }) })
  if (disturbed === 'signature wrong') {
    await farm.arm({ chip, fault: { kind: 'status', sw: '9302', command: '8052' } })
  }
  const isGone = disturbed === 'ledger gone after grant'
  if (isGone) await farm.setDelays({ chip, delays: { 8052: creditMs } })
  const told = await hold(place, seen, torn, async <T>(path: string) => {
    const said = edge.whileAlive(edge.ask<T>(path))
    if (isGone) await cutOnceGranted(edge, lane)
    return await said
  })
  if (isGone) await farm.setDelays({ chip, delays: {} })
  return told
}

/** So long does the chip think about CREDIT when the ledger is to be gone meanwhile. */
const creditMs = 1_500

async function cutOnceGranted (edge: Edge, lane: string): Promise<void> {
  for (let wait = 0; wait < loadWaitMs / pollMs; wait++) {
    const lanes = await edge.ask<LaneView[]>('/v1/lanes')
    if (lanes.some(one => one.lane === lane && one.state === 'crediting')) return edge.link.cut()
    await delay(pollMs)
  }
  throw new Error(`no load was granted at ${lane}`)
}

async function lastTap (edge: Edge): Promise<number> {
  for (let last = 0; ;) {
    const taps = await edge.ask<TapView[]>(`/v1/taps?after=${last}&limit=1000`)
    last = taps.at(-1)?.seq ?? last
    if (taps.length < 1_000) return last
  }
}

/** What the gateway says at this lane behind what was seen; others may be at work at theirs. */
async function nextTap (ask: Edge['ask'], lane: string, seen: number): Promise<TapView | undefined> {
  for (let after = seen; ;) {
    const taps = await ask<TapView[]>(`/v1/taps?after=${after}&wait=${tapWaitMs}`)
    const ours = taps.find(one => one.lane === lane)
    if (ours !== undefined || taps.length === 0) return ours
    after = taps.at(-1)?.seq ?? after
  }
}

/** Card in, the gateway's word, card out. A torn card is out already. */
async function hold (place: Place, seen: number, torn: Torn | undefined, ask: Edge['ask']): Promise<TapView> {
  const { edge, farm, lane, reader, chip } = place
  if (torn !== undefined) {
    const { command, commit } = tornMoments[torn]
    await farm.arm({ chip, fault: { kind: 'tear', commit, command } })
  }
  await farm.insert({ chip, reader })
  const told = await nextTap(ask, lane, seen)
  if ((await farm.occupants({}))[reader] === chip) await farm.remove({ reader })
  await farm.disarm({ chip })
  await empty(edge, lane)
  if (told === undefined) throw new Error(`the gateway says nothing of the tap on ${lane}`)
  return told
}

/** Until the reader has noticed that the card is gone: for PC/SC, one that comes back sooner never left. */
async function empty (edge: Edge, lane: string): Promise<void> {
  for (let wait = 0; wait < waitsMax; wait++) {
    const lanes = await edge.ask<LaneView[]>('/v1/lanes')
    if (lanes.some(one => one.lane === lane && one.cardReader === 'empty')) return
    await delay(pollMs)
  }
  throw new Error(`the reader of ${lane} still sees a card`)
}
