// A tap from select to open gate, in the order of the published terminal procedure: read, settle what is
// open, check, price, INITIALIZE, sign, intent to disk, debit, check, record to disk. It refuses to know
// readers and HTTP.
import type { Clock } from '../../runtime/clock.ts'
import { bcdDateTime } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { parseDebit } from '../../schemas/epurse/apdu.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import type { CardRules, LaneConfig, TapReason } from '../../schemas/gateway.ts'
import type { CardRef, TransactionRecord } from '../../schemas/record.ts'
import type { Spool } from '../spool/spool.ts'
import type { OpenIntent } from '../spool/state.ts'
import type { Parameters } from '../uplink/parameters.ts'
import { readMemory } from './card-memory.ts'
import { type Due, cardTypeOf, dueOf, refusalOf } from './checks.ts'
import type { Answer, Channel } from './exchange.ts'
import { asksMemory, rideDue } from './fare.ts'
import { askLastTac } from './last-tac.ts'
import type { Psam } from './psam.ts'
import { type CardSeen, readCard } from './read-card.ts'
import { settle } from './recovery.ts'
import { type Sale, prepareSale, purchaseType } from './sale.ts'
import type { Session } from './session.ts'

export type Tapping = {
  /** What the card answered to `greetingFor(rules)`; null: it has not been asked yet. */
  readonly greeting: readonly Answer[] | null
  readonly lane: LaneConfig
  readonly rules: CardRules
  readonly session: Session
  readonly psam: Psam | null
  readonly spool: TapSpool
  readonly parameters: Pick<
    Parameters, 'tariff' | 'fares' | 'isBlacklisted' | 'isListedCity' | 'blacklistVersion'>
  /** Which passenger of how many the card pays for; absent: its holder alone. */
  readonly passenger?: { readonly rider: number, readonly riders: number }
  readonly clock: Clock
  /** What the till asks for; `waits` false: a payment for it is open, only its own card may settle it. */
  readonly charge: { readonly reference: string, readonly amountFen: number, readonly waits: boolean } | null
  /** When a card last paid at this lane. */
  paidAtMs (card: string): number | null
  /** False for a card that was found on the reader: it may settle what is open, it is not sold anything. */
  readonly sells: boolean
  /** Why its terminal sells nothing; what is open is settled all the same. Absent: nobody has to be asked. */
  refused?: () => TapReason | null
  /** An open payment of another lane, or of an earlier ride, is complete now. */
  onRecovered (open: OpenIntent): void
  /** Settles a load of this card whose end nobody saw; absent: there are none. */
  settleLoad?: (card: Channel, seen: CardSeen) => Promise<'settled' | 'lost'>
  /** A listed card blocks itself: whether it has. Absent: none does here. */
  block?: (channel: Channel, card: CardRef) => Promise<boolean>
  /** A card is locked: perhaps by us, and nobody saw it. */
  onLocked?: (card: CardRef) => Promise<void>
}

/** The side of the spool that a tap needs. */
export type TapSpool = Pick<
  Spool, 'refusal' | 'openIntent' | 'nextRecordNo' | 'intent' | 'record' | 'void' | 'reopen'>

export type TapResult = {
  readonly reason: TapReason
  readonly card: string | null
  readonly amountFen: number | null
  readonly balanceAfterFen?: number
  readonly recovered?: true
  /** The ledger's words or the chip's, where they said no. */
  readonly why?: string
  /** How often the card still lets a PIN be tried. */
  readonly triesLeft?: number
  /** Under which the counter learns who the holder is. */
  readonly identity?: string
}

/** Null where nothing is to be said: a card that was found on the reader and has nothing open. */
export async function runTap (card: Channel, tapping: Tapping): Promise<TapResult | null> {
  const { spool, session, psam, rules, parameters, clock } = tapping
  const refusal = spool.refusal() ?? (psam === null ? 'psam_unavailable' : null)
  if (refusal !== null || psam === null) return declined(tapping, refusal ?? 'psam_unavailable')
  const read = await readCard(card, rules, tapping.greeting)
  if (!read.ok) {
    if (read.locked !== undefined) await tapping.onLocked?.(read.locked)
    return declined(tapping, read.reason)
  }
  const { seen } = read
  if (await tapping.settleLoad?.(card, seen) === 'lost') {
    return { reason: 'torn', card: seen.key, amountFen: null }
  }
  const open = spool.openIntent(seen.key)
  const settled = open === undefined ? null : await settleOpen(card, { ...tapping, psam }, seen, open)
  if (settled !== null && typeof settled !== 'string') return settled
  if (!tapping.sells) return declined(tapping, 'tapped_twice', seen)
  const refused = tapping.refused?.() ?? null
  if (refused !== null) return declined(tapping, refused, seen)
  const nowMs = clock.now()
  const paidAtMs = tapping.paidAtMs(seen.key)
  const why = refusalOf(seen, {
    rules,
    today: hex(bcdDateTime(nowMs).subarray(0, 4)),
    blacklisted: parameters.isBlacklisted(seen.card),
    listedCity: parameters.isListedCity(seen.card.issuer),
    paidAgoMs: paidAtMs === null ? null : nowMs - paidAtMs
  })
  if (why === 'blacklisted' && await tapping.block?.(card, seen.card) === true) {
    return declined(tapping, 'card_blocked_now', seen)
  }
  if (why !== null) return declined(tapping, why, seen)
  const { charge } = tapping
  const waits = charge?.waits === true || (settled === 'not_debited' && open?.reference === charge?.reference)
  const { rider, riders } = tapping.passenger ?? { rider: 1, riders: 1 }
  const cardType = cardTypeOf(seen, rules)
  const memory = await memoryOf(card, tapping, seen, nowMs)
  if (typeof memory === 'string') return declined(tapping, memory, seen)
  const ride = rideDue(parameters.fares(),
    { lane: tapping.lane, cardType, atMs: nowMs, rider, riders, memory })
  const due = dueOf(tapping.lane, cardType, parameters.tariff(), waits ? charge : null, ride)
  if (typeof due === 'string') return declined(tapping, due, seen)
  session.signal('priced')
  return sell(card, { ...tapping, psam }, seen, due)
}

/** Asked for where a document prices by it, and only of a card that can be told anew. */
async function memoryOf (
  card: Channel, { lane, rules, parameters }: Tapping, seen: CardSeen, nowMs: number
): ReturnType<typeof readMemory> {
  const isAsked = lane.mode === 'fare' && purchaseType(rules, seen) === '09' &&
    asksMemory(parameters.fares(), lane, nowMs)
  return isAsked ? await readMemory(card, seen, rules) : null
}

type Selling = Tapping & { readonly psam: Psam }

function declined (
  { session, sells }: Tapping, reason: TapReason, seen?: CardSeen, due?: Due
): TapResult | null {
  session.signal('declined')
  return sells ? { reason, card: seen?.key ?? null, amountFen: due?.amountFen ?? null } : null
}

/* ---- an interrupted payment comes first ---- */

/** What settling an interrupted payment needs of a tap; a lane without PSAM asks the chip alone. */
export type Settling = Pick<
  Tapping, 'lane' | 'rules' | 'session' | 'psam' | 'spool' | 'clock' | 'charge' | 'onRecovered'>

/**
 * The result where that is all there is to this tap, else what became of it: the card goes on to the checks.
 */
export async function settleOpen (
  card: Channel, tapping: Settling, seen: CardSeen, open: OpenIntent
): Promise<TapResult | 'not_debited' | 'unprovable' | 'paid_elsewhere'> {
  const { session, spool, psam } = tapping
  session.signal('proof_due')
  const proof = await settle(card, psam, seen.profile, open.record)
  const { sequence: intent } = open
  switch (proof.kind) {
    case 'lost':
      session.signal('answer_lost')
      return { reason: 'torn', card: seen.key, amountFen: open.record.amountFen }
    case 'not_debited':
      await spool.void({ intent, card: seen.key, why: 'not_debited' })
      session.signal('not_debited')
      return 'not_debited'
    case 'unprovable':
      if (!open.told) await spool.record({ intent, lane: open.lane, record: open.record, settled: false })
      await spool.void({ intent, card: seen.key, why: 'unprovable' })
      session.signal('unprovable')
      return 'unprovable'
    case 'paid':
      await complete(spool, open, proof.tac, seen.key)
      return completed(tapping, seen, open)
  }
}

/** The record as it was sent to the chip, with the TAC that was missing; nothing is debited again. */
async function complete (
  spool: TapSpool, { sequence: intent, lane, record }: OpenIntent, tac: string, card: string
): Promise<void> {
  if (record.tac === null) {
    await spool.record({ intent, lane, record: { ...record, tac, grey: false }, settled: true })
  } else {
    await spool.void({ intent, card, why: 'confirmed' })
  }
  killPoint('after-record')
}

const proofCountsSeconds = 3_600

/**
 * At its own lane, soon after, it is the fare of this very passenger; elsewhere or later a new one is due.
 */
function completed (tapping: Settling, seen: CardSeen, open: OpenIntent): TapResult | 'paid_elsewhere' {
  const { lane, rules, clock, session, charge } = tapping
  const agoMs = clock.now() - open.atMs
  const inTime = agoMs <= (rules.proofCountsSeconds ?? proofCountsSeconds) * 1_000
  const sells = lane.mode === 'fare' || lane.mode === 'till'
  const sameSale = sells && (lane.mode === 'fare' || open.reference === charge?.reference)
  if (open.lane !== lane.lane || !inTime || !sameSale) {
    session.signal('proven_elsewhere')
    tapping.onRecovered(open)
    return 'paid_elsewhere'
  }
  session.signal('proven_here')
  const { amountFen, balanceBeforeFen } = open.record
  const balanceAfterFen = balanceBeforeFen - amountFen
  return { reason: 'paid_before', card: seen.key, amountFen, balanceAfterFen, recovered: true }
}

/* ---- the sale ---- */

async function sell (card: Channel, tapping: Selling, seen: CardSeen, due: Due): Promise<TapResult | null> {
  const { lane, rules, psam, spool, parameters, clock } = tapping
  const last = rules.tellsLastTac === true ? await askLastTac(card) : null
  if (last === 'lost') return declined(tapping, 'card_removed', seen, due)
  const recordNo = spool.nextRecordNo(lane)
  const sale = await prepareSale(card, psam, {
    seen, due, lane, rules, recordNo, blacklistVersion: parameters.blacklistVersion(), last,
    atMs: due.atMs ?? clock.now()
  })
  if (typeof sale === 'string') return declined(tapping, sale, seen, due)
  const intent = await keepIntent(card, tapping, seen, sale)
  if (typeof intent === 'string') return declined(tapping, intent, seen, due)
  killPoint('after-intent')
  tapping.session.signal('intent_kept')
  return pay(card, tapping, seen, sale, intent)
}

/** The disk works while the card takes its records. A debit that is never sent leaves no open intent. */
async function keepIntent (
  card: Channel, { spool, lane, charge }: Selling, { key }: CardSeen, { record, mac1, updates }: Sale
): Promise<number | TapReason> {
  const kept = spool.intent({ record, lane: lane.lane, mac1, ...referenceOf(charge) }).catch(() => null)
  const cached = updates.length === 0 ? [] : await card.run(updates.map(ifOk))
  const intent = await kept
  if (intent === null) return 'spool_failed'
  const last = cached.at(-1)
  if (last === undefined || (last.kind === 'answer' && isOk(last.sw))) return intent
  await spool.void({ intent, card: key, why: 'not_debited' })
  return last.kind === 'unknown' ? 'card_removed' : 'card_refused'
}

const ifOk = (command: Uint8Array) => ({ command, goOn: 'if_ok' as const })

/* ---- from here on the chip may have paid ---- */

/**
 * Wrong MAC1, not in this state, too little money: the chip says that nothing happened. All else is unknown.
 */
const debitRefusals: ReadonlySet<number> = new Set([0x9302, 0x6901, 0x6985, 0x9401])

async function pay (
  card: Channel, tapping: Selling, seen: CardSeen, sale: Sale, intent: number
): Promise<TapResult> {
  const { spool, session, lane } = tapping
  const { record } = sale
  const answer = await card.transmit(sale.debit)
  killPoint('after-debit-sent')
  const sold = { card: seen.key, amountFen: record.amountFen }
  if (answer.kind === 'answer' && debitRefusals.has(answer.sw)) {
    await spool.void({ intent, card: seen.key, why: 'refused_by_card' })
    session.signal('debit_refused')
    return { reason: 'card_refused', ...sold }
  }
  const paid = answer.kind === 'answer' && isOk(answer.sw) ? parseDebit(answer.data) : null
  if (paid === null || !paid.ok) {
    await spool.record({ intent, lane: lane.lane, record, settled: false })
    session.signal('answer_lost')
    return { reason: 'torn', ...sold }
  }
  session.signal('debited')
  const whole: TransactionRecord = { ...record, tac: hex(paid.tac), grey: false }
  const reason = await verify(tapping, sale, whole, intent, paid.mac2)
  if (reason === 'mac2_wrong' && tapping.charge !== null) {
    await spool.void({ intent, card: seen.key, why: 'mac2_wrong' })
  }
  session.signal(reason === 'paid' ? 'recorded' : 'unverified')
  const balanceAfterFen = record.balanceBeforeFen - record.amountFen
  return { reason, ...sold, balanceAfterFen }
}

/**
 * The TAC is in hand whatever the PSAM says, so the record is whole and goes to disk while the PSAM looks at
 * MAC2. Only a card that proved itself may pass; one that nobody could check is expected back.
 */
async function verify (
  tapping: Selling, sale: Sale, record: TransactionRecord, intent: number, mac2: Uint8Array
): Promise<TapReason> {
  const { spool, psam, lane, clock, charge } = tapping
  const atMs = clock.now()
  const [, checked] = await Promise.all([
    spool.record({ intent, lane: lane.lane, record, settled: true }), psam.checkMac2(mac2)
  ])
  killPoint('after-record')
  if (checked !== 'lost') return checked === 'right' ? 'paid' : 'mac2_wrong'
  const { mac1 } = sale
  await spool.reopen({
    record, lane: lane.lane, mac1, sequence: intent, atMs, told: true, ...referenceOf(charge)
  })
  return 'psam_lost'
}

const referenceOf = (charge: Tapping['charge']) => charge === null ? {} : { reference: charge.reference }
