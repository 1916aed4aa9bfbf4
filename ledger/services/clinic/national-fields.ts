// A split in the words of the national messages: the fields of a settlement and a row for each fund. Pure; it
// refuses to know envelopes.
import type { FundFields, SettlementFields } from '../../../schemas/medical/fields.ts'
import type { Fund } from '../../../schemas/medical/rule-set.ts'
import { wordsOf } from './explain.ts'
import { fundsFen, personFen, type Split, type Step } from './settle-bill.ts'
import { payerNames } from './words.ts'

/** Whose settlement it is; null where it is not settled yet, or where a province does without. */
export type Whose = Pick<SettlementFields,
  'mdtrt_id' | 'setl_id' | 'psn_no' | 'insutype' | 'setl_time' | 'medins_setl_id' | 'clr_optins' | 'clr_way' |
  'clr_type'>

/** `sign` -1n: the bill as a cancellation gives it back, each amount the exact negative. */
export function settlementFieldsOf (split: Split, whose: Whose, { balanceFen, sign = 1n }: {
  readonly balanceFen: bigint, readonly sign?: 1n | -1n
}): SettlementFields {
  const { classes, paid } = split
  const amounts = {
    medfee_sumamt: split.totalFen,
    fulamt_ownpay_amt: classes.own,
    overlmt_selfpay: classes.overLimit,
    preselfpay_amt: classes.preOwn,
    inscp_scp_amt: classes.scope,
    act_pay_dedc: split.deductibleFen,
    hifp_pay: paid.pool,
    cvlserv_pay: paid.civilServant,
    hifes_pay: paid.enterprise,
    hifmi_pay: paid.seriousIllness,
    hifob_pay: paid.largeSum,
    maf_pay: paid.assistance,
    oth_pay: paid.other,
    fund_pay_sumamt: fundsFen(split),
    psn_part_amt: personFen(split),
    acct_pay: paid.account,
    psn_cash_pay: paid.purse + paid.cash,
    hosp_part_amt: paid.hospital,
    acct_mulaid_pay: paid.family
  }
  const signed = Object.fromEntries(Object.entries(amounts).map(([name, fen]) => [name, fen * sign]))
  return { ...whose, ...signed as typeof amounts, pool_prop_selfpay: poolRatePpm(split), balc: balanceFen }
}

/** `typeOf`: how the province numbers its funds. */
export const fundFieldsOf = (
  { steps }: Split, typeOf: Readonly<Record<Fund, string>>, sign: 1n | -1n = 1n
): FundFields[] => steps.filter(isOfFund).map(step => {
  const { fund, paidFen, yearLeftFen } = step.inputs
  const scopeFen = step.kind === 'fund' ? step.inputs.scopeFen : step.inputs.burdenFen
  const [, name] = payerNames[fund]
  return {
    fund_pay_type: typeOf[fund],
    inscp_scp_amt: scopeFen * sign,
    crt_payb_lmt_amt: yearLeftFen,
    fund_payamt: paidFen * sign,
    fund_pay_type_name: name,
    setl_proc_info: wordsOf(step).zh
  }
})

type OfFund = Extract<Step, { kind: 'fund' | 'relief' }>
const isOfFund = (step: Step): step is OfFund => step.kind === 'fund' || step.kind === 'relief'

/** The ratio of the pooled fund at this institution; 0 where the plan has none. */
const poolRatePpm = ({ steps }: Split): number => {
  const pool = steps.find(({ kind, inputs }) => kind === 'fund' && 'fund' in inputs && inputs.fund === 'pool')
  return pool?.kind === 'fund' ? pool.inputs.ratePpm : 0
}
