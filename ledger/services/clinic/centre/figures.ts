// The figures of a bill as the national messages name them, ours against the centre's. Pure; it refuses to
// know which of two is right.
import type { ClinicSplit } from '../../../../schemas/medical/clinic.ts'
import {
  brokenIdentities, type FundFields, type SettlementFields
} from '../../../../schemas/medical/fields.ts'

const ours = {
  medfee_sumamt: split => split.totalFen,
  fulamt_ownpay_amt: split => split.ownFen,
  overlmt_selfpay: split => split.overLimitFen,
  preselfpay_amt: split => split.preOwnFen,
  inscp_scp_amt: split => split.scopeFen,
  act_pay_dedc: split => split.deductibleFen,
  hifp_pay: ({ paid }) => paid.pool,
  cvlserv_pay: ({ paid }) => paid.civilServant,
  hifes_pay: ({ paid }) => paid.enterprise,
  hifmi_pay: ({ paid }) => paid.seriousIllness,
  hifob_pay: ({ paid }) => paid.largeSum,
  maf_pay: ({ paid }) => paid.assistance,
  oth_pay: ({ paid }) => paid.other,
  fund_pay_sumamt: split => split.fundsFen,
  psn_part_amt: split => split.personFen,
  acct_pay: ({ paid }) => paid.account,
  acct_mulaid_pay: ({ paid }) => paid.family,
  psn_cash_pay: ({ paid }) => paid.purse + paid.cash,
  hosp_part_amt: ({ paid }) => paid.hospital
} as const satisfies Partial<Record<keyof SettlementFields, (split: ClinicSplit) => number>>

/** Fen, by field: what the centre has to have. */
export type Expected = Readonly<Record<keyof typeof ours, number>>

export const expectedOf = (split: ClinicSplit): Expected =>
  Object.fromEntries(Object.entries(ours).map(([name, of]) => [name, of(split)])) as Expected

/**
 * The first field in which a settled bill differs from what was expected, or in which the centre contradicts
 * itself; null where there is none. A deductible that the centre does not tell is not compared.
 */
export function differing (
  expected: Expected, told: SettlementFields, details: readonly FundFields[]
): string | null {
  const [broken] = brokenIdentities(told, details)
  if (broken !== undefined) return broken.field
  const names = Object.keys(expected) as (keyof Expected)[]
  return names.find(name => told[name] !== null && told[name] !== BigInt(expected[name])) ?? null
}
