// when: a card is reported lost, replaced, given back, found: what happens to it at a counter.
import { Type } from 'typebox'
import { cardMoves, type CardMove } from '../../../schemas/card-life.ts'
import { replacementReasons } from '../../../schemas/card-return.ts'
import { keyOf, post, readChip } from '../card-doors.ts'
import { someWords, staff, words } from '../people.ts'
import { propose } from '../proposals.ts'
import { name, oneOf, text, yes } from '../values.ts'
import { whenVerb } from '../verb.ts'
import { known } from '../world.ts'

const closed = { additionalProperties: false } as const
const card = name('a card')
const moves = (Object.keys(cardMoves) as CardMove[]).filter(move => cardMoves[move].by.length > 0)
const unreadable = Type.Optional(yes('true: no reader can read its chip; else one does'))

export const moveCard = whenVerb({
  says: 'somebody moves a card between its states; what takes two people is approved at once',
  example: 'move_card: { card: A, move: report_orally, by: clerk }',
  schema: Type.Object(
    {
      card, move: oneOf(moves, 'a move'), by: staff('clerk'), reason: words,
      approved_by: Type.Optional(Type.Array(name('staff'), { description: 'where two people are needed' }))
    },
    closed
  ),
  plan: (world, { card, move, by = 'clerk', reason = someWords, approved_by: approvers }) => [{
    act: async () => {
      if (approvers !== undefined) {
        const body = { card: known(world.chips, 'card', card).ref, move }
        await propose(world, { kind: 'card_move', body, reason, by, approvers })
      } else await post(world, `/v1/cards/${keyOf(world, card)}/moves`, by, { move, reason })
    }
  }]
})

export const replaceCard = whenVerb({
  says: 'a clerk gives another card in place of one',
  example: 'replace_card: { card: A, to: N, why: quality, unreadable: true }',
  schema: Type.Object(
    {
      card, to: name('the new card'), why: oneOf(replacementReasons, 'a reason'), unreadable,
      outlet: Type.Optional(name('whose till takes the fee')), by: staff('clerk'), reason: words
    },
    closed
  ),
  plan: (world, { card, to, why, unreadable = false, outlet, by = 'clerk', reason = someWords }) => [{
    act: async () => {
      const chip = unreadable || why === 'lost' ? null : await readChip(world, card)
      await post(world, `/v1/cards/${keyOf(world, card)}/replacement`, by, {
        to: known(world.chips, 'card', to).ref, why, chip, reason,
        ...(outlet === undefined ? {} : { outlet })
      })
    }
  }]
})

export const returnCard = whenVerb({
  says: 'a holder gives a card back for good',
  example: 'return_card: { card: A, outlet: OWN, damaged: true }',
  schema: Type.Object(
    {
      card, outlet: name('whose till pays'), unreadable,
      damaged: Type.Optional(yes('true: its deposit is kept')), by: staff('clerk'), reason: words
    },
    closed
  ),
  plan: (world, { card, outlet, unreadable = false, damaged = false, by = 'clerk', reason = someWords }) => [{
    act: async () => {
      const chip = unreadable ? null : await readChip(world, card)
      const json = { outlet, chip, undamaged: !damaged, reason }
      await post(world, `/v1/cards/${keyOf(world, card)}/return`, by, json)
    }
  }]
})

export const payReturn = whenVerb({
  says: 'what a card was worth whose chip nobody could read is paid',
  example: 'pay_return: { card: A, outlet: OWN }',
  schema: Type.Object({ card, outlet: name('whose till pays'), by: staff('clerk') }, closed),
  plan: (world, { card, outlet, by = 'clerk' }) => [{
    act: async () => {
      await post(world, `/v1/cards/${keyOf(world, card)}/return/payment`, by, { outlet })
    }
  }]
})

export const findCard = whenVerb({
  says: 'somebody brings a card that he found, or its holder fetches it',
  example: 'find_card: { card: A, place: bus station }',
  schema: Type.Object(
    {
      card, place: Type.Optional(text('where it lies now; it is fetched when absent')), by: staff('clerk')
    },
    closed
  ),
  plan: (world, { card, place, by = 'clerk' }) => [{
    act: async () => {
      const path = `/v1/cards/${keyOf(world, card)}`
      if (place === undefined) {
        await world.api.call({ method: 'POST', path: `${path}/fetched`, as: { staff: by } })
      } else await post(world, `${path}/found`, by, { place })
    }
  }]
})

const waysTo = {
  usual: ['task_made', 'in_production', 'made', 'shipped', 'received', 'issued'],
  'social-security': [
    'task_made', 'health_asked', 'health_approved', 'bank_asked', 'bank_approved', 'department_asked',
    'department_approved', 'in_production', 'made', 'account_asked', 'account_opened', 'shipped', 'received',
    'issued']
} as const
const atTheCounter: ReadonlySet<string> = new Set(['task_made', 'received', 'issued'])

export const issueTo = whenVerb({
  says: 'a person applies for a card, it is made and handed over: every state of the application',
  example: 'issue_to: { person: LI, card: A }',
  schema: Type.Object({ person: name('who applies'), card: name('what it becomes') }, closed),
  plan: (world, { person, card }) => [{
    act: async () => {
      const { type, ref } = known(world.chips, 'card', card)
      const holder = known(world.answers, 'person', `person ${person}`)
      const { application } = await post(world, '/v1/card-applications', 'clerk',
        { holder, type, why: 'first' }) as { application: number }
      for (const to of type === 'social-security' ? waysTo[type] : waysTo.usual) {
        await post(world, `/v1/card-applications/${application}/moves`,
          atTheCounter.has(to) ? 'clerk' : 'registrar-1',
          { to, reason: someWords, ...to === 'made' ? { card: ref } : {} })
      }
    }
  }]
})
