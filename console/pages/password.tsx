// Whoever got a password from somebody else chooses another before anything is shown.
import { useState, type FormEvent } from 'react'
import { useSession } from '../api/session.tsx'
import { useDeed } from '../api/use-call.ts'
import { Button } from '../parts/button.tsx'
import { TextField } from '../parts/fields.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { SignOut } from '../parts/sign-out.tsx'
import { useWords } from '../words/words.tsx'

export function PasswordPage () {
  const { words: { signIn: words } } = useWords()
  const { changePassword } = useSession()
  const [old, setOld] = useState('')
  const [wanted, setWanted] = useState('')
  const doing = useDeed()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void doing.run(() => changePassword(old, wanted))
  }
  return (
    <main className='alone'>
      <h1>{words.change}</h1>
      <p>{words.why}</p>
      <form onSubmit={submit}>
        <TextField
          label={words.old} type='password' value={old} onChange={setOld} autoComplete='current-password'
        />
        <TextField
          label={words.wanted} type='password' value={wanted} onChange={setWanted} autoComplete='new-password'
        />
        <ProblemNote error={doing.error} />
        <div className='doing'>
          <SignOut />
          <Button look='main' submits busy={doing.busy}>{words.save}</Button>
        </div>
      </form>
    </main>
  )
}
