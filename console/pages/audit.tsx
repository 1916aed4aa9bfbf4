// Who did what: the audit log by whom, what and to what, and whether its chain holds.
import { useState } from 'react'
import type { AuditEntryView } from '../../schemas/audit.ts'
import { looks } from '../api/doors.ts'
import { useDeed, useList } from '../api/use-call.ts'
import { cityInstant } from '../format.ts'
import { Button } from '../parts/button.tsx'
import { Filter, TextField } from '../parts/fields.tsx'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark } from '../parts/mark.tsx'
import { Page } from '../parts/page.tsx'
import { At, Code, Said } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

const everything = { by: '', action: '', subject: '', from: '', to: '' }
type Integrity = Awaited<ReturnType<typeof looks.integrity>>

export function AuditPage () {
  const { words: { audit: words }, format } = useWords()
  const [wanted, setWanted] = useState(everything)
  const [found, setFound] = useState<Integrity | null>(null)
  const doing = useDeed()
  const instant = (local: string) => local === '' ? '' : cityInstant(local)
  const query = { ...wanted, from: instant(wanted.from), to: instant(wanted.to) }
  const list = useList(place => looks.audit(query, place), JSON.stringify(query))
  const set = (name: keyof typeof everything) => (value: string) => setWanted({ ...wanted, [name]: value })
  const check = () => { void doing.run(async () => setFound(await looks.integrity())) }
  const columns: Columns<AuditEntryView> = [
    { title: words.seq, figure: true, cell: ({ seq }) => seq },
    { title: words.at, cell: ({ at }) => <At iso={at} /> },
    { title: words.by, cell: ({ by }) => by },
    { title: words.action, cell: ({ action }) => <Code>{action}</Code> },
    { title: words.subject, cell: ({ subject }) => <Code>{subject}</Code> },
    { title: words.detail, cell: ({ detail }) => <Code>{JSON.stringify(detail)}</Code> },
    { title: words.hash, cell: ({ hash }) => <Code>{hash.slice(0, 12)}</Code> }
  ]
  return (
    <Page
      heading={words.heading} error={doing.error} again={list.again}
      doing={<Button busy={doing.busy} onClick={check}>{words.check}</Button>}
    >
      <div role='status'>
        {found?.ok === true && <Mark tone='good'>{words.whole(format.count(found.rows))}</Mark>}
        {found?.ok === false && <><Mark tone='bad'>{words.broken}</Mark> <Said>{found.broken ?? ''}</Said></>}
      </div>
      <Filter>
        <TextField label={words.by} value={wanted.by} onChange={set('by')} />
        <TextField label={words.action} value={wanted.action} onChange={set('action')} />
        <TextField label={words.subject} value={wanted.subject} onChange={set('subject')} />
        <TextField label={words.from} type='datetime-local' value={wanted.from} onChange={set('from')} />
        <TextField label={words.to} type='datetime-local' value={wanted.to} onChange={set('to')} />
      </Filter>
      <ListGrid label={words.heading} list={list} columns={columns} keyOf={({ seq }) => seq} />
    </Page>
  )
}
