// One call of a webhook: POST, no redirect followed, a deadline, and of the answer only its status: what
// stands in it must not come back through our API.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { guardedLookup, refusalOf } from './address.ts'

export type Call = {
  readonly url: string, readonly headers: Readonly<Record<string, string>>, readonly body: string
}
/** `gone`: the receiver says that it wants no more (410). */
export type Answer = { readonly ok: boolean, readonly gone: boolean, readonly words: string }

const timeoutMs = 10_000

export async function send ({ url, headers, body }: Call, allowPrivate: boolean): Promise<Answer> {
  const refusal = refusalOf(url, allowPrivate)
  if (refusal !== null) return { ok: false, gone: false, words: refusal }
  const request = new URL(url).protocol === 'https:' ? httpsRequest : httpRequest
  const bytes = Buffer.from(body, 'utf8')
  return await new Promise(resolve => {
    const fail = (words: string) => resolve({ ok: false, gone: false, words: words.slice(0, 200) })
    const calling = request(url, {
      method: 'POST', agent: false, lookup: guardedLookup(allowPrivate),
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        ...headers, 'content-type': 'application/json', 'content-length': bytes.length,
        'user-agent': 'citizen-card-ledger'
      }
    }, answer => {
      const status = answer.statusCode ?? 0
      resolve({ ok: status >= 200 && status < 300, gone: status === 410, words: `HTTP ${status}` })
      answer.destroy()
    })
    calling.on('error', (error: NodeJS.ErrnoException) => {
      fail(error.name === 'TimeoutError' || error.name === 'AbortError'
        ? `no answer within ${timeoutMs} ms`
        : error.message === '' ? error.code ?? 'no connection' : error.message)
    })
    calling.end(bytes)
  })
}
