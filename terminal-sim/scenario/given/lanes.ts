// given: lanes, each a real card reader and a real PSAM reader behind a gateway.
import { Type } from 'typebox'
import { blockForms } from '../../../schemas/card-block.ts'
import { profileNames } from '../../../schemas/epurse/profiles.ts'
import { laneModes } from '../../../schemas/gateway.ts'
import { senses } from '../../../schemas/record.ts'
import { mappingOf } from '../check.ts'
import { name, oneOf } from '../values.ts'
import { givenVerb } from '../verb.ts'

export const lanes = givenVerb({
  says: 'lanes with real readers: a gateway is started, cards can be tapped there',
  example: 'lanes: { BUS-1: { mode: fare, line: "12" } }',
  schema: mappingOf(
    name('a lane, such as BUS-1'),
    Type.Object(
      {
        terminal: Type.Optional(name('the terminal it is; the one of its own name when absent')),
        mode: Type.Optional(
          oneOf(laneModes,
            'fare: the tariff; till: an amount asked for; load: value is written; fare when absent')
        ),
        agent: Type.Optional(name('at a load lane: who takes the cash; the operator when absent')),
        block_listed: Type.Optional(
          oneOf(blockForms, 'listed cards block themselves here; absent: they are declined')
        ),
        cards: Type.Optional(oneOf(profileNames, 'whose PSAM it has; cjt166 when absent')),
        stop: Type.Optional(name('the stop where it stands, or begins')),
        sense: Type.Optional(oneOf(senses, 'an entry, an exit, or both; either when absent')),
        line: Type.Optional(name('line or counter')),
        vehicle: Type.Optional(name('vehicle or desk'))
      },
      { additionalProperties: false }
    ),
    'lanes by name'
  ),
  prepare: (world, said) => {
    Object.assign(world.lanes, said)
  }
})
