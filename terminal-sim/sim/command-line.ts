// What a command of the simulator is called with: described once, for reading it, for its help, and for what
// is said where it cannot be read. It refuses to know what the commands do.
import { nearestFirst } from '../scenario/check.ts'

export type OptionRow = {
  readonly says: string
  /** What stands behind it, such as PORT; absent: it is a switch. */
  readonly value?: string
  /** Where it is not said. */
  readonly or?: string
}

export type Command = {
  readonly name: string
  /** One line. */
  readonly says: string
  readonly about?: readonly string[]
  /** Words without a name, in this order; the last may be left out where it says so. */
  readonly takes?: readonly { readonly name: string, readonly says: string, readonly optional?: true }[]
  readonly options: Readonly<Record<string, OptionRow>>
  /** What can be typed while it runs. */
  readonly typed?: readonly (readonly [words: string, says: string])[]
  readonly examples: readonly (readonly [line: string, says: string])[]
  /** The exit code. */
  readonly run: (given: Given) => Promise<number>
}

export type Given = {
  readonly words: readonly string[]
  /** The value, or what holds where it is not said. Throws UsageError where neither is there. */
  text (option: string): string
  /** Null where it is not said and nothing holds instead. */
  maybe (option: string): string | null
  /** Throws UsageError where it is no whole number within the limits. */
  whole (option: string, least: number, most: number): number
  has (option: string): boolean
}

/** The command line cannot be read: says why and what to do. */
export class UsageError extends Error {}

/** Throws UsageError. */
export function readGiven (command: Command, args: readonly string[]): Given {
  const { options, takes = [], name } = command
  const said = new Map<string, string>()
  const words: string[] = []
  const refuse = (why: string): never => {
    throw new UsageError(`${why}\n  npm run sim -- ${name} --help  says what there is`)
  }
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (!arg.startsWith('--')) {
      words.push(arg)
      continue
    }
    const [option = '', inline] = arg.slice(2).split(/=(.*)/s)
    const row = options[option] ?? refuse(`there is no --${option}; ${likely(option, Object.keys(options))}`)
    if (row.value === undefined && inline !== undefined) refuse(`--${option} takes no value`)
    const value = row.value === undefined ? '' : inline ?? rest.shift()
    if (value === undefined) return refuse(`--${option} needs ${row.value} behind it: ${row.says}`)
    said.set(option, value)
  }
  if (words.length > takes.length) refuse(`what is “${words[takes.length]}”? ${usageOf(command)}`)
  const missing = takes[words.length]
  if (missing !== undefined && missing.optional !== true) {
    refuse(`${missing.name} is missing: ${missing.says}`)
  }
  const maybe = (option: string): string | null => said.get(option) ?? options[option]?.or ?? null
  return {
    words,
    maybe,
    text: option => maybe(option) ??
      refuse(`--${option} ${options[option]?.value ?? ''} is missing: ${options[option]?.says ?? ''}`),
    whole: (option, least, most) => {
      const text = maybe(option) ?? ''
      const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
      if (number >= least && number <= most) return number
      return refuse(`--${option} ${text}: a whole number from ${least} to ${most} is wanted`)
    },
    has: option => said.has(option)
  }
}

const likely = (word: string, known: readonly string[]): string => {
  const near = nearestFirst(word, known).map(one => `--${one}`)
  return near.length === 0 ? 'it takes no options' : `there are ${near.join(', ')}`
}

const usageOf = ({ name, takes = [], options }: Command): string => [
  `usage: npm run sim -- ${name}`,
  ...takes.map(({ name, optional }) => optional === true ? `[${name}]` : name),
  ...Object.keys(options).length === 0 ? [] : ['[OPTIONS]']
].join(' ')

/** The page of one command. */
export function helpOf (command: Command): string {
  const { says, about = [], takes = [], options, typed = [], examples } = command
  const optionRows = Object.entries(options).map(([option, { says, value, or }]) => [
    `--${option}${value === undefined ? '' : ` ${value}`}`, or === undefined ? says : `${says}; ${or}`
  ] as const)
  return [
    `${command.name}: ${says}`, '', usageOf(command), ...about.length === 0 ? [] : ['', ...about],
    ...titled('', takes.map(({ name, says }) => [name, says] as const)),
    ...titled('Options', optionRows),
    ...titled('While it runs, typed or from a file', typed),
    ...titled('Examples', examples.map(([line, says]) => [`npm run sim -- ${line}`, says] as const))
  ].join('\n')
}

function titled (title: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return []
  const width = Math.max(...rows.map(([left]) => left.length))
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
  return title === '' ? ['', ...lines] : ['', `${title}:`, ...lines]
}
