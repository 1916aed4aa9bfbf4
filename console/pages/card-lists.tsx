// What happened with one card: its statement, loads, orders and blocks of its chip, disputes.
import { useState } from 'react'
import type { StatementLine } from '../../schemas/account.ts'
import type { BlockView } from '../../schemas/card-block.ts'
import type { CardOrderView } from '../../schemas/card-order.ts'
import type { LoadView } from '../../schemas/load.ts'
import { answerReasons } from '../../schemas/reasons.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useList } from '../api/use-call.ts'
import { DeedButton } from '../parts/deed-button.tsx'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Part } from '../parts/page.tsx'
import { At, Code, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'
import { disputeColumns } from './disputes.tsx'

type Given = { readonly card: string }

export function Statement ({ card }: Given) {
  const { words: { card: words, trace, day }, format } = useWords()
  const list = useList(async after => {
    const { lines, next } = await looks.cardStatement(card, after)
    return { items: lines, next }
  }, card)
  const columns: Columns<StatementLine> = [
    { title: trace.eventAt, cell: ({ eventAt }) => <At iso={eventAt} /> },
    { title: day.date, cell: ({ clearingDate }) => format.date(clearingDate) },
    { title: trace.kind, cell: ({ code }) => <Code>{code}</Code> },
    { title: words.counterAccount, cell: ({ counterAccount }) => <Code>{counterAccount}</Code> },
    { title: trace.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    { title: words.owed, figure: true, cell: ({ balanceFen }) => <Yuan fen={balanceFen} /> },
    {
      title: trace.line,
      cell: ({ delivery, line }) => delivery === null || line === null
        ? ''
        : <Link to={to('lines', delivery, String(line))}>{`${delivery} / ${line}`}</Link>
    }
  ]
  return (
    <ListGrid
      label={words.tabs.statement} list={list} columns={columns} keyOf={({ transfer }) => transfer}
    />
  )
}

const loadTones: Readonly<Record<LoadView['state'], Tone>> =
  { open: 'warn', written: 'good', not_written: 'plain', declined: 'bad' }

export function Loads ({ card }: Given) {
  const { words: { card: words, positions, trace }, language } = useWords()
  const list = useList(place => looks.loads(card, place), card)
  const columns: Columns<LoadView> = [
    { title: words.requestedAt, cell: ({ requestedAt }) => <At iso={requestedAt} /> },
    { title: words.state, cell: ({ state }) => <Mark tone={loadTones[state]}>{words.loads[state]}</Mark> },
    { title: trace.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    { title: trace.source, cell: ({ source }) => words.sources[source as keyof typeof words.sources] },
    { title: positions.party, cell: ({ party }) => party ?? '' },
    { title: trace.verdict, cell: ({ reason, rule }) => rule ?? answerReasons[reason][language] },
    { title: words.decidedAt, cell: ({ decidedAt }) => decidedAt !== null && <At iso={decidedAt} /> }
  ]
  return <ListGrid label={words.tabs.loads} list={list} columns={columns} keyOf={({ key }) => key} />
}

const orderTones: Readonly<Record<CardOrderView['state'], Tone>> =
  { waiting: 'warn', obeyed: 'good', refused: 'bad', withdrawn: 'plain' }

export function Orders ({ card }: Given) {
  const { words: { card: words, audit, items } } = useWords()
  const list = useList(place => looks.orders(card, place), card)
  const columns: Columns<CardOrderView> = [
    { title: words.requestedAt, cell: ({ orderedAt }) => <At iso={orderedAt} /> },
    { title: words.what, cell: ({ name }) => words.orders[name as keyof typeof words.orders] ?? name },
    { title: words.state, cell: ({ state }) => <Mark tone={orderTones[state]}>{words.told[state]}</Mark> },
    { title: audit.by, cell: ({ orderedBy }) => orderedBy },
    { title: items.note, cell: ({ reason }) => reason },
    { title: words.signed, figure: true, cell: ({ signed }) => signed },
    { title: words.decidedAt, cell: ({ decidedAt }) => decidedAt !== null && <At iso={decidedAt} /> },
    { title: words.deeds, cell: order => <OrderDeeds order={order} done={list.again} /> }
  ]
  return (
    <>
      <ListGrid label={words.tabs.orders} list={list} columns={columns} keyOf={({ order }) => order} />
      <Blocks card={card} />
    </>
  )
}

function OrderDeeds ({ order: { order, state, name }, done }: {
  readonly order: CardOrderView, readonly done: () => void
}) {
  const { words: { card: words } } = useWords()
  const [pin, setPin] = useState<string | null>(null)
  const [withdraws, isClerk] = [useRole('clerk', 'registrar'), useRole('clerk')]
  if (state === 'waiting' && withdraws) {
    return (
      <DeedButton
        label={words.withdraw} sure={<p>{words.withdrawWhy}</p>} run={() => deeds.withdrawOrder(order)}
        done={done}
      />
    )
  }
  if (!isClerk || state !== 'obeyed' || name !== 'unblock_pin') return null
  return pin === null
    ? (
      <DeedButton
        label={words.pin} sure={<p>{words.pinWhy}</p>} run={() => deeds.pin(order)}
        done={letter => setPin(letter.pin)}
      />
      )
    : <Code>{pin}</Code>
}

const blockTones: Readonly<Record<BlockView['state'], Tone>> =
  { open: 'warn', blocked: 'bad', refused: 'plain' }

function Blocks ({ card }: Given) {
  const { words: { card: words, terminals } } = useWords()
  const list = useList(place => looks.blocks(card, place), card)
  const columns: Columns<BlockView> = [
    { title: words.requestedAt, cell: ({ requestedAt }) => <At iso={requestedAt} /> },
    { title: terminals.terminal, cell: one => <Code>{`${one.operator}/${one.terminal}`}</Code> },
    { title: words.form, cell: ({ form }) => words.forms[form] },
    {
      title: words.listedFor,
      cell: ({ listedFor }) => words.reasons[listedFor as keyof typeof words.reasons] ?? listedFor
    },
    { title: words.state, cell: ({ state }) => <Mark tone={blockTones[state]}>{words.blocks[state]}</Mark> },
    { title: words.decidedAt, cell: ({ decidedAt }) => decidedAt !== null && <At iso={decidedAt} /> }
  ]
  return (
    <Part heading={words.chipBlocks}>
      <ListGrid
        label={words.chipBlocks} list={list} columns={columns}
        keyOf={({ requestedAt, operator, terminal }) => `${requestedAt} ${operator} ${terminal}`}
      />
    </Part>
  )
}

export function CardDisputes ({ card }: Given) {
  const { words: { card: words, ...spoken } } = useWords()
  const list = useList(place => looks.disputes({ card }, place), card)
  return (
    <ListGrid
      label={words.tabs.disputes} list={list} columns={disputeColumns(spoken)} keyOf={({ id }) => id}
    />
  )
}
