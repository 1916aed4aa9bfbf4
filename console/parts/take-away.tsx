// What a page shows, as files to take away: the same rows by the same filter, with the same sums.
import { pathOf, type Query } from '../api/client.ts'
import { useWords } from '../words/words.tsx'
import type { Words } from '../words/zh.ts'

const formats = ['csv', 'xlsx'] as const
export type ExportKind = keyof Words['exports']['kinds']

export function TakeAway ({ kind, query }: { readonly kind: ExportKind, readonly query: Query }) {
  const { words: { exports: words } } = useWords()
  return (
    <span className='doing'>
      {formats.map(format => (
        <a
          key={format} className='download' href={pathOf(`/v1/exports/${kind}.${format}`, query)} download
        >{words.get} {words.kinds[kind]} {format.toUpperCase()}
        </a>
      ))}
    </span>
  )
}
