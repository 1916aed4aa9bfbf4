// A button that asks once more before it does what it says.
import { useState, type ReactNode } from 'react'
import { useDeed } from '../api/use-call.ts'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'

type Given<Reply> = {
  readonly label: string
  readonly sure: ReactNode
  readonly run: (key: string) => Promise<Reply>
  readonly done: (reply: Reply) => void
  readonly primary?: boolean
  /** False while what it needs is not written down yet. */
  readonly ready?: boolean
}

export function DeedButton<Reply> (
  { label, sure, run, done, primary = false, ready = true }: Given<Reply>
) {
  const [asks, setAsks] = useState(false)
  const doing = useDeed()
  const close = () => {
    setAsks(false)
    doing.forget()
  }
  const go = async () => {
    const replies: Reply[] = []
    if (!await doing.run(async key => { replies.push(await run(key)) })) return
    setAsks(false)
    done(replies[0] as Reply)
  }
  return (
    <>
      <Button look={primary ? 'main' : 'plain'} onClick={() => setAsks(true)}>{label}</Button>
      {asks && (
        <Dialog heading={label} doing={doing} onClose={close} go={{ label, ready, run: () => { void go() } }}>
          {sure}
        </Dialog>
      )}
    </>
  )
}
