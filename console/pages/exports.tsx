// Lists as files. The ledger writes them as they leave, and who took how many rows into the audit log.
import { useState } from 'react'
import { looks } from '../api/doors.ts'
import { pathOf } from '../api/client.ts'
import { useLook } from '../api/use-call.ts'
import { Choice } from '../parts/fields.tsx'
import { Page } from '../parts/page.tsx'
import { useWords } from '../words/words.tsx'

const kinds = ['positions', 'statements', 'transfers', 'records', 'items', 'card-chain'] as const
type Kind = typeof kinds[number]
/** Of all dates at once. */
const undated: readonly Kind[] = ['items', 'card-chain']

export function ExportsPage () {
  const { words: { exports: words }, format } = useWords()
  const [kind, setKind] = useState<Kind>('positions')
  const [type, setType] = useState('xlsx')
  const [chosen, setDate] = useState('')
  const { data, error } = useLook(() => looks.days(null), 'days')
  const dates = (data?.items ?? []).map(({ date }) => date)
  const date = chosen === '' ? dates[0] ?? '' : chosen
  const address = pathOf(`/v1/exports/${kind}.${type}`, undated.includes(kind) ? {} : { date })
  return (
    <Page heading={words.heading} error={error}>
      <p>{words.why}</p>
      <div className='filter'>
        <Choice
          label={words.what} value={kind} onChange={value => setKind(value as Kind)}
          options={kinds.map(each => [each, words.kinds[each]])}
        />
        <Choice
          label={words.date} value={date} onChange={setDate}
          options={dates.map(each => [each, format.date(each)])}
        />
        <Choice
          label={words.format} value={type} onChange={setType} options={[['xlsx', 'XLSX'], ['csv', 'CSV']]}
        />
      </div>
      {date !== '' && (
        <p className='doing'>
          <a className='download' href={address} download>
            {words.get} {words.kinds[kind]} {type.toUpperCase()}
          </a>
          <a className='download' href={`/v1/exports/journal/${date}.journal`} download>
            {words.get} {words.journal}
          </a>
        </p>
      )}
    </Page>
  )
}
