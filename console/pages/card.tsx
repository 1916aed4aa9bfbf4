// All about one card: how it stands, what a counter may do for it, and behind tabs what happened with it.
import { useState, type ReactNode } from 'react'
import type { PersonRole } from '../../schemas/staff.ts'
import type { CardDetail } from '../../schemas/api.ts'
import { looks } from '../api/doors.ts'
import { useSession } from '../api/session.tsx'
import { useLook } from '../api/use-call.ts'
import { Page } from '../parts/page.tsx'
import { At, Code, Facts, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'
import type { Words } from '../words/zh.ts'
import { Chain } from './card-chain.tsx'
import { DelistDeed, LossDeed, OrderDeed } from './card-deeds.tsx'
import { Journeys } from './card-journeys.tsx'
import { CardDisputes, Loads, Orders, Statement } from './card-lists.tsx'
import { StateMark } from './cards.tsx'

type Tab = {
  readonly name: keyof Words['card']['tabs']
  /** Whom the ledger answers there; absent: all staff. */
  readonly roles?: readonly PersonRole[]
}
const tabs: readonly Tab[] = [
  { name: 'chain' }, { name: 'journeys' }, { name: 'statement' },
  { name: 'loads', roles: ['clerk', 'settler', 'auditor'] },
  { name: 'orders', roles: ['clerk', 'registrar', 'auditor'] },
  { name: 'disputes' }
]

export function CardPage ({ card, tab }: { readonly card: string, readonly tab: string }) {
  const { words: { card: words } } = useWords()
  const { who } = useSession()
  const { data, error, again } = useLook(() => looks.card(card), card)
  const [said, setSaid] = useState('')
  const done = (text: string) => {
    setSaid(text)
    again()
  }
  const shown = tabs.filter(({ roles }) =>
    roles === undefined || who?.roles.some(role => roles.includes(role)) === true)
  const here = shown.find(({ name }) => name === tab)?.name ?? 'chain'
  return (
    <Page
      heading={words.one(data?.card.serial ?? card)} error={error} again={again}
      doing={data !== null && <Deeds card={data} done={done} />}
    >
      <p role='status'>{said}</p>
      {data !== null && <Standing card={data} />}
      {data !== null && (
        <>
          <nav className='tabs' aria-label={words.more}>
            <ul>
              {shown.map(({ name }) => (
                <li key={name} data-here={name === here}>
                  <Link to={name === 'chain' ? to('cards', card) : to('cards', card, name)}>
                    {words.tabs[name]}
                  </Link>
                </li>
              ))}
            </ul>
          </nav>
          <section aria-label={words.tabs[here]}>{tabOf(here, card, done)}</section>
        </>
      )}
    </Page>
  )
}

function tabOf (name: Tab['name'], card: string, done: (text: string) => void): ReactNode {
  switch (name) {
    case 'chain': return <Chain card={card} done={done} />
    case 'journeys': return <Journeys card={card} done={done} />
    case 'statement': return <Statement card={card} />
    case 'loads': return <Loads card={card} />
    case 'orders': return <Orders card={card} />
    case 'disputes': return <CardDisputes card={card} />
  }
}

function Standing ({ card: one }: { readonly card: CardDetail }) {
  const { words: { card: words }, format } = useWords()
  const { card, type, branch, openedAt, validUntil, listedFor, pendingFen, purse } = one
  return (
    <Facts rows={[
      [words.state, <StateMark key='state' card={one} />],
      ...listedFor === null
        ? []
        : [[words.listedFor, words.reasons[listedFor as keyof typeof words.reasons] ?? listedFor] as const],
      [words.type, words.types[type as keyof typeof words.types] ?? type],
      [words.issuer, <Code key='issuer'>{`${card.issuer} / ${card.issue}`}</Code>],
      [words.branch, branch ?? words.anyBranch],
      [words.openedAt, <At key='opened' iso={openedAt} />],
      [words.validUntil, validUntil === null ? words.unknownValidity : format.date(validUntil)],
      [words.balance, <Yuan key='balance' fen={purse.lastBalanceFen} />],
      [words.owed, <Yuan key='owed' fen={purse.shadowFen} />],
      [words.pending, <Yuan key='pending' fen={pendingFen} />],
      [words.counter, <Code key='counter'>{purse.lastCounter}</Code>],
      [words.openItems, String(purse.openItems)]
    ]}
    />
  )
}

function Deeds ({ card, done }: { readonly card: CardDetail, readonly done: (text: string) => void }) {
  return (
    <>
      <OrderDeed card={card} done={done} />
      {card.blacklisted ? <DelistDeed card={card} done={done} /> : <LossDeed card={card} done={done} />}
    </>
  )
}
