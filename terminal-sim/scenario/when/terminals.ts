// when: terminals are put up, enrolled by two people, stopped by one; what they tell of themselves.
import { Type } from 'typebox'
import { formatIso } from '../../../runtime/instants.ts'
import type { EnrolmentReply, TerminalEventView } from '../../../schemas/estate.ts'
import {
  parameterKinds, terminalEventKinds, terminalKinds, type EstateReport, type EstateReportReply,
  type TerminalEventKind, type TerminalReport
} from '../../../schemas/terminals.ts'
import { TerminalsSaid, terminalsOf } from '../given/things.ts'
import { remember, someWords, staff, words } from '../people.ts'
import { name, oneOf, text, whole, yes } from '../values.ts'
import { StepError, whenVerb } from '../verb.ts'
import { known, type World } from '../world.ts'

const closed = { additionalProperties: false } as const
const eventKinds = Object.keys(terminalEventKinds) as TerminalEventKind[]
const some = Type.Array(name('a terminal'), { minItems: 1, description: 'terminals' })

export const putUp = whenVerb({
  says: 'terminals are put up while the city runs: registered, and served only once they are enrolled',
  example: 'put_up: { BUS-9: { operator: BUS } }',
  schema: TerminalsSaid,
  plan: (world, said) => {
    const json = terminalsOf(world, said)
    return [{
      act: async () => {
        await world.api.call({ method: 'PUT', path: '/v1/registry', as: 'registrar', json })
      }
    }]
  }
})

export const enrol = whenVerb({
  says: 'a registrar enrols terminals, or changes how; what lets one earn money waits for a second person',
  example: 'enrol: { terminals: [BUS-9], kind: bus, place: line 5, approved_by: [approver-1] }',
  schema: Type.Object(
    {
      terminals: some,
      kind: Type.Optional(oneOf(terminalKinds, 'what it is; other when absent')),
      place: Type.Optional(text('where it stands')),
      firmware: Type.Optional(text('that it should run')),
      gateway: Type.Optional(name('the only one that may serve it; any when absent')),
      heartbeat_seconds: Type.Optional(whole('how often it is heard')),
      by: staff('registrar-1'),
      reason: words,
      approved_by: Type.Optional(Type.Array(name('staff'), { description: 'who approves at once' })),
      as: Type.Optional(name('a name for the proposal'))
    },
    closed
  ),
  plan: (world, said) => [{
    act: async () => {
      const { by = 'registrar-1', reason = someWords, approved_by: approvers = [], as } = said
      const json = {
        terminals: said.terminals.map(one => ({
          ...refOf(world, one), kind: said.kind ?? 'other', place: said.place ?? '',
          gateway: said.gateway ?? null, firmware: said.firmware ?? null, keys: null,
          ...(said.heartbeat_seconds === undefined ? {} : { heartbeatSeconds: said.heartbeat_seconds })
        })),
        reason
      }
      const path = '/v1/terminals/enrolments'
      const { proposal } = await world.api.call(
        { method: 'POST', path, as: { staff: by }, json }) as EnrolmentReply
      if (proposal === undefined) return
      if (as !== undefined) remember(world, 'proposal', as, proposal)
      for (const one of approvers) {
        await world.api.call({
          method: 'POST', path: `/v1/proposals/${proposal}/decisions`, as: { staff: one },
          json: { approves: true }
        })
      }
    }
  }]
})

export const stopTerminals = whenVerb({
  says: 'one person stops terminals: suspended ones come back by an enrolment, retired ones never',
  example: 'stop_terminals: { terminals: [BUS-9], to: suspended }',
  schema: Type.Object(
    {
      terminals: some, to: oneOf(['suspended', 'retired'], 'retired is for good'), by: staff('clerk'),
      reason: words
    },
    closed
  ),
  plan: (world, { terminals, to, by = 'clerk', reason = someWords }) => [{
    act: async () => {
      const json = { terminals: terminals.map(one => refOf(world, one)), to, reason }
      await world.api.call({ method: 'POST', path: '/v1/terminals/withdrawals', as: { staff: by }, json })
    }
  }]
})

export const handleEvent = whenVerb({
  says: 'somebody has dealt with what is wrong with a terminal',
  example: 'handle_event: { terminal: BUS-2, event: printer, note: paper was put in }',
  schema: Type.Object(
    { terminal: name('a terminal'), event: oneOf(eventKinds, 'what is wrong'), note: text('what was done') },
    closed
  ),
  plan: (world, { terminal, event, note }) => [{
    act: async () => {
      const query = new URLSearchParams({ ...refOf(world, terminal), kind: event, open: 'true' })
      const [one] = await world.api.all<TerminalEventView>(`/v1/terminals/events?${query}`)
      if (one === undefined) throw new StepError(`nothing of ${terminal} waits for anybody`, 'hear: found')
      await world.api.call({
        method: 'POST', path: `/v1/terminals/events/${one.id}/handled`, as: { staff: 'clerk' }, json: { note }
      })
    }
  }]
})

const applied = Object.fromEntries(parameterKinds.map(kind =>
  [kind, Type.Optional(whole('version of it that it has applied'))])) as
  Record<typeof parameterKinds[number], ReturnType<typeof Type.Optional<ReturnType<typeof whole>>>>
const events = (description: string) => Type.Array(oneOf(eventKinds, 'an event'), { description })
const HeardSaid = Type.Object(
  {
    terminals: some,
    boot: Type.Optional(yes('true: it has just started')),
    firmware: Type.Optional(text('that it runs')),
    clock_off_seconds: Type.Optional(whole('its clock less the true time')),
    stands: Type.Optional(text('latitude, longitude in degrees')),
    ...applied,
    found: Type.Optional(events('what is wrong now')),
    cleared: Type.Optional(events('what is right again')),
    silent: Type.Optional(yes('true: nothing is heard of it any more, its gateway tells so')),
    refused: Type.Optional(text('words with which the centre takes none of it'))
  },
  closed
)

/** `26.8936, 112.5720` */
function whereIn (text: string): { latitude: number, longitude: number } {
  const [, latitude, longitude] = /^(-?\d{1,2}(?:\.\d+)?), (-?\d{1,3}(?:\.\d+)?)$/.exec(text) ?? []
  if (latitude === undefined) throw new StepError(`“${text}” is no place`, '26.8936, 112.5720')
  return { latitude: Number(latitude), longitude: Number(longitude) }
}

export const hear = whenVerb({
  says: 'a gateway hears terminals and tells the centre: a heartbeat, where nothing else is said',
  example: 'hear: { terminals: [BUS-1], boot: true, firmware: "2.4", blacklist: 57, clock_off_seconds: -5 }',
  schema: HeardSaid,
  plan: (world, said) => [{
    act: async () => {
      const at = formatIso(world.now)
      const of = (terminal: string): TerminalReport => ({
        ...refOf(world, terminal),
        ...(said.silent === true ? {} : { heardAt: at }),
        ...(said.boot === true ? { bootedAt: at } : {}),
        ...(said.firmware === undefined ? {} : { firmware: said.firmware }),
        ...(said.stands === undefined ? {} : { where: whereIn(said.stands) }),
        ...(said.clock_off_seconds === undefined ? {} : { driftMs: said.clock_off_seconds * 1_000 }),
        applied: parameterKinds.flatMap(kind => {
          const version = said[kind]
          return version === undefined ? [] : [{ kind, version, at }]
        }),
        events: eventsOf(world, terminal, said, at)
      })
      const json: EstateReport = { at, everySeconds: 60, startedAt: at, terminals: said.terminals.map(of) }
      const { refused } = await world.api.call(
        { method: 'POST', path: '/v1/terminals/reports', as: 'gateway', json }) as EstateReportReply
      const why = refused.map(one => one.why).join('; ')
      if (why === (said.refused ?? '') || (said.refused !== undefined && why.includes(said.refused))) return
      throw new StepError(
        `the centre refuses what is told: ${why || 'nothing'}`, said.refused ?? 'nothing refused')
    }
  }]
})

/** A gateway knows since when; so does this one. Silence is over with the next word. */
function eventsOf (
  world: World, terminal: string, said: { found?: string[], cleared?: string[], silent?: boolean }, at: string
): NonNullable<TerminalReport['events']> {
  const since = (kind: string) => `${terminal} ${kind} since`
  const found = [...said.found ?? [], ...(said.silent === true ? ['silent'] : [])]
  const over = [...said.cleared ?? [],
    ...(said.silent !== true && world.answers.has(since('silent')) ? ['silent'] : [])]
  const events = [
    ...found.map(kind => ({ kind, foundAt: at, clearedAt: null })),
    ...over.map(kind => ({ kind, foundAt: world.answers.get(since(kind)) as string ?? at, clearedAt: at }))
  ]
  for (const kind of found) world.answers.set(since(kind), at)
  for (const kind of over) world.answers.delete(since(kind))
  return events.map(one => ({ ...one, kind: one.kind as TerminalEventKind, detail: '' }))
}

export const refOf = (world: World, terminal: string): { operator: string, terminal: string } =>
  ({ operator: known(world.terminals, 'terminal', terminal).operator, terminal })
