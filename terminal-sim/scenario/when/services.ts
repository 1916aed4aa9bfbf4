// when: something happens at a declared service: a car leaves a car park, somebody enters a scenic spot.
import { Type } from 'typebox'
import { formatIso } from '../../../runtime/instants.ts'
import { debitOf } from '../debits.ts'
import { askService, declarationOf, fieldsSaid, readFields, served } from '../services.ts'
import { moment, name, text, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { known, nextName } from '../world.ts'

const closed = { additionalProperties: false } as const
const as = Type.Optional(name('a name for the answer; the last one has none'))

export const serve = whenVerb({
  says: 'something happens at a declared service; where a chip has paid already, its record is named',
  example: 'serve: { party: PRK, service: parking, event: exit, card: A, said: { lost: true } }',
  schema: Type.Object(
    {
      party: name('the merchant'), service: name('as it is declared'),
      event: name('as the service declares it'),
      card: Type.Optional(name('a card')),
      happened: Type.Optional(moment('when; now when absent')),
      place: Type.Optional(name('at whom, where not at the merchant itself')),
      terminal: Type.Optional(name('a terminal')),
      said: Type.Optional(fieldsSaid('fields of the event')),
      record: Type.Optional(text('CARD/COUNTER or the name of the record: what the chip paid')),
      amount: Type.Optional(yuan('and how much it paid')),
      key: Type.Optional(name('that of an event before: the same, or another under its key')),
      as
    },
    closed
  ),
  plan: (world, said) => {
    const key = said.key ?? nextName(world, 'event')
    return [{
      act: async () => {
        const { party, service, event, card, happened, place, terminal, record, amount } = said
        const declared = (await declarationOf(world, service)).events[event]
        if (declared === undefined) throw new StepError(`${service} has no “${event}”`, 'as declared')
        if ((record === undefined) !== (amount === undefined)) {
          throw new StepError('a debit is a record and its amount', 'record: A/101, amount: 3.00')
        }
        const json = {
          key, event,
          ...card === undefined ? {} : { card: known(world.chips, 'card', card).ref },
          ...happened === undefined ? {} : { at: formatIso(happened) },
          ...place === undefined ? {} : { place },
          ...terminal === undefined ? {} : { terminal },
          ...said.said === undefined ? {} : { said: readFields(declared.said, said.said, world.reading) },
          ...record === undefined
            ? {}
            : { debit: { record: await debitOf(world, record), amountFen: amount } }
        }
        await askService(world, { path: `/v1/services/${service}/parties/${party}/events`, json }, said.as)
      }
    }]
  }
})

export const serveAgain = whenVerb({
  says: 'the same is said to a service again, to the letter',
  example: 'serve_again: { what: out, as: again }',
  schema: Type.Object({ what: name('the name of the answer before'), as }, closed),
  plan: (world, { what, as }) => [{
    act: async () => { await askService(world, served(world, what).call, as) }
  }]
})
