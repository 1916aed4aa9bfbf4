// The four-eyes inbox: what waits for a second person. Own proposals can be withdrawn, not approved.
import { useState } from 'react'
import type { DayView } from '../../schemas/api.ts'
import type { ProposalView } from '../../schemas/proposal.ts'
import { deeds, looks } from '../api/doors.ts'
import { useSession } from '../api/session.tsx'
import { useDeed, useList, useLook } from '../api/use-call.ts'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Choice, Filter, LongField } from '../parts/fields.tsx'
import { Grid, ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { At, Code, Document, Facts, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'

const states = ['pending', 'done', 'refused', 'stale', 'withdrawn'] as const
const tones: Readonly<Record<ProposalView['state'], Tone>> =
  { pending: 'warn', done: 'good', refused: 'bad', stale: 'bad', withdrawn: 'plain' }

export function ApprovalsPage () {
  const { words: { approvals: words, all } } = useWords()
  const [state, setState] = useState('pending')
  const [shown, setShown] = useState<ProposalView | null>(null)
  const list = useList(place => looks.proposals({ state }, place), state)
  const done = () => {
    setShown(null)
    list.again()
  }
  const columns: Columns<ProposalView> = [
    {
      title: words.id,
      cell: one => <Button onClick={() => setShown(one)}>{`${words.show} ${one.id}`}</Button>
    },
    { title: words.kind, cell: ({ kind }) => <Code>{kind}</Code> },
    { title: words.subject, cell: ({ subject }) => <Code>{subject}</Code> },
    { title: words.reason, cell: ({ reason }) => reason },
    { title: words.by, cell: ({ startedBy }) => startedBy },
    { title: words.at, cell: ({ startedAt }) => <At iso={startedAt} /> },
    { title: words.needed, cell: one => words.of(String(approvalsOf(one)), String(one.approvalsNeeded)) },
    { title: words.state, cell: one => <Mark tone={tones[one.state]}>{words.states[one.state]}</Mark> }
  ]
  return (
    <Page heading={words.heading} again={list.again}>
      <WaitingDays />
      <Part heading={words.pending}>
        <Filter>
          <Choice
            label={words.state} any={all} value={state} onChange={setState}
            options={states.map(each => [each, words.states[each]])}
          />
        </Filter>
        <ListGrid label={words.pending} list={list} columns={columns} keyOf={({ id }) => id} />
      </Part>
      {shown !== null && <Decision of={shown} close={() => setShown(null)} done={done} />}
    </Page>
  )
}

const approvalsOf = ({ decisions }: ProposalView): number =>
  decisions.filter(({ approves }) => approves).length

/** Their nets are approved on the board of the day, where all of it is seen. */
function WaitingDays () {
  const { words: { approvals: words, day }, format } = useWords()
  const { data, busy } = useLook(looks.waitingDays, 'waiting')
  const columns: Columns<DayView> = [
    { title: day.date, cell: ({ date }) => <Link to={to('days', date)}>{format.date(date)}</Link> },
    { title: day.netSum, figure: true, cell: ({ netSumFen }) => <Yuan fen={netSumFen} /> },
    {
      title: day.approvers,
      cell: ({ approvals }) => format.list(approvals.map(({ staff }) => staff)) || day.nobody
    }
  ]
  return (
    <Part heading={words.days}>
      <Grid
        label={words.days} columns={columns} rows={data?.items ?? []} busy={busy} keyOf={({ date }) => date}
      />
    </Part>
  )
}

function Decision ({ of, close, done }: {
  readonly of: ProposalView, readonly close: () => void, readonly done: () => void
}) {
  const { words: { approvals: words } } = useWords()
  const { who } = useSession()
  const [note, setNote] = useState('')
  const doing = useDeed()
  const isOwn = who?.name === of.startedBy
  const decide = async (approves: boolean) => {
    if (await doing.run(key => deeds.decide(of.id, approves, note, key))) done()
  }
  const withdraw = async () => {
    if (await doing.run(() => deeds.withdraw(of.id))) done()
  }
  const waits = of.state === 'pending'
  return (
    <Dialog
      heading={words.what(String(of.id))} doing={doing} onClose={close}
      {...waits && !isOwn ? { go: { label: words.approve, run: () => { void decide(true) } } } : {}}
    >
      <Facts rows={[
        [words.kind, <Code key='kind'>{of.kind}</Code>],
        [words.subject, <Code key='subject'>{of.subject}</Code>],
        [words.reason, of.reason],
        [words.by, of.startedBy],
        [words.decisions, of.decisions.map(({ staff, approves, note: said }) =>
          [staff, approves ? words.approved : words.refused, said].filter(Boolean).join(' ')).join('；')]
      ]}
      />
      <Document label={words.content} value={of.body} />
      <Document label={words.looked} value={of.looked} />
      <Document label={words.outcome} value={of.outcome} />
      {waits && (isOwn
        ? <><p>{words.own}</p><Button onClick={() => { void withdraw() }}>{words.withdraw}</Button></>
        : (
          <>
            <LongField label={words.note} value={note} onChange={setNote} />
            <Button look='danger' onClick={() => { void decide(false) }}>{words.refuse}</Button>
          </>
          ))}
    </Dialog>
  )
}
