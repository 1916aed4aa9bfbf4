// Electronic supervision: what is late at which office now, and what each one's quarter comes to.
import type { Grade, OfficeScore, SupervisionView } from '../../schemas/case.ts'
import { looks } from '../api/doors.ts'
import { useRole } from '../api/session.tsx'
import { useList, useLook } from '../api/use-call.ts'
import { Choice } from '../parts/fields.tsx'
import { Grid, ListGrid, type Column, type Columns } from '../parts/grid.tsx'
import { Mark, type Tone } from '../parts/mark.tsx'
import { Page, Part } from '../parts/page.tsx'
import { TakeAway } from '../parts/take-away.tsx'
import { go } from '../router.tsx'
import { useWords } from '../words/words.tsx'
import { useCaseColumns } from './cases.tsx'

/** Of the quarter that is asked for, or of the present one. */
export function SupervisionPage ({ quarter }: { readonly quarter: string }) {
  const { words } = useWords()
  const { data, error, again } = useLook(() => looks.supervision(quarter), quarter)
  const mayLook = useRole('clerk', 'hotline', 'approver', 'auditor')
  const shown = data?.quarter ?? quarter
  return (
    <Page
      heading={words.supervision.heading(shown)} error={error} again={again}
      doing={data !== null && <TakeAway kind='supervision' query={{ quarter: shown }} />}
    >
      {data !== null && <Scores view={data} />}
      {mayLook && <Urgent />}
    </Page>
  )
}

function Scores ({ view: { quarter, offices, rule } }: { readonly view: SupervisionView }) {
  const { words: { supervision: words } } = useWords()
  const [yellow, days, ...from] = [
    rule.yellowPoints, rule.redDays, rule.excellentFrom, rule.goodFrom, rule.passFrom
  ].map(String)
  const [excellent = '', good = '', pass = ''] = from
  return (
    <>
      <div className='filter'>
        <Choice
          label={words.quarter} value={quarter} options={quartersAround(quarter).map(one => [one, one])}
          onChange={one => go(`/supervision?quarter=${one}`)}
        />
      </div>
      <Part heading={words.now}><Now offices={offices} /></Part>
      <Part heading={words.score}>
        <p>{words.rule(yellow ?? '', days ?? '', excellent, good, pass)}</p>
        <Quarter offices={offices} />
      </Part>
    </>
  )
}

type Given = { readonly offices: readonly OfficeScore[] }

function useOffice (): Column<OfficeScore> {
  const { words: { supervision: words } } = useWords()
  return { title: words.office, cell: ({ office }) => office ?? words.city }
}
const keyOf = ({ office }: OfficeScore): string => office ?? ''
const sumOf = (offices: Given['offices'], of: (one: OfficeScore) => number): number =>
  offices.reduce((sum, one) => sum + of(one), 0)

function Now ({ offices }: Given) {
  const { words: { supervision: words }, format } = useWords()
  const counts = [
    ['open', 'plain'], ['due', 'warn'], ['yellow', 'warn'], ['red', 'bad']
  ] as const satisfies readonly (readonly [keyof OfficeScore['now'], Tone])[]
  const columns: Columns<OfficeScore> = [
    useOffice(),
    ...counts.map(([name, tone]): Column<OfficeScore> => ({
      title: words[name], figure: true,
      cell: ({ now }) => now[name] === 0 || tone === 'plain'
        ? format.count(now[name])
        : <Mark tone={tone}>{format.count(now[name])}</Mark>
    }))
  ]
  const sums = counts.map(([name]) => format.count(sumOf(offices, ({ now }) => now[name])))
  return <Grid label={words.now} columns={columns} rows={offices} keyOf={keyOf} sums={[words.sum, ...sums]} />
}

const tones: Readonly<Record<Grade, Tone>> = { excellent: 'good', good: 'good', pass: 'warn', fail: 'bad' }

function Quarter ({ offices }: Given) {
  const { words: { supervision: words, none }, format } = useWords()
  const counts = ['cases', 'inTime', 'yellow', 'red', 'waiting'] as const
  const columns: Columns<OfficeScore> = [
    useOffice(),
    ...counts.map((name): Column<OfficeScore> =>
      ({ title: words[name], figure: true, cell: one => format.count(one[name]) })),
    { title: words.points, figure: true, cell: ({ score }) => score ?? none },
    {
      title: words.grade,
      cell: ({ grade }) => grade === null ? none : <Mark tone={tones[grade]}>{words.grades[grade]}</Mark>
    }
  ]
  const sums = counts.map(name => format.count(sumOf(offices, one => one[name])))
  return (
    <Grid label={words.score} columns={columns} rows={offices} keyOf={keyOf} sums={[words.sum, ...sums]} />
  )
}

function Urgent () {
  const { words: { supervision: words } } = useWords()
  const list = useList(place => looks.cases({ state: 'urgent' }, place), 'urgent')
  return (
    <Part heading={words.urgent}>
      <ListGrid label={words.urgent} list={list} columns={useCaseColumns()} keyOf={one => one.case} />
    </Part>
  )
}

/** A year back from it, and one on. */
function quartersAround (quarter: string): string[] {
  const nth = Number(quarter.slice(0, 4)) * 4 + Number(quarter.slice(-1)) - 1
  return [1, 0, -1, -2, -3, -4].map(step => `${Math.floor((nth + step) / 4)}-Q${(nth + step) % 4 + 1}`)
}
