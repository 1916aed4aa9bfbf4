// when: people propose, decide, give back, dispute, sign in and hand out cards.
import { Type } from 'typebox'
import type { ProposalView } from '../../../schemas/proposal.ts'
import type { DisputeView } from '../../../schemas/redress.ts'
import {
  bodyOf, DisputeSaid, eventOf, NewCardSaid, numberOf, ProposalSaid, RefundSaid, remember, someWords, staff,
  words
} from '../people.ts'
import { name, oneOf, whole, yes } from '../values.ts'
import { whenVerb } from '../verb.ts'
import { cardOf, nextName, type World } from '../world.ts'

const closed = { additionalProperties: false } as const
const post = (world: World, path: string, by: string, json: unknown): Promise<unknown> =>
  world.api.call({ method: 'POST', path, as: { staff: by }, json })

export const propose = whenVerb({
  says: 'somebody starts what a second person must approve',
  example: 'propose: { kind: unpaid_release, as: P1, by: clerk, event: A/103, to: operator }',
  schema: ProposalSaid,
  plan: (world, said) => [
    {
      act: async () => {
        const { kind, as, by = 'clerk', reason = someWords } = said
        const json = { kind, body: bodyOf(world, said), reason }
        const { id } = (await post(world, '/v1/proposals', by, json)) as ProposalView
        remember(world, 'proposal', as, id)
      }
    }
  ]
})

export const decide = whenVerb({
  says: 'people approve a proposal one after the other, or refuse it',
  example: 'decide: { proposal: P1, by: [approver-1], approves: true }',
  schema: Type.Object(
    {
      proposal: name('a proposal'),
      by: Type.Array(name('staff'), { minItems: 1, description: 'who decides' }),
      approves: Type.Optional(yes('true when absent'))
    },
    closed
  ),
  plan: (world, { proposal, by, approves = true }) => [
    {
      act: async () => {
        const path = `/v1/proposals/${numberOf(world, 'proposal', proposal)}/decisions`
        for (const one of by) await post(world, path, one, { approves })
      }
    }
  ]
})

export const refund = whenVerb({
  says: 'a part or all of a sale is given back, however long ago it was settled',
  example: 'refund: { sale: A/101, amount: 30.00 }',
  schema: RefundSaid,
  plan: (world, { sale, amount, by = 'clerk', reference, as, reason = someWords }) => [
    {
      act: async () => {
        const named = reference ?? nextName(world, 'refund')
        const json = { ...eventOf(world, sale), amountFen: amount, reason, reference: named }
        const { proposal } = (await post(world, '/v1/refunds', by, json)) as { proposal: number | null }
        if (as !== undefined && proposal !== null) remember(world, 'proposal', as, proposal)
      }
    }
  ]
})

export const dispute = whenVerb({
  says: 'somebody says that the money of a transaction is at the wrong place',
  example: 'dispute: { about: A/101, as: X1, side: holder, amount: 1.80 }',
  schema: DisputeSaid,
  plan: (world, { about, as, side, amount, by = 'clerk', reason = someWords }) => [
    {
      act: async () => {
        const json = { ...eventOf(world, about), side, amountFen: amount, reason }
        const { id } = (await post(world, '/v1/disputes', by, json)) as DisputeView
        remember(world, 'dispute', as, id)
      }
    }
  ]
})

const disputed = name('a dispute')

export const answerDispute = whenVerb({
  says: 'the other side of a dispute answers',
  example: 'answer_dispute: { dispute: X1, by: clerk-2, stance: contests }',
  schema: Type.Object(
    { dispute: disputed, by: name('staff'), stance: oneOf(['agrees', 'contests'], 'a stance'), words },
    closed
  ),
  plan: (world, { dispute: said, by, stance, words = someWords }) => [
    { act: async () => { await step(world, said, 'answer', by, { stance, words }) } }
  ]
})

export const decideDispute = whenVerb({
  says: 'an approver decides a dispute by what both sides said',
  example: 'decide_dispute: { dispute: X1, by: approver-1, accepts: false }',
  schema: Type.Object({ dispute: disputed, by: name('staff'), accepts: yes('true or false'), words }, closed),
  plan: (world, { dispute: said, by, accepts, words = someWords }) => [
    { act: async () => { await step(world, said, 'decision', by, { accepts, words }) } }
  ]
})

export const escalateDispute = whenVerb({
  says: 'who raised a dispute does not rest with its refusal',
  example: 'escalate_dispute: { dispute: X1 }',
  schema: Type.Object({ dispute: disputed, by: staff('clerk'), words }, closed),
  plan: (world, { dispute: said, by = 'clerk', words = someWords }) => [
    { act: async () => { await step(world, said, 'escalation', by, { words }) } }
  ]
})

const step = (world: World, said: string, what: string, by: string, json: object): Promise<unknown> =>
  post(world, `/v1/disputes/${numberOf(world, 'dispute', said)}/${what}`, by, json)

export const issueCard = whenVerb({
  says: 'a teller hands out a new card, with a first load',
  example: 'issue_card: { card: N, by: teller-west, balance: 50.00, sold_by: WEST-SHOP }',
  schema: NewCardSaid,
  plan: (world, { card, by, balance = 0, sold_by: soldBy, branch }) => [
    {
      act: async () => {
        const one = {
          card: cardOf(card), profile: 'cjt166', type: 'anonymous', suite: '3des', keyVersion: 1,
          cityFactor: null, balanceFen: balance, counter: 0, soldBy: soldBy ?? null, depositFen: 0,
          ...(branch === undefined ? {} : { branch })
        }
        const json = { cards: [one] }
        await world.api.call({ method: 'PUT', path: '/v1/registry', as: { staff: by }, json })
      }
    }
  ]
})

export const signIn = whenVerb({
  says: 'somebody signs in with a password, right or wrong, so many times',
  example: 'sign_in: { by: clerk, wrong: true, times: 5 }',
  schema: Type.Object(
    {
      by: name('staff'),
      wrong: Type.Optional(yes('true: with a wrong password')),
      times: Type.Optional(whole('once when absent'))
    },
    closed
  ),
  plan: (world, { by, wrong = false, times = 1 }) => Array.from({ length: times }, () => ({
    act: async () => {
      const password = wrong ? 'not the password' : world.access.passwords[by] ?? ''
      await world.api.call({ method: 'POST', path: '/v1/session', as: null, json: { name: by, password } })
    }
  }))
})
