// when: records are delivered as a gateway delivers them.
import { Type, type Static } from 'typebox'
import type { DeliveryReply } from '../../../schemas/api.ts'
import { createRandom } from '../../random.ts'
import { RecordSaid, sayRecord, writtenOut } from '../say-record.ts'
import { name, oneOf, whole } from '../values.ts'
import { whenVerb, type Deed } from '../verb.ts'
import { nextName, type SentRecord, type World } from '../world.ts'

const closed = { additionalProperties: false } as const
const Records = Type.Array(RecordSaid, { minItems: 1, description: 'a list of records' })

const Delivery = Type.Object(
  {
    records: Records,
    delivery: Type.Optional(name('its id; the same id again is a retry')),
    connections: Type.Optional(whole('sent over so many connections at the same moment')),
    without: Type.Optional(
      Type.Array(oneOf(['counter', 'amountFen', 'dateTime', 'psam', 'sequence', 'tac', 'card'], 'a field'), {
        description: 'fields left out on the wire'
      })
    )
  },
  closed
)

export const deliver = whenVerb({
  says: 'a gateway delivers records; one list is one delivery',
  example: 'deliver: [{ card: A, counter: 101, before: 50.00, amount: 1.80, at: D 07:31, terminal: BUS-1 }]',
  schema: Type.Union([Records, Delivery]),
  plan: (world, said) => {
    const { records, ...how }: Static<typeof Delivery> = Array.isArray(said) ? { records: said } : said
    const sent = writtenOut(records).map(one => sayRecord(world, one))
    const { shuffle } = world.modifiers
    return shuffle === undefined || Object.keys(how).length > 0
      ? [deed(world, sent, how)]
      : dealt(sent, `${shuffle} ${sent[0]?.label}`).map(some => deed(world, some, how))
  }
})

/** In any order means: also against the others of its list. Long lists are dealt into so many deliveries. */
const deliveriesMax = 60

function dealt (sent: readonly SentRecord[], seed: string): SentRecord[][] {
  const size = Math.ceil(sent.length / deliveriesMax)
  const ordered = size === 1 ? sent : createRandom(seed).shuffle(sent)
  return Array.from({ length: Math.ceil(sent.length / size) }, (_, index) =>
    ordered.slice(index * size, (index + 1) * size))
}

type How = Omit<Static<typeof Delivery>, 'records'>

function deed (world: World, sent: readonly SentRecord[], how: How): Deed {
  const id =
    how.delivery === undefined ? nextName(world, 'scenario-delivery') : `scenario-delivery-${how.delivery}`
  const send = (delivery: string) => post(world, delivery, sent, how)
  return {
    act: async () => {
      const connections = Array.from({ length: how.connections ?? 1 }, (_, index) => index)
      // Each connection is another gateway's: the same records under another id.
      const replies = await Promise.all(
        connections.map(index => send(index === 0 ? id : `${id}-connection-${index + 1}`))
      )
      remember(sent, replies)
    },
    delivery: {
      twice: async () => {
        const first = await send(id)
        remember(sent, [first])
        assertSame(first, await send(id), 'the same delivery')
        assertSame(first, await send(`${id}-redelivered`), 'the same records in another delivery')
      }
    }
  }
}

async function post (
  world: World,
  delivery: string,
  sent: readonly SentRecord[],
  { without = [] }: How
): Promise<DeliveryReply> {
  const records = sent.map(({ record }) =>
    Object.fromEntries(Object.entries(record).filter(([field]) => !(without as string[]).includes(field)))
  )
  for (const [index, one] of sent.entries()) one.places.push({ delivery, line: index + 1 })
  return (await world.api.call({
    method: 'POST',
    path: '/v1/records',
    as: 'gateway',
    json: { delivery, records }
  })) as DeliveryReply
}

function remember (sent: readonly SentRecord[], replies: readonly DeliveryReply[]): void {
  for (const [index, one] of sent.entries()) {
    one.answers.push(
      replies.map(reply => {
        const answer = reply.results.find(result => result.index === index)
        if (answer === undefined) {
          throw new Error(`the reply to ${reply.delivery} has no result for record ${index}`)
        }
        return answer
      })
    )
  }
}

/** What is known already gets its first answer. */
function assertSame (first: DeliveryReply, again: DeliveryReply, what: string): void {
  const verdicts = ({ results }: DeliveryReply) =>
    results.map(one => `${one.index} ${one.outcome} ${one.reason}`).join(', ')
  if (verdicts(first) !== verdicts(again)) {
    throw new Error(`${what} was answered ${verdicts(again)}, the first time ${verdicts(first)}`)
  }
}
