// The edge log: what a gateway must not forget, on disk before it goes on. One writer for all lanes.
// It refuses to know cards, wires and what the ledger says.
import assert from 'node:assert/strict'
import type { Clock } from '../../runtime/clock.ts'
import { cardKey, type TransactionRecord } from '../../schemas/record.ts'
import type { SpoolEntryType } from './frame.ts'
import type { FileLayer } from './files.ts'
import { entriesOf, recover } from './recover.ts'
import { type SpoolFailedError, segmentLog } from './segment-log.ts'
import { type Segment, type SpooledRecord, recordReader, segmentsOf } from './segments.ts'
import {
  type Batch, type Entry, type Intent, type OpenIntent, type PaidCharge, type Payloads, type Terminal,
  apply, chargeKey, snapshotOf, terminalKey
} from './state.ts'

export const spoolLimits = {
  /** A new segment begins beyond this size. */
  segmentBytesMax: 1024 * 1024,
  /** Undelivered records at which the gateway warns, and at which it takes no more taps. */
  highWaterRecords: 250_000,
  recordsMax: 500_000,
  /** Below this the gateway takes no more taps: an intent must never meet a full disk. */
  freeBytesMin: 64 * 1024 * 1024,
  /** Acknowledged records stay at least so long for a redelivery. */
  keepDays: 30,
  /** Unproven intents that are remembered for the card's return, and for how long. */
  openMax: 1_000,
  openDays: 7,
  /** Batches set aside; beyond it the fault is the ledger's, not theirs. */
  parkedMax: 100
} as const
export type SpoolLimits = Record<keyof typeof spoolLimits, number>

assert(spoolLimits.highWaterRecords < spoolLimits.recordsMax, 'a warning must come before the limit')

export type SpoolOptions = {
  files: FileLayer
  clock: Clock
  limits?: Partial<SpoolLimits>
  /** A place that cannot be read back; the records around it are delivered all the same. */
  onDamage?: (segment: string, offset: number) => void
  /** Told once: nothing can be written any more, only a new process can tell what is on disk. */
  onFailure?: (failure: SpoolFailedError) => void
}

export type Spool = {
  /** The next record number of a terminal; used up when an intent carries it. */
  nextRecordNo (terminal: Terminal): number
  /** Resolves with its sequence when the intent is on disk: now the debit command may leave. */
  intent (intent: Intent): Promise<number>
  /**
   * Resolves when the record is on disk: now the gate may open. `settled` false: the card is still expected
   * back.
   */
  record (evidence: Omit<Payloads['record'], 'atMs'>): Promise<number>
  /**
   * A record that a device had in its own store. Resolves when it is on disk: now the device may be told to
   * forget it. The same record twice is two entries; the ledger knows a repeat by its keys.
   */
  collect (record: TransactionRecord, lane: string): Promise<number>
  void (closed: Omit<Payloads['void'], 'atMs'>): Promise<number>
  /** Undoes the end of an intent: its card is expected back after all. */
  reopen (open: OpenIntent): Promise<number>
  /** The unsettled intent of a card, by its key. */
  openIntent (card: string): OpenIntent | undefined
  openIntents (): OpenIntent[]
  /** What a chip may have paid for that reference of a till, as long as it is among the newest 2,000. */
  charge (lane: string, reference: string): PaidCharge | undefined
  /** Why no tap may begin now, or null. */
  refusal (): 'spool_full' | 'spool_failed' | null
  /**
   * The batch to send: the unanswered one, else a new one of up to `countMax` records, on disk under its id
   * first.
   */
  nextBatch (countMax: number, newDelivery: () => string): Promise<Batch | null>
  /**
   * Puts the first `countMax` records of the unanswered batch, as far as they can be read back, under a new
   * id; the rest follows later.
   */
  splitBatch (batch: Batch, countMax: number, delivery: string): Promise<Batch>
  recordsOf (batch: Batch): SpooledRecord[]
  ack (delivery: string): Promise<number>
  park (delivery: string, why: string): Promise<number>
  /**
   * Sends everything recorded since an instant and answered or parked once more, as far back as it is kept;
   * null where there is nothing. What waits for its first answer is delivered anyway.
   */
  redeliver (sinceMs: number): Promise<{ from: number, to: number } | null>
  /** Without a look at the disk. */
  level (): SpoolLevel
  status (): SpoolStatus
  /** Calls back after each record that reached the disk. */
  onRecord (listener: () => void): void
  /** Writes out what waits. */
  close (): Promise<void>
}

export type SpoolLevel = {
  /** Records that are not answered yet. */
  readonly depth: number
  readonly highWater: boolean
}

export type SpoolStatus = SpoolLevel & {
  readonly delivered: number
  /** Could not be read back, and were never delivered. */
  readonly lost: number
  readonly parked: readonly (Batch & { why: string })[]
  readonly openIntents: number
  readonly oldestAtMs: number | null
  readonly redelivering: boolean
  readonly segments: number
  readonly flushes: number
  /** Bytes of a torn tail that were cut off at the start. */
  readonly tornBytes: number
}

/** Opens the spool, repairs a torn tail, remembers what was open. Throws SpoolDamagedError. */
export async function openSpool (
  { files, clock, limits: changed, onDamage = () => undefined, onFailure = () => undefined }: SpoolOptions
): Promise<Spool> {
  const limits = limitsFrom(changed)
  const { state, file, fileBytes, tornBytes } = await recover(files)
  const log = segmentLog(files, clock, { file, fileBytes, durable: state.sequence }, onFailure)
  const reader = recordReader(files, onDamage)
  const listeners: (() => void)[] = []
  let segmentBytesMax = limits.segmentBytesMax
  let redeliveryTurn = false
  let oldest: { readonly after: number, readonly atMs: number } | null = null

  /** The state moves at once, in the order of the sequences; the promise waits for the disk. */
  async function append<T extends SpoolEntryType> (type: T, payload: Omit<Payloads[T],
    'atMs'>): Promise<number> {
    if (log.failure !== null) throw log.failure
    const sequence = state.sequence + 1
    const whole = { atMs: clock.now(), ...payload }
    apply(state, { type, sequence, payload: whole } as unknown as Entry)
    await log.append(type, sequence, Buffer.from(JSON.stringify(whole)))
    if (type === 'record') for (const listener of listeners) listener()
    return sequence
  }

  /**
   * Before an entry: a full segment ends. The snapshot rides on the entry's own flush; a big one makes big
   * segments, not many.
   */
  function makeRoom (): void {
    if (log.plannedBytes <= segmentBytesMax || log.failure !== null) return
    forgetOld()
    append('state', snapshotOf(state)).then(dropOldSegments, () => undefined)
    segmentBytesMax = Math.max(limits.segmentBytesMax, 3 * log.plannedBytes)
  }

  /** Cards that never came back: their grey record is with the ledger, which settles it by later evidence. */
  function forgetOld (): void {
    const told = [...state.open.values()].filter(one => one.told)
    const oldestMs = clock.now() - limits.openDays * 86_400_000
    for (const [index, { sequence, atMs, record }] of told.entries()) {
      if (atMs >= oldestMs && index >= told.length - limits.openMax) continue
      append('void', { intent: sequence, card: cardKey(record.card), why: 'expired' }).catch(() => undefined)
    }
  }

  /**
   * Whole segments that are delivered and older than the keeping time; the beginning of the next one is their
   * end.
   */
  function dropOldSegments (): void {
    const keptSinceMs = clock.now() - limits.keepDays * 86_400_000
    const asked = [state.batch, state.redeliver, ...state.parked].map(range => range?.from ?? Infinity)
    const needed = Math.min(state.cursor + 1, ...asked)
    const segments = segmentsOf(files)
    for (const [index, { name }] of segments.entries()) {
      const next = segments[index + 1]
      if (next === undefined || next.beganAtMs > keptSinceMs || next.first > needed) return
      files.remove(name)
    }
  }

  async function nextBatch (countMax: number, newDelivery: () => string): Promise<Batch | null> {
    if (state.batch !== null) return state.batch
    redeliveryTurn = state.redeliver !== null && (redeliveryTurn || state.depth === 0)
    const redelivery = redeliveryTurn
    redeliveryTurn = !redeliveryTurn
    const range = redelivery ? state.redeliver : null
    const from = range?.from ?? state.cursor + 1
    const records = reader.read(from, Math.min(range?.to ?? Infinity, log.durable), countMax)
    const last = records.at(-1)
    if (last === undefined) {
      const isAllOnDisk = log.durable === state.sequence
      if (range === null && isAllOnDisk && state.depth > 0) await append('lost', { count: state.depth })
      return null
    }
    const batch = { delivery: newDelivery(), from, to: last.sequence, count: records.length, redelivery }
    await append('batch', batch)
    return batch
  }

  async function splitBatch (batch: Batch, countMax: number, delivery: string): Promise<Batch> {
    const records = reader.read(batch.from, batch.to, countMax)
    const last = records.at(-1)
    assert(state.batch?.delivery === batch.delivery, 'only the unanswered batch can be split')
    assert(last !== undefined, `the records of ${batch.delivery} cannot be read back`)
    const part: Batch = { ...batch, delivery, to: last.sequence, count: records.length }
    await append('batch', part)
    return part
  }

  async function redeliver (sinceMs: number): Promise<{ from: number, to: number } | null> {
    const segments = segmentsOf(files)
    // What lies before it is older, though the clock may have been set back meanwhile.
    const start = [...segments].reverse().find(segment => latestBefore(segment) < sinceMs) ?? segments[0]
    const first = start === undefined ? undefined : firstSince(start.first, sinceMs)
    if (first === undefined || first.sequence > state.cursor) return null
    // What was never answered is on its way already: only what lies behind the cursor goes once more.
    const range = { from: first.sequence, to: state.cursor }
    await append('redeliver', { sinceMs, ...range })
    for (const listener of listeners) listener()
    return range
  }

  /** When the last record before this segment was kept, by the clock that was furthest ahead. */
  function latestBefore ({ name, beganAtMs }: Segment): number {
    const [first] = entriesOf(files.read(name, 0, files.sizeOf(name)))
    return first?.type === 'state' ? first.payload.latestAtMs ?? beganAtMs : Infinity
  }

  /** In pages, so that a long look back does not hold a month of records at once. */
  function firstSince (from: number, sinceMs: number): SpooledRecord | undefined {
    for (let next = from; ;) {
      const page = reader.read(next, log.durable, 1_000)
      const last = page.at(-1)
      const found = page.find(one => one.atMs >= sinceMs)
      if (found !== undefined || last === undefined) return found
      next = last.sequence + 1
    }
  }

  function refusal (): 'spool_full' | 'spool_failed' | null {
    if (log.failure !== null) return 'spool_failed'
    return state.depth >= limits.recordsMax || files.freeBytes() < limits.freeBytesMin ? 'spool_full' : null
  }

  /** When the first record that is not answered was kept; looked up once. */
  function oldestAtMs (): number | null {
    if (state.depth === 0) return null
    if (oldest?.after !== state.cursor) {
      const [first] = reader.read(state.cursor + 1, log.durable, 1)
      oldest = first === undefined ? null : { after: state.cursor, atMs: first.atMs }
    }
    return oldest?.atMs ?? null
  }

  const level = (): SpoolLevel =>
    ({ depth: state.depth, highWater: state.depth >= limits.highWaterRecords })

  function status (): SpoolStatus {
    return {
      ...level(),
      delivered: state.delivered,
      lost: state.lost,
      parked: state.parked,
      openIntents: state.open.size,
      oldestAtMs: oldestAtMs(),
      redelivering: state.redeliver !== null,
      segments: segmentsOf(files).length,
      flushes: log.flushes,
      tornBytes
    }
  }

  if (file === null) await append('state', snapshotOf(state))
  return {
    nextRecordNo: terminal => (state.recordNos[terminalKey(terminal)] ?? 0) % recordNoMax + 1,
    intent: intent => {
      makeRoom()
      return append('intent', intent)
    },
    record: evidence => append('record', evidence),
    collect: (record, lane) => {
      makeRoom()
      return append('record', { intent: noIntent, lane, record, settled: true })
    },
    void: closed => append('void', closed),
    reopen: open => append('reopen', { open }),
    openIntent: card => state.open.get(card),
    openIntents: () => [...state.open.values()],
    charge: (lane, reference) => state.charges.get(chargeKey(lane, reference)),
    refusal,
    nextBatch,
    splitBatch,
    recordsOf: batch => reader.read(batch.from, batch.to, batch.count),
    ack: delivery => append('ack', { delivery }),
    park: (delivery, why) => append('park', { delivery, why }),
    redeliver,
    level,
    status,
    onRecord: listener => { listeners.push(listener) },
    close: () => log.close()
  }
}

/** Where only the limit was changed, the warning comes at half of it. */
function limitsFrom (changed: Partial<SpoolLimits> = {}): SpoolLimits {
  const half = Math.ceil((changed.recordsMax ?? spoolLimits.recordsMax) / 2)
  const limits: SpoolLimits = { ...spoolLimits, highWaterRecords: half, ...changed }
  if (limits.highWaterRecords > limits.recordsMax) {
    throw new RangeError(
      `the spool would warn at ${limits.highWaterRecords} records and stop at ${limits.recordsMax}`
    )
  }
  return limits
}

/** Of a record that was never begun here. */
const noIntent = 0

/** Eight digits in the files of an operator; after the last one it begins anew. */
const recordNoMax = 99_999_999
