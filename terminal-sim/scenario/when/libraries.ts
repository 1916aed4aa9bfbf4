// when: readers borrow, bring back and pay at a self-check; a librarian gives a reader another card.
import { Type } from 'typebox'
import { amountText, say, type Field } from '../../../schemas/sip2/message.ts'
import { debitOf } from '../debits.ts'
import { enterReaders, ReadersSaid } from '../given/libraries.ts'
import { dateOf, feeAt, lookUpAt, readerFields, sayAt, type DeskAnswer } from '../self-checks.ts'
import { name, oneOf, text, yes, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { known, type World } from '../world.ts'

const closed = { additionalProperties: false } as const
const desk = name('a self-check')
const card = name('the card that is held to it')
const book = name('a book')
const as = Type.Optional(name('a name for the answer; the last one has none'))

const remember = (world: World, as: string | undefined, answer: DeskAnswer): void => {
  world.answers.set(`at a desk: ${as ?? 'last'}`, answer)
}
export const deskAnswer = (world: World, said: string | undefined): DeskAnswer => {
  const answer = world.answers.get(`at a desk: ${said ?? 'last'}`)
  if (answer !== undefined) return answer as DeskAnswer
  throw new StepError(
    `no self-check gave an answer “${said ?? 'last'}”`, 'the name after as: of a step before')
}

export const borrow = whenVerb({
  says: 'a reader borrows a book at a self-check, or has it longer',
  example: 'borrow: { desk: LIB-1, card: A, book: one }',
  schema: Type.Object({ desk, card, book, as }, closed),
  plan: (world, { desk, card, book, as }) => [{
    act: async () => {
      const date = dateOf(world)
      const fixed = { renewalPolicy: 'Y', noBlock: 'N', date, nbDueDate: date }
      remember(world, as, await sayAt(world, desk,
        say('11', fixed, [...readerFields(world, desk, card), ['AB', book]])))
    }
  }]
})

export const bringBack = whenVerb({
  says: 'somebody brings a book back at a self-check',
  example: 'bring_back: { desk: LIB-1, book: one }',
  schema: Type.Object({ desk, book, as }, closed),
  plan: (world, { desk, book, as }) => [{
    act: async () => {
      const date = dateOf(world)
      const fields: Field[] = [['AO', known(world.selfChecks, 'self-check', desk)], ['AB', book]]
      remember(world, as, await sayAt(world, desk,
        say('09', { noBlock: 'N', date, returnDate: date }, fields)))
    }
  }]
})

export const lookUp = whenVerb({
  says: 'a self-check asks who a card belongs to, what is lent and what is owed',
  example: 'look_up: { desk: LIB-1, card: A, as: ann }',
  schema: Type.Object({ desk, card, as }, closed),
  plan: (world, { desk, card, as }) => [{
    act: async () => { remember(world, as, await lookUpAt(world, desk, card)) }
  }]
})

export const payFine = whenVerb({
  says: 'a reader pays at a self-check; of a purse the chip has paid already, and its record is named',
  example: 'pay_fine: { desk: LIB-1, card: A, book: one, amount: 3.50, record: A/101, lost: true }',
  schema: Type.Object(
    {
      desk,
      card,
      amount: yuan('BV'),
      book: Type.Optional(name('whose fine; the oldest ones first when absent')),
      record: Type.Optional(text('CARD/COUNTER or the name of the record: what the chip paid')),
      by: Type.Optional(oneOf(['online', 'cash'], 'where no chip has paid; online when absent')),
      transaction: Type.Optional(name('BK, where no chip has paid; none when absent')),
      lost: Type.Optional(yes('true: the answer gets lost on its way')),
      as
    },
    closed
  ),
  plan: (world, said) => [{
    act: async () => {
      const { desk, card, amount, book, record, by = 'online', transaction, lost, as } = said
      const fee = book === undefined ? null : await feeAt(world, desk, card, book)
      const named = record === undefined ? transaction : await debitOf(world, record)
      const fixed = {
        date: dateOf(world), feeType: '04', paymentType: by === 'cash' ? '00' : '02', currency: 'CNY'
      }
      const fields: Field[] = [
        ['BV', amountText(amount)], ...readerFields(world, desk, card),
        ...(fee === null ? [] : [['CG', fee] as const]),
        ...(named === undefined ? [] : [['BK', named] as const])
      ]
      remember(world, as, await sayAt(world, desk, say('37', fixed, fields), { lost }))
    }
  }]
})

export const sayAgain = whenVerb({
  says: 'a self-check says again, to the letter, what it said before',
  example: 'say_again: { what: paid, as: again }',
  schema: Type.Object(
    { what: name('the name of the answer it had, or missed'), desk: Type.Optional(desk), as },
    closed
  ),
  plan: (world, { what, desk, as }) => [{
    act: async () => {
      const before = deskAnswer(world, what)
      if (before.said === null) {
        throw new StepError(`${what} was more than one message`, 'borrow, pay_fine, …')
      }
      remember(world, as, await sayAt(world, desk ?? before.desk, before.said))
    }
  }]
})

export const changeReaders = whenVerb({
  says: 'a librarian enters readers, or gives one another card: the old one counts no more',
  example: 'change_readers: { library: LIB, readers: { ANN: { card: N } } }',
  schema: Type.Object({ library: name('a library'), readers: ReadersSaid }, closed),
  plan: (world, { library, readers }) => [{
    act: async () => { await enterReaders(world, library, readers) }
  }]
})
