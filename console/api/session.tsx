// Who is signed in: asked once when the page opens, forgotten when the ledger says that a session is over.
import { createContext, useContext, useMemo, type ReactNode } from 'react'
import type { OwnSession, PersonRole } from '../../schemas/staff.ts'
import { deeds, looks } from './doors.ts'
import { useWhoseSession, type Whose } from './whose-session.ts'

type Session = Omit<Whose<OwnSession>, 'enter'> & {
  readonly signIn: (name: string, password: string) => Promise<void>
  readonly signOut: () => Promise<void>
  readonly changePassword: (old: string, wanted: string) => Promise<void>
}

const Context = createContext<Session | null>(null)

export function SessionDoor ({ children }: { readonly children: ReactNode }) {
  const { who, isOver, enter } = useWhoseSession(looks.session)
  const session = useMemo((): Session => ({
    who,
    isOver,
    signIn: async (name, password) => {
      enter(await deeds.signIn(name, password))
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
