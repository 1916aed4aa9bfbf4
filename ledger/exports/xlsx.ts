// A sheet as an Excel workbook (ECMA-376, transitional), written while its rows go by: memory holds a page of
// rows, never the list. Texts are inline strings, which no spreadsheet runs; those that look like formulas
// also carry the quote prefix, so that editing the cell does not turn them into one.
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import { yuanText } from '../../schemas/bank/amount.ts'
import { looksLikeFormula, type Cell, type Column, type Row } from './sheet.ts'

/** What Excel takes in one worksheet, the line of titles included. */
const worksheetRowsMax = 1_048_576

export type Workbook = {
  readonly name: string, readonly columns: readonly Column[], readonly pages: AsyncIterable<readonly Row[]>
  readonly worksheetRowsMax?: number
}

/** The bytes of the workbook. Rows beyond what a worksheet takes go on in the next one. */
export function xlsxStream (workbook: Workbook): Readable {
  const zip = new ZipFile()
  const rows = rowsOf(workbook.pages)
  const output = Readable.from(zip.outputStream as AsyncIterable<Buffer>, { objectMode: false })
  output.once('close', () => { void rows.return(undefined) }) // whoever hangs up ends the reading, too
  writeParts(zip, workbook, rows).catch((error: Error) => output.destroy(error))
  return output
}

async function writeParts (zip: ZipFile, workbook: Workbook, rows: AsyncGenerator<Row>): Promise<void> {
  let sheets = 0
  for (let more = true; more;) {
    const end = { reached: false }
    const sheet = Readable.from(worksheetXml(workbook, rows, end))
    zip.addReadStream(sheet, `xl/worksheets/sheet${++sheets}.xml`)
    await finished(sheet)
    more = !end.reached
  }
  const add = (name: string, xml: string) => zip.addBuffer(Buffer.from(xmlHead + xml), name)
  add('[Content_Types].xml', contentTypes(sheets))
  add('_rels/.rels', relations([['officeDocument', 'xl/workbook.xml']]))
  add('xl/workbook.xml', workbookXml(workbook.name, sheets))
  add('xl/_rels/workbook.xml.rels', relations([['styles', 'styles.xml'],
    ...Array.from({ length: sheets }, (_, index): [string, string] =>
      ['worksheet', `worksheets/sheet${index + 1}.xml`])]))
  add('xl/styles.xml', styles)
  zip.end()
}

/** One row after the other, so that a worksheet can end in the middle of a page. */
async function * rowsOf (pages: AsyncIterable<readonly Row[]>): AsyncGenerator<Row> {
  for await (const page of pages) yield * page
}

const rowsPerChunk = 200

/** Takes rows until the worksheet is full, or there are no more: then `end.reached`. */
async function * worksheetXml (
  workbook: Workbook, rows: AsyncGenerator<Row>, end: { reached: boolean }
): AsyncGenerator<string> {
  const { columns } = workbook
  yield xmlHead + `<worksheet xmlns="${main}"><sheetViews><sheetView workbookViewId="0">` +
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>' +
    `<cols>${columns.map(widthXml).join('')}</cols><sheetData>` +
    rowXml(1, columns.map(({ title }, place) => textXml(place, 1, title, styleNumbers.title)))
  let chunk = ''
  for (let rowNo = 2; rowNo <= (workbook.worksheetRowsMax ?? worksheetRowsMax); rowNo++) {
    const { value: row, done } = await rows.next()
    if (done === true) {
      end.reached = true
      break
    }
    chunk += rowXml(rowNo, columns.map((column, place) => cellXml(column, place, rowNo, row[place] ?? null)))
    if (rowNo % rowsPerChunk !== 0) continue
    yield chunk
    chunk = ''
  }
  yield chunk + '</sheetData></worksheet>'
}

const widths = { text: 24, count: 12, yuan: 16 } as const
const widthXml = ({ kind }: Column, index: number): string =>
  `<col min="${index + 1}" max="${index + 1}" width="${widths[kind]}" customWidth="1"/>`

const rowXml = (rowNo: number, cells: readonly string[]): string =>
  `<row r="${rowNo}">${cells.join('')}</row>`

function cellXml ({ kind }: Column, place: number, rowNo: number, cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'string') {
    return textXml(place, rowNo, cell, looksLikeFormula(cell) ? styleNumbers.quoted : styleNumbers.plain)
  }
  const [style, number] = kind === 'yuan'
    ? [styleNumbers.yuan, yuanText(BigInt(cell))]
    : [styleNumbers.plain, String(cell)]
  return `<c r="${columnName(place)}${rowNo}" s="${style}"><v>${number}</v></c>`
}

const textXml = (place: number, rowNo: number, text: string, style: number): string =>
  `<c r="${columnName(place)}${rowNo}" s="${style}" t="inlineStr">` +
  `<is><t xml:space="preserve">${escapeXml(text)}</t></is></c>`

/** 0 → A, 25 → Z, 26 → AA. */
const columnName = (place: number): string =>
  (place >= 26 ? columnName(Math.floor(place / 26) - 1) : '') + String.fromCharCode(65 + place % 26)

/** XML 1.0 has no place for control characters; `_xHHHH_` is Excel's own escape: a literal one is escaped. */
const escapeXml = (text: string): string => text
  .replace(/_x([0-9A-Fa-f]{4})_/g, '_x005F_x$1_')
  // eslint-disable-next-line no-control-regex
  .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '\uFFFD')
  .replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#13;')

/* ---- the other parts ---- */

const xmlHead = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const packaging = 'http://schemas.openxmlformats.org/package/2006'
const spreadsheet = 'application/vnd.openxmlformats-officedocument.spreadsheetml'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

const contentTypes = (sheets: number): string =>
  `<Types xmlns="${packaging}/content-types">` +
  '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
  `<Override PartName="/xl/workbook.xml" ContentType="${spreadsheet}.sheet.main+xml"/>` +
  `<Override PartName="/xl/styles.xml" ContentType="${spreadsheet}.styles+xml"/>` +
  numbers(sheets).map(number =>
    `<Override PartName="/xl/worksheets/sheet${number}.xml" ContentType="${spreadsheet}.worksheet+xml"/>`)
    .join('') + '</Types>'

const relations = (targets: readonly (readonly [string, string])[]): string =>
  `<Relationships xmlns="${packaging}/relationships">` + targets.map(([kind, target], index) =>
    `<Relationship Id="rId${index + 1}" Type="${office}/${kind}" Target="${target}"/>`).join('') +
  '</Relationships>'

const workbookXml = (name: string, sheets: number): string =>
  `<workbook xmlns="${main}" xmlns:r="${office}"><sheets>` + numbers(sheets).map(number =>
    `<sheet name="${name}${number === 1 ? '' : ` ${number}`}" sheetId="${number}" r:id="rId${number + 1}"/>`)
    .join('') + '</sheets></workbook>'

/** Places in `cellXfs` below. */
const styleNumbers = { plain: 0, quoted: 1, yuan: 2, title: 3 } as const
const styles = `<styleSheet xmlns="${main}">` +
  '<numFmts count="1"><numFmt numFmtId="164" formatCode="#,##0.00"/></numFmts>' +
  '<fonts count="2"><font/><font><b/></font></fonts>' +
  '<fills count="2"><fill><patternFill patternType="none"/></fill>' +
  '<fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders>' +
  '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="4">' +
  '<xf xfId="0"/><xf xfId="0" quotePrefix="1"/><xf xfId="0" numFmtId="164" applyNumberFormat="1"/>' +
  '<xf xfId="0" fontId="1" applyFont="1"/></cellXfs>' +
  '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
