// `npm run sim -- cards`: lives of cards on real readers, from blank chips at an issuing desk to the counter
// that takes them back. Draws them from a seed, has the scenario runner play them, and says what everybody
// paid in, rode, got back and holds.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { nodeCommand } from '../../runtime/supervise.ts'
import { showYuan } from '../scenario/values.ts'
import { cardsMax, type Lives, planLives } from './plan.ts'

const help = `cards: lives of cards, from the desk that makes them to the counter that takes them back

usage: npm run sim -- cards [OPTIONS]

Each card is a virtual one, made of a blank chip at an issuing desk on a real PC/SC reader: some are torn off
it, and of each batch one is waste. Then it is handed out (by an application where it is a person's),
loaded (by cash, or by bank), used, some of them torn off the reader in a load or in a payment; kept, or given
back, or broken or lost and replaced, and some of the next ones are given back too. Three days are closed.
Then each card, each return, each account must be what was added up beforehand, and verify and the auditor
look at every fen. 1 where anything is not.

Options:
  --cards N    how many; 100, up to ${cardsMax}
  --seed S     the same lives again; 1
  --keep FILE  writes the scenario there

Examples:
  npm run sim -- cards
  npm run sim -- cards --cards 7 --seed 3     a minute`

async function main (args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cards: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' },
      keep: { type: 'string' }, help: { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  const whole = (name: string, text: string, most: number): number => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text)
    throw new RangeError(`--${name} ${text}: a whole number from 1 to ${most} is wanted`)
  }
  const options = {
    cards: whole('cards', values.cards, cardsMax), seed: whole('seed', values.seed, 999_999_999)
  }
  const dir = mkdtempSync(join(tmpdir(), 'cc-lives-'))
  try {
    const fixtures = ['fixtures.yaml', 'fares.yaml'].map(name =>
      join(import.meta.dirname, '../../test/scenarios', name))
    const { scenario, totals } = planLives(options, fixtures.map(one => relative(dir, one)))
    const file = join(dir, 'lives.yaml')
    writeFileSync(file, stringify(scenario))
    if (values.keep !== undefined) {
      writeFileSync(values.keep, stringify({ ...scenario, use: fixtures }))
    }
    const code = await run(file)
    console.log(account(totals))
    console.log(code === 0
      ? 'the ledger, the chips and the auditor say the same'
      : 'and that is not what was found')
    return code
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function account (totals: Lives['totals']): string {
  const { made, tornMaking, wasted, cards, fates, torn, tornLoads: [before, after] } = totals
  const { cashFen, bankFen, depositsFen } = totals
  const { ridesFen, paidFen, keptFen, chipsFen, depositsLeftFen } = totals
  return [
    `${made} cards were made of blank chips: ${tornMaking} torn off the desk, ${wasted} more wasted`,
    `${cards} lives: ${Object.entries(fates).map(([fate, count]) => `${count} ${fate}`).join(', ')}`,
    `${torn} were torn off the reader in a payment, ${before + after} in a load: ` +
      `${after} after the chip had committed to it, ${before} before`,
    `paid in ${showYuan(cashFen)}, ${showYuan(bankFen)} by bank and ${showYuan(depositsFen)} of deposits`,
    `rode ${showYuan(ridesFen)}, got back ${showYuan(paidFen)}, deposits kept ${showYuan(keptFen)}`,
    `hold ${showYuan(chipsFen)} on chips and ${showYuan(depositsLeftFen)} of deposits`
  ].join('\n')
}

async function run (file: string): Promise<number> {
  const { command, args = [] } = nodeCommand(join(import.meta.dirname, '../../bin/scenario.ts'), [file])
  const child = spawn(command, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { child.kill(signal) })
  return await new Promise(resolve => { child.on('close', code => { resolve(code ?? 1) }) })
}

main(process.argv.slice(2)).then(code => {
  process.exitCode = code
}, (error: Error) => {
  console.error(error.message)
  process.exitCode = error instanceof RangeError || 'code' in error ? 2 : 1
})
