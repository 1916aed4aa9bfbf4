// The session of a terminal, as a table: what it may ask in which state, and where that leads. A terminal
// keeps its session over connections and restarts of the gateway; what is missing here is refused.
import type { Kind } from '../../schemas/iso8583/exchanges.ts'

export type SessionState = 'signed_out' | 'signed_in' | 'uploading'
/** `unequal`: the totals of a settlement differ. */
export type Signal = Kind | 'unequal'

const always = { sign_in: 'signed_in', sign_off: 'signed_out' } as const

export const next: Readonly<Record<SessionState, Partial<Readonly<Record<Signal, SessionState>>>>> = {
  signed_out: { ...always, echo: 'signed_out' },
  signed_in: {
    ...always, echo: 'signed_in', purchase: 'signed_in', balance: 'signed_in', void: 'signed_in',
    refund: 'signed_in',
    load: 'signed_in', load_void: 'signed_in', reversal: 'signed_in', settlement: 'signed_in',
    unequal: 'uploading'
  },
  // A reversal may still be owed; the settlement may be told again, with the same answer.
  uploading: {
    sign_in: 'uploading', sign_off: 'uploading', echo: 'uploading', reversal: 'uploading',
    settlement: 'uploading',
    upload: 'uploading', upload_end: 'signed_in'
  }
}
