// A request that the ledger does not carry out, with its reason from the registry of reasons. It refuses to
// know how the answer is written.
import { parseIso } from '../runtime/instants.ts'
import { requestReasons, type RequestReason } from '../schemas/reasons.ts'

/** Thrown where nothing was changed, or where the transaction around it takes back what was. */
export class Refusal extends Error {
  readonly reason: RequestReason
  /** JSON pointer into the request, or what it is about; null where the request as a whole is meant. */
  readonly where: string | null

  constructor (reason: RequestReason, detail?: string, where: string | null = null) {
    super(detail ?? requestReasons[reason].en)
    this.name = 'Refusal'
    this.reason = reason
    this.where = where
  }
}

/** An instant whose digits fit the schema and perhaps not the calendar. Throws Refusal body_invalid. */
export function instantIn (text: string, where: string): number {
  try {
    return parseIso(text)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Refusal('body_invalid', `not an instant: ${text}`, where)
  }
}
