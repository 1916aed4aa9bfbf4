// How a hospital speaks the national messages to us: dialect and codes, as the registrar enters them. What a
// province counts otherwise is data.
import { Type, type Static } from 'typebox'
import { dialects } from './messages.ts'
import { funds, settings } from './rule-set.ts'

const closed = { additionalProperties: false } as const
const Code = (description: string) => Type.String({ pattern: '^[0-9A-Za-z]{1,6}$', description })
const byName = <N extends string>(names: readonly N[], what: string) => Type.Object(
  Object.fromEntries(names.map(name => [name, Code(what)])) as Record<N, ReturnType<typeof Code>>, closed)

export const ClinicNational = Type.Object({
  dialect: Type.Unsafe<keyof typeof dialects>(Type.String({ enum: Object.keys(dialects) })),
  code: Type.String({
    pattern: '^[0-9A-Z]{1,30}$', description: 'the hospital in its messages (fixmedins_code)'
  }),
  insurances: Type.Record(Type.String({ pattern: '^[a-z-]{1,40}$' }), Code('kind of insurance (insutype)'), {
    description: 'by the schemes of the rule set'
  }),
  care: byName(settings, 'kind of care (med_type)'),
  clearing: byName(settings, 'clearing type (clr_type)'),
  funds: byName(funds, 'fund (fund_pay_type)'),
  online: Type.Boolean({ description: "the card's online account pays what it can of psn_cash_pay" })
}, { ...closed, $id: 'ClinicNational' })
export type ClinicNational = Static<typeof ClinicNational>
