// when: a process dies and comes back, the line between two of them is cut, or bytes of the database are
// changed behind the ledger's back.
import { Type } from 'typebox'
import { oneOf, text } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'

const processName = oneOf(['ledger', 'gateway'], 'a process')

export const kill = whenVerb({
  says: 'a process is killed (kill -9) at once, or when it next passes a named place',
  example: 'kill: { process: ledger, at: before-commit }',
  schema: Type.Object(
    {
      process: processName,
      at: Type.Optional(text('a named place, such as before-commit; at once when absent'))
    },
    { additionalProperties: false }
  ),
  plan: (world, said) => [{ act: () => world.stack.kill(said.process, said.at) }]
})

export const start = whenVerb({
  says: 'a killed process is started again, on the same database or spool',
  example: 'start: ledger',
  schema: processName,
  plan: (world, said) => [
    {
      act: async () => {
        const { url } = await world.stack.start(said)
        if (said === 'gateway') world.edge?.movedTo(url)
      }
    }
  ]
})

export const link = whenVerb({
  says: 'the line between gateway and ledger is cut, or mended',
  example: 'link: cut',
  schema: oneOf(['cut', 'mended'], 'what becomes of it'),
  plan: (world, said) => [
    {
      act: async () => {
        const { edge } = world
        if (edge === null) throw new StepError('no gateway runs', 'given lanes: { BUS-1: {} }')
        if (said === 'cut') edge.link.cut()
        else edge.link.mend()
      }
    }
  ]
})

/** What a gateway asks and tells, by the words of a scenario. */
const questions = {
  load: 'POST /v1/loads',
  'load outcome': 'POST /v1/loads/outcome',
  sale: 'POST /v1/requests',
  records: 'POST /v1/records',
  block: 'POST /v1/card-blocks',
  'block outcome': 'POST /v1/card-blocks/outcome',
  order: 'POST /v1/card-orders/next',
  'order outcome': 'POST /v1/card-orders/outcome'
} as const

export const loseAnswer = whenVerb({
  says: 'the next answer of the ledger to such a question of a gateway is lost on its way, in this act',
  example: 'lose_answer: load outcome',
  schema: oneOf(Object.keys(questions) as (keyof typeof questions)[], 'what the gateway asks or tells'),
  plan: (world, said) => [
    {
      act: async () => {
        const { edge } = world
        if (edge === null) throw new StepError('no gateway runs', 'given lanes: { BUS-1: {} }')
        edge.link.loseAnswer(questions[said])
      }
    }
  ]
})

export const tamper = whenVerb({
  says: 'somebody changes a row of the database past the ledger',
  example: 'tamper: transfer amount',
  schema: oneOf(
    ['transfer amount', 'purse balance', 'raw delivery', 'audit row', 'account balance',
      'account balance put back'],
    'what is changed'
  ),
  plan: (world, said) => [{
    act: async () => {
      world.answers.set('tampered', await world.stack.tamper(said))
    }
  }]
})
