// then: what somebody must look at: alerts, and open items of PSAM sequences and card chains.
import { alertKinds, type AlertKind, type AlertView } from '../../../schemas/alert.ts'
import type { Psam } from '../../../schemas/api.ts'
import type { WatchItem } from '../../../schemas/watch.ts'
import { Type } from 'typebox'
import { mappingOf } from '../check.ts'
import { day, moment, name, oneOf, showMoment, showYuan, text, whole, yuan } from '../values.ts'
import { compare, StepError, thenVerb } from '../verb.ts'
import { known, psamNumber, type World } from '../world.ts'

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
      const items = await world.api.all<AlertView>(`/v1/alerts?kind=${kind}`)
      // A card's number inside the ledger stands behind its masked one.
      const found = new Set(items.map(({ about }) => about.replace(/^(card\/.*)#\d+$/, '$1')))
      const expected = wanted.map(one => aboutOf(world, one))
      return compare(`alerts ${kind}`, expected.sort().join(', '), [...found].sort().join(', '))
    }))
    return misses.flat()
  }
})

export const alerted = thenVerb({
  says: 'how soon after something somebody was told of it',
  example: 'alerted: { kind: fraud_suspicion, about: terminal SHP-7, after: D 10:20, within_minutes: 5 }',
  schema: Type.Object({
    kind: oneOf(kindNames, 'a kind of alert'), about: text('psam, terminal, party or card and a name'),
    after: moment('when it happened'), within_minutes: whole()
  }, { additionalProperties: false }),
  check: async (world, { kind, about, after, within_minutes: minutes }) => {
    const items = await world.api.all<AlertView>(`/v1/alerts?kind=${kind}`)
    const at = items.filter(one => one.about === aboutOf(world, about)).map(one => Date.parse(one.at))
    const inTime = at.some(one => one >= after && one <= after + minutes * 60_000)
    const found = at.map(one => showMoment(one, world.reading)).join(', ')
    return inTime
      ? []
      : compare(`alert ${kind} about ${about}`,
        `within ${minutes} minutes of ${showMoment(after, world.reading)}`, found)
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

export const itemsOf = thenVerb({
  says: 'at which terminal of which operator something is open of a PSAM',
  example: 'items_of: { psam P9: { terminal: BUS-9, operator: BUS } }',
  schema: mappingOf(
    { type: 'string', pattern: '^psam .+$', description: 'psam P9' } as never,
    Type.Object({ terminal: name('a terminal'), operator: name('a party') }, { additionalProperties: false }),
    'terminal and operator by PSAM'
  ),
  check: async (world, said) => {
    const found = await openItems(world, 'B')
    return Object.entries(said).flatMap(([thing, { terminal, operator }]) => {
      const about = aboutOf(world, thing)
      const own = found.filter(item => item.about === about)
        .map(({ party, evidence }) => `${party} ${(evidence as { terminal: string | null }).terminal}`)
      return compare(`items of ${thing} are of`, `${operator} ${terminal}`, [...new Set(own)].join(', '))
    })
  }
})

const openItems = (world: World, layer: 'B' | 'E'): Promise<WatchItem[]> =>
  world.api.all<WatchItem>(`/v1/watch/items?layer=${layer}`)

const itemText = ({ kind, records, amountFen, evidence }: WatchItem): string => kind === 'held'
  ? `held ${(evidence as { reason: string }).reason}`
  : `${kind} ${records}${amountFen === 0 ? '' : ` ${showYuan(amountFen)}`}`

export const psams = thenVerb({
  says: 'which PSAMs stand on the list of stolen ones',
  example: 'psams: { P9: stolen, BUS-1: normal }',
  schema: mappingOf(name('a PSAM'), oneOf(['stolen', 'normal'], 'stolen or normal'), 'PSAMs by name'),
  check: async (world, said: Readonly<Record<string, string>>) => {
    const stolen = new Set((await world.api.all<Psam>('/v1/psams?stolen=true')).map(({ psam }) => psam))
    return Object.entries(said).flatMap(([psam, wanted]) =>
      compare(`PSAM ${psam}`, wanted,
        stolen.has(known(world.psams, 'PSAM', psam).number) ? 'stolen' : 'normal'))
  }
})

export const holds = thenVerb({
  says: 'parties whose settlement is held now, and by which rule',
  example: 'holds: { SHP: fraud_suspicion }',
  schema: mappingOf(name('a party'), oneOf(kindNames, 'a kind of alert'), 'rules by party'),
  check: async (world, said: Readonly<Record<string, string>>) => {
    const items = await world.api.all<{ party: string, kind: string }>('/v1/watch/holds')
    const text = (holds: readonly (readonly [string, string])[]) =>
      [...new Set(holds.map(([party, kind]) => `${party}: ${kind}`))].sort().join(', ')
    return compare('holds', text(Object.entries(said)), text(items.map(({ party, kind }) => [party, kind])))
  }
})

export const instructions = thenVerb({
  says: 'what the bank was told for a day: paid is plus, collected minus; nothing else',
  example: 'instructions: { day: D, are: { BUS: 11535.20, SHP: -35020.00 } }',
  schema: Type.Object({
    day: day(), are: mappingOf(name('a party'), yuan(), 'amounts by party')
  }, { additionalProperties: false }),
  check: async (world, said) => {
    const told = await world.api.all<InstructionView>(`/v1/instructions/${said.day}`)
    const found = told.map(({ party, direction, amountFen }) =>
      `${party} ${showYuan(direction === 'pay' ? Number(amountFen) : -Number(amountFen))}`)
    const wanted = Object.entries(said.are).map(([party, fen]) => `${party} ${showYuan(fen)}`)
    return compare('instructions', wanted.sort().join(', '), found.sort().join(', '))
  }
})
type InstructionView = { readonly party: string, readonly direction: string, readonly amountFen: number }

/** `psam P9` → `psam/990000000009/1`: what the ledger calls it. */
function aboutOf (world: World, said: string): string {
  const [thing = '', name = ''] = said.split(' ')
  if (thing === 'party' || name.includes('/')) return `${thing}/${name}`
  if (thing === 'terminal') return `terminal/${known(world.terminals, 'terminal', name).operator}/${name}`
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
