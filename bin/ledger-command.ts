// Runs one of the ledger's commands against a database: the one whose address is given, or the one the demo
// has left in .data, started for the purpose where it does not run. Knows processes, no books.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeCommand } from '../runtime/supervise.ts'
import { findPostgres, startPostgres } from './postgres.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dataDir = join(root, '.data/demo/postgres')
const database = 'citizen_card'

/** Its exit code. `args` may begin with postgres://…; the rest goes to the command. */
export async function runLedger (command: string, args: readonly string[]): Promise<number> {
  const given = args.find(arg => /^postgres(ql)?:\/\//.test(arg))
  const rest = args.filter(arg => arg !== given)
  if (given !== undefined) return await run(command, rest, given)
  const running = findPostgres(dataDir)
  if (running !== null) return await run(command, rest, running.url(database))
  if (!existsSync(dataDir)) {
    console.error(`${command}: no data in .data/demo; run npm run demo, or give postgres://USER:PASSWORD@HOST/DATABASE`)
    return 2
  }
  const postgres = await startPostgres({ dataDir })
  try {
    return await run(command, rest, postgres.url(database))
  } finally {
    await postgres.stop()
  }
}

async function run (command: string, args: readonly string[], url: string): Promise<number> {
  const { command: program, args: words = [] } = nodeCommand(join(root, 'ledger/main.ts'), [command, ...args])
  const env = { ...process.env, LEDGER_DATABASE_URL: url }
  const child = spawn(program, words, { env, stdio: 'inherit' })
  return await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve(code ?? 1))
  })
}
