// The estate of terminals as staff see it and say it: enrolment, state, events, availability. It refuses to
// know what gateways are told.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant } from './api.ts'
import { limits } from './limits.ts'
import {
  Certificates, EnrolledTerminal, ofTerminal, parameterKinds, TerminalEventName, terminalKinds, TerminalRef,
  TerminalStateName,
  Where
} from './terminals.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const { properties: part } = EnrolledTerminal
const Reason = Type.String({ minLength: 10, maxLength: 500, description: 'why' })

export const TerminalEnrolment = Type.Object({
  ...ofTerminal,
  kind: part.kind,
  place: part.place,
  gateway: part.gateway,
  firmware: part.firmware,
  keys: part.keys,
  heartbeatSeconds: Type.Optional(part.heartbeatSeconds),
  certificates: Certificates
}, { ...closed, $id: 'TerminalEnrolment' })
export type TerminalEnrolment = Static<typeof TerminalEnrolment>

export const TerminalEnrolments = Type.Object({
  terminals: Type.Array(TerminalEnrolment, { minItems: 1, maxItems: limits.registryItemsMax }),
  reason: Reason
}, { ...closed, $id: 'TerminalEnrolments' })
export type TerminalEnrolments = Static<typeof TerminalEnrolments>

export const EnrolmentReply = Type.Object({
  version: Type.Integer({ description: 'of the list' }),
  done: Type.Integer({ description: 'enrolled or changed now' }),
  waiting: Type.Integer({ description: 'that serve only after a second person has agreed' }),
  proposal: Type.Optional(Type.Integer({ description: 'in which they wait' }))
}, { ...closed, $id: 'EnrolmentReply' })
export type EnrolmentReply = Static<typeof EnrolmentReply>

export const TerminalWithdrawal = Type.Object({
  terminals: Type.Array(TerminalRef, { minItems: 1, maxItems: limits.registryItemsMax }),
  to: literals(['suspended', 'retired'], 'retired is for good'),
  reason: Reason
}, { ...closed, $id: 'TerminalWithdrawal' })
export type TerminalWithdrawal = Static<typeof TerminalWithdrawal>

const Held = Type.Object(Object.fromEntries(parameterKinds.map(kind => [kind, orNull(Type.Integer())])) as
  Record<typeof parameterKinds[number], ReturnType<typeof orNull<ReturnType<typeof Type.Integer>>>>, closed)

/** `unknown`: never heard, or its gateway is away. */
export const healths = ['intact', 'down', 'unknown'] as const
export type Health = typeof healths[number]
export const HealthName = literals(healths)

export const TerminalView = Type.Object({
  ...ofTerminal,
  name: Type.String(),
  state: TerminalStateName,
  kind: literals(terminalKinds),
  place: part.place,
  gateway: part.gateway,
  firmwareWanted: part.firmware,
  keys: part.keys,
  certificates: Type.Array(Type.String(), { description: 'fingerprints; none: any connection' }),
  heartbeatSeconds: part.heartbeatSeconds,
  enrolledAt: orNull(Instant),
  health: HealthName,
  heardBy: orNull(Type.String({ description: 'gateway that told of it last' })),
  heardAt: orNull(Instant),
  bootedAt: orNull(Instant),
  boots: Type.Integer(),
  firmware: part.firmware,
  driftMs: orNull(Type.Integer({ description: 'its clock less the gateway\'s; positive: ahead' })),
  where: orNull(Where),
  held: Held,
  events: Type.Array(TerminalEventName, { description: 'that last' })
}, { ...closed, $id: 'TerminalView' })
export type TerminalView = Static<typeof TerminalView>

export const HeldAt = Type.Object({
  ...ofTerminal,
  at: Instant,
  held: Type.Array(Type.Object({
    kind: literals(parameterKinds), version: Type.Integer(), appliedAt: Instant, reportedAt: Instant
  }, closed), { description: 'the version of each kind that it had applied last by then' })
}, { ...closed, $id: 'HeldAt' })
export type HeldAt = Static<typeof HeldAt>

export const TerminalEventView = Type.Object({
  id: Type.Integer(),
  ...ofTerminal,
  kind: TerminalEventName,
  gateway: Type.String(),
  foundAt: Instant,
  clearedAt: orNull(Instant),
  handledAt: orNull(Instant),
  handledBy: orNull(Type.String()),
  note: orNull(Type.String()),
  detail: Type.String(),
  dueAt: Type.Unsafe<string>({
    ...Instant,
    description: 'handled in time when cleared or dealt with by then'
  })
}, { ...closed, $id: 'TerminalEventView' })
export type TerminalEventView = Static<typeof TerminalEventView>

export const GatewayView = Type.Object({
  gateway: Type.String({ description: 'client id' }),
  reportedAt: Instant,
  away: Type.Boolean({ description: 'it has not reported three times in a row' }),
  everySeconds: Type.Integer(),
  startedAt: Instant,
  software: orNull(Type.String()),
  estate: orNull(Type.Integer({ description: 'version of the list that it held' })),
  spoolDepth: orNull(Type.Integer()),
  terminals: Type.Integer({ description: 'enrolled ones that it told of last' })
}, { ...closed, $id: 'GatewayView' })
export type GatewayView = Static<typeof GatewayView>

const Share = (description: string) => orNull(Type.Integer({
  minimum: 0, maximum: 1_000_000, description: `${description}, parts per million; null: nothing to tell of`
}))
const availability = {
  terminals: Type.Integer({ description: 'enrolled, and heard of' }),
  knownSeconds: Type.Integer({
    description:
    'of all of them together, up to the last word of their gateways'
  }),
  downSeconds: Type.Integer(),
  intactPpm: Share('time in which they were intact'),
  found: Type.Integer({ description: 'events found in the period that are handled, or were due' }),
  handled: Type.Integer({ description: 'of them, in time' }),
  handledPpm: Share('events that were handled in time')
}
export const Availability = Type.Object({
  from: Instant,
  to: Instant,
  unheard: Type.Integer({ description: 'enrolled terminals that nothing was ever heard of' }),
  fleet: Type.Object(availability, closed),
  operators: Type.Array(Type.Object({ operator: Type.String(), ...availability }, closed))
}, { ...closed, $id: 'Availability' })
export type Availability = Static<typeof Availability>
