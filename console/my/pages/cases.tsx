// What a resident has asked for or complained of: what can be asked (consult), a complaint (apply), how each
// case stands (progress) and what it came to (result).
import { useState } from 'react'
import type { OwnCase } from '../../../schemas/case.ts'
import { useList, useLook } from '../../api/use-call.ts'
import { Button } from '../../parts/button.tsx'
import { DeedButton } from '../../parts/deed-button.tsx'
import { LongField } from '../../parts/fields.tsx'
import { Part } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { At } from '../../parts/values.tsx'
import { useWords } from '../../words/words.tsx'
import { deeds, looks } from '../doors.ts'
import { Done, Line, MyPage } from '../parts.tsx'
import { useMy } from '../words.ts'

export function CasesPage () {
  const { cases: words } = useMy()
  const { words: { previous, next: onward } } = useWords()
  const { items, error, busy, again, previous: back, next } = useList(looks.cases, 'cases')
  const [said, setSaid] = useState('')
  const done = (text: string) => {
    setSaid(text)
    again()
  }
  return (
    <MyPage heading={words.heading} error={error}>
      <Done>{said}</Done>
      <Part heading={words.progress}>
        <div aria-busy={busy}>
          {items.length === 0 && <p>{words.none}</p>}
          <ul className='lines'>
            {items.map(one => <li key={one.case}><Case one={one} done={done} /></li>)}
          </ul>
        </div>
        {(back !== null || next !== null) && (
          <div className='doing'>
            <Button disabled={back === null} onClick={() => back?.()}>{previous}</Button>
            <Button disabled={next === null} onClick={() => next?.()}>{onward}</Button>
          </div>
        )}
      </Part>
      <Consult done={done} />
    </MyPage>
  )
}

/** What can be asked for and what it takes; a complaint begins here, the rest where the card is. */
function Consult ({ done }: { readonly done: (text: string) => void }) {
  const { cases: words } = useMy()
  const { language } = useWords()
  const { data, error } = useLook(looks.caseOptions, 'case-options')
  const [text, setText] = useState('')
  return (
    <Part heading={words.consult}>
      <ProblemNote error={error} />
      <ul className='lines'>
        {data?.kinds.map(({ kind, name, rules, workingDays }) => (
          <li key={kind}>
            <Line what={<strong>{name[language]}</strong>} much={words.days(workingDays)} />
            <p className='soft'>{rules[language]}</p>
            {kind === 'complaint'
              ? (
                <DeedButton
                  label={words.complain} ready={text.length >= 10} done={() => done(words.filed)}
                  run={key => deeds.file({ kind: 'complaint', body: {}, words: text }, key)}
                  sure={<LongField label={words.why} value={text} onChange={setText} />}
                />
                )
              : <p className='soft'>{words.where[kind]}</p>}
          </li>
        ))}
      </ul>
    </Part>
  )
}

function Case ({ one, done }: { readonly one: OwnCase, readonly done: (text: string) => void }) {
  const { cases: words } = useMy()
  const { format } = useWords()
  const { case: no, kind, state, words: said, filedAt, dueOn, answer } = one
  const open = state === 'filed' || state === 'deciding'
  return (
    <>
      <Line what={<strong>{words.kinds[kind]}</strong>} much={words.states[state]} />
      <p className='soft'>{words.no(no)} · <At iso={filedAt} /></p>
      <p>{said}</p>
      {open && <p className='soft'>{words.until(format.date(dueOn))}</p>}
      {answer !== null && <p className='notice'>{answer}</p>}
      {state === 'filed' && (
        <DeedButton
          label={words.withdraw} sure={<p>{words.withdrawWhy}</p>} done={() => done(words.withdrawn)}
          run={() => deeds.withdraw(no)}
        />
      )}
    </>
  )
}
