// Centres of medical insurance that a city's clinics settle with, as the registrar enters them: for which
// pool, where, in which dialect, and the codes that are each centre's own.
import { Type, type Static } from 'typebox'
import { LocalDate } from '../api.ts'
import { dialects } from './messages.ts'
import { settings } from './rule-set.ts'

const closed = { additionalProperties: false } as const
const Code = (description: string) => Type.String({ pattern: '^[0-9A-Za-z]{1,6}$', description })
const byName = <N extends string>(names: readonly N[], what: string) => Type.Object(
  Object.fromEntries(names.map(name => [name, Code(what)])) as Record<N, ReturnType<typeof Code>>, closed)

export const ClinicCentre = Type.Object({
  area: Type.String({
    pattern: '^\\d{6}$', description: 'division code of the pool; also the settling agency'
  }),
  url: Type.String({ pattern: '^https?://[^\\s#@]{1,200}$', description: 'where all messages are sent' }),
  dialect: Type.Unsafe<keyof typeof dialects>(Type.String({ enum: Object.keys(dialects) })),
  answerMs: Type.Integer({
    minimum: 50, maximum: 60_000, description: 'without an answer for so long the outcome is unknown'
  }),
  receiver: Type.String({ pattern: '^[0-9A-Z]{1,10}$', description: 'receiving system (recer_sys_code)' }),
  insurances: Type.Record(Type.String({ pattern: '^[a-z-]{1,40}$' }), Code('kind of insurance (insutype)'), {
    description: 'by the schemes of the rule set'
  }),
  care: byName(settings, 'kind of care (med_type)'),
  clearing: byName(settings, 'clearing type (clr_type)')
}, { ...closed, $id: 'ClinicCentre' })
export type ClinicCentre = Static<typeof ClinicCentre>

export const ClinicCentres = Type.Object({
  centres: Type.Array(ClinicCentre, { minItems: 1, maxItems: 100 })
}, { ...closed, $id: 'ClinicCentres', description: 'who is known already is changed' })

export const CentreAsked = Type.Object({
  date: LocalDate
}, { ...closed, $id: 'CentreAsked' })

export const CentreStatements = Type.Object({
  statements: Type.Array(Type.Object({
    area: Type.String(), party: Type.String(), scheme: Type.String(), setting: Type.String(),
    settlements: Type.Integer({ description: 'ours of the date, less those that were taken back' }),
    result: Type.Unsafe<'equal' | 'centreMore' | 'institutionMore' | 'differ' | 'silent'>(
      Type.String({ enum: ['equal', 'centreMore', 'institutionMore', 'differ', 'silent'] })),
    lines: Type.Integer({ description: 'of the result file that are not equal; 0 where totals are equal' })
  }, closed))
}, { ...closed, $id: 'CentreStatements' })
export type CentreStatements = Static<typeof CentreStatements>
