// What people decide about the bank: whose an unidentified line is, and that an instruction was never carried
// out. Each is a proposal of two people and posts in the open date.
import { Type } from 'typebox'
import { lineKey } from './bank-statements.ts'
import { booked } from '../day/close-day.ts'
import { requireAllowed } from '../posting/allowed.ts'
import { attributionOf, settlesInstruction, voidOf } from '../core/bank.ts'
import { cardKey, CardRef } from '../../schemas/record.ts'
import { accountCode } from '../core/chart.ts'
import { masked } from '../core/mask.ts'
import type { PlannedTransfer } from '../core/settlement.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import type { CarryingOut, ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { confirmDays, instructionKey } from '../day/settle.ts'
import { lockLine, lockTold, saveProgress, settleLine, type LineRow } from '../store/bank.ts'
import { branchesOfCards, branchesOfParties } from '../store/branches.ts'
import { findCards } from '../store/cards.ts'
import { insertTreasuryPayment, lockClaim } from '../store/treasury.ts'
import type { Tx } from '../store/db.ts'
import { closeItems, openItems } from '../store/items.ts'
import { openDate } from '../store/lock.ts'
import { postBatch } from '../store/post.ts'

const closed = { additionalProperties: false } as const

/* ---- whose a line is ---- */

type Attribution = {
  readonly line: number, readonly account?: string, readonly instruction?: string, readonly claim?: number
  readonly card?: CardRef
}

/**
 * An unidentified line belongs to an account, to an instruction that it carries out but for a difference, to
 * a claim on the treasury, all of it or a part, or to a holder who wants it on a card: there it waits.
 */
export const attributeLineKind: ProposalKind = {
  body: Type.Object({
    line: Type.Integer({ minimum: 1, description: 'number of the bank line' }),
    account: Type.Optional(Type.String({ description: 'book/heading or book/heading/PARTY' })),
    instruction: Type.Optional(Type.String({ description: 'id of the instruction that it carries out' })),
    claim: Type.Optional(Type.Integer({
      minimum: 1, maximum: 1_000_000_000, description: 'on the treasury, which it pays, all or a part'
    })),
    card: Type.Optional({
      ...CardRef, description: 'whose holder has paid: it waits for the next terminal that loads'
    } as typeof CardRef)
  }, closed),
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { account, instruction, card }: Attribution) => [
    ...await branchesOfParties(tx, [account?.split('/')[2] ?? '', await partyOf(tx, instruction ?? '')]),
    ...card === undefined ? [] : await branchesOfCards(tx, [card])],
  subject: ({ line }: Attribution) => `bank-line/${line}`,
  look: async (tx, ledger, attribution: Attribution) => {
    const { line, transfers } = await planAttribution(tx, ledger, attribution)
    return { state: line.state, amountFen: Number(line.amountFen), transfers: transfers.map(shown) }
  },
  carryOut: async (tx, ledger, attribution: Attribution, how) => {
    const { line, transfers } = await planAttribution(tx, ledger, attribution)
    const { instruction, claim } = attribution
    const batchId = await post(tx, ledger, transfers, how)
    const party = attribution.account?.split('/')[2] ?? null
    const state = instruction === undefined ? 'attributed' : 'confirmed'
    await settleLine(tx, line.lineId, { state, party, instruction: instruction ?? null })
    if (claim !== undefined) {
      await insertTreasuryPayment(tx, { claim, lineId: line.lineId, amountFen: line.amountFen })
    }
    const resolution = `attributed to ${nameOf(attribution)}`
    await closeItems(tx, 'G', [lineKey(line.book, line.reference)], resolution, how.atMs)
    if (instruction !== undefined) {
      const paidLine = line.lineId
      const progress = {
        id: instruction, state: 'confirmed', shortTransfer: null,
        returnedLine: null
      } as const
      await saveProgress(tx, [{ ...progress, paidLine }])
      await closeItems(tx, 'G', [instructionKey(instruction)], resolution, how.atMs)
      await confirmDays(tx, how.approvedBy.at(-1) ?? how.startedBy, how.atMs)
    }
    return { batchId: Number(batchId) }
  }
}

const nameOf = ({ account, instruction, claim, card }: Attribution): string =>
  account ?? (card !== undefined
    ? `card ${masked(card)}`
    : claim === undefined ? `instruction ${instruction}` : `treasury claim ${claim}`)

const partyOf = async (tx: Tx, instruction: string): Promise<string> =>
  (await lockTold(tx, [instruction])).get(instruction)?.party ?? ''

type AttributionPlan = { readonly line: LineRow, readonly transfers: readonly PlannedTransfer[] }

/** Throws Refusal also where the accounts do not take it: nothing is written by then. */
async function planAttribution (
  tx: Tx, ledger: Ledger, attribution: Attribution
): Promise<AttributionPlan> {
  const plan = await attributed(tx, ledger, attribution)
  const snapshot = await ledger.registry()
  await requireAllowed(tx, snapshot, booked(snapshot, plan.transfers, 0))
  return plan
}

async function attributed (
  tx: Tx, ledger: Ledger, { line: id, account, instruction, claim, card }: Attribution
): Promise<AttributionPlan> {
  if ([account, instruction, claim, card].filter(one => one !== undefined).length !== 1) {
    throw new Refusal('body_invalid', 'an account, an instruction, a claim or a card, one of them', '/body')
  }
  const line = await lockLine(tx, BigInt(id))
  if (line === null) throw new Refusal('not_found', `there is no bank line ${id}`, '/body/line')
  if (line.state !== 'unidentified') {
    throw new Refusal('day_state', `bank line ${id} is ${line.state}, not unidentified`)
  }
  if (instruction !== undefined) return { line, transfers: await planInstruction(tx, line, instruction) }
  if (claim !== undefined) return { line, transfers: [await planClaim(tx, line, claim)] }
  if (card !== undefined) return { line, transfers: [await planCard(tx, line, card)] }
  const { accounts } = await ledger.registry()
  if (account === undefined || !accounts.has(account) || !account.startsWith(`${line.book}/`)) {
    const what = `${account} is no account of the ${line.book} book`
    throw new Refusal('registry_invalid', what, '/body/account')
  }
  const transfer = attributionOf(line, account)
  if (transfer.debit === transfer.credit) {
    throw new Refusal('registry_invalid', `the line stands on ${account} already`, '/body/account')
  }
  return { line, transfers: [transfer] }
}

async function planInstruction (tx: Tx, line: LineRow, id: string): Promise<PlannedTransfer[]> {
  const told = (await lockTold(tx, [id])).get(id)
  if (told === undefined || told.book !== line.book) {
    throw new Refusal('not_found', `there is no instruction ${id} in the ${line.book} book`,
      '/body/instruction')
  }
  const transfers = settlesInstruction(line, told)
  if (transfers !== null) return transfers
  throw new Refusal('day_state', `instruction ${id} is ${told.state}, or the line goes the other way`)
}

/** What the treasury paid of a claim; more than is open of it is none of its money. */
async function planClaim (tx: Tx, line: LineRow, claim: number): Promise<PlannedTransfer> {
  const row = await lockClaim(tx, claim)
  if (row === null || line.book !== 'treasury') {
    const what = `there is no claim ${claim} that a line of the ${line.book} book could pay`
    throw new Refusal('not_found', what, '/body/claim')
  }
  const openFen = row.totalFen - row.paidFen
  if (line.amountFen > 0n && line.amountFen <= openFen) {
    return attributionOf(line, accountCode('treasury', 'receivable-treasury'))
  }
  const what = `${openFen} fen are open of claim ${claim}, the line is of ${line.amountFen}`
  throw new Refusal('amount_wrong', what)
}

/** What a holder has paid waits for the chip: whether it may hold so much, its load decides. */
async function planCard (tx: Tx, line: LineRow, ref: CardRef): Promise<PlannedTransfer> {
  const card = (await findCards(tx, [ref])).get(cardKey(ref))
  if (card === undefined || line.book !== 'commerce') {
    const what = `there is no such card that a line of the ${line.book} book could be for`
    throw new Refusal('not_found', what, '/body/card')
  }
  if (card.cardType === 'test' || card.state !== 'normal') {
    const what = card.cardType === 'test' ? 'a test card holds no money' : `the card is ${card.state}`
    throw new Refusal('conditions_not_met', what)
  }
  if (line.amountFen <= 0n) throw new Refusal('amount_wrong', `the line is of ${line.amountFen} fen`)
  const { bucket, cardId } = card
  return { ...attributionOf(line, accountCode('commerce', 'pending-load')), of: { bucket, cardId } }
}

/* ---- an instruction that was never carried out ---- */

type Voiding = { readonly instruction: string }

/** The bank says that it has not carried it out and will not: the amount is open again. */
export const voidInstructionKind: ProposalKind = {
  body: Type.Object({ instruction: Type.String({ description: 'its id' }) }, closed),
  start: ['settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { instruction }: Voiding) =>
    await branchesOfParties(tx, [await partyOf(tx, instruction)]),
  subject: ({ instruction }: Voiding) => `instruction/${instruction}`,
  look: async (tx, _ledger, { instruction }: Voiding) => {
    const { state, direction, party, amountFen } = await lockUnpaid(tx, instruction)
    return { state, direction, party, amountFen: Number(amountFen) }
  },
  carryOut: async (tx, ledger, { instruction }: Voiding, how) => {
    const told = await lockUnpaid(tx, instruction)
    const batchId = await post(tx, ledger, voidOf(told), how)
    const progress = { id: instruction, shortTransfer: null, paidLine: null, returnedLine: null }
    await saveProgress(tx, [{ ...progress, state: 'void' }])
    await closeItems(tx, 'G', [instructionKey(instruction)], 'void', how.atMs)
    await openItems(tx, [{
      layer: 'G', outcome: 'STATE_DIFF', key: instructionKey(instruction), party: told.party,
      clearingDate: await openDate(tx) ?? '', amountFen: told.amountFen, records: 1,
      evidence: { void: true, reason: how.reason }
    }], how.atMs)
    return { batchId: Number(batchId) }
  }
}

async function lockUnpaid (tx: Tx, id: string) {
  const told = (await lockTold(tx, [id])).get(id)
  if (told === undefined) throw new Refusal('not_found', `there is no instruction ${id}`, '/body/instruction')
  if (told.state === 'sent') return told
  throw new Refusal('day_state', `instruction ${id} is ${told.state}, so the bank has done something with it`)
}

/* ---- posting ---- */

async function post (
  tx: Tx, ledger: Ledger, transfers: readonly PlannedTransfer[], { atMs }: CarryingOut
): Promise<bigint> {
  const clearingDate = await openDateOf(tx)
  const { batchId } = await postBatch(tx, {
    kind: 'bank', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: transfers.length,
    transfers: booked(await ledger.registry(), transfers, atMs)
  })
  return batchId
}

const shown = ({ debit, credit, amountFen }: PlannedTransfer) => ({
  debit, credit,
  amountFen: Number(amountFen)
})
