// then: what somebody must look at: alerts, and open items of PSAM sequences and card chains.
import { alertKinds, type AlertKind, type AlertView } from '../../../schemas/alert.ts'
import type { WatchItem } from '../../../schemas/watch.ts'
import { mappingOf } from '../check.ts'
import { oneOf, showYuan, text } from '../values.ts'
import { compare, StepError, thenVerb } from '../verb.ts'
import { psamNumber, type World } from '../world.ts'

const kindNames = Object.keys(alertKinds) as AlertKind[]

export const alerts = thenVerb({
  says: 'what each kind of alert is about, over all days; the kinds that are not said are not compared',
  example: 'alerts: { psam_regression: [psam P9], fraud_suspicion: [terminal SHP-1], clone_suspicion: [] }',
  schema: mappingOf(
    oneOf(kindNames, 'a kind of alert'),
    { type: 'array', items: text('psam, terminal, party or card and a name') } as never,
    'alerts by kind'
  ),
  check: async (world, said: Readonly<Record<string, readonly string[]>>) => {
    const misses = await Promise.all(Object.entries(said).map(async ([kind, wanted]) => {
      const { items } = await world.api.get<{ items: AlertView[] }>(`/v1/alerts?kind=${kind}`)
      const found = new Set(items.map(({ about }) => about))
      const expected = wanted.map(one => aboutOf(world, one))
      return compare(`alerts ${kind}`, expected.sort().join(', '), [...found].sort().join(', '))
    }))
    return misses.flat()
  }
})

export const items = thenVerb({
  says: 'open items of PSAMs and cards: what, how many records, and the amount where there is one',
  example: 'items: { psam P9: [gap 5], card A: [gap 3 5.40, held grey], psam BUS-2: [] }',
  schema: mappingOf(
    { type: 'string', pattern: '^(psam|card) .+$', description: 'psam P9, card A' } as never,
    { type: 'array', items: text('gap 5, gap 3 5.40, held grey, reading 2 3.60') } as never,
    'open items by PSAM or card'
  ),
  check: async (world, said: Readonly<Record<string, readonly string[]>>) => {
    const found = [...await openItems(world, 'B'), ...await openItems(world, 'E')]
    return Object.entries(said).flatMap(([thing, wanted]) => {
      const about = aboutOf(world, thing)
      const own = found.filter(item => item.about === about).map(itemText)
      return compare(`items of ${thing}`, [...wanted].sort().join(', '), own.sort().join(', '))
    })
  }
})

async function openItems (world: World, layer: 'B' | 'E'): Promise<WatchItem[]> {
  const items: WatchItem[] = []
  for (let after: string | null = '0'; after !== null;) {
    const page: { items: WatchItem[], next: string | null } =
      await world.api.get(`/v1/watch/items?layer=${layer}&after=${after}`)
    items.push(...page.items)
    after = page.next
  }
  return items
}

const itemText = ({ kind, records, amountFen, evidence }: WatchItem): string => kind === 'held'
  ? `held ${(evidence as { reason: string }).reason}`
  : `${kind} ${records}${amountFen === 0 ? '' : ` ${showYuan(amountFen)}`}`

/** `psam P9` → `psam/990000000009/1`: what the ledger calls it. */
function aboutOf (world: World, said: string): string {
  const [thing = '', name = ''] = said.split(' ')
  if (thing === 'terminal' || thing === 'party') return `${thing}/${name}`
  if (thing === 'psam') {
    const psam = world.psams.get(name)
    return psam === undefined ? `psam/${psamNumber(name)}` : `psam/${psam.number}/1`
  }
  const chip = world.chips.get(name)
  if (thing === 'card' && chip !== undefined) {
    const { serial, issue } = chip.ref
    return `card/${serial.slice(0, 6)}…${serial.slice(-4)}-${issue}`
  }
  throw new StepError(`“${said}” is nothing an alert is about`,
    'psam P9, terminal SHP-1, party SHP, card A')
}
