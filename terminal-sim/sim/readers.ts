// `sim readers`: virtual cards and PSAMs on PC/SC readers of their own pcscd, kept there: tapped, torn off
// and taken away from the keyboard or by a script. A gateway is told the socket and the names of the readers.
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type CardRef, cardKey } from '../../schemas/record.ts'
import { profiles, type ProfileName } from '../../schemas/epurse/profiles.ts'
import { type Farm, startFarm } from '../reader/farm.ts'
import type { ExchangeText } from '../reader/commands.ts'
import { whyNoFarm } from '../reader/namespace.ts'
import { tornMoments } from '../scenario/readers.ts'
import { showYuan } from '../scenario/values.ts'
import { type Command, type Given, UsageError } from './command-line.ts'
import { commandName } from './apdu-words.ts'
import { compareSaid, scriptOf, tapedChips } from './chip-tape.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'
import { town, townCards } from './place.ts'
import { tellCompared } from './replay.ts'
import { readTape, type Tape } from './tape.ts'

const say = (line: string): void => { console.log(line) }

const moments = Object.keys(tornMoments) as (keyof typeof tornMoments)[]
const words = {
  tap: ['CARD LANE [SECONDS]', 'holds a card to the reader of a lane; 2 seconds'],
  lay: ['CARD LANE', 'lays it there until it is taken away'],
  tear: ['CARD LANE MOMENT-COMMAND', `lays it there; it leaves at: ${moments.map(dashed).join(', ')}`],
  remove: ['LANE', 'takes the card away'],
  psam: ['LANE in|out', 'puts the PSAM of a lane in, or takes it out'],
  show: ['CARD', 'what the chip holds, whatever any terminal believes'],
  said: ['CARD', 'the last commands and answers at this chip'],
  save: ['FILE', 'all chips to a file; --from FILE brings them back'],
  pcscd: ['kill|start', 'the daemon dies, or comes back']
} as const satisfies Words
function dashed (moment: string): string {
  return moment.replaceAll(' ', '-')
}

type Bench = {
  readonly farm: Farm
  readonly lanes: readonly string[]
  readonly cards: readonly CardRef[]
}

async function run (given: Given): Promise<number> {
  const why = whyNoFarm()
  if (why !== null) throw new UsageError(`no virtual readers here: ${why}`)
  const lanes = given.text('lanes').split(',')
  const tape = tapeOf(given)
  const dir = given.maybe('dir') === null
    ? mkdtempSync(join(tmpdir(), 'sim-readers-'))
    : resolve(given.text('dir'))
  mkdirSync(dir, { recursive: true })
  const farm = await startFarm({ dir, pairs: lanes.map(name => ({ name })) }).catch((error: Error) => {
    throw new UsageError(error.message)
  })
  try {
    const bench = { farm, lanes, cards: townCards.map(({ card }) => card) }
    await makeChips(bench, given, tape)
    const quiet = new AbortController()
    const showing = given.has('quiet') ? Promise.resolve() : showExchanges(bench, quiet.signal)
    say(introduction(bench))
    const code = await obey(deedsFor(bench, tape !== null), { say, script: given.maybe('script') })
    if (given.has('stay')) await new Promise<void>(resolve => { process.once('SIGTERM', () => resolve()) })
    await delay(shownEveryMs)
    quiet.abort()
    await showing
    return code === 0 && tape !== null ? await compared(bench, tape, given) : code
  } finally {
    await farm.stop()
  }
}

function tapeOf (given: Given): Tape | null {
  const file = given.maybe('tape')
  return file === null ? null : readTape(readFileSync(file, 'utf8'), file)
}

/** What was said to the chips of the tape, and what is on it. */
async function compared ({ farm, lanes: [lane = ''], cards: [card] }: Bench, tape: Tape, given: Given) {
  const names = { card: card === undefined ? '' : chipOf(card), psam: psamOf(lane) }
  const all = await Promise.all(tapedChips.map(async one =>
    compareSaid(tape, one, await farm.exchanges({ chip: names[one] }))))
  return tellCompared(all.flat().sort((a, b) => a.line - b.line), given, 'commands')
}

async function makeChips ({ farm, lanes }: Bench, given: Given, tape: Tape | null): Promise<void> {
  const profile = given.text('profile') as ProfileName
  if (!(profile in profiles)) {
    throw new UsageError(`--profile ${profile}: one of ${Object.keys(profiles).join(', ')}`)
  }
  const from = given.maybe('from')
  if (from !== null) await farm.restore({ file: resolve(from) })
  else {
    for (const [index, { card: { issuer, serial }, chipFen, counter }] of townCards.entries()) {
      if (tape !== null && index === 0) {
        await farm.createScript({ chip: chipOf({ serial }), script: scriptOf(tape, 'card') })
        continue
      }
      const card = { profile, issuer, serial, balanceFen: chipFen, offlineCounter: counter, cardClass: 1 }
      await farm.createCard({ chip: chipOf({ serial }), card })
    }
    for (const [index, lane] of lanes.entries()) {
      const further = given.text('psam').slice(0, 10) + String(index).padStart(2, '0')
      const terminal = index === 0 ? town.lane.psam : further
      if (tape !== null && index === 0) {
        await farm.createScript({ chip: psamOf(lane), script: scriptOf(tape, 'psam') })
      } else await farm.createPsam({ chip: psamOf(lane), psam: { profile, terminal, sequence: 1 } })
    }
  }
  for (const lane of lanes) await farm.insert({ chip: psamOf(lane), reader: readersOf(lane).psam })
}

const chipOf = ({ serial }: Pick<CardRef, 'serial'>): string => `card ${serial}`
const psamOf = (lane: string): string => `psam ${lane}`
const readersOf = (lane: string) => ({ card: `${lane} 00 00`, psam: `${lane} 00 01` })

const introduction = ({ farm, lanes, cards }: Bench): string => [
  `pcscd answers at ${farm.socket}`,
  `  any PC/SC program:  PCSCLITE_CSOCK_NAME=${farm.socket} pcsc_scan`,
  `  sim stack:          npm run sim -- stack --readers ${farm.socket}`,
  '  a gateway of yours, in its configuration:',
  `    ${JSON.stringify({ pcsc: { socket: farm.socket } }).slice(1, -1)}`,
  ...lanes.map(lane => `    lane ${lane}: ${JSON.stringify({ readers: readersOf(lane) }).slice(1, -1)}`),
  ...cards.map((card, index) => `card ${index + 1}: ${cardKey(card)}`)
].join('\n')

/* ---- deeds ---- */

function deedsFor ({ farm, lanes, cards }: Bench, taped: boolean): Deeds {
  const laneOf = (said = ''): string => {
    if (lanes.includes(said)) return said
    if (said === '' && lanes[0] !== undefined) return lanes[0]
    throw new DeedError(`there is no lane ${said}; there are ${lanes.join(', ')}`)
  }
  const chipSaid = (said = ''): string => {
    const card = cards[Number(said) - 1]
    if (card !== undefined) return chipOf(card)
    throw new DeedError(`there is no card ${said}; there are 1 to ${cards.length}`)
  }
  const tried = async (deed: Promise<unknown>): Promise<void> => {
    await deed.catch((error: Error) => { throw new DeedError(error.message) })
  }
  const lay = async (card?: string, lane?: string): Promise<string> => {
    const reader = readersOf(laneOf(lane)).card
    await tried(farm.insert({ chip: chipSaid(card), reader }))
    return reader
  }
  const takeAway = async (reader: string): Promise<void> => {
    if ((await farm.occupants({}))[reader] !== null) await farm.remove({ reader })
  }
  const shown = async (said?: string): Promise<string> => {
    if (taped && said === '1') return 'card 1 is a tape: what it holds is what the tape says'
    const { purse } = await farm.inspectCard({ chip: chipSaid(said) })
    return `card ${said ?? ''}: ${showYuan(purse.balanceFen)} yuan, counter ${purse.offlineCounter}`
  }
  return deedsOf(words, {
    tap: async ([card, lane, seconds = '2']) => {
      if (!/^\d{1,4}(\.\d{1,3})?$/.test(seconds)) throw new DeedError(`${seconds}: seconds are wanted`)
      const reader = await lay(card, lane)
      await delay(Number(seconds) * 1_000)
      await takeAway(reader)
      return await shown(card)
    },
    lay: async ([card, lane]) => { await lay(card, lane) },
    tear: async ([card, lane, moment = '']) => {
      const found = moments.find(one => dashed(one) === moment)
      if (found === undefined) throw new DeedError(`${moment}: one of ${moments.map(dashed).join(', ')}`)
      await farm.arm({ chip: chipSaid(card), fault: { kind: 'tear', ...tornMoments[found] } })
      await lay(card, lane)
    },
    remove: async ([lane]) => await takeAway(readersOf(laneOf(lane)).card),
    psam: async ([lane, way]) => {
      const reader = readersOf(laneOf(lane)).psam
      if (way !== 'in' && way !== 'out') throw new DeedError(`psam ${lane ?? ''}: in or out`)
      const chip = psamOf(laneOf(lane))
      await tried(way === 'in' ? farm.insert({ chip, reader }) : farm.remove({ reader }))
    },
    show: async ([card]) => await shown(card),
    said: async ([card]) => (await farm.exchanges({ chip: chipSaid(card) })).slice(-40).map(line).join('\n'),
    save: async ([file = '']) => await tried(farm.snapshot({ file: resolve(file) })),
    pcscd: async ([what]) => {
      if (what !== 'kill' && what !== 'start') throw new DeedError('pcscd: kill or start')
      await tried(what === 'kill' ? farm.killPcscd({}) : farm.startPcscd({}))
    }
  })
}

/* ---- what chips are told and answer ---- */

const shownEveryMs = 100

/** As it flows. Headers, lengths and status words: what stands between has numbers of cards and proofs. */
async function showExchanges ({ farm, cards, lanes }: Bench, quiet: AbortSignal): Promise<void> {
  const seenMs = new Map<string, number>()
  const chips = [...cards.map(chipOf), ...lanes.map(psamOf)]
  while (!quiet.aborted) {
    const told = await Promise.all(chips.map(async chip => await farm.exchanges({ chip })))
    for (const [index, chip] of chips.entries()) {
      const after = seenMs.get(chip) ?? -1
      for (const one of told[index] ?? []) {
        if (one.atMs <= after) continue
        say(line(one))
        seenMs.set(chip, one.atMs)
      }
    }
    await delay(shownEveryMs)
  }
}

function line ({ atMs, reader, command, answer, sent, fault }: ExchangeText): string {
  const told = sent ?? answer
  const back = told === null ? 'no answer' : `${told.slice(-4)} (${told.length / 2} bytes)`
  const struck = fault === null ? '' : `  ⚡ ${fault}`
  return `${(atMs / 1_000).toFixed(3).padStart(9)} ${reader} ← ${commandName(command)} → ${back}${struck}`
}

export const readers: Command = {
  name: 'readers',
  says: 'virtual cards and PSAMs on PC/SC readers, tapped from the keyboard or by a script',
  about: [
    'Starts a pcscd of its own; nobody else sees its readers, and it sees nobody else’s. Each lane has a',
    'reader for cards and one with its PSAM in it. The cards are the three of the town.'
  ],
  options: {
    lanes: { value: 'LIST', says: 'names, at most seven', or: town.lane.terminal },
    profile: { value: 'NAME', says: `family of cards: ${Object.keys(profiles).join(', ')}`, or: 't-union' },
    psam: { value: 'HEX', says: 'PSAMs of further lanes count from there', or: '990000000100' },
    dir: { value: 'DIR', says: 'where its socket is; a new place when absent' },
    from: { value: 'FILE', says: 'brings chips back that were saved' },
    tape: { value: 'FILE', says: 'card 1 and the first PSAM are of this tape; compares what they hear' },
    exact: { says: 'with a tape: every byte must be the same, the time as well' },
    all: { says: 'with a tape: shows what passes, too' },
    quiet: { says: 'does not show what chips are told' },
    stay: { says: 'keeps them when the lines are over, until it is ended' },
    script: { value: 'FILE', says: 'reads lines from there, not from the keyboard' }
  },
  typed: typedRows(words),
  examples: [
    ['readers --dir /tmp/readers', 'then, elsewhere: npm run sim -- stack --readers /tmp/readers/pcscd.comm'],
    ['readers --lanes GATE-1,GATE-2 --script morning.txt --stay', 'taps by a file, then waits'],
    ['readers --tape docs/examples/t-union-2019-01-08.jsonl', 'the chips of a real device log, byte by byte']
  ],
  run
}
