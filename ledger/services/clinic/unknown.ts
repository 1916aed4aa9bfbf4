// What becomes of a settlement whose answer did not come: it is asked after, and reversed where nobody knows
// it, until one of the three ends is reached. The table is the whole machine; it refuses to know timers.

/** `unknown`: sent, no answer. `reversing`: a reversal by message id is under way. The rest are ends. */
export const outcomeStates = ['sent', 'unknown', 'reversing', 'settled', 'declined', 'undone'] as const
export type OutcomeState = typeof outcomeStates[number]

/**
 * `found`, `not_found`: what a query by message id answered. `silent`: no answer in time. `reversed`: the
 * reversal was confirmed, or found nothing to take back.
 */
export const outcomeSignals = [
  'approved', 'declined', 'silent', 'found', 'not_found', 'reversed', 'given_up'
] as const
export type OutcomeSignal = typeof outcomeSignals[number]

export const next: Readonly<Record<OutcomeState, Partial<Record<OutcomeSignal, OutcomeState>>>> = {
  sent: {
    approved: 'settled', declined: 'declined', silent: 'unknown',
    given_up: 'reversing' // before its answer is here
  },
  unknown: {
    silent: 'unknown', // asked again later
    found: 'settled', // at the figures of the query
    not_found: 'reversing', // it may still be on its way: only a reversal keeps it from counting
    approved: 'settled', declined: 'declined', // the answer came after all
    given_up: 'reversing' // the person does not wait
  },
  reversing: {
    silent: 'reversing', // sent again, with the same message id
    reversed: 'undone',
    approved: 'reversing', declined: 'reversing' // a late answer of what is being taken back changes nothing
  },
  settled: {}, declined: {}, undone: {}
}

/** A signal that a state has no row for leaves it as it is: an end stays one. */
export const after = (state: OutcomeState, signal: OutcomeSignal): OutcomeState =>
  next[state][signal] ?? state

export const isEnd = (state: OutcomeState): boolean => Object.keys(next[state]).length === 0
