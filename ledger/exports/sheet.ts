// What any export is made of: columns, rows in pages, and the row of totals that ends them. It refuses to
// know files and where rows come from.

/** `yuan` cells are whole fen here and yuan with two decimals in the file. */
export type Column = { readonly title: string, readonly kind: 'text' | 'count' | 'yuan' }
export type Cell = string | number | bigint | null
export type Row = readonly Cell[]

export type Sheet = {
  readonly name: string
  readonly columns: readonly Column[]
  /** A page at a time, so that no list is ever in memory whole. */
  readonly pages: AsyncIterable<readonly Row[]>
}

export type Totals = { rows: number, sums: (bigint | null)[] }

/** Adds up what goes by. Counts and amounts are summed, texts are not. */
export const emptyTotals = (columns: readonly Column[]): Totals =>
  ({ rows: 0, sums: columns.map(({ kind }) => kind === 'text' ? null : 0n) })

/** The same pages, and after them one with the row of totals; then `totals` is complete. */
export async function * withTotals (sheet: Sheet, totals: Totals): AsyncGenerator<readonly Row[]> {
  for await (const page of sheet.pages) {
    for (const row of page) add(totals, row)
    if (page.length > 0) yield page
  }
  yield [totalRow(sheet.columns, totals)]
}

function add (totals: Totals, row: Row): void {
  totals.rows++
  for (const [place, cell] of row.entries()) {
    const sum = totals.sums[place] ?? null
    if (sum !== null && cell !== null && typeof cell !== 'string') totals.sums[place] = sum + BigInt(cell)
  }
}

const totalRow = (columns: readonly Column[], { rows, sums }: Totals): Row =>
  columns.map(({ kind }, place) => {
    if (place === 0) return `total of ${rows} rows`
    const sum = sums[place] ?? null
    return sum === null || kind === 'text' ? null : kind === 'count' ? Number(sum) : sum
  })

/**
 * A text that a spreadsheet would take for a formula: its first character is one that starts one, also in the
 * full width of Chinese keyboards, or one that a reader strips before it looks.
 */
export const looksLikeFormula = (text: string): boolean => /^[=+\-@\t\r\n＝＋－＠]/.test(text)
