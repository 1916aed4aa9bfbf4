// Something that is told apart from the rest of a page, at once and to readers too.
import type { ReactNode } from 'react'

export function Note ({ tone, children }: { readonly tone: 'bad' | 'warn', readonly children: ReactNode }) {
  return <div className={`note ${tone}`} role='alert'>{children}</div>
}
