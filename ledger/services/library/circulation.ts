// Books go out and come back: checkout, return, renewal, hold. Each is decided with the reader and the book
// locked, and a repeat finds done what it asks for. It refuses to know money.
import { localDate } from '../../../runtime/instants.ts'
import type {
  CheckoutRequest, CirculationReply, LibraryItem, LibraryReason, RenewalsReply
} from '../../../schemas/library.ts'
import {
  deleteHold, findLoan, holdsOf, insertHold, insertLoan, lockItem, lockPatronByNumber, renewLoan, returnLoan,
  type HoldRow, type ItemRow, type LoanRow
} from '../../store/library.ts'
import { fineToday, readerOf, viewLoan, type Desk, type Reader } from './reader.ts'
import { dueDate, fineOf } from './rules.ts'

const nothing = {
  title: '', dueOn: null, renewed: false, forSomebody: false, fee: null, token: null, queue: 0
}
const declined = (reason: LibraryReason, more: Partial<CirculationReply> = {}): CirculationReply =>
  ({ ...nothing, outcome: 'declined', reason, ...more })
const approved = (more: Partial<CirculationReply>): CirculationReply =>
  ({ ...nothing, outcome: 'approved', reason: 'ok', ...more })

/** Lends an item, or renews it where the reader has it. What has left already is lent whatever it is. */
export async function checkout (
  desk: Desk, { token, item, renewal = true, done = false }: CheckoutRequest
): Promise<CirculationReply> {
  const reader = await readerOf(desk, token)
  if (typeof reader === 'string') return declined(reader)
  const book = await lockItem(desk.tx, desk.partyId, item)
  if (book === null) return declined('item_unknown')
  const { title } = book
  const loan = await findLoan(desk.tx, desk.partyId, item)
  if (loan !== null && loan.patron !== reader.row.patron) return declined('item_on_loan', { title })
  if (loan !== null) {
    if (!renewal || loan.lentOn === desk.today) return approved({ title, dueOn: loan.dueOn, renewed: true })
    return await renewOne(desk, reader, loan)
  }
  const first = (await holdsOf(desk.tx, desk.partyId, item))[0]
  const against = done ? null : refusalToLend(desk, reader, first)
  if (against !== null) return declined(against, { title })
  if (first?.patron === reader.row.patron) await deleteHold(desk.tx, desk.partyId, first)
  const dueOn = dueDate(desk.book, desk.today)
  await insertLoan(desk.tx, desk.partyId, { item, patron: reader.row.patron, lentOn: desk.today, dueOn })
  return approved({ title, dueOn })
}

function refusalToLend (
  { rules }: Desk, { refusal, loans, row }: Reader, first: HoldRow | undefined
): LibraryReason | null {
  if (first !== undefined && first.patron !== row.patron) return 'item_on_hold'
  if (refusal !== null) return refusal
  return lent(loans).length >= rules.loansMax ? 'loans_over_limit' : null
}

const lent = <L extends LoanRow>(loans: readonly L[]): L[] =>
  loans.filter(({ returnedAtMs }) => returnedAtMs === null)

/** Whoever brings it: the fine becomes what it is on that day. */
export async function checkin (
  desk: Desk, item: string, returnedAtMs: number | null
): Promise<CirculationReply> {
  const found = await findLoan(desk.tx, desk.partyId, item)
  // The reader first, then the item: everybody locks in this order.
  const row = found === null ? null : await lockPatronByNumber(desk.tx, desk.partyId, found.patron)
  const book = await lockItem(desk.tx, desk.partyId, item)
  if (book === null) return declined('item_unknown')
  const { title } = book
  const forSomebody = (await holdsOf(desk.tx, desk.partyId, item)).length > 0
  const loan = await findLoan(desk.tx, desk.partyId, item)
  if (loan === null || row === null) return declined('item_not_lent', { title, forSomebody })
  const atMs = Math.min(returnedAtMs ?? desk.atMs, desk.atMs)
  const fine = fineOf(desk.book, {
    dueOn: loan.dueOn, until: localDate(atMs),
    itemFenMax: loan.itemFenMax === null ? null : Number(loan.itemFenMax)
  })
  await returnLoan(desk.tx, desk.partyId, loan.loan, fine.fen, atMs)
  const fixed = { ...loan, returnedAtMs: atMs, fineFen: BigInt(fine.fen), fine }
  return approved({
    title, token: row.token, forSomebody, fee: fine.fen === 0 ? null : viewLoan(desk, fixed)
  })
}

/** One item, or everything the reader has. */
export async function renew (desk: Desk, token: string, item: string | null): Promise<RenewalsReply> {
  const reader = await readerOf(desk, token)
  if (typeof reader === 'string') return { outcome: 'declined', reason: reader, renewed: [], unrenewed: [] }
  const renewed: RenewalsReply['renewed'] = []
  const unrenewed: RenewalsReply['unrenewed'] = []
  const loans = lent(reader.loans).filter(loan => item === null || loan.item === item)
  for (const loan of loans) {
    await lockItem(desk.tx, desk.partyId, loan.item)
    const { dueOn, reason } = await renewOne(desk, reader, loan)
    if (reason === 'ok' && dueOn !== null) renewed.push({ item: loan.item, dueOn })
    else unrenewed.push({ item: loan.item, reason })
  }
  const reason = item !== null && loans.length === 0 ? 'item_not_lent' : unrenewed[0]?.reason ?? 'ok'
  return { outcome: reason === 'ok' ? 'approved' : 'declined', reason, renewed, unrenewed }
}

async function renewOne (desk: Desk, reader: Reader, loan: LoanRow): Promise<CirculationReply> {
  const { title } = loan
  const others = (await holdsOf(desk.tx, desk.partyId, loan.item)).some(one => one.patron !== loan.patron)
  const reason = others ? 'item_on_hold' : reader.refusal ?? againstRenewal(desk, loan)
  if (reason !== null) return declined(reason, { title, dueOn: loan.dueOn })
  const dueOn = dueDate(desk.book, desk.today)
  await renewLoan(desk.tx, desk.partyId, loan.loan, dueOn)
  return approved({ title, dueOn, renewed: true })
}

/** A late book is brought back first: a renewal would make its fine disappear. */
function againstRenewal (desk: Desk, loan: LoanRow): LibraryReason | null {
  if (fineToday(desk, loan).fen > 0) return 'fee_accruing'
  return loan.renewals >= desk.rules.renewalsMax ? 'renewals_over_limit' : null
}

export async function hold (
  desk: Desk, { token, item, cancel = false }: { token: string, item: string, cancel?: boolean }
): Promise<CirculationReply> {
  const reader = await readerOf(desk, token)
  if (typeof reader === 'string') return declined(reader)
  const book = await lockItem(desk.tx, desk.partyId, item)
  if (book === null) return declined('item_unknown')
  const own = { item, patron: reader.row.patron }
  if (cancel) {
    return await deleteHold(desk.tx, desk.partyId, own)
      ? approved({ title: book.title })
      : declined('hold_missing', { title: book.title })
  }
  return await placeHold(desk, reader, book, own)
}

async function placeHold (
  desk: Desk, { refusal, row }: Reader, { title }: ItemRow, own: { item: string, patron: string }
): Promise<CirculationReply> {
  const waiting = await holdsOf(desk.tx, desk.partyId, own.item)
  const place = waiting.findIndex(one => one.patron === row.patron)
  if (place >= 0) return declined('hold_again', { title, queue: place + 1 })
  if (refusal !== null) return declined(refusal, { title })
  await insertHold(desk.tx, desk.partyId, own, desk.atMs)
  return approved({ title, queue: waiting.length + 1 })
}

/** Null where there is no such item. */
export async function viewItem (desk: Desk, item: string): Promise<LibraryItem | null> {
  const book = await lockItem(desk.tx, desk.partyId, item)
  if (book === null) return null
  const loan = await findLoan(desk.tx, desk.partyId, item)
  const holds = (await holdsOf(desk.tx, desk.partyId, item)).length
  return {
    item, title: book.title, properties: book.properties,
    state: loan !== null ? 'lent' : holds > 0 ? 'on_hold' : 'available',
    dueOn: loan?.dueOn ?? null, holds, fineFen: loan === null ? 0 : fineToday(desk, loan).fen
  }
}
