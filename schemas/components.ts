// Terminals as a city platform sees them: components with a place and a health, and what happens to them.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant } from './api.ts'
import { HealthName } from './estate.ts'
import { Words } from './service.ts'
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

/** What happens, in words: to an event, or to the component itself. */
export const componentWords = {
  found: { en: 'found', zh: '发现' }, cleared: { en: 'over', zh: '已恢复' },
  handled: { en: 'dealt with', zh: '已处置' }, enrolled: { en: 'put up, or changed', zh: '启用或变更' },
  suspended: { en: 'taken out of service', zh: '停用' }, retired: { en: 'taken away', zh: '拆除' }
} as const satisfies Record<string, Words>
export type ComponentWhat = keyof typeof componentWords
export const componentWhats = Object.keys(componentWords) as ComponentWhat[]

export const ComponentNews = Type.Object({
  number: Type.Integer({ minimum: 1, description: 'grows; put the last one into `after`' }),
  component: ComponentId,
  what: literals(componentWhats, 'of an event: found, cleared, dealt with; of a component: enrolled (or ' +
    'changed), suspended, retired'),
  event: orNull(TerminalEventName),
  says: Type.Object(Words.properties, { ...closed, description: 'what happened, the event first' }),
  down: Type.Boolean({ description: 'while the event lasts nobody is served' }),
  foundAt: orNull(Instant),
  dueAt: orNull(Type.Unsafe<string>({
    ...Instant, description: 'of an event that was found: until when somebody is to deal with it'
  })),
  at: Type.Unsafe<string>({ ...Instant, description: 'when it happened' })
}, { ...closed, $id: 'ComponentNews' })
export type ComponentNews = Static<typeof ComponentNews>
