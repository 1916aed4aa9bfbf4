// Cards: found by the number on them, or by what they are.
import { useState } from 'react'
import type { CardView } from '../../schemas/api.ts'
import { looks } from '../api/doors.ts'
import { useList } from '../api/use-call.ts'
import { cardKey } from '../cards.ts'
import { Choice, Filter, TextField } from '../parts/fields.tsx'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark } from '../parts/mark.tsx'
import { Page } from '../parts/page.tsx'
import { Code, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'

const everything = { number: '', type: '' }
/** Fewer digits fit half of all cards. */
const digitsMin = 6

export function CardsPage () {
  const { words: { card: words, all } } = useWords()
  const [wanted, setWanted] = useState(everything)
  const query = { ...wanted, number: wanted.number.length < digitsMin ? '' : wanted.number }
  const list = useList(place => looks.cards(query, place), JSON.stringify(query))
  const columns: Columns<CardView> = [
    {
      title: words.card,
      cell: ({ card }) => <Link to={to('cards', cardKey(card))}>{`${card.serial} / ${card.issue}`}</Link>
    },
    { title: words.type, cell: ({ type }) => words.types[type as keyof typeof words.types] ?? type },
    { title: words.state, cell: one => <StateMark card={one} /> },
    { title: words.balance, figure: true, cell: ({ purse }) => <Yuan fen={purse.lastBalanceFen} /> },
    { title: words.owed, figure: true, cell: ({ purse }) => <Yuan fen={purse.shadowFen} /> },
    { title: words.counter, figure: true, cell: ({ purse }) => <Code>{purse.lastCounter}</Code> },
    { title: words.openItems, figure: true, cell: ({ purse }) => purse.openItems }
  ]
  return (
    <Page heading={words.heading} again={list.again}>
      <Filter>
        <TextField
          label={words.number} value={wanted.number}
          onChange={value => setWanted({
            ...wanted, number: value.toUpperCase().replace(/[^0-9A-F]/g, '').slice(-20)
          })}
        />
        <Choice
          label={words.type} any={all} value={wanted.type}
          onChange={type => setWanted({ ...wanted, type })}
          options={Object.entries(words.types)}
        />
      </Filter>
      <ListGrid label={words.heading} list={list} columns={columns} keyOf={({ card }) => cardKey(card)} />
    </Page>
  )
}

export function StateMark ({ card: { state, blacklisted } }: {
  readonly card: Pick<CardView, 'state' | 'blacklisted'>
}) {
  const { words: { card: words } } = useWords()
  if (blacklisted) return <Mark tone='bad'>{words.listed}</Mark>
  return state === 'normal'
    ? <Mark tone='good'>{words.normal}</Mark>
    : <Mark tone='warn'>{state}</Mark>
}
