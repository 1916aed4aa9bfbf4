// `sim polled`: terminals on one polled line. They speak when they are asked; what people hold to them is
// kept until the gateway has it.
import { setTimeout as delay } from 'node:timers/promises'
import { bcdDateTime } from '../../runtime/instants.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import type { TransactionRecord } from '../../schemas/record.ts'
import { lineOn } from '../line/line.ts'
import {
  newTerminal, type Mood, type PolledTerminal, serveLine, type StoredRecord
} from '../polled/terminal.ts'
import { showYuan } from '../scenario/values.ts'
import { tacOf } from '../scenario/tac.ts'
import { type Command, type Given, UsageError } from './command-line.ts'
import { DeedError, type Deeds, deedsOf, obey, typedRows, type Words } from './keyboard.ts'
import { town, townCardOf } from './place.ts'
import { cardOf, trafficOf, trafficOptions, yuanOf } from './pos.ts'
import { overheard } from './traffic.ts'
import { openWire, wireOptions } from './wire.ts'

const say = (line: string): void => { console.log(line) }

const words = {
  tap: ['ADDRESS CARD [YUAN]', 'a card pays there: the fare that the terminal was told, or so much'],
  mood: ['ADDRESS MOOD', 'well, silent or mad'],
  show: ['', 'what the terminals hold: records, clock, prices, list']
} as const satisfies Words
const moods: readonly Mood[] = ['well', 'silent', 'mad']

async function run (given: Given): Promise<number> {
  const terminals = addressesOf(given.text('addresses')).map(address => {
    const known = town.polled.find(one => one.address === address)
    return newTerminal(address, known?.psam ?? given.text('psam'), clockNow())
  })
  const traffic = trafficOf(given, 'polled', 'line')
  const stream = overheard(await openWire(given, say, usualPort), traffic)
  const serving = serveLine(lineOn(stream), terminals)
  try {
    const code = await obey(deedsFor(terminals), { say, script: given.maybe('script') })
    if (given.has('stay')) await serving
    return code
  } finally {
    stream.destroy()
  }
}
const usualPort = 7004

/** `1-3,7` */
function addressesOf (said: string): number[] {
  const addresses = said.split(',').flatMap(part => {
    const [, from, to = from] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(part) ?? []
    const [first, last] = [Number(from), Number(to)]
    if (!(first >= 1 && last <= 127 && first <= last)) {
      throw new UsageError(`--addresses ${said}: numbers from 1 to 127, such as 1-3,7`)
    }
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
  return [...new Set(addresses)]
}

/** Whoever polls a terminal tells it its fares before anything else. */
async function untilPriced (store: PolledTerminal['store']): Promise<void> {
  for (let waitedMs = 0; store.parameters.priced === 0; waitedMs += lookMs) {
    if (waitedMs < toldWithinMs) await delay(lookMs)
    else throw new DeedError('nobody has told the terminal a fare yet: say how much, or see who polls it')
  }
}
const toldWithinMs = 5_000
const lookMs = 50

const clockNow = (): string => hex(bcdDateTime(Date.now()))

function deedsFor (terminals: readonly PolledTerminal[]): Deeds {
  const chips = new Map<string, { counter: number, balanceFen: number }>()
  let sequence = 0
  const terminalAt = (said?: string): PolledTerminal => {
    const found = terminals.find(({ store }) => String(store.address) === said)
    if (found !== undefined) return found
    const there = terminals.map(({ store }) => store.address).join(', ')
    throw new DeedError(`no terminal has the address ${said ?? ''}; there are ${there}`)
  }
  return deedsOf(words, {
    tap: async ([address, card, yuan]) => {
      const { store } = terminalAt(address)
      const ref = cardOf(card)
      const { chipFen = 5_000, counter = 0 } = townCardOf(ref) ?? {}
      const chip = chips.get(ref.serial) ?? { counter, balanceFen: chipFen }
      if (yuan === undefined) await untilPriced(store)
      const { cardFareFen, version } = store.parameters
      const amountFen = yuan === undefined ? cardFareFen : yuanOf(yuan)
      if (amountFen > chip.balanceFen) throw new DeedError(`the chip holds ${showYuan(chip.balanceFen)}`)
      chips.set(ref.serial, { counter: chip.counter + 1, balanceFen: chip.balanceFen - amountFen })
      const record = signedRecord({
        card: ref, counter: chip.counter + 1, balanceBeforeFen: chip.balanceFen, amountFen, psam: store.psam,
        sequence: ++sequence, dateTime: store.clock, recordNo: (store.records.at(-1)?.recordNo ?? 0) + 1
      }, version, store.blacklistVersion)
      store.records.push(record)
      return `${showYuan(amountFen)} paid, ${showYuan(chip.balanceFen - amountFen)} left on the chip; ` +
        `the record waits at ${store.address} until it is asked for`
    },
    mood: async ([address, said]) => {
      const mood = moods.find(one => one === said)
      if (mood === undefined) throw new DeedError(`${said ?? ''}: one of ${moods.join(', ')}`)
      terminalAt(address).mood = mood
    },
    show: async () => terminals.map(shown).join('\n')
  })
}

const shown = ({ store, mood, booted }: PolledTerminal): string => [
  `${store.address}: ${mood}${booted ? ', was not greeted yet' : ''}`, `${store.records.length} records wait`,
  `prices ${store.parameters.version}`, `list ${store.blacklistVersion} with ${store.list.size} cards`,
  `clock ${store.clock}`
].join(', ')

type Debit = Pick<TransactionRecord, 'card' | 'counter' | 'balanceBeforeFen' | 'amountFen' | 'psam' |
  'sequence' | 'dateTime' | 'recordNo'>

/** As card and PSAM of the test scheme sign it. */
function signedRecord (debit: Debit, tariffVersion: number, blacklistVersion: number): StoredRecord {
  const type = 0x09
  const record: TransactionRecord = {
    ...debit, purse: 'ep', type: '09', tac: null, grey: false, keyVersion: 1, algorithm: 0, operator: '',
    terminal: ''
  }
  const { card: { issuer, serial, issue }, ...rest } = debit
  return {
    ...rest, issuer, serial, issue, purse: 2, type, flags: 0, keyVersion: 1, algorithm: 0, tariffVersion,
    blacklistVersion, tac: tacOf({ suite: '3des', cityFactor: null }, record)
  }
}

export const polled: Command = {
  name: 'polled',
  says: 'terminals on one polled line',
  about: [
    'The gateway asks, they answer: docs/pos-line.md, “Polled line”. Chips begin anew with each start: to a',
    'ledger a card that was tapped in an earlier one is a copy, and it says so (clone_suspicion).'
  ],
  options: {
    ...wireOptions,
    addresses: { value: 'LIST', says: 'who is on the line', or: '1-3' },
    psam: { value: 'HEX', says: 'the PSAM in those that the town does not know', or: '990000000099' },
    stay: { says: 'goes on when the lines of a script are over' },
    ...trafficOptions
  },
  typed: typedRows(words),
  examples: [
    ['polled', 'the three terminals of `sim stack`: tap 1 1, then see the gateway fetch the record'],
    ['polled --pty --addresses 9', 'one terminal at address 9 of a cable']
  ],
  run
}
