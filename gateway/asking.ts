// One question to the ledger, under a key that stays the same on every repeat: its reply, its refusal, or
// nothing in time. Nothing is not no: it may have been carried out. It refuses to know what is asked.
import type { Static, TSchema } from 'typebox'
import { Check } from 'typebox/value'
import { HttpAnswerError, type HttpClient } from '../runtime/http-client.ts'

export type Asked<T> =
  /** `tries` 1: to the first question; a later one may be a repeat of what was carried out. */
  | { readonly outcome: 'replied', readonly reply: T, readonly tries: number }
  /** The ledger says that no repeat will help: malformed, key used for something else, not allowed. */
  | { readonly outcome: 'refused', readonly why: string, readonly status: number }
  | { readonly outcome: 'unknown', readonly why: string }

export type Question<S extends TSchema> = {
  readonly http: Pick<HttpClient, 'post'>
  readonly path: string
  readonly body: unknown
  readonly schema: S
  readonly nowMs: () => number
  readonly deadlineMs: number
  readonly retryMs: number
  /** Nobody waits for the answer any longer. */
  readonly over?: AbortSignal | undefined
}

/** Asks, and asks again, until it is answered or the deadline is over. */
export async function askUntil<S extends TSchema> (question: Question<S>): Promise<Asked<Static<S>>> {
  const { http, path, body, schema, nowMs, deadlineMs, retryMs, over } = question
  const endMs = nowMs() + deadlineMs
  for (let tries = 1; ; tries++) {
    try {
      const tryTimeoutMs = Math.max(1, Math.ceil(endMs - nowMs()))
      const signal = over === undefined ? {} : { signal: over }
      const reply: unknown = await http.post(path, body, { tries: 1, tryTimeoutMs, ...signal })
      if (Check(schema, reply)) return { outcome: 'replied', reply: reply as Static<S>, tries }
      return { outcome: 'unknown', why: 'the ledger answered something else than a reply' }
    } catch (error) {
      if (error instanceof HttpAnswerError) {
        return { outcome: 'refused', why: error.message, status: error.status }
      }
      if (over?.aborted === true || nowMs() + retryMs >= endMs) {
        return { outcome: 'unknown', why: (error as Error).message }
      }
      await new Promise(resolve => setTimeout(resolve, retryMs))
    }
  }
}
