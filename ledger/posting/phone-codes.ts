// Uses of phones' codes that terminals tell of: each once, paid by the online account of the card, or by the
// issuer where neither the operator nor the holder has to; a second use of one code is an item. It refuses to
// know how a code comes onto a screen.
import {
  checkCode, codeReasonNumbers, codeReasons, type CodeReason, type CodeUse, type CodeUseReply,
  type PhoneCode
} from '../../schemas/phone-code.ts'
import { parseIso } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { cardKey } from '../../schemas/record.ts'
import { reasonOf } from '../cards/phones.ts'
import { accountCode, transferCodes, type TransferCode } from '../core/chart.ts'
import { appliedAt, listingAt } from '../core/listing.ts'
import { judgeUse, type Use, type UseVerdict } from '../core/phone-code.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { Refusal } from '../refusal.ts'
import { findApplied, findEntries } from '../store/blacklist.ts'
import { findCards, type CardRow } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { openItems, type FoundItem } from '../store/items.ts'
import { lockPurses } from '../store/lock.ts'
import { markDue } from '../store/rides.ts'
import { insertUse, takeBackUse, usesOfCode, type UseRow } from '../store/phone-codes.ts'
import { accountId, isEnded, type Snapshot, type TerminalRow } from '../store/registry.ts'
import { publicKeys } from '../store/tree.ts'
import { postGuarded } from './post-guarded.ts'

type CodeBook = Pick<Ledger, 'db' | 'clock' | 'random' | 'registry'>
const hourMs = 3_600_000

/**
 * History, as a record is: nothing but what cannot be read is turned away. Telling it again says what holds
 * of it by then. Throws Refusal body_invalid, unavailable.
 */
export async function takeUse (
  ledger: CodeBook, { client, told }: { readonly client: string, readonly told: CodeUse }
): Promise<CodeUseReply> {
  const snapshot = await ledger.registry()
  const use: Use = { ...told, atMs: instantIn(told.at) }
  const code = checkCode(told.code, await publicKeys(ledger.db))
  const reply = await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    const refused = (reason: CodeReason): CodeUseReply =>
      ({ paid: false, reason, payer: null, replayed: false, clearingDate })
    if (typeof code === 'string') return refused(code)
    const card = (await findCards(tx, [code.card])).get(cardKey(code.card))
    if (card === undefined) return refused('card_unknown')
    await lockPurses(tx, [card])
    const known = await usesOfCode(tx, card, code.nonce)
    const same = known.find(one => isSame(one, use))
    if (same !== undefined) return replyOf(same, true, clearingDate)
    const row = await settle(tx, ledger, snapshot, { client, told, code, use, card, known, clearingDate })
    killPoint('before-code-commit')
    return replyOf(row, false, clearingDate)
  })
  killPoint('after-code-commit')
  return reply
}

function instantIn (text: string): number {
  try {
    return parseIso(text)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Refusal('body_invalid', `not an instant: ${text}`, '/at')
  }
}

const isSame = (row: UseRow, use: Use): boolean =>
  row.operator === use.operator && row.terminal === use.terminal && row.atMs === use.atMs &&
  Number(row.amountFen) === use.amountFen

const isPaid = ({ reason }: UseRow): boolean => codeReasons[reasonOf(reason)].paid

function replyOf ({ reason: number, payer }: UseRow, replayed: boolean, clearingDate: string): CodeUseReply {
  const reason = reasonOf(number)
  return { paid: codeReasons[reason].paid, reason, payer, replayed, clearingDate }
}

type Told = {
  readonly client: string, readonly told: CodeUse, readonly code: PhoneCode, readonly use: Use
  readonly card: CardRow, readonly known: readonly UseRow[], readonly clearingDate: string
}

/** The card is locked, and this use was never told. */
async function settle (tx: Tx, ledger: CodeBook, snapshot: Snapshot, all: Told): Promise<UseRow> {
  const { client, told, code, use, card, known, clearingDate } = all
  const toldAtMs = ledger.clock.now()
  const paid = known.find(isPaid)
  const verdict = await judge(tx, snapshot, all, paid, toldAtMs)
  const writer = { tx, ledger, snapshot, card, clearingDate, atMs: toldAtMs }
  if (verdict.payer !== null && verdict.instead && paid !== undefined) {
    if (paid.journalId !== null) await giveBack(writer, paid)
    await takeBackUse(tx, paid, codeReasonNumbers.code_used)
    await openItems(tx, [itemOf(writer, paid, 'code_used')], toldAtMs)
  }
  const settled = verdict.payer === null ? null : await pay(writer, use, verdict)
  const reason = settled?.reason ?? verdict.reason
  const row: UseRow = {
    bucket: card.bucket, cardId: card.cardId, nonce: code.nonce, operator: use.operator,
    terminal: use.terminal, atMs: use.atMs, amountFen: BigInt(use.amountFen), code: told.code, client,
    toldAtMs, reason: codeReasonNumbers[reason],
    payer: settled === null ? null : settled.reason === 'ok' ? 'online' : 'issuer',
    journalId: settled?.journalId ?? null, ride: told.ride ?? null
  }
  await insertUse(tx, row)
  const rides = [row, ...paid === undefined ? [] : [paid]].filter(({ ride }) => ride !== null)
  await markDue(tx, rides.map(({ bucket, cardId, atMs }) => ({ bucket, cardId, fromMs: atMs })))
  if (reason === 'code_used' || reason === 'uncovered') {
    await openItems(tx, [itemOf(writer, row, reason)], toldAtMs)
  }
  return row
}

async function judge (
  tx: Tx, snapshot: Snapshot, { code, use, card }: Told, paid: UseRow | undefined, receivedAtMs: number
): Promise<UseVerdict> {
  const terminal = terminalOf(snapshot, use)
  const merchant = merchantOf(snapshot, use.operator)
  const applied = terminal === null ? [] : await findApplied(tx, [terminal.terminalId])
  const policies = snapshot.policiesAt(use.atMs)
  return judgeUse(code, use, {
    terminalKnown: terminal !== null && merchant !== null,
    cardKnown: card.cardType !== 'test',
    receivedAtMs,
    lateMs: policies.lateDays * 24 * hourMs,
    merchantClosed: merchant !== null && isEnded(snapshot, merchant),
    listing: listingAt(await findEntries(tx, [card]), appliedAt(applied, use.atMs), use.atMs, {
      windowMs: policies.blacklistWindowHours * hourMs, reachable: terminal?.reachable ?? true
    }),
    paid: paid === undefined ? null : { ...paid, amountFen: Number(paid.amountFen) }
  })
}

const terminalOf = (
  { terminals, parties }: Snapshot, { operator, terminal }: Use
): TerminalRow | null =>
  terminals.get(terminal)?.find(one => one.partyId === parties.get(operator)?.partyId) ?? null

const merchantOf = ({ accounts }: Snapshot, operator: string): number | null =>
  accounts.get(accountCode('commerce', 'merchant-pending', operator)) ?? null

/* ---- money ---- */

type Writer = {
  readonly tx: Tx, readonly ledger: CodeBook, readonly snapshot: Snapshot, readonly card: CardRow
  readonly clearingDate: string, readonly atMs: number
}
type Move = {
  readonly code: TransferCode, readonly debit: number, readonly credit: number, readonly amountFen: bigint
  readonly eventAtMs: number, readonly corrects: bigint | null, readonly comesBack?: boolean
}

/** The number of the transfer; null where a guarded balance says no. */
async function post (
  { tx, ledger, snapshot, card, clearingDate, atMs }: Writer, { comesBack = false, ...move }: Move
): Promise<bigint | null> {
  const transfer = { bucket: card.bucket, cardId: card.cardId, book: 'commerce' as const, ...move }
  const { results: [result] } = await postGuarded(tx, {
    kind: 'requests', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1
  }, [{ comesBack, transfers: [transfer] }], { accounts: snapshot.guarded, ceilingOf: () => null })
  return result?.outcome === 'posted' ? result.transferIds[0] ?? null : null
}

type Settled = { readonly reason: 'ok' | 'issuer_risk' | 'uncovered', readonly journalId: bigint | null }

/** The operator acted in good faith: where the account does not hold it any more, the issuer bears it. */
async function pay (
  writer: Writer, { operator, amountFen, atMs: eventAtMs }: Use,
  { reason, payer }: Extract<UseVerdict, { instead: boolean }>
): Promise<Settled> {
  const { snapshot } = writer
  if (amountFen === 0) return { reason, journalId: null } // nobody pays for what costs nothing
  const credit = accountId(snapshot, 'commerce', 'merchant-pending', operator)
  const move = { credit, amountFen: BigInt(amountFen), eventAtMs, corrects: null }
  if (payer === 'online') {
    const debit = accountId(snapshot, 'commerce', 'online')
    const journalId = await post(writer, { ...move, code: 'code_payment', debit })
    if (journalId !== null) return { reason, journalId }
  }
  const debit = accountId(snapshot, 'commerce', 'issuer-loss')
  const journalId = await post(writer, { ...move, code: 'code_by_issuer', debit })
  if (journalId === null) throw new Error('nothing guards the issuer\'s loss, and it said no')
  return { reason: payer === 'online' ? 'uncovered' : reason, journalId }
}

async function giveBack (
  writer: Writer, { operator, amountFen, payer, journalId, atMs: eventAtMs }: UseRow
): Promise<void> {
  const { snapshot } = writer
  const back = await post(writer, {
    code: payer === 'online' ? 'code_payment_reversed' : 'code_by_issuer_reversed',
    debit: accountId(snapshot, 'commerce', 'merchant-pending', operator),
    credit: accountId(snapshot, 'commerce', payer === 'online' ? 'online' : 'issuer-loss'),
    amountFen, eventAtMs, corrects: journalId, comesBack: true
  })
  if (back === null) throw new Error('what a code has paid cannot be given back')
}

const itemOf = (
  { card: { bucket, cardId }, clearingDate }: Writer, row: UseRow, why: 'code_used' | 'uncovered'
): FoundItem => ({
  layer: 'E', outcome: why === 'code_used' ? 'DUPLICATE' : 'AMOUNT_DIFF',
  key: `code/${row.nonce}/${row.operator}/${row.terminal}/${row.atMs}`, party: row.operator,
  card: { bucket, cardId }, clearingDate, amountFen: row.amountFen, records: 1,
  evidence: { reason: why, says: codeReasons[why].en, at: new Date(row.atMs).toISOString(), code: row.code }
})

/** By which codes uses are paid and taken back, for whoever verifies. */
export const codeTransfers = {
  paid: [transferCodes.code_payment, transferCodes.code_by_issuer],
  reversed: [transferCodes.code_payment_reversed, transferCodes.code_by_issuer_reversed]
} as const
