// What a terminal on a polled line is asked in its turn: one command, decided from what it last said and what
// it should have. Pure, and the whole order of precedence in one function.
import {
  clockLayout, type CommandName, type ListChange, entriesMax, flags, parametersLayout, recordNoLayout,
  startLayout, type statusLayout, type Values, writeLayout, writePacket
} from '../../schemas/polled/messages.ts'

export type TerminalStatus = Values<typeof statusLayout>

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
  /** How often it was told the time since its clock was last right. */
  readonly clockTold: number
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
  const serving = wanted.serves
  if (serving && (status.flags & flags.booted) !== 0 && !known.started) {
    return command('start', startOf(wanted))
  }
  const isOff = Math.abs(known.driftMs) > wanted.driftMsMax
  if (serving && isOff && known.clockTold < clockTellingsMax) {
    return command('clock', writeLayout(clockLayout, { clock: wanted.clock }))
  }
  if (known.forget !== null) return command('forget', recordNo(known.forget))
  if (known.keep !== null) return command('keep', recordNo(known.keep))
  if (serving && status.parametersVersion !== wanted.parameters.version) {
    return command('parameters', writeLayout(parametersLayout, wanted.parameters))
  }
  if (serving && !holdsList(status, wanted)) return packetFor(status, known, wanted)
  if (status.records > 0 && !known.given && wanted.room) return command('give', recordNo(known.after))
  return command('status')
}

/** A clock that does not take the time is for somebody to look at (`clock_drift`); no record waits for it. */
const clockTellingsMax = 3

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
