// then: how terminals are doing, which of them lag behind, and what each held at an instant.
import { Type } from 'typebox'
import { formatIso } from '../../../runtime/instants.ts'
import { healths, type HeldAt, type TerminalView } from '../../../schemas/estate.ts'
import {
  parameterKinds, terminalEventKinds, terminalStates, type EstateReply, type TerminalEventKind
} from '../../../schemas/terminals.ts'
import { mappingOf } from '../check.ts'
import { moment, name, oneOf, text, whole } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'
import { refOf } from '../when/terminals.ts'
import { plain } from './balances.ts'

const closed = { additionalProperties: false } as const
const eventKinds = Object.keys(terminalEventKinds) as TerminalEventKind[]
const names = Type.Array(name('a terminal'), { description: 'terminals' })
const listed = (names: readonly string[]): string => [...names].sort().join(', ')
const versions = (says: string) => Object.fromEntries(parameterKinds.map(kind =>
  [kind, Type.Optional(whole(says))])) as
  Record<typeof parameterKinds[number], ReturnType<typeof Type.Optional<ReturnType<typeof whole>>>>

export const terminals = thenVerb({
  says: 'what the centre knows of terminals: state, health, what is wrong, which versions they have',
  example: 'terminals: { BUS-1: { state: enrolled, health: down, events: [silent], blacklist: 57 } }',
  schema: mappingOf(
    name('a terminal'),
    Type.Object(
      {
        state: Type.Optional(oneOf(terminalStates, 'whether it may serve')),
        health: Type.Optional(oneOf(healths, 'how it is doing')),
        events: Type.Optional(
          Type.Array(oneOf(eventKinds, 'an event'), { description: 'what is wrong now' })
        ),
        boots: Type.Optional(whole()),
        firmware: Type.Optional(text('that it runs')),
        clock_off_seconds: Type.Optional(whole('its clock less the true time')),
        ...versions('the version that it has applied')
      },
      closed
    ),
    'terminals by number'
  ),
  check: async (world, said) => {
    const misses = await Promise.all(Object.entries(said).map(async ([terminal, wanted]) => {
      const { operator } = refOf(world, terminal)
      const view = await world.api.get<TerminalView>(`/v1/terminals/${operator}/${terminal}`)
      const what = `terminal ${terminal}`
      return [
        ...plain(`${what} state`, wanted.state, view.state),
        ...plain(`${what} health`, wanted.health, view.health),
        ...(wanted.events === undefined
          ? []
          : compare(`${what} events`, listed(wanted.events), listed(view.events))),
        ...plain(`${what} boots`, wanted.boots, view.boots),
        ...plain(`${what} firmware`, wanted.firmware, view.firmware ?? 'none'),
        ...plain(`${what} clock off`, wanted.clock_off_seconds, (view.driftMs ?? 0) / 1_000),
        ...parameterKinds.flatMap(kind =>
          plain(`${what} ${kind}`, wanted[kind], view.held[kind] ?? ('none' as never)))
      ]
    }))
    return misses.flat()
  }
})

export const served = thenVerb({
  says: 'the terminals that a gateway may serve, all of them',
  example: 'served: [BUS-1, BUS-2]',
  schema: names,
  check: async (world, said) => {
    const { add } = await world.api.get<EstateReply>('/v1/terminals/estate', 'gateway')
    const found = add.filter(({ state }) => state === 'enrolled').map(({ terminal }) => terminal)
    return compare('terminals that are served', listed(said), listed(found))
  }
})

export const lagging = thenVerb({
  says: 'terminals that had applied an older blacklist than this, or none',
  example: 'lagging: { blacklist: 57, terminals: [BUS-2] }',
  schema: Type.Object({ blacklist: whole(), terminals: names }, closed),
  check: async (world, { blacklist, terminals }) => {
    const found = await world.api.all<TerminalView>(`/v1/terminals?blacklistBelow=${blacklist}`)
    return compare(`terminals below blacklist ${blacklist}`, listed(terminals),
      listed(found.map(({ terminal }) => terminal)))
  }
})

export const held = thenVerb({
  says: 'which versions a terminal had applied at an instant: liability depends on it',
  example: 'held: { terminal: BUS-1, at: D 09:30, blacklist: 55, tariff: 1 }',
  schema: Type.Object(
    { terminal: name('a terminal'), at: moment(), ...versions('the version; 0: none') }, closed),
  check: async (world, { terminal, at, ...wanted }) => {
    const { operator } = refOf(world, terminal)
    const path = `/v1/terminals/${operator}/${terminal}/held?at=${encodeURIComponent(formatIso(at))}`
    const { held } = await world.api.get<HeldAt>(path)
    return parameterKinds.flatMap(kind => plain(`${terminal} held ${kind}`, wanted[kind],
      held.find(one => one.kind === kind)?.version ?? 0))
  }
})
