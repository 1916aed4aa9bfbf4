// A button that asks once more before it does what it says.
import { useState, type ReactNode } from 'react'
import { useDeed } from '../api/use-call.ts'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'

type Given = {
  readonly label: string
  readonly sure: ReactNode
  readonly run: (key: string) => Promise<unknown>
  readonly done: () => void
  readonly primary?: boolean
}

export function DeedButton ({ label, sure, run, done, primary = false }: Given) {
  const [asks, setAsks] = useState(false)
  const doing = useDeed()
  const close = () => {
    setAsks(false)
    doing.forget()
  }
  const go = async () => {
    if (!await doing.run(run)) return
    setAsks(false)
    done()
  }
  return (
    <>
      <Button look={primary ? 'main' : 'plain'} onClick={() => setAsks(true)}>{label}</Button>
      {asks && (
        <Dialog heading={label} doing={doing} onClose={close} go={{ label, run: () => { void go() } }}>
          {sure}
        </Dialog>
      )}
    </>
  )
}
