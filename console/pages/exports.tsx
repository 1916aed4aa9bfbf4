// Lists as files. The ledger writes them as they leave, and who took how many rows into the audit log.
import { useState } from 'react'
import { looks } from '../api/doors.ts'
import { useLook } from '../api/use-call.ts'
import { Choice } from '../parts/fields.tsx'
import { Page } from '../parts/page.tsx'
import { TakeAway, type ExportKind } from '../parts/take-away.tsx'
import { useWords } from '../words/words.tsx'

const kinds = [
  'positions', 'statements', 'transfers', 'records', 'items', 'card-chain'
] as const satisfies readonly ExportKind[]
/** Of all dates at once. */
const undated: readonly ExportKind[] = ['items', 'card-chain']

export function ExportsPage () {
  const { words: { exports: words }, format } = useWords()
  const [kind, setKind] = useState<ExportKind>('positions')
  const [chosen, setDate] = useState('')
  const { data, error } = useLook(() => looks.days(null), 'days')
  const dates = (data?.items ?? []).map(({ date }) => date)
  const date = chosen === '' ? dates[0] ?? '' : chosen
  return (
    <Page heading={words.heading} error={error}>
      <p>{words.why}</p>
      <div className='filter'>
        <Choice
          label={words.what} value={kind} onChange={value => setKind(value as ExportKind)}
          options={kinds.map(each => [each, words.kinds[each]])}
        />
        <Choice
          label={words.date} value={date} onChange={setDate}
          options={dates.map(each => [each, format.date(each)])}
        />
      </div>
      {date !== '' && (
        <div className='doing'>
          <TakeAway kind={kind} query={undated.includes(kind) ? {} : { date }} />
          <a className='download' href={`/v1/exports/journal/${date}.journal`} download>
            {words.get} {words.journal}
          </a>
        </div>
      )}
    </Page>
  )
}
