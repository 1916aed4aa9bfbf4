// A question before a deed. The browser's own dialog: it keeps the keyboard inside, closes by Escape and
// gives the focus back.
import { useId, useLayoutEffect, useRef, type FormEvent, type ReactNode } from 'react'
import type { Doing } from '../api/use-call.ts'
import { useWords } from '../words/words.tsx'
import { Button } from './button.tsx'
import { ProblemNote } from './problem-note.tsx'

type Given = {
  readonly heading: string
  readonly doing: Doing
  readonly onClose: () => void
  /** Absent: there is nothing to do but to look. */
  readonly go?: { readonly label: string, readonly ready?: boolean, readonly run: () => void }
  readonly children: ReactNode
}

export function Dialog ({ heading, doing, onClose, go, children }: Given) {
  const { words } = useWords()
  const box = useRef<HTMLDialogElement>(null)
  const title = useId()
  // While it is still in the document: only then the focus goes back to where it was.
  useLayoutEffect(() => {
    const element = box.current
    element?.showModal()
    return () => element?.close()
  }, [])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (go?.ready !== false) go?.run()
  }
  return (
    <dialog ref={box} aria-labelledby={title} onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id={title}>{heading}</h2>
        {children}
        <ProblemNote error={doing.error} />
        <div className='doing'>
          <Button onClick={onClose}>{words.cancel}</Button>
          {go !== undefined && (
            <Button look='main' submits busy={doing.busy} disabled={go.ready === false}>{go.label}</Button>
          )}
        </div>
      </form>
    </dialog>
  )
}
