// Asks the ledger's permission for what has not happened yet, for whatever device wants it. An answer that
// does not come is unknown, never declined: the device says so, and asks or reverses again by the same key.
// It refuses to know devices and protocols.
import { Check } from 'typebox/value'
import { HttpAnswerError, type HttpClient } from '../runtime/http-client.ts'
import { type NewRequest, RequestReply } from '../schemas/request.ts'

export type Answer =
  | { readonly outcome: 'approved' | 'declined', readonly reply: RequestReply }
  /** The ledger says that no repeat will help: malformed, key used for something else, not allowed. */
  | { readonly outcome: 'refused', readonly why: string }
  /** It may have been carried out. The same request again, or its reversal, finds out. */
  | { readonly outcome: 'unknown', readonly why: string }

export type Desk = {
  /** Asks, and asks again with the same key, until it is answered or the deadline is over. */
  ask (request: NewRequest, deadlineMs: number): Promise<Answer>
}

export function openDesk ({ http, nowMs }: { http: Pick<HttpClient, 'post'>, nowMs: () => number }): Desk {
  async function ask (request: NewRequest, deadlineMs: number): Promise<Answer> {
    const signal = AbortSignal.timeout(deadlineMs)
    const endMs = nowMs() + deadlineMs
    for (;;) {
      try {
        const tryTimeoutMs = Math.max(1, Math.ceil(endMs - nowMs()))
        const reply = await http.post('/v1/requests', request, { tries: 1, tryTimeoutMs, signal })
        if (Check(RequestReply, reply)) return { outcome: reply.outcome, reply }
        return { outcome: 'unknown', why: 'the ledger answered something else than a reply' }
      } catch (error) {
        if (error instanceof HttpAnswerError) return { outcome: 'refused', why: error.message }
        if (signal.aborted || nowMs() + retryMs >= endMs) {
          return { outcome: 'unknown', why: (error as Error).message }
        }
        await new Promise(resolve => setTimeout(resolve, retryMs))
      }
    }
  }
  return { ask }
}

const retryMs = 100
