// `npm run sim -- NAME …`: the other side of every wire. Starts the program that plays it, in its own
// process, and ends with its exit code. Knows where programs are, no protocols.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { nodeCommand } from '../runtime/supervise.ts'

type Row = readonly [name: string, says: string, program: string, named?: string]

const devices = 'terminal-sim/sim/main.ts'
/** `named`: the program has several, and is told which. */
const rows: readonly Row[] = [
  ['stack', 'a small town to try terminals on: ledger, gateway, three cards with money', 'bin/sim-stack.ts'],
  ['readers', 'virtual cards and PSAMs on PC/SC readers', devices, 'readers'],
  ['pos', 'a till on a POS line, or a terminal of ISO 8583', devices, 'pos'],
  ['polled', 'terminals on one polled line', devices, 'polled'],
  ['self-check', "a library's self-check that speaks SIP2", devices, 'self-check'],
  ['bank', 'a bank: pain.001 in, pain.002 and camt.053 out', devices, 'bank'],
  ['ils', "a library's own system", devices, 'ils'],
  ['insurance', 'the centre of medical insurance', devices, 'insurance'],
  ['centre', 'the national transport centre: forward and return', devices, 'centre'],
  ['registry', 'the registry of social-security cards: hears, answers, decides', devices, 'registry'],
  ['replay', 'a tape once more, and what is answered differently', devices, 'replay'],
  ['city', 'a seeded city: its taps as files, as tapes, or live', 'terminal-sim/city-data/main.ts'],
  ['day', 'a day of that city, cleared, settled and audited; what it takes', 'bin/sim-day.ts'],
  ['faults', 'small cities whose processes are killed, one after the other', 'bin/sim-faults.ts'],
  ['cards', 'lives of cards: handed out, loaded, lost, replaced, given back', 'terminal-sim/lives/main.ts'],
  ['defects', 'deliberate mistakes, and which check notices which', 'bench/main.ts', 'defects'],
  ['scenario', 'scenarios: what the system must do, in YAML', 'bin/scenario.ts'],
  ['demo', 'a morning of a made-up city, with a report', 'bin/demo.ts']
]

const help = (): string => {
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    'The simulator: npm run sim -- NAME [OPTIONS]', '',
    ...rows.map(([name, says]) => `  ${name.padEnd(width)}  ${says}`), '',
    'npm run sim -- NAME --help says more of each. A terminal developer begins with docs/simulator.md:',
    '  npm run sim -- stack      in one window',
    '  npm run sim -- pos        in another: sale 1 1.80'
  ].join('\n')
}

async function main ([name = 'help', ...args]: readonly string[]): Promise<number> {
  if (['help', '--help', '-h'].includes(name)) {
    console.log(help())
    return 0
  }
  const row = rows.find(one => one[0] === name)
  if (row === undefined) {
    console.error(`there is no “${name}”\n\n${help()}`)
    return 2
  }
  const [, , program, named] = row
  const given = [...named === undefined ? [] : [named], ...args]
  const { command, args: all = [] } = nodeCommand(join(import.meta.dirname, '..', program), given)
  const child = spawn(command, all, { stdio: 'inherit' })
  // Ctrl-C reaches both; the program decides how it ends.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => { child.kill('SIGTERM') })
  return await new Promise(resolve => {
    child.on('error', error => {
      console.error(error.message)
      resolve(1)
    })
    child.on('exit', code => resolve(code ?? 1))
  })
}

process.exitCode = await main(process.argv.slice(2))
