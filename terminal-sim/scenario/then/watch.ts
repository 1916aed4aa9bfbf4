// then: what somebody must look at: alerts.
import { alertKinds, type AlertKind, type AlertView } from '../../../schemas/alert.ts'
import { mappingOf } from '../check.ts'
import { oneOf, text } from '../values.ts'
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
