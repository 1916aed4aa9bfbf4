// The fields of a settlement in the national medical insurance messages (answers to 2206 and 2207), named as
// on the wire, and the identities between them. A table to be ticked against the interface specification of
// the national healthcare security platform; it refuses to know how the sums come about.
import type { Layout, Values } from './layout.ts'

/** setlinfo: one settlement. Persons are named by number; names and certificates are not taken. */
export const settlementFields = [
  { name: 'mdtrt_id', format: 'text', max: 30, says: 'visit' },
  { name: 'setl_id', format: 'text', max: 30, optional: true, says: 'settlement; none before it is settled' },
  { name: 'psn_no', format: 'text', max: 30, says: 'person' },
  { name: 'insutype', format: 'text', max: 6, optional: true, says: 'kind of insurance' },
  { name: 'setl_time', format: 'instant', optional: true, says: 'settled at' },
  { name: 'medfee_sumamt', format: 'money', says: 'total' },
  { name: 'fulamt_ownpay_amt', format: 'money', says: 'fully own pay' },
  { name: 'overlmt_selfpay', format: 'money', says: 'above price limits' },
  { name: 'preselfpay_amt', format: 'money', says: 'own share first' },
  { name: 'inscp_scp_amt', format: 'money', says: 'in policy scope' },
  { name: 'act_pay_dedc', format: 'money', optional: true, says: 'deductible applied' },
  { name: 'hifp_pay', format: 'money', says: 'pooled fund' },
  { name: 'pool_prop_selfpay', format: 'rate', says: 'ratio of the pooled fund' },
  { name: 'cvlserv_pay', format: 'money', says: 'civil-servant aid' },
  { name: 'hifes_pay', format: 'money', says: 'enterprise supplement' },
  { name: 'hifmi_pay', format: 'money', says: 'serious illness of residents' },
  { name: 'hifob_pay', format: 'money', says: 'large sums of employees' },
  { name: 'maf_pay', format: 'money', says: 'medical assistance' },
  { name: 'oth_pay', format: 'money', says: 'other' },
  { name: 'fund_pay_sumamt', format: 'money', says: 'all funds' },
  { name: 'psn_part_amt', format: 'money', says: "person's share" },
  { name: 'acct_pay', format: 'money', says: 'personal account' },
  { name: 'psn_cash_pay', format: 'money', says: 'cash, purse and online account' },
  { name: 'hosp_part_amt', format: 'money', says: "hospital's share" },
  { name: 'balc', format: 'money', says: 'balance of the personal account' },
  { name: 'acct_mulaid_pay', format: 'money', says: 'family account' },
  { name: 'medins_setl_id', format: 'text', max: 30, says: "the sender's message id" },
  { name: 'clr_optins', format: 'text', max: 6, optional: true, says: 'clearing agency' },
  { name: 'clr_way', format: 'text', max: 6, optional: true, says: 'clearing way' },
  { name: 'clr_type', format: 'text', max: 6, optional: true, says: 'clearing type' }
] as const satisfies Layout
export type SettlementFields = Values<typeof settlementFields>

/** setldetail: one row for each fund. */
export const fundFields = [
  { name: 'fund_pay_type', format: 'text', max: 6, says: 'fund' },
  { name: 'inscp_scp_amt', format: 'money', says: 'in scope' },
  { name: 'crt_payb_lmt_amt', format: 'money', optional: true, says: 'payable limit this time' },
  { name: 'fund_payamt', format: 'money', says: 'paid by the fund' },
  { name: 'fund_pay_type_name', format: 'text', max: 200, optional: true, says: 'name of the fund' },
  { name: 'setl_proc_info', format: 'text', max: 4_000, optional: true, says: 'how it was computed' }
] as const satisfies Layout
export type FundFields = Values<typeof fundFields>

export const fundAmounts = [
  'hifp_pay', 'cvlserv_pay', 'hifes_pay', 'hifmi_pay', 'hifob_pay', 'maf_pay', 'oth_pay'
] as const

type Amount = {
  [N in keyof SettlementFields]: SettlementFields[N] extends bigint ? N : never
}[keyof SettlementFields]

/** Left equals the sum of the right, to the fen. */
const identities: readonly { readonly whole: Amount, readonly parts: readonly Amount[] }[] = [
  {
    whole: 'medfee_sumamt',
    parts: ['fulamt_ownpay_amt', 'overlmt_selfpay', 'preselfpay_amt', 'inscp_scp_amt']
  },
  { whole: 'medfee_sumamt', parts: ['fund_pay_sumamt', 'psn_part_amt', 'hosp_part_amt'] },
  { whole: 'psn_part_amt', parts: ['acct_pay', 'acct_mulaid_pay', 'psn_cash_pay'] },
  { whole: 'fund_pay_sumamt', parts: fundAmounts }
]

export type Broken = { readonly field: string, readonly why: string }

/**
 * Every identity that does not hold, and every part below zero; of a cancelled bill, above. Empty for a sound
 * settlement.
 */
export function brokenIdentities (
  values: SettlementFields, details: readonly FundFields[], sign: 1n | -1n = 1n
): Broken[] {
  const amounts = [...new Set(identities.flatMap(({ whole, parts }) => [whole, ...parts]))]
  const negative = amounts.filter(name => values[name] * sign < 0n)
    .map(field => ({ field, why: sign === 1n ? 'below zero' : 'above zero in a cancelled bill' }))
  const unequal = identities.flatMap(({ whole, parts }) => {
    const total = sum(parts.map(part => values[part]))
    return total === values[whole] ? [] : [{ field: whole, why: `is not ${parts.join(' + ')}` }]
  })
  const paid = sum(details.map(({ fund_payamt: fen }) => fen))
  if (paid === values.fund_pay_sumamt) return [...negative, ...unequal]
  return [...negative, ...unequal, { field: 'fund_pay_sumamt', why: 'is not the sum of setldetail' }]
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, one) => total + one, 0n)
