// What the spool knows, as a fold over its entries: the same function serves at work and after a restart, so
// both agree. It refuses to know files, flushes and time.
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
  /** The charge of a till that this debit pays. */
  readonly charge?: string
}

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
  /** Everything recorded from `sinceMs` on goes to the ledger once more. */
  redeliver: { atMs: number, sinceMs: number, from: number, to: number }
}

/**
 * `refused_by_card`, `not_debited`: the chip has not paid, proven. `unprovable`, `expired`: no proof can be
 * had any more, it stays grey. `confirmed`: the record was complete before, now the card came back and proved
 * it.
 */
export type VoidReason = 'refused_by_card' | 'not_debited' | 'unprovable' | 'expired' | 'confirmed'

export type Entry = { [T in SpoolEntryType]: {
  type: T, sequence: number,
  payload: Payloads[T]
} }[SpoolEntryType]

export type Snapshot = {
  recordNos: Record<string, number>
  open: OpenIntent[]
  /** Records up to here are answered or parked. */
  cursor: number
  /** Records not answered yet. */
  depth: number
  delivered: number
  batch: Batch | null
  redeliver: { from: number, to: number } | null
  parked: (Batch & { why: string })[]
}

export type SpoolState = Omit<Snapshot, 'open'> & {
  /** Last sequence used. */
  sequence: number
  /** By card key; a card is sent no debit while an older one of it is open. */
  open: Map<string, OpenIntent>
}

export const emptyState = (): SpoolState => ({
  sequence: 0, recordNos: {}, open: new Map(), cursor: 0, depth: 0, delivered: 0,
  batch: null, redeliver: null, parked: []
})

export const snapshotOf = ({ sequence: _, open, ...rest }: SpoolState): Snapshot =>
  ({ ...rest, open: [...open.values()] })

export type Terminal = Pick<TransactionRecord, 'operator' | 'terminal'>

/** `operator/terminal`: what record numbers are counted by. */
export const terminalKey = ({ operator, terminal }: Terminal): string =>
  `${operator}/${terminal}`

/** Takes the next entry into account. Entries come in the order of their sequence. */
export function apply (state: SpoolState, entry: Entry): void {
  state.sequence = entry.sequence
  switch (entry.type) {
    case 'state': {
      const { atMs: _, open, ...rest } = entry.payload
      Object.assign(state, rest, { open: new Map(open.map(one => [cardKey(one.record.card), one])) })
      return
    }
    case 'intent': {
      const { record } = entry.payload
      state.recordNos[terminalKey(record)] = record.recordNo
      state.open.set(cardKey(record.card), { ...entry.payload, sequence: entry.sequence, told: false })
      return
    }
    case 'record': {
      state.depth += 1
      return settleIntent(state, entry.payload)
    }
    case 'void': {
      const { card, intent } = entry.payload
      if (state.open.get(card)?.sequence === intent) state.open.delete(card)
      return
    }
    case 'reopen': {
      const { open } = entry.payload
      state.open.set(cardKey(open.record.card), open)
      return
    }
    case 'batch': {
      const { atMs: _, ...batch } = entry.payload
      state.batch = batch
      return
    }
    case 'ack': return finishBatch(state, entry.payload.delivery)
    case 'park': return parkBatch(state, entry.payload)
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
  if (settled) state.open.delete(key)
  else state.open.set(key, { ...open, record, told: true })
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
