// when: a batch of blank cards is made at an issuing desk, at a real reader.
import { Type, type Static } from 'typebox'
import { mappingOf } from '../check.ts'
import { lot, present, specOf, type Mishap } from '../desk.ts'
import { name, whole, yuan } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { cardOf, known, type World } from '../world.ts'

const Said = Type.Object(
  {
    batch: name('a new batch'),
    cards: Type.Array(name('a card that is given as blank'), { minItems: 1 }),
    sold_by: Type.Optional(name('the agent that sells them')),
    deposit: Type.Optional(yuan('of each: the agent owes it once the card is made')),
    torn: Type.Optional(mappingOf(
      name('a card'), whole('at which WRITE KEY it leaves the reader, from 1; it comes back'), 'by card')),
    spoils: Type.Optional(whole('how many more blank chips take a name, then refuse a key: waste'))
  },
  { additionalProperties: false }
)

export const makeCards = whenVerb({
  says: 'blank chips become the cards of a batch at an issuing desk, one after the other',
  example: 'make_cards: { batch: B1, cards: [A, N], sold_by: SHP, deposit: 20.00, torn: { N: 3 } }',
  schema: Said,
  plan: (world, said) => [{ act: async () => { await make(world, said) } }]
})

async function make (world: World, { batch, cards, sold_by: soldBy, deposit, torn = {}, spoils = 0 }:
Static<typeof Said>): Promise<void> {
  const { readers, access, ledgerUrl } = world
  if (readers === null) throw new StepError('an issuing desk', 'where there are lanes')
  const desk = readers.desk()
  const blanks = await Promise.all(cards.map(async card => await readers.blank(card)))
  const [first] = blanks
  if (first === undefined) return
  // At the end of the batch: a chip that comes gets the next name.
  const wasted = Array.from({ length: spoils }, (_, index) =>
    ({ ...first.becomes, serial: cardOf(`${batch} waste ${index}`).serial }))
  await world.api.call({
    method: 'POST', path: '/v1/issuing/batches', as: 'registrar',
    json: {
      batch, type: typeOf(world, cards), lot, lotKeyVersion: 1,
      cards: [...blanks.map(({ becomes }) => becomes), ...wasted].map(specOf),
      ...soldBy === undefined ? {} : { soldBy }, ...deposit === undefined ? {} : { depositFen: deposit }
    }
  })
  const config = {
    ledger: { url: ledgerUrl(), token: access.tokens.gateway }, pcsc: { socket: desk.socket },
    readers: desk.readers
  }
  await world.stack.issue({ config, batch })
  const hold = async (chip: string, expected: string, mishap?: Mishap): Promise<void> => {
    const line = await present(desk, chip, world.stack.issued, mishap)
    if (!line.startsWith(expected)) throw new Error(`the desk says ${line}, not ${expected}`)
  }
  for (const [index, { chip, becomes }] of blanks.entries()) {
    const at = torn[cards[index] ?? '']
    if (at !== undefined) await hold(chip, `interrupted ${becomes.serial}:`, { torn: at })
    await hold(chip, `issued ${becomes.serial}`)
  }
  for (const becomes of wasted) await hold(await readers.waste(becomes), 'spoiled', 'refuses keys')
  const report = await world.stack.issuingReport()
  const found = `${report.issued} issued, ${report.spoiled.length} spoiled, ${report.waiting} waiting`
  if (found !== `${cards.length} issued, ${spoils} spoiled, 0 waiting`) throw new Error(`${batch}: ${found}`)
}

function typeOf (world: World, cards: readonly string[]): string {
  const types = [...new Set(cards.map(card => {
    const { type, blank } = known(world.chips, 'card', card)
    if (!blank) throw new StepError(`${card} is made already`, 'cards that are given as blank')
    return type
  }))]
  if (types.length === 1) return types[0] ?? ''
  throw new StepError(`a batch of ${types.join(' and ')}`, 'one type')
}
