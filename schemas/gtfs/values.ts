// Values of GTFS cells as figures, and what several files say about the same thing. Each answers null, and
// tells of it, where a cell says nothing that can be used.
import { cell, type Row } from './csv.ts'
import type { Feed, FileName } from './files.ts'
import type { Warn } from './warnings.ts'

/** How long a transfer may be made where a feed gives no limit. */
export const windowAssumedSeconds = 86_400

/** Hundredths of any currency: `4.00`, `4`, `-1.5`. */
export function hundredths (text: string): number | null {
  const found = /^(-?)(\d{1,7})(?:\.(\d{1,2})0*)?$/.exec(text)
  if (found === null) return null
  const [, sign, whole, fraction = ''] = found
  const amount = Number(whole) * 100 + Number(fraction.padEnd(2, '0'))
  return sign === '-' && amount !== 0 ? -amount : amount
}

/** A row without this figure is left out. */
export function amountIn (row: Row, column: string, file: FileName, warn: Warn, lowest = 0): number | null {
  const amount = hundredths(cell(row, column))
  if (amount !== null && amount >= lowest) return amount
  warn('value_wrong', file, row.line, { column, value: cell(row, column) })
  return null
}

/** A whole number, `absent` where the cell is empty. */
export function wholeIn<T> (
  row: Row, column: string, file: FileName, warn: Warn, absent: T, fits: (value: number) => boolean
): number | T | null {
  const text = cell(row, column)
  if (text === '') return absent
  const value = /^-?\d{1,9}$/.test(text) ? Number(text) : NaN
  if (fits(value)) return value
  warn('value_wrong', file, row.line, { column, value: text })
  return null
}

/** Rows in the currency of most of them; the others are told of. */
export function ofOneCurrency (
  rows: readonly Row[], column: string, file: FileName, warn: Warn
): { readonly currency: string | null, readonly rows: readonly Row[] } {
  const sound = rows.filter(row => {
    const isCode = /^[A-Z]{3}$/.test(cell(row, column))
    if (!isCode) warn('value_wrong', file, row.line, { column, value: cell(row, column) })
    return isCode
  })
  const counts = new Map<string, number>()
  for (const row of sound) counts.set(cell(row, column), (counts.get(cell(row, column)) ?? 0) + 1)
  const [currency = null] = [...counts].sort(([, one], [, other]) => other - one).map(([code]) => code)
  return {
    currency,
    rows: sound.filter(row => {
      const value = cell(row, column)
      if (value !== currency) warn('currency_mixed', file, row.line, { value, currency: currency ?? '' })
      return value === currency
    })
  }
}

/** Values of a column that another file must have. */
export const idsIn = (feed: Feed, file: FileName, column: string): ReadonlySet<string> =>
  new Set(feed.rows(file).map(row => cell(row, column)).filter(value => value !== ''))

/** True where the cell is empty or names something that is there. */
export function refers (
  row: Row, column: string, targets: ReadonlySet<string>, target: string, file: FileName, warn: Warn
): boolean {
  const value = cell(row, column)
  if (value === '' || targets.has(value)) return true
  warn('reference_unknown', file, row.line, { column, value, target })
  return false
}

/** Keys with all their values, in the order of the rows. */
export function gathered<K, V> (pairs: readonly (readonly [K, V])[]): Map<K, V[]> {
  const all = new Map<K, V[]>()
  for (const [key, value] of pairs) {
    const values = all.get(key)
    if (values === undefined) all.set(key, [value])
    else values.push(value)
  }
  return all
}
