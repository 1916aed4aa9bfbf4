// A raw line as its bytes came, with a ruler over its fields: what is chosen in the table is marked in the
// bytes.
import { useState } from 'react'
import type { RawLineView, RulerField } from '../../schemas/tracing.ts'
import { useWords } from '../words/words.tsx'
import { Grid, type Columns } from './grid.tsx'

export function Ruler ({ raw, ruler }: Pick<RawLineView, 'raw' | 'ruler'>) {
  const { words: { trace } } = useWords()
  const [chosen, setChosen] = useState<RulerField | null>(null)
  const columns: Columns<RulerField> = [
    {
      title: trace.field,
      cell: field => (
        <button
          type='button' className='field-name' aria-pressed={field === chosen}
          onClick={() => setChosen(field)}
        >
          {field.name}
        </button>
      )
    },
    { title: trace.offset, figure: true, cell: ({ offset }) => offset },
    { title: trace.length, figure: true, cell: ({ length }) => length },
    { title: trace.value, cell: ({ raw: value }) => <code>{value}</code> },
    {
      title: trace.hex,
      cell: ({ raw: value }) => <code className='hex'>{hexOf(new TextEncoder().encode(value))}</code>
    },
    { title: trace.means, cell: ({ says }) => <span lang='en'>{says}</span> }
  ]
  return (
    <>
      <pre className='raw' tabIndex={0} role='region' aria-label={trace.bytes}>
        {piecesOf(raw, chosen).map(({ text, marked }, place) =>
          marked ? <mark key={place}>{text}</mark> : <span key={place}>{text}</span>)}
      </pre>
      <Grid
        label={trace.ruler} columns={columns} rows={ruler} keyOf={({ offset, name }) => `${offset} ${name}`}
      />
    </>
  )
}

/** The line before, in, and after a field, cut at bytes as the ruler counts them. */
function piecesOf (raw: string, field: RulerField | null): { text: string, marked: boolean }[] {
  if (field === null) return [{ text: raw, marked: false }]
  const bytes = new TextEncoder().encode(raw)
  const end = field.offset + field.length
  const text = (from: number, to?: number) => new TextDecoder().decode(bytes.subarray(from, to))
  return [
    { text: text(0, field.offset), marked: false }, { text: text(field.offset, end), marked: true },
    { text: text(end), marked: false }
  ]
}

const hexOf = (bytes: Uint8Array): string =>
  [...bytes].map(byte => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ')
