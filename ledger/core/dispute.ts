// A dispute as a machine: states, what moves it on, and until when. The table is the rule. Pure.
import type { LocalDate } from '../../runtime/instants.ts'
import { addWorkingDays, type Holidays } from './calendar.ts'
import type { Towards } from './redress.ts'

export const disputeStates = ['RAISED', 'ANSWERED', 'ACCEPTED', 'REFUSED', 'ESCALATED', 'FINAL'] as const
export type DisputeState = typeof disputeStates[number]
export const disputeSides = ['holder', 'operator', 'issuer'] as const
export type DisputeSide = typeof disputeSides[number]
export type DisputeSignal = 'answer' | 'accept' | 'refuse' | 'escalate' | 'settle'

/** A decision without an answer has to wait until the answer is overdue: see `tooEarly`. */
export const next: Readonly<Record<DisputeState, Partial<Record<DisputeSignal, DisputeState>>>> = {
  RAISED: { answer: 'ANSWERED', accept: 'ACCEPTED', refuse: 'REFUSED' },
  ANSWERED: { accept: 'ACCEPTED', refuse: 'REFUSED' },
  ACCEPTED: {},
  REFUSED: { escalate: 'ESCALATED' },
  ESCALATED: { settle: 'FINAL' },
  FINAL: {}
}

/** To whom the money goes where the dispute is accepted. */
export const towards: Readonly<Record<DisputeSide, Towards>> =
  { holder: 'holder', issuer: 'holder', operator: 'operator' }

/** Working days: to raise, counted from the clearing date; to answer; to go on with a refused one. */
export type DisputeDays = { readonly raise: number, readonly answer: number, readonly escalate: number }

export const raiseUntil = (cleared: LocalDate, days: DisputeDays, holidays: Holidays): LocalDate =>
  addWorkingDays(cleared, days.raise, holidays)
export const answerUntil = (today: LocalDate, days: DisputeDays, holidays: Holidays): LocalDate =>
  addWorkingDays(today, days.answer, holidays)
export const escalateUntil = (today: LocalDate, days: DisputeDays, holidays: Holidays): LocalDate =>
  addWorkingDays(today, days.escalate, holidays)

/** The other side may still answer. */
export const tooEarly = (state: DisputeState, until: LocalDate, today: LocalDate): boolean =>
  state === 'RAISED' && today <= until
