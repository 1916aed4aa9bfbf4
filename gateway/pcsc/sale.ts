// A purchase up to the debit command, and the record that will tell of it. Nothing happens on the chip here.
// It refuses to know disks and what follows.
import { bcdDateTime } from '../../runtime/instants.ts'
import {
  type InitPurchaseAnswer, debit, getBalance, initCapp, initPurchase, parseBalance, parseInitPurchase,
  updateCappCache
} from '../../schemas/epurse/apdu.ts'
import { tripRecord } from '../../schemas/epurse/files.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { encode } from '../../schemas/epurse/layout.ts'
import { isOk } from '../../schemas/epurse/status-words.ts'
import type { CardRules, LaneConfig, TapReason } from '../../schemas/gateway.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { memoryUpdates } from './card-memory.ts'
import type { Due } from './checks.ts'
import type { Answer, Channel } from './exchange.ts'
import type { TripStep } from './fare.ts'
import type { LastTac } from './last-tac.ts'
import { type Psam, terminalBytes } from './psam.ts'
import { type CardSeen, rulesOf } from './read-card.ts'

export type Sale = {
  /** Grey, without TAC: what is told if nothing more is learned. */
  readonly record: TransactionRecord
  readonly mac1: string
  readonly debit: Uint8Array
  /** Commands with the records that a composite purchase writes with the debit. */
  readonly updates: readonly Uint8Array[]
}

/** What is offered to whom: the card, the price, and what the record says of the place. */
export type Offer = {
  readonly seen: CardSeen
  readonly due: Due
  readonly lane: LaneConfig
  readonly rules: CardRules
  readonly recordNo: number
  readonly blacklistVersion: number | null
  /** What the chip says of its last debit; null where it was not asked, or does not say. */
  readonly last: LastTac | null
  /** The instant that the card will sign. */
  readonly atMs: number
}

/** Balance, INITIALIZE, signature of the PSAM; or why not. Nothing has happened on the chip yet. */
export async function prepareSale (card: Channel, psam: Psam, offer: Offer): Promise<Sale | TapReason> {
  const { seen, due, rules } = offer
  const type = purchaseType(rules, seen)
  const initialise = initialiseFor(psam, seen, due, type)
  const asked = { command: getBalance(2, seen.profile.balanceSelector), goOn: 'if_balance' } as const
  const dateTime = bcdDateTime(offer.atMs)
  const signing = {
    profile: seen.profile, amountFen: due.amountFen, type: Number.parseInt(type, 16), dateTime,
    factors: factorsFor(rules, seen), authCode: seen.authCode
  }
  const relayed = psam.relayed(signing)
  const [balance, answered, signed] = await card.run([
    asked,
    ...initialise === null ? [] : [{ command: initialise, goOn: 'if_ok' } as const],
    ...initialise === null || relayed === null ? [] : [relayed.step]
  ])
  const usedFen = await usedOverdraft(card, seen, due, balance)
  if (typeof usedFen === 'string') return usedFen
  if (initialise === null) return 'card_unsupported'
  const init = initialised(answered ?? await card.transmit(initialise))
  if (typeof init === 'string') return init
  const signature = relayed !== null && signed !== undefined
    ? relayed.read(signed)
    : await psam.sign({ ...signing, init })
  if (signature.kind !== 'signed') return signature.kind === 'lost' ? 'psam_unavailable' : 'psam_refused'
  const { sequence, sequence4, mac1 } = signature
  const record = greyRecord(offer, psam, { init, type, sequence, dateTime, usedFen })
  return {
    record,
    mac1: hex(mac1),
    debit: debit({ sequence4, date4: dateTime.subarray(0, 4), time3: dateTime.subarray(4), mac1 }),
    updates: type === '09' ? updatesOf(offer, record) : []
  }
}

/** Overdraft counts once: a purse at zero, or below, pays nothing. Only T-Union tells how far below. */
async function usedOverdraft (
  card: Channel, { profile }: CardSeen, due: Due, answer: Answer | undefined
): Promise<number | TapReason> {
  if (answer === undefined || answer.kind === 'unknown') return 'card_removed'
  const balance = isOk(answer.sw) ? parseBalance(answer.data) : null
  if (balance === null || !balance.ok) return 'card_unreadable'
  if (balance.balanceFen > 0) return 0
  if (due.amountFen > 0) return 'insufficient_funds'
  if (profile.name !== 't-union') return 0
  const used = await card.transmit(getBalance(2, selectUsedOverdraft))
  if (used.kind === 'unknown') return 'card_removed'
  const parsed = isOk(used.sw) ? parseBalance(used.data) : null
  return parsed !== null && parsed.ok ? parsed.balanceFen : 0
}
const selectUsedOverdraft = 2

/** Null where the PSAM does not serve such cards. */
function initialiseFor (
  psam: Psam, { profile }: CardSeen, { amountFen }: Due, type: PurchaseType
): Uint8Array | null {
  const keyIndex = psam.keyIndex(profile)
  if (keyIndex === null) return null
  const request = { purse: 2, keyIndex, amountFen, terminal6: terminalBytes(psam) } as const
  return type === '09' ? initCapp(request) : initPurchase(request)
}

function initialised (answer: Answer): InitPurchaseAnswer | TapReason {
  if (answer.kind === 'unknown') return 'card_removed'
  if (!isOk(answer.sw)) return initRefusals.get(answer.sw) ?? 'card_unreadable'
  const init = parseInitPurchase(answer.data)
  return init.ok ? init : 'card_unreadable'
}

const initRefusals: ReadonlyMap<number, TapReason> = new Map([
  [0x9401, 'insufficient_funds'], [0x9402, 'card_worn_out'], [0x9403, 'key_unsupported']
])

type PurchaseType = '06' | '09'
export const purchaseType = (rules: CardRules, { profile, cappRecord }: CardSeen): PurchaseType => {
  const form = rulesOf(rules, profile.name).purchase ?? profile.purchase
  const hasTarget = profile.name === 't-union' || cappRecord !== null
  return form === 'capp' && hasTarget ? '09' : '06'
}

function factorsFor (rules: CardRules, { profile, factors }: CardSeen): Uint8Array[] {
  const known = { ...factors, city: unhex(rules.cityFactor ?? '') }
  const names = rulesOf(rules, profile.name).factors ?? profile.psamFactors
  return names.map(name => known[name])
}

type Signed = {
  init: InitPurchaseAnswer, type: PurchaseType, sequence: number, dateTime: Uint8Array, usedFen: number
}

function greyRecord (offer: Offer, psam: Psam, signed: Signed): TransactionRecord {
  const { init, type, sequence, dateTime, usedFen } = signed
  const { operator, terminal, line, vehicle, shift } = offer.lane
  const { amountFen, tariffVersion, ride } = offer.due
  const { recordNo, blacklistVersion, last } = offer
  return {
    card: offer.seen.card,
    purse: 'ep',
    type,
    counter: init.counter + 1,
    balanceBeforeFen: (init.balanceFen & 0x7fff_ffff) - usedFen,
    amountFen,
    psam: psam.terminal,
    sequence,
    dateTime: hex(dateTime),
    tac: null,
    grey: true,
    keyVersion: init.keyVersion,
    algorithm: init.algorithm,
    operator,
    terminal,
    recordNo,
    ...(line === undefined ? {} : { line }),
    ...(vehicle === undefined ? {} : { vehicle }),
    ...(shift === undefined ? {} : { shift }),
    ...(ride === undefined ? {} : { ride }),
    ...(tariffVersion === undefined ? {} : { tariffVersion }),
    ...(blacklistVersion === null ? {} : { blacklistVersion }),
    // Of the debit right before this one, or it would be held against another.
    ...(last?.counter === init.counter ? { lastTac: last.tac } : {})
  }
}

/**
 * T-Union appends to its trip file, after what it remembers of the trip; a city-union card gets its own
 * record back, its fields are the city's affair.
 */
function updatesOf ({ lane, seen, due, rules }: Offer, record: TransactionRecord): Uint8Array[] {
  const { profile, cappRecord } = seen
  const terminal = `0000${record.psam}`
  const { sfi, record: number, by } = profile.cappUpdate ?? { sfi: 0x17, record: 2, by: 'tag' }
  const bytes = cappRecord ?? trip(lane, record, terminal, due.trip?.step ?? 'single')
  return [
    ...due.trip === undefined ? [] : memoryUpdates(due.trip, { terminal, record, seen, rules }),
    updateCappCache(sfi, number, bytes, by)
  ]
}

/** File 1E. */
function trip (
  { industry, line = '' }: LaneConfig, record: TransactionRecord, terminal: string, step: TripStep
): Uint8Array {
  return encode(tripRecord, {
    type: tripTypes[step],
    terminal,
    industry: Number.parseInt(industry ?? busIndustry, 16),
    line: /^\d{1,4}$/.test(line) ? line.padStart(4, '0') : '0000',
    amountFen: record.amountFen,
    balanceFen: Math.max(0, record.balanceBeforeFen - record.amountFen),
    dateTime: record.dateTime
  })
}
/** Of rides that the electronic purse pays. */
const tripTypes: Readonly<Record<TripStep, number>> = {
  entry: 0x03, exit: 0x04, single: 0x06, supplement: 0x08
}
const busIndustry = '02'
