// What a resident sees first: what is new, and the cards.
import type { Notice, OwnOverview } from '../../../schemas/own.ts'
import { useLook } from '../../api/use-call.ts'
import { cardKey } from '../../cards.ts'
import { Link, to } from '../../router.tsx'
import { useWords } from '../../words/words.tsx'
import { looks } from '../doors.ts'
import { MyPage } from '../parts.tsx'
import { useResident } from '../session.tsx'
import { useMy } from '../words.ts'

export function HomePage () {
  const my = useMy()
  const { who } = useResident()
  const { data, error, busy } = useLook(looks.overview, 'overview')
  return (
    <MyPage heading={my.home.hello(who?.name ?? '')} error={error}>
      <div aria-busy={busy}>
        {data?.notices.map((notice, place) => <NoticeLine key={place} notice={notice} />)}
        {data?.cards.map(card => <CardLink key={cardKey(card.card)} card={card} />)}
        {data?.cards.length === 0 && <p>{my.home.none}</p>}
      </div>
    </MyPage>
  )
}

const ending = ({ serial }: { readonly serial: string }): string => serial.slice(-6)

function NoticeLine ({ notice: { kind, card, amountFen, on } }: { readonly notice: Notice }) {
  const my = useMy()
  const { format } = useWords()
  const text = my.notices[kind](format.yuan(amountFen ?? 0), on === null ? '' : format.date(on))
  return <p className='notice'>{text} <span className='soft'>{my.card.one(ending(card))}</span></p>
}

function CardLink ({ card: { card, type, words } }: { readonly card: OwnOverview['cards'][number] }) {
  const my = useMy()
  const { language, words: { card: { types } } } = useWords()
  return (
    <div className='card-link'>
      <Link to={to('cards', cardKey(card))}>{my.card.one(ending(card))}</Link>
      <span className='soft'>{types[type as keyof typeof types] ?? type} · {words[language]}</span>
    </div>
  )
}
