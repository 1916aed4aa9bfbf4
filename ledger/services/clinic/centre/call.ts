// One message to a centre and its answer over HTTP. What does not come in time, or cannot be read, is
// silence: it says nothing about what the centre did. It refuses to know what is done about that.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { localDate, localTime } from '../../../../runtime/instants.ts'
import type { ClinicCentre } from '../../../../schemas/medical/centre.ts'
import {
  buildRequest, parseAnswer, type AnswerBody, type RequestBody
} from '../../../../schemas/medical/message.ts'
import { dialects, type MessageName } from '../../../../schemas/medical/messages.ts'
import type { Ledger } from '../../../ledger.ts'

/** Whose name a message goes out in. */
export type Sender = { readonly code: string, readonly name: string }

export type Answered<M extends MessageName> =
  | { readonly says: 'yes', readonly body: AnswerBody<M> }
  | { readonly says: 'no', readonly words: string }
  | { readonly says: 'silent', readonly words: string }

/** The id of a message: institution 12, time 14, sequence 4. The same is sent again with the same. */
export const msgidOf = ({ code }: Sender, atMs: number, nth: bigint): string =>
  code.slice(0, 12).padEnd(12, '0') + stamp(atMs) + String(nth % 10_000n).padStart(4, '0')

const stamp = (atMs: number): string => `${localDate(atMs)}${localTime(atMs)}`.replace(/\D/g, '').slice(0, 14)

export async function call<M extends MessageName> (
  { clock, log }: Pick<Ledger, 'clock' | 'log'>, centre: ClinicCentre, sender: Sender,
  { name, msgid, body }: { readonly name: M, readonly msgid: string, readonly body: RequestBody<M> }
): Promise<Answered<M>> {
  const atMs = clock.now()
  const bytes = buildRequest(dialects[centre.dialect], name, {
    msgid, mdtrtarea_admvs: centre.area, insuplc_admdvs: centre.area, recer_sys_code: centre.receiver,
    dev_no: null, dev_safe_info: null, cainfo: null, signtype: null, infver: 'V1.0', opter_type: '3',
    opter: 'citizen-card', opter_name: '市民卡', inf_time: `${localDate(atMs)} ${localTime(atMs)}`,
    fixmedins_code: sender.code, fixmedins_name: sender.name, sign_no: null
  }, body)
  const got = await post(centre, bytes)
  if ('words' in got) {
    log.warn({ area: centre.area, msgid, message: name, words: got.words }, 'clinic: a centre is silent')
    return { says: 'silent', words: got.words }
  }
  const read = parseAnswer(name, got.bytes)
  if (!read.ok) {
    const words = `an answer that is none: ${read.field} ${read.why}`
    log.warn({ area: centre.area, msgid, message: name, words }, 'clinic: a centre does not answer')
    return { says: 'silent', words }
  }
  const { head, body: told } = read.message
  return told === null
    ? { says: 'no', words: head.err_msg ?? `infcode ${head.infcode}` }
    : { says: 'yes', body: told }
}

const answerBytesMax = 32 * 2 ** 20

type Got = { readonly bytes: Uint8Array } | { readonly words: string }

/** A connection for each message: one that died says nothing about the next. */
async function post ({ url, answerMs }: ClinicCentre, bytes: Uint8Array): Promise<Got> {
  const request = new URL(url).protocol === 'https:' ? httpsRequest : httpRequest
  return await new Promise(resolve => {
    const calling = request(url, {
      method: 'POST', agent: false, signal: AbortSignal.timeout(answerMs),
      headers: { 'content-type': 'application/json; charset=utf-8', 'content-length': bytes.length }
    }, answer => {
      const parts: Buffer[] = []
      let size = 0
      answer.on('data', (part: Buffer) => {
        size += part.length
        if (size > answerBytesMax) calling.destroy(new Error('an answer without end'))
        else parts.push(part)
      })
      answer.on('error', fail)
      answer.on('end', () => {
        const { statusCode = 0 } = answer
        resolve(statusCode === 200 ? { bytes: Buffer.concat(parts) } : { words: `HTTP ${statusCode}` })
      })
    })
    function fail (error: NodeJS.ErrnoException): void {
      const late = error.name === 'TimeoutError' || error.name === 'AbortError'
      resolve({ words: late ? `no answer within ${answerMs} ms` : error.code ?? error.message })
    }
    calling.on('error', fail)
    calling.end(bytes)
  })
}
