// Tells others what happened: fans fresh events out, puts what is due into the queue, calls the webhooks, and
// writes down how it went. The rows of the outbox are the truth, the queue only carries their numbers.
import { killPoint } from '../../runtime/kill-point.ts'
import { tellPauseMs, tellTriesMax } from '../core/retry.ts'
import { signedHeaders } from '../core/webhook-signature.ts'
import type { Ledger } from '../ledger.ts'
import { inTransaction } from '../store/db.ts'
import { fanOut, noteTry, readTelling, takeDue, type Telling } from '../store/outbox.ts'
import { eventOf, secretsOf } from './webhooks.ts'
import { startQueue, type CourierQueue } from './queue.ts'
import { send, type Answer } from './send.ts'

export type CourierOptions = {
  readonly databaseUrl: string
  /** Null: the queue is in the database. */
  readonly redisUrl: string | null
  readonly concurrency?: number
  readonly everyMs?: number
  /** A job that is in the queue for longer is taken for lost. */
  readonly leaseMs?: number
  /** 0 ≤ chance < 1, for the pauses between tries. */
  readonly chance: () => number
}
export type Courier = {
  readonly depth: () => Promise<number>
  readonly close: () => Promise<void>
}

const defaults = { concurrency: 8, everyMs: 1_000, leaseMs: 60_000 } as const

export async function startCourier (ledger: Ledger, given: CourierOptions): Promise<Courier> {
  const options = { ...defaults, ...given }
  const onError = (err: Error): void => { ledger.log.error({ err }, 'courier') }
  const { databaseUrl, redisUrl, concurrency } = options
  const queue = await startQueue({
    databaseUrl, redisUrl, concurrency, onError, work: tellingId => tellOne(ledger, tellingId, options.chance)
  })
  ledger.meters.courier(queue.depth)
  const rounds = every(options.everyMs, async () => await round(ledger, queue, options.leaseMs), onError)
  return {
    depth: queue.depth,
    close: async () => {
      ledger.meters.courier(null)
      await rounds.stop()
      await queue.close()
    }
  }
}

/** Fresh events become tellings, due tellings go into the queue. */
async function round (ledger: Ledger, queue: CourierQueue, leaseMs: number): Promise<void> {
  const nowMs = ledger.clock.now()
  while (await inTransaction(ledger.db, tx => fanOut(tx, nowMs)) > 0);
  for (;;) {
    const due = await takeDue(ledger.db, nowMs, nowMs + leaseMs)
    if (due.length === 0) return
    // A name of its own each time: what a dead worker still holds must not keep the next one away.
    await queue.add(due.map(({ tellingId }) => ({ name: `telling-${tellingId}-${nowMs}`, tellingId })))
  }
}

/** Calls a webhook once and writes down how it went. Whoever dies in between calls it again: same id. */
async function tellOne (ledger: Ledger, tellingId: bigint, chance: () => number): Promise<void> {
  const telling = await readTelling(ledger.db, tellingId)
  if (telling === null || telling.state !== 'waiting') return
  const answer = telling.webhookEnded
    ? { ok: false, gone: true, words: 'the webhook was ended' }
    : await call(ledger, telling)
  killPoint('after-telling')
  const atMs = ledger.clock.now()
  const tries = telling.tries + 1
  const state = answer.ok ? 'done' : answer.gone || tries >= tellTriesMax ? 'dead' : 'waiting'
  const dueAtMs = atMs + (state === 'waiting' ? tellPauseMs(tries, chance()) : 0)
  await noteTry(ledger.db, tellingId, { state, answer: answer.words, dueAtMs, atMs })
  if (state === 'dead') {
    ledger.log.warn({ webhook: String(telling.webhookId), telling: String(tellingId), answer: answer.words },
      'a telling is given up')
  }
}

async function call (ledger: Ledger, telling: Telling): Promise<Answer> {
  const body = JSON.stringify(eventOf(telling))
  const atMs = ledger.clock.now()
  const headers = signedHeaders(secretsOf(ledger, telling, atMs), { id: telling.eventId, atMs, body })
  return await send({ url: telling.url, headers, body }, ledger.privateWebhooks)
}

/** Runs `work` again and again, never two at once; a fault is said and the next round tries again. */
function every (
  pauseMs: number, work: () => Promise<void>, onError: (error: Error) => void
): { stop: () => Promise<void> } {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let running = Promise.resolve()
  const next = (): void => {
    running = work().catch(onError).then(() => {
      if (!stopped) timer = setTimeout(next, pauseMs)
    })
  }
  next()
  return {
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await running
    }
  }
}
