// The ledger as anybody outside sees it: HTTP with a bearer token. A refusal is a value with its reason; a
// broken connection is tried again only where the scenario crashes the ledger on purpose, with the same
// bytes.
import { randomUUID } from 'node:crypto'
import type {
  AccountBalance, CardView, DayView, Problem, RecordTotals, RecordView, TrialBalance
} from '../../schemas/api.ts'
import { totalsOver, type RecordCounts } from '../record-totals.ts'
import type { Access } from './stack.ts'

/** A machine by kind, a member of staff by name, whoever has a token, or nobody in particular. */
export type Caller = keyof Access['tokens'] | { readonly staff: string } | { readonly token: string } | null

export type Call = {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly as: Caller
  readonly json?: unknown
  readonly bytes?: Uint8Array
  /** Content type of the bytes; those of a clearing file when absent. */
  readonly type?: string
}

/** The ledger said no. */
export class Refused extends Error {
  readonly reason: string
  readonly status: number

  constructor (call: Call, status: number, problem: Partial<Problem>) {
    super(
      `${call.method ?? 'GET'} ${call.path}: ${status} ${problem.reason ?? ''} ${problem.detail ?? ''}`.trim()
    )
    this.name = 'Refused'
    this.reason = problem.reason ?? `status ${status}`
    this.status = status
  }
}

export type Api = {
  /** The body: parsed where it is JSON, bytes of a workbook, else text. Throws Refused. */
  call(call: Call): Promise<unknown>
  get<T>(path: string, as?: Caller): Promise<T>
  /** All items of a list, page by page. */
  all<T>(path: string, as?: Caller): Promise<T[]>
  cards(): Promise<CardView[]>
  records(): Promise<RecordView[]>
  /** Records counted, of one clearing date or of all. */
  totals(date?: string): Promise<RecordCounts>
  accounts(): Promise<TrialBalance>
}

export type ApiOptions = {
  readonly url: () => string
  readonly access: Access
  /**
   * Called when a connection broke; true: the ledger is up again (perhaps elsewhere), try the same once
   * more.
   */
  readonly revive: () => Promise<boolean>
}

export function openApi ({ url, access, revive }: ApiOptions): Api {
  const sessions = new Map<string, string>()

  async function tokenOf (caller: Caller): Promise<string | null> {
    if (caller === null) return null
    if (typeof caller === 'string') return access.tokens[caller]
    if ('token' in caller) return caller.token
    const known = sessions.get(caller.staff)
    if (known !== undefined) return known
    const signIn: Call = {
      method: 'POST',
      path: '/v1/session',
      as: caller,
      json: { name: caller.staff, password: access.passwords[caller.staff] ?? '' }
    }
    const { token } = (await answered(signIn, await send(url(), signIn, null, null))) as { token: string }
    sessions.set(caller.staff, token)
    return token
  }

  async function call (one: Call): Promise<unknown> {
    // Sent again after a crash it is the same request, and gets the first answer if there was one.
    const key = randomUUID()
    for (;;) {
      const base = url()
      try {
        return await answered(one, await send(base, one, await tokenOf(one.as), key))
      } catch (error) {
        // Another call may have found out first.
        if (error instanceof Refused || (base === url() && !(await revive()))) throw error
      }
    }
  }

  const get = <T>(path: string, as: Caller = 'auditor') => call({ path, as }) as Promise<T>
  return {
    call,
    get,
    all: (path, as) => walk(one => get(one, as), path),
    cards: () => walk<CardView>(get, '/v1/cards'),
    records: () => walk<RecordView>(get, '/v1/records'),
    accounts: () => get<TrialBalance>('/v1/accounts'),
    totals: async date => {
      const days = date === undefined ? await walk<DayView>(get, '/v1/days') : [{ date }]
      return await totalsOver(days, path => get<RecordTotals>(path))
    }
  }
}

/** The balance of one account on its normal side; 0 where nothing was ever booked. */
export const balanceOf = (accounts: readonly AccountBalance[], account: string): number =>
  Number(accounts.find(one => one.account === account)?.balanceFen ?? 0)

const send = (
  base: string,
  { method = 'GET', path, json, bytes, type: bytesType = 'application/octet-stream' }: Call,
  token: string | null,
  key: string | null
): Promise<Response> => {
  const type =
    json !== undefined ? 'application/json' : bytes !== undefined ? bytesType : null
  return fetch(new URL(path, base), {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(type === null ? {} : { 'content-type': type }),
      ...(key === null || method !== 'POST' ? {} : { 'idempotency-key': key })
    },
    ...(json !== undefined ? { body: JSON.stringify(json) } : bytes !== undefined ? { body: bytes } : {})
  })
}

async function answered (call: Call, response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? ''
  if (response.ok && /spreadsheetml/.test(type)) return Buffer.from(await response.arrayBuffer())
  const text = await response.text()
  const json =
    /json/.test(type) && text !== ''
      ? (JSON.parse(text) as unknown)
      : text
  if (!response.ok) {
    throw new Refused(
      call,
      response.status,
      typeof json === 'string' ? { detail: json } : (json as Partial<Problem>)
    )
  }
  return json
}

type Page<T> = { readonly items: readonly T[], readonly next: string | number | null }

/** Lists are read on from a place, or back from one: each says by its parameter which. */
async function walk<T> (get: <P>(path: string) => Promise<P>, path: string): Promise<T[]> {
  const place = readBack.some(list => path.startsWith(list)) ? 'before' : 'after'
  const items: T[] = []
  for (let next = ''; ;) {
    const page = await get<Page<T>>(`${path}${path.includes('?') ? '&' : '?'}limit=1000${next}`)
    items.push(...page.items)
    if (page.next === null || page.next === undefined) return items
    next = `&${place}=${encodeURIComponent(page.next)}`
  }
}

/** Lists that begin with the newest. */
const readBack = [
  '/v1/alerts', '/v1/audit', '/v1/bank-lines', '/v1/bank-statements', '/v1/card-blocks', '/v1/days',
  '/v1/disputes', '/v1/loads', '/v1/proposals'
]
