// The button that ends the session. Where that fails somebody is still signed in, and must know it.
import { useSession } from '../api/session.tsx'
import { useDeed } from '../api/use-call.ts'
import { useWords } from '../words/words.tsx'
import { Button } from './button.tsx'
import { ProblemNote } from './problem-note.tsx'

export function SignOut () {
  const { words } = useWords()
  const { signOut } = useSession()
  const doing = useDeed()
  return (
    <>
      <Button busy={doing.busy} onClick={() => { void doing.run(signOut) }}>{words.signIn.out}</Button>
      <ProblemNote error={doing.error} />
    </>
  )
}
