// What residents ask for and complain of: what is late, and what one of the staff does about it. Granting
// takes a second person, whose inbox the proposal is in then.
import { useState } from 'react'
import type { CaseView } from '../../schemas/case.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useList } from '../api/use-call.ts'
import { DeedButton } from '../parts/deed-button.tsx'
import { Choice, Filter, LongField } from '../parts/fields.tsx'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page } from '../parts/page.tsx'
import { At, Document } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

const tones: Readonly<Record<CaseView['signal'], Tone>> = {
  none: 'plain', due: 'warn', yellow: 'warn', red: 'bad'
}

export function CasesPage () {
  const { words: { cases: words } } = useWords()
  const [state, setState] = useState('open')
  const list = useList(place => looks.cases({ state }, place), state)
  const [said, setSaid] = useState('')
  const isClerk = useRole('clerk')
  const done = (text: string) => {
    setSaid(text)
    list.again()
  }
  const columns: Columns<CaseView> = [
    ...useCaseColumns(),
    ...isClerk
      ? [{
          title: words.deeds,
          cell: (one: CaseView) => one.state === 'filed' && <Deeds one={one} done={done} />
        }]
      : []
  ]
  return (
    <Page heading={words.heading} again={list.again}>
      <Filter>
        <Choice
          label={words.which} value={state} onChange={setState}
          options={[['open', words.open], ['urgent', words.urgent], ['over', words.over]]}
        />
      </Filter>
      <p role='status'>{said}</p>
      <ListGrid label={words.heading} list={list} columns={columns} keyOf={one => one.case} />
    </Page>
  )
}

/** What any page shows of a case. */
export function useCaseColumns (): Columns<CaseView> {
  const { words: { cases: words }, format } = useWords()
  return [
    { title: words.number, cell: one => one.case },
    { title: words.kind, cell: ({ kind }) => words.kinds[kind] },
    { title: words.signal, cell: ({ signal }) => <Mark tone={tones[signal]}>{words.signals[signal]}</Mark> },
    { title: words.dueOn, cell: ({ dueOn }) => format.date(dueOn) },
    { title: words.state, cell: one => words.states[one.state] },
    { title: words.words, cell: one => <Told one={one} /> },
    { title: words.filedAt, cell: ({ filedAt }) => <At iso={filedAt} /> }
  ]
}

/** The resident's own words, and the answer; both are text, whatever stands in them. */
function Told ({ one: { words: said, answer } }: { readonly one: CaseView }) {
  return <>{said}{answer !== null && <p>→ {answer}</p>}</>
}

function Deeds ({ one: { case: no, kind, body }, done }: {
  readonly one: CaseView, readonly done: (text: string) => void
}) {
  const { words: { cases: words } } = useWords()
  const [text, setText] = useState('')
  const outcome = kind === 'complaint' ? 'answered' : 'refused'
  const label = kind === 'complaint' ? words.answer : words.refuse
  return (
    <div className='doing'>
      {kind !== 'complaint' && (
        <DeedButton
          label={words.agree} run={key => deeds.takeUpCase(no, key)} done={() => done(words.agreed)}
          sure={<><p>{words.agreeWhy}</p><Document label={words.body} value={body} /></>}
        />
      )}
      <DeedButton
        label={label} ready={text.length >= 10} done={() => done(words.answered)}
        run={key => deeds.answerCase(no, outcome, text, key)}
        sure={<LongField label={words.said} value={text} onChange={setText} />}
      />
    </div>
  )
}
