// Name and password, or the identity provider of the city. What was wrong is not told more exactly than the
// ledger tells it.
import { useEffect, useState, type FormEvent } from 'react'
import { looks } from '../api/doors.ts'
import { useSession } from '../api/session.tsx'
import { useDeed, useLook } from '../api/use-call.ts'
import { Button } from '../parts/button.tsx'
import { Note } from '../parts/note.tsx'
import { TextField } from '../parts/fields.tsx'
import { LanguageSwitch } from '../parts/language-switch.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { useWords } from '../words/words.tsx'

export function SignInPage () {
  const { words } = useWords()
  const { signIn, isOver } = useSession()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const doing = useDeed()
  const { data: ways } = useLook(looks.ways, 'ways')
  useEffect(() => { document.title = `${words.signIn.heading} – ${words.title}` }, [words])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void doing.run(() => signIn(name, password))
  }
  const leave = () => {
    void doing.run(async () => { window.location.assign((await looks.provider()).url) })
  }
  return (
    <main className='alone'>
      <header className='page-head'><h1>{words.title}</h1><LanguageSwitch /></header>
      {isOver && <Note tone='warn'>{words.signIn.over}</Note>}
      <form onSubmit={submit}>
        <TextField label={words.signIn.name} value={name} onChange={setName} autoComplete='username' />
        <TextField
          label={words.signIn.password} type='password' value={password} onChange={setPassword}
          autoComplete='current-password'
        />
        <ProblemNote error={doing.error} />
        <Button look='main' submits busy={doing.busy} disabled={name === '' || password === ''}>
          {words.signIn.go}
        </Button>
        {ways?.provider === true && (
          <Button busy={doing.busy} onClick={leave}>{words.signIn.provider}</Button>
        )}
      </form>
    </main>
  )
}
