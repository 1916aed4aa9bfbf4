// What is above all pages: the language that is spoken, and who is signed in.
import { SessionDoor, useSession } from './api/session.tsx'
import { Pages } from './pages.tsx'
import { PasswordPage } from './pages/password.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { WordsOf } from './words/words.tsx'

export function App () {
  return (
    <WordsOf>
      <SessionDoor><Inside /></SessionDoor>
    </WordsOf>
  )
}

function Inside () {
  const { who } = useSession()
  if (who === undefined) return <main className='alone' aria-busy='true' />
  if (who === null) return <SignInPage />
  return who.mustChange ? <PasswordPage /> : <Pages who={who} />
}
