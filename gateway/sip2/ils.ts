// A library system of somebody else, asked over SIP2 in turn: readers, books and fees stay there, we move the
// money. A fee is paid first from the online account of the card; told no, the money goes back; told nothing,
// the same message with the same transaction finds out. It refuses to know terminals.
import { createConnection, type Socket } from 'node:net'
import type { Log } from '../../runtime/log.ts'
import { codePage } from '../../schemas/sip2/code-page.ts'
import type { Sip2Ils, Sip2Settings } from '../../schemas/sip2/config.ts'
import { lineCutter } from '../../schemas/sip2/lines.ts'
import {
  fenOf, readMessage, say, valueOf, writeMessage, type Message, type Said
} from '../../schemas/sip2/message.ts'
import { messageRow } from '../../schemas/sip2/messages.ts'
import type { Desk } from '../desk.ts'
import type { Answered, LibrarySystem, Question } from './library.ts'

export type IlsOptions = {
  readonly ils: Sip2Ils, readonly settings: Sip2Settings
  readonly desk: Pick<Desk, 'ask'>, readonly log: Log
}

export function ilsLibrary ({ ils, settings, desk, log }: IlsOptions): LibrarySystem {
  const line = openLine(ils, settings, log)
  async function answer (question: Question): Promise<Answered> {
    const { message } = question
    if (message.code !== '37') return await line.ask(message) ?? 'away'
    const paid = await pay(question)
    if (paid === 'unknown') return 'unknown'
    if (paid !== null) return refusedPayment(message, paid)
    const told = await line.ask({ ...message, fields: withTransaction(message, question.transaction) })
    if (told === null) return 'unknown'
    if (told.fixed['accepted'] !== 'Y' && await giveBack(question) === 'unknown') return 'unknown'
    return told
  }

  /** Null where there is nothing against it. */
  async function pay ({ message, transaction, terminal }: Question): Promise<string | null> {
    const amountFen = fenOf(valueOf(message, 'BV') ?? '')
    const serial = valueOf(message, 'AA') ?? ''
    const by = settings.payments[message.fixed['paymentType'] ?? '']
    if (by === 'cash') return null
    const sensible = amountFen !== null && amountFen > 0 && /^[0-9A-F]{20}$/.test(serial) && by === 'online'
    if (!sensible || message.fixed['currency'] !== settings.currency) return 'this payment is not possible'
    const answer = await desk.ask({
      kind: 'purchase', key: keyOf(settings.library, transaction), amountFen, party: settings.library,
      card: { issuer: ils.issuer, serial, issue: 1 }, ...terminal === null ? {} : { terminal }
    }, settings.answerSeconds * 1_000)
    if (answer.outcome === 'unknown') return 'unknown'
    if (answer.outcome === 'refused') return 'this payment is not possible'
    return answer.outcome === 'approved' ? null : answer.reply.reason
  }

  /** The library did not take it: a no is told only once the money is back. */
  async function giveBack ({ message, transaction }: Question): Promise<'back' | 'unknown'> {
    if (settings.payments[message.fixed['paymentType'] ?? ''] === 'cash') return 'back'
    const key = keyOf(settings.library, transaction)
    const answer = await desk.ask({ kind: 'reversal', key: `${key}.back`, of: { key } },
      settings.answerSeconds * 1_000)
    if (answer.outcome === 'unknown') return 'unknown'
    if (answer.outcome !== 'approved') log.error({ transaction }, 'money of a refused fee did not go back')
    return 'back'
  }

  function refusedPayment (message: Message, why: string): Said {
    return say('38', { accepted: 'N', date: message.fixed['date'] ?? '' }, [
      ['AO', settings.institution], ['AA', valueOf(message, 'AA') ?? ''],
      ['BK', valueOf(message, 'BK') ?? ''], ['AF', why]])
  }
  return { answer, isThere: line.isThere, close: line.close }
}

const keyOf = (library: string, transaction: string): string => `library.${library}.${transaction}`
const withTransaction = ({ fields }: Message, transaction: string): Message['fields'] =>
  [...fields.filter(([tag]) => tag !== 'BK'), ['BK', transaction]]

/* ---- the line to it ---- */

type Line = {
  /** Its answer, or null where none came. */
  ask (message: Pick<Message, 'code' | 'fixed' | 'fields'>): Promise<Said | null>
  isThere (): Promise<boolean>
  close (): void
}

/** One connection, opened when it is needed; one question at a time; error detection on. */
function openLine (ils: Sip2Ils, settings: Sip2Settings, log: Log): Line {
  const page = codePage(settings.codePage)
  const answerMs = (ils.answerSeconds ?? 10) * 1_000
  let socket: Socket | null = null
  let sequence = 0
  let closed = false
  let waiting: ((message: Message | null) => void) | null = null
  let work: Promise<unknown> = Promise.resolve()

  async function connect (): Promise<boolean> {
    const fresh = createConnection({ host: ils.host, port: ils.port })
    const lines = lineCutter()
    const lose = () => {
      if (socket === fresh) socket = null
      waiting?.(null)
    }
    fresh.on('error', error => log.warn({ why: error.message }, 'the library system')).on('close', lose)
    fresh.on('data', bytes => {
      for (const one of lines.push(bytes)) {
        const read = 'line' in one ? readMessage(one.line, page) : null
        if (read?.ok === true) waiting?.(read.message)
      }
    })
    const open = await new Promise<boolean>(resolve => {
      fresh.once('connect', () => resolve(true)).once('close', () => resolve(false))
    })
    if (!open) return false
    socket = fresh
    if (ils.user === undefined) return true
    const told = await exchange(say('93', { uidAlgorithm: '0', pwdAlgorithm: '0' },
      [['CN', ils.user], ['CO', ils.password ?? '']]))
    if (told?.fixed['ok'] === '1') return true
    log.error({ user: ils.user }, 'the library system refuses the sign-in')
    fresh.destroy()
    return false
  }

  async function exchange (said: Said): Promise<Message | null> {
    const wanted = messageRow(said.code).answer
    sequence = (sequence + 1) % 10
    const own = sequence
    const bytes = Buffer.concat([writeMessage(said, page, own), Buffer.from('\r')])
    return await new Promise(resolve => {
      const timer = setTimeout(() => done(null), answerMs)
      const done = (message: Message | null) => {
        // An answer to an earlier question comes late: its digit is another.
        const late = message !== null && (message.code !== wanted ||
          (message.detection !== null && message.detection.sequence !== own))
        if (late) return
        clearTimeout(timer)
        waiting = null
        if (message === null) socket?.destroy() // what comes late must not answer the next question
        resolve(message)
      }
      waiting = done
      if (socket === null) done(null)
      else socket.write(bytes)
    })
  }

  async function once (message: Pick<Message, 'code' | 'fixed' | 'fields'>): Promise<Said | null> {
    if (closed || (socket === null && !await connect())) return null
    const told = await exchange(message as Said)
    return told === null ? null : { code: told.code, fixed: told.fixed, fields: told.fields } as Said
  }
  const ask: Line['ask'] = async message => {
    const turn = work.then(() => once(message))
    work = turn
    return await turn
  }
  return {
    ask,
    isThere: async () => (await ask(say('99', { statusCode: '0', printWidth: '080', version: '2.00' })))
      ?.fixed['online' as never] === 'Y',
    close: () => {
      closed = true
      socket?.destroy()
    }
  }
}
