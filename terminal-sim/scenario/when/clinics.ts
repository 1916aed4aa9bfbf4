// when: a clinic looks ahead, settles, cancels and reverses; bills at random; changes of who is insured.
import { Type } from 'typebox'
import type { ClinicReply } from '../../../schemas/medical/clinic.ts'
import { costClasses } from '../../../schemas/medical/rule-set.ts'
import { createRandom } from '../../random.ts'
import {
  as, askClinic, askedAs, billSaid, bodyOf, enterPersons, insuredSaid, remember, settlementOf
} from '../clinics.ts'
import { name, text, whole } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { nextName, type World } from '../world.ts'

const closed = { additionalProperties: false } as const
const message = Type.Optional(name('its id; a new one when absent'))

export const lookAhead = whenVerb({
  says: 'a clinic asks what a bill would be (2206); nothing changes',
  example: 'look_ahead: { clinic: HOS, person: ANN, items: { A: 200.00, B: 180.00 }, as: shown }',
  schema: Type.Object({ ...billSaid, as }, closed),
  plan: (world, { as, ...said }) => [{
    act: async () => {
      const reply = await askClinic(world, said.clinic, 'looks', await bodyOf(world, said))
      remember(world, as, { clinic: said.clinic, message: null, reply })
    }
  }]
})

export const settleBill = whenVerb({
  says: 'a clinic settles a bill (2207); with shown: as that was shown, or not at all',
  example: 'settle_bill: { clinic: HOS, person: ANN, items: { A: 200.00 }, pays: { account: true } }',
  schema: Type.Object({
    ...billSaid, message, shown: Type.Optional(name('the name of what was shown to the person')), as
  }, closed),
  plan: (world, { as, message, shown, ...said }) => [{
    act: async () => {
      const id = message ?? nextName(world, 'message')
      const basis = shown === undefined ? {} : { basis: basisOf(world, shown) }
      const reply = await askClinic(world, said.clinic, 'settlements',
        { message: id, ...await bodyOf(world, said), ...basis })
      remember(world, as, { clinic: said.clinic, message: id, reply })
    }
  }]
})

function basisOf (world: World, said: string): string {
  const { basis } = askedAs(world, said).reply
  if (basis !== null) return basis
  throw new StepError(`“${said}” showed nothing`, 'the name after as: of a look_ahead')
}

export const cancelBill = whenVerb({
  says: 'a clinic takes a settlement back (2208) and is answered its bill',
  example: 'cancel_bill: { bill: paid, person: ANN, as: back }',
  schema: Type.Object({
    bill: name('the name of what was settled'), person: name('an insured person'), message, as
  }, closed),
  plan: (world, { bill, person, message, as }) => [{
    act: async () => {
      const { clinic } = askedAs(world, bill)
      const id = message ?? nextName(world, 'message')
      const json = { message: id, person, settlement: settlementOf(world, bill) }
      const reply = await askClinic(world, clinic, 'cancellations', json)
      remember(world, as, { clinic, message: id, reply })
    }
  }]
})

export const reverseMessage = whenVerb({
  says: 'a clinic takes back what a message did (2601), whether it came or not',
  example: 'reverse_message: { clinic: HOS, original: m-1, person: ANN }',
  schema: Type.Object({
    clinic: name('a clinic'), original: text('id of the message'), person: name('an insured person'),
    message, as
  }, closed),
  plan: (world, { clinic, original, person, message, as }) => [{
    act: async () => {
      const id = message ?? nextName(world, 'message')
      const json = { message: id, person, original }
      remember(world, as, { clinic, message: id, reply: await askClinic(world, clinic, 'reversals', json) })
    }
  }]
})

export const insure = whenVerb({
  says: 'persons are entered, or change: card, category, family',
  example: 'insure: { ANN: { card: N, family: CEC } }',
  schema: insuredSaid,
  plan: (world, said) => [{ act: async () => { await enterPersons(world, said) } }]
})

/* ---- bills at random ---- */

export type RandomBill = { readonly itemsFen: number, readonly reply: ClinicReply }

export const randomBills = whenVerb({
  says: 'bills at random are settled, some are cancelled again; each person one after the other',
  example: 'random_bills: { clinics: [HOS], persons: [ANN, BEN], bills: 100, seed: 1 }',
  schema: Type.Object({
    clinics: Type.Array(name('a clinic'), { description: 'clinics' }),
    persons: Type.Array(name('an insured person'), { description: 'persons' }),
    bills: whole('of each person'),
    seed: whole('the same seed gives the same bills'),
    as
  }, closed),
  plan: (world, said) => [{
    act: async () => {
      const made = await Promise.all(said.persons.map(person => billsOf(world, person, said)))
      world.answers.set(`random bills ${said.as ?? 'last'}`, made.flat())
    }
  }]
})

async function billsOf (world: World, person: string, { clinics, bills, seed }: {
  readonly clinics: readonly string[], readonly bills: number, readonly seed: number
}): Promise<RandomBill[]> {
  const chance = createRandom(`${seed} ${person}`)
  const made: RandomBill[] = []
  for (let nth = 0; nth < bills; nth++) {
    const clinic = chance.pick(clinics)
    const items = Array.from({ length: chance.int(1, 6) }, (_, place) => ({
      item: `item ${place}`, class: chance.pick(costClasses),
      amountFen: chance.int(0, 10 ** chance.int(2, 7)),
      ...chance.chance(0.2) ? { limitFen: chance.int(0, 50_000) } : {},
      ...chance.chance(0.2) ? { ownPpm: chance.int(0, 20) * 50_000 } : {}
    }))
    const body = {
      message: `${person}-${seed}-${nth}`, person, visit: `v-${nth}`, items,
      setting: chance.chance(0.3) ? 'inpatient' : 'outpatient',
      pays: { account: chance.chance(0.5), ...chance.chance(0.5) ? { purse: { by: 'online' } } : {} }
    }
    const reply = await askClinic(world, clinic, 'settlements', body)
    made.push({ itemsFen: items.reduce((sum, { amountFen }) => sum + amountFen, 0), reply })
    if (reply.settlement !== null && chance.chance(0.2)) {
      await askClinic(world, clinic, 'cancellations',
        { message: `${person}-${seed}-${nth}-back`, person, settlement: reply.settlement })
    }
  }
  return made
}
