// when: the registry of social-security cards says something of a card.
import { Type } from 'typebox'
import { formatIso } from '../../../runtime/instants.ts'
import { socialOutcomes, type SocialReply, socialWordNames } from '../../../schemas/social-security.ts'
import { keyOf } from '../card-doors.ts'
import { someWords } from '../people.ts'
import { moment, name, oneOf } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { known } from '../world.ts'

const closed = { additionalProperties: false } as const

export const registrySays = whenVerb({
  says: 'the registry of social-security cards says something of a card; `at` is when it decided it. Under ' +
    '--shuffle messages come in another order, under --duplicate each twice',
  example: 'registry_says: { card: A, says: lost, at: D 10:00 }',
  schema: Type.Object({
    card: name('a card of social security'), says: oneOf(socialWordNames, 'a word'), at: moment('when'),
    to: Type.Optional(name('the card that took its place')),
    id: Type.Optional(name('of the message; the same again is a repeat')),
    outcome: Type.Optional(oneOf(socialOutcomes, 'what must come of it, in the order of this file'))
  }, closed),
  plan: (world, { card, says, at, to, id, outcome }) => {
    const said = () => world.api.call({
      method: 'POST', path: `/v1/social-security/cards/${keyOf(world, card)}/messages`, as: 'social-security',
      json: {
        id: `scenario-${id ?? `${card}-${says}-${at}`}`, says, at: formatIso(at), reason: someWords,
        ...to === undefined ? {} : { to: known(world.chips, 'card', to).ref }
      }
    }) as Promise<SocialReply>
    const once = async (): Promise<SocialReply> => {
      const reply = await said()
      const isOrdered = world.modifiers.shuffle === undefined
      if (!isOrdered || outcome === undefined || reply.outcome === outcome) return reply
      throw new StepError(`it is ${reply.outcome}, not ${outcome}`, 'moved, noted, superseded')
    }
    return [{
      act: async () => { await once() },
      delivery: {
        twice: async () => {
          const [first, again] = [await once(), await said()]
          if (again.replayed && again.outcome === first.outcome && again.state === first.state) return
          throw new Error(`message ${first.id}: ${JSON.stringify(again)} after ${JSON.stringify(first)}`)
        }
      }
    }]
  }
})
