// What a self-check is told while nobody can be asked: no to everything, in the shape of the answer it waits
// for. Pure.
import type { Sip2Settings } from '../../schemas/sip2/config.ts'
import { amountText, say, valueOf, type Message, type Said } from '../../schemas/sip2/message.ts'
import type { Code, Tag } from '../../schemas/sip2/messages.ts'
import { field, isChinese, nobodyStatus, ownText, type OwnText } from './words.ts'

/** Null for what is answered without asking anybody. */
export function unavailable (
  message: Message, settings: Sip2Settings, date: string, why: OwnText = 'away'
): Said | null {
  const chinese = isChinese(message, settings)
  const echo = (tag: Tag) => field(tag, valueOf(message, tag) ?? '')
  const ao = field('AO', settings.institution)
  const words = field('AF', ownText(why, chinese))
  const language = message.fixed['language'] ?? settings.chinese
  const reader = [ao, echo('AA'), field('AE', ''), field('BL', 'N'), field('CQ', 'N'), words]
  const none = '0000'
  const lending = { ok: '0', renewed: 'N', magneticMedia: 'U', desensitize: 'N', date } as const
  const book = [ao, echo('AA'), echo('AB'), field('AJ', ''), field('AH', ''), words]
  const made: Partial<Record<Code, () => Said>> = {
    23: () => say('24', { patronStatus: nobodyStatus, language, date }, reader),
    '01': () => say('24', { patronStatus: nobodyStatus, language, date }, reader),
    25: () => say('26', { patronStatus: nobodyStatus, language, date }, reader),
    63: () => say('64', {
      patronStatus: nobodyStatus, language, date, holds: none, overdue: none, charged: none, fines: none,
      recalls: none, unavailableHolds: none
    }, reader),
    35: () => say('36', { ended: 'Y', date }, [ao, echo('AA')]),
    37: () => say('38', { accepted: 'N', date }, [ao, echo('AA'), echo('BK'), words]),
    11: () => say('12', lending, book),
    29: () => say('30', lending, book),
    '09': () => say('10', { ok: '0', resensitize: 'N', magneticMedia: 'U', alert: 'N', date },
      [ao, echo('AB'), field('AQ', ''), field('AJ', ''), words]),
    65: () => say('66', { ok: '0', renewedCount: none, unrenewedCount: none, date }, [ao, words]),
    15: () => say('16', { ok: '0', available: 'N', date }, [ao, echo('AA'), words]),
    17: () => say('18', { circulation: '01', security: '00', feeType: settings.overdueFee, date },
      [echo('AB'), field('AJ', ''), field('BV', amountText(0)), words]),
    19: () => say('20', { ok: '0', date }, [echo('AB'), words])
  }
  return made[message.code]?.() ?? null
}
