// Which resident is in: asked once when the page opens, forgotten when the ledger says that it is over.
import { createContext, useContext, useMemo, type ReactNode } from 'react'
import type { IdentityDocument } from '../../schemas/holder.ts'
import type { ResidentSession } from '../../schemas/resident.ts'
import { useWhoseSession, type Whose } from '../api/whose-session.ts'
import { deeds, looks } from './doors.ts'

type Session = Omit<Whose<ResidentSession>, 'enter'> & {
  readonly signIn: (document: IdentityDocument, password: string) => Promise<void>
  readonly signOut: () => Promise<void>
}

const Context = createContext<Session | null>(null)

export function ResidentDoor ({ children }: { readonly children: ReactNode }) {
  const { who, isOver, enter } = useWhoseSession(looks.session)
  const session = useMemo((): Session => ({
    who,
    isOver,
    signIn: async (document, password) => {
      enter(await deeds.signIn(document, password))
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
