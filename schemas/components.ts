// Terminals as a city platform sees them: components with a place and a health, and what happens to them.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant } from './api.ts'
import { HealthName } from './estate.ts'
import { ofTerminal, TerminalEventName, terminalKinds, Where } from './terminals.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const ComponentId = Type.String({ description: 'OPERATOR/TERMINAL: stays for as long as the component does' })

export const componentStates = ['enrolled', 'suspended', 'retired'] as const

export const Component = Type.Object({
  component: ComponentId,
  operator: ofTerminal.operator,
  operatorZh: Type.String(), operatorEn: Type.String(),
  name: Type.String(),
  kind: literals(terminalKinds),
  state: literals(componentStates, 'only enrolled ones serve'),
  health: HealthName,
  since: orNull(Instant),
  place: orNull(Type.String({ description: 'in words' })),
  where: orNull(Where),
  heardAt: orNull(Instant),
  events: Type.Array(TerminalEventName, { description: 'that last' })
}, { ...closed, $id: 'Component' })
export type Component = Static<typeof Component>

export const componentWhats = ['found', 'cleared', 'handled', 'enrolled', 'suspended', 'retired'] as const
export type ComponentWhat = typeof componentWhats[number]

export const ComponentNews = Type.Object({
  number: Type.Integer({ minimum: 1, description: 'grows; put the last one into `after`' }),
  component: ComponentId,
  what: literals(componentWhats, 'of an event: found, cleared, dealt with; of a component: enrolled (or ' +
    'changed), suspended, retired'),
  event: orNull(TerminalEventName),
  says: Type.String({ description: 'the event in words; empty where it is none' }),
  down: Type.Boolean({ description: 'while the event lasts nobody is served' }),
  foundAt: orNull(Instant),
  dueAt: orNull(Type.Unsafe<string>({
    ...Instant, description: 'of an event that was found: until when somebody is to deal with it'
  })),
  at: Type.Unsafe<string>({ ...Instant, description: 'when it happened' })
}, { ...closed, $id: 'ComponentNews' })
export type ComponentNews = Static<typeof ComponentNews>
