// A lane at work: a reader for cards, a PSAM, and what is said of each card that comes. It refuses to know
// how a purchase goes and how records travel.
import assert from 'node:assert/strict'
import type { Clock } from '../../runtime/clock.ts'
import { formatIso } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { type Log, maskCard } from '../../runtime/log.ts'
import {
  type CardRules, type ChargeView, type LaneConfig, type LaneView, type TapOutcome, type TapReason,
  type TapView, tapReasons
} from '../../schemas/gateway.ts'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import type { Charges } from '../charges.ts'
import type { Blocks } from '../blocks/blocks.ts'
import type { Load } from '../loads/book.ts'
import type { Loads } from '../loads/loads.ts'
import { SpoolFailedError } from '../spool/segment-log.ts'
import type { Spool } from '../spool/spool.ts'
import type { OpenIntent } from '../spool/state.ts'
import type { Taps } from '../taps.ts'
import type { Parameters } from '../uplink/parameters.ts'
import { blockListed } from './block.ts'
import { type Channel, timed } from './exchange.ts'
import { type LoadOrder, runLoad, settleOpenLoad } from './load.ts'
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
  /** Why its terminal sells nothing; null where it does. Absent: nobody has to be asked. */
  refused?: () => TapReason | null
  /** Told of each tap after the gate has opened. */
  onTap: (tap: TapView) => void
}

export type Lane = {
  view (): LaneView
  /** The next card that pays does so for so many passengers, one purchase each. */
  group (count: number): void
  /** Resolves when the lane can serve, or it is known why not. */
  readonly settled: Promise<void>
  /** Resolves when nothing is under way with a card any more. */
  close (): Promise<void>
}

type Served = {
  readonly connection: Connection
  readonly charge: ChargeView | null
  readonly sells: boolean
  /** What reaching the card and its first answers took. */
  readonly greetedMs: number
}

const transmitDeadlineMs = 3_000
const paidKeptMs = 3_600_000

export function openLane (options: LaneOptions): Lane {
  const { config, rules, pcsc, spool, clock, nowMs, log, taps, charges, loads, blocks } = options
  const deadlineMs = config.transmitDeadlineMs ?? transmitDeadlineMs
  const reader = pcsc.reader(config.readers.card)
  const keep = (name: string, expected: string | undefined): PsamKeeper => keepPsam({
    reader: pcsc.reader(name), expected, deadlineMs, log, nowMs, random: options.random
  })
  const { psam: own, sparePsam } = config.readers
  const spare = sparePsam === undefined ? [] : [keep(sparePsam, config.sparePsam)]
  const psam = own === undefined ? noPsam : firstReady([keep(own, config.psam), ...spare])
  const paidAtMs = new Map<string, number>()
  let session: Session = startSession()
  let serving: Promise<void> = Promise.resolve()
  let arrivals = 0
  let count = 0
  let passengers = 1

  reader.greet(deadlineMs, greetingFor(rules))
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
    const charge = config.mode === 'fare' ? null : charges.current(config.lane)
    const connection = await reader.connect(deadlineMs).catch((error: Error) => error)
    const greetedMs = nowMs() - atMs
    if (connection instanceof Error) {
      session.signal('declined')
      log.warn({ lane: config.lane }, connection.message.trim())
      if (sells) say({ reason: unreached(), ...nobody }, charge?.charge)
      return
    }
    try {
      await serveGroup({ connection, charge, sells, greetedMs }, atMs)
    } finally {
      psam.look()
      await connection.close('leave')
      if (reader.state() !== 'chip' && isResting(session.state())) session.signal('card_out')
    }
  }

  function begin (): void {
    session = startSession()
    session.signal('card_in')
  }

  /** One purchase for each passenger, as long as the card pays. */
  async function serveGroup (served: Served, atMs: number): Promise<void> {
    const count = served.sells ? passengers : 1
    if (served.sells) passengers = 1
    let startMs = atMs
    for (let passenger = 1; passenger <= count; passenger++) {
      if (passenger > 1) begin()
      const outcome = await serveOne(served, passenger === 1, startMs)
      if (outcome !== 'approved') return
      startMs = nowMs()
    }
  }

  /** What the terminal said; null where it had nothing to say. */
  async function serveOne (served: Served, first: boolean, startMs: number): Promise<TapOutcome | null> {
    const spent = { card: first ? served.greetedMs : 0, disk: 0 }
    const psamStartMs = psam.spentMs()
    const result = await tap(served, first, spent)
    if (result === null) return null
    const psamMs = psam.spentMs() - psamStartMs
    say(result, served.charge?.charge, { total: nowMs() - startMs, psam: psamMs, ...spent })
    return tapReasons[result.reason].outcome
  }

  const unreached = (): TapReason => reader.state() === 'chip' ? 'card_unreadable' : 'card_removed'

  async function tap (
    served: Served, first: boolean, spent: { card: number, disk: number }
  ): Promise<TapResult | null> {
    const card = timed(served.connection, nowMs, ms => { spent.card += ms })
    const common = {
      greeting: first ? served.connection.greeting : null,
      lane: config,
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
      if (config.mode === 'load') {
        assert(loads !== undefined, `lane ${config.lane} has nobody to ask for loads`)
        return await runLoad(card, { ...common, loads, order: orderOf(served.charge), onLoadSettled })
      }
      return await runTap(card, {
        ...common,
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

  /** Value that was written onto the card before it pays: the next debit takes the proof of it away. */
  async function settleLoadFirst (card: Channel, seen: CardSeen): Promise<'settled' | 'lost'> {
    const open = loads?.openOf(seen.key)
    if (loads === undefined || open === undefined) return 'settled'
    const end = await settleOpenLoad(card, { session, rules, loads }, seen, open, false)
    if (end === 'lost') return end
    if (end !== 'unprovable') onLoadSettled(open, end === 'written')
    return 'settled'
  }

  /** The gate opens here. */
  function say (result: TapResult, charge: string | undefined, ms: TapView['ms'] = noTime): void {
    const { reason, card, amountFen, balanceAfterFen, recovered, why } = result
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
      ms: rounded(ms)
    })
    if (charge !== undefined) charges.settle(charge, reason, view.seq, why)
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

  function onRecovered ({ lane, record, charge }: OpenIntent): void {
    sayFor(lane, 'paid_before', record, charge)
  }

  function onLoadSettled (load: Load, written: boolean): void {
    const charge = charges.named(load.lane, load.reference)?.charge
    sayFor(load.lane, written ? 'loaded_before' : 'load_not_written', load, charge)
  }

  /** Said for the lane it was begun at. */
  function sayFor (
    lane: string, reason: TapReason, { card, amountFen }: { card: CardRef, amountFen: number },
    charge: string | undefined
  ): void {
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
    if (charge !== undefined) charges.settle(charge, reason, view.seq)
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
      taps: count
    }),
    group: wanted => { passengers = wanted },
    settled: psam.settled,
    close: async () => {
      end()
      await serving
      await psam.close()
    }
  }
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
