// A lane at work: a reader for cards, a PSAM, and what is said of each card that comes. It refuses to know
// how a purchase goes and how records travel.
import assert from 'node:assert/strict'
import type { Clock } from '../../runtime/clock.ts'
import { bcdDateTime, formatIso } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { type Log, maskCard } from '../../runtime/log.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import {
  type CardRules, type ChargeView, type LaneConfig, type LaneView, type TapOutcome, type TapReason,
  type TapView, tapReasons
} from '../../schemas/gateway.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import type { Charges } from '../charges.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Identities } from '../identities.ts'
import type { Load } from '../loads/book.ts'
import type { Loads } from '../loads/loads.ts'
import type { Orders } from '../orders/orders.ts'
import type { Pins } from '../pins.ts'
import { SpoolFailedError } from '../spool/segment-log.ts'
import type { Spool } from '../spool/spool.ts'
import type { OpenIntent } from '../spool/state.ts'
import type { Taps } from '../taps.ts'
import type { Parameters } from '../uplink/parameters.ts'
import { blockListed } from './block.ts'
import { type Answer, type Channel, timed } from './exchange.ts'
import { identityGreeting, readIdentity } from './identity.ts'
import { type LoadOrder, runLoad, settleOpenLoad } from './load.ts'
import { runOrders } from './obey.ts'
import type { PinAtHand } from './pin.ts'
import type { Connection, Pcsc } from './port.ts'
import { type PsamKeeper, firstReady, keepPsam, noPsam } from './psam-keeper.ts'
import { type TapResult, type TapSpool, type Tapping, runTap } from './purchase.ts'
import { type CardSeen, greetingFor } from './read-card.ts'
import { type Session, type State, isResting, startSession } from './session.ts'

export type LaneOptions = {
  config: LaneConfig
  rules: CardRules
  pcsc: Pcsc
  spool: Spool
  parameters: Parameters
  clock: Clock
  /** A clock that only runs forward, for durations. */
  nowMs: () => number
  random: () => number
  log: Log
  taps: Taps
  charges: Charges
  /** Absent: nothing is written onto cards at this gateway. */
  loads?: Loads
  /** Absent: no listed card is blocked on its chip. */
  blocks?: Blocks
  /** Absent: no card obeys here. */
  orders?: Orders
  /** Absent: orders come without PINs. */
  pins?: Pins
  /** Absent: nobody is told who holds a social-security card. */
  identities?: Identities
  /** Why its terminal sells nothing; null where it does. Absent: nobody has to be asked. */
  refused?: () => TapReason | null
  /** Told of each tap after the gate has opened. */
  onTap: (tap: TapView) => void
}

export type Lane = {
  view (): LaneView
  /** The next card that pays does so for so many passengers, one purchase each. */
  group (count: number): void
  /** Where it is from now on, until it is told again or starts anew. */
  halt (stop: string): void
  /** Resolves when the lane can serve, or it is known why not. */
  readonly settled: Promise<void>
  /** Resolves when nothing is under way with a card any more. */
  close (): Promise<void>
}

/** Which of how many the card pays for: the holder is the first. */
type Passenger = NonNullable<Tapping['passenger']>

type Served = {
  readonly connection: Connection
  /** What it answered to `greetingFor(rules)`; null: it has not been asked yet. */
  readonly greeting: readonly Answer[] | null
  /** Said of a card without a purse of ours; null: nothing. Absent: that it has none. */
  readonly unsupported?: 'card_locked' | null
  /** Says whose it is. Absent: nothing is known of that. */
  readonly sayHolder?: () => void
  readonly charge: ChargeView | null
  readonly sells: boolean
  /** What reaching the card and its first answers took. */
  readonly greetedMs: number
}

const transmitDeadlineMs = 3_000
const paidKeptMs = 3_600_000
const identityKeptSeconds = 120

export function openLane (options: LaneOptions): Lane {
  const { config, rules, pcsc, spool, clock, nowMs, log, taps, charges, loads, blocks, pins } = options
  const deadlineMs = config.transmitDeadlineMs ?? transmitDeadlineMs
  const reader = pcsc.reader(config.readers.card)
  const keep = (name: string, expected: string | undefined): PsamKeeper => keepPsam({
    reader: pcsc.reader(name), expected, deadlineMs, log, nowMs, random: options.random
  })
  const { psam: own, sparePsam } = config.readers
  const spare = sparePsam === undefined ? [] : [keep(sparePsam, config.sparePsam)]
  const psam = own === undefined ? noPsam : firstReady([keep(own, config.psam), ...spare])
  const paidAtMs = new Map<string, number>()
  /** A desk that only reads identities has no PSAM. */
  const takesPurses = own !== undefined || config.mode === 'load' || config.mode === 'orders'
  let session: Session = startSession()
  let serving: Promise<void> = Promise.resolve()
  let arrivals = 0
  let count = 0
  let passengers = 1
  let { stop } = config

  const identities = config.identity === undefined ? undefined : options.identities
  reader.greet(deadlineMs, identities === undefined ? greetingFor(rules) : identityGreeting)
  /** One card after the other; a card that came while the last one was still being finished is not lost. */
  const end = reader.listen((event, agoMs) => {
    if (event === 'chip_out') {
      session.signal('card_out')
      return
    }
    const arrival = { no: ++arrivals, atMs: nowMs() - agoMs, sells: event === 'chip_in' }
    serving = serving.then(() => serve(arrival)).catch(error => {
      log.error(error as Error, `lane ${config.lane}: the tap ended in a fault`)
    })
  })

  async function serve ({ no, atMs, sells }: { no: number, atMs: number, sells: boolean }): Promise<void> {
    if (reader.state() !== 'chip' || no !== arrivals) return
    begin()
    if (sells) identities?.forgetLane(config.lane)
    const asks = config.mode === 'till' || config.mode === 'load'
    const charge = asks ? charges.current(config.lane) : null
    const connection = await reader.connect(deadlineMs).catch((error: Error) => error)
    const greetedMs = nowMs() - atMs
    if (connection instanceof Error) {
      session.signal('declined')
      log.warn({ lane: config.lane }, connection.message.trim())
      if (sells) say({ reason: unreached(), ...nobody }, charge?.charge)
      return
    }
    try {
      await serveCard({ connection, charge, sells, greetedMs, greeting: connection.greeting }, atMs)
    } finally {
      psam.look()
      await connection.close('leave')
      if (reader.state() !== 'chip' && isResting(session.state())) session.signal('card_out')
    }
  }

  /**
   * First who holds it, where the counter wants to know; then what it pays, or gets. Both are said at the
   * end, or the card would be taken away in between.
   */
  async function serveCard (served: Served, atMs: number): Promise<void> {
    if (identities === undefined) return await serveGroup(served, atMs)
    const unasked = { ...served, greeting: null }
    const holder = served.sells ? await identify(served, atMs) : 'absent'
    if (holder === 'locked') return await serveGroup({ ...unasked, unsupported: 'card_locked' }, atMs)
    if (holder === 'absent') return await serveGroup(unasked, atMs)
    const { result, ms } = holder
    const sayHolder = () => say(result, undefined, ms)
    const pays = takesPurses && (config.mode === 'fare' || config.mode === 'orders' || served.charge !== null)
    if (pays && result.reason !== 'card_removed') {
      return await serveGroup({ ...unasked, unsupported: null, sayHolder, greetedMs: 0 }, nowMs())
    }
    session.signal(result.reason === 'identity_read' ? 'identified' : 'declined')
    sayHolder()
  }

  /** What is to be said of its holder, or that there is nothing to say. */
  async function identify (
    { connection, greetedMs }: Served, atMs: number
  ): Promise<{ readonly result: TapResult, readonly ms: TapView['ms'] } | 'absent' | 'locked'> {
    const { lane, identity: { keepSeconds = identityKeptSeconds, numberChecked = true } = {} } = config
    const spent = { card: greetedMs }
    const read = await readIdentity(
      timed(connection, nowMs, ms => { spent.card += ms }), connection.greeting,
      { today: hex(bcdDateTime(clock.now()).subarray(0, 4)), numberChecked })
    if (read.kind === 'absent' || read.kind === 'locked') return read.kind
    const reason = read.kind === 'refused' ? read.reason : options.refused?.() ?? 'identity_read'
    const why = read.kind === 'refused' ? read.why : undefined
    const known = reason === 'identity_read' && read.kind === 'read'
    const identity = known ? identities?.keep(lane, read.identity, keepSeconds * 1_000) : undefined
    const told = { ...why === undefined ? {} : { why }, ...identity === undefined ? {} : { identity } }
    return { result: { reason, ...nobody, ...told }, ms: { ...noTime, total: nowMs() - atMs, ...spent } }
  }

  function begin (): void {
    session = startSession()
    session.signal('card_in')
  }

  /** One purchase for each passenger, as long as the card pays. */
  async function serveGroup (served: Served, atMs: number): Promise<void> {
    const riders = served.sells ? passengers : 1
    if (served.sells) passengers = 1
    let startMs = atMs
    for (let rider = 1; rider <= riders; rider++) {
      if (rider > 1) begin()
      const outcome = await serveOne(served, { rider, riders }, startMs)
      if (outcome !== 'approved') return
      startMs = nowMs()
    }
  }

  /** What the terminal said; null where it had nothing to say. */
  async function serveOne (
    served: Served, passenger: Passenger, startMs: number
  ): Promise<TapOutcome | null> {
    const first = passenger.rider === 1
    const spent = { card: first ? served.greetedMs : 0, disk: 0 }
    const psamStartMs = psam.spentMs()
    const told = await purseOf(served, passenger, spent).finally(() => { if (first) served.sayHolder?.() })
    const result = insteadOf(told, served.unsupported)
    if (result === null) return null
    const psamMs = psam.spentMs() - psamStartMs
    say(result, served.charge?.charge, { total: nowMs() - startMs, psam: psamMs, ...spent })
    return tapReasons[result.reason].outcome
  }

  async function purseOf (
    served: Served, passenger: Passenger, spent: { card: number, disk: number }
  ): Promise<TapResult | null> {
    if (takesPurses) return await tap(served, passenger, spent)
    session.signal('declined')
    return served.sells ? { reason: 'card_unsupported', ...nobody } : null
  }

  const unreached = (): TapReason => reader.state() === 'chip' ? 'card_unreadable' : 'card_removed'

  async function tap (
    served: Served, passenger: Passenger, spent: { card: number, disk: number }
  ): Promise<TapResult | null> {
    const first = passenger.rider === 1
    const card = timed(served.connection, nowMs, ms => { spent.card += ms })
    const common = {
      greeting: first ? served.greeting : null,
      lane: stop === undefined ? config : { ...config, stop },
      rules,
      session,
      psam: psam.current(),
      spool: timedSpool(spool, nowMs, ms => { spent.disk += ms }),
      parameters: options.parameters,
      clock,
      sells: served.sells,
      ...options.refused === undefined ? {} : { refused: options.refused },
      onRecovered,
      ...blocks === undefined
        ? {}
        : {
            block: (channel: Channel, card: CardRef) =>
              blockListed(channel, { lane: config, rules, blocks }, card),
            onLocked: (card: CardRef) => blocks.conclude(card, 'blocked')
          }
    }
    try {
      if (config.mode === 'orders') {
        assert(options.orders !== undefined, `lane ${config.lane} has nobody to ask for orders`)
        const refused = () => spool.refusal() ?? options.refused?.() ?? null
        return await runOrders(card, { ...common, refused, orders: options.orders })
      }
      if (config.mode === 'load') {
        assert(loads !== undefined, `lane ${config.lane} has nobody to ask for loads`)
        const pin = pinFor(served.charge)
        return await runLoad(card, { ...common, loads, order: orderOf(served.charge), pin, onLoadSettled })
      }
      return await runTap(card, {
        ...common,
        passenger,
        charge: askedOf(served.charge),
        paidAtMs: key => first ? paidAtMs.get(key) ?? null : null,
        settleLoad: settleLoadFirst
      })
    } catch (error) {
      if (!(error instanceof SpoolFailedError)) throw error
      // Before the debit nothing has happened; after it the intent is on disk.
      log.fatal(error, `lane ${config.lane}: ${error.message}`)
      return { reason: mayHaveMoved.has(session.state()) ? 'record_failed' : 'spool_failed', ...nobody }
    }
  }

  const pinFor = (charge: ChargeView | null): PinAtHand => ({
    of: key => charge === null ? null : pins?.of(config.lane, charge.charge, key) ?? null,
    forget: () => { if (charge !== null) pins?.forget(config.lane, charge.charge) }
  })

  /** Value that was written onto the card before it pays: the next debit takes the proof of it away. */
  async function settleLoadFirst (card: Channel, seen: CardSeen): Promise<'settled' | 'lost'> {
    const open = loads?.openOf(seen.key)
    if (loads === undefined || open === undefined) return 'settled'
    const { kind } = await settleOpenLoad(card, { session, rules, loads }, seen, open, false)
    if (kind === 'lost') return kind
    if (kind !== 'unprovable') onLoadSettled(open, kind === 'written')
    return 'settled'
  }

  /** The gate opens here. */
  function say (result: TapResult, charge: string | undefined, ms: TapView['ms'] = noTime): void {
    const { reason, card, amountFen, balanceAfterFen, recovered, why, triesLeft, identity } = result
    const { outcome } = tapReasons[reason]
    if (outcome === 'approved' && card !== null) remember(card)
    const view = taps.add({
      lane: config.lane,
      at: formatIso(clock.now()),
      outcome,
      reason,
      cardKey: card,
      amountFen,
      ...(balanceAfterFen === undefined ? {} : { balanceAfterFen }),
      ...(recovered === undefined ? {} : { recovered }),
      ...(charge === undefined ? {} : { charge }),
      ...(why === undefined ? {} : { why }),
      ...(triesLeft === undefined ? {} : { triesLeft }),
      ...(identity === undefined ? {} : { identity }),
      ms: rounded(ms)
    })
    if (charge !== undefined) {
      charges.settle(charge, view)
      if (charges.current(config.lane)?.charge !== charge) pins?.forget(config.lane, charge)
    }
    if (outcome === 'approved') killPoint('after-gate-open')
    count += 1
    options.onTap(view)
    const masked = card === null ? null : maskCard(card)
    log.info({ lane: config.lane, reason, card: masked, amountFen, ms: view.ms.total }, outcome)
  }

  function remember (card: string): void {
    const now = clock.now()
    for (const [key, atMs] of paidAtMs) {
      if (now - atMs <= paidKeptMs) break
      paidAtMs.delete(key)
    }
    paidAtMs.delete(card)
    paidAtMs.set(card, now)
  }

  function onRecovered ({ lane, record, reference }: OpenIntent): void {
    sayFor(lane, 'paid_before', record, reference)
  }

  function onLoadSettled (load: Load, written: boolean): void {
    sayFor(load.lane, written ? 'loaded_before' : 'load_not_written', load, load.reference)
  }

  /** Said for the lane it was begun at. */
  function sayFor (
    lane: string, reason: TapReason, { card, amountFen }: { card: CardRef, amountFen: number },
    reference: string | undefined
  ): void {
    const charge = reference === undefined ? undefined : charges.named(lane, reference)?.charge
    const view = taps.add({
      lane,
      at: formatIso(clock.now()),
      outcome: tapReasons[reason].outcome,
      reason,
      cardKey: cardKey(card),
      amountFen,
      recovered: true,
      ...(charge === undefined ? {} : { charge }),
      ms: noTime
    })
    if (charge !== undefined) charges.settle(charge, view)
    options.onTap(view)
  }

  return {
    view: () => ({
      lane: config.lane,
      operator: config.operator,
      terminal: config.terminal,
      mode: config.mode,
      state: session.state(),
      cardReader: cardReaderStates[reader.state()],
      psam: psam.view(),
      ...stop === undefined ? {} : { stop },
      taps: count
    }),
    group: wanted => { passengers = wanted },
    halt: at => { stop = at },
    settled: psam.settled,
    close: async () => {
      end()
      await serving
      await psam.close()
    }
  }
}

/** A card with a holder may have no purse. */
const insteadOf = (result: TapResult | null, unsupported: Served['unsupported']): TapResult | null => {
  if (result?.reason !== 'card_unsupported' || unsupported === undefined) return result
  return unsupported === null ? null : { ...result, reason: unsupported }
}

/** Where an answer of the chip is out: value may have moved. */
const mayHaveMoved: ReadonlySet<State> = new Set(['debiting', 'crediting', 'recording'])
const nobody = { card: null, amountFen: null }

const askedOf = (charge: ChargeView | null): Tapping['charge'] =>
  charge?.amountFen == null
    ? null
    : { ...charge, amountFen: charge.amountFen, waits: charge.state === 'waiting' }

const orderOf = (charge: ChargeView | null): LoadOrder | null =>
  charge === null ? null : { ...charge, source: charge.source ?? 'agent', waits: charge.state === 'waiting' }

const cardReaderStates = { away: 'away', empty: 'empty', chip: 'card' } as const
const noTime: TapView['ms'] = { total: 0, card: 0, psam: 0, disk: 0 }

const rounded = ({ total, card, psam, disk }: TapView['ms']): TapView['ms'] => ({
  total: thousandths(total), card: thousandths(card), psam: thousandths(psam), disk: thousandths(disk)
})
const thousandths = (ms: number): number => Math.round(ms * 1_000) / 1_000

/** The writing side of a spool, and what is told of the time it took. */
function timedSpool (
  spool: Spool, nowMs: () => number, tell: (durationMs: number) => void
): TapSpool {
  const timing = async <T>(work: Promise<T>): Promise<T> => {
    const startMs = nowMs()
    try {
      return await work
    } finally {
      tell(nowMs() - startMs)
    }
  }
  return {
    refusal: spool.refusal,
    openIntent: spool.openIntent,
    nextRecordNo: spool.nextRecordNo,
    intent: intent => timing(spool.intent(intent)),
    record: evidence => timing(spool.record(evidence)),
    void: closed => timing(spool.void(closed)),
    reopen: open => timing(spool.reopen(open))
  }
}
