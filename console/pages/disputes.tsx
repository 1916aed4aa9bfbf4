// Disputes: who claims how much of which use of a card, how far that is, and until when somebody may speak.
import { useState } from 'react'
import type { DisputeView } from '../../schemas/redress.ts'
import { looks } from '../api/doors.ts'
import { useList } from '../api/use-call.ts'
import { cardKey } from '../cards.ts'
import { Choice, Filter, TextField } from '../parts/fields.tsx'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page } from '../parts/page.tsx'
import { Code, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'
import type { Words } from '../words/zh.ts'

const states = ['RAISED', 'ANSWERED', 'ACCEPTED', 'REFUSED', 'ESCALATED', 'FINAL'] as const
const tones: Readonly<Record<DisputeView['state'], Tone>> = {
  RAISED: 'warn', ANSWERED: 'warn', ACCEPTED: 'good', REFUSED: 'bad', ESCALATED: 'warn', FINAL: 'plain'
}
const everything = { state: '', party: '' }

export function DisputesPage () {
  const { words } = useWords()
  const [wanted, setWanted] = useState(everything)
  const list = useList(place => looks.disputes(wanted, place), JSON.stringify(wanted))
  return (
    <Page heading={words.disputes.heading} again={list.again}>
      <Filter>
        <Choice
          label={words.disputes.state} any={words.all} value={wanted.state}
          onChange={state => setWanted({ ...wanted, state })}
          options={states.map(each => [each, words.disputes.states[each]])}
        />
        <TextField
          label={words.disputes.operator} value={wanted.party}
          onChange={value => setWanted({
            ...wanted, party: value.toUpperCase().replace(/[^A-Z0-9-]/g, '').slice(0, 15)
          })}
        />
      </Filter>
      <ListGrid
        label={words.disputes.heading} list={list} columns={disputeColumns(words)} keyOf={({ id }) => id}
      />
    </Page>
  )
}

export const disputeColumns = (
  { disputes: words, trace }: Pick<Words, 'disputes' | 'trace'>
): Columns<DisputeView> => [
  {
    title: words.number,
    cell: ({ id }) => <Link to={to('disputes', String(id))}>{words.open(String(id))}</Link>
  },
  { title: words.state, cell: ({ state }) => <DisputeMark state={state} /> },
  { title: words.side, cell: ({ side }) => words.sides[side] },
  { title: words.operator, cell: ({ operator }) => operator ?? '' },
  {
    title: trace.card,
    cell: ({ card }) => <Link to={to('cards', cardKey(card))}>{`${card.serial} / ${card.issue}`}</Link>
  },
  { title: trace.counter, figure: true, cell: ({ counter }) => <Code>{counter}</Code> },
  { title: trace.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
  { title: words.answerUntil, cell: ({ answerUntil }) => answerUntil },
  { title: words.escalateUntil, cell: ({ escalateUntil }) => escalateUntil ?? '' }
]

export function DisputeMark ({ state }: { readonly state: DisputeView['state'] }) {
  const { words: { disputes: words } } = useWords()
  return <Mark tone={tones[state]}>{words.states[state]}</Mark>
}
