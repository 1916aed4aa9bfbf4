// What a terminal on a polled line is asked in its turn: one command, decided from what it last said and what
// it should have. Pure, and the whole order of precedence in one function.
import {
  clockLayout, type CommandName, type ListChange, entriesMax, flags, parametersLayout, recordNoLayout,
  startLayout, type statusLayout, type Values, writeLayout, writePacket
} from '../../schemas/polled/messages.ts'

export type TerminalStatus = Values<typeof statusLayout>

/** What a terminal is brought. One that takes none of it keeps no record from coming. */
export type Brought = Extract<CommandName, 'start' | 'clock' | 'parameters' | 'blacklist'>
export const broughtKinds: readonly Brought[] = ['start', 'clock', 'parameters', 'blacklist']

/** So often in a row it is brought what it does not take; then its records go first, and it rests. */
export const tellingsMax = 3

/** What is known of a terminal between its turns. */
export type Known = {
  /** Null: it has not said anything since the line began. */
  readonly status: TerminalStatus | null
  /** It changed since: ask again before anything is concluded from it. */
  readonly stale: boolean
  /** It was told that it has started, since it last said so. */
  readonly started: boolean
  /** How far its clock was off when it last said. */
  readonly driftMs: number
  /** How often it was told each since that last had an effect. */
  readonly told: Readonly<Record<Brought, number>>
  /** How far it came with a list that it does not hold yet: a part that it takes again is no progress. */
  readonly serialBest: number
  /** A record that is kept here, and it has not been told to forget. */
  readonly forget: number | null
  /** A record that could not be kept: it must keep it. */
  readonly keep: number | null
  /** Records up to here are not asked for again in this round. */
  readonly after: number
  /** Nothing waits behind `after`. */
  readonly given: boolean
  /** What was kept was kept for want of room here. */
  readonly full: boolean
  /** The list must begin anew. */
  readonly wholeList: boolean
  /** Up to where a list that began anew was sent. */
  readonly building: number | null
}

/** What it should have. */
export type Wanted = {
  readonly clock: string
  readonly driftMsMax: number
  readonly parameters: Values<typeof parametersLayout>
  readonly list: { readonly version: number, readonly serial: number }
  /** Null: only the whole list helps. */
  readonly since: (serial: number) => readonly ListChange[] | null
  readonly rest: (serial: number) => readonly ListChange[]
  readonly whole: () => readonly ListChange[]
  /** Records can be kept here now. */
  readonly room: boolean
  /** It may serve. What chips have paid is taken from any other, too, and it is brought nothing. */
  readonly serves: boolean
  /** What it did not take again and again, and is not brought now. */
  readonly resting: ReadonlySet<Brought>
}

export type Command = {
  readonly name: CommandName
  readonly payload: Uint8Array
  /** Of a list that is not whole with this packet: up to where it goes. */
  readonly building: number | null
}

/** Everything else waits for the next turn: a line of many terminals is fair by short turns. */
export function nextCommand (known: Known, wanted: Wanted): Command {
  const { status } = known
  if (status === null || known.stale) return command('status')
  const brings = (one: Brought) => wanted.serves && !wanted.resting.has(one)
  if (brings('start') && hasBooted(status) && !known.started) {
    return command('start', startOf(wanted))
  }
  if (brings('clock') && Math.abs(known.driftMs) > wanted.driftMsMax) {
    return command('clock', writeLayout(clockLayout, { clock: wanted.clock }))
  }
  if (known.forget !== null) return command('forget', recordNo(known.forget))
  if (known.keep !== null) return command('keep', recordNo(known.keep))
  if (brings('parameters') && status.parametersVersion !== wanted.parameters.version) {
    return command('parameters', writeLayout(parametersLayout, wanted.parameters))
  }
  if (brings('blacklist') && !holdsList(status, wanted)) return packetFor(status, known, wanted)
  if (status.records > 0 && !known.given && wanted.room) return command('give', recordNo(known.after))
  return command('status')
}

export const isBrought = (name: CommandName): name is Brought =>
  (broughtKinds as readonly CommandName[]).includes(name)

/** What a status says of all that was brought: whatever had an effect is counted from the beginning. */
export function afterStatus (
  { told, serialBest, status: before }: Pick<Known, 'told' | 'serialBest' | 'status'>, status: TerminalStatus,
  driftMs: number, wanted: Wanted
): Pick<Known, 'told' | 'serialBest'> {
  const holds = holdsList(status, wanted)
  const serial = status.blacklistSerial > wanted.list.serial ? 0 : status.blacklistSerial
  const best = hasRestarted(before, status) ? 0 : serialBest
  const tookEffect: Readonly<Record<Brought, boolean>> = {
    start: !hasBooted(status),
    clock: Math.abs(driftMs) <= wanted.driftMsMax,
    parameters: status.parametersVersion === wanted.parameters.version,
    blacklist: holds || serial > best
  }
  const count = (one: Brought) => tookEffect[one] ? 0 : told[one]
  return {
    told: {
      start: count('start'), clock: count('clock'), parameters: count('parameters'),
      blacklist: count('blacklist')
    },
    serialBest: holds ? 0 : Math.max(best, serial)
  }
}

/** It has started, and nobody has told it so yet; it may never take that it was told. */
export const hasBooted = (status: TerminalStatus): boolean => (status.flags & flags.booted) !== 0

/** The line is new, or it has started since its last word. */
export const hasRestarted = (before: TerminalStatus | null, status: TerminalStatus): boolean =>
  before === null || (hasBooted(status) && !hasBooted(before))

export const holdsList = (status: TerminalStatus, { list }: Pick<Wanted, 'list'>): boolean =>
  status.blacklistVersion === list.version && status.blacklistSerial === list.serial

const startOf = ({ clock, parameters, list }: Wanted): Uint8Array => writeLayout(startLayout, {
  clock, parametersVersion: parameters.version, blacklistVersion: list.version, blacklistSerial: list.serial
})

const command = (name: CommandName, payload: Uint8Array = new Uint8Array(0)): Command =>
  ({ name, payload, building: null })
const recordNo = (number: number): Uint8Array => writeLayout(recordNoLayout, { recordNo: number })

/** The next part of what it misses; the last part brings the version. */
function packetFor ({ blacklistSerial: at }: TerminalStatus, known: Known, wanted: Wanted): Command {
  const going = known.building === at ? wanted.rest(at) : wanted.since(at)
  const missed = known.wholeList ? null : going
  const first = missed === null
  const all = missed ?? wanted.whole()
  const part = all.slice(0, entriesMax)
  const last = part.length === all.length
  const { version, serial } = wanted.list
  const after = last ? serial : part.at(-1)?.serial ?? serial
  const payload = writePacket({ version, before: first ? 0 : at, after, first, last }, part)
  const building = !last && (first || known.building === at)
  return { name: 'blacklist', payload, building: building ? after : null }
}
