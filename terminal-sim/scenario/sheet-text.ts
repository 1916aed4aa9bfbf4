// What a spreadsheet program sees in an exported file: rows of cells, each a text, a number or a formula.
// Knows CSV (RFC 4180) and as much of XLSX as our exports use; it shares no code with what writes them.
import { inflateRawSync } from 'node:zlib'

export type SheetCell = { readonly kind: 'text' | 'number' | 'formula', readonly value: string }

/** A cell of a CSV file is a formula where a spreadsheet would take it for one. */
export function csvCells (text: string): SheetCell[][] {
  const rows: SheetCell[][] = []
  for (const [, quoted, plain = '', end] of text.replace(/^\uFEFF/, '')
    .matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/g)) {
    const row = rows.at(-1) ?? rows[rows.push([]) - 1] as SheetCell[]
    row.push(cellOf(quoted?.replaceAll('""', '"') ?? plain))
    if (end === '\r\n') rows.push([])
    if (end === '') break
  }
  return rows.filter(row => row.length > 1)
}

const cellOf = (value: string): SheetCell => ({
  value, kind: /^-?\d+(\.\d+)?$/.test(value) ? 'number' : /^[=+\-@\t\r]/.test(value) ? 'formula' : 'text'
})

/** The first worksheet. */
export function xlsxCells (bytes: Buffer): SheetCell[][] {
  const xml = zipEntry(bytes, 'xl/worksheets/sheet1.xml')
  return [...xml.matchAll(/<row [^>]*>(.*?)<\/row>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<c [^>]*>(.*?)<\/c>/gs)].map(([, cell = '']): SheetCell => {
      if (cell.includes('<f>')) return { kind: 'formula', value: unescape(cell) }
      const [, text] = /<t[^>]*>(.*?)<\/t>/s.exec(cell) ?? []
      if (text !== undefined) return { kind: 'text', value: unescape(text) }
      return { kind: 'number', value: /<v>(.*?)<\/v>/.exec(cell)?.[1] ?? '' }
    }))
}

const unescape = (text: string): string => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>')
  .replaceAll('&quot;', '"').replaceAll('&amp;', '&')

/** By the directory at the end of the archive; Windows' and everybody's ZIP begins there. */
function zipEntry (bytes: Buffer, name: string): string {
  const end = bytes.lastIndexOf('PK\u0005\u0006', undefined, 'latin1')
  let at = bytes.readUInt32LE(end + 16)
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left--) {
    const packed = bytes.readUInt32LE(at + 20)
    const nameLength = bytes.readUInt16LE(at + 28)
    const rest = bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
    const local = bytes.readUInt32LE(at + 42)
    if (bytes.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
      return inflateRawSync(bytes.subarray(from, from + packed)).toString('utf8')
    }
    at += 46 + nameLength + rest
  }
  throw new Error(`no ${name} in the archive`)
}
