// A button. While what it started is under way it says so, and does not start it again.
import type { ReactNode } from 'react'

type Given = {
  readonly children: ReactNode
  readonly onClick?: () => void
  readonly look?: 'plain' | 'main' | 'danger'
  readonly disabled?: boolean
  readonly busy?: boolean
  /** Sends the form that it stands in. */
  readonly submits?: boolean
  readonly lang?: string
}

export function Button (
  { children, onClick, look = 'plain', disabled = false, busy = false, submits = false, lang }: Given
) {
  return (
    <button
      type={submits ? 'submit' : 'button'} className={`button ${look}`} disabled={disabled || busy}
      aria-busy={busy} onClick={onClick} lang={lang}
    >{children}
    </button>
  )
}
