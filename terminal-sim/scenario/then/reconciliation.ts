// then: what reconciliation found: layers of a day, open differences, the answer to a terminal, the float.
import { Type } from 'typebox'
import {
  layers, type FloatView, type ItemView, type RunView, type TerminalCheck
} from '../../../schemas/reconciliation.ts'
import { mappingOf } from '../check.ts'
import { day, name, oneOf, showYuan, text, whole, yes } from '../values.ts'
import { compare, StepError, thenVerb } from '../verb.ts'
import type { World } from '../world.ts'
import { plain } from './balances.ts'

const closed = { additionalProperties: false } as const
const Layer = oneOf(layers, 'a layer: A terminal batch … I float')

export const reconciliation = thenVerb({
  says: 'which layers of a reconciled day are ok or red; those that are not said are not compared',
  example: 'reconciliation: { day: D, layers: { A: red, D: ok, I: ok } }',
  schema: Type.Object(
    { day: day(), layers: mappingOf(Layer, oneOf(['ok', 'red'], 'ok or red'), 'layers') }, closed),
  check: async (world, { day: date, layers: wanted }) => {
    const items = await world.api.all<RunView>(`/v1/reconciliation?from=${date}&to=${date}`)
    return Object.entries(wanted).flatMap(([layer, state]) => {
      const run = items.find(one => one.layer === layer)
      const found = run === undefined ? 'not run' : run.ok ? 'ok' : 'red'
      return compare(`layer ${layer} of ${date}`, state, found)
    })
  }
})

export const differences = thenVerb({
  says: 'open differences by layer: outcome, party (- for none) and what ours is more than theirs',
  example: 'differences: { A: [AMOUNT_DIFF BUS -0.10], F: [] }',
  schema: mappingOf(
    Layer,
    { type: 'array', items: text('outcome, party, amount, such as AMOUNT_DIFF BUS -0.10') } as never,
    'open differences by layer'
  ),
  check: async (world, said: Readonly<Record<string, readonly string[]>>) => {
    const misses = await Promise.all(Object.entries(said).map(async ([layer, wanted]) => {
      const found = (await openItems(world, layer)).map(({ outcome, party, amountFen }) =>
        `${outcome} ${party ?? '-'} ${showYuan(amountFen)}`)
      return compare(`differences of layer ${layer}`, [...wanted].sort().join(', '), found.sort().join(', '))
    }))
    return misses.flat()
  }
})

const openItems = (world: World, layer: string): Promise<ItemView[]> =>
  world.api.all<ItemView>(`/v1/items?state=open&layer=${layer}`)

export const terminalCheck = thenVerb({
  says: 'what a terminal was answered to its totals: the code, the classes that differ, the records involved',
  example: 'terminal_check: { of: evening, code: 1, differ: [consume], records: 4 }',
  schema: Type.Object(
    {
      of: name('the name of the totals'),
      code: whole('0 all equal; consume 1, return 2, load 4, added up'),
      differ: Type.Optional(Type.Array(oneOf(['consume', 'return', 'load'], 'a class'),
        { description: 'classes that differ' })),
      records: Type.Optional(whole('how many records are listed'))
    },
    closed
  ),
  check: async (world, { of, code, differ, records }) => {
    const answer = world.answers.get(`terminal totals ${of}`) as TerminalCheck | undefined
    if (answer === undefined) {
      throw new StepError(`no totals were told as “${of}”`, 'terminal_totals: { as: … }')
    }
    const found = answer.classes.filter(one => !one.equal).map(one => one.class)
    return [
      ...compare(`code of ${of}`, String(code), String(answer.code)),
      ...differ === undefined ? [] : compare(`classes of ${of}`, differ.join(', '), found.join(', ')),
      ...plain(`records of ${of}`, records, answer.records.length)
    ]
  }
})

export const floatVerb = thenVerb({
  says: 'whether the float of a day is red, and words of what is wrong',
  example: 'float: { day: D, red: true, say: [off by -0.01] }',
  schema: Type.Object(
    {
      day: day(),
      red: yes('payments are not approved'),
      say: Type.Optional(Type.Array(text('words'), { description: 'words that stand in a fault' }))
    },
    closed
  ),
  check: async (world, { day: date, red, say = [] }) => {
    const view = await world.api.get<FloatView>(`/v1/float/${date}`)
    const faults = view.faults.join('; ')
    return [
      ...plain(`float of ${date} is red`, red, view.red),
      ...say.flatMap(words =>
        compare(`fault “${words}”`, 'there', faults.includes(words) ? 'there' : faults || 'none'))
    ]
  }
})
