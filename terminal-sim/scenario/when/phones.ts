// when: a phone is bound to a card, shows a code, and a terminal takes it.
import { Type } from 'typebox'
import { formatIso } from '../../../runtime/instants.ts'
import type { BoundPhone, CodeReply } from '../../../schemas/phone-code.ts'
import { keyOf, post } from '../card-doors.ts'
import { staff } from '../people.ts'
import { codeSaid, phoneOf, programOf, rememberPhone } from '../phones.ts'
import { moment, name, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { known } from '../world.ts'

const closed = { additionalProperties: false } as const
const card = name('a card of a person')

export const bindPhone = whenVerb({
  says: 'a clerk binds a phone to the card of a person, for the program of a company',
  example: 'bind_phone: { card: A, program: SHP }',
  schema: Type.Object({ card, program: name('whose program it is'), by: staff('clerk') }, closed),
  plan: (world, { card, program: party, by = 'clerk' }) => [{
    act: async () => {
      await programOf(world, party)
      const bound = await post(world, `/v1/cards/${keyOf(world, card)}/phones`, by, { party }) as BoundPhone
      rememberPhone(world, card, { ...bound, party })
    }
  }]
})

export const endPhone = whenVerb({
  says: 'the phone of a card gets no codes any more',
  example: 'end_phone: { card: A }',
  schema: Type.Object({ card, by: staff('hotline') }, closed),
  plan: (world, { card, by = 'hotline' }) => [{
    act: async () => {
      const { phone } = phoneOf(world, card)
      const path = `/v1/cards/${keyOf(world, card)}/phones/${phone}/end`
      await world.api.call({ method: 'POST', path, as: { staff: by } })
    }
  }]
})

export const showCode = whenVerb({
  says: 'the phone of a card shows the next code',
  example: 'show_code: { card: A, as: C1 }',
  schema: Type.Object({ card, as: name('a name for the code') }, closed),
  plan: (world, { card, as }) => [{
    act: async () => {
      const { party, token } = phoneOf(world, card)
      const { code } = await world.api.call({
        method: 'POST', path: '/v1/codes', as: await programOf(world, party), json: { token }
      }) as CodeReply
      world.answers.set(`code ${as}`, code)
    }
  }]
})

export const scan = whenVerb({
  says: 'a code is held to the scanner of a lane; what the gateway said is a tap',
  example: 'scan: { code: C1, lane: BUS-1, amount: 1.80 }',
  schema: Type.Object({
    code: name('a code'), lane: name('a lane'),
    amount: Type.Optional(yuan('what the terminal asks for; absent: a ride, the tariff says')),
    as: Type.Optional(name('a name for what the gateway said'))
  }, closed),
  plan: (world, { code, lane, amount: amountFen, as }) => [{
    act: async () => {
      if (world.edge === null) throw new StepError('there is no gateway', 'given lanes: { BUS-1: {} }')
      await world.edge.follow()
      const path = `/v1/lanes/${lane}/codes`
      world.answers.set(as ?? 'last tap',
        await world.edge.post(path, {
          code: codeSaid(world, code), ...amountFen === undefined ? {} : { amountFen }
        }))
    }
  }]
})

export const tellCode = whenVerb({
  says: 'a gateway elsewhere tells that one of its terminals has taken a code',
  example: 'tell_code: { code: C1, terminal: MET-1, amount: 3.00, at: D 08:00:20 }',
  schema: Type.Object({
    code: name('a code'), terminal: name('a terminal'), amount: yuan('what it took'), at: moment('when')
  }, closed),
  plan: (world, { code, terminal, amount: amountFen, at }) => [{
    act: async () => {
      const { operator } = known(world.terminals, 'terminal', terminal)
      await world.api.call({
        method: 'POST', path: '/v1/code-uses', as: 'gateway',
        json: { code: codeSaid(world, code), operator, terminal, amountFen, at: formatIso(at) }
      })
    }
  }]
})
