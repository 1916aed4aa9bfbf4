// Lines of a clearing file: one byte a character, ends LF, CR LF or, as some centres write them, LF CR.

export const lineEnds = { LF: '\n', CRLF: '\r\n', LFCR: '\n\r' } as const
export type LineEnd = keyof typeof lineEnds

const lf = 10
const cr = 13

/**
 * Calls `line` with the place of each whole line in `bytes`, and where the next one begins; returns where the
 * unfinished rest begins. Mixed ends are read all the same; an end after the last line is not another line.
 * `last`: nothing follows these bytes.
 */
export function eachLine (
  bytes: Uint8Array, last: boolean, line: (start: number, end: number, next: number) => void
): number {
  let start = 0
  for (let found = bytes.indexOf(lf); found >= 0; found = bytes.indexOf(lf, start)) {
    const afterCr = found > start && bytes[found - 1] === cr
    if (!afterCr && !last && found + 1 === bytes.length) return start // CR may follow
    const next = !afterCr && bytes[found + 1] === cr ? found + 2 : found + 1
    line(start, afterCr ? found - 1 : found, next)
    start = next
  }
  if (!last || start === bytes.length) return start
  line(start, bytes.length, bytes.length)
  return bytes.length
}

/** The end of a line that stops at `end` and is followed by one at `next`. */
export const lineEndAt = (bytes: Uint8Array, end: number, next: number): LineEnd =>
  next - end < 2 ? 'LF' : bytes[end] === cr ? 'CRLF' : 'LFCR'

/** Cuts text into lines and tells the first line's end (LF when there is none), which answers echo. */
export function splitLines (text: string): { lines: string[], end: LineEnd } {
  const bytes = Buffer.from(text, 'latin1')
  const lines: string[] = []
  let end: LineEnd = 'LF'
  eachLine(bytes, true, (start, stop, next) => {
    if (lines.length === 0) end = lineEndAt(bytes, stop, next)
    lines.push(bytes.toString('latin1', start, stop))
  })
  return { lines, end }
}

export const joinLines = (lines: readonly string[], end: LineEnd): string =>
  lines.map(line => line + lineEnds[end]).join('')
