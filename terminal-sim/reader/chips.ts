// The chips of a farm by name: what they are, what is armed against them, what they said, and their way
// into a file and back. It refuses to know sockets and pcscd.

import { readFile, writeFile } from 'node:fs/promises'
import { cardChip } from '../card/card-chip.ts'
import { psamChip } from '../psam/psam-chip.ts'
import { ssseChip } from '../ssse/ssse-chip.ts'
import { type Random, type RandomState, restoreRandom } from '../random.ts'
import type { Chip } from './chip.ts'
import type { Commands, ExchangeText } from './commands.ts'
import { type ArmedFault, type Delays, type Fault, armFault, delayMs, strike } from './fault.ts'
import { hex } from '../../schemas/epurse/hex.ts'
import { scriptedChip } from './scripted-chip.ts'
import type { Exchange, Inserted } from './vicc.ts'

export type ChipDescription =
  | { kind: 'card', card: Commands['createCard']['ask']['card'] }
  | { kind: 'psam', psam: Commands['createPsam']['ask']['psam'] }
  | { kind: 'ssse', ssse: Commands['createSsse']['ask']['ssse'] }
  | { kind: 'script', script: Commands['createScript']['ask']['script'] }

/**
 * A chip that can tell what is in it, and be put back to that. `stored` is plain data, or null where there
 * is none.
 */
export type StoredChip<Report> = Chip & { report (): Report, stored (): unknown }

export type Chips = ReturnType<typeof createChips>

type Held = {
  readonly name: string
  readonly description: ChipDescription
  readonly random: Random
  readonly chip: StoredChip<unknown>
  reader: string | null
  armed: readonly ArmedFault[]
  delays: Delays
  exchanges: ExchangeText[]
  waiting: (() => void)[]
}

type Snapshot = {
  chips: { name: string, description: ChipDescription, random: RandomState, stored: unknown }[]
}

const limits = { exchangesMax: 2_000 } as const

/** `nowMs` runs from the start of the farm. */
export function createChips (random: Random, nowMs: () => number) {
  const held = new Map<string, Held>()

  function hold (name: string, description: ChipDescription, chance: Random, stored?: unknown): void {
    if (held.has(name)) throw new Error(`a chip named ${name} is there already`)
    const chip = makeChip(description, chance, stored)
    const outside = { reader: null, armed: [], delays: {}, exchanges: [], waiting: [] }
    held.set(name, { name, description, random: chance, chip, ...outside })
  }

  function find (name: string): Held {
    const found = held.get(name)
    if (found === undefined) throw new Error(`no chip named ${name}: create it first`)
    return found
  }

  return {
    create: (name: string, description: ChipDescription) => hold(name, description, random.fork(name)),
    arm: (name: string, fault: Fault) => { find(name).armed = [...find(name).armed, armFault(fault)] },
    disarm: (name: string) => {
      find(name).armed = []
      release(find(name))
    },
    faultsStruck: (name: string) => faultsStruck(find(name)),
    setDelays: (name: string, delays: Delays) => { find(name).delays = delays },
    exchanges: (name: string) => find(name).exchanges,
    report: (name: string, kind: ChipDescription['kind']) => report(find(name), kind),
    /** For the slot of this reader; `gone` is called when a fault took the chip out. */
    insert (name: string, reader: string, gone: () => void): Inserted {
      const found = find(name)
      if (found.reader !== null) throw new Error(`${name} is in ${found.reader}: remove it there first`)
      found.reader = reader
      return insertedChip(found, nowMs, gone)
    },
    remove: (name: string) => { find(name).reader = null },
    async save (file: string): Promise<void> {
      const snapshot: Snapshot = { chips: [...held.values()].map(snapshotOf) }
      await writeFile(file, JSON.stringify(snapshot), { mode: 0o600 })
    },
    async load (file: string): Promise<void> {
      const { chips } = JSON.parse(await readFile(file, 'utf8')) as Snapshot
      for (const chip of chips) hold(chip.name, chip.description, restoreRandom(chip.random), chip.stored)
    }
  }
}

function makeChip (description: ChipDescription, random: Random, stored: unknown): StoredChip<unknown> {
  switch (description.kind) {
    case 'card': return cardChip(description.card, random, stored)
    case 'psam': return psamChip(description.psam, stored)
    case 'ssse': return ssseChip(description.ssse, random, stored)
    case 'script': return { ...scriptedChip(description.script), report: () => null, stored: () => null }
  }
}

const snapshotOf = ({ name, description, random, chip }: Held) =>
  ({ name, description, random: random.save(), stored: chip.stored() })

function report ({ name, description, chip }: Held, kind: ChipDescription['kind']): unknown {
  if (description.kind !== kind) throw new Error(`${name} is a ${description.kind}, not a ${kind}`)
  return chip.report()
}

function insertedChip (held: Held, nowMs: () => number, gone: () => void): Inserted {
  return {
    chip: held.chip,
    decide (command) {
      const { struck, armed } = strike(held.armed, command)
      held.armed = armed
      return { struck, delayMs: delayMs(held.delays, command) }
    },
    tell (exchange) {
      held.exchanges.push(exchangeText(exchange, nowMs(), held.reader ?? ''))
      if (held.exchanges.length > limits.exchangesMax) held.exchanges.shift()
      if (held.armed.length === 0) release(held)
    },
    torn () {
      held.reader = null
      gone()
    }
  }
}

const exchangeText = ({ command, answer, sent, fault }: Exchange, atMs: number, reader: string) => ({
  atMs, reader, command: hex(command), answer: answer && hex(answer), sent: sent && hex(sent), fault
})

const faultsStruck = (held: Held) => new Promise<void>(resolve => {
  held.waiting.push(resolve)
  if (held.armed.length === 0) release(held)
})

function release (held: Held): void {
  for (const resolve of held.waiting.splice(0)) resolve()
}
