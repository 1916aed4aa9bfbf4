// A line with many terminals, of which one speaks at a time: the gateway asks each in turn, brings it clock,
// prices and blacklist, and takes its records, each on disk before the terminal may forget it. It refuses to
// know which carrier it has.
import { killPoint } from '../../runtime/kill-point.ts'
import { bcdDateTime, fromDigits } from '../../runtime/instants.ts'
import type { PolledSpeaks, PolledTerminal } from '../../schemas/polled/config.ts'
import {
  answerBytes, answers, type CommandName, commands, type LayoutError, readLayout, statusLayout
} from '../../schemas/polled/messages.ts'
import { evidenceHash } from '../../schemas/record.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import type { EdgeHouse, Face } from '../face.ts'
import { napper } from '../nap.ts'
import { tariffAt } from '../tariff-at.ts'
import type { Applied } from '../terminals/sightings.ts'
import { polledLine, type PolledLine, type TurnEnd } from './exchange.ts'
import {
  afterStatus, type Brought, broughtKinds, type Command, hasBooted, hasRestarted, holdsList, isBrought,
  type Known, nextCommand, tellingsMax, type TerminalStatus, type Wanted
} from './next-command.ts'
import { readRecord } from './record.ts'

const defaults = {
  echoMs: 100, answerMs: 800, turnMs: 500, silentMsMax: 15_000, driftMsMax: 2_000, tellAgainMs: 60_000
} as const

type Answered = Extract<TurnEnd, { kind: 'answer' }>
type Member = {
  readonly config: PolledTerminal
  known: Known
  /** Turns that failed in a row, and when the next one is due. */
  failures: number
  dueMs: number
  /** As of its last status: enrolled, and with the PSAM that it should have. */
  serves: boolean
  /** The centre has heard of the start that it speaks of. */
  bootTold: boolean
  /** Evidence that is on disk since the start: a record that is given again need not be kept twice. */
  readonly kept: Set<string>
  /** When it was last brought each. */
  readonly toldMs: Record<Brought, number>
}

const never: Readonly<Record<Brought, number>> = { start: 0, clock: 0, parameters: 0, blacklist: 0 }
const unknown: Known = {
  status: null, stale: true, started: false, driftMs: 0, told: never, serialBest: 0, forget: null, keep: null,
  after: 0, given: false, full: false, wholeList: false, building: null
}
const keptMax = 1_000

export function polledFace (speaks: PolledSpeaks, house: EdgeHouse, port: string): Face {
  const settings = { ...defaults, ...speaks }
  const { log, spool, clock, nowMs } = house
  const counts = {
    turns: 0, silent: 0, noAnswer: 0, garbled: 0, boots: 0, clocksSet: 0, parametersSent: 0, listPackets: 0,
    wholeLists: 0, collected: 0, repeats: 0, kept: 0, odd: 0, strange: 0, cardLocks: 0, noiseBytes: 0
  }
  const members = speaks.terminals.map((config): Member => ({
    config, known: unknown, failures: 0, dueMs: 0, serves: false, bootTold: false, kept: new Set(),
    toldMs: { ...never }
  }))
  const running = new Set<Promise<void>>()
  const closing = new AbortController()
  let listDueMs = 0

  /** One line, one master: turns never overlap. */
  async function poll (line: PolledLine, over: () => boolean): Promise<void> {
    const nap = napper()
    for (const member of members) Object.assign(member, { known: { ...member.known, stale: true }, dueMs: 0 })
    while (!closing.signal.aborted && !over()) {
      const member = members.reduce((first, one) => one.dueMs < first.dueMs ? one : first)
      const waitMs = member.dueMs - nowMs()
      if (waitMs > 0) await nap.sleep(Math.min(waitMs, 100), closing.signal)
      else await takeTurn(member, line)
    }
    counts.noiseBytes += line.noise()
  }

  async function takeTurn (member: Member, line: PolledLine): Promise<void> {
    const wanted = wantedBy(member)
    const command = nextCommand(member.known, wanted)
    const { name, payload } = command
    counts.turns += 1
    const end = await line.turn(member.config.address, commands[name], payload)
    if (end.kind === 'ended') return
    if (isBrought(name) && end.sent) countTelling(member, name)
    const well = end.kind === 'answer' && await understood(member, command, end, wanted)
    if (end.kind !== 'answer') counts[end.kind === 'no_answer' ? 'noAnswer' : end.kind] += 1
    if (well) member.failures = 0
    else fail(member, end.kind)
    member.dueMs = nowMs() + pauseOf(member, name)
  }

  /** Whether it had an effect the next status says. */
  function countTelling (member: Member, name: Brought): void {
    const { told } = member.known
    member.toldMs[name] = nowMs()
    member.known = { ...member.known, told: { ...told, [name]: told[name] + 1 } }
  }

  /** A terminal that is silent or mad costs the line a deadline now and then, and no more. */
  function fail (member: Member, why: string): void {
    member.failures += 1
    member.known = { ...member.known, stale: true }
    const { terminal } = member.config
    if (member.failures === 3) log.warn({ terminal, why }, 'a terminal does not answer')
  }

  function pauseOf ({ failures, known }: Member, asked: CommandName): number {
    if (failures > 2) return Math.min(settings.silentMsMax, settings.turnMs * 2 ** (failures - 2))
    if (failures > 0) return 0
    // One that is told the same thing again and again must not hold up the line.
    if (asked === 'clock' || asked === 'parameters') return settings.turnMs
    const busy = known.stale || known.forget !== null || known.keep !== null ||
      ((known.status?.records ?? 0) > 0 && !known.given)
    return busy ? 0 : settings.turnMs
  }

  /** False: the answer is none to this command. */
  async function understood (
    member: Member, { name, building }: Command, { frame }: Answered, wanted: Wanted
  ): Promise<boolean> {
    const { code, payload } = frame
    const lengths: readonly number[] = answerBytes[name]
    if (code === answers.failed && name === 'blacklist') {
      // It has another serial than it said, or lost its list: it says so, and gets what it misses.
      member.known = { ...member.known, stale: true, wholeList: true }
      return true
    }
    if (code !== answers.done) return false
    if (!lengths.includes(payload.length)) return strange()
    switch (name) {
      case 'status': return heardStatus(member, payload, wanted)
      case 'start':
        counts.boots += 1
        member.known = { ...member.known, started: true, stale: true }
        return true
      case 'clock':
        counts.clocksSet += 1
        member.known = { ...member.known, stale: true }
        return true
      case 'parameters':
        counts.parametersSent += 1
        member.known = { ...member.known, stale: true }
        return true
      case 'blacklist':
        counts.listPackets += 1
        if (member.known.wholeList) counts.wholeLists += 1
        member.known = { ...member.known, stale: true, wholeList: false, building }
        return true
      case 'give': return await collect(member, payload)
      case 'forget':
        killPoint('polled-after-forget')
        member.known = { ...member.known, forget: null, stale: true }
        return true
      case 'keep':
        member.known = { ...member.known, after: member.known.keep ?? member.known.after, keep: null }
        return true
    }
  }

  function heardStatus (member: Member, payload: Uint8Array, wanted: Wanted): boolean {
    const read = readLayout(statusLayout, payload)
    if (!read.ok) return odd(member, read.error)
    const status: TerminalStatus = read.values
    const shows = fromDigits(status.clock)
    const now = clock.now()
    const { operator, terminal } = member.config
    const booted = hasBooted(status)
    const { status: before, full, given } = member.known
    const driftMs = shows === null ? Infinity : shows - now
    member.known = {
      ...member.known,
      ...afterStatus(member.known, status, driftMs, wanted),
      given: given && status.records === before?.records,
      status,
      stale: false,
      started: booted && member.known.started,
      driftMs,
      // What was kept for want of room is asked for again.
      ...(hasRestarted(before, status) || (full && wanted.room)
        ? { after: 0, given: false, full: false }
        : {})
    }
    const { blacklistVersion, parametersVersion } = status
    const applied: Applied[] = []
    if (holdsList(status, wanted)) applied.push({ kind: 'blacklist', version: blacklistVersion, atMs: now })
    if (parametersVersion === wanted.parameters.version) {
      applied.push({ kind: 'tariff', version: parametersVersion, atMs: now })
    }
    member.serves = mayServe(member.config, status)
    if (!member.serves) return true
    sayWhatIsNotTaken(member, status, wanted)
    house.terminals.heard({ operator, terminal }, {
      applied: applied.filter(one => one.version > 0), ...(booted && !member.bootTold ? { boot: true } : {}),
      ...(shows === null ? {} : { clockMs: shows })
    })
    member.bootTold = booted
    return true
  }

  /** Somebody has to look: for what it does not know its operator is liable one day. A clock has its own. */
  function sayWhatIsNotTaken (
    { config: { operator, terminal }, known: { told } }: Member, status: TerminalStatus, wanted: Wanted
  ): void {
    const of = { operator, terminal }
    const refused = broughtKinds.filter(one => one !== 'clock' && told[one] >= tellingsMax)
    const { parameters: { version }, list } = wanted
    if (refused.length > 0) {
      const { parametersVersion, blacklistVersion, blacklistSerial } = status
      const detail = `${refused.join(', ')}; tariff ${parametersVersion} of ${version}, ` +
        `blacklist ${blacklistVersion}/${blacklistSerial} of ${list.version}/${list.serial}`
      house.terminals.raise(of, 'not_updated', detail)
    } else if (status.parametersVersion === version && holdsList(status, wanted)) {
      house.terminals.clear(of, 'not_updated')
    }
  }

  /** One that has another's PSAM stands at the wrong address, or speaks for a terminal that it is not. */
  function mayServe ({ operator, terminal, psam }: PolledTerminal, status: TerminalStatus): boolean {
    const of = { operator, terminal }
    const found = house.terminals.find(terminal, operator)
    const isRight = psam === undefined || status.psam === psam
    if (isRight) house.terminals.clear(of, 'psam_refused')
    else if (found.ok) house.terminals.raise(of, 'psam_refused', `${status.psam} answers at its address`)
    return found.ok && isRight
  }

  /** Not the answer to what was asked: late, recorded, or of a terminal that cannot count. */
  function strange (): false {
    counts.strange += 1
    return false
  }

  async function collect (member: Member, payload: Uint8Array): Promise<boolean> {
    const { after, status } = member.known
    if (payload.length === 0) {
      if (after === 0 && (status?.records ?? 0) > 0) return strange()
      member.known = { ...member.known, given: true, stale: true }
      return true
    }
    const read = readRecord(payload, member.config)
    if (read.kind === 'odd') {
      odd(member, read.error)
      return keepThere(member, read.recordNo)
    }
    const { recordNo } = read
    if (after > 0 && recordNo <= after) return strange()
    if (read.kind === 'lock') {
      counts.cardLocks += 1
      log.warn({ terminal: member.config.terminal, recordNo }, 'the terminal locked a card')
      member.known = { ...member.known, forget: recordNo }
      return true
    }
    const evidence = hex(evidenceHash(read.record))
    if (member.kept.has(evidence)) counts.repeats += 1
    else if (!await store(member, read.record, evidence)) {
      member.known = { ...member.known, full: true }
      return keepThere(member, recordNo)
    }
    member.known = { ...member.known, forget: recordNo }
    return true
  }

  /** False: the record cannot be kept here now. */
  async function store (
    { kept }: Member, record: Parameters<typeof spool.collect>[0], evidence: string
  ): Promise<boolean> {
    if (spool.refusal() !== null) return false
    killPoint('polled-before-collect')
    const done = await spool.collect(record, port).then(() => true, () => false)
    killPoint('polled-after-collect')
    if (!done) return false
    counts.collected += 1
    kept.add(evidence)
    for (const oldest of kept) {
      if (kept.size <= keptMax) break
      kept.delete(oldest)
    }
    return true
  }

  function keepThere (member: Member, recordNo: number | null): boolean {
    counts.kept += 1
    member.known = { ...member.known, keep: recordNo, given: recordNo === null || member.known.given }
    return true
  }

  function odd ({ config: { terminal } }: Member, error: LayoutError): boolean {
    counts.odd += 1
    log.error({ terminal, ...error, alarm: 'record_odd' }, 'a terminal says what cannot be')
    return false
  }

  /** A disk that is full keeps the list from changing, and no record from coming. */
  function followList (): void {
    const { changes, parameters } = house
    if (parameters.blacklistVersion() === changes.version || nowMs() < listDueMs) return
    try {
      changes.follow(parameters.blacklist())
    } catch (error) {
      listDueMs = nowMs() + settings.tellAgainMs
      log.error({ alarm: 'list_not_kept', err: error }, 'terminals keep the blacklist that they have')
    }
  }

  function wantedBy ({ config, serves, known: { told }, toldMs }: Member): Wanted {
    const { changes, parameters } = house
    followList()
    const tariff = tariffAt(parameters, config, clock.now())
    const price = tariff?.price ?? null
    return {
      clock: hex(bcdDateTime(clock.now())),
      driftMsMax: settings.driftMsMax,
      parameters: {
        version: tariff?.version ?? 0, priced: price === null ? 0 : 1, fareFen: price?.fareFen ?? 0,
        cardFareFen: price?.cardFareFen ?? 0
      },
      list: { version: changes.version, serial: changes.serial },
      since: changes.since,
      rest: changes.rest,
      whole: changes.whole,
      room: spool.refusal() === null,
      serves,
      resting: new Set(broughtKinds.filter(one =>
        told[one] >= tellingsMax && nowMs() < toldMs[one] + settings.tellAgainMs))
    }
  }

  return {
    begin: wire => {
      const line = polledLine(wire, settings)
      let over = false
      const polling = Promise.resolve().then(() => poll(line, () => over))
      running.add(polling)
      void polling.finally(() => running.delete(polling))
      return {
        bytes: line.bytes,
        ended: () => {
          over = true
          line.ended()
        }
      }
    },
    view: () => ({ protocol: 'polled', counts: { ...counts } }),
    close: async () => {
      closing.abort()
      await Promise.all(running)
    }
  }
}
