// Carries the spool's records to the ledger: batch by batch, in order, under an id that stays until it is
// answered. Only what was answered counts as delivered. It refuses to know what the records mean.
import { killPoint } from '../../runtime/kill-point.ts'
import { type HttpClient, HttpAnswerError, pauseMs } from '../../runtime/http-client.ts'
import type { Log } from '../../runtime/log.ts'
import type { DeliveryReply, RecordResult, SignedHead } from '../../schemas/api.ts'
import type { Spool } from '../spool/spool.ts'
import type { Batch } from '../spool/state.ts'
import { type Nap, napper } from '../nap.ts'

export type UplinkOptions = {
  spool: Spool
  http: Pick<HttpClient, 'post'>
  /** A delivery id that was never used before, of 8 to 64 characters. */
  newDelivery: () => string
  /** Jitter, 0 <= x < 1. */
  random: () => number
  log: Log
  onHead: (head: SignedHead) => void
  settings: UplinkSettings
}

export type UplinkSettings = {
  /** Records in one delivery. */
  batchMax: number
  /** Records of so long are gathered before they leave. */
  lingerMs: number
  /** Pause after the first failure; doubled up to the limit, then drawn from its upper half. */
  retryMs: number
  retryMaxMs: number
  tryTimeoutMs: number
  /** Batches set aside at most; beyond it the fault is the ledger's, and the uplink waits. */
  parkedMax: number
}

export type UplinkStatus = {
  readonly state: 'idle' | 'sending' | 'waiting' | 'stopped'
  readonly failures: number
  readonly lastFailure: string | null
  readonly results: Readonly<Record<string, number>>
}

export type Uplink = {
  /** Ends a pause: tries again now. */
  wake (): void
  status (): UplinkStatus
  /** Resolves when the delivery under way has ended; what was not answered stays in the spool. */
  stop (): Promise<void>
}

export function startUplink (options: UplinkOptions): Uplink {
  const { spool, log, settings, random } = options
  const work: Nap = napper()
  const rest: Nap = napper()
  const stopping = new AbortController()
  const results: Record<string, number> = {}
  let renamed = ''
  const status = { state: 'idle' as UplinkStatus['state'], failures: 0, lastFailure: null as string | null }

  async function run (): Promise<void> {
    while (!stopping.signal.aborted) {
      const batch = await spool.nextBatch(settings.batchMax, options.newDelivery)
      if (batch === null) {
        status.state = 'idle'
        await work.untilWoken()
        await rest.sleep(settings.lingerMs, stopping.signal)
        continue
      }
      status.state = 'sending'
      const failure = await deliver(batch)
      status.lastFailure = failure
      status.failures = failure === null ? 0 : status.failures + 1
      if (failure === null) continue
      status.state = 'waiting'
      const { retryMs: backoffMs, retryMaxMs: backoffMaxMs } = settings
      const restMs = pauseMs(Math.min(status.failures, 30), { backoffMs, backoffMaxMs, random })
      log.warn({ delivery: batch.delivery, failures: status.failures, restMs }, failure)
      await rest.sleep(restMs, stopping.signal)
    }
  }

  /** Null when there is no reason to wait: answered, or the blame was dealt with. */
  async function deliver (batch: Batch): Promise<string | null> {
    const records = spool.recordsOf(batch).map(one => one.record)
    if (records.length < batch.count) return await leaveOut(batch, records.length)
    killPoint('before-uplink')
    let reply: unknown
    try {
      const body = { delivery: batch.delivery, records }
      const { tryTimeoutMs } = settings
      const once = { tries: 1, tryTimeoutMs, signal: stopping.signal }
      reply = await options.http.post('/v1/records', body, once)
    } catch (error) {
      if (error instanceof HttpAnswerError && blamesBatch.has(error.status)) return takeBlame(batch, error)
      return (error as Error).message
    }
    killPoint('after-uplink-answer')
    if (!answersAll(reply, batch)) return `the reply to ${batch.delivery} does not answer each record`
    await spool.ack(batch.delivery)
    for (const result of reply.results) note(batch, result)
    if (reply.head !== null) see(reply.head)
    return null
  }

  /** What cannot be read back keeps nothing else from going: the rest is another delivery. */
  async function leaveOut (batch: Batch, readable: number): Promise<null> {
    const { delivery, count } = batch
    const why = `${count - readable} of ${count} records cannot be read back`
    log.error({ delivery, alarm: 'records_lost', lost: count - readable }, why)
    if (readable > 0) await spool.splitBatch(batch, count, options.newDelivery())
    else await spool.park(delivery, why)
    return null
  }

  /**
   * An id that was used for other content gets a second chance under another. Else the culprit is found by
   * halves; alone, it is set aside with an alarm, and the others go on.
   */
  async function takeBlame (batch: Batch, error: HttpAnswerError): Promise<string | null> {
    if (error.status === 409 && batch.delivery !== renamed) {
      renamed = options.newDelivery()
      await spool.splitBatch(batch, batch.count, renamed)
      return null
    }
    if (batch.count > 1) {
      await spool.splitBatch(batch, Math.ceil(batch.count / 2), options.newDelivery())
      return null
    }
    const aside = spool.status().parked.length
    if (aside >= settings.parkedMax) return `${aside} records are set aside: ${error.message}`
    await spool.park(batch.delivery, error.message)
    log.error({ delivery: batch.delivery, sequence: batch.to, alarm: 'record_parked' }, error.message)
    return null
  }

  function note (batch: Batch, { index, outcome, reason, detail }: RecordResult): void {
    results[reason] = (results[reason] ?? 0) + 1
    if (outcome === 'refused' && reason !== 'duplicate') {
      log.warn({ delivery: batch.delivery, index, reason, detail }, 'the ledger refused a record')
    }
  }

  /** Records go on even where the file of the heads cannot be written. */
  function see (head: SignedHead): void {
    try {
      options.onHead(head)
    } catch (error) {
      log.error({ alarm: 'head_not_kept' }, (error as Error).message)
    }
  }

  // New work does not end a pause: a ledger that is away is not asked once more for every tap.
  spool.onRecord(() => work.wake())
  const ended = run().catch(error => {
    status.state = 'stopped'
    status.lastFailure = (error as Error).message
    if (!stopping.signal.aborted) log.fatal(error, 'the uplink has stopped')
  })
  return {
    wake: () => {
      work.wake()
      rest.wake()
    },
    status: () => ({ ...status, results: { ...results } }),
    stop: async () => {
      stopping.abort()
      work.wake()
      await ended
      status.state = 'stopped'
    }
  }
}

/**
 * Answers that repeating this very batch will not change: malformed, id used for other content, too large,
 * wrong type, not processable. A refused token or a wrong address is not the fault of the batch.
 */
const blamesBatch: ReadonlySet<number> = new Set([400, 409, 413, 415, 422])

/** Each record once, under our id: anything else is not an answer. */
function answersAll (reply: unknown, batch: Batch): reply is DeliveryReply {
  const { delivery, results } = (reply ?? {}) as Partial<DeliveryReply>
  if (delivery !== batch.delivery || !Array.isArray(results) || results.length !== batch.count) return false
  return new Set(results.map(result => result.index)).size === batch.count &&
    results.every(({ index }) => Number.isInteger(index) && index >= 0 && index < batch.count)
}
