// Tables: a list that the ledger gives whole, or page by page. Wide ones move sideways, by keyboard too.
import type { ReactNode } from 'react'
import type { Listed } from '../api/use-call.ts'
import { useWords } from '../words/words.tsx'
import { Button } from './button.tsx'
import { ProblemNote } from './problem-note.tsx'

export type Column<Row> = {
  readonly title: string
  readonly cell: (row: Row) => ReactNode
  /** Figures stand to the right. */
  readonly figure?: boolean
}
export type Columns<Row> = readonly Column<Row>[]

type Key = string | number
/** Rows that can be chosen, to do something with all of them. */
export type Choosing<Row> = {
  readonly isChosen: (row: Row) => boolean
  readonly toggle: (row: Row) => void
  readonly label: (row: Row) => string
  readonly mayChoose: (row: Row) => boolean
}

type Given<Row> = {
  readonly label: string
  readonly columns: Columns<Row>
  readonly keyOf: (row: Row) => Key
  readonly choosing?: Choosing<Row> | null
  /** Cells of a last row, from the left. */
  readonly sums?: readonly ReactNode[]
}

export function Grid<Row extends object> (
  { label, columns, keyOf, rows, busy = false, choosing = null, sums }: Given<Row> & {
    readonly rows: readonly Row[], readonly busy?: boolean
  }
) {
  const { words } = useWords()
  const width = columns.length + (choosing === null ? 0 : 1)
  return (
    <div className='scrolls' tabIndex={0} role='region' aria-label={label} aria-busy={busy}>
      <table>
        <thead>
          <tr>
            {choosing !== null && <td />}
            {columns.map(({ title, figure }) =>
              <th key={title} scope='col' className={sideOf(figure)}>{title}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => <Line key={keyOf(row)} row={row} columns={columns} choosing={choosing} />)}
          {rows.length === 0 && <tr><td colSpan={width}>{busy ? words.loading : words.nothing}</td></tr>}
        </tbody>
        {sums !== undefined && rows.length > 0 && (
          <tfoot>
            <tr>
              {columns.map(({ title, figure }, place) =>
                <td key={title} className={sideOf(figure)}>{sums[place]}</td>)}
            </tr>
          </tfoot>
        )}
      </table>
    </div>
  )
}

const sideOf = (figure: boolean | undefined): string => figure === true ? 'figure' : ''

function Line<Row> ({ row, columns, choosing }: {
  readonly row: Row, readonly columns: Columns<Row>, readonly choosing: Choosing<Row> | null
}) {
  return (
    <tr>
      {choosing !== null && (
        <td>
          <input
            type='checkbox' aria-label={choosing.label(row)} checked={choosing.isChosen(row)}
            disabled={!choosing.mayChoose(row)} onChange={() => choosing.toggle(row)}
          />
        </td>
      )}
      {columns.map(({ title, cell, figure }) => <td key={title} className={sideOf(figure)}>{cell(row)}</td>)}
    </tr>
  )
}

export function ListGrid<Row extends object> (
  { list, ...same }: Given<Row> & { readonly list: Listed<Row> }
) {
  const { words } = useWords()
  const { items, busy, error, previous, next } = list
  return (
    <>
      <ProblemNote error={error} />
      <Grid {...same} rows={items} busy={busy} />
      {(previous !== null || next !== null) && <p className='printed'>{words.onePage}</p>}
      {(previous !== null || next !== null) && (
        <div className='places' role='group' aria-label={same.label}>
          <Button disabled={previous === null} onClick={() => previous?.()}>{words.previous}</Button>
          <Button disabled={next === null} onClick={() => next?.()}>{words.next}</Button>
        </div>
      )}
    </>
  )
}
