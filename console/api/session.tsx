// Who is signed in: asked once when the page opens, forgotten when the ledger says that a session is over.
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from 'react'
import type { OwnSession, PersonRole } from '../../schemas/staff.ts'
import { bindSession } from './client.ts'
import { deeds, looks } from './doors.ts'

type Session = {
  /** Undefined while it is not known yet; null: nobody. */
  readonly who: OwnSession | null | undefined
  /** It was somebody until just now. */
  readonly isOver: boolean
  readonly signIn: (name: string, password: string) => Promise<void>
  readonly signOut: () => Promise<void>
  readonly changePassword: (old: string, wanted: string) => Promise<void>
}

const Context = createContext<Session | null>(null)

export function SessionDoor ({ children }: { readonly children: ReactNode }) {
  const [who, setWho] = useState<OwnSession | null | undefined>(undefined)
  const [isOver, setIsOver] = useState(false)
  const enter = useCallback((found: OwnSession | null) => {
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
    signIn: async (name, password) => {
      enter(await deeds.signIn(name, password))
      setIsOver(false)
    },
    signOut: async () => {
      await deeds.signOut()
      enter(null)
    },
    changePassword: async (old, wanted) => {
      await deeds.changePassword(old, wanted)
      enter(await looks.session())
    }
  }), [who, isOver, enter])
  return <Context.Provider value={session}>{children}</Context.Provider>
}

export function useSession (): Session {
  const session = useContext(Context)
  if (session === null) throw new Error('no session is asked for here')
  return session
}

/** Whether to offer what these roles may do; whether they may is decided by the ledger. */
export function useRole (...roles: readonly PersonRole[]): boolean {
  const { who } = useSession()
  return who?.roles.some(role => roles.includes(role)) === true
}
