// A sheet as CSV after RFC 4180: UTF-8, CRLF, quotes where needed. Texts that a spreadsheet would run as a
// formula get an apostrophe in front (OWASP, CSV injection); numbers stay numbers.
import { yuanText } from '../../schemas/bank/amount.ts'
import { looksLikeFormula, type Cell, type Column, type Row } from './sheet.ts'

/** Tells Excel that the bytes are UTF-8; other programs may stumble over it. */
const byteOrderMark = '\uFEFF'

export async function * csvText (
  columns: readonly Column[], pages: AsyncIterable<readonly Row[]>, { bom }: { readonly bom: boolean }
): AsyncGenerator<string> {
  yield (bom ? byteOrderMark : '') + lineOf(columns.map(({ title }) => field(title)))
  for await (const page of pages) {
    const lines = page.map(row => columns.map((column, place) => cellText(column, row[place] ?? null)))
    yield lines.map(lineOf).join('')
  }
}

const lineOf = (fields: readonly string[]): string => fields.join(',') + '\r\n'

function cellText ({ kind }: Column, cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'string') return field(cell)
  return kind === 'yuan' ? yuanText(BigInt(cell)) : String(cell)
}

function field (text: string): string {
  const safe = looksLikeFormula(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
