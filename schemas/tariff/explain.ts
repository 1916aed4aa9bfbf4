// Why a journey costs what it costs: steps with their inputs, whose amounts sum up to the price, and their
// words in Chinese and English. It refuses to compute prices.
import assert from 'node:assert/strict'

export type Language = 'zh' | 'en'
type Words = Readonly<Record<Language, string>>

export const stepTexts = {
  card_fare: { zh: '{service} 刷卡票价（现金票价 {fullFen}）', en: 'card fare of {service} (cash fare {fullFen})' },
  section_fare: { zh: '{service} 乘坐 {sections} 段', en: '{sections} sections with {service}' },
  section_full: { zh: '{service} 上车先扣全程票价', en: 'fare of the whole route with {service}, taken at boarding' },
  distance_fare: { zh: '{service} {from} 至 {to}，{metres} 米', en: '{service} {from} to {to}, {metres} m' },
  zone_fare: { zh: '{service} {from} 至 {to}，规则 {rule}', en: '{service} {from} to {to}, rule {rule}' },
  one_sided: { zh: '{service} 行程不完整，按最高票价', en: 'maximum fare of {service}: entry or exit is missing' },
  no_price: { zh: '{service} 无 {from} 至 {to} 的票价', en: '{service} has no price from {from} to {to}' },
  exit_decided: { zh: '出站补登为 {to}', en: 'exit set to {to} by a decision' },
  companion: { zh: '同行第 {rider} 人', en: 'person {rider} of a group' },
  concession: { zh: '优惠 {class}', en: 'concession {class}' },
  free_ride: { zh: '应急免费乘车：{reason}', en: 'free rides: {reason}' },
  concession_ended: { zh: '优惠 {class} 已于 {until} 到期', en: 'concession {class} ended on {until}' },
  concession_not_begun: { zh: '优惠 {class} 自 {from} 起有效', en: 'concession {class} begins on {from}' },
  concession_used_up: {
    zh: '优惠 {class} 当日 {dailyMax} 次已用完', en: 'all {dailyMax} journeys a day of concession {class} are used'
  },
  transfer: { zh: '{seconds} 秒内自 {from} 换乘', en: 'transfer from {from} after {seconds} s' },
  ladder: {
    zh: '本月已付 {paidFen}，按 {percent}% 计', en: '{paidFen} paid this month: {percent} % of the price'
  },
  cap: { zh: '封顶 {cap}：{capFen}，已付 {spentFen}', en: 'cap {cap} of {capFen}, {spentFen} paid before' },
  over_time: { zh: '乘车 {minutes} 分钟，超时加收', en: 'surcharge: {minutes} minutes under way' },
  duplicate: { zh: '{seconds} 秒内重复刷卡', en: 'tapped again after {seconds} s' },
  no_tariff: { zh: '无适用票价', en: 'no tariff is known for it' }
} as const satisfies Record<string, Words>
export type StepCode = keyof typeof stepTexts

export type Inputs = Readonly<Record<string, string | number>>
/** A step that changes nothing. */
export type Note = { readonly code: StepCode, readonly inputs: Inputs }
export type Step = {
  readonly code: StepCode
  /** What this step adds; negative where it makes the journey cheaper. */
  readonly amountFen: number
  /** The price after this step. */
  readonly afterFen: number
  readonly inputs: Inputs
}

/** Steps that are being gathered: nothing changes the price without a step that says why. */
export type Sheet = { readonly steps: Step[], totalFen: number }
export const newSheet = (): Sheet => ({ steps: [], totalFen: 0 })

export function add (sheet: Sheet, code: StepCode, amountFen: number, inputs: Inputs = {}): void {
  sheet.totalFen += amountFen
  assert(sheet.totalFen >= 0, `a price below zero after ${code}`)
  sheet.steps.push({ code, amountFen, afterFen: sheet.totalFen, inputs })
}

/** One line a step, then the sum: `cap adult day of 15.00, 14.40 paid before: -1.20`. */
export function tellSteps (steps: readonly Step[], language: Language, currency: string): string[] {
  const sumFen = steps.reduce((sum, { amountFen }) => sum + amountFen, 0)
  const lines = steps.map(step => `${tellStep(step, language)}${colon[language]}${yuan(step.amountFen)}`)
  return [...lines, `${total[language]}${colon[language]}${yuan(sumFen)} ${currency}`]
}
const colon: Words = { zh: '：', en: ': ' }
const total: Words = { zh: '合计', en: 'total' }

export const tellStep = ({ code, inputs }: Step, language: Language): string =>
  filled(stepTexts[code][language], inputs)

/** `{name}` is what the inputs have under it; what ends in Fen is shown in yuan. */
export const filled = (text: string, inputs: Inputs): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = inputs[name]
    return typeof value === 'number' && name.endsWith('Fen') ? yuan(value) : String(value ?? '–')
  })

/** 180 → 1.80, -5 → -0.05 */
export function yuan (amountFen: number): string {
  const digits = String(Math.abs(amountFen)).padStart(3, '0')
  return `${amountFen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}
