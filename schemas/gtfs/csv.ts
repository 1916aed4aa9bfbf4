// A file of a GTFS feed as rows with their line numbers: RFC 4180 with what feeds do in the wild (BOM, either
// line end, no end of the last line, blanks around values). It refuses to know what columns mean.
import type { Warn } from './warnings.ts'

export type Row = { readonly line: number, readonly cells: Readonly<Record<string, string>> }
export type Table = {
  readonly file: string, readonly columns: readonly string[], readonly rows: readonly Row[]
}

/** The value of a column, empty where the column or the value is not there. */
export const cell = ({ cells }: Row, column: string): string =>
  Object.hasOwn(cells, column) ? cells[column] ?? '' : ''

export function readTable (file: string, text: string, warn: Warn): Table {
  const lines = readLines(file, text, warn)
  const [header, ...rest] = lines
  const columns = (header?.cells ?? []).map(name => name.trim())
  const repeated = columns.find((name, at) => columns.indexOf(name) < at)
  if (repeated !== undefined) {
    warn('column_repeated', file, header?.line ?? 1, { column: repeated })
    return { file, columns: [], rows: [] }
  }
  return { file, columns, rows: rest.flatMap(line => rowOf(file, columns, line, warn)) }
}

type Line = { readonly line: number, readonly cells: readonly string[] }

function rowOf (file: string, columns: readonly string[], { line, cells }: Line, warn: Warn): Row[] {
  if (cells.length > columns.length) {
    warn('cells_count', file, line, { cells: cells.length, columns: columns.length })
    return []
  }
  return [{
    line,
    cells: Object.fromEntries(columns.map((column, at) => {
      const value = cells[at] ?? ''
      if (value !== value.trim()) warn('blank_trimmed', file, line, { column })
      return [column, value.trim()]
    }))
  }]
}

/** Lines that are empty say nothing. Where quotation marks do not match, what is left cannot be read. */
function readLines (file: string, text: string, warn: Warn): Line[] {
  const whole = text.startsWith('\uFEFF') ? text.slice(1) : text
  const lines: Line[] = []
  const part = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r\n|\r|\n|$)/y
  let [line, cells]: [number, string[]] = [1, []]
  let began = line
  while (part.lastIndex < whole.length || cells.length > 0) {
    const found = part.exec(whole)
    if (found === null) {
      warn('quote_broken', file, line)
      break
    }
    const [, quoted, plain = '', end = ''] = found
    cells.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    line += (quoted?.match(/\n/g) ?? []).length
    if (end === ',') continue
    if (cells.length > 1 || cells[0] !== '') lines.push({ line: began, cells })
    line += 1
    began = line
    cells = []
    if (end === '') break
  }
  return lines
}
