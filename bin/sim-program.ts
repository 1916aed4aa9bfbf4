// What the programs behind `npm run sim` that start a whole ledger have in common: options read or their
// fault told, help, and a place on disk that goes when they end. It refuses to know what they do.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeData } from './postgres-place.ts'

type Program<O> = {
  /** As in `npm run sim -- NAME`. */
  readonly name: string
  readonly help: string
  /** Null where help is asked for. Throws an error that says what is wrong. */
  readOptions (args: readonly string[]): O | null
  run (options: O): Promise<number>
}

/** Resolves with the exit code: 2 where the options cannot be read. */
export async function runProgram<O> (
  { name, help, readOptions, run }: Program<O>, args: readonly string[]
): Promise<number> {
  let options: O | null
  try {
    options = readOptions(args)
  } catch (error) {
    console.error(`${(error as Error).message}\n  npm run sim -- ${name} --help  says what there is`)
    return 2
  }
  if (options !== null) return await run(options)
  console.log(help)
  return 0
}

/** `dir`: a place of the user's, which stays; null: one of its own. What is thrown ends in exit code 1. */
export async function inPlace (
  dir: string | null, prefix: string, work: (data: string) => Promise<number>
): Promise<number> {
  const place = dir ?? mkdtempSync(join(tmpdir(), prefix))
  try {
    return await work(join(place, 'data'))
  } catch (error) {
    console.error((error as Error).message)
    return 1
  } finally {
    if (dir === null) {
      removeData(join(place, 'data/postgres'))
      rmSync(place, { recursive: true, force: true })
    }
  }
}
