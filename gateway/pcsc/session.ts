// The state of a lane as a table. While an answer of the card is awaited, the card leaving changes nothing by
// itself: the answer, or its loss, decides. It refuses to know commands and files.
import assert from 'node:assert/strict'

export type State =
  | 'idle'
  | 'reading' // select, files, checks, price; or who the holder is
  | 'proving' // an interrupted payment of this card is being settled
  | 'signing' // INITIALIZE, PSAM, trip record, intent to disk
  | 'debiting' // the debit command is out
  | 'asking' // INITIALIZE for a load, MAC1 to the ledger, intent to disk
  | 'crediting' // the credit command is out
  | 'obeying' // orders of the ledger, one after the other
  | 'recording' // the chip has paid, or holds the value: MAC2, record to disk
  | 'approved'
  | 'declined'
  | 'torn' // unknown: this card settles it when it comes back; others are served

export type Signal =
  | 'card_in' | 'card_out' | 'declined'
  | 'proof_due' | 'proven_here' | 'proven_elsewhere' | 'not_debited' | 'unprovable'
  | 'priced' | 'intent_kept' | 'debited' | 'debit_refused' | 'answer_lost' | 'recorded' | 'unverified'
  | 'load_due' | 'granted' | 'credited' | 'credit_refused'
  | 'identified'
  | 'orders_due' | 'obeyed'

export const next: Record<State, Partial<Record<Signal, State>>> = {
  idle: { card_in: 'reading', card_out: 'idle' },
  reading: {
    identified: 'approved', priced: 'signing', load_due: 'asking', orders_due: 'obeying',
    proof_due: 'proving', declined: 'declined', card_out: 'reading'
  },
  proving: {
    proven_here: 'approved',
    proven_elsewhere: 'reading',
    not_debited: 'reading',
    unprovable: 'reading',
    answer_lost: 'torn',
    card_out: 'proving'
  },
  signing: { intent_kept: 'debiting', declined: 'declined', card_out: 'signing' },
  debiting: { debited: 'recording', debit_refused: 'declined', answer_lost: 'torn', card_out: 'debiting' },
  asking: { granted: 'crediting', declined: 'declined', card_out: 'asking' },
  crediting: {
    credited: 'recording', credit_refused: 'declined', answer_lost: 'torn', card_out: 'crediting'
  },
  obeying: { obeyed: 'approved', declined: 'declined', answer_lost: 'torn', card_out: 'obeying' },
  recording: { recorded: 'approved', unverified: 'torn', card_out: 'recording' },
  approved: { card_out: 'idle' },
  declined: { card_out: 'idle' },
  torn: { card_out: 'idle' }
}

/** At rest nothing is under way with a card. */
export const isResting = (state: State): boolean => next[state].card_out === 'idle'

export type Session = { state (): State, signal (signal: Signal): void }

/** A signal without a row is a mistake in the program and throws. */
export function startSession (onMove: (state: State) => void = () => undefined): Session {
  let state: State = 'idle'
  return {
    state: () => state,
    signal: signal => {
      const to = next[state][signal]
      assert(to !== undefined, `the lane is ${state}: there is no row for ${signal}`)
      state = to
      onMove(state)
    }
  }
}
