// `npm run sim -- stack`: PostgreSQL, a ledger and a gateway with a small town in them, for terminals to be
// tried on. Everything is made anew at each start and gone at the end. Knows processes, no protocols.

import { dirname, join, relative, resolve } from 'node:path'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { formatIso, parseIso } from '../runtime/instants.ts'
import { runCity } from './city.ts'
import { runProgram } from './sim-program.ts'
import { startStack } from './stack.ts'
import { table, yuan } from './table.ts'
import { terminalKeys, testKeys } from './test-keys.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

type Town = {
  readonly ports: readonly { readonly speaks: string, readonly address: string, readonly needs: string }[]
  readonly lane: string | null
  readonly cards: readonly { readonly card: string, readonly chipFen: number, readonly onlineFen: number }[]
  readonly ledger: string, readonly gateway: string
}

const help = `stack: a small town to try terminals on

usage: npm run sim -- stack [OPTIONS]

PostgreSQL, a ledger and a gateway that listens for tills, terminals of ISO 8583, self-checks and a polled
line; three cards with money. All of it is made up, made anew at each start, gone at the end (Ctrl-C).

Options:
  --ports N          the first of four ports; 7001, and 0 for any free ones
  --readers SOCKET   a pcscd with the lane GATE-1: that of npm run sim -- readers
  --clock INSTANT    when the town begins, such as 2026-03-02T07:00:00+08:00; now
  --dir DIR          where its files lie; .data/sim
  --json FILE        writes where everything answers

Examples:
  npm run sim -- stack                               then: npm run sim -- pos
  npm run sim -- stack --readers /tmp/r/pcscd.comm   with readers: npm run sim -- readers --dir /tmp/r`

type Options = {
  readonly dir: string, readonly ports: number, readonly readers: string | null, readonly clock: string
  readonly json: string | null
}

function readOptions (args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ports: { type: 'string', default: '7001' }, readers: { type: 'string' }, clock: { type: 'string' },
      dir: { type: 'string', default: join(root, '.data/sim') }, json: { type: 'string' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return null
  if (!/^\d{1,5}$/.test(values.ports) || Number(values.ports) > 65_531) {
    throw new RangeError(`--ports ${values.ports}: a port is wanted, with three more behind it`)
  }
  return {
    dir: resolve(values.dir), ports: Number(values.ports), json: values.json ?? null,
    readers: values.readers === undefined ? null : resolve(values.readers),
    clock: formatIso(values.clock === undefined ? Date.now() : parseIso(values.clock))
  }
}

async function runStack ({ dir, json, ...asked }: Options): Promise<number> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  console.error('PostgreSQL, ledger and gateway start …')
  const stack = startStack({
    dir, keys: testKeys, terminalKeys, onLine: (name, line) => console.error(`${name}: ${line}`)
  })
  stack.catch(() => undefined) // told below
  const city = runCity({
    stack, program: '../sim/town-main.ts', options: asked,
    onEvent: event => {
      if (!('figures' in event)) return
      const town = event['figures'] as Town
      if (json !== null) writeFileSync(json, JSON.stringify(town, null, 2) + '\n')
      void stack.then(({ access }) => console.log(shown(town, access.passwords, dir)))
    }
  })
  try {
    await stack
    const stopped = new Promise<void>(resolve => stop.signal.addEventListener('abort', () => resolve()))
    await Promise.race([stopped, city.ended])
    city.release()
    await city.ended.catch((error: Error) => { if (!stop.signal.aborted) throw error })
    return 0
  } catch (error) {
    console.error((error as Error).message)
    return 1
  } finally {
    await stack.then(started => started.stop(), () => undefined)
  }
}

function shown (town: Town, passwords: Readonly<Record<string, string>>, dir: string): string {
  const people = Object.entries(passwords).map(([name, password]) => `${name} ${password}`).join(', ')
  return [
    'A town to try terminals on. All of it is made up.', '',
    ...table([
      ['speaks', 'at', 'needs'], ...town.ports.map(({ speaks, address, needs }) => [speaks, address, needs]),
      ...town.lane === null ? [] : [['PC/SC', `lane ${town.lane}`, 'the readers that it was given']]
    ], ['left', 'left', 'left']), '',
    ...table([
      ['card', 'number', 'on the chip', 'online'],
      ...town.cards.map(({ card, chipFen, onlineFen }, at) =>
        [String(at + 1), card, yuan(chipFen), yuan(onlineFen)])
    ], ['left', 'left', 'right', 'right']), '',
    `ledger   ${town.ledger}   API: ${town.ledger}/openapi.json`,
    `gateway  ${town.gateway}   ports: ${town.gateway}/v1/ports`,
    `sign-ins ${people}`, `tokens   ${join(relative(process.cwd(), dir), 'access.json')}`, '',
    'npm run sim -- pos   in another window: sale 1 1.80. docs/simulator.md has the rest. Ctrl-C ends it.'
  ].join('\n')
}

process.exitCode = await runProgram({
  name: 'stack', help, readOptions, run: runStack
}, process.argv.slice(2))
