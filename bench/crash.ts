// `npm run bench -- crash [MINUTES [KILLS [SEED]]]`: the long storm. Ledger, gateway and PostgreSQL die by
// SIGKILL at random moments and at every named place while records flow; each fen is booked once after it.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CrashFigures } from '../bin/crash-run.ts'
import { nodeCommand } from '../runtime/supervise.ts'
import type { Bench } from './main.ts'

const program = join(dirname(fileURLToPath(import.meta.url)), '../bin/crash-run.ts')

export const bench: Bench = async ({ args: [minutes = '2.2', kills = '20', seed = '1'] }) => {
  const given = ['--minutes', minutes, '--kills', kills, '--seed', seed, '--points']
  const { command, args = [] } = nodeCommand(program, given)
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (bytes: Buffer) => { text += bytes.toString() })
  const code = await new Promise(resolve => child.on('close', resolve))
  const figures = JSON.parse(text === '' ? '{}' : text) as Partial<CrashFigures>
  const { problems = [] } = figures
  if (code !== 0) throw new Error(['the storm left something behind:', ...problems].join('\n  '))
  print(figures as CrashFigures)
  return { ...figures }
}

function print ({ minutes, kills, points, records, ...found }: CrashFigures): void {
  const { taps, deliveries, repeats, chipDebitsFen, claimsFen, netSumFen, dayState, verify, auditor } = found
  const killed = Object.entries(kills).map(([name, times]) => `${times} ${name}`).join(', ')
  console.log(`${minutes} minutes; killed at random: ${killed}; at named places: ${points.length}`)
  console.log(`${taps} taps, ${deliveries} deliveries, ${repeats} requests answered when sent again`)
  console.log(`${records.delivered} records delivered, ${records.distinct} distinct, each booked once`)
  console.log(`chips paid ${chipDebitsFen} fen, claimed ${claimsFen} fen, nets sum to ${netSumFen}`)
  console.log(`day ${dayState}, verify ${verify}, auditor ${auditor}`)
}
