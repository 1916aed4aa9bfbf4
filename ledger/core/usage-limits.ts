// Which limits of a card's or a terminal's day a use runs against, and which of them it would break. Pure; it
// refuses to know where uses are counted.
import type { UsageLimit } from '../../schemas/api.ts'
import type { AnswerReason } from '../../schemas/reasons.ts'
import { yuanText } from '../../schemas/bank/amount.ts'

export type Use = {
  readonly of: UsageLimit['of']
  readonly card: { readonly bucket: number, readonly cardId: bigint }
  /** Null where nobody told. */
  readonly operator: string | null
  readonly terminal: string | null
  readonly date: string
}

/** What is counted together: a card's uses of one kind on one day, or a terminal's. */
export type UsageKey = {
  readonly bucket: number, readonly subject: string, readonly of: UsageLimit['of'], readonly date: string
}

export type Bound = {
  readonly reason: AnswerReason & keyof typeof words
  readonly fenMax: bigint
  /** Null: each use by itself. */
  readonly counter: UsageKey | null
}

const words = {
  card_day_limit: 'of one card in a day', terminal_limit: 'at this terminal at once',
  terminal_day_limit: 'at this terminal in a day'
} as const

/** The limits in force, in the order in which they are asked. */
export function boundsOf (limits: readonly UsageLimit[], use: Use): Bound[] {
  const { of, card: { bucket, cardId }, operator, terminal, date } = use
  const at = operator === null || terminal === null ? null : `terminal/${operator}/${terminal}`
  const wanted = [
    ['card_day_limit', 'card_day', { bucket, subject: `card/${cardId}`, of, date }],
    ['terminal_limit', 'terminal_once', null],
    ['terminal_day_limit', 'terminal_day', { bucket: 0, subject: at ?? '', of, date }]
  ] as const
  return wanted.flatMap(([reason, per, counter]): Bound[] => {
    if (per !== 'card_day' && at === null) return []
    const fenMax = standing(limits, per, use)
    return fenMax === null ? [] : [{ reason, fenMax: BigInt(fenMax), counter }]
  })
}

/** The nearest says it, of the nearest the newest: a terminal's own before its operator's before all. */
function standing (
  limits: readonly UsageLimit[], per: UsageLimit['per'], { of, operator, terminal, date }: Use
): number | null {
  const nearness = (one: UsageLimit): number => Number(one.operator !== null) + Number(one.terminal !== null)
  const [first] = limits.filter(one => one.of === of && one.per === per && one.from <= date &&
      (one.operator === null || one.operator === operator) &&
      (one.terminal === null || one.terminal === terminal))
    .sort((a, b) => nearness(b) - nearness(a) || (a.from < b.from ? 1 : -1))
  return first?.fenMax ?? null
}

/** The first bound that `amountFen` more would break; `usedFen` what was counted before. */
export const breachOf = (
  bounds: readonly Bound[], amountFen: bigint, usedFen: (key: UsageKey) => bigint
): Bound | null => bounds.find(({ counter, fenMax }) =>
  amountFen + (counter === null ? 0n : usedFen(counter)) > fenMax) ?? null

const things = { purchase: 'purchases', load: 'money taken in', debit: 'debits' } as const

/** `purchases of one card in a day: 200.00 yuan at most`. */
export const ruleOf = ({ reason, fenMax }: Bound, of: UsageLimit['of']): string =>
  `${things[of]} ${words[reason]}: ${yuanText(fenMax)} yuan at most`

/** Names a counter in one text. */
export const usageText = ({ subject, of, date }: UsageKey): string => `${subject} ${of} ${date}`
