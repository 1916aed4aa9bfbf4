// then: what a self-check was answered, and what a library knows of its readers and payments.
import { Type } from 'typebox'
import type { LibraryPaymentView, PatronReply } from '../../../schemas/library.ts'
import { libraryReasons, type LibraryReason } from '../../../schemas/library.ts'
import { fenOf, valueOf } from '../../../schemas/sip2/message.ts'
import { mappingOf } from '../check.ts'
import { isYes, titleOf, tokenOf } from '../self-checks.ts'
import { name, oneOf, showYuan, text, yes, yuan } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { deskAnswer } from '../when/libraries.ts'
import { known } from '../world.ts'
import { money, plain } from './balances.ts'

const closed = { additionalProperties: false } as const
const reasonNames = Object.keys(libraryReasons) as LibraryReason[]
const books = Type.Array(name('a book'), { description: 'books' })

export const desk = thenVerb({
  says: 'what a self-check was answered; the last answer when none is named',
  example: 'desk: { of: paid, answer: no, because: amount_over_fee }',
  schema: Type.Object(
    {
      of: Type.Optional(name('the name of the answer')),
      answer: Type.Optional(oneOf(['yes', 'no', 'none', 'not signed in'], 'none: it got lost')),
      because: Type.Optional(oneOf(reasonNames, 'the words that the reader sees, in Chinese')),
      says: Type.Optional(text('words that the reader sees')),
      owes: Type.Optional(yuan('all fines together')),
      books: Type.Optional(books),
      fines: Type.Optional(mappingOf(name('a book'), yuan(), 'what is left to pay, by book')),
      transaction: Type.Optional(text('BK'))
    },
    closed
  ),
  check: async (world, said) => {
    const { answer, desk, lists } = deskAnswer(world, said.of)
    const what = `answer ${said.of ?? 'at the self-check'}`
    if (typeof answer === 'string') return plain(what, said.answer, answer as never)
    const shown = valueOf(answer, 'AF') ?? ''
    const words = said.because === undefined ? said.says : libraryReasons[said.because].zh
    return [
      ...plain(what, said.answer, isYes(answer) ? 'yes' : 'no'),
      ...(words === undefined || shown.includes(words) ? [] : compare(`${what}: words`, words, shown)),
      ...money(`${what}: owes`, said.owes, fenOf(valueOf(answer, 'BV') ?? '') ?? 0),
      ...(said.books === undefined
        ? []
        : compare(`${what}: books`, listed(said.books), listed(lists.books))),
      ...(said.fines === undefined
        ? []
        : compare(`${what}: fines`,
          listed(Object.entries(said.fines).map(([book, fen]) =>
            `${showYuan(fen)} ${titleOf(world, desk, book)}`)),
          listed(lists.fines.map(one => one.replace(/^F\d+ /, ''))))),
      ...plain(`${what}: transaction`, said.transaction, valueOf(answer, 'BK') ?? '')
    ]
  }
})

const listed = (names: readonly string[]): string => [...names].sort().join(', ')

export const readers = thenVerb({
  says: 'what a library knows of its readers',
  example: 'readers: { library: LIB, are: { ANN: { books: [one], owes: 3.20, deposit: 100.00 } } }',
  schema: Type.Object(
    {
      library: name('a library'),
      are: mappingOf(
        name('a reader'),
        Type.Object(
          {
            books: Type.Optional(books),
            owes: Type.Optional(yuan('fines less what was paid, those that still grow included')),
            deposit: Type.Optional(yuan()),
            may_borrow: Type.Optional(yes('whether one more book would be lent')),
            because: Type.Optional(oneOf(reasonNames, 'why not'))
          },
          closed
        ),
        'readers by their number'
      )
    },
    closed
  ),
  check: async (world, { library, are }) => {
    const { readers } = known(world.libraries, 'library', library)
    const misses = await Promise.all(Object.entries(are).map(async ([reader, wanted]) => {
      const json = { token: tokenOf(world, known(readers, 'reader', reader)) }
      const path = `/v1/library/${library}/patrons/look-up`
      const { patron, reason } = await world.api.call(
        { method: 'POST', path, as: 'gateway', json }) as PatronReply
      if (patron === null) return compare(`reader ${reader}`, 'known', reason)
      const lent = patron.loans.filter(one => !one.returned).map(one => one.item)
      return [
        ...(wanted.books === undefined
          ? []
          : compare(`reader ${reader} books`, listed(wanted.books), listed(lent))),
        ...money(`reader ${reader} owes`, wanted.owes, patron.owedFen),
        ...money(`reader ${reader} deposit`, wanted.deposit, patron.depositFen),
        ...plain(`reader ${reader} may borrow`, wanted.may_borrow, patron.mayBorrow),
        ...plain(`reader ${reader} may not, because`, wanted.because, patron.whyNot ?? 'ok')
      ]
    }))
    return misses.flat()
  }
})

export const payments = thenVerb({
  says: 'all payments of a library: amount, outcome, whether the chip\'s record is there, what went back',
  example: 'payments: { library: LIB, are: [3.50 approved proven, 1.50 declined amount_over_fee returned] }',
  schema: Type.Object(
    {
      library: name('a library'),
      are: Type.Array(text('AMOUNT approved|declined [reason] [proven|awaited] [returned]'), {
        description: 'in the order in which they came'
      })
    },
    closed
  ),
  check: async (world, { library, are }) => {
    const items = await world.api.all<LibraryPaymentView>(`/v1/library/${library}/payments`)
    return compare(`payments of ${library}`, are.join(', '), items.map(paymentText).join(', '))
  }
})

const paymentText = ({ amountFen, outcome, reason, proven, returned }: LibraryPaymentView): string => [
  showYuan(amountFen), outcome, ...(reason === 'ok' ? [] : [reason]),
  ...(proven === null ? [] : [proven ? 'proven' : 'awaited']), ...(returned ? ['returned'] : [])
].join(' ')
