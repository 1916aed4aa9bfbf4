// Shops of a soak: POS on their lines, as bad as lines are, and polled terminals on a cable. What they
// believe to have sold and told is compared in the end.
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { bcdDateTime } from '../../runtime/instants.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { cardKey, type TransactionRecord } from '../../schemas/record.ts'
import type { PtyPair } from '../../terminal-sim/line/pty-pair.ts'
import { newTerminal, type PolledTerminal, serveLine } from '../../terminal-sim/polled/terminal.ts'
import { openPos, type PosFaults, type PosFields } from '../../terminal-sim/pos/pos.ts'
import type { Random } from '../../terminal-sim/random.ts'
import { cableRoad, pauseMs, type Place, type Road } from './place.ts'

/** What the devices believe. */
export type Believed = {
  /** What sales have moved that were not taken back. */
  soldFen: number
  /** Amounts of records that a device was told to forget, by serial and counter. */
  readonly told: Map<string, number>
}

export const eventOf = ({ card, counter }: Pick<TransactionRecord, 'card' | 'counter'>): string =>
  `${card.serial} ${counter}`

/* ---- POS ---- */

export async function posShop (
  { random, count }: Place, believed: Believed, road: Road, terminal: string
): Promise<() => Promise<void>> {
  const chance = random.fork(terminal)
  const faults: PosFaults = {}
  const records = recordMaker(chance, 'SHP', terminal, `9901${terminal.replace(/\D/g, '')}`)
  let line = await road.line()
  let number = 0
  const pos = openPos({ line, faults })
  const newKey = (): string => `${terminal}-${++number}`

  async function sell (): Promise<void> {
    const key = newKey()
    const amountFen = chance.int(100, 5_000)
    const sale = { terminal, card: cardKey(records.card), amountFen: String(amountFen) }
    const { fields } = await pos.settle('SALE', { key, ...sale })
    assert.equal(fields.reason, 'ok')
    count('POS sales')
    if (chance.chance(0.8)) {
      believed.soldFen += amountFen
      return
    }
    const taken = await pos.settle('VOID', { key: newKey(), of: key, ...sale })
    assert.equal(taken.fields.reason, 'ok')
    count('POS voids')
  }

  async function upload (): Promise<void> {
    const record = records.next()
    const { fields } = await pos.settle('RECORD', { key: newKey(), terminal, ...fieldsOf(record) })
    assert.equal(fields.reason, 'stored')
    believed.told.set(eventOf(record), record.amountFen)
    count('POS records')
  }

  async function comeAgain (): Promise<void> {
    line.close()
    await road.pull()
    line = await road.line()
    pos.use(line)
  }

  return async () => {
    faults.broken = chance.chance(0.05) ? 1 : 0
    faults.refused = chance.chance(0.05) ? 1 : 0
    faults.unheard = chance.chance(0.02) ? 1 : 0
    faults.junk = chance.chance(0.1) ? chance.bytes(20).map(byte => byte | 0x40) : new Uint8Array()
    if (chance.chance(0.02)) await comeAgain()
    if (chance.chance(0.5)) await sell()
    else await upload()
    await delay(pauseMs)
  }
}

function fieldsOf (record: TransactionRecord): PosFields {
  const names = [
    'purse', 'type', 'counter', 'balanceBeforeFen', 'amountFen', 'psam', 'sequence', 'dateTime', 'tac',
    'keyVersion', 'algorithm', 'recordNo'
  ] as const
  const values = names.map(name => [name, String(record[name])])
  return { card: cardKey(record.card), ...Object.fromEntries(values) }
}

/* ---- polled terminals ---- */

export type PolledSite = {
  deed (): Promise<void>
  readonly terminals: readonly PolledTerminal[]
}

const places = [{ address: 1, terminal: 'B1' }, { address: 2, terminal: 'B2' }] as const
export const polledPlaces = places.map(place => ({ ...place, operator: 'BUS' }))

export function polledSite (place: Place, believed: Believed, port: string, cable: PtyPair): PolledSite {
  const { random, count } = place
  const chance = random.fork(port)
  const road = cableRoad(place, port, cable)
  const all = places.map(({ address, terminal }) => ({
    terminal: newTerminal(address, `9902000000${address}`.padEnd(12, '0'), '20200101000000'),
    records: recordMaker(chance.fork(terminal), 'BUS', terminal, `9902${address}`)
  }))
  const terminals = all.map(({ terminal }) => terminal)
  let closeLine = (): void => undefined

  async function serve (): Promise<void> {
    const line = await road.line()
    closeLine = () => line.close()
    void serveLine(line, terminals).catch(() => undefined) // the cable was pulled in the middle of a word
  }

  const mishaps: Readonly<Record<string, (of: PolledTerminal) => Promise<void>>> = {
    boots: async of => { of.booted = true },
    'answers lost': async of => { of.lose[chance.pick(['forget', 'give', 'blacklist', 'status'])] = 1 },
    'lists lost': async ({ store }) => {
      store.list.clear()
      store.blacklistSerial = 4_000_000
    },
    silences: async of => {
      of.mood = chance.pick(['silent', 'mad'] as const)
      await delay(3_000)
      of.mood = 'well'
    },
    pulls: async () => {
      closeLine()
      await road.pull()
      await serve()
    }
  }

  let begun = false
  return {
    terminals,
    deed: async () => {
      if (!begun) await serve()
      begun = true
      const { terminal, records } = chance.pick(all)
      const { store } = terminal
      if (store.records.length < waitingMax) {
        const { ride: _, ...record } = records.next()
        believed.told.set(eventOf(record), record.amountFen)
        store.records.push({
          ...record, ...record.card, purse: 2, type: 6, tac: record.tac ?? '', flags: 0, tariffVersion: 0,
          blacklistVersion: 0
        })
        count('polled records')
      }
      const [name, mishap] = chance.pick(Object.entries(mishaps))
      if (chance.chance(0.04)) {
        await mishap(terminal)
        count(`polled ${name}`)
      }
      await delay(2 * pauseMs)
    }
  }
}
const waitingMax = 5

/* ---- records ---- */

/** Uses of one chip, one after the other; what it signs nobody checks here. */
function recordMaker (chance: Random, operator: string, terminal: string, digits: string) {
  const card = { issuer: '02313750FFFFFFFF', serial: digits.padEnd(20, '0'), issue: 1 }
  let counter = 0
  return {
    card,
    next: (): TransactionRecord => {
      counter += 1
      const amountFen = chance.int(100, 900)
      return {
        card, purse: 'ep', type: '06', counter, balanceBeforeFen: 100_000, amountFen,
        psam: digits.padEnd(12, '0'), sequence: counter, dateTime: hex(bcdDateTime(Date.now())),
        tac: hex(chance.bytes(4)), grey: false, keyVersion: 1, algorithm: 0, operator, terminal,
        recordNo: counter
      }
    }
  }
}
