// The courier's queue: BullMQ on the ledger's own PostgreSQL, or on Redis where one is named. A job is a
// number; whoever loses the queue loses nothing.
import { createPostgresBackend, Queue, runMigrations, Worker, type Job } from 'bullmq'
import { openQueueDb, type Db } from '../store/db.ts'

export type QueueOptions = {
  readonly databaseUrl: string
  readonly redisUrl: string | null
  readonly concurrency: number
  readonly work: (tellingId: bigint) => Promise<void>
  readonly onError: (error: Error) => void
}
export type CourierQueue = {
  /** Puts tellings into the queue; one that waits there under the same name is not put there twice. */
  readonly add: (tellings: readonly { readonly name: string, readonly tellingId: bigint }[]) => Promise<void>
  /** How many wait or are being worked on. */
  readonly depth: () => Promise<number>
  /** Waits for what is being worked on. */
  readonly close: () => Promise<void>
}

const queueName = 'tellings'
/** A worker that died is noticed after so long; a call takes ten seconds at most. */
const stalledMs = 15_000
/** In the database: BullMQ's own tables, apart from ours. */
export const queueSchema = 'bullmq'
type Payload = { readonly telling: string }

export async function startQueue (options: QueueOptions): Promise<CourierQueue> {
  const parts = options.redisUrl === null
    ? await onPostgres(options)
    : onRedis(options, options.redisUrl)
  const { queue, worker, ready, end } = parts
  queue.on('error', options.onError)
  worker.on('error', options.onError)
  await ready()
  return {
    add: async tellings => {
      await queue.addBulk(tellings.map(({ name, tellingId }) => ({
        name: 'tell', data: { telling: String(tellingId) },
        opts: { jobId: name, removeOnComplete: true, removeOnFail: true, attempts: 1 }
      })))
    },
    depth: async () => await queue.getJobCountByTypes('waiting', 'active', 'delayed'),
    close: async () => {
      await worker.close()
      await queue.close()
      await end()
    }
  }
}

const processorOf = ({ work }: QueueOptions) => async (job: Job<Payload>): Promise<void> =>
  await work(BigInt(job.data.telling))

const working = ({ concurrency }: QueueOptions) =>
  ({ concurrency, lockDuration: stalledMs, stalledInterval: stalledMs })

/** Two ledgers on one Redis do not carry each other's numbers. */
const prefixOf = ({ databaseUrl }: QueueOptions): string =>
  `citizen-card:${new URL(databaseUrl).pathname.slice(1)}`

/**
 * BullMQ would require() the driver by itself, which a module cannot; so it gets a pool of ours that looks
 * into its schema. It looks once whether the schema is there, and holds a failure for final: a database that
 * goes at that moment would leave a courier that tells nobody anything and never rests. So the ledger is not
 * up before both have looked.
 */
async function onPostgres (options: QueueOptions) {
  const db: Db = openQueueDb(options.databaseUrl, queueSchema, options.onError)
  const client = await db.connect()
  try {
    await runMigrations(client, queueSchema)
  } finally {
    client.release()
  }
  const connection = db as never
  const queue = new Queue<Payload>(queueName, { connection }, createPostgresBackend as never)
  const worker = new Worker<Payload>(queueName, processorOf(options), {
    connection, autorun: false, ...working(options)
  }, createPostgresBackend as never)
  return {
    queue,
    worker,
    ready: async () => {
      try {
        await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
      } catch (error) {
        await db.end()
        throw error
      }
      worker.run().catch(options.onError)
    },
    end: async () => { await db.end() }
  }
}

function onRedis (options: QueueOptions, url: string) {
  const prefix = prefixOf(options)
  return {
    queue: new Queue<Payload>(queueName, { connection: { url }, prefix }),
    worker: new Worker<Payload>(queueName, processorOf(options), {
      connection: { url, maxRetriesPerRequest: null }, prefix, ...working(options)
    }),
    ready: async () => {}, // it connects again and again
    end: async () => {}
  }
}
