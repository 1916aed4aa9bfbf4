// Alerts: what the ledger noticed behind the traffic, the newest first, with the first evidence of each.
import { useState } from 'react'
import type { AlertKind, AlertView } from '../../schemas/alert.ts'
import { looks } from '../api/doors.ts'
import { useList } from '../api/use-call.ts'
import { Choice, Filter, TextField } from '../parts/fields.tsx'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Page } from '../parts/page.tsx'
import { At, Code } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

const everything = { kind: '', date: '' }

export function AlertsPage () {
  const { words: { alerts: words, day, all }, format } = useWords()
  const [wanted, setWanted] = useState(everything)
  const list = useList(place => looks.alerts(wanted, place), JSON.stringify(wanted))
  const kinds = Object.entries(words.kinds) as [AlertKind, string][]
  const columns: Columns<AlertView> = [
    { title: words.at, cell: ({ at }) => <At iso={at} /> },
    { title: words.kind, cell: ({ kind }) => words.kinds[kind] },
    { title: words.about, cell: ({ about }) => <Code>{about}</Code> },
    { title: day.date, cell: ({ clearingDate }) => format.date(clearingDate) },
    { title: words.evidence, cell: ({ evidence }) => <Code>{JSON.stringify(evidence)}</Code> }
  ]
  return (
    <Page heading={words.heading} again={list.again}>
      <Filter>
        <Choice
          label={words.kind} any={all} value={wanted.kind} options={kinds}
          onChange={kind => setWanted({ ...wanted, kind })}
        />
        <TextField
          label={day.date} type='date' value={wanted.date}
          onChange={date => setWanted({ ...wanted, date })}
        />
      </Filter>
      <ListGrid label={words.heading} list={list} columns={columns} keyOf={({ id }) => id} />
    </Page>
  )
}
