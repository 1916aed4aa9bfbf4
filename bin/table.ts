// Tables for a terminal: columns as wide as they must be, Chinese counted as two, amounts right-aligned.

export type Align = 'left' | 'right'

/** Lines of a table; the first row is the head, and stands over a rule. */
export function table (rows: readonly (readonly string[])[], aligns: readonly Align[]): string[] {
  const widths = aligns.map((_, column) => Math.max(...rows.map(row => width(row[column] ?? ''))))
  const lines = rows.map(row => aligns.map((align, column) =>
    pad(row[column] ?? '', widths[column] ?? 0, align)).join('  ').trimEnd())
  const rule = widths.map(each => '─'.repeat(each)).join('  ')
  return [lines[0] ?? '', rule, ...lines.slice(1)]
}

function pad (text: string, wanted: number, align: Align): string {
  const filler = ' '.repeat(Math.max(0, wanted - width(text)))
  return align === 'left' ? text + filler : filler + text
}

/** Columns of a terminal: ideographs and full-width forms take two (East Asian Width W and F). */
export const width = (text: string): number =>
  [...text].reduce((sum, sign) => sum + (wide.test(sign) ? 2 : 1), 0)
const wide = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/

/** Fen as yuan, thousands apart: -1,234.50. */
export function yuan (fen: number): string {
  const [whole = '', cents = ''] = (Math.abs(fen) / 100).toFixed(2).split('.')
  return `${fen < 0 ? '-' : ''}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${cents}`
}

export const count = (number: number): string => String(number).replace(/\B(?=(\d{3})+$)/g, ',')
