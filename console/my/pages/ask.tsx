// Buttons that ask for something about a card: a missing exit, a refund, a formal report lifted.
import { useState } from 'react'
import { DeedButton } from '../../parts/deed-button.tsx'
import { LongField, TextField } from '../../parts/fields.tsx'
import { cardIn } from '../../cards.ts'
import { cityInstant, fenIn, yuanField } from '../../format.ts'
import { deeds } from '../doors.ts'
import { useMy } from '../words.ts'

type Given = { readonly card: string, readonly done: (text: string) => void }
const wordsMin = 10

export function ExitAsk ({ card, counter, day, done }: Given & {
  readonly counter: number, readonly day: string | null
}) {
  const { cases: words } = useMy()
  const [stop, setStop] = useState('')
  const [at, setAt] = useState(day === null ? '' : `${day}T12:00`)
  const [why, setWhy] = useState('')
  const ref = cardIn(card)
  if (ref === null) return null
  const body = { card: ref, entryCounter: counter, stop, at: cityInstant(at) }
  return (
    <DeedButton
      label={words.kinds.missing_exit} ready={stop !== '' && at !== '' && why.length >= wordsMin}
      run={key => deeds.file({ kind: 'missing_exit', body, words: why }, key)} done={() => done(words.filed)}
      sure={
        <>
          <TextField label={words.stop} value={stop} onChange={text => setStop(text.slice(0, 64))} />
          <TextField label={words.at} type='datetime-local' value={at} onChange={setAt} />
          <LongField label={words.why} value={why} onChange={setWhy} />
        </>
      }
    />
  )
}

export function RefundAsk ({ card, counter, amountFen, done }: Given & {
  readonly counter: number, readonly amountFen: number
}) {
  const { cases: words } = useMy()
  const [yuan, setYuan] = useState(yuanField(amountFen))
  const [why, setWhy] = useState('')
  const ref = cardIn(card)
  const fen = fenIn(yuan)
  if (ref === null) return null
  return (
    <DeedButton
      label={words.kinds.refund} ready={fen !== null && fen > 0 && why.length >= wordsMin}
      run={key => deeds.file(
        { kind: 'refund', body: { card: ref, counter, amountFen: fen ?? 0 }, words: why }, key)}
      done={() => done(words.filed)}
      sure={
        <>
          <TextField label={words.amount} value={yuan} onChange={setYuan} />
          <LongField label={words.why} value={why} onChange={setWhy} />
        </>
      }
    />
  )
}

export function LiftAsk ({ card, done }: Given) {
  const { cases: words } = useMy()
  const [why, setWhy] = useState('')
  const ref = cardIn(card)
  if (ref === null) return null
  return (
    <DeedButton
      label={words.kinds.lift_loss} ready={why.length >= wordsMin} done={() => done(words.filed)}
      run={key => deeds.file({ kind: 'lift_loss', body: { card: ref }, words: why }, key)}
      sure={<LongField label={words.why} value={why} onChange={setWhy} />}
    />
  )
}
