// Filters that somebody wants again, kept in this browser under a name.
import { useState } from 'react'
import { useSession } from '../api/session.tsx'
import { useWords } from '../words/words.tsx'
import { Button } from './button.tsx'
import { Choice, TextField } from './fields.tsx'

type View = Readonly<Record<string, string>>
type Given = { readonly of: string, readonly now: View, readonly choose: (view: View) => void }

export function SavedViews ({ of, now, choose }: Given) {
  const { words: { items: words, none } } = useWords()
  const { who } = useSession()
  const place = `citizen-card.views.${who?.name ?? ''}.${of}`
  const [views, setViews] = useState(() => keptAt(place))
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState('')
  const keep = (wanted: Readonly<Record<string, View>>) => {
    localStorage.setItem(place, JSON.stringify(wanted))
    setViews(wanted)
  }
  const take = (wanted: string) => {
    setChosen(wanted)
    choose(views[wanted] ?? {})
  }
  const drop = () => {
    keep(Object.fromEntries(Object.entries(views).filter(([each]) => each !== chosen)))
    setChosen('')
  }
  return (
    <>
      <Choice
        label={words.views} any={none} value={chosen} onChange={take}
        options={Object.keys(views).map(each => [each, each])}
      />
      {chosen !== '' && <Button onClick={drop}>{words.drop}</Button>}
      <TextField label={words.viewName} value={name} onChange={setName} />
      <Button disabled={name === ''} onClick={() => { keep({ ...views, [name]: now }); setName('') }}>
        {words.save}
      </Button>
    </>
  )
}

/** Nothing where what was kept cannot be read: it is only a convenience. */
function keptAt (place: string): Readonly<Record<string, View>> {
  try {
    return JSON.parse(localStorage.getItem(place) ?? '{}') as Record<string, View>
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}
