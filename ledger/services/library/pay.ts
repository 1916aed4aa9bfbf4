// A fee is paid once under its transaction id: by the online account of the card (the purchase is made here,
// in the same transaction), by a chip that has paid at a terminal of the library, or as a memo of cash. A
// debit that no fee takes goes back. It refuses to know SIP2.
import type {
  LibraryPaymentReply, LibraryPaymentRequest, LibraryReason
} from '../../../schemas/library.ts'
import { answerReasonOf, type AnswerReason } from '../../../schemas/reasons.ts'
import { answerRequests } from '../../posting/requests.ts'
import { refund } from '../../redress/refund.ts'
import { Refusal } from '../../refusal.ts'
import { placeOf, standingCodes } from '../../core/redress.ts'
import type { Tx } from '../../store/db.ts'
import {
  findPayment, insertPayment, markReturned, wasAhead, type PaymentRow
} from '../../store/library.ts'
import { cardRefs, findOwners, type ChipKey } from '../../store/records.ts'
import { findEvent } from '../../store/redress.ts'
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
  if (debit?.state === 'other') return { reason: 'payment_unproven' }
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

/** `awaited`: the record is not here yet; the gateway has it, or nobody. */
type Debit =
  | { readonly state: 'awaited' }
  | { readonly state: 'other' }
  | { readonly state: 'known', readonly chip: ChipKey }

/** The record that a transaction id names, if it has come: a sale of this library over this amount. */
async function debitOf ({ tx, ledger, party }: Desk, wanted: LibraryPaymentRequest): Promise<Debit> {
  const [, psam = '', sequence] = /^([0-9A-F]{12})-(\d{1,10})$/.exec(wanted.transaction) ?? []
  if (sequence === undefined) {
    throw new Refusal('body_invalid', 'the transaction of a purse is PSAM-SEQUENCE', '/transaction')
  }
  const psams = (await ledger.registry()).psams.get(psam) ?? []
  const keys = psams.map(({ psamId }) => ({ psamId, sequence: BigInt(sequence) }))
  const chip = (await findOwners(tx, keys)).at(-1)?.owner
  if (chip === undefined) return { state: 'awaited' }
  const event = await findEvent(tx, chip, standingCodes)
  const place = placeOf(event?.code ?? null)
  const same = event?.operator === party && event.amountFen === BigInt(wanted.amountFen)
  if (!same || event.redressedFen > 0n) return { state: 'other' }
  if (place === 'nowhere') return { state: 'awaited' } // held, until it is known whether the chip paid
  return place === 'merchant' ? { state: 'known', chip } : { state: 'other' }
}

/** True where the debit of a chip went back: into the pending load of its card. Repeated until it did. */
async function giveBack (
  { ledger, party, tx }: Desk, wanted: LibraryPaymentRequest, reason: LibraryReason, debit: Debit | null
): Promise<boolean> {
  if (debit?.state !== 'known') return false
  const card = (await cardRefs(tx, [debit.chip])).get(debit.chip.cardId)
  if (card === undefined) return false
  const by = { name: `library ${party}`, roles: [], branch: null, party }
  const { state } = await refund(ledger, by, {
    card, counter: debit.chip.counter, amountFen: wanted.amountFen,
    reference: `library:${wanted.transaction}`, reason: `the library took no payment: ${reason}`
  })
  return state === 'posted'
}
