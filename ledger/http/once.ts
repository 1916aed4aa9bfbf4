// A POST that is sent again does its deed once. Whoever names it by `Idempotency-Key` (IETF draft "The
// Idempotency-Key HTTP Header Field") is given the first answer again: deed and answer are one transaction,
// so that a death in between leaves both or neither. It refuses to know what is done.
import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'
import { killPoint } from '../../runtime/kill-point.ts'
import { limits } from '../../schemas/limits.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction, joined, type Tx } from '../store/db.ts'
import { findReply, insertReply, takeKey, type KeyedReply } from '../store/keyed-replies.ts'
import type { App } from './app.ts'
import { callerIn } from './auth.ts'
import { toJson } from './json.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A POST that takes an `Idempotency-Key`; `sealed`: its answer holds a secret, and is kept sealed. */
    keyed?: true | 'sealed'
    /** What a POST that takes none does when it is sent again, for the description. */
    repeated?: string
  }
  interface FastifyRequest {
    /** For keyed routes: a ledger whose database is the transaction of the key, where there is one. */
    ledger: Ledger | null
  }
}

/** The ledger of a keyed route: all that it does goes through this one, and it sends nothing itself. */
export function ledgerIn ({ ledger, url }: FastifyRequest): Ledger {
  if (ledger === null) throw new Error(`${url} takes no Idempotency-Key`)
  return ledger
}

/** Wraps the handlers of keyed routes. A POST that does not say what a repeat does makes no start. */
export const once = fp(async (app: App, { ledger }: { ledger: Ledger }) => {
  app.decorateRequest('ledger', null)
  app.addHook('onRoute', route => {
    if (route.method !== 'POST') return
    const { keyed, repeated } = route.config ?? {}
    if ((keyed === undefined) === (repeated === undefined)) {
      throw new Error(`POST ${route.url} does not say what a repeat does: keyed, or repeated in words`)
    }
    if (keyed === undefined) return
    const work = route.handler as unknown as Work
    route.handler = async (request, reply) => await doOnce(ledger, work, request, reply)
    route.schema = { ...route.schema, headers: KeyHeader }
  })
}, { name: 'once' })

type Work = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>
type Done = { readonly payload: unknown } | { readonly first: KeyedReply } | { readonly refusal: Refusal }

async function doOnce (
  ledger: Ledger, work: Work, request: FastifyRequest, reply: FastifyReply
): Promise<unknown> {
  const key = keyIn(request)
  request.ledger = ledger
  if (key === null) return await work(request, reply)
  const asked = { caller: callerIn(request).id, key, request: digestOf(request) }
  const kept = keeping(ledger, request, asked)
  const snapshot = await ledger.registry()
  const done = await inTransaction(ledger.db, async (tx): Promise<Done> => {
    const first = await firstReply(tx, asked)
    if (first !== null) return { first }
    // One connection does for all of it: whoever waits for a second one while others wait for its locks may
    // wait for ever.
    request.ledger = { ...ledger, db: joined(tx), registry: async () => snapshot }
    try {
      const payload = await work(request, reply)
      await insertReply(tx, { ...asked, ...written(reply, payload, kept.seal) }, ledger.clock.now())
      killPoint('before-keyed-commit')
      return { payload }
    } catch (error) {
      // Nothing was done, so the key is free again; what was written down about it (a proposal has become
      // stale) stays.
      if (error instanceof Refusal) return { refusal: error }
      throw error
    }
  })
  killPoint('after-keyed-commit')
  if ('refusal' in done) throw done.refusal
  return 'payload' in done ? done.payload : await again(reply, done.first, kept.open)
}

type Asked = Pick<KeyedReply, 'caller' | 'key' | 'request'>

/** Throws Refusal key_in_flight, key_reused. */
async function firstReply (tx: Tx, { caller, key, request }: Asked): Promise<KeyedReply | null> {
  if (!await takeKey(tx, caller, key)) {
    throw new Refusal('key_in_flight', `${key} is being answered: ask again in a moment`, '/idempotency-key')
  }
  const first = await findReply(tx, caller, key)
  if (first === null || first.request.equals(request)) return first
  throw new Refusal('key_reused', `${key} was sent before with another request`, '/idempotency-key')
}

type Change = (text: string) => string

/** How the text of an answer is kept, and read. */
function keeping (
  { personal }: Ledger, { routeOptions }: FastifyRequest, { caller, key }: Asked
): { readonly seal: Change, readonly open: Change } {
  if (routeOptions.config.keyed !== 'sealed') return { seal: text => text, open: text => text }
  const about = `answer to ${key} of ${caller}`
  return { seal: text => personal.sealText(about, text), open: line => personal.openText(about, line) }
}

function written (
  reply: FastifyReply, payload: unknown, seal: Change
): Pick<KeyedReply, 'status' | 'body'> {
  if (reply.sent) throw new Error(`${reply.request.url} was answered before its transaction ended`)
  return { status: reply.statusCode, body: payload === null ? null : seal(toJson(payload)) }
}

async function again (
  reply: FastifyReply, { status, body }: KeyedReply, open: Change
): Promise<FastifyReply> {
  const text = body === null ? null : open(body)
  reply.code(status).header('idempotency-replayed', 'true')
  if (text === null) return await reply.send(null)
  return await reply.type('application/json; charset=utf-8').serializer(asIs).send(text)
}
const asIs = (payload: unknown): string => String(payload)

/** The draft writes the key as a quoted string; most clients leave the quotes out. Both are the same key. */
function keyIn ({ headers }: FastifyRequest): string | null {
  const said = headers['idempotency-key']
  return typeof said !== 'string' ? null : said.replace(/^"(.*)"$/, '$1')
}

function digestOf ({ method, url, rawBody }: FastifyRequest): Buffer {
  return createHash('sha256').update(`${method} ${url}\n`).update(rawBody ?? '').digest()
}

const visible = `[!#-\\[\\]-~]{1,${limits.idempotencyKeyMax}}`
const KeyHeader = Type.Object({
  'idempotency-key': Type.Optional(Type.String({
    pattern: `^("${visible}"|${visible})$`,
    description: 'names this request: sent again with the same body, it gets its first answer'
  }))
})
