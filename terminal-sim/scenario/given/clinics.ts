// given: rules of medical insurance, clinics and who is insured.
import { Type } from 'typebox'
import { creditAccount, enterPersons, insuredSaid, publishRules, rulesSaid } from '../clinics.ts'
import { mappingOf } from '../check.ts'
import { name, yuan } from '../values.ts'
import { givenVerb } from '../verb.ts'
import { known } from '../world.ts'

export const clinicRules = givenVerb({
  says: 'rule sets of medical insurance, published before the scenario starts',
  example: 'clinic_rules: [{ file: ledger/services/clinic/rule-sets/hengyang.yaml }]',
  schema: Type.Array(rulesSaid, { description: 'rule sets' }),
  prepare: (world, said) => {
    for (const one of said) world.before.push({ at: world.now, act: () => publishRules(world, one) })
  }
})

export const clinics = givenVerb({
  says: 'clinics, and the level that rule sets look at',
  example: 'clinics: { HOS: { level: tier3-city } }',
  schema: mappingOf(
    name('a party, such as HOS'),
    Type.Object({ level: name('as rule sets name levels') }, { additionalProperties: false }),
    'clinics by party'
  ),
  prepare: (world, said) => {
    for (const [clinic, json] of Object.entries(said)) {
      known(world.parties, 'party', clinic)
      world.clinics.set(clinic, json.level)
      const call = { method: 'PUT', path: `/v1/clinic/${clinic}`, as: 'registrar', json } as const
      world.before.push({ at: world.now, act: async () => { await world.api.call(call) } })
    }
  }
})

export const insured = givenVerb({
  says: 'who is insured, with which card, and whose account may pay too',
  example: 'insured: { ANN: { card: A, category: retired, family: BEN }, BEN: { card: B } }',
  schema: insuredSaid,
  prepare: (world, said) => {
    world.before.push({ at: world.now, act: () => enterPersons(world, said) })
  }
})

export const medicalAccounts = givenVerb({
  says: 'what is on personal medical accounts',
  example: 'medical_accounts: { ANN: 150.00 }',
  schema: mappingOf(name('an insured person'), yuan(), 'amounts by person'),
  prepare: (world, said) => {
    for (const [person, amountFen] of Object.entries(said)) {
      world.before.push({ at: world.now, act: () => creditAccount(world, person, amountFen) })
    }
  }
})
