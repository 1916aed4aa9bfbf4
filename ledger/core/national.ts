// Claims on the national centre: how batches of them are called, and whether a return of one is due. Pure; it
// refuses to know how claims come to be and how a return is booked.
import { addDays, fromDigits } from '../../runtime/instants.ts'
import type { NationalBatch } from '../../schemas/national.ts'
import type { ItemOutcome } from '../../schemas/reconciliation.ts'
import type { RequestReason } from '../../schemas/reasons.ts'

export type BatchKey = { readonly clearingDate: string, readonly centre: string, readonly part: number }

/** `20260302-NAT-1` */
export const batchName = ({ clearingDate, centre, part }: BatchKey): string =>
  `${clearingDate.replaceAll('-', '')}-${centre}-${part}`

/** What the centre fetches and confirms by its SHA-256: JSON in the order of the schema. Golden bytes. */
export const batchBytes = ({ batch, centre, clearingDate, entries }: NationalBatch): Buffer =>
  Buffer.from(JSON.stringify({
    batch, centre, clearingDate,
    entries: entries.map(({ kind, claim, amountFen, record }) => ({ kind, claim, amountFen, record }))
  }))

/** Null for what is no name of a batch, and for a day that is none. */
export function parseBatchName (name: string): BatchKey | null {
  const [, year, month, day, centre = '', part] = /^(2\d{3})(\d\d)(\d\d)-(.+)-(\d{1,6})$/.exec(name) ?? []
  if (part === undefined || fromDigits(`${year}${month}${day}000000`) === null) return null
  return { clearingDate: `${year}-${month}-${day}`, centre, part: Number(part) }
}

/** What the centre owes for one record, as it stands when somebody returns it. */
export type Claim = {
  readonly amountFen: bigint
  readonly clearingDate: string
  /** `withdrawn`: taken back by us; `returned`: charged back before. */
  readonly state: 'owed' | 'withdrawn' | 'returned'
}

export type ReturnDecision =
  | { readonly outcome: 'charged_back' }
  | {
    readonly outcome: 'refused', readonly reason: RequestReason
    /** How an item of reconciliation is to call the difference. */
    readonly difference: ItemOutcome
  }

/** The last day on which a claim may be returned. */
export const returnUntil = (clearingDate: string, returnDays: number): string =>
  addDays(clearingDate, returnDays)

/** `claim` null: nothing of that number was forwarded. Reasons stand in order of precedence. */
export function decideReturn (
  claim: Claim | null, amountFen: bigint,
  { today, returnDays }: { readonly today: string, readonly returnDays: number }
): ReturnDecision {
  if (claim === null) return refused('not_found', 'RIGHT_ONLY')
  if (claim.amountFen !== amountFen) return refused('amount_wrong', 'AMOUNT_DIFF')
  if (claim.state === 'returned') return refused('cannot_return_twice', 'DUPLICATE')
  if (claim.state === 'withdrawn') return refused('conditions_not_met', 'STATE_DIFF')
  if (today > returnUntil(claim.clearingDate, returnDays)) return refused('deadline_passed', 'DATE_DIFF')
  return { outcome: 'charged_back' }
}

const refused = (reason: RequestReason, difference: ItemOutcome): ReturnDecision =>
  ({ outcome: 'refused', reason, difference })
