// Lines of a clearing file: one byte a character, ends LF, CR LF or, as some centres write them, LF CR.

export const lineEnds = { LF: '\n', CRLF: '\r\n', LFCR: '\n\r' } as const
export type LineEnd = keyof typeof lineEnds

/**
 * Cuts text into lines and tells the first line's end (LF when there is none), which answers echo. Mixed ends
 * are read all the same; an end after the last line is not another line.
 */
export function splitLines (text: string): { lines: string[], end: LineEnd } {
  const lines = text.split(/\r\n|\n\r|\n/)
  if (lines.at(-1) === '') lines.pop()
  const first = /\r\n|\n\r|\n/.exec(text)?.[0]
  return { lines, end: first === lineEnds.CRLF ? 'CRLF' : first === lineEnds.LFCR ? 'LFCR' : 'LF' }
}

export const joinLines = (lines: readonly string[], end: LineEnd): string =>
  lines.map(line => line + lineEnds[end]).join('')
