// One call to the ledger's public API from a browser: its cookie goes along by itself, the second token of
// the session and a key for deeds that must not happen twice do not. It refuses to know what is asked.
import type { Problem } from '../../schemas/api.ts'

/** A page of a list; `next` is the place that the page after it begins at. */
export type Page<Item> = { readonly items: readonly Item[], readonly next: string | null }

/** The ledger refused, with its reason; null where it could not be reached, or what came was not from it. */
export class CallError extends Error {
  readonly problem: Problem | null

  constructor (problem: Problem | null, cause?: unknown) {
    super(problem?.title ?? 'no answer', { cause })
    this.problem = problem
  }
}

export type Deed = {
  readonly json?: unknown
  readonly bytes?: { readonly type: string, readonly content: Blob }
  /** Sent again with the same key it is done once. */
  readonly key?: string
}

let csrf: string | null = null
let onSignedOut: () => void = () => undefined

/** The second token, of which deeds need to know; null when nobody is signed in. */
export function bindSession (token: string | null, signedOut: () => void): void {
  csrf = token
  onSignedOut = signedOut
}

export type Query = Readonly<Record<string, string | null | undefined>>

/** A path with a query of what is there. */
export function pathOf (path: string, query: Query = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] =>
    pair[1] !== undefined && pair[1] !== null && pair[1] !== '')
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`
}

export const get = async <Reply>(path: string): Promise<Reply> => await call<Reply>('GET', path, {})

/** Throws CallError. */
export async function call<Reply> (method: string, path: string, { json, bytes, key }: Deed): Promise<Reply> {
  const body = bytes?.content ?? (json === undefined ? null : JSON.stringify(json))
  const response = await fetch(path, {
    method,
    body,
    credentials: 'same-origin',
    headers: {
      ...body === null ? {} : { 'content-type': bytes?.type ?? 'application/json' },
      ...method === 'GET' || csrf === null ? {} : { 'x-csrf-token': csrf },
      ...key === undefined ? {} : { 'idempotency-key': key }
    }
  }).catch((cause: unknown) => { throw new CallError(null, cause) })
  if (response.status === 204) return undefined as Reply
  const answer: unknown = await response.json()
    .catch((cause: unknown) => { throw new CallError(null, cause) })
  if (response.ok) return answer as Reply
  const problem = answer as Problem
  if (problem.reason === 'unauthenticated' && csrf !== null) onSignedOut()
  throw new CallError(problem)
}
