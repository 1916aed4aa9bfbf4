// A split in words, English and Chinese: each step with its figures, so that anybody can do the sum again;
// together they are the bill. Pure; the words are made from stored figures whenever somebody asks.
import { yuanText } from '../../../schemas/bank/amount.ts'
import { payers, type Burden, type LayerKind, type Payer } from '../../../schemas/medical/rule-set.ts'
import type { Bounds, Inputs, Move } from './layers.ts'
import type { Split, Step } from './settle-bill.ts'
import { burdenNames, payerNames, percent, type Words } from './words.ts'

export type Explained = {
  readonly rules: Split['rules']
  readonly totalFen: bigint
  readonly steps: readonly (Words & {
    readonly kind: LayerKind
    /** Who pays how much by this step; over all steps it is the whole bill. */
    readonly paid: readonly { readonly payer: Payer, readonly amountFen: bigint }[]
    readonly moves: readonly Move[]
    readonly inputs: Step['inputs']
  })[]
}

export const explain = ({ rules, totalFen, steps }: Split): Explained => ({
  rules,
  totalFen,
  steps: steps.map(step => ({
    ...wordsOf(step), kind: step.kind, paid: paidBy(step), moves: step.moves, inputs: step.inputs
  }))
})

export function paidBy ({ moves }: Pick<Step, 'moves'>): { payer: Payer, amountFen: bigint }[] {
  return payers.flatMap(payer => {
    const amountFen = sum(moves.filter(({ to }) => to === payer))
    return amountFen === 0n ? [] : [{ payer, amountFen }]
  })
}

/** One sentence for each language; `fen` is what the step moved in all. */
export const wordsOf = ({ kind, inputs, moves }: Step): Words =>
  (sentences[kind] as Sentence<LayerKind>)(inputs, yuanText(sum(moves)))

type Sentence<K extends LayerKind> = (inputs: Inputs[K], movedYuan: string) => Words

const sentences: { readonly [K in LayerKind]: Sentence<K> } = {
  'own-pay': ({ classes }, yuan) => ({
    en: `Class ${classes.join(', ')} is paid by the person alone: ${yuan}`,
    zh: `${classes.map(one => ({ A: '甲', B: '乙', C: '丙' })[one]).join('、')}类全自费：${yuan}`
  }),
  'over-limit': ({ borneBy }, yuan) => ({
    en: `Above the price limits, borne by the ${borneBy}: ${yuan}`,
    zh: `超限价，由${borneBy === 'person' ? '个人' : '医院'}负担：${yuan}`
  }),
  'pre-own': ({ groups }, yuan) => {
    const sums = groups.map(({ baseFen, ratePpm }) => `${yuanText(baseFen)} × ${percent(ratePpm)}`)
    const product = sums.length === 0 ? yuan : `${sums.join(' + ')} = ${yuan}`
    return { en: `Own share first: ${product}`, zh: `先行自付：${product}` }
  },
  deductible: ({ bounds, repeated }, yuan) => {
    const [en, zh] = repeated ? ['Deductible of a later stay', '年内再次住院起付线'] : ['Deductible', '起付线']
    return {
      en: `${en}: ${yuan}, the least of ${boundsIn(bounds, 0).join(', ')}`,
      zh: `${zh}：${yuan}，取最小值：${boundsIn(bounds, 1).join('、')}`
    }
  },
  fund: ({ fund, scopeFen, ratePpm, ...given }) => {
    const product = `${yuanText(scopeFen)} × ${percent(ratePpm)} = ${yuanText(given.wantedFen)}`
    return funded(fund, given, product, product)
  },
  relief: ({ fund, beforeFen, burdenFen, parts = [], ...given }) => {
    const [before, after] = [yuanText(beforeFen), yuanText(beforeFen + burdenFen)]
    const sums = parts.map(({ baseFen, ratePpm }) => `${yuanText(baseFen)} × ${percent(ratePpm)}`)
    const wanted = [sums.join(' + '), yuanText(given.wantedFen)].filter(one => one !== '').join(' = ')
    return funded(fund, given, `burden of the year ${before} to ${after}, by bands ${wanted}`,
      `年度累计负担由${before}至${after}，分段支付${wanted}`)
  },
  account: (inputs, yuan) => fromMeans('account', inputs, yuan),
  family: (inputs, yuan) => fromMeans('family', inputs, yuan),
  purse: (inputs, yuan) => fromMeans('purse', inputs, yuan),
  cash: (_, yuan) => ({ en: `Left for the person: ${yuan}`, zh: `个人现金支付：${yuan}` })
}

function funded (
  fund: Payer, { capReached, paidFen }: { readonly capReached: boolean, readonly paidFen: bigint },
  how: string, hanzi: string
): Words {
  const [name, title] = payerNames[fund]
  if (!capReached) return { en: `${name}: ${how}`, zh: `${title}：${hanzi}` }
  return {
    en: `${name}: ${how}; the cap of the year is reached, ${yuanText(paidFen)} was left`,
    zh: `${title}：${hanzi}；已达年度封顶线，仅支付${yuanText(paidFen)}`
  }
}

function fromMeans (payer: Payer, { pays, owedFen, availableFen }: Inputs['account'], yuan: string): Words {
  const [name, title] = payerNames[payer]
  const [what, was] = [namesOf(pays, 0).join(', '), namesOf(pays, 1).join('、')]
  return {
    en: `${name}: ${yuan} of ${yuanText(availableFen)}, for ${yuanText(owedFen)} (${what})`,
    zh: `${title}：余额${yuanText(availableFen)}，应付${yuanText(owedFen)}（${was}），支付${yuan}`
  }
}

const namesOf = (all: readonly Burden[], language: 0 | 1): string[] =>
  all.map(one => burdenNames[one][language])

const boundNames: Readonly<Record<keyof Bounds, readonly [string, string]>> = {
  scopeFen: ['in policy', '政策范围内'], visitFen: ['for the visit', '本次标准'],
  rowLeftFen: ['left of this level', '本级别年度剩余'], yearLeftFen: ['left of the year', '年度剩余']
}
const boundsIn = (bounds: Bounds, language: 0 | 1): string[] =>
  (Object.keys(boundNames) as (keyof Bounds)[]).flatMap(name => {
    const [fen, title] = [bounds[name], boundNames[name][language]]
    if (fen === null) return []
    return [language === 0 ? `${yuanText(fen)} ${title}` : `${title}${yuanText(fen)}`]
  })

const sum = (moves: readonly Move[]): bigint => moves.reduce((total, { amountFen }) => total + amountFen, 0n)
