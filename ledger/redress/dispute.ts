// Disputes about card events: raised, answered by the other side, decided, escalated, settled for good. What
// is accepted becomes an adjustment in the open date that names its original; nothing closed is edited.
import { Type } from 'typebox'
import { localDate } from '../../runtime/instants.ts'
import type { DisputeRequest } from '../../schemas/redress.ts'
import { audit } from '../people/audit.ts'
import {
  answerUntil, escalateUntil, next, raiseUntil, tooEarly, towards, type DisputeDays, type DisputeSignal,
  type DisputeState
} from '../core/dispute.ts'
import { moveOf } from '../core/redress.ts'
import type { Ledger } from '../ledger.ts'
import { requireOwnBranch, type Member, type ProposalKind } from '../people/proposals.ts'
import { redress, requireLeft, shownStanding, standingOf, type Standing } from './redress.ts'
import { branchesOfEvent } from './refund.ts'
import { Refusal } from '../refusal.ts'
import { readHolidays } from '../store/calendar.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  endRefused, insertDispute, insertStep, lockDispute, lostDispute, moveDispute, readDisputeSteps,
  type DisputeRow, type DisputeStep
} from '../store/disputes.ts'

/* ---- raise ---- */

/**
 * Raises one; its number. A clerk speaks for holders and for the issuer, or writes down what an operator
 * says; an operator's machine speaks for itself. Throws Refusal not_found, forbidden, other_branch,
 * dispute_unfinished, dispute_over, too_early, deadline_passed, conditions_not_met, amount_wrong,
 * cannot_return_twice.
 */
export async function raiseDispute (ledger: Ledger, by: Member, wanted: DisputeRequest): Promise<bigint> {
  const days = await daysOf(ledger)
  const atMs = ledger.clock.now()
  const today = localDate(atMs)
  return await inTransaction(ledger.db, async tx => {
    const standing = await standingOf(tx, ledger, wanted)
    const { event } = standing
    await requireReach(tx, by, wanted, event.operator, wanted.side === 'operator')
    for (const id of await endRefused(tx, event, today)) await insertStep(tx, id, { ...expired, atMs })
    const holidays = await readHolidays(tx)
    requireRaisable(standing, wanted, raiseUntil(event.clearingDate, days, holidays), today)
    const lost = await lostDispute(tx, event)
    if (lost !== null) throw new Refusal('dispute_over', `dispute ${lost} about it was refused for good`)
    const id = await insertDispute(tx, {
      ...event, side: wanted.side, amountFen: BigInt(wanted.amountFen),
      answerUntil: answerUntil(today, days, holidays)
    })
    if (id === null) throw new Refusal('dispute_unfinished', 'another dispute is about this transaction')
    await note(tx, id, { state: 'RAISED', by: by.name, atMs, stance: null, words: wanted.reason })
    return id
  })
}

const expired = { state: 'FINAL', by: 'system', stance: null, words: 'not escalated in time' } as const

/** In the order of the reasons. */
function requireRaisable (
  standing: Standing, { side, amountFen }: DisputeRequest, until: string, today: string
): void {
  const { event, openDate, disputeId, place } = standing
  if (disputeId !== null) {
    throw new Refusal('dispute_unfinished', `dispute ${disputeId} is about this transaction`)
  }
  if (event.clearingDate >= openDate) {
    throw new Refusal('too_early', `its clearing date ${event.clearingDate} is not cut yet`)
  }
  if (today > until) throw new Refusal('deadline_passed', `it could be raised until ${until}`)
  if (moveOf('dispute', place, towards[side]) === null || (side === 'operator' && event.operator === null)) {
    throw new Refusal('conditions_not_met', `its money is ${place}: the ${side} has nothing to claim`)
  }
  requireLeft(standing, BigInt(amountFen))
}

/* ---- answer, decide, escalate ---- */

/**
 * The other side answers: an operator's machine where its own money is claimed, a clerk for everybody.
 * Throws Refusal not_found, forbidden, other_branch, self_approval, dispute_state, answer_deadline_passed.
 */
export async function answerDispute (
  ledger: Ledger, by: Member, id: bigint, { stance, words }: { stance: 'agrees' | 'contests', words: string }
): Promise<void> {
  await step(ledger, by, id, 'answer', async (tx, dispute, { today, atMs }) => {
    await requireReach(tx, by, originalOf(dispute), dispute.operator, dispute.side !== 'operator')
    await refuseEarlier(tx, dispute, by, ['RAISED'])
    if (today > dispute.answerUntil) {
      throw new Refusal('answer_deadline_passed', `it could be answered until ${dispute.answerUntil}`)
    }
    await moveDispute(tx, id, { state: 'ANSWERED' })
    await note(tx, id, { state: 'ANSWERED', by: by.name, atMs, stance, words })
  })
}

/**
 * Decides by what both sides said, or without an answer once it is overdue. Accepting posts the adjustment.
 * Throws Refusal not_found, other_branch, self_approval, dispute_state, too_early, and what posting says.
 */
export async function decideDispute (
  ledger: Ledger, by: Member, id: bigint, { accepts, words }: { accepts: boolean, words: string }
): Promise<void> {
  const days = await daysOf(ledger)
  await step(ledger, by, id, accepts ? 'accept' : 'refuse', async (tx, dispute, { today, atMs }) => {
    await requireReach(tx, by, originalOf(dispute), dispute.operator, true)
    await refuseEarlier(tx, dispute, by, ['RAISED', 'ANSWERED'])
    if (tooEarly(dispute.state, dispute.answerUntil, today)) {
      throw new Refusal('too_early', `the other side may answer until ${dispute.answerUntil}`)
    }
    if (accepts) {
      const { redressId } = await adjust(tx, ledger, dispute, by.name, atMs)
      await moveDispute(tx, id, { state: 'ACCEPTED', redressId })
    } else {
      const until = escalateUntil(today, days, await readHolidays(tx))
      await moveDispute(tx, id, { state: 'REFUSED', escalateUntil: until })
    }
    const state = accepts ? 'ACCEPTED' as const : 'REFUSED' as const
    await note(tx, id, { state, by: by.name, atMs, stance: accepts ? 'accepts' : 'refuses', words })
  })
}

/**
 * Who raised it goes on after a refusal. Throws Refusal not_found, forbidden, other_branch,
 * prior_step_missing, deadline_passed.
 */
export async function escalateDispute (
  ledger: Ledger, by: Member, id: bigint, { words }: { words: string }
): Promise<void> {
  await step(ledger, by, id, 'escalate', async (tx, dispute, { today, atMs }) => {
    await requireReach(tx, by, originalOf(dispute), dispute.operator, dispute.side === 'operator')
    const until = dispute.escalateUntil ?? today
    if (today > until) throw new Refusal('deadline_passed', `it could be escalated until ${until}`)
    await moveDispute(tx, id, { state: 'ESCALATED' })
    await note(tx, id, { state: 'ESCALATED', by: by.name, atMs, stance: null, words })
  })
}

/* ---- settle for good ---- */

type Final = { readonly dispute: number, readonly accepts: boolean }

/** The last word on an escalated dispute: two people who have not had a word in it before. */
export const disputeFinalKind: ProposalKind = {
  body: Type.Object({
    dispute: Type.Integer({ minimum: 1 }), accepts: Type.Boolean()
  }, { additionalProperties: false }),
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 2,
  branches: async (tx, _ledger, { dispute: id }: Final) => {
    const dispute = await known(tx, BigInt(id))
    return await branchesOfEvent(tx, originalOf(dispute), dispute.operator)
  },
  mayNotDecide: async (tx, by, { dispute: id }: Final) => {
    const steps = await readDisputeSteps(tx, BigInt(id))
    return steps.some(one => one.by === by.name) ? `${by.name} had a word in dispute ${id} before` : null
  },
  subject: ({ dispute }: Final) => `dispute/${dispute}`,
  look: async (tx, ledger, { dispute: id, accepts }: Final) => {
    const dispute = await known(tx, BigInt(id))
    requireSignal(dispute, 'settle')
    const standing = await standingOf(tx, ledger, originalOf(dispute))
    if (accepts) requireLeft(standing, dispute.amountFen)
    return { ...shownStanding(standing), state: dispute.state, claimedFen: Number(dispute.amountFen) }
  },
  carryOut: async (tx, ledger, { dispute: id, accepts }: Final, { startedBy, approvedBy, reason, atMs }) => {
    const dispute = await known(tx, BigInt(id))
    const by = [startedBy, ...approvedBy].join(' + ')
    const adjusted = accepts ? await adjust(tx, ledger, dispute, by, atMs) : null
    const redressId = adjusted === null ? {} : { redressId: adjusted.redressId }
    await moveDispute(tx, dispute.disputeId, { state: 'FINAL', ...redressId })
    const stance = accepts ? 'accepts' : 'refuses'
    await note(tx, dispute.disputeId, { state: 'FINAL', by, atMs, stance, words: reason })
    return { state: 'FINAL', accepts, clearingDate: adjusted?.clearingDate ?? null }
  }
}

/* ---- helpers, in order of use ---- */

async function daysOf (ledger: Ledger): Promise<DisputeDays> {
  const { policies } = await ledger.registry()
  const { disputeRaiseDays: raise, disputeAnswerDays: answer, disputeEscalateDays: escalate } = policies
  return { raise, answer, escalate }
}

/** An operator's machine acts where `own`: its side is asked; a teller for cards of the own branch. */
async function requireReach (
  tx: Tx, by: Member, of: { readonly card: DisputeRequest['card'], readonly counter: number },
  operator: string | null, own: boolean
): Promise<void> {
  if (by.party !== null && (by.party !== operator || !own)) {
    throw new Refusal('forbidden', `this is not for ${by.party} to say`)
  }
  if (by.branch !== null) requireOwnBranch(by, await branchesOfEvent(tx, of, operator))
}

type Now = { readonly today: string, readonly atMs: number }

/** Locks a dispute that the signal may move on, and moves it. */
async function step (
  ledger: Ledger, by: Member, id: bigint, signal: DisputeSignal,
  move: (tx: Tx, dispute: DisputeRow, now: Now) => Promise<void>
): Promise<void> {
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const dispute = await known(tx, id)
    if (by.party !== null && by.party !== dispute.operator) throw unknown(id) // not even that there is one
    requireSignal(dispute, signal)
    await move(tx, dispute, { today: localDate(atMs), atMs })
  })
}

async function known (tx: Tx, id: bigint): Promise<DisputeRow> {
  const dispute = await lockDispute(tx, id)
  if (dispute === null) throw unknown(id)
  return dispute
}

const unknown = (id: bigint): Refusal => new Refusal('not_found', `there is no dispute ${id}`)

function requireSignal ({ disputeId, state }: DisputeRow, signal: DisputeSignal): void {
  if (next[state][signal] !== undefined) return
  const early = signal === 'escalate' || signal === 'settle'
  throw new Refusal(early ? 'prior_step_missing' : 'dispute_state', `dispute ${disputeId} is ${state}`)
}

const originalOf = ({ issuer, serial, issue, counter }: DisputeRow) =>
  ({ card: { issuer, serial, issue }, counter })

async function refuseEarlier (
  tx: Tx, { disputeId }: DisputeRow, by: Member, states: readonly DisputeState[]
): Promise<void> {
  const earlier = (await readDisputeSteps(tx, disputeId)).find(one =>
    one.by === by.name && states.includes(one.state))
  if (earlier === undefined) return
  const what = `${by.name} had a word in dispute ${disputeId} before (${earlier.state})`
  throw new Refusal('self_approval', what)
}

const adjust = async (tx: Tx, ledger: Ledger, dispute: DisputeRow, by: string, atMs: number) =>
  await redress(tx, ledger, await standingOf(tx, ledger, originalOf(dispute)), {
    kind: 'dispute', towards: towards[dispute.side], amountFen: dispute.amountFen, by, atMs
  })

async function note (tx: Tx, id: bigint, step: DisputeStep): Promise<void> {
  await insertStep(tx, id, step)
  const { by, state, stance, words, atMs } = step
  const action = `dispute.${state.toLowerCase()}`
  await audit(tx, atMs, { by, action, subject: `dispute/${id}`, detail: { stance, words } })
}
