// Lines that are typed, or come from a file or a pipe, one deed each. A person who mistypes is told and goes
// on; a script that cannot go on ends with 1.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { nearestFirst } from '../scenario/check.ts'

export type Deed = {
  /** Such as CARD YUAN; a word in brackets may be left out. */
  readonly takes: string
  readonly says: string
  /** What comes of it, to be shown. Throws DeedError where it cannot be done. */
  readonly act: (words: readonly string[]) => Promise<string | void>
}
export type Deeds = Readonly<Record<string, Deed>>
/** What can be typed: what it takes, and what it does. */
export type Words<Word extends string = string> =
  Readonly<Record<Word, readonly [takes: string, says: string]>>

export const deedsOf = <Word extends string>(
  words: Words<Word>, acts: Readonly<Record<Word, Deed['act']>>
): Deeds => Object.fromEntries(Object.entries<Words[string]>(words).map(([word, [takes, says]]) =>
    [word, { takes, says, act: acts[word as Word] }]))

/** What was typed cannot be done: says why, and what can. */
export class DeedError extends Error {}

const alwaysWords = {
  wait: ['SECONDS', 'does nothing for so long'],
  help: ['', 'what can be typed'],
  quit: ['', 'ends it']
} as const satisfies Words
const nothing = async (): Promise<void> => undefined
const always = deedsOf(alwaysWords,
  { wait: async ([seconds]) => await nap(seconds), help: nothing, quit: nothing })

async function nap (seconds = ''): Promise<void> {
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(seconds)) throw new DeedError(`wait ${seconds}: seconds are wanted`)
  await delay(Number(seconds) * 1_000)
}

/** For the help of a command. */
export const typedRows = (words: Words): (readonly [string, string])[] =>
  Object.entries({ ...words, ...alwaysWords }).map(([word, [takes, says]]) =>
    [takes === '' ? word : `${word} ${takes}`, says] as const)

export type KeyboardOptions = {
  readonly say: (line: string) => void
  /** A file that is read in place of the keyboard; null: none. */
  readonly script?: string | null
}

/** The exit code, once the lines are over or `quit` was among them. */
export async function obey (deeds: Deeds, { say, script = null }: KeyboardOptions): Promise<number> {
  const input = script === null ? process.stdin : createReadStream(script)
  const isPerson = script === null && process.stdin.isTTY
  if (isPerson) say('help says what can be typed')
  for await (const line of createInterface({ input, terminal: false })) {
    const [word = '', ...words] = line.trim().split(/\s+/)
    if (word === '' || word.startsWith('#')) continue
    if (word === 'quit') return 0
    try {
      const told = await carryOut({ ...deeds, ...always }, word, words)
      if (told !== undefined) say(told)
    } catch (error) {
      if (!(error instanceof DeedError)) throw error
      say(error.message)
      if (!isPerson) return 1
    }
  }
  return 0
}

async function carryOut (deeds: Deeds, word: string, words: readonly string[]): Promise<string | void> {
  if (word === 'help') {
    return Object.entries(deeds).map(([word, { takes, says }]) => `  ${word} ${takes}  –  ${says}`).join('\n')
  }
  const deed = Object.hasOwn(deeds, word) ? deeds[word] : undefined
  if (deed === undefined) {
    const known = nearestFirst(word, Object.keys(deeds)).join(', ')
    throw new DeedError(`there is no “${word}”; there are ${known}`)
  }
  const wanted = deed.takes === '' ? [] : deed.takes.split(' ')
  const least = wanted.filter(one => !one.startsWith('[')).length
  if (words.length < least) throw new DeedError(`${word} takes ${deed.takes}: ${deed.says}`)
  return await deed.act(words)
}
