// One card: its money as of the last record and its uses, a report that it is lost, journeys, services.
import { useState, type ReactNode } from 'react'
import type { OwnCardView } from '../../../schemas/own.ts'
import { useLook } from '../../api/use-call.ts'
import { DeedButton } from '../../parts/deed-button.tsx'
import { Part } from '../../parts/page.tsx'
import { At, Facts, Yuan } from '../../parts/values.tsx'
import { Link, to } from '../../router.tsx'
import { useWords } from '../../words/words.tsx'
import { deeds, looks } from '../doors.ts'
import { Done, Line, MyPage } from '../parts.tsx'
import { useMy } from '../words.ts'
import { LiftAsk, RefundAsk } from './ask.tsx'
import { Journeys } from './journeys.tsx'
import { Receipt } from './receipt.tsx'
import { Services } from './services.tsx'

const tabs = { '': 'money', journeys: 'journeys', services: 'services' } as const

export function CardPage ({ card, tab }: { readonly card: string, readonly tab: string }) {
  const { card: words } = useMy()
  const { data, error, again } = useLook(async () => await looks.card(card), card)
  const [said, setSaid] = useState('')
  const done = (text: string) => {
    setSaid(text)
    again()
  }
  return (
    <MyPage heading={words.one(card.split('-')[1]?.slice(-6) ?? '')} error={error}>
      {data !== null && (
        <>
          <nav className='tabs' aria-label={words.sections}>
            <ul>
              {Object.entries(tabs).map(([path, name]) => (
                <li key={path} data-here={path === tab}>
                  <Link to={path === '' ? to('cards', card) : to('cards', card, path)}>{words[name]}</Link>
                </li>
              ))}
            </ul>
          </nav>
          <Done>{said}</Done>
          {inTab(tab, card, data, done)}
        </>
      )}
      <p><Link to='/'>{words.back}</Link></p>
    </MyPage>
  )
}

function inTab (tab: string, card: string, view: OwnCardView, done: (text: string) => void): ReactNode {
  if (tab === 'journeys') return <Journeys card={card} last={view.money.asOf} done={done} />
  if (tab === 'services') return <Services card={card} />
  return <Money card={card} view={view} done={done} />
}

function Money ({ card, view, done }: {
  readonly card: string, readonly view: OwnCardView, readonly done: (text: string) => void
}) {
  const { card: words } = useMy()
  const { language, format } = useWords()
  const { money: { chipFen, asOf, waitingFen, onlineFen }, words: state, validUntil, uses, mayMove } = view
  return (
    <>
      <Part heading={words.balance}>
        <p className='balance'><Yuan fen={chipFen} /></p>
        <p className='as-of'>{words.asOf} {asOf === null ? words.notYet : <At iso={asOf} />}</p>
        <Facts
          rows={[
            [words.waiting, <Yuan key='waiting' fen={waitingFen} />],
            [words.online, <Yuan key='online' fen={onlineFen} />], [words.state, state[language]],
            ...validUntil === null ? [] : [[words.validUntil, format.date(validUntil)] as const]]}
        />
        <div className='doing'>
          {mayMove.includes('report_orally') && (
            <DeedButton
              label={words.report} sure={<p>{words.reportWhy}</p>}
              run={key => deeds.move(card, 'report_orally', key)} done={() => done(words.reported)}
            />
          )}
          {mayMove.includes('lift_oral') && (
            <DeedButton
              label={words.lift} sure={<p>{words.liftWhy}</p>}
              run={key => deeds.move(card, 'lift_oral', key)} done={() => done(words.lifted)}
            />
          )}
          {view.state === 'loss' && <LiftAsk card={card} done={done} />}
        </div>
      </Part>
      <Part heading={words.uses}>
        {uses.length === 0 && <p>{words.notYet}</p>}
        <ul className='lines'>
          {uses.map(({ counter, amountFen, words: said, at }) => (
            <li key={counter}>
              <Line what={<At iso={at} />} much={<Yuan fen={amountFen} />} />
              <p className='soft'>{said[language]}</p>
              <RefundAsk card={card} counter={counter} amountFen={amountFen} done={done} />
              <Receipt card={card} counter={counter} />
            </li>
          ))}
        </ul>
      </Part>
    </>
  )
}
