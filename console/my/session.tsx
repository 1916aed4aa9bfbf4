// Which resident is in: asked once when the page opens, forgotten when the ledger says that it is over.
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import type { IdentityDocument } from '../../schemas/holder.ts'
import type { ResidentSession } from '../../schemas/resident.ts'
import { bindSession } from '../api/client.ts'
import { deeds, looks } from './doors.ts'

type Session = {
  /** Undefined while it is not known yet; null: nobody. */
  readonly who: ResidentSession | null | undefined
  /** It was somebody until just now. */
  readonly isOver: boolean
  readonly signIn: (document: IdentityDocument, password: string) => Promise<void>
  readonly signOut: () => Promise<void>
}

const Context = createContext<Session | null>(null)

export function ResidentDoor ({ children }: { readonly children: ReactNode }) {
  const [who, setWho] = useState<ResidentSession | null | undefined>(undefined)
  const [isOver, setIsOver] = useState(false)
  const enter = useCallback((found: ResidentSession | null) => {
    bindSession(found?.csrf ?? null, () => {
      setIsOver(true)
      enter(null)
    })
    setWho(found)
  }, [])
  useEffect(() => { void looks.session().then(enter, () => enter(null)) }, [enter])
  const session = useMemo((): Session => ({
    who,
    isOver,
    signIn: async (document, password) => {
      enter(await deeds.signIn(document, password))
      setIsOver(false)
    },
    signOut: async () => {
      await deeds.signOut()
      enter(null)
    }
  }), [who, isOver, enter])
  return <Context.Provider value={session}>{children}</Context.Provider>
}

export function useResident (): Session {
  const session = useContext(Context)
  if (session === null) throw new Error('no session is asked for here')
  return session
}
