// Tariff documents in force and to come, and what a day that is over would have cost by one of them, by one
// that waits for a second person, or by one that somebody brings. Nothing is written.
import { useState } from 'react'
import type { TariffPreview, TariffPreviewLine } from '../../schemas/fares.ts'
import type { ProposalView } from '../../schemas/proposal.ts'
import type { TariffDocument } from '../../schemas/tariff/document.ts'
import { deeds, looks } from '../api/doors.ts'
import { useDeed, useLook } from '../api/use-call.ts'
import { Button } from '../parts/button.tsx'
import { Choice, FileField, LongField, TextField } from '../parts/fields.tsx'
import { Grid, type Column, type Columns } from '../parts/grid.tsx'
import { Note } from '../parts/note.tsx'
import { Page, Part } from '../parts/page.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { At, Yuan } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

const noDocuments: readonly TariffDocument[] = []

export function TariffsPage () {
  const { words: { tariffs: words } } = useWords()
  const { data, error, busy, again } = useLook(looks.tariffs, 'tariffs')
  const waiting = useLook(() => looks.proposals({ state: 'pending' }, null), 'pending')
  const documents = data ?? noDocuments
  const columns: Columns<TariffDocument> = [
    { title: words.version, cell: ({ version }) => version },
    { title: words.from, cell: ({ from }) => <At iso={from} /> },
    { title: words.services, cell: ({ services }) => services.map(({ id }) => id).join(', ') }
  ]
  return (
    <Page heading={words.heading} error={error} again={again}>
      <Part heading={words.known}>
        <Grid
          label={words.known} columns={columns} rows={documents} busy={busy} keyOf={({ version }) => version}
        />
      </Part>
      <Preview
        documents={documents}
        proposals={(waiting.data?.items ?? []).filter(({ kind }) => kind === 'fare_document')}
      />
    </Page>
  )
}

/** As large as the ledger takes one. */
const documentLengthMax = 32 * 1024 * 1024

function Preview ({ documents, proposals }: {
  readonly documents: readonly TariffDocument[], readonly proposals: readonly ProposalView[]
}) {
  const { words: { tariffs: words }, format } = useWords()
  const days = useLook(() => looks.days(null), 'days')
  const [source, setSource] = useState('text')
  const [text, setText] = useState('')
  const [chosen, setDay] = useState('')
  const [isJson, setIsJson] = useState(true)
  const [found, setFound] = useState<TariffPreview | null>(null)
  const doing = useDeed()
  const day = chosen === ''
    ? days.data?.items.find(({ state }) => state !== 'OPEN')?.date ?? ''
    : chosen
  const known = new Map<string, unknown>([
    ...documents.map(one => [`version ${one.version}`, one] as const),
    ...proposals.map(({ id, body }) => [`proposal ${id}`, body] as const)
  ])
  const compute = () => {
    const document = known.has(source) ? known.get(source) : jsonOf(text)
    setIsJson(document !== undefined)
    setFound(null)
    if (document === undefined) doing.forget()
    else void doing.run(async () => setFound(await deeds.previewTariff(day, document)))
  }
  const isReady = day !== '' && (known.has(source) || text !== '')
  return (
    <Part heading={words.preview}>
      <p>{words.why}</p>
      <div className='filter'>
        <Choice
          label={words.source} value={source} onChange={value => { setSource(value); setText('') }}
          options={[
            ['text', words.text], ['file', words.file],
            ...documents.map(({ version }) =>
              [`version ${version}`, words.ofVersion(String(version))] as const),
            ...proposals.map(({ id }) => [`proposal ${id}`, words.ofProposal(String(id))] as const)
          ]}
        />
        {source === 'text' && (
          <LongField label={words.document} value={text} onChange={setText} lengthMax={documentLengthMax} />
        )}
        {source === 'file' && (
          <FileField label={words.document} accept='.json,application/json' take={setText} />
        )}
        <TextField label={words.day} type='date' value={day} onChange={setDay} />
        <Button look='main' disabled={!isReady} busy={doing.busy} onClick={compute}>{words.go}</Button>
      </div>
      {!isJson && <Note tone='bad'>{words.notJson}</Note>}
      <ProblemNote error={doing.error} />
      {found !== null && (
        <>
          <h3>{words.result(String(found.version), format.date(found.day))}</h3>
          <p role='status'>{words.cards(format.count(found.cards))}</p>
          {!found.isWhole && <Note tone='warn'>{words.cut}</Note>}
          <Lines preview={found} />
        </>
      )}
    </Part>
  )
}

/** Undefined where the text is no JSON. */
function jsonOf (text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function Lines ({ preview: { lines, presentFen, proposedFen } }: { readonly preview: TariffPreview }) {
  const { words: { tariffs: words, none }, format } = useWords()
  const counts = (name: 'presentJourneys' | 'proposedJourneys' | 'unpriced'): Column<TariffPreviewLine> =>
    ({ title: words[name], figure: true, cell: line => format.count(line[name]) })
  const sumOf = (name: 'presentJourneys' | 'proposedJourneys' | 'unpriced'): string =>
    format.count(lines.reduce((sum, line) => sum + line[name], 0))
  const columns: Columns<TariffPreviewLine> = [
    { title: words.operator, cell: ({ operator }) => operator },
    { title: words.service, cell: ({ service }) => service ?? none },
    { title: words.line, cell: ({ line }) => line },
    counts('presentJourneys'),
    { title: words.presentFen, figure: true, cell: line => <Yuan fen={line.presentFen} /> },
    counts('proposedJourneys'),
    { title: words.proposedFen, figure: true, cell: line => <Yuan fen={line.proposedFen} /> },
    {
      title: words.difference, figure: true,
      cell: line => <Yuan fen={line.proposedFen - line.presentFen} />
    },
    counts('unpriced')
  ]
  return (
    <Grid
      label={words.preview} columns={columns} rows={lines}
      keyOf={({ operator, line }) => `${operator} ${line}`}
      sums={[
        words.sum, '', '', sumOf('presentJourneys'), <Yuan key='present' fen={presentFen} />,
        sumOf('proposedJourneys'), <Yuan key='proposed' fen={proposedFen} />,
        <Yuan key='difference' fen={proposedFen - presentFen} />, sumOf('unpriced')
      ]}
    />
  )
}
