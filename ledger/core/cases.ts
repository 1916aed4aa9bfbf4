// How a resident's case stands, and whether it is late: pure, from its row, its proposal and the calendar.
import type { LocalDate } from '../../runtime/instants.ts'
import type { CaseState, Signal } from '../../schemas/case.ts'
import { addWorkingDays, type Holidays } from './calendar.ts'

type Standing = {
  readonly outcome: 'refused' | 'answered' | 'withdrawn' | null
  /** Of the proposal that staff have started last; null: none. */
  readonly proposal: 'pending' | 'done' | 'refused' | 'stale' | 'withdrawn' | null
}

/** Where the second person did not agree, somebody has to say so in words: it waits on. */
export function caseState ({ outcome, proposal }: Standing): CaseState {
  if (outcome !== null) return outcome
  if (proposal === 'done') return 'granted'
  return proposal === 'pending' ? 'deciding' : 'filed'
}

export const isOver = (state: CaseState): boolean => state !== 'filed' && state !== 'deciding'

/** A warning from one working day before on, yellow behind the day, red `redDays` working days behind it. */
export function signalOf (
  { dueOn, state, today }: {
    readonly dueOn: LocalDate, readonly state: CaseState, readonly today: LocalDate
  },
  redDays: number, holidays: Holidays
): Signal {
  if (isOver(state)) return 'none'
  const late = latenessOf(dueOn, today, redDays, holidays)
  if (late !== 'none') return late
  return addWorkingDays(today, 1, holidays) >= dueOn ? 'due' : 'none'
}

/** How late a case was that ended on this day, or is that has not ended by it. */
export function latenessOf (
  dueOn: LocalDate, on: LocalDate, redDays: number, holidays: Holidays
): 'none' | 'yellow' | 'red' {
  if (on <= dueOn) return 'none'
  return on >= addWorkingDays(dueOn, redDays, holidays) ? 'red' : 'yellow'
}
