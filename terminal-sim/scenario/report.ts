// The result of scenarios in words for a terminal: one line each, and a readable difference for every miss.
import { basename } from 'node:path'
import type { Result } from './run.ts'

export function describeResult (result: Result): string[] {
  const { ok, file, title, skipped, crash, freshMs, wholeMs } = result
  if (result.leftOut !== null) return [`skip ${basename(file)} – ${title} (${result.leftOut})`]
  const beside = [
    `${Math.round(wholeMs)} ms, fresh stack ${Math.round(freshMs ?? 0)} ms`,
    ...(skipped === 0 ? [] : [`${skipped} checks of first answers left out`]),
    ...(crash === null ? [] : [crash.passed ? `killed at ${crash.at}` : `never passed ${crash.at}`])
  ]
  return [
    `${ok ? 'ok  ' : 'FAIL'} ${basename(file)} – ${title} (${beside.join('; ')})`,
    ...result.misses.map(
      ({ place, what, expected, found }) => `     ${place} ${what}: expected ${expected}, found ${found}`
    ),
    ...result.broken.map(words => `     ${words.replaceAll('\n', '\n       ')}`)
  ]
}
