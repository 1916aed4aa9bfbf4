// Whose session this page has: asked once when it opens, forgotten when the ledger says that it is over. The
// same for staff and for residents.
import { useCallback, useEffect, useState } from 'react'
import { bindSession } from './client.ts'

export type Whose<Session> = {
  /** Undefined while it is not known yet; null: nobody. */
  readonly who: Session | null | undefined
  /** It was somebody until just now. */
  readonly isOver: boolean
  readonly enter: (found: Session | null) => void
}

export function useWhoseSession<Session extends { readonly csrf: string | null }> (
  ask: () => Promise<Session>
): Whose<Session> {
  const [who, setWho] = useState<Session | null | undefined>(undefined)
  const [isOver, setIsOver] = useState(false)
  const enter = useCallback((found: Session | null) => {
    if (found !== null) setIsOver(false)
    bindSession(found?.csrf ?? null, () => {
      setIsOver(true)
      enter(null)
    })
    setWho(found)
  }, [])
  useEffect(() => { void ask().then(enter, () => enter(null)) }, [ask, enter])
  return { who, isOver, enter }
}
