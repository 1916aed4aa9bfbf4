// Names in English and Chinese of what a split speaks about. Words only.
import type { Burden, Payer } from '../../../schemas/medical/rule-set.ts'

export type Words = { readonly en: string, readonly zh: string }
type Pair = readonly [en: string, zh: string]

export const burdenNames: Readonly<Record<Burden, Pair>> = {
  scope: ['in policy', '政策范围内'],
  own: ['own pay', '全自费'],
  overLimit: ['above price limits', '超限价'],
  preOwn: ['own share first', '先行自付'],
  deductible: ['deductible', '起付线'],
  coPay: ['co-payment', '按比例自付'],
  overCap: ['beyond the cap', '超封顶线']
}

export const payerNames: Readonly<Record<Payer, Pair>> = {
  pool: ['pooled fund', '统筹基金'],
  civilServant: ['civil-servant aid', '公务员医疗补助'],
  enterprise: ['enterprise supplement', '企业补充医疗保险'],
  seriousIllness: ['serious illness of residents', '居民大病保险'],
  largeSum: ['large sums of employees', '职工大额医疗费用补助'],
  assistance: ['medical assistance', '医疗救助'],
  other: ['other fund', '其他支出'],
  hospital: ['hospital', '医院负担'],
  account: ['personal account', '个人账户'],
  family: ['family account', '家庭共济账户'],
  purse: ['purse', '市民卡钱包'],
  cash: ['cash', '现金']
}

/** 700000 → `70 %`, 667500 → `66.75 %`. */
export const percent = (ppm: number): string => {
  const digits = String(ppm).padStart(5, '0')
  const fraction = digits.slice(-4).replace(/0+$/, '')
  return `${digits.slice(0, -4)}${fraction === '' ? '' : `.${fraction}`} %`
}
