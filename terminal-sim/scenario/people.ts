// What people of the card company and of operators ask the ledger for: which events, proposals and disputes
// they mean. Bodies as the API wants them, made from short names.
import { Type, type Static } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import type { CardRef } from '../../schemas/record.ts'
import { accountCode } from './accounts.ts'
import { served, serviceIn } from './services.ts'
import { day, moment, name, oneOf, text, yes, yuan } from './values.ts'
import { StepError } from './verb.ts'
import { known, type World } from './world.ts'

const closed = { additionalProperties: false } as const

export const staff = (role: string) => Type.Optional(name(`staff; ${role} when absent`))
export const words = Type.Optional(text('why, in ten letters or more'))
export const someWords = 'as the scenario tells it'

/** `A/101`: the event with this counter of this card. */
export const eventSaid = name('CARD/COUNTER, such as A/101')

export function eventOf (world: World, said: string): { card: CardRef, counter: number } {
  const [, card = '', counter] = /^(.+)\/(\d+)$/.exec(said) ?? []
  if (counter === undefined) throw new StepError(`“${said}” names no event`, 'CARD/COUNTER, such as A/101')
  return { card: known(world.chips, 'card', card).ref, counter: Number(counter) }
}

/* ---- proposals ---- */

export const proposalKinds = [
  'correction', 'settlement_override', 'unpaid_release', 'residual', 'residual_return', 'dispute_final',
  'blacklist_removal', 'library_deposit', 'exit_decision', 'service_share', 'service_reversal',
  'campus_subsidy'
] as const

export const ProposalSaid = Type.Object(
  {
    kind: oneOf(proposalKinds, 'what is proposed'),
    as: name('a name for the proposal'),
    by: staff('clerk'),
    reason: words,
    transfers: Type.Optional(Type.Array(Type.Object(
      {
        debit: text('an account'),
        credit: text('an account'),
        amount: yuan(),
        card: Type.Optional(name('a card'))
      },
      closed
    ), { description: 'of a correction' })),
    day: Type.Optional(day('of a settlement_override; the first of a service_share')),
    event: Type.Optional(eventSaid),
    to: Type.Optional(oneOf(['holder', 'operator'], 'whose an unpaid debit is')),
    card: Type.Optional(name('a card with residual value')),
    cards: Type.Optional(Type.Array(name('a card'), {
      description: 'of a blacklist_removal, a campus_subsidy'
    })),
    dispute: Type.Optional(name('a dispute')),
    accepts: Type.Optional(yes('of a dispute_final')),
    library: Type.Optional(name('of a library_deposit')),
    reader: Type.Optional(name('whose deposit')),
    amount: Type.Optional(yuan('of a library_deposit, below zero it goes back; of a campus_subsidy, each')),
    bank_reference: Type.Optional(name('of the line at the bank')),
    service: Type.Optional(name('of a service_share')),
    party: Type.Optional(name('who sold')),
    answer: Type.Optional(name('of a service_reversal: the answer to what is taken back')),
    until: Type.Optional(day('the last day of a service_share that begins on day:')),
    stop: Type.Optional(name('of an exit_decision: where the journey ended')),
    exit_at: Type.Optional(moment('and when'))
  },
  closed
)
export type ProposalSaid = Static<typeof ProposalSaid>

/** The body of a proposal, by its kind. Throws StepError where something it needs is not said. */
export function bodyOf (world: World, said: ProposalSaid): object {
  const need = <T>(value: T | undefined, what: string): T => {
    if (value === undefined) throw new StepError(`a ${said.kind} says no ${what}`, `${what}: …`)
    return value
  }
  const refOf = (card: string): CardRef => known(world.chips, 'card', card).ref
  switch (said.kind) {
    case 'correction': return {
      transfers: need(said.transfers, 'transfers').map(({ debit, credit, amount, card }) => ({
        debit: accountCode(debit),
        credit: accountCode(credit),
        amountFen: amount,
        ...(card === undefined ? {} : { card: refOf(card) })
      }))
    }
    case 'settlement_override': return { date: need(said.day, 'day') }
    case 'unpaid_release': return { ...eventOf(world, need(said.event, 'event')), to: need(said.to, 'to') }
    case 'residual': case 'residual_return': return { card: refOf(need(said.card, 'card')) }
    case 'dispute_final': return {
      dispute: numberOf(world, 'dispute', need(said.dispute, 'dispute')),
      accepts: need(said.accepts, 'accepts')
    }
    case 'library_deposit': return {
      library: need(said.library, 'library'), patron: need(said.reader, 'reader'),
      amountFen: need(said.amount, 'amount'), bankReference: need(said.bank_reference, 'bank_reference')
    }
    case 'campus_subsidy': return {
      bankReference: need(said.bank_reference, 'bank_reference'),
      cards: need(said.cards, 'cards').map(card =>
        ({ card: refOf(card), amountFen: need(said.amount, 'amount') }))
    }
    case 'service_share': return {
      service: need(said.service, 'service'), party: need(said.party, 'party'),
      from: need(said.day, 'day'), until: need(said.until, 'until')
    }
    case 'service_reversal': {
      const { call, reply } = served(world, need(said.answer, 'answer'))
      const [service, party] = serviceIn(call)
      return { service, party, key: reply.key }
    }
    case 'exit_decision': {
      const { card, counter } = eventOf(world, need(said.event, 'event'))
      const at = formatIso(need(said.exit_at, 'exit_at'))
      return { card, entryCounter: counter, stop: need(said.stop, 'stop'), at }
    }
    case 'blacklist_removal': return { cards: need(said.cards, 'cards').map(refOf) }
  }
}

/* ---- names of what the ledger numbers ---- */

export const remember = (world: World, kind: 'proposal' | 'dispute', as: string, id: number): void => {
  world.answers.set(`${kind} ${as}`, id)
}

/** The ledger's number of a proposal or dispute that the scenario has named. */
export function numberOf (world: World, kind: 'proposal' | 'dispute', said: string): number {
  const id = world.answers.get(`${kind} ${said}`)
  if (typeof id === 'number') return id
  throw new StepError(`there is no ${kind} “${said}”`, `the name after as: of a ${kind} before`)
}

/* ---- refunds, disputes, cards ---- */

export const RefundSaid = Type.Object(
  {
    sale: eventSaid,
    amount: yuan('what is given back'),
    by: staff('clerk'),
    reference: Type.Optional(name('the same again gets the first answer; made up when absent')),
    as: Type.Optional(name('a name for the proposal, where it is above the limit')),
    reason: words
  },
  closed
)

export const DisputeSaid = Type.Object(
  {
    about: eventSaid,
    as: name('a name for the dispute'),
    side: oneOf(['holder', 'operator', 'issuer'], 'whose money it is said to be'),
    amount: yuan('how much of it'),
    by: staff('clerk'),
    reason: words
  },
  closed
)

export const NewCardSaid = Type.Object(
  {
    card: name('a card that is new'),
    by: name('staff'),
    balance: Type.Optional(yuan('its first load; 0.00 when absent')),
    sold_by: Type.Optional(name('the agent that sells it')),
    branch: Type.Optional(name('the branch it belongs to'))
  },
  closed
)
