// What is sent to the bank: the instructions of one run of a date as pain.001 or CSV. The same run gives the
// same bytes for ever, so that a file sent twice is refused by the bank and not paid twice.
import { groupBy } from '../../runtime/collections.ts'
import { formatIso } from '../../runtime/instants.ts'
import { writeCsvInstructions, type CsvInstruction } from '../../schemas/bank/csv.ts'
import {
  writePain001, type CreditTransfer, type DebtorAccount, type PaymentGroup
} from '../../schemas/bank/pain001.ts'
import { audit } from '../people/audit.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { readPayAccounts } from '../store/bank-accounts.ts'
import { inTransaction } from '../store/db.ts'
import { readInstructions, type InstructionRow } from '../store/settlement.ts'

export type PaymentFileOf = { readonly date: string, readonly run: number }

/** Payments as pain.001. Throws Refusal not_found, bank_account_missing. */
export async function paymentFile (ledger: Ledger, of: PaymentFileOf, by: string): Promise<string> {
  const { rows, transfers } = await instructionsOfRun(ledger, of)
  const payments = transfers.filter(one => one.direction === 'pay')
  const [first] = rows
  if (first === undefined || payments.length === 0) {
    throw new Refusal('not_found', `nothing is paid in ${named(of)}`)
  }
  const messageId = messageIdOf(first)
  const xml = writePain001({
    messageId,
    createdAt: formatIso(first.madeAtMs),
    initiator: payments[0]?.from.name ?? '',
    groups: paymentGroups(messageId, payments)
  })
  await note(ledger, of, by, 'pain001', payments.length)
  return xml
}

type Payment = CreditTransfer & { readonly executeOn: string, readonly from: DebtorAccount }

/** A group of pain.001 has one account and one day on which the bank is to pay. */
export const paymentGroups = (messageId: string, payments: readonly Payment[]): PaymentGroup[] =>
  [...groupBy(payments, ({ from, executeOn }) => `${from.number} ${executeOn}`).values()]
    .map((transfers, index) => {
      const [{ from, executeOn }] = transfers as [Payment]
      return { id: `${messageId}-${index + 1}`, executeOn, from, transfers }
    })

/**
 * Payments and collections as CSV. Collections leave only here: a direct debit of ISO 20022 needs a mandate
 * for each party, which a city has as a contract and its bank as a setting.
 */
export async function instructionCsv (ledger: Ledger, of: PaymentFileOf, by: string): Promise<string> {
  const { transfers } = await instructionsOfRun(ledger, of)
  await note(ledger, of, by, 'csv', transfers.length)
  return writeCsvInstructions(transfers)
}

const named = ({ date, run }: PaymentFileOf): string => `run ${run} of ${date}`

/** Ours for ever: a date under which instructions stand has a run once. */
const messageIdOf = ({ clearingDate, run }: InstructionRow): string =>
  `CITYCARD-${clearingDate.replaceAll('-', '')}-${run}`

async function instructionsOfRun (
  { db }: Ledger, of: PaymentFileOf
): Promise<{ rows: InstructionRow[], transfers: (CsvInstruction & CreditTransfer)[] }> {
  const rows = (await readInstructions(db, of.date)).filter(one => one.run === of.run)
  if (rows.length === 0) throw new Refusal('not_found', `there is no instruction in ${named(of)}`)
  const ids = rows.flatMap(row => [row.fromAccountId, row.toAccountId]).filter(id => id !== null)
  const accounts = await readPayAccounts(db, ids)
  const accountOf = (id: number | null): DebtorAccount | null => {
    const account = id === null ? undefined : accounts.get(id)
    if (account === undefined) return null
    return { name: account.holder, number: account.number, bankCode: account.bankCode }
  }
  const missing = new Set(rows.flatMap(({ fromAccountId, toAccountId, party, book }) => [
    ...(toAccountId === null ? [party] : []), ...(fromAccountId === null ? [`ours of the ${book} book`] : [])
  ]))
  if (missing.size > 0) {
    throw new Refusal('bank_account_missing', `no bank account: ${[...missing].join(', ')}`)
  }
  const transfers = rows.flatMap(({ id, direction, amountFen, valueDate, clearingDate, ...row }) => {
    const [from, to] = [accountOf(row.fromAccountId), accountOf(row.toAccountId)]
    const text = `${clearingDate} ${row.book} ${row.party}`
    return from === null || to === null
      ? []
      : [{ id, direction, amountFen, executeOn: valueDate, from, to, text }]
  })
  return { rows, transfers }
}

/** A file with account numbers has left the house. */
const note = async (
  { db, clock }: Ledger, { date, run }: PaymentFileOf, by: string, format: string, rows: number
): Promise<void> => {
  const atMs = clock.now()
  const deed = { by, action: 'export', subject: `instructions/${date}`, detail: { run, format, rows } }
  await inTransaction(db, tx => audit(tx, atMs, deed))
}
