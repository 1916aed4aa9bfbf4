// A terminal on a polled line: speaks when it is asked, keeps its records until it is told to forget them,
// takes of the blacklist only what continues what it has. Several share one line. It can be silent, or mad.
import { concat } from '../../schemas/epurse/hex.ts'
import {
  answers, clockLayout, commands, entryLayout, flags, packetFlags, packetLayout, parametersLayout, readLayout,
  recordLayout, recordNoLayout, rideLayout, startLayout, statusLayout, type Values, writeLayout
} from '../../schemas/polled/messages.ts'
import { buildPolled, cutPolled, pollByte } from '../../schemas/polled/frame.ts'
import type { Line } from '../line/line.ts'

export type StoredRecord = Values<typeof recordLayout> & {
  /** Absent: it tells of no ride. */
  readonly ride?: Values<typeof rideLayout>
}

/** All that survives when the power goes. */
export type TerminalStore = {
  readonly address: number
  readonly psam: string
  clock: string
  parameters: Values<typeof parametersLayout>
  blacklistVersion: number
  blacklistSerial: number
  readonly list: Set<string>
  records: StoredRecord[]
  /** Records that it was told to keep. */
  refused: number
}

export type Mood = 'well' | 'silent' | 'mad'
export type PolledTerminal = {
  readonly store: TerminalStore
  mood: Mood
  booted: boolean
  /** Commands by name that it has carried out. */
  readonly heard: Record<string, number>
  /** Answers that get lost on their way, by command. */
  readonly lose: Record<string, number>
  /** Commands that it does not carry out, and what it says to them. */
  readonly balks: Record<string, Balk>
  /** How many cards its list can hold. */
  listMax: number
}
/** `failed`: it says so. `done`: it says that it did. `nothing`: it says nothing. */
export type Balk = 'failed' | 'done' | 'nothing'

export function newTerminal (address: number, psam: string, clock: string): PolledTerminal {
  const store: TerminalStore = {
    address, psam, clock, parameters: { version: 0, priced: 0, fareFen: 0, cardFareFen: 0 },
    blacklistVersion: 0, blacklistSerial: 0, list: new Set(), records: [], refused: 0
  }
  return { store, mood: 'well', booted: true, heard: {}, lose: {}, balks: {}, listMax: Infinity }
}

/** Serves all terminals of a line until it ends. */
export async function serveLine (line: Line, terminals: readonly PolledTerminal[]): Promise<void> {
  let asked: PolledTerminal | undefined
  let rest: Uint8Array = new Uint8Array(0)
  while (!line.ended) {
    const bytes = await line.read(1_000)
    if (bytes === null) continue
    rest = Buffer.concat([rest, bytes])
    for (;;) {
      const [first] = rest
      if (first === undefined) break
      if (first >= 0x80) {
        asked = terminals.find(one => pollByte(one.store.address) === first)
        rest = rest.subarray(1)
        await echo(line, asked, first)
        continue
      }
      const cut = cutPolled(rest)
      if (cut === null) break
      rest = cut.ok ? cut.rest : new Uint8Array(0)
      if (!cut.ok || asked === undefined || asked.store.address !== cut.frame.address) continue
      await answer(line, asked, cut.frame.code, Uint8Array.from(cut.frame.payload))
    }
  }
}

async function echo (line: Line, terminal: PolledTerminal | undefined, poll: number): Promise<void> {
  if (terminal === undefined || terminal.mood === 'silent') return
  if (terminal.mood === 'well') return await line.write(Uint8Array.of(poll))
  await line.write(Uint8Array.from({ length: 40 }, (_, index) => (index * 37 + poll) & 0xff))
}

async function answer (
  line: Line, terminal: PolledTerminal, code: number, payload: Uint8Array
): Promise<void> {
  if (terminal.mood !== 'well') return
  const name = Object.entries(commands).find(([, one]) => one === code)?.[0] ?? 'unknown'
  const balk = terminal.balks[name]
  const [said, back] = balk === undefined
    ? carryOut(terminal, name, payload)
    : [answers[balk === 'failed' ? 'failed' : 'done'], nothing]
  terminal.heard[name] = (terminal.heard[name] ?? 0) + 1
  if (balk === 'nothing') return
  const lost = terminal.lose[name] ?? 0
  if (lost > 0) {
    terminal.lose[name] = lost - 1
    return
  }
  await line.write(buildPolled({ address: terminal.store.address, code: said, payload: back }))
}

const nothing = new Uint8Array(0)

export const writeRecord = ({ ride, ...record }: StoredRecord): Uint8Array =>
  concat(writeLayout(recordLayout, record), ride === undefined ? nothing : writeLayout(rideLayout, ride))

function carryOut (terminal: PolledTerminal, name: string, payload: Uint8Array): [number, Uint8Array] {
  const { store } = terminal
  const done = (back: Uint8Array = nothing): [number, Uint8Array] => [answers.done, back]
  switch (name) {
    case 'status': return done(statusOf(terminal))
    case 'start': {
      store.clock = must(readLayout(startLayout, payload)).clock
      terminal.booted = false
      return done()
    }
    case 'clock':
      store.clock = must(readLayout(clockLayout, payload)).clock
      return done()
    case 'parameters':
      store.parameters = must(readLayout(parametersLayout, payload))
      return done()
    case 'blacklist': return takePacket(terminal, payload) ? done() : [answers.failed, nothing]
    case 'give': {
      const { recordNo } = must(readLayout(recordNoLayout, payload))
      const next = store.records.find(one => one.recordNo > recordNo)
      return done(next === undefined ? nothing : writeRecord(next))
    }
    case 'forget': {
      const { recordNo } = must(readLayout(recordNoLayout, payload))
      store.records = store.records.filter(one => one.recordNo !== recordNo)
      return done()
    }
    case 'keep':
      store.refused += 1
      return done()
    default: return [answers.failed, nothing]
  }
}

const statusOf = ({ store, booted }: PolledTerminal): Uint8Array => writeLayout(statusLayout, {
  flags: booted ? flags.booted : 0,
  records: store.records.length,
  blacklistVersion: store.blacklistVersion,
  blacklistSerial: store.blacklistSerial,
  parametersVersion: store.parameters.version,
  psam: store.psam,
  clock: store.clock
})

/** False: it does not continue what is here, and nothing of it is taken. */
function takePacket ({ store, listMax }: PolledTerminal, payload: Uint8Array): boolean {
  const head = must(readLayout(packetLayout, payload))
  const first = (head.flags & packetFlags.first) !== 0
  if (!first && head.before !== store.blacklistSerial) return false
  if ((first ? 0 : store.list.size) + (head.flags & packetFlags.count) > listMax) return false
  if (first) store.list.clear()
  let offset = 13
  for (let count = head.flags & packetFlags.count; count > 0; count--) {
    const read = readLayout(entryLayout, payload, offset)
    const { operation, issuer, serial, issue } = must(read)
    const card = `${issuer}-${serial}-${issue}`
    if (operation === 1) store.list.add(card)
    else store.list.delete(card)
    offset += 20
  }
  store.blacklistSerial = head.after
  if ((head.flags & packetFlags.last) !== 0) store.blacklistVersion = head.version
  return true
}

function must<V> (read: { ok: true, values: V } | { ok: false, error: unknown }): V {
  if (!read.ok) throw new Error(`the master says what cannot be: ${JSON.stringify(read.error)}`)
  return read.values
}
