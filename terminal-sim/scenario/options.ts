// The command line of the scenario runner: files, and under which modifiers each is run.
import type { Modifiers } from './world.ts'

export type Options = {
  readonly files: readonly string[]
  /** One run of every file each. */
  readonly passes: readonly Modifiers[]
  readonly json: string | null
}

export const usage = `usage: npm run scenario -- FILES… [OPTIONS]
  --shuffle SEED   deliveries between two barriers arrive in another order
  --duplicate      everything is delivered twice
  --crash SEED     the ledger is killed (kill -9) at a random named place and started again
  --passes LIST    several runs of every file, such as plain,shuffle=1,shuffle=2+duplicate,crash=1
  --seeds N        plain, twice, and each of the seeds 1 to N once in another order and once with a crash
  --json FILE      writes the results`

/** Throws with what is wrong and the usage. */
export function readOptions (args: readonly string[]): Options {
  const files: string[] = []
  let json: string | null = null
  let passes: readonly Modifiers[] | null = null
  let modifiers: Modifiers = {}
  const rest = [...args]
  const value = (option: string): string => {
    const next = rest.shift()
    if (next === undefined) throw new Error(`${option} needs a value\n${usage}`)
    return next
  }
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--json') json = value(arg)
    else if (arg === '--passes') passes = value(arg).split(',').map(readPass)
    else if (arg === '--seeds') passes = underEverySeed(seed(arg, value(arg)))
    else if (arg === '--duplicate') modifiers = { ...modifiers, duplicate: true }
    else if (arg === '--shuffle') modifiers = { ...modifiers, shuffle: seed(arg, value(arg)) }
    else if (arg === '--crash') modifiers = { ...modifiers, crash: seed(arg, value(arg)) }
    else if (arg.startsWith('-')) throw new Error(`unknown option ${arg}\n${usage}`)
    else files.push(arg)
  }
  if (files.length === 0) throw new Error(`no scenario files\n${usage}`)
  return { files, json, passes: passes ?? [modifiers] }
}

function underEverySeed (count: number): Modifiers[] {
  const seeds = Array.from({ length: count }, (_, at) => at + 1)
  return [
    {}, { duplicate: true }, ...seeds.map(shuffle => ({ shuffle })), ...seeds.map(crash => ({ crash }))
  ]
}

function readPass (words: string): Modifiers {
  return words.split('+').reduce<Modifiers>((modifiers, word) => {
    const [name = '', written] = word.split('=')
    if (word === 'plain') return modifiers
    if (word === 'duplicate') return { ...modifiers, duplicate: true }
    if ((name === 'shuffle' || name === 'crash') && written !== undefined) {
      return { ...modifiers, [name]: seed(name, written) }
    }
    throw new Error(
      `--passes: cannot read “${word}”; plain, duplicate, shuffle=SEED, crash=SEED, joined by +\n${usage}`
    )
  }, {})
}

function seed (option: string, written: string): number {
  if (!/^\d{1,9}$/.test(written)) {
    throw new Error(`${option} needs a seed, a whole number, not “${written}”\n${usage}`)
  }
  return Number(written)
}

export const describePass = ({ shuffle, duplicate, crash }: Modifiers): string => {
  const words = [
    ...(shuffle === undefined ? [] : [`shuffle ${shuffle}`]),
    ...(duplicate === true ? ['duplicate'] : []),
    ...(crash === undefined ? [] : [`crash ${crash}`])
  ]
  return words.length === 0 ? 'plain' : words.join(' + ')
}
