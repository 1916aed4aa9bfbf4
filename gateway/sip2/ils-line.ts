// The line to a library system of somebody else: one connection, one question at a time, each with a
// deadline. It refuses to know what is asked.
import { createConnection, type Socket } from 'node:net'
import type { Log } from '../../runtime/log.ts'
import { codePage } from '../../schemas/sip2/code-page.ts'
import type { Sip2Ils, Sip2Settings } from '../../schemas/sip2/config.ts'
import { lineCutter } from '../../schemas/sip2/lines.ts'
import { readMessage, say, writeMessage, type Message, type Said } from '../../schemas/sip2/message.ts'
import { messageRow } from '../../schemas/sip2/messages.ts'

export type Line = {
  /** Its answer, or null where none came. */
  ask (message: Pick<Message, 'code' | 'fixed' | 'fields'>): Promise<Said | null>
  isThere (): Promise<boolean>
  close (): void
}

/** One connection, opened when it is needed; one question at a time; error detection on. */
export function openLine (ils: Sip2Ils, settings: Sip2Settings, log: Log): Line {
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
