// One dispute: what was said and done in it, and the next word for whoever may say it.
import { useState } from 'react'
import type { DisputeView } from '../../schemas/redress.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useLook } from '../api/use-call.ts'
import { cardKey } from '../cards.ts'
import { DeedButton } from '../parts/deed-button.tsx'
import { Choice, LongField } from '../parts/fields.tsx'
import { Grid, type Columns } from '../parts/grid.tsx'
import { Page, Part } from '../parts/page.tsx'
import { At, Facts, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'
import { DisputeMark } from './disputes.tsx'

/** As many characters as the ledger wants of a word in a dispute. */
const wordsMin = 10

export function DisputePage ({ id }: { readonly id: string }) {
  const { words: { disputes: words, card: more, items, trace }, format } = useWords()
  const { data, error, again } = useLook(() => looks.dispute(id), id)
  const [said, setSaid] = useState('')
  const done = (text: string) => {
    setSaid(text)
    again()
  }
  const columns: Columns<DisputeView['steps'][number]> = [
    { title: words.state, cell: ({ state }) => <DisputeMark state={state} /> },
    { title: words.by, cell: ({ by }) => by },
    { title: words.at, cell: ({ at }) => <At iso={at} /> },
    {
      title: words.stance,
      cell: ({ stance }) => stance !== null &&
        (words.stances[stance as keyof typeof words.stances] ?? stance)
    },
    { title: items.note, cell: one => one.words }
  ]
  return (
    <Page
      heading={words.one(id)} error={error} again={again}
      doing={data !== null && <Deeds dispute={data} done={done} />}
    >
      <p role='status'>{said}</p>
      {data !== null && (
        <>
          <Facts rows={[
            [words.state, <DisputeMark key='state' state={data.state} />],
            [words.side, words.sides[data.side]],
            [words.operator, data.operator ?? ''],
            [trace.card, <Link key='card' to={to('cards', cardKey(data.card))}>{data.card.serial}</Link>],
            [trace.counter, String(data.counter)],
            [trace.amount, <Yuan key='amount' fen={data.amountFen} />],
            [words.answerUntil, format.date(data.answerUntil)],
            [words.escalateUntil, data.escalateUntil === null ? '' : format.date(data.escalateUntil)],
            [words.adjustedOn, data.adjustedOn === null ? more.notYet : format.date(data.adjustedOn)]
          ]}
          />
          <Part heading={words.steps}>
            <Grid
              label={words.steps} columns={columns} rows={data.steps}
              keyOf={({ state, at, by }) => `${state} ${at} ${by}`}
            />
          </Part>
        </>
      )}
    </Page>
  )
}

type Given = { readonly dispute: DisputeView, readonly done: (text: string) => void }

function Deeds ({ dispute, done }: Given) {
  const [isClerk, approves, settles] = [useRole('clerk'), useRole('approver'), useRole('settler')]
  const { state } = dispute
  return (
    <>
      {isClerk && state === 'RAISED' && <AnswerDeed dispute={dispute} done={done} />}
      {approves && (state === 'RAISED' || state === 'ANSWERED') &&
        <DecideDeed dispute={dispute} done={done} />}
      {isClerk && state === 'REFUSED' && <EscalateDeed dispute={dispute} done={done} />}
      {(isClerk || settles) && state === 'ESCALATED' && <FinalDeed dispute={dispute} done={done} />}
    </>
  )
}

function AnswerDeed ({ dispute: { id }, done }: Given) {
  const { words: { disputes: words } } = useWords()
  const [stance, setStance] = useState('agrees')
  const [text, setText] = useState('')
  return (
    <DeedButton
      label={words.answer} ready={text.length >= wordsMin} done={() => done(words.noted)}
      run={key => deeds.answerDispute(id, stance, text, key)}
      sure={
        <>
          <Choice
            label={words.stance} value={stance} onChange={setStance}
            options={[['agrees', words.stances.agrees], ['contests', words.stances.contests]]}
          />
          <LongField label={words.words} value={text} onChange={setText} />
        </>
      }
    />
  )
}

function DecideDeed ({ dispute: { id }, done }: Given) {
  const { words: { disputes: words } } = useWords()
  const [verdict, setVerdict] = useState('accepts')
  const [text, setText] = useState('')
  return (
    <DeedButton
      label={words.decide} ready={text.length >= wordsMin} done={() => done(words.noted)}
      run={key => deeds.decideDispute(id, verdict === 'accepts', text, key)}
      sure={
        <>
          <Verdict value={verdict} change={setVerdict} />
          <LongField label={words.words} value={text} onChange={setText} />
        </>
      }
    />
  )
}

function Verdict ({ value, change }: { readonly value: string, readonly change: (value: string) => void }) {
  const { words: { disputes: words } } = useWords()
  return (
    <Choice
      label={words.decide} value={value} onChange={change}
      options={[['accepts', words.stances.accepts], ['refuses', words.stances.refuses]]}
    />
  )
}

function EscalateDeed ({ dispute: { id }, done }: Given) {
  const { words: { disputes: words } } = useWords()
  const [text, setText] = useState('')
  return (
    <DeedButton
      label={words.escalate} ready={text.length >= wordsMin} done={() => done(words.noted)}
      run={key => deeds.escalateDispute(id, text, key)}
      sure={<LongField label={words.words} value={text} onChange={setText} />}
    />
  )
}

/** Two people who had no word in it before have the last one. */
function FinalDeed ({ dispute: { id }, done }: Given) {
  const { words: { disputes: words, card: more } } = useWords()
  const [verdict, setVerdict] = useState('accepts')
  const [reason, setReason] = useState('')
  const body = { dispute: id, accepts: verdict === 'accepts' }
  return (
    <DeedButton
      label={words.final} ready={reason.length >= wordsMin} done={() => done(more.proposed)}
      run={key => deeds.propose({ kind: 'dispute_final', body, reason }, key)}
      sure={
        <>
          <p>{words.finalWhy}</p>
          <Verdict value={verdict} change={setVerdict} />
          <LongField label={words.words} value={reason} onChange={setReason} />
        </>
      }
    />
  )
}
