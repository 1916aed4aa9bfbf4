// A fee is paid once under its transaction id: by the online account of the card (the purchase is made here,
// in the same transaction), by a chip that has paid at a terminal of the library, or as a memo of cash. A
// debit that no fee takes goes back. It refuses to know SIP2.
import type {
  LibraryPaymentReply, LibraryPaymentRequest, LibraryReason
} from '../../../schemas/library.ts'
import { answerReasonOf, type AnswerReason } from '../../../schemas/reasons.ts'
import { answerRequests } from '../../posting/requests.ts'
import { debitNamed, findDebit, returnDebit, type Debit } from '../../redress/chip-debit.ts'
import { Refusal } from '../../refusal.ts'
import type { Tx } from '../../store/db.ts'
import {
  findPayment, insertPayment, markReturned, wasAhead, type PaymentRow
} from '../../store/library.ts'
import { cardRefs } from '../../store/records.ts'
import { findRequests, requestKey } from '../../store/requests.ts'
import type { Ledger } from '../../ledger.ts'
import { inLibrary, readerOf, type Desk, type Reader } from './reader.ts'
import { spread, type Spread } from './rules.ts'

/** Throws Refusal not_found, conditions_not_met, request_conflict, body_invalid. */
export async function payFee (
  ledger: Ledger, client: string, party: string, wanted: LibraryPaymentRequest
): Promise<LibraryPaymentReply> {
  return await inLibrary(ledger, party, async desk => {
    const { tx } = desk
    const first = await findPayment(tx, desk.partyId, wanted.transaction)
    const reader = await readerOf(desk, wanted.token)
    if (first !== null) return await again(desk, first, wanted, reader)
    const debit = wanted.by === 'purse' ? await debitOf(desk, wanted) : null
    const decision = decide(desk, reader, wanted, debit)
    const asksAccount = decision.reason === null && wanted.by === 'online' && typeof reader !== 'string'
    const paid = asksAccount ? await payOnline(desk, client, reader, wanted) : { key: null, why: null }
    const reason: LibraryReason = decision.reason ?? (paid.why === null ? 'ok' : 'payment_declined')
    const returned = reason !== 'ok' && await giveBack(desk, wanted, reason, debit)
    await insertPayment(tx, desk.partyId, {
      transaction: wanted.transaction, content: contentOf(wanted), amountFen: BigInt(wanted.amountFen),
      patron: typeof reader === 'string' ? null : reader.row.patron, paidBy: wanted.by,
      outcome: reason === 'ok' ? 'approved' : 'declined', reason, client, requestKey: paid.key,
      paidAtMs: desk.atMs, returnedAtMs: returned ? desk.atMs : null
    }, reason === 'ok' && decision.reason === null ? decision.parts : [])
    return {
      transaction: wanted.transaction, outcome: reason === 'ok' ? 'approved' : 'declined', reason,
      why: paid.why, replayed: false, amountFen: reason === 'ok' ? wanted.amountFen : 0,
      owedFen: owed(reader) - (reason === 'ok' ? wanted.amountFen : 0),
      prepayment: reason === 'ok' && isPrepayment(reader, decision), returned
    }
  })
}

const owed = (reader: Reader | string): number => typeof reader === 'string' ? 0 : reader.owedFen

/** All that makes two payments the same; the reader's card may have changed meanwhile, the debit has not. */
const contentOf = ({ fee, amountFen, by }: LibraryPaymentRequest): string =>
  JSON.stringify({ fee: fee ?? null, amountFen, by })

async function again (
  desk: Desk, first: PaymentRow, wanted: LibraryPaymentRequest, reader: Reader | string
): Promise<LibraryPaymentReply> {
  if (first.content !== contentOf(wanted)) {
    const before = JSON.parse(first.content) as Record<string, unknown>
    const now = JSON.parse(contentOf(wanted)) as Record<string, unknown>
    const field = Object.keys(now).find(name => now[name] !== before[name]) ?? 'by'
    throw new Refusal('request_conflict',
      `${wanted.transaction} was used before with another ${field}`, `/${field}`)
  }
  const approved = first.outcome === 'approved'
  let returned = first.returnedAtMs !== null
  if (!approved && !returned && first.paidBy === 'purse') {
    returned = await giveBack(desk, wanted, first.reason, await debitOf(desk, wanted))
    if (returned) await markReturned(desk.tx, desk.partyId, first.transaction, desk.atMs)
  }
  return {
    transaction: first.transaction, outcome: first.outcome, reason: first.reason,
    why: await whyDeclined(desk.tx, first), replayed: true,
    amountFen: approved ? Number(first.amountFen) : 0, owedFen: owed(reader),
    prepayment: await wasAhead(desk.tx, desk.partyId, first.transaction), returned
  }
}

/** What the account of the card answered to a payment that it declined. */
async function whyDeclined (
  tx: Tx, { client, requestKey: key, reason }: PaymentRow
): Promise<AnswerReason | null> {
  if (reason !== 'payment_declined' || key === null) return null
  const [asked] = await findRequests(tx, [requestKey(client, key)])
  return asked === undefined ? null : answerReasonOf(asked.reason)
}

/** Reasons in the order of the registry; from its end on only the account of the card can still say no. */
function decide (
  desk: Desk, reader: Reader | LibraryReason, wanted: LibraryPaymentRequest, debit: Debit | null
): Spread {
  if (typeof reader === 'string') return { reason: reader }
  if (debit?.state === 'other' || debit?.state === 'returned') return { reason: 'payment_unproven' }
  const fees = reader.loans.map(({ loan, fine, paidFen, returnedAtMs }) =>
    ({ loan, leftFen: Math.max(0, fine.fen - Number(paidFen)), accruing: returnedAtMs === null }))
  const loan = wanted.fee === undefined ? null : BigInt(wanted.fee.slice(1))
  return spread(fees, { loan, amountFen: wanted.amountFen }, desk.rules.accruing)
}

const isPrepayment = (reader: Reader | string, decision: Spread): boolean =>
  typeof reader !== 'string' && decision.reason === null && decision.parts.some(part =>
    reader.loans.some(({ loan, returnedAtMs }) => loan === part.loan && returnedAtMs === null))

/* ---- by the online account ---- */

async function payOnline (
  { ledger, party, tx }: Desk, client: string, { row }: Reader, wanted: LibraryPaymentRequest
): Promise<{ key: string, why: string | null }> {
  const card = (await cardRefs(tx, [{ ...row, purse: 0 }])).get(row.cardId)
  if (card === undefined) throw new Error(`card ${row.cardId} of a reader is not there`)
  const key = `library.${party}.${wanted.transaction}`
  const { amountFen, terminal } = wanted
  const [answer] = await answerRequests(ledger, [{
    client, party: null, request: {
      kind: 'purchase', key, card, amountFen, party, ...terminal === undefined ? {} : { terminal }
    }
  }])
  if (answer instanceof Refusal || answer === undefined) throw answer ?? new Error('no answer')
  return { key, why: answer.outcome === 'approved' ? null : answer.reason }
}

/* ---- by a chip ---- */

/** Throws Refusal body_invalid where the transaction names no debit. */
async function debitOf (desk: Desk, { transaction, amountFen }: LibraryPaymentRequest): Promise<Debit> {
  const named = debitNamed(transaction)
  if (named === null) {
    throw new Refusal('body_invalid', 'the transaction of a purse is PSAM-SEQUENCE', '/transaction')
  }
  return await findDebit(desk, named, amountFen)
}

/** True where the debit of a chip went back. Repeated until it did. */
const giveBack = async (
  desk: Desk, { transaction, amountFen }: LibraryPaymentRequest, reason: LibraryReason, debit: Debit | null
): Promise<boolean> => debit !== null && await returnDebit(desk, debit, {
  amountFen, by: `library ${desk.party}`, reference: `library:${transaction}`,
  reason: `the library took no payment: ${reason}`
})
