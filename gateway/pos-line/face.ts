// A line with a POS at its end, over a cable or a connection: frames with check bytes, requests and records
// of a POS. It refuses to know which carrier it has.
import { plainLrc } from '../../schemas/serial/lrc-frame.ts'
import type { PosLineSpeaks } from '../../schemas/pos-line/config.ts'
import type { Face, PortHouse } from '../face.ts'
import { posDesk } from './answer.ts'
import { type PosEvent, type PosSession, posSession } from './session.ts'

const defaults = { ackTimeoutMs: 800, answerMs: 8_000, byteGapMs: 500, sendsMax: 4, lrc: plainLrc } as const

export function posLineFace (speaks: PosLineSpeaks, house: PortHouse, port: string): Face {
  const settings = { ...defaults, ...speaks }
  const { language = 'zh' } = speaks
  const desk = posDesk({ house, lane: port, ...settings, language })
  const sessions = new Set<PosSession>()
  const counts: Record<PosEvent, number> = {
    conversations: 0, requests: 0, answers: 0, repeats: 0, unacknowledged: 0, naksSent: 0, naksHeard: 0,
    broken: 0, junkBytes: 0
  }
  let closing = false
  return {
    begin: wire => {
      const session = posSession({
        wire, ...settings,
        answer: request => desk.answer(request, wire),
        count: (event, by = 1) => { counts[event] += by }
      })
      sessions.add(session)
      if (closing) void session.close()
      return {
        bytes: session.bytes,
        ended: why => {
          sessions.delete(session)
          session.ended(why)
        }
      }
    },
    view: () => ({ protocol: 'pos-line', counts: { ...counts } }),
    close: async () => {
      closing = true
      await Promise.all([...sessions].map(session => session.close()))
    }
  }
}
