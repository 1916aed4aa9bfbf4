// Many ledgers in one process, for the scenario runner: each on its own database with a clock that stands
// still until it is told otherwise; the key workers are shared. Not for a city: whoever reaches its port
// rules it.
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { manualClock, type ManualClock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import { parseIso } from '../runtime/instants.ts'
import { armKillPoint } from '../runtime/kill-point.ts'
import { createLog } from '../runtime/log.ts'
import { announceReady } from '../runtime/supervise.ts'
import { buildLedger, type BuiltLedger } from './ledger.ts'
import { openSigner } from './proof/seal.ts'
import { startTacPool } from './tac/tac-pool.ts'

const config = readConfig(Type.Object({
  LEDGER_KEYS: Type.String({ description: 'path of the encrypted key file, or the pkcs11: URI of a token' }),
  LEDGER_KEYS_PASSPHRASE: Type.String({ description: 'opens the key file, or the PIN of the token' }),
  LEDGER_SIGNING_KEY: Type.String({ description: 'path of the Ed25519 key; made when missing' }),
  LEDGER_TAC_WORKERS: Type.Integer({ minimum: 1, maximum: 64, default: 1 }),
  LEDGER_PARTITION_DAYS: Type.Integer({ minimum: 1, maximum: 366, default: 35 })
}), process.env)

const closed = { additionalProperties: false } as const
const NewStack = Type.Object({ databaseUrl: Type.String(), clock: Type.String() }, closed)
const ClockAt = Type.Object({ at: Type.String() }, closed)
const KillAt = Type.Object({ at: Type.String() }, closed)

type Stack = BuiltLedger & { readonly clock: ManualClock }
const stacks = new Map<string, Stack>()
let stacksMade = 0

const log = createLog('ledger-host')
const tac = await startTacPool({
  workers: config.LEDGER_TAC_WORKERS, keyFile: config.LEDGER_KEYS, passphrase: config.LEDGER_KEYS_PASSPHRASE
})
const signer = openSigner(config.LEDGER_SIGNING_KEY)

const server = createServer((request, response) => {
  answer(request).then(
    body => reply(response, 200, body),
    (error: Error) => reply(response, 400, { detail: error.message }))
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  announceReady({ url: `http://127.0.0.1:${port}` }, async () => {
    server.closeAllConnections()
    server.close()
    await Promise.all([...stacks.values()].map(stack => stack.close()))
    await tac.close()
  })
})

async function answer (request: IncomingMessage): Promise<unknown> {
  const path = request.url ?? ''
  if (request.method === 'GET' && path === '/healthz') return { status: 'ok' }
  if (request.method === 'POST' && path === '/stacks') {
    return await open(Value.Parse(NewStack,
      await bodyOf(request)))
  }
  if (request.method === 'PUT' && path === '/kill-at') {
    armKillPoint(Value.Parse(KillAt, await bodyOf(request)).at)
    return {}
  }
  const [, id = '', part] = /^\/stacks\/(\d+)(\/clock)?$/.exec(path) ?? []
  const stack = stacks.get(id)
  if (stack === undefined) throw new Error(`no ${request.method} ${path}`)
  if (request.method === 'PUT' && part === '/clock') {
    stack.clock.set(parseIso(Value.Parse(ClockAt, await bodyOf(request)).at))
    return {}
  }
  if (request.method !== 'DELETE' || part !== undefined) throw new Error(`no ${request.method} ${path}`)
  stacks.delete(id)
  await stack.close()
  return {}
}

/** A scenario jumps over days, and its people stay signed in. */
const sessionMs = 366 * 24 * 3_600_000

async function open ({ databaseUrl, clock: at }: { databaseUrl: string, clock: string }) {
  const clock = manualClock(parseIso(at))
  const built = await buildLedger({
    databaseUrl, clock, log, tac, signer, random: randomBytes, partitionDays: config.LEDGER_PARTITION_DAYS,
    sessionMs
  })
  const url = await built.app.listen({ host: '127.0.0.1', port: 0 })
  const id = String(++stacksMade)
  stacks.set(id, { ...built, clock })
  return { id, url }
}

async function bodyOf (request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

function reply (response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
