// when: the treasury is asked for what it owes, and people say which line of the bank has paid it.
import { Type } from 'typebox'
import type { BankLineView } from '../../../schemas/settlement.ts'
import { peopleSaid, propose } from '../proposals.ts'
import { day, name, whole, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'

const closed = { additionalProperties: false } as const

export const claimFromTreasury = whenVerb({
  says: 'the treasury is asked for all that it owes and that was not claimed yet, up to a cleared day',
  example: 'claim_from_treasury: { until: D }',
  schema: Type.Object(
    { until: day('the last day'), by: Type.Optional(name('staff; settler when absent')) }, closed),
  plan: (world, { until, by: staff = 'settler' }) => [{
    act: async () => {
      await world.api.call(
        { method: 'POST', path: '/v1/treasury/claims', as: { staff }, json: { until } })
    }
  }]
})

export const treasuryPaid = whenVerb({
  says: 'people say that an unidentified line of the bank, found by its amount, pays a claim on the treasury',
  example: 'treasury_paid: { claim: 1, amount: 13.60, approved_by: [approver-1] }',
  schema: Type.Object({ claim: whole('its number'), amount: yuan('of the line'), ...peopleSaid }, closed),
  plan: (world, { claim, amount, by, approved_by: approvers }) => [{
    act: async () => {
      const lines = await world.api.all<BankLineView>('/v1/bank-lines?state=unidentified')
      const line = lines.find(one => Number(one.amountFen) === amount)
      if (line === undefined) throw new StepError('no unidentified line has this amount', 'bank_statement')
      const body = { line: line.id, claim }
      await propose(world, { kind: 'attribute_line', body, reason: 'as the treasury says', by, approvers })
    }
  }]
})
