// A tape held against the books: what the rules of today make of each record on it, beside what is posted.
import { useState } from 'react'
import { verdictReasons } from '../../schemas/reasons.ts'
import type { TapeItem, TapeMove, TapePrediction } from '../../schemas/tape-prediction.ts'
import { deeds } from '../api/doors.ts'
import { useDeed } from '../api/use-call.ts'
import { Button } from '../parts/button.tsx'
import { Choice, FileField, LongField, TextField } from '../parts/fields.tsx'
import { Grid, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { ProblemNote } from '../parts/problem-note.tsx'
import { Ruler } from '../parts/ruler.tsx'
import { At, Code, Facts, Yuan } from '../parts/values.tsx'
import { Link, to } from '../router.tsx'
import { useWords } from '../words/words.tsx'

/** As large as the ledger takes one. */
const tapeLengthMax = 2 * 1024 * 1024

export function TapesPage () {
  const { words: { tapes: words } } = useWords()
  const [source, setSource] = useState('file')
  const [tape, setTape] = useState({ text: '', name: '' })
  const [operator, setOperator] = useState('')
  const [terminal, setTerminal] = useState('')
  const [found, setFound] = useState<TapePrediction | null>(null)
  const doing = useDeed()
  const replay = () => {
    setFound(null)
    const whose = operator === '' || terminal === '' ? {} : { terminal: { operator, terminal } }
    const name = tape.name === '' ? words.text : tape.name
    void doing.run(async () => setFound(await deeds.predictTape({ ...tape, name, ...whose })))
  }
  return (
    <Page heading={words.heading}>
      <p>{words.why}</p>
      <div className='filter'>
        <Choice
          label={words.source} value={source} options={[['file', words.file], ['text', words.text]]}
          onChange={value => { setSource(value); setTape({ text: '', name: '' }) }}
        />
        {source === 'file'
          ? (
            <FileField
              label={words.tape} accept='.json,.jsonl,.txt,text/plain,application/json'
              take={(text, name) => setTape({ text, name })}
            />
            )
          : (
            <LongField
              label={words.tape} value={tape.text} lengthMax={tapeLengthMax}
              onChange={text => setTape({ text, name: '' })}
            />
            )}
        <TextField label={words.operator} value={operator} onChange={setOperator} />
        <TextField label={words.terminal} value={terminal} onChange={setTerminal} />
        <Button look='main' disabled={tape.text === ''} busy={doing.busy} onClick={replay}>{words.go}</Button>
      </div>
      <ProblemNote error={doing.error} />
      {found !== null && <Result key={`${found.name} ${found.records}`} tape={found} />}
    </Page>
  )
}

const tones = { same: 'good', differs: 'bad', not_posted: 'warn' } as const satisfies
  Record<TapeItem['verdict'], Tone>

function Result ({ tape }: { readonly tape: TapePrediction }) {
  const { words: { tapes: words }, format } = useWords()
  const [isShort, setShort] = useState(false)
  const [chosen, setChosen] = useState<TapeItem | null>(null)
  const rows = isShort ? tape.items.filter(({ verdict }) => verdict !== 'same') : tape.items
  const columns: Columns<TapeItem> = [
    {
      title: words.line,
      cell: item => (
        <button
          type='button' className='field-name' aria-pressed={item === chosen}
          aria-label={words.look(String(item.line))} onClick={() => setChosen(item)}
        >
          {item.line}
        </button>
      )
    },
    {
      title: words.verdict,
      cell: ({ verdict }) => <Mark tone={tones[verdict]}>{words.verdicts[verdict]}</Mark>
    },
    { title: words.predicted, cell: ({ predicted }) => <Verdict said={predicted} /> },
    { title: words.posted, cell: item => <Posted item={item} /> },
    { title: words.card, cell: ({ card }) => card === null ? '' : <Code>{card}</Code> },
    { title: words.counter, figure: true, cell: ({ counter }) => counter ?? '' },
    { title: words.at, cell: ({ eventAt }) => eventAt === null ? '' : <At iso={eventAt} /> },
    {
      title: words.amount, figure: true,
      cell: ({ amountFen }) => amountFen === null ? '' : <Yuan fen={amountFen} />
    }
  ]
  return (
    <>
      <Part heading={words.result(tape.name)}>
        <Facts rows={[
          [words.records, format.count(tape.records)], [words.same, format.count(tape.same)],
          [words.differs, format.count(tape.differs)], [words.notPosted, format.count(tape.notPosted)],
          [words.others, format.count(tape.others)]
        ]}
        />
        <p>
          <label>
            <input type='checkbox' checked={isShort} onChange={() => setShort(!isShort)} /> {words.only}
          </label>
        </p>
        <Grid label={words.result(tape.name)} columns={columns} rows={rows} keyOf={({ line }) => line} />
      </Part>
      {chosen !== null && <Chosen item={chosen} />}
    </>
  )
}

type Said = Pick<TapeItem['predicted'], 'outcome' | 'reason'>

function Verdict ({ said: { outcome, reason } }: { readonly said: Said }) {
  const { words: { tapes: words }, language } = useWords()
  const why = reason === 'ok' ? [] : [verdictReasons[reason][language]]
  return <>{[words.outcomes[outcome], ...why].join(' · ')}</>
}

function Posted ({ item: { posted } }: { readonly item: TapeItem }) {
  const { words: { tapes: words, none }, language } = useWords()
  if (posted === null) return <>{none}</>
  const { outcome, reason, firstOutcome, firstReason, delivery, line } = posted
  const isAsThen = outcome === firstOutcome && reason === firstReason
  return (
    <>
      <Link to={to('lines', delivery, String(line))}><Verdict said={posted} /></Link>
      {!isAsThen && <span className='piece'>{words.first(verdictReasons[firstReason][language])}</span>}
    </>
  )
}

type SidedMove = TapeMove & { readonly side: string, readonly place: number }

function Chosen ({ item: { line, predicted, posted, detail, raw, ruler } }: { readonly item: TapeItem }) {
  const { words: { tapes: words } } = useWords()
  const sided = (side: string, moves: readonly TapeMove[]) =>
    moves.map((move, place): SidedMove => ({ ...move, side, place }))
  const rows = [...sided(words.predicted, predicted.moves), ...sided(words.posted, posted?.moves ?? [])]
  const columns: Columns<SidedMove> = [
    { title: words.side, cell: ({ side }) => side },
    { title: words.kind, cell: ({ kind }) => <Code>{kind}</Code> },
    { title: words.debit, cell: ({ debit }) => <Code>{debit}</Code> },
    { title: words.credit, cell: ({ credit }) => <Code>{credit}</Code> },
    { title: words.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> }
  ]
  return (
    <Part heading={words.chosen(String(line))}>
      {detail !== null && <p lang='en'>{detail}</p>}
      <h3>{words.moves}</h3>
      {rows.length === 0
        ? <p>{words.noMoves}</p>
        : (
          <Grid
            label={words.moves} columns={columns} rows={rows}
            keyOf={({ side, place }) => `${side} ${place}`}
          />
          )}
      <h3>{words.bytes}</h3>
      <Ruler key={line} raw={raw} ruler={ruler} />
    </Part>
  )
}
