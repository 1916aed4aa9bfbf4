// then: what a clinic was answered, what insured persons have had, whether figures of bills hold together.
import { Type } from 'typebox'
import {
  clinicReasonWords, type ClinicAnswerReason, type ClinicExplanation, type ClinicPersonView, type ClinicSplit
} from '../../../schemas/medical/clinic.ts'
import { payers, type Payer } from '../../../schemas/medical/rule-set.ts'
import { mappingOf } from '../check.ts'
import { askedAs, settlementOf } from '../clinics.ts'
import { name, oneOf, text, whole, yes, yuan } from '../values.ts'
import { compare, StepError, thenVerb, type Miss } from '../verb.ts'
import { known, type World } from '../world.ts'
import { money, plain } from './balances.ts'
import type { RandomBill } from '../when/clinics.ts'

const closed = { additionalProperties: false } as const
const reasons = Object.keys(clinicReasonWords) as ClinicAnswerReason[]

export const bill = thenVerb({
  says: 'what a clinic was answered, the last time when none is named; its identities hold, unasked',
  example: 'bill: { of: paid, does: settled, paid: { pool: 157.20, account: 150.00, purse: 172.80 } }',
  schema: Type.Object({
    of: Type.Optional(name('the name of the answer')),
    does: Type.Optional(
      oneOf(['shown', 'settled', 'cancelled', 'reinstated', 'nothing', 'declined'], 'what was done')),
    because: Type.Optional(oneOf(reasons, 'why nothing was done')),
    where: Type.Optional(text('the field that is meant')),
    again: Type.Optional(yes('the first answer to this message again')),
    total: Type.Optional(yuan('of the bill')),
    own: Type.Optional(yuan('fully own pay')),
    over_limit: Type.Optional(yuan('above price limits')),
    pre_own: Type.Optional(yuan('own share first')),
    in_scope: Type.Optional(yuan('in policy scope')),
    deductible: Type.Optional(yuan('applied')),
    funds: Type.Optional(yuan('all funds')),
    from_person: Type.Optional(yuan('account, family, purse and cash')),
    paid: Type.Optional(mappingOf(oneOf(payers, 'who'), yuan(), 'by whom; who is not said paid nothing')),
    caps: Type.Optional(Type.Array(name('a fund'), { description: 'funds that are used up' })),
    chip: Type.Optional(
      oneOf(['paid', 'awaited', 'returned', 'to_be_returned'], "what became of the chip's debit"))
  }, closed),
  check: (world, said) => {
    const { reply } = askedAs(world, said.of)
    const what = `bill ${said.of ?? 'at the clinic'}`
    const { split } = reply
    return Promise.resolve([
      ...plain(what, said.does, reply.does ?? 'declined'),
      ...plain(`${what}: because`, said.because, reply.reason),
      ...plain(`${what}: where`, said.where, reply.where ?? ''),
      ...plain(`${what}: again`, said.again, reply.replayed),
      ...plain<string>(`${what}: chip`, said.chip, reply.purse ?? 'none'),
      ...split === null ? [] : unsound(what, split),
      ...figures(what, said, split)
    ])
  }
})

function figures (what: string, said: {
  readonly [F in typeof amounts[number][0]]?: number
} & { readonly paid?: Readonly<Record<string, number>>, readonly caps?: readonly string[] },
split: ClinicSplit | null): Miss[] {
  const paid = said.paid === undefined
    ? []
    : payers.flatMap(payer => money(`${what}: ${payer}`, said.paid?.[payer] ?? 0, split?.paid[payer] ?? 0))
  const caps = said.caps === undefined
    ? []
    : compare(`${what}: caps`, said.caps.join(', '), (split?.capsReached ?? []).join(', '))
  return [
    ...amounts.flatMap(([name, field]) => money(`${what}: ${name}`, said[name], split?.[field] ?? 0)),
    ...paid, ...caps
  ]
}
const amounts = [
  ['total', 'totalFen'], ['own', 'ownFen'], ['over_limit', 'overLimitFen'], ['pre_own', 'preOwnFen'],
  ['in_scope', 'scopeFen'], ['deductible', 'deductibleFen'], ['funds', 'fundsFen'],
  ['from_person', 'personFen']
] as const

/** The identities of the national messages, and no part below zero. */
function unsound (what: string, split: ClinicSplit): Miss[] {
  const { totalFen, ownFen, overLimitFen, preOwnFen, scopeFen, fundsFen, personFen, paid } = split
  const own: readonly Payer[] = ['account', 'family', 'purse', 'cash']
  const parts = payers.map(payer => paid[payer])
  const below = [ownFen, overLimitFen, preOwnFen, scopeFen, fundsFen, personFen, ...parts]
    .filter(fen => fen < 0)
  return [
    ...money(`${what}: own + over limit + own first + in scope`, totalFen,
      ownFen + overLimitFen + preOwnFen + scopeFen),
    ...money(`${what}: funds + person + hospital`, totalFen, fundsFen + personFen + paid.hospital),
    ...money(`${what}: account + family + purse + cash`, personFen,
      own.reduce((sum, payer) => sum + paid[payer], 0)),
    ...money(`${what}: all parts`, totalFen, parts.reduce((sum, fen) => sum + fen, 0)),
    ...compare(`${what}: parts below zero`, '0', String(below.length))
  ]
}

export const soundBills = thenVerb({
  says: 'bills at random: how many were settled; the identities of each hold, no part is below zero',
  example: 'sound_bills: { of: random, settled: 200 }',
  schema: Type.Object({
    of: Type.Optional(name('the name of the bills')),
    settled: whole('how many'),
    with: Type.Optional(Type.Array(oneOf(payers, 'who'), {
      description: 'who has paid something in at least one of them'
    }))
  }, closed),
  check: (world, said) => {
    const made = world.answers.get(`random bills ${said.of ?? 'last'}`) as readonly RandomBill[] | undefined
    if (made === undefined) {
      throw new StepError('there are no such bills', 'the name after as: of random_bills')
    }
    const splits = made.flatMap(({ reply: { split } }) => split === null ? [] : [split])
    const paid = payers.filter(payer => splits.some(split => split.paid[payer] > 0))
    return Promise.resolve([
      ...plain('bills settled', said.settled, splits.length),
      ...made.flatMap(({ itemsFen, reply: { split } }, nth) => split === null
        ? []
        : [...unsound(`bill ${nth}`, split), ...money(`bill ${nth}: total`, itemsFen, split.totalFen)]),
      ...(said.with ?? []).filter(payer => !paid.includes(payer))
        .flatMap(payer => compare(`bills with ${payer}`, 'some', 'none'))
    ])
  }
})

export const insured = thenVerb({
  says: 'what insured persons have: the account, bills that count, sums of the year',
  example: 'insured: { ANN: { account: 0.00, bills: 1, sums: { outpatient-pool: 157.20 } } }',
  schema: mappingOf(
    name('an insured person'),
    Type.Object({
      account: Type.Optional(yuan('on the personal account')),
      bills: Type.Optional(whole('that count this year')),
      sums: Type.Optional(mappingOf(name('a sum of the rule set'), yuan(), 'sums of the year'))
    }, closed),
    'by person'
  ),
  check: async (world, said) => (await Promise.all(Object.entries(said).map(async ([person, wanted]) => {
    const { accountFen, live, accumulators } = await personAt(world, person)
    const sums = new Map(accumulators.map(({ counter, amount }) => [counter, amount]))
    return [
      ...money(`account of ${person}`, wanted.account, accountFen),
      ...plain(`bills of ${person}`, wanted.bills, live),
      ...Object.entries(wanted.sums ?? {})
        .flatMap(([counter, fen]) => money(`${counter} of ${person}`, fen, sums.get(counter) ?? 0))
    ]
  }))).flat()
})

async function personAt (world: World, person: string): Promise<ClinicPersonView> {
  const [clinic = ''] = world.clinics.keys()
  known(world.clinics, 'clinic', clinic)
  const path = `/v1/clinic/${clinic}/persons/look-up`
  return await world.api.call({ method: 'POST', path, as: 'gateway', json: { person } }) as ClinicPersonView
}

export const billExplained = thenVerb({
  says: 'words of the explanation of a bill, in either language; its steps sum up to the bill, unasked',
  example: 'bill_explained: { paid: ["262.00 × 60 % = 157.20", "统筹基金"] }',
  schema: mappingOf(
    name('the name of a bill that was settled'),
    Type.Array(text('words'), { description: 'words that stand in it' }),
    'by bill'
  ),
  check: async (world, said) => (await Promise.all(Object.entries(said).map(async ([bill, words]) => {
    const { clinic, reply } = askedAs(world, bill)
    const path = `/v1/clinic/${clinic}/settlements/${settlementOf(world, bill)}/explanation`
    const { steps, totalFen } = await world.api.get<ClinicExplanation>(path)
    const told = steps.flatMap(({ en, zh }) => [en, zh]).join('; ')
    const paid = steps.flatMap(step => step.paid).reduce((sum, { amountFen }) => sum + amountFen, 0)
    return [
      ...money(`steps of ${bill}`, reply.split?.totalFen, paid),
      ...money(`total of the explanation of ${bill}`, paid, totalFen),
      ...words.flatMap(one => told.includes(one) ? [] : compare(`explanation of ${bill}`, one, told))
    ]
  }))).flat()
})
