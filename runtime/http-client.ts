// JSON over HTTP with kept-alive connections, a deadline per try and a counted retry.
// An answer (the server understood and said no) is told apart from a fault (nobody knows what happened):
// only faults are tried again. On node:http rather than fetch, because client certificates need no further
// package here.

import { type IncomingMessage, Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { errorCode } from './files.ts'

/** The server answered with a status that repeating will not change (3xx, 4xx except 408, 425 and 429). */
export class HttpAnswerError extends Error {
  readonly retry = false
  readonly status: number
  readonly body: unknown

  constructor (what: string, status: number, body: unknown) {
    super(`${what}: answered ${status}${excerpt(body)}`)
    this.name = 'HttpAnswerError'
    this.status = status
    this.body = body
  }
}

/** No usable answer: refused, cut off, too late, 5xx, not JSON. The request may have been carried out. */
export class HttpFaultError extends Error {
  readonly retry = true
  readonly status: number | undefined

  constructor (what: string, why: string, options: { status?: number, cause?: unknown } = {}) {
    super(`${what}: ${why}`, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HttpFaultError'
    this.status = options.status
  }
}

export type HttpClientOptions = {
  baseUrl: string
  /** Deadline of one try, from the first byte sent to the last one read. */
  tryTimeoutMs?: number
  /** Tries in all, the first included. */
  tries?: number
  /**
   * Pause before the second try; doubled for each further one up to the limit, then drawn from its upper
   * half.
   */
  backoffMs?: number
  backoffMaxMs?: number
  /** Jitter source, 0 <= x < 1. */
  random: () => number
  headers?: Readonly<Record<string, string>>
  tls?: { key?: string, cert?: string, ca?: string }
  /** Connections kept open at once. */
  connectionsMax?: number
}

export type CallOptions = {
  headers?: Readonly<Record<string, string>>
  tries?: number
  tryTimeoutMs?: number
  /** Ends the call, waiting included, with a fault. */
  signal?: AbortSignal
}

export type HttpClient = {
  get (path: string, options?: CallOptions): Promise<unknown>
  /** May be sent more than once: the other side must know a repeat by its own key. */
  post (path: string, body: unknown, options?: CallOptions): Promise<unknown>
  put (path: string, body: unknown, options?: CallOptions): Promise<unknown>
  delete (path: string, options?: CallOptions): Promise<unknown>
  close (): void
}

type Backoff = Pick<HttpClientOptions, 'backoffMs' | 'backoffMaxMs' | 'random'>

const bodyBytesMax = 64 * 1024 * 1024

export function createHttpClient (options: HttpClientOptions): HttpClient {
  const base = new URL(options.baseUrl)
  const secure = base.protocol === 'https:'
  const agentOptions = { keepAlive: true, maxSockets: options.connectionsMax ?? 32, ...options.tls }
  const agent = secure ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions)
  const send: Send = secure ? httpsRequest : httpRequest

  async function call (method: string, path: string, body: unknown, given: CallOptions = {}) {
    const { signal } = given
    const url = new URL(base.pathname.replace(/\/$/, '') + path, base)
    const headers = { ...options.headers, ...given.headers }
    const tryTimeoutMs = given.tryTimeoutMs ?? options.tryTimeoutMs ?? 5_000
    const tries = given.tries ?? options.tries ?? 3
    for (let attempt = 1; ; attempt++) {
      try {
        return await oneTry({ send, agent, method, url, body, headers, tryTimeoutMs, signal })
      } catch (error) {
        if (!(error instanceof HttpFaultError) || attempt >= tries || signal?.aborted === true) throw error
        await pause(pauseMs(attempt, options), signal)
      }
    }
  }

  return {
    get: (path, callOptions) => call('GET', path, undefined, callOptions),
    post: (path, body, callOptions) => call('POST', path, body, callOptions),
    put: (path, body, callOptions) => call('PUT', path, body, callOptions),
    delete: (path, callOptions) => call('DELETE', path, undefined, callOptions),
    close: () => agent.destroy()
  }
}

/** Exponential, and never less than half of it, so that many gateways neither hammer nor march in step. */
export function pauseMs (attempt: number, options: Backoff): number {
  const { backoffMs = 100, backoffMaxMs = 5_000, random } = options
  const wholeMs = Math.min(backoffMaxMs, backoffMs * 2 ** (attempt - 1))
  return Math.round(wholeMs / 2 + random() * wholeMs / 2)
}

/** An aborted wait ends early; the next try then fails at once with the fault to report. */
const pause = (durationMs: number, signal: AbortSignal | undefined): Promise<unknown> =>
  delay(durationMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)

type Send = typeof httpRequest
type Try = {
  send: Send, agent: HttpAgent, method: string, url: URL, body: unknown
  headers: Readonly<Record<string, string>>, tryTimeoutMs: number, signal: AbortSignal | undefined
}

async function oneTry (attempt: Try): Promise<unknown> {
  const what = `${attempt.method} ${attempt.url.origin}${attempt.url.pathname}`
  const deadline = deadlineOf(attempt)
  let answer: { status: number, text: string }
  try {
    answer = await exchange(attempt, deadline.signal)
  } catch (cause) {
    const why = deadline.isOver() ? `no answer within ${attempt.tryTimeoutMs} ms` : reason(cause)
    throw new HttpFaultError(what, why, { cause })
  } finally {
    deadline.end()
  }
  const body = parsed(answer.text)
  const { status } = answer
  if (status >= 500 || status === 408 || status === 425 || status === 429) {
    throw new HttpFaultError(what, `answered ${status}${excerpt(body ?? answer.text)}`, { status })
  }
  if (status < 200 || status >= 300) throw new HttpAnswerError(what, status, body ?? answer.text)
  if (body === undefined) throw new HttpFaultError(what, `answered ${status}, but not in JSON`, { status })
  return body
}

/**
 * Ends with the call. `AbortSignal.timeout` and `any` stay until the deadline, a minute after most answers:
 * at some hundred calls a second the collector had more to do with them than with the calls.
 */
function deadlineOf ({ tryTimeoutMs, signal }: Try) {
  const ending = new AbortController()
  let isOver = false
  const timer = setTimeout(() => {
    isOver = true
    ending.abort()
  }, tryTimeoutMs)
  const follow = (): void => ending.abort(signal?.reason)
  if (signal?.aborted === true) follow()
  else signal?.addEventListener('abort', follow, { once: true })
  return {
    signal: ending.signal,
    isOver: () => isOver,
    end: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', follow)
    }
  }
}

function exchange (attempt: Try, signal: AbortSignal): Promise<{ status: number, text: string }> {
  const payload = attempt.body === undefined ? undefined : Buffer.from(JSON.stringify(attempt.body))
  return new Promise((resolve, reject) => {
    const headers = {
      accept: 'application/json',
      ...(payload === undefined ? {} : jsonHeaders(payload)),
      ...attempt.headers
    }
    const { method, agent } = attempt
    const request = attempt.send(attempt.url, { method, agent, headers, signal })
    request.on('error', reject)
    request.on('response', response => {
      const status = response.statusCode ?? 0
      readText(response).then(text => resolve({ status, text }), reject)
    })
    request.end(payload)
  })
}

const jsonHeaders = (payload: Buffer) =>
  ({ 'content-type': 'application/json', 'content-length': payload.length })

async function readText (response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw new Error(`answer longer than ${bodyBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** An empty body (204) is null; undefined means not JSON. */
function parsed (text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}

const reason = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  // A refused connection to a name with two addresses is an AggregateError with an empty message.
  return cause.message !== '' ? cause.message : errorCode(cause)
}

const excerpt = (body: unknown): string => {
  if (body === null || body === undefined || body === '') return ''
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return `: ${text.length > 300 ? text.slice(0, 300) + '…' : text}`
}
