// The statement of a party for a clearing date, as it was issued: to be looked at, printed, kept as PDF.
import type { Statement } from '../../schemas/api.ts'
import { looks } from '../api/doors.ts'
import { useLook } from '../api/use-call.ts'
import { Grid, type Columns } from '../parts/grid.tsx'
import { Page } from '../parts/page.tsx'
import { At, Code, Facts, Yuan } from '../parts/values.tsx'
import { useWords } from '../words/words.tsx'

type Line = Statement['lines'][number]

export function StatementPage (
  whose: { readonly date: string, readonly party: string, readonly book: string }
) {
  const { date, party, book } = whose
  const { words: { statement: words, positions }, format, language } = useWords()
  const { data, error, again } = useLook(() => looks.statement(whose), `${date} ${party} ${book}`)
  const name = data === null ? '' : ` ${language === 'zh' ? data.nameZh : data.nameEn}`
  const columns: Columns<Line> = [
    { title: words.line, cell: ({ text }) => language === 'zh' ? text : inEnglish(text) },
    { title: words.count, figure: true, cell: ({ count }) => count === 0 ? '' : format.count(count) },
    { title: words.amount, figure: true, cell: ({ amountFen }) => <Yuan fen={amountFen} /> }
  ]
  return (
    <Page heading={words.heading(`${party}${name}`, format.date(date))} error={error} again={again}>
      {data !== null && (
        <>
          <Grid
            label={words.line} columns={columns} rows={data.lines} keyOf={({ text }) => text}
            sums={[positions.net, '', <Yuan key='net' fen={data.netFen} />]}
          />
          <Facts rows={[
            [positions.book, positions.books[book] ?? book],
            [positions.carried, <Yuan key='carried' fen={data.carriedFen ?? 0} />],
            [words.settled, <Yuan key='settled' fen={data.netFen + (data.carriedFen ?? 0)} />],
            [words.sealed, `${format.count(data.head.size)}`],
            [words.root, <Code key='root'>{data.head.root}</Code>],
            [words.key, <Code key='key'>{data.head.keyId}</Code>],
            [words.at, <At key='at' iso={data.head.at} />]
          ]}
          />
        </>
      )}
    </Page>
  )
}

/** Lines are named in both languages, the Chinese name first. */
const inEnglish = (text: string): string => text.replace(/^\p{Script=Han}+ /u, '')
