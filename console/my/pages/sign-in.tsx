// In by document and password; for the first time with the code from a counter. What was wrong is not told
// more exactly than the ledger tells it.
import { useEffect, useState, type FormEvent, type ReactNode } from 'react'
import type { IdentityDocument } from '../../../schemas/holder.ts'
import { useDeed } from '../../api/use-call.ts'
import { Button } from '../../parts/button.tsx'
import { Choice, TextField } from '../../parts/fields.tsx'
import { LanguageSwitch } from '../../parts/language-switch.tsx'
import { Note } from '../../parts/note.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { go, Link } from '../../router.tsx'
import { useWords } from '../../words/words.tsx'
import { deeds } from '../doors.ts'
import { useResident } from '../session.tsx'
import { useMy } from '../words.ts'

type Kind = IdentityDocument['kind']

function useDocument () {
  const [kind, setKind] = useState<Kind>('resident_id')
  const [number, setNumber] = useState('')
  // As it is printed: people type small letters and blanks.
  const document = { kind, number: number.toUpperCase().replace(/\s/g, '') }
  return { document, number, setNumber, setKind: (text: string) => setKind(text as Kind) }
}

function DocumentFields ({ document, number, setNumber, setKind }: ReturnType<typeof useDocument>) {
  const { signIn: words } = useMy()
  return (
    <>
      <Choice
        label={words.kind} value={document.kind} onChange={setKind}
        options={Object.entries(words.kinds)}
      />
      <TextField label={words.number} value={number} onChange={setNumber} autoComplete='username' />
    </>
  )
}

function Alone ({ heading, children }: { readonly heading: string, readonly children: ReactNode }) {
  const { title } = useMy()
  useEffect(() => { document.title = `${heading} – ${title}` }, [heading, title])
  return (
    <main className='alone'>
      <header className='page-head'><strong>{title}</strong><LanguageSwitch /></header>
      <h1>{heading}</h1>
      {children}
    </main>
  )
}

export function SignInPage () {
  const { words } = useWords()
  const { signIn: my } = useMy()
  const { signIn, isOver } = useResident()
  const fields = useDocument()
  const [password, setPassword] = useState('')
  const doing = useDeed()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void doing.run(() => signIn(fields.document, password))
  }
  return (
    <Alone heading={my.heading}>
      {isOver && <Note tone='warn'>{words.signIn.over}</Note>}
      <form onSubmit={submit}>
        <DocumentFields {...fields} />
        <TextField
          label={my.password} type='password' value={password} onChange={setPassword}
          autoComplete='current-password'
        />
        <ProblemNote error={doing.error} />
        <Button look='main' submits busy={doing.busy} disabled={fields.number === '' || password === ''}>
          {my.go}
        </Button>
      </form>
      <p><Link to='/activate'>{my.first}</Link></p>
    </Alone>
  )
}

/** The code may stand behind # in the address, as a QR code brings it: that part goes to no server. */
export function ActivationPage () {
  const { signIn: my } = useMy()
  const { signIn } = useResident()
  const fields = useDocument()
  const [code, setCode] = useState(() => location.hash.slice(1))
  const [password, setPassword] = useState('')
  const doing = useDeed()
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    const done = await doing.run(async () => {
      await deeds.activate(fields.document, code.trim(), password)
      await signIn(fields.document, password)
    })
    if (done) go('/')
  }
  return (
    <Alone heading={my.first}>
      <p>{my.firstWhy}</p>
      <form onSubmit={event => { void submit(event) }}>
        <DocumentFields {...fields} />
        <TextField label={my.code} value={code} onChange={setCode} autoComplete='one-time-code' />
        <TextField
          label={my.wanted} type='password' value={password} onChange={setPassword}
          autoComplete='new-password'
        />
        <ProblemNote error={doing.error} />
        <Button
          look='main' submits busy={doing.busy}
          disabled={fields.number === '' || code === '' || password === ''}
        >{my.activate}
        </Button>
      </form>
      <p><Link to='/'>{my.back}</Link></p>
    </Alone>
  )
}
