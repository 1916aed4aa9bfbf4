// Bills of clinics split by who paid, loans and debts at libraries, annual passes.
import type { OwnBill, OwnLibrary } from '../../../schemas/own.ts'
import { useLook } from '../../api/use-call.ts'
import { Part } from '../../parts/page.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { Yuan } from '../../parts/values.tsx'
import { useWords } from '../../words/words.tsx'
import { looks } from '../doors.ts'
import { Line } from '../parts.tsx'
import { useMy } from '../words.ts'

export function Services ({ card }: { readonly card: string }) {
  const { services: words } = useMy()
  const { format } = useWords()
  const { data, error } = useLook(async () => await looks.services(card), card)
  if (data === null) return <ProblemNote error={error} />
  const { bills, libraries, passes, waitingPass } = data
  return (
    <>
      <Part heading={words.bills}>
        {bills.length === 0 && <p>{words.noBills}</p>}
        <ul className='lines'>
          {bills.map(bill => <li key={bill.settlement}><Bill bill={bill} /></li>)}
        </ul>
      </Part>
      <Part heading={words.libraries}>
        {libraries.length === 0 && <p>{words.noLibraries}</p>}
        {libraries.map((library, place) => <Library key={place} library={library} />)}
      </Part>
      <Part heading={words.passes}>
        {passes.length === 0 && waitingPass === null && <p>{words.noPasses}</p>}
        {waitingPass !== null && <p>{words.begins(format.date(waitingPass))}</p>}
        {passes.map(({ from, until }) =>
          <p key={from}>{words.valid(format.date(from), format.date(until))}</p>)}
      </Part>
    </>
  )
}

function Bill ({ bill }: { readonly bill: OwnBill }) {
  const { services: words } = useMy()
  const { language, format } = useWords()
  const { clinic, on, state, totalFen, steps } = bill
  const parts = [
    [words.funds, bill.fundsFen], [words.account, bill.accountFen], [words.purse, bill.purseFen],
    [words.cash, bill.cashFen], [words.hospital, bill.hospitalFen]] as const
  return (
    <>
      <Line what={<strong>{clinic[language]}</strong>} much={<Yuan fen={totalFen} />} />
      <p className='soft'>{format.date(on)}{state === 'taken_back' && ` · ${words.takenBack}`}</p>
      {parts.filter(([, fen]) => fen > 0).map(([what, fen]) =>
        <Line key={what} what={what} much={<Yuan fen={fen} />} />)}
      <details>
        <summary>{words.why}</summary>
        <ul className='because'>{steps.map((step, place) => <li key={place}>{step[language]}</li>)}</ul>
      </details>
    </>
  )
}

function Library ({ library: { library, owedFen, depositFen, loans } }: { readonly library: OwnLibrary }) {
  const { services: words } = useMy()
  const { language, format } = useWords()
  return (
    <>
      <Line what={<strong>{library[language]} · {words.owed}</strong>} much={<Yuan fen={owedFen} />} />
      {depositFen > 0 && <Line what={words.deposit} much={<Yuan fen={depositFen} />} />}
      <ul className='lines'>
        {loans.map(({ fee, title, dueOn, overdue, leftFen }) => (
          <li key={fee}>
            <Line what={title} much={leftFen > 0 && <>{words.fine} <Yuan fen={leftFen} /></>} />
            <p className='soft'>{words.dueOn} {format.date(dueOn)}{overdue && ` · ${words.overdue}`}</p>
          </li>
        ))}
      </ul>
    </>
  )
}
