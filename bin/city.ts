// Runs a program of the simulator as a child that asks for the ledger and the gateway over IPC and tells its
// progress in JSON lines. Knows processes; what the child does with them is its own affair.

import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { nodeCommand } from '../runtime/supervise.ts'
import type { Stack } from './stack.ts'

export type CityEvent = Readonly<Record<string, unknown>>

export type CityOptions = {
  /** What the child asks before it is there has to wait. */
  readonly stack: Promise<Stack>
  /** Below terminal-sim/city. */
  readonly program: string
  /** Its one argument, as JSON. */
  readonly options: object
  readonly onEvent: (event: CityEvent) => void
  /** What it may ask besides, and what is answered in another way. */
  readonly asks?: Asks
}

type Details = Readonly<Record<string, unknown>>
export type Asks = Readonly<Record<string, (details: Details) => Promise<unknown>>>

export type City = {
  /** Resolves when it has ended well; throws with its last words. */
  readonly ended: Promise<void>
  say (message: object): void
  /** Lets it go: it ends by itself. */
  release (): void
}

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const lastWordsMax = 4_000

export function runCity ({ stack, program, options, onEvent, asks: more }: CityOptions): City {
  const file = join(root, 'terminal-sim/city', program)
  const { command, args = [] } = nodeCommand(file, [JSON.stringify(options)])
  // In a session of its own: Ctrl-C reaches the starter alone, which ends everything in its order.
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true })
  let words = ''
  child.stderr?.on('data', (bytes: Buffer) => { words = (words + bytes.toString()).slice(-lastWordsMax) })
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', line => onEvent(eventIn(line)))
  }

  const asks: Asks = {
    access: async () => {
      const { access, dir } = await stack
      return { ...access, dir }
    },
    ledger: async ({ clock }) => await (await stack).ledger({ clock: String(clock) }),
    gateway: async ({ config, clock }) =>
      await (await stack).gateway(config as object, { clock: String(clock) }),
    ...more
  }
  child.on('message', (message: { no: number, ask: string } & Details) => {
    const { no, ask, ...details } = message
    const answer = (reply: object) => { if (child.connected) child.send({ no, ...reply }) }
    Promise.resolve(asks[ask]?.(details)).then(
      ok => answer({ ok: ok ?? null }),
      (error: Error) => answer({ error: error.message }))
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    // 'close' does not come once the channel was disconnected from here.
    child.on('exit', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(words.trim() === '' ? `${program} ended with ${signal ?? code}` : words.trim()))
    })
  })
  return {
    ended,
    say: message => { if (child.connected) child.send(message) },
    release: () => { if (child.connected) child.disconnect() }
  }
}

function eventIn (line: string): CityEvent {
  try {
    return JSON.parse(line) as CityEvent
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { said: line }
  }
}
