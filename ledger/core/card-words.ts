// States and uses of a card in plain words, Chinese and English. Pure.
import { localDate, localTime } from '../../runtime/instants.ts'
import type { CardState } from '../../schemas/card-life.ts'
import type { Words } from '../../schemas/card-look.ts'
import { type VerdictReason, verdictReasons } from '../../schemas/reasons.ts'
import { yuanText } from '../../schemas/bank/amount.ts'

export const stateWords: Readonly<Record<CardState, Words>> = {
  not_enabled: { zh: '未启用', en: 'made, not handed over yet' },
  normal: { zh: '正常', en: 'in use' },
  oral_loss: { zh: '临时挂失', en: 'reported lost by telephone' },
  loss: { zh: '正式挂失', en: 'reported lost in writing' },
  locked: { zh: '已锁定', en: 'locked' },
  void: { zh: '已作废', en: 'void: another card took its place, or its holder has died' },
  cancelled: { zh: '已注销', en: 'given back' }
}

export type Use = {
  readonly atMs: number, readonly amountFen: bigint, readonly beforeFen: bigint
  readonly outcome: 'accepted' | 'held' | 'refused' | 'excluded', readonly reason: VerdictReason
  readonly operator: Words
  readonly terminal: string
}

/** `03-02 08:10 Bus (B1): paid 1.80, 98.20 left`; what was not paid to anybody says why. */
export function useWords ({ atMs, amountFen, beforeFen, outcome, reason, operator, terminal }: Use): Words {
  const when = `${localDate(atMs).slice(5)} ${localTime(atMs).slice(0, 5)}`
  const [paid, left] = [yuanText(amountFen), yuanText(beforeFen - amountFen)]
  const { zh: whyZh, en: whyEn } = verdictReasons[reason]
  const isPlain = outcome === 'accepted'
  return {
    zh: `${when} ${operator.zh}（${terminal}）：支付 ${paid} 元，余额 ${left} 元${isPlain ? '' : `；${whyZh}`}`,
    en: `${when} ${operator.en} (${terminal}): paid ${paid}, ${left} left${isPlain ? '' : `; ${whyEn}`}`
  }
}
