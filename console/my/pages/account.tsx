// Another password, all that is known of the resident to take away, and the way out.
import { useState, type FormEvent } from 'react'
import { useDeed } from '../../api/use-call.ts'
import { Button } from '../../parts/button.tsx'
import { TextField } from '../../parts/fields.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { deeds } from '../doors.ts'
import { keepAsFile } from '../keep-as-file.ts'
import { Done, MyPage } from '../parts.tsx'
import { useResident } from '../session.tsx'
import { useMy } from '../words.ts'
import { ReceiptCheck } from './receipt.tsx'

export function AccountPage () {
  const { account: words, signIn } = useMy()
  const { who, signOut } = useResident()
  const [old, setOld] = useState('')
  const [wanted, setWanted] = useState('')
  const [said, setSaid] = useState('')
  const doing = useDeed()
  const leaving = useDeed()
  const taking = useDeed()
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setSaid('')
    if (!await doing.run(() => deeds.changePassword(old, wanted))) return
    setOld('')
    setWanted('')
    setSaid(words.saved)
  }
  return (
    <MyPage heading={words.heading}>
      <p>{who?.name}</p>
      <section className='part' aria-label={words.password}>
        <h2>{words.password}</h2>
        <form className='form' onSubmit={event => { void submit(event) }}>
          <TextField
            label={words.old} type='password' value={old} onChange={setOld} autoComplete='current-password'
          />
          <TextField
            label={words.wanted} type='password' value={wanted} onChange={setWanted}
            autoComplete='new-password'
          />
          <ProblemNote error={doing.error} />
          <Done>{said}</Done>
          <div className='doing'>
            <Button submits look='main' busy={doing.busy} disabled={old === '' || wanted === ''}>
              {words.save}
            </Button>
          </div>
        </form>
      </section>
      <div className='doing'>
        <Button busy={taking.busy} onClick={() => { void taking.run(takeAway) }}>{words.data}</Button>
      </div>
      <ProblemNote error={taking.error} />
      <ReceiptCheck />
      <Button busy={leaving.busy} onClick={() => { void leaving.run(signOut) }}>{signIn.out}</Button>
      <ProblemNote error={leaving.error} />
    </MyPage>
  )
}

async function takeAway (): Promise<void> {
  const data = await deeds.data()
  keepAsFile(`${data.holder}.json`, data)
}
