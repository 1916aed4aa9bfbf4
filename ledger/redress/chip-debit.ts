// A debit that a chip made at a terminal of a company, to pay for something there: named by its PSAM and
// sequence, found once its record has come, given back where nothing took it. It refuses to know what for.
import { placeOf, standingCodes } from '../core/redress.ts'
import type { Ledger } from '../ledger.ts'
import type { Tx } from '../store/db.ts'
import { cardRefs, findOwners, type ChipKey } from '../store/records.ts'
import { findEvent } from '../store/redress.ts'
import { refund } from './refund.ts'

/** `ledger`: one whose database is the transaction. */
export type At = { readonly tx: Tx, readonly ledger: Ledger, readonly party: string }

/**
 * `awaited`: the record is not here yet; the gateway has it, or nobody. `returned`: all of it went back.
 * `other`: of something else, of another amount, or a part of it went back.
 */
export type Debit =
  | { readonly state: 'awaited' | 'returned' | 'other' }
  | { readonly state: 'known', readonly chip: ChipKey }

export type NamedDebit = { readonly psam: string, readonly sequence: bigint }

/** `990000000012-1`; null for what names no debit. */
export function debitNamed (text: string): NamedDebit | null {
  const [, psam, sequence] = /^([0-9A-F]{12})-(\d{1,10})$/.exec(text) ?? []
  return psam === undefined || sequence === undefined ? null : { psam, sequence: BigInt(sequence) }
}

/** The record of that name, if it has come: a sale of this company over this amount. */
export async function findDebit (
  { tx, ledger, party }: At, { psam, sequence }: NamedDebit, amountFen: number
): Promise<Debit> {
  const psams = (await ledger.registry()).psams.get(psam) ?? []
  const chip = (await findOwners(tx, psams.map(({ psamId }) => ({ psamId, sequence })))).at(-1)?.owner
  if (chip === undefined) return { state: 'awaited' }
  const event = await findEvent(tx, chip, standingCodes)
  const place = placeOf(event?.code ?? null)
  const same = event?.operator === party && event.amountFen === BigInt(amountFen)
  if (!same) return { state: 'other' }
  if (event.redressedFen > 0n) return { state: event.redressedFen < event.amountFen ? 'other' : 'returned' }
  if (place === 'nowhere') return { state: 'awaited' } // held, until it is known whether the chip paid
  return place === 'merchant' ? { state: 'known', chip } : { state: 'other' }
}

/** True where it went back, into the pending load of its card; under one reference once. */
export async function returnDebit ({ tx, ledger, party }: At, debit: Debit, how: {
  readonly amountFen: number, readonly by: string, readonly reference: string, readonly reason: string
}): Promise<boolean> {
  if (debit.state !== 'known') return false
  const card = (await cardRefs(tx, [debit.chip])).get(debit.chip.cardId)
  if (card === undefined) return false
  const { amountFen, by: name, reference, reason } = how
  const { state } = await refund(ledger, { name, roles: [], branch: null, party }, {
    card, counter: debit.chip.counter, amountFen, reference, reason
  })
  return state === 'posted'
}
