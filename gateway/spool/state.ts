// What the spool knows, as a fold over its entries: the same function serves at work and after a restart, so
// both agree. It refuses to know files, flushes and time.
import { type ChargeView, type TapReason, tapReasons } from '../../schemas/gateway.ts'
import { cardKey, type TransactionRecord } from '../../schemas/record.ts'
import type { SpoolEntryType } from './frame.ts'

/**
 * What is on disk before a debit command leaves: the record as it is delivered if nothing more is ever
 * learned.
 */
export type Intent = {
  /** Grey, without TAC; the date and time are the very bytes of the command. */
  readonly record: TransactionRecord
  readonly lane: string
  /** MAC1 of the debit command, hex. */
  readonly mac1: string
  /** Of the till, for what this debit pays. */
  readonly reference?: string
}

/** What a till asked for and a chip may have paid: the same reference of that till is not debited again. */
export type PaidCharge = Pick<ChargeView, 'lane' | 'reference' | 'state' | 'reason'> & {
  readonly amountFen: number
  readonly card: string
  /** Sequence of its intent. */
  readonly intent: number
}
/** So many are remembered, the newest; each lies in every snapshot. */
export const chargesMax = 2_000

/**
 * An intent that the card has not settled yet. `told`: a record of it is in the spool; `record` is then the
 * last one.
 */
export type OpenIntent = Intent & { readonly sequence: number, readonly atMs: number, readonly told: boolean }

/** Records from spool sequence `from` to `to` that go to the ledger under one delivery id. */
export type Batch = {
  readonly delivery: string
  readonly from: number
  readonly to: number
  readonly count: number
  readonly redelivery: boolean
}

/** The payload of each type of entry, JSON on disk. `atMs` is the gateway's clock. */
export type Payloads = {
  /** The whole state; the first entry of every segment, so that a restart reads one segment. */
  state: Snapshot & { atMs: number }
  intent: Intent & { atMs: number }
  /**
   * Evidence for the ledger on the intent at sequence `intent`; 0 where a device had it in its own store.
   * `settled` false: the card may still have to come back.
   */
  record: { atMs: number, intent: number, lane: string, record: TransactionRecord, settled: boolean }
  /** The card is expected back although its record is whole: nobody checked that it is genuine. */
  reopen: { atMs: number, open: OpenIntent }
  /** An intent is closed without a (further) record, and why. */
  void: { atMs: number, intent: number, card: string, why: VoidReason }
  batch: Batch & { atMs: number }
  ack: { atMs: number, delivery: string }
  /** A batch that the ledger blames: set aside, not sent again by itself. */
  park: { atMs: number, delivery: string, why: string }
  /** Records that cannot be read back: nobody waits for their answer any more. */
  lost: { atMs: number, count: number }
  /** Everything recorded from `sinceMs` on goes to the ledger once more. */
  redeliver: { atMs: number, sinceMs: number, from: number, to: number }
}

/**
 * `refused_by_card`, `not_debited`: the chip has not paid, proven. `unprovable`, `expired`: no proof can be
 * had any more, it stays grey. `confirmed`: the record was complete before, now the card came back and proved
 * it. `mac2_wrong`: the record is complete, and the card could not prove that it is genuine.
 */
export type VoidReason =
  'refused_by_card' | 'not_debited' | 'unprovable' | 'expired' | 'confirmed' | 'mac2_wrong'

export type Entry = { [T in SpoolEntryType]: {
  type: T, sequence: number,
  payload: Payloads[T]
} }[SpoolEntryType]

export type Snapshot = {
  recordNos: Record<string, number>
  open: OpenIntent[]
  /** Absent in snapshots of before. */
  charges?: PaidCharge[]
  /** Of all records so far, whatever the clock was; absent in snapshots of before. */
  latestAtMs?: number
  /** Records up to here are answered or parked. */
  cursor: number
  /** Records not answered yet. */
  depth: number
  delivered: number
  /** Never delivered, because they could not be read back; absent in snapshots of before. */
  lost?: number
  batch: Batch | null
  redeliver: { from: number, to: number } | null
  parked: (Batch & { why: string })[]
}

export type SpoolState = Omit<Snapshot, 'open' | 'charges' | 'latestAtMs' | 'lost'> & {
  /** Last sequence used. */
  sequence: number
  /** By card key; a card is sent no debit while an older one of it is open. */
  open: Map<string, OpenIntent>
  /** By `chargeKey`, oldest first. */
  charges: Map<string, PaidCharge>
  latestAtMs: number
  lost: number
}

export const emptyState = (): SpoolState => ({
  sequence: 0, recordNos: {}, open: new Map(), charges: new Map(), latestAtMs: 0, cursor: 0, depth: 0,
  delivered: 0, lost: 0, batch: null, redeliver: null, parked: []
})

export const snapshotOf = ({ sequence: _, open, charges, ...rest }: SpoolState): Snapshot =>
  ({ ...rest, open: [...open.values()], charges: [...charges.values()] })

/** Names of lanes have no blanks. */
export const chargeKey = (lane: string, reference: string): string => `${lane} ${reference}`

export type Terminal = Pick<TransactionRecord, 'operator' | 'terminal'>

/** `operator/terminal`: what record numbers are counted by. */
export const terminalKey = ({ operator, terminal }: Terminal): string =>
  `${operator}/${terminal}`

/** Takes the next entry into account. Entries come in the order of their sequence. */
export function apply (state: SpoolState, entry: Entry): void {
  state.sequence = entry.sequence
  switch (entry.type) {
    case 'state': {
      const { atMs, open, charges = [], latestAtMs = atMs, lost = 0, ...rest } = entry.payload
      Object.assign(state, rest, {
        latestAtMs,
        lost,
        open: new Map(open.map(one => [cardKey(one.record.card), one])),
        charges: new Map(charges.map(one => [chargeKey(one.lane, one.reference), one]))
      })
      return
    }
    case 'intent': {
      const { record } = entry.payload
      state.recordNos[terminalKey(record)] = record.recordNo
      const open = { ...entry.payload, sequence: entry.sequence, told: false }
      state.open.set(cardKey(record.card), open)
      return keepCharge(state, open, 'torn')
    }
    case 'record': {
      state.depth += 1
      state.latestAtMs = Math.max(state.latestAtMs, entry.payload.atMs)
      return settleIntent(state, entry.payload)
    }
    case 'void': {
      const { card, intent, why } = entry.payload
      if (state.open.get(card)?.sequence === intent) state.open.delete(card)
      return closeCharge(state, intent, why)
    }
    case 'reopen': {
      const { open } = entry.payload
      state.open.set(cardKey(open.record.card), open)
      return keepCharge(state, open, 'psam_lost')
    }
    case 'batch': {
      const { atMs: _, ...batch } = entry.payload
      state.batch = batch
      return
    }
    case 'ack': return finishBatch(state, entry.payload.delivery)
    case 'park': return parkBatch(state, entry.payload)
    case 'lost': {
      const { count } = entry.payload
      state.depth -= count
      state.lost += count
      return
    }
    case 'redeliver': {
      const { from, to } = entry.payload
      const before = state.redeliver ?? { from, to }
      state.redeliver = { from: Math.min(from, before.from), to: Math.max(to, before.to) }
      state.parked = state.parked.filter(batch => batch.to < from)
    }
  }
}

/** An unsettled record leaves the intent open, as told; a settled one closes it. */
function settleIntent (state: SpoolState, { intent, record, settled }: Payloads['record']): void {
  const key = cardKey(record.card)
  const open = state.open.get(key)
  if (open?.sequence !== intent) return
  if (settled) {
    state.open.delete(key)
    keepCharge(state, open, open.told ? 'paid_before' : 'paid')
  } else {
    state.open.set(key, { ...open, record, told: true })
  }
}

function keepCharge (
  { charges }: SpoolState, { lane, reference, record, sequence: intent }: OpenIntent, reason: TapReason
): void {
  if (reference === undefined) return
  const { card, amountFen } = record
  const state = tapReasons[reason].outcome
  charges.set(chargeKey(lane, reference), {
    lane, reference, amountFen, card: cardKey(card), intent, state, reason
  })
  for (const oldest of charges.keys()) {
    if (charges.size <= chargesMax) return
    charges.delete(oldest)
  }
}

/** What the chip has not paid may be asked for again; what nobody can prove stays unknown. */
function closeCharge ({ charges }: SpoolState, intent: number, why: VoidReason): void {
  for (const [key, charge] of charges) {
    if (charge.intent !== intent) continue
    if (why === 'not_debited' || why === 'refused_by_card') charges.delete(key)
    else if (why === 'mac2_wrong') charges.set(key, { ...charge, state: 'unknown', reason: why })
    else if (why === 'confirmed') charges.set(key, { ...charge, state: 'approved', reason: 'paid_before' })
  }
}

function finishBatch (state: SpoolState, delivery: string): void {
  const batch = state.batch
  if (batch?.delivery !== delivery) return
  state.delivered += batch.count
  leaveBatch(state, batch)
}

function parkBatch (state: SpoolState, { delivery, why }: Payloads['park']): void {
  const batch = state.batch
  if (batch?.delivery !== delivery) return
  state.parked.push({ ...batch, why })
  leaveBatch(state, batch)
}

function leaveBatch (state: SpoolState, batch: Batch): void {
  state.batch = null
  if (!batch.redelivery) {
    state.cursor = batch.to
    state.depth -= batch.count
    return
  }
  const end = state.redeliver?.to ?? batch.to
  state.redeliver = batch.to >= end ? null : { from: batch.to + 1, to: end }
}
