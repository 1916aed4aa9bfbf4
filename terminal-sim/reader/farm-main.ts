// The process of the farm: pcscd and its virtual chips in a namespace of their own, commanded over Node's
// IPC. It refuses to outlive the process that started it.

import { createRandom } from '../random.ts'
import { type Chips, createChips } from './chips.ts'
import {
  type Answer, type CommandName, type Commands, type FarmSetup, type Health, type Message,
  cardReader, psamReader
} from './commands.ts'
import { type Pcscd, limits, portOfPair, startPcscd } from './pcscd.ts'
import { type Slot, createSlot } from './vicc.ts'

type Reader = { readonly name: string, readonly slot: Slot, occupant: string | null }

type Farm = {
  readonly setup: FarmSetup
  readonly chips: Chips
  readonly readers: readonly Reader[]
  pcscd: Pcscd | null
  readonly health: Health
}

type Handlers = { [Name in CommandName]: (ask: Commands[Name]['ask']) => Promise<Commands[Name]['reply']> }

async function main (): Promise<void> {
  const setup = JSON.parse(process.argv[2] ?? '') as FarmSetup
  const farm: Farm = {
    setup,
    chips: createChips(createRandom(setup.seed), () => Math.round(performance.now() * 1000) / 1000),
    readers: setup.pairs.flatMap(pairOfReaders),
    pcscd: null,
    health: { pcscdPid: null, crashes: 0, lastWords: '' }
  }
  const handlers = handlersOf(farm)
  process.on('disconnect', () => { void end(farm) })
  await handlers.startPcscd({})
  process.on('message', message => { void carryOut(handlers, message as Message) })
  say({ ready: { readers: farm.readers.map(({ name }) => name) } })
}

const pairOfReaders = (pair: FarmSetup['pairs'][number], index: number): Reader[] => [
  { name: cardReader(pair), slot: createSlot(portOfPair(index)), occupant: null },
  { name: psamReader(pair), slot: createSlot(portOfPair(index) + 1), occupant: null }
]

async function carryOut (handlers: Handlers, { id, command, ask }: Message): Promise<void> {
  try {
    const handle = handlers[command] as (ask: unknown) => Promise<unknown>
    say({ id, reply: await handle(ask) ?? null })
  } catch (error) {
    say({ id, error: error instanceof Error ? error.message : String(error) })
  }
}

/** A pcscd that is not waited for stays in the process table of a machine whose first process is no init. */
async function end (farm: Farm): Promise<void> {
  await farm.pcscd?.kill()
  process.exit()
}

const say = (answer: Answer) => process.send?.(answer)

function handlersOf (farm: Farm): Handlers {
  const { chips } = farm
  return {
    createCard: async ({ chip, card }) => chips.create(chip, { kind: 'card', card }),
    createPsam: async ({ chip, psam }) => chips.create(chip, { kind: 'psam', psam }),
    createSsse: async ({ chip, ssse }) => chips.create(chip, { kind: 'ssse', ssse }),
    createScript: async ({ chip, script }) => chips.create(chip, { kind: 'script', script }),
    insert: ({ chip, reader }) => insert(farm, chip, findReader(farm, reader)),
    remove: ({ reader }) => remove(farm, findReader(farm, reader)),
    occupants: async () => Object.fromEntries(farm.readers.map(({ name, occupant }) => [name, occupant])),
    arm: async ({ chip, fault }) => chips.arm(chip, fault),
    disarm: async ({ chip }) => chips.disarm(chip),
    faultsStruck: async ({ chip }) => chips.faultsStruck(chip),
    setDelays: async ({ chip, delays }) => chips.setDelays(chip, delays),
    inspectCard: async ({ chip }) => chips.report(chip, 'card') as Commands['inspectCard']['reply'],
    inspectPsam: async ({ chip }) => chips.report(chip, 'psam') as Commands['inspectPsam']['reply'],
    inspectSsse: async ({ chip }) => chips.report(chip, 'ssse') as Commands['inspectSsse']['reply'],
    exchanges: async ({ chip }) => chips.exchanges(chip),
    killPcscd: async () => farm.pcscd?.kill(),
    startPcscd: () => bringUp(farm),
    health: async () => farm.health,
    snapshot: async ({ file }) => chips.save(file),
    restore: async ({ file }) => chips.load(file)
  }
}

function findReader (farm: Farm, name: string): Reader {
  const found = farm.readers.find(reader => reader.name === name)
  if (found === undefined) {
    const names = farm.readers.map(reader => reader.name).join(', ')
    throw new Error(`no reader named ${name}; there are ${names}`)
  }
  return found
}

async function insert (farm: Farm, chip: string, reader: Reader): Promise<void> {
  if (reader.occupant !== null) throw new Error(`${reader.name} holds ${reader.occupant}: remove it first`)
  const inserted = farm.chips.insert(chip, reader.name, () => { reader.occupant = null })
  reader.occupant = chip
  await reader.slot.insert(inserted)
}

async function remove (farm: Farm, reader: Reader): Promise<void> {
  if (reader.occupant !== null) farm.chips.remove(reader.occupant)
  reader.occupant = null
  await reader.slot.remove()
}

/** Chips that are in their readers stay there and get power from the new daemon. */
async function bringUp (farm: Farm): Promise<void> {
  if (farm.pcscd?.hasEnded() === false) throw new Error('pcscd runs already: kill it first')
  const { health } = farm
  const pcscd = await startPcscd(farm.setup.dir, {
    words (text) { health.lastWords = (health.lastWords + text).slice(-limits.wordsMax) },
    ended (asked) {
      health.pcscdPid = null
      if (!asked) health.crashes++
    }
  })
  farm.pcscd = pcscd
  health.pcscdPid = pcscd.pid
}

await main()
