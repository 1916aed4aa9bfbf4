// What the bank said: statements as they came, lines and what each was taken for, and the way to bring one.
import { useId, useRef, useState } from 'react'
import type { BankLineView, BankStatementReply, BankStatementView } from '../../schemas/settlement.ts'
import { deeds, looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useDeed, useList } from '../api/use-call.ts'
import { Button } from '../parts/button.tsx'
import { Note } from '../parts/note.tsx'
import { Choice, Filter } from '../parts/fields.tsx'
import { ListGrid, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { At, Code, Said, Yuan } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

const states = ['confirmed', 'returned', 'paid_in', 'unidentified', 'attributed', 'repeated'] as const
const tones: Readonly<Record<BankLineView['state'], Tone>> = {
  confirmed: 'good', returned: 'bad', paid_in: 'good', unidentified: 'warn', attributed: 'good',
  repeated: 'plain'
}

export function BankPage () {
  const { words: { bank: words, all }, format } = useWords()
  const [state, setState] = useState('')
  const settles = useRole('settler')
  const lines = useList(place => looks.bankLines({ state }, place), state)
  const statements = useList(looks.statements, 'statements')
  const again = () => {
    lines.again()
    statements.again()
  }
  const columns: Columns<BankLineView> = [
    { title: words.bookedOn, cell: ({ bookedOn }) => format.date(bookedOn) },
    { title: words.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> },
    { title: words.state, cell: line => <Mark tone={tones[line.state]}>{words.states[line.state]}</Mark> },
    { title: words.party, cell: ({ party }) => party },
    {
      title: words.instruction,
      cell: ({ instruction }) => instruction === null ? '' : <Code>{instruction}</Code>
    },
    {
      title: words.counterparty,
      cell: ({ counterparty, counterpartyName }) => [counterpartyName, counterparty].filter(Boolean).join(' ')
    },
    { title: words.text, cell: ({ text }) => text },
    { title: words.reference, cell: ({ reference }) => <Code>{reference}</Code> },
    { title: words.statement, cell: ({ statement, line }) => `${statement} / ${line}` }
  ]
  return (
    <Page heading={words.heading} again={again}>
      {settles && <Upload done={again} />}
      <Part heading={words.lines}>
        <Filter>
          <Choice
            label={words.only} any={all} value={state} onChange={setState}
            options={states.map(each => [each, words.states[each]])}
          />
        </Filter>
        <ListGrid label={words.lines} list={lines} columns={columns} keyOf={({ id }) => id} />
      </Part>
      <Part heading={words.statements}>
        <ListGrid
          label={words.statements} list={statements} columns={useStatementColumns()}
          keyOf={({ id, book }) => `${book} ${id}`}
        />
      </Part>
    </Page>
  )
}

function useStatementColumns (): Columns<BankStatementView> {
  const { words: { bank: words }, format } = useWords()
  return [
    { title: words.statement, cell: ({ id }) => id },
    { title: words.account, cell: ({ account }) => <Code>{account}</Code> },
    { title: words.from, cell: ({ from }) => format.date(from) },
    { title: words.to, cell: one => format.date(one.to) },
    { title: words.opening, figure: true, cell: ({ openingFen }) => <Yuan fen={openingFen} /> },
    { title: words.closing, figure: true, cell: ({ closingFen }) => <Yuan fen={closingFen} /> },
    {
      title: words.lines,
      cell: ({ lines }) => format.list(states.filter(state => (lines[state] ?? 0) > 0)
        .map(state => `${words.states[state]} ${format.count(lines[state] ?? 0)}`))
    },
    { title: words.received, cell: ({ receivedAt }) => <At iso={receivedAt} /> },
    { title: words.by, cell: ({ by }) => by }
  ]
}

const fileBytesMax = 64 * 1024 * 1024

function Upload ({ done }: { readonly done: () => void }) {
  const { words: { bank: words }, format } = useWords()
  const [file, setFile] = useState<File | null>(null)
  const [reply, setReply] = useState<BankStatementReply | null>(null)
  const doing = useDeed()
  const [id, field] = [useId(), useRef<HTMLInputElement>(null)]
  const send = async () => {
    if (file === null) return
    const type = /\.csv$/i.test(file.name) ? 'text/csv' : 'application/xml'
    if (!await doing.run(async () => setReply(await deeds.takeStatement(type, file)))) return
    if (field.current !== null) field.current.value = ''
    setFile(null)
    done()
  }
  const isTooLarge = file !== null && file.size > fileBytesMax
  return (
    <Part heading={words.upload}>
      <div className='filter'>
        <div className='field'>
          <label htmlFor={id}>{words.file}</label>
          <input
            ref={field} id={id} type='file' accept='.xml,.csv'
            onChange={event => setFile(event.target.files?.[0] ?? null)}
          />
        </div>
        <Button
          look='main' disabled={file === null || isTooLarge} busy={doing.busy} onClick={() => { void send() }}
        >
          {words.send}
        </Button>
      </div>
      {isTooLarge && <Note tone='bad'>{words.tooLarge}</Note>}
      <ProblemNote error={doing.error} />
      {reply !== null && (
        <div role='status'>
          <Mark tone={reply.breaks.length === 0 ? 'good' : 'warn'}>
            {reply.replayed ? words.replayed : words.done}
          </Mark>
          {reply.confirmed.length > 0 &&
            <p>{words.confirmed}: {format.list(reply.confirmed.map(format.date))}</p>}
          {reply.breaks.map(one => <p key={one}>{words.breaks}: <Said>{one}</Said></p>)}
        </div>
      )}
    </Part>
  )
}
