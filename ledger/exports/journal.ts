// The books of a clearing date as an hledger journal: opening balances, every journal of the day as one
// transaction, and balances asserted at its end, so that another program finds out whether ours are right.
// Debits are positive, as hledger has it. It refuses to know SQL.
import { addDays } from '../../runtime/instants.ts'
import { headings, transferCodes, type Heading } from '../core/chart.ts'
import { floatPlaces } from '../core/float.ts'
import { yuanText } from '../../schemas/bank/amount.ts'
import { inSnapshot, type AccountColumns } from '../store/exports.ts'
import { journalBalances, journalPages, type JournalBalance, type JournalTransfer } from '../store/journal.ts'
import type { Db, Tx } from '../store/db.ts'

/** `kind`: one transaction per kind of transfer and pair of accounts instead of one per event. */
export type JournalDetail = 'transfer' | 'kind'

export const hledgerJournal = (db: Db, date: string, detail: JournalDetail): AsyncGenerator<string> =>
  inSnapshot(db, tx => journalText(tx, date, detail))

async function * journalText (tx: Tx, date: string, detail: JournalDetail): AsyncGenerator<string> {
  const balances = await journalBalances(tx, date)
  yield `; Clearing date ${date}. Amounts in yuan; debits are positive.\n` +
    'commodity 1000.00 CNY\n' + balances.map(declaration).join('') + opening(date, balances)
  let last: JournalTransfer | null = null
  for await (const page of journalPages(tx, date, detail)) {
    let text = ''
    for (const transfer of page) {
      text += (transfer.journalId === last?.journalId ? '' : head(date, transfer)) + postings(transfer)
      last = transfer
    }
    yield text
  }
  yield assertions(date, balances)
}

/** `commerce:merchant-pending:BUS` */
const name = ({ book, heading, party }: AccountColumns): string =>
  [book, heading, ...party === null ? [] : [party]].join(':')

const declaration = (account: JournalBalance): string =>
  `account ${name(account)}  ; type: ${typeOf(account.heading)}\n`

/** Revenue and expense are the house's own; all else is held or owed. */
function typeOf (heading: Heading): string {
  const isDebit = headings[heading].side === 'debit'
  if (floatPlaces[heading] === 'own') return isDebit ? 'X' : 'R'
  return isDebit ? 'A' : 'L'
}

function opening (date: string, balances: readonly JournalBalance[]): string {
  const lines = balances.filter(({ beforeFen }) => beforeFen !== 0n)
    .map(account => posting(name(account), account.beforeFen))
  return lines.length === 0 ? '' : `\n${addDays(date, -1)} opening balances\n` + lines.join('')
}

const codeNames: ReadonlyMap<number, string> =
  new Map(Object.entries(transferCodes).map(([code, number]) => [number, code]))

function head (date: string, { journalId, code, count, corrects }: JournalTransfer): string {
  const notes = [
    ...count === 1 ? [] : [`transfers: ${count}`], ...corrects === null ? [] : [`corrects: ${corrects}`]
  ]
  return `\n${date} (${journalId}) ${codeNames.get(code) ?? code}` +
    (notes.length === 0 ? '\n' : `  ; ${notes.join(', ')}\n`)
}

const postings = ({ debit, credit, amountFen }: JournalTransfer): string =>
  posting(name(debit), amountFen) + posting(name(credit), -amountFen)

const posting = (account: string, amountFen: bigint): string => `    ${account}  ${yuanText(amountFen)} CNY\n`

/** Nothing is moved: each line says what the account must hold. */
function assertions (date: string, balances: readonly JournalBalance[]): string {
  const lines = balances.filter(({ beforeFen, afterFen }) => beforeFen !== 0n || afterFen !== 0n)
    .map(account => `    ${name(account)}  0.00 CNY = ${yuanText(account.afterFen)} CNY\n`)
  return lines.length === 0 ? '' : `\n${date} balances at the end of the day\n` + lines.join('')
}
