// given: libraries with their rules, books and readers, and the self-checks that stand in them.
import { Type, type Static } from 'typebox'
import { addDays } from '../../../runtime/instants.ts'
import type { LibraryRules } from '../../../schemas/library.ts'
import { mappingOf } from '../check.ts'
import { day, name, oneOf, text, whole, yuan } from '../values.ts'
import { givenVerb } from '../verb.ts'
import { known, type World } from '../world.ts'

const closed = { additionalProperties: false } as const

const RulesSaid = Type.Object({
  loan_days: Type.Optional(whole('30 when absent')),
  loans_max: Type.Optional(whole('books one reader may have; 10 when absent')),
  renewals_max: Type.Optional(whole('renewals of one loan; 1 when absent')),
  holds_max: Type.Optional(whole('books one reader may wait for; 5 when absent')),
  fine_per_day: Type.Optional(yuan('for each late day on which the library is open; 0.10 when absent')),
  fine_max: Type.Optional(yuan('for one book; 20.00 when absent')),
  block_above: Type.Optional(yuan('who owes more borrows nothing; 1000.00 when absent')),
  deposit: Type.Optional(yuan('who has deposited less borrows nothing; 0.00 when absent')),
  closed: Type.Optional(Type.Array(day('a day'), { description: 'days on which the library is closed' })),
  growing: Type.Optional(
    oneOf(['refuse', 'prepay'], 'payment for a book that is still out; refuse when absent')
  )
}, { ...closed, description: 'its rules' })

export const ReadersSaid = mappingOf(
  name('a reader'),
  Type.Object({ card: name('the card that counts'), name: Type.Optional(text('of the person')) }, closed),
  'readers by their number'
)

export const libraries = givenVerb({
  says: 'libraries: rules, books and their own caps, readers and their cards',
  example: 'libraries: { LIB: { books: { one: { title: One } }, readers: { ANN: { card: A } } } }',
  schema: mappingOf(
    name('a party, such as LIB'),
    Type.Object(
      {
        rules: Type.Optional(RulesSaid),
        books: mappingOf(
          name('a book'),
          Type.Object({
            title: Type.Optional(text('its title')),
            fine_max: Type.Optional(yuan('its own cap, where it is lower'))
          }, closed),
          'books by barcode'
        ),
        readers: ReadersSaid
      },
      closed
    ),
    'libraries by party'
  ),
  prepare: (world, said) => {
    for (const [library, { rules = {}, books, readers }] of Object.entries(said)) {
      known(world.parties, 'party', library)
      const items = Object.entries(books).map(([item, { title, fine_max: fineFenMax }]) =>
        ({ item, title: title ?? `book ${item}`, ...(fineFenMax === undefined ? {} : { fineFenMax }) }))
      const titles = new Map(items.map(({ item, title }) => [item, title]))
      world.libraries.set(library, { books: titles, readers: new Map() })
      world.before.push({
        at: world.now,
        act: async () => {
          const put = async (what: string, json: unknown) => await world.api.call(
            { method: 'PUT', path: `/v1/library/${library}/${what}`, as: 'registrar', json })
          await put('rules', rulesOf(world, rules))
          await put('catalogue', { items })
          await enterReaders(world, library, readers)
        }
      })
    }
  }
})

const rulesOf = ({ reading }: World, said: Static<typeof RulesSaid>): LibraryRules => ({
  from: addDays(reading.day, -365),
  loanDays: said.loan_days ?? 30,
  loansMax: said.loans_max ?? 10,
  renewalsMax: said.renewals_max ?? 1,
  holdsMax: said.holds_max ?? 5,
  finePerDayFen: said.fine_per_day ?? 10,
  fineFenMax: said.fine_max ?? 2_000,
  blockAboveFen: said.block_above ?? 100_000,
  depositFen: said.deposit ?? 0,
  closedWeekdays: [],
  closedOnHolidays: true,
  closedDates: said.closed ?? [],
  accruing: said.growing ?? 'refuse'
})

/** New readers, and known ones with the card that counts from now on. */
export async function enterReaders (
  world: World, library: string, said: Static<typeof ReadersSaid>
): Promise<void> {
  const { readers } = known(world.libraries, 'library', library)
  const patrons = Object.entries(said).map(([patron, { card, name }]) =>
    ({ patron, name: name ?? patron, card: known(world.chips, 'card', card).ref }))
  await world.api.call({
    method: 'PUT', path: `/v1/library/${library}/catalogue`, as: 'registrar', json: { patrons }
  })
  for (const [patron, { card }] of Object.entries(said)) readers.set(patron, card)
}

export const selfChecks = givenVerb({
  says: 'terminals that are self-checks of a library: a gateway is started, they speak SIP2 with it',
  example: 'self_checks: { LIB-1: LIB }',
  schema: mappingOf(name('a terminal'), name('a library'), 'libraries by self-check'),
  prepare: (world, said) => {
    for (const [desk, library] of Object.entries(said)) {
      known(world.terminals, 'terminal', desk)
      known(world.libraries, 'library', library)
      world.selfChecks.set(desk, library)
    }
  }
})
