// Another password, all that is known of the resident to take away, and the way out.
import { useState, type FormEvent } from 'react'
import { useDeed, useLook } from '../../api/use-call.ts'
import { Button } from '../../parts/button.tsx'
import { TextField } from '../../parts/fields.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Part } from '../../parts/page.tsx'
import { useWords } from '../../words/words.tsx'
import { deeds, looks } from '../doors.ts'
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
      <Erasure />
      <ReceiptCheck />
      <Button busy={leaving.busy} onClick={() => { void leaving.run(signOut) }}>{signIn.out}</Button>
      <ProblemNote error={leaving.error} />
    </MyPage>
  )
}

/** What the law says of a wish to be forgotten, and the wish itself. */
function Erasure () {
  const { erasure: words } = useMy()
  const { format } = useWords()
  const { data, error, again } = useLook(looks.erasure, 'erasure')
  const doing = useDeed()
  const run = (deed: () => Promise<unknown>) => { void doing.run(deed).then(again) }
  return (
    <Part heading={words.heading}>
      <ProblemNote error={error ?? doing.error} />
      {data !== null && (
        <>
          {data.askedAt !== null && <p role='status'>{words.asked(format.instant(data.askedAt))}</p>}
          <p>{words.why(format.date(data.possibleOn))}</p>
          {data.stillHeld && <p className='soft'>{words.held}</p>}
          <div className='doing'>
            {data.askedAt === null
              ? <Button busy={doing.busy} onClick={() => run(deeds.askErasure)}>{words.ask}</Button>
              : <Button busy={doing.busy} onClick={() => run(deeds.withdrawErasure)}>{words.back}</Button>}
          </div>
        </>
      )}
    </Part>
  )
}

async function takeAway (): Promise<void> {
  const data = await deeds.data()
  keepAsFile(`${data.holder}.json`, data)
}
