// given: terminals that are tills, asking the centre before they give anything away.
import { Type } from 'typebox'
import { name } from '../values.ts'
import { givenVerb } from '../verb.ts'
import { known } from '../world.ts'

export const tills = givenVerb({
  says: 'terminals that are tills: a gateway is started, they ask it over a POS line',
  example: 'tills: [SHP-1]',
  schema: Type.Array(name('a terminal'), { description: 'terminals' }),
  prepare: (world, said) => {
    for (const till of said) known(world.terminals, 'terminal', till)
    world.tills.push(...said)
  }
})
