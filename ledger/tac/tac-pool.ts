// A pool of worker threads that verify TACs in bulk. It refuses to know keys and records.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { FactorOrder } from '../../schemas/epurse/keys.ts'
import { itemLength } from './tac-item.ts'
import type { LoadAnswer, LoadQuestion } from './load-keys.ts'
import type { ChipAnswer, ChipQuestion } from './chip-keys.ts'
import type {
  ChipTask, ChipTaskAnswer, Closing, LoadTask, LoadTaskAnswer, TacAnswer,
  TacTask
} from './tac-worker.ts'

export type TacPool = {
  /** `items` holds whole items (see tac-item.ts) and is given away. One byte per item comes back: 1 valid. */
  readonly verify: (items: Uint8Array, order: FactorOrder) => Promise<Uint8Array>
  /** The MACs and the TAC of one load. */
  readonly load: (asked: LoadQuestion) => Promise<LoadAnswer>
  /** What is signed for a chip, or a PIN for its holder. */
  readonly chip: (asked: ChipQuestion) => Promise<ChipAnswer>
  /** What was asked before is answered; nothing can be asked afterwards. */
  readonly close: () => Promise<void>
}

const limits = { endTimeoutMs: 2_000 } as const

type Answer = TacAnswer | LoadTaskAnswer | ChipTaskAnswer
type Question =
  Omit<TacTask, 'task'> | Omit<LoadTask, 'task'> | Omit<ChipTask, 'task'>
type Waiting = { readonly resolve: (answer: Answer) => void, readonly reject: (error: Error) => void }
type Lane = {
  readonly worker: Worker, readonly waiting: Map<number, Waiting>, readonly ended: Promise<void>
  dead: boolean
}

/**
 * Starts `workers` threads; each opens the key store itself, a file or a token (`pkcs11:…`, whose PIN the
 * passphrase is then). Rejects when it does not open. A thread that dies, as when the token is gone, fails
 * what it was asked, and another takes its place with the next question.
 */
export async function startTacPool (options: {
  readonly workers: number, readonly keyFile: string, readonly passphrase: string
}): Promise<TacPool> {
  const start = (): Lane => startLane(options.keyFile, options.passphrase)
  const lanes = Array.from({ length: options.workers }, start)
  const laneAt = (place: number): Lane => {
    const lane = lanes[place] as Lane
    return lane.dead ? (lanes[place] = start()) : lane
  }
  let tasks = 0
  let closed = false
  const ask = async (question: Question): Promise<Answer> => {
    if (closed) throw new Error('the key workers have ended')
    const lane = laneAt(tasks % lanes.length)
    const task = tasks++
    return await new Promise((resolve, reject) => {
      lane.waiting.set(task, { resolve, reject })
      lane.worker.postMessage({ task, ...question })
    })
  }
  const pool: TacPool = {
    verify: async (items, order) => {
      if (items.length % itemLength !== 0) throw new RangeError(`not whole items: ${items.length} bytes`)
      return (await ask({ items, order }) as TacAnswer).valid
    },
    load: async asked => (await ask({ load: asked }) as LoadTaskAnswer).load,
    chip: async asked => (await ask({ chip: asked }) as ChipTaskAnswer).chip,
    close: async () => {
      closed = true
      await Promise.all(lanes.map(endLane))
    }
  }
  try {
    // An empty task is answered only by a worker whose key store opened.
    await Promise.all(lanes.map(() => pool.verify(new Uint8Array(0), 'city-first')))
  } catch (error) {
    await pool.close()
    throw error
  }
  return pool
}

/**
 * A thread ends by itself: a process whose threads were ended by force sometimes never exits
 * (nodejs/node#54918). By force only one that waits for its token without end.
 */
async function endLane ({ worker, ended, dead }: Lane): Promise<void> {
  const waited = new AbortController()
  if (!dead) worker.postMessage('close' satisfies Closing)
  const late = delay(limits.endTimeoutMs, 'late', { signal: waited.signal }).catch(() => 'in time')
  if (await Promise.race([ended, late]) === 'late') await worker.terminate()
  waited.abort()
}

function startLane (path: string, passphrase: string): Lane {
  const worker = new Worker(
    new URL('../../runtime/start.mjs', import.meta.url),
    { argv: [join(import.meta.dirname, 'tac-worker.ts')], workerData: { path, passphrase } }
  )
  const ended = new Promise<void>(resolve => worker.once('exit', () => { resolve() }))
  const lane: Lane = { worker, waiting: new Map(), ended, dead: false }
  const die = (error: Error): void => {
    lane.dead = true
    for (const { reject } of lane.waiting.values()) reject(error)
    lane.waiting.clear()
  }
  worker.on('message', (answer: Answer) => {
    lane.waiting.get(answer.task)?.resolve(answer)
    lane.waiting.delete(answer.task)
  })
  worker.on('error', error => { die(error as Error) })
  worker.on('exit', () => { die(new Error('the key worker has ended')) })
  return lane
}
