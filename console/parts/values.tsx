// Single values as all pages show them: money, instants, codes, and what came from outside as it came.
import type { ReactNode } from 'react'
import { inChinese } from '../words/said.ts'
import { useWords } from '../words/words.tsx'

export function Yuan ({ fen }: { readonly fen: number }) {
  const { format } = useWords()
  return <span className={fen < 0 ? 'money less' : 'money'}>{format.yuan(fen)}</span>
}

export function At ({ iso }: { readonly iso: string | null }) {
  const { format, words } = useWords()
  return iso === null ? <>{words.none}</> : <time dateTime={iso}>{format.instant(iso)}</time>
}

/** A word of the ledger itself, as it stands in its API. */
export function Code ({ children }: { readonly children: string | number }) {
  return <code className={String(children).length <= shortMax ? 'short' : ''}>{children}</code>
}

/** Longer ones may be broken anywhere, or a table would be as wide as its longest hash. */
const shortMax = 24

/** What the ledger says in its own language; in Chinese where the sentence is known. */
export function Said ({ children }: { readonly children: string }) {
  const { language } = useWords()
  const known = language === 'zh' ? inChinese(children) : null
  return known === null ? <span lang='en'>{children}</span> : <span>{known}</span>
}

/** A document of any form under its name, as text: nothing in it is ever taken for markup. */
export function Document ({ label, value }: { readonly label: string, readonly value: unknown }) {
  if (value === null || value === undefined) return null
  return (
    <>
      <h3>{label}</h3>
      <pre className='document' tabIndex={0} role='region' aria-label={label}>
        {JSON.stringify(value, null, 2)}
      </pre>
    </>
  )
}

/** A list of facts: what, and how it stands. */
export function Facts ({ rows }: { readonly rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className='facts'>
      {rows.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  )
}
