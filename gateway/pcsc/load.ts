// Value onto a card from select to TAC, in the order of the published terminal procedure: read, settle what
// is open, check, INITIALIZE, MAC1 to the ledger and MAC2 back, intent to disk, CREDIT, outcome to disk. It
// refuses to know readers and HTTP.
import type { Clock } from '../../runtime/clock.ts'
import { bcdDateTime } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import {
  type InitLoadAnswer, type InitPurchaseAnswer, type Parsed, creditLoad, getBalance, initLoad, initPurchase,
  parseBalance, parseCreditLoad, parseInitLoad, parseInitPurchase
} from '../../schemas/epurse/apdu.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { describeStatus, isOk } from '../../schemas/epurse/status-words.ts'
import type { CardRules, ChargeView, LaneConfig, TapReason } from '../../schemas/gateway.ts'
import type { LoadSource, NewLoad } from '../../schemas/load.ts'
import { answerReasons } from '../../schemas/reasons.ts'
import type { Load } from '../loads/book.ts'
import type { Grant, Loads } from '../loads/loads.ts'
import type { OpenIntent } from '../spool/state.ts'
import type { Parameters } from '../uplink/parameters.ts'
import { refusalOf } from './checks.ts'
import type { Answer, Channel } from './exchange.ts'
import { type Initialise, type LoadEnd, settleLoad } from './load-recovery.ts'
import { type PinAtHand, type PinRefusal, initialiseWithPin } from './pin.ts'
import type { Psam } from './psam.ts'
import { type TapResult, type TapSpool, type Tapping, settleOpen } from './purchase.ts'
import { type CardSeen, readCard, rulesOf } from './read-card.ts'
import type { Session, Signal } from './session.ts'

export type Loading = Pick<Tapping, 'block' | 'onLocked'> & {
  /** What the card answered to `greetingFor(rules)`; null: it has not been asked yet. */
  readonly greeting: readonly Answer[] | null
  readonly lane: LaneConfig
  readonly rules: CardRules
  readonly session: Session
  readonly psam: Psam | null
  readonly spool: TapSpool
  readonly loads: Loads
  readonly parameters: Pick<Parameters, 'isBlacklisted' | 'isListedCity'>
  readonly clock: Clock
  /** What has been asked for; `waits` false: a load for it is open, only its own card may complete it. */
  readonly order: LoadOrder | null
  /** Absent: none is ever at hand. */
  readonly pin?: PinAtHand
  /** False for a card that was found on the reader: it may settle what is open, and gets nothing new. */
  readonly sells: boolean
  /** Why its terminal serves nobody. Absent: nobody has to be asked. */
  refused?: () => TapReason | null
  /** An open payment is complete now. */
  onRecovered (open: OpenIntent): void
  /** It is known what became of a load that was not asked for here and now. */
  onLoadSettled (load: Load, written: boolean): void
}

export type LoadOrder = Pick<ChargeView, 'charge' | 'reference' | 'amountFen'> & {
  readonly source: LoadSource
  readonly waits: boolean
}

/** Null where nothing is to be said: a card that was found on the reader and has nothing open. */
export async function runLoad (card: Channel, loading: Loading): Promise<TapResult | null> {
  const { spool, rules, loads, order } = loading
  const refusal = spool.refusal()
  if (refusal !== null) return declined(loading, refusal)
  const read = await readCard(card, rules, loading.greeting)
  if (!read.ok) {
    if (read.locked !== undefined) await loading.onLocked?.(read.locked)
    return declined(loading, read.reason)
  }
  const { seen } = read
  const open = loads.openOf(seen.key)
  const settled = open === undefined ? 'nothing' : await settle(card, loading, seen, open)
  if (typeof settled !== 'string') return settled
  const paying = spool.openIntent(seen.key)
  if (paying !== undefined) {
    const paid = await settleOpen(card, { ...loading, charge: null }, seen, paying)
    if (typeof paid !== 'string') return paid
  }
  const why = refusalHere(loading, seen)
  if (why === 'blacklisted' && await loading.block?.(card, seen.card) === true) {
    return declined(loading, 'card_blocked_now', seen)
  }
  if (why !== null) return declined(loading, why, seen)
  if (order === null || !(order.waits || settled === 'not_written')) return declined(loading, 'no_load', seen)
  loading.session.signal('load_due')
  // The same amount again: what waited is set aside until the ledger hears that the chip did not write it.
  // INITIALIZE tells it; asked before, nothing would wait.
  const amountFen = settled === 'not_written' ? open?.amountFen ?? order.amountFen : order.amountFen
  return await write(card, loading, seen, { ...order, amountFen })
}

function declined ({ session, sells }: Loading, reason: TapReason, seen?: CardSeen, why?: string) {
  session.signal('declined')
  const said: TapResult = {
    reason, card: seen?.key ?? null, amountFen: null, ...why === undefined ? {} : { why }
  }
  return sells ? said : null
}

/** As the chip said it of the PIN. */
function declinedByPin (loading: Loading, seen: CardSeen, refused: PinRefusal): TapResult | null {
  const { reason, why, triesLeft } = refused
  const said = declined(loading, reason, seen, why)
  return said === null || triesLeft === undefined ? said : { ...said, triesLeft }
}

function refusalHere (loading: Loading, seen: CardSeen): TapReason | null {
  const { parameters, rules, clock, refused, sells } = loading
  if (!sells) return 'no_load'
  return refused?.() ?? refusalOf(seen, {
    rules,
    today: hex(bcdDateTime(clock.now()).subarray(0, 4)),
    blacklisted: parameters.isBlacklisted(seen.card),
    listedCity: parameters.isListedCity(seen.card.issuer),
    paidAgoMs: null
  })
}

/* ---- an interrupted load comes first ---- */

/** The result where that is all there is to this tap; the order goes on where its own load never happened. */
async function settle (
  card: Channel, loading: Loading, seen: CardSeen, open: Load
): Promise<TapResult | null | 'not_written'> {
  const { session, lane, order, sells } = loading
  const { amountFen } = open
  const isOrdered = open.lane === lane.lane && open.reference === order?.reference
  const settled = await settleOpenLoad(card, loading, seen, open, isOrdered)
  if (settled.kind === 'lost') return { reason: 'torn', card: seen.key, amountFen }
  if (settled.kind === 'unprovable') {
    const { refused } = settled
    return refused === undefined
      ? declined(loading, 'card_unreadable', seen)
      : declinedByPin(loading, seen, refused)
  }
  const { kind: end } = settled
  if (isOrdered && end === 'not_written') return end
  if (isOrdered) {
    const balanceAfterFen = open.balanceBeforeFen + amountFen
    return { reason: 'loaded_before', card: seen.key, amountFen, balanceAfterFen, recovered: true }
  }
  loading.onLoadSettled(open, end === 'written')
  session.signal('declined')
  return order === null || !sells ? null : { reason: 'present_again', card: seen.key, amountFen: null }
}

/** At any lane. Unless the load is what this lane was asked for, the card goes on to what it came for. */
export async function settleOpenLoad (
  card: Channel, settling: Pick<Loading, 'session' | 'rules' | 'loads' | 'pin'>, seen: CardSeen,
  open: Load, isOrdered: boolean
): Promise<LoadEnd> {
  const { session, rules, loads } = settling
  session.signal('proof_due')
  const initialise = initialiserOf(card, settling, seen)
  const end = await settleLoad(card, seen.profile, open, loadKeyIndex(rules, seen), initialise)
  if ('outcome' in end) await loads.conclude(open, end.outcome)
  session.signal(isOrdered && end.kind === 'written' ? 'proven_here' : provenSignals[end.kind])
  return end
}

const provenSignals = {
  written: 'proven_elsewhere', not_written: 'not_debited', unprovable: 'unprovable', lost: 'answer_lost'
} as const satisfies Record<LoadEnd['kind'], Signal>

const loadKeyIndex = (rules: CardRules, { profile }: CardSeen): number =>
  rulesOf(rules, profile.name).loadKeyIndex ?? 1

const initialiserOf = (
  card: Channel, { rules, pin }: Pick<Loading, 'rules' | 'pin'>, { key, profile }: CardSeen
): Initialise => {
  const keyId = rulesOf(rules, profile.name).pinKeyId ?? 0
  return async command => await initialiseWithPin(card, command, { key, keyId, pin })
}

/* ---- a new one ---- */

const ledgerDeadlineMs = 8_000

async function write (
  card: Channel, loading: Loading, seen: CardSeen, order: LoadOrder
): Promise<TapResult | null> {
  const { lane, loads } = loading
  const deadlineMs = lane.loadDeadlineMs ?? ledgerDeadlineMs
  const amountFen = order.amountFen ?? await loads.pendingFen(seen.card, deadlineMs)
  if (amountFen === null) return declined(loading, 'ledger_unavailable', seen)
  if (amountFen === 0) return declined(loading, 'nothing_pending', seen)
  const chip = await initialise(card, loading, seen, amountFen)
  if (typeof chip === 'string') return declined(loading, chip, seen)
  if ('kind' in chip) return declinedByPin(loading, seen, chip)
  const { terminal, ...initialised } = chip
  const { source, reference } = order
  const party = lane.agent ?? lane.operator
  const grant = await loads.ask({
    lane: lane.lane, reference, deadlineMs,
    load: { card: seen.card, source, amountFen, party, terminal, chip: initialised }
  })
  if (grant.kind !== 'granted') return notGranted(loading, seen, grant)
  return await credit(card, loading, seen, grant)
}

type Initialised = NewLoad['chip'] & Pick<NewLoad, 'terminal'>

/**
 * INITIALIZE FOR PURCHASE of nothing tells the offline counter: the load lies right behind it. CREDIT must
 * follow the INITIALIZE FOR LOAD, so that comes last.
 */
async function initialise (
  card: Channel, loading: Loading, seen: CardSeen, amountFen: number
): Promise<Initialised | TapReason | PinRefusal> {
  const { lane, psam, rules } = loading
  const terminal = psam?.terminal ?? lane.terminalNumber
  if (terminal === undefined) return 'psam_unavailable'
  const asked = { purse: 2, terminal6: unhex(terminal) } as const
  const keyIndex = psam?.keyIndex(seen.profile) ?? 1
  const spent = readOf<InitPurchaseAnswer>(
    await card.transmit(initPurchase({ ...asked, keyIndex, amountFen: 0 })), parseInitPurchase)
  if (typeof spent === 'string') return spent
  const usedFen = spent.balanceFen === 0 ? await usedOverdraft(card, seen) : 0
  if (typeof usedFen === 'string') return usedFen
  const command = initLoad({ ...asked, keyIndex: loadKeyIndex(rules, seen), amountFen })
  const answer = await initialiserOf(card, loading, seen)(command)
  if (answer.kind === 'refused') return answer
  const init = readOf<InitLoadAnswer>(answer, parseInitLoad)
  if (typeof init === 'string') return init
  return {
    terminal,
    balanceFen: init.balanceFen - usedFen,
    offlineCounter: spent.counter,
    ...partsOf(init)
  }
}

const partsOf = ({ counter, keyVersion, algorithm, rand4, mac1 }: InitLoadAnswer) =>
  ({ onlineCounter: counter, keyVersion, algorithm, random: hex(rand4), mac1: hex(mac1) })

async function usedOverdraft (card: Channel, { profile }: CardSeen): Promise<number | TapReason> {
  if (profile.name !== 't-union') return 0
  const used = readOf<{ balanceFen: number }>(
    await card.transmit(getBalance(2, selectUsedOverdraft)), parseBalance)
  return typeof used === 'string' ? used : used.balanceFen
}
const selectUsedOverdraft = 2

function readOf<T extends object> (answer: Answer, parse: (data: Uint8Array) => Parsed<T>): T | TapReason {
  if (answer.kind === 'unknown') return 'card_removed'
  if (!isOk(answer.sw)) return initRefusals.get(answer.sw) ?? 'card_unreadable'
  const parsed = parse(answer.data)
  return parsed.ok ? parsed : 'card_unreadable'
}

const initRefusals: ReadonlyMap<number, TapReason> = new Map([
  [0x6982, 'load_refused'], [0x6A80, 'load_refused'], [0x9402, 'card_worn_out'], [0x9403, 'key_unsupported']
])

function notGranted (
  loading: Loading, seen: CardSeen, grant: Exclude<Grant, { kind: 'granted' }>
): TapResult | null {
  if (grant.kind === 'unanswered') return declined(loading, 'ledger_unavailable', seen, grant.why)
  if (grant.kind === 'refused') return declined(loading, 'load_declined', seen, grant.why)
  const { reason, rule } = grant
  return declined(loading, 'load_declined', seen, `${reason}: ${rule ?? answerReasons[reason].en}`)
}

/* ---- from here on the chip may hold the value ---- */

/** Wrong MAC2, not in this state, locked: the chip says that nothing happened. All else is unknown. */
const creditRefusals: ReadonlySet<number> = new Set([0x9302, 0x6901, 0x6985, 0x6982, 0x6A81, 0x9303])

async function credit (
  card: Channel, loading: Loading, seen: CardSeen, { load, mac2 }: Extract<Grant, { kind: 'granted' }>
): Promise<TapResult> {
  const { session, loads } = loading
  await loads.send(load)
  session.signal('granted')
  const moment = unhex(load.dateTime)
  const answer = await card.transmit(creditLoad({
    date4: moment.subarray(0, 4), time3: moment.subarray(4), mac2: unhex(mac2)
  }))
  killPoint('load-after-credit')
  const { amountFen } = load
  if (answer.kind === 'answer' && creditRefusals.has(answer.sw)) {
    await loads.conclude(load, { outcome: 'refused' })
    session.signal('credit_refused')
    return { reason: 'load_refused', card: seen.key, amountFen, why: describeStatus(answer.sw) }
  }
  const taken = answer.kind === 'answer' && isOk(answer.sw) ? parseCreditLoad(answer.data) : null
  if (taken === null || !taken.ok) {
    session.signal('answer_lost')
    return { reason: 'torn', card: seen.key, amountFen }
  }
  session.signal('credited')
  await loads.conclude(load, { outcome: 'written', tac: hex(taken.tac) })
  session.signal('recorded')
  return { reason: 'loaded', card: seen.key, amountFen, balanceAfterFen: load.balanceBeforeFen + amountFen }
}
