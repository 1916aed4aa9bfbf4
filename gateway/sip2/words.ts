// Parts of answers that several messages share: dates, status of a reader, texts in the language of the
// terminal. Pure.
import { libraryReasons, type LibraryPatron, type LibraryReason } from '../../schemas/library.ts'
import type { Sip2Settings } from '../../schemas/sip2/config.ts'
import { amountText, sipDate, yesNo, type Field, type Message } from '../../schemas/sip2/message.ts'
import { patronFlags, type PatronFlag, type Tag } from '../../schemas/sip2/messages.ts'
import { localDate, localTime } from '../../runtime/instants.ts'

export const dateOf = (atMs: number): string =>
  sipDate(localDate(atMs).replaceAll('-', '') + localTime(atMs).replaceAll(':', ''))

const flags = (raised: (flag: PatronFlag) => boolean): string =>
  patronFlags.map(flag => raised(flag) ? 'Y' : ' ').join('')

/** Of somebody who is not known everything is denied. */
export const nobodyStatus = flags(flag => flag.endsWith('Denied'))

export function statusOf (patron: LibraryPatron): string {
  const lent = patron.loans.filter(({ returned }) => !returned)
  const owes = patron.owedFen > patron.rules.blockAboveFen
  const raised: Partial<Record<PatronFlag, boolean>> = {
    chargeDenied: !patron.mayBorrow, renewalDenied: !patron.mayBorrow, recallDenied: !patron.mayBorrow,
    holdDenied: !patron.mayBorrow, cardLost: patron.cardBlocked,
    tooManyCharged: lent.length >= patron.rules.loansMax, fines: owes, fees: owes
  }
  return flags(flag => raised[flag] === true)
}

type Words = Pick<Sip2Settings, 'chinese' | 'institution'>
const ownTexts = {
  away: { en: 'Not available now, please try again', zh: '系统暂不可用，请稍后再试' },
  stale: { en: 'Not the time of this message', zh: '报文时间不符' },
  not_possible: { en: 'This is not possible here', zh: '此处不能办理' },
  amount: { en: 'The amount cannot be read', zh: '金额错误' },
  currency: { en: 'Only the currency of this city is taken', zh: '币种不支持' },
  reused: { en: 'This transaction was used before', zh: '交易号已使用' }
} as const
export type OwnText = keyof typeof ownTexts

/** The language a terminal asks in; where a message says none, that of the reader or Chinese. */
export const isChinese = ({ fixed }: Message, { chinese }: Words, reader: 'zh' | 'en' = 'zh'): boolean =>
  fixed['language'] === undefined ? reader === 'zh' : fixed['language'] === chinese

export const reasonText = (reason: LibraryReason, chinese: boolean): string =>
  libraryReasons[reason][chinese ? 'zh' : 'en']
export const ownText = (text: OwnText, chinese: boolean): string => ownTexts[text][chinese ? 'zh' : 'en']

/** Fields without those that have no value. Required ones are said even when they are empty. */
export const fields = (...all: readonly (Field | null)[]): Field[] => all.filter(one => one !== null)
export const field = (tag: Tag, value: string | number): Field => [tag, String(value)]
export const optional = (tag: Tag, value: string | null | undefined): Field | null =>
  value === null || value === undefined || value === '' ? null : [tag, value]
export const money = (tag: Tag, fen: number): Field => [tag, amountText(fen)]
export const flag = (tag: Tag, yes: boolean): Field => [tag, yesNo(yes)]
