// Starts a farm of virtual readers in a process of its own and speaks to it: the one door for tests,
// scenarios and the demo. It refuses to know PC/SC's client side; clients set PCSCLITE_CSOCK_NAME to the
// farm's socket.

import { type ChildProcess, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { nodeCommand } from '../../runtime/supervise.ts'
import {
  type Answer, type CommandName, type Commands, type FarmSetup, type Pair,
  cardReader, commandNames, psamReader
} from './commands.ts'
import { checkSetup, commandInside, prepareDir, removeMade, whyNoFarm } from './namespace.ts'

/** The commands of commands.ts as methods, and: */
export type Farm = Calls & {
  /** What PC/SC clients get as PCSCLITE_CSOCK_NAME before their first call. */
  readonly socket: string
  readonly readers: readonly string[]
  readonly pairs: readonly { name: string, card: string, psam: string }[]
  /** Of the farm's process. */
  readonly pid: number
  /** Ends the farm, its pcscd and its chips. */
  stop (): Promise<void>
}

type Calls = { [Name in CommandName]: (ask: Commands[Name]['ask']) => Promise<Commands[Name]['reply']> }

/** The directory of the farm, 1 to 7 pairs of slots, and what makes its chance repeatable. */
export type FarmOptions = { dir: string, pairs: readonly Pair[], seed?: string | number }

/**
 * Resolves when pcscd answers on `<dir>/pcscd.comm`. Throws where the machine cannot do it: ask whyNoFarm of
 * namespace.ts first when that should be a skip.
 */
export async function startFarm ({ dir, pairs, seed = 'farm' }: FarmOptions): Promise<Farm> {
  const missing = whyNoFarm()
  if (missing !== null) throw new Error(`virtual readers are not possible here: ${missing}`)
  const setup: FarmSetup = { dir: resolve(dir), pairs, seed: String(seed) }
  checkSetup(setup)
  prepareDir(setup)
  const child = spawnInside(setup)
  const line = speakWith(child)
  const { readers } = await line.ready
  return {
    ...callsOver(line),
    socket: join(setup.dir, 'pcscd.comm'),
    readers,
    pairs: pairs.map(pair => ({ name: pair.name, card: cardReader(pair), psam: psamReader(pair) })),
    pid: child.pid ?? 0,
    async stop () {
      if (child.connected) child.disconnect()
      await line.ended
      removeMade(setup.dir)
    }
  }
}

function spawnInside (setup: FarmSetup): ChildProcess {
  const node = nodeCommand(join(import.meta.dirname, 'farm-main.ts'), [JSON.stringify(setup)])
  const [command = '', ...args] = commandInside(setup.dir, [node.command, ...node.args ?? []])
  return spawn(command, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { ...process.env, NODE_OPTIONS: '' }
  })
}

type Line = {
  readonly ready: Promise<{ readers: string[] }>
  readonly ended: Promise<void>
  ask (command: CommandName, ask: unknown): Promise<unknown>
}

type Waiting = { resolve (reply: unknown): void, reject (error: Error): void }

function speakWith (child: ChildProcess): Line {
  const waiting = new Map<number, Waiting>()
  const wait = (id: number) => new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }))
  const ready = wait(readyId) as Line['ready']
  let lastId = readyId
  let words = ''
  let over = false
  child.stderr?.setEncoding('utf8').on('data', (text: string) => { words = (words + text).slice(-2_000) })
  child.on('message', message => settle(waiting, message as Answer))
  const ended = new Promise<void>(resolve => {
    const end = (how: string) => {
      over = true
      const lost = new Error(`the farm ended (${how}): ${words.trim()}`)
      for (const { reject } of waiting.values()) reject(lost)
      waiting.clear()
      resolve()
    }
    child.on('error', error => {
      words += error.message
      if (child.pid === undefined) end('not started') // then nothing else comes
    })
    // 'close' does not come once the channel was disconnected
    child.on('exit', (code, signal) => end(String(signal ?? code)))
  })
  return {
    ready,
    ended,
    async ask (command, ask) {
      // Its channel may be open a moment longer than it lives.
      if (over || !child.connected) throw new Error(`the farm has ended: ${words.trim()}`)
      const id = ++lastId
      child.send({ id, command, ask })
      return await wait(id)
    }
  }
}

const readyId = 0

function settle (waiting: Map<number, Waiting>, answer: Answer): void {
  const id = 'ready' in answer ? readyId : answer.id
  const asker = waiting.get(id)
  waiting.delete(id)
  if ('ready' in answer) asker?.resolve(answer.ready)
  else if ('error' in answer) asker?.reject(new Error(answer.error))
  else asker?.resolve(answer.reply)
}

const callsOver = (line: Line): Calls =>
  Object.fromEntries(commandNames.map(name => [name, (ask: unknown) => line.ask(name, ask)])) as Calls
