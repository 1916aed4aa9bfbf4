// The outline that every page has: a heading that is told to whoever cannot see, what can be done, and what
// went wrong.
import { useEffect, useRef, type ReactNode } from 'react'
import type { CallError } from '../api/client.ts'
import { useSession } from '../api/session.tsx'
import { useWords } from '../words/words.tsx'
import { Button } from './button.tsx'
import { ProblemNote } from './problem-note.tsx'

type Given = {
  readonly heading: string
  readonly error?: CallError | null
  readonly again?: () => void
  readonly doing?: ReactNode
  readonly children: ReactNode
}

export function Page ({ heading, error = null, again, doing, children }: Given) {
  const { words } = useWords()
  const { who } = useSession()
  const top = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${heading} – ${words.title}`
  }, [heading, words])
  useEffect(() => top.current?.focus(), [])
  return (
    <>
      <header className='page-head'>
        <h1 ref={top} tabIndex={-1}>{heading}</h1>
        <div className='doing'>
          {doing}
          {again !== undefined && <Button onClick={again}>{words.again}</Button>}
          <Button onClick={() => print()}>{words.print}</Button>
        </div>
      </header>
      <p className='printed'>{[words.title, who?.name].filter(Boolean).join(' · ')}</p>
      <ProblemNote error={error} />
      {children}
    </>
  )
}

export function Part ({ heading, children }: { readonly heading: string, readonly children: ReactNode }) {
  return <section className='part' aria-label={heading}><h2>{heading}</h2>{children}</section>
}
