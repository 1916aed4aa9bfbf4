// The simulator's commands that play devices and institutions, one a process: `npm run sim -- NAME …` starts
// it. Exit codes: 0 done, 1 not done or not as wanted, 2 the command line is wrong.
import { UsageError, type Command, helpOf, readGiven } from './command-line.ts'
import { bank } from './bank.ts'
import { centre } from './centre.ts'
import { ils } from './ils.ts'
import { insurance } from './insurance.ts'
import { polled } from './polled.ts'
import { pos } from './pos.ts'
import { readers } from './readers.ts'
import { replay } from './replay.ts'
import { social } from './social.ts'
import { selfCheck } from './self-check.ts'

const commands: readonly Command[] = [
  readers, pos, polled, selfCheck, bank, ils, insurance, centre, social, replay
]

const [name = '', ...args] = process.argv.slice(2)
process.exitCode = await run()

async function run (): Promise<number> {
  const command = commands.find(one => one.name === name)
  if (command === undefined) {
    console.error(`there is no “${name}”; there are ${commands.map(one => one.name).join(', ')}`)
    return 2
  }
  if (args.includes('--help') || args.includes('-h')) {
    console.log(helpOf(command))
    return 0
  }
  try {
    return await command.run(readGiven(command, args))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(error.message)
    return 2
  }
}
