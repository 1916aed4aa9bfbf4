// What pages of residents share: their outline, one line of a list, and what was done.
import { useEffect, useRef, type ReactNode } from 'react'
import type { CallError } from '../api/client.ts'
import { ProblemNote } from '../parts/problem-note.tsx'
import { useMy } from './words.ts'

/** A heading that is told to whoever cannot see, and what went wrong. */
export function MyPage ({ heading, error = null, children }: {
  readonly heading: string, readonly error?: CallError | null, readonly children: ReactNode
}) {
  const { title } = useMy()
  const top = useRef<HTMLHeadingElement>(null)
  useEffect(() => { document.title = `${heading} – ${title}` }, [heading, title])
  useEffect(() => top.current?.focus(), [])
  return (
    <>
      <h1 ref={top} tabIndex={-1}>{heading}</h1>
      <ProblemNote error={error} />
      {children}
    </>
  )
}

/** What, and how much of it. */
export function Line ({ what, much }: { readonly what: ReactNode, readonly much: ReactNode }) {
  return <div className='line'><span>{what}</span><span>{much}</span></div>
}

/** Told at once, to readers too. */
export function Done ({ children }: { readonly children: string }) {
  return <p className='done' role='status'>{children}</p>
}
