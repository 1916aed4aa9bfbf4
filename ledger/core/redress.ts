// Where the money of a card event is, and how it goes to whom it is due. Pure; it refuses to know disputes,
// refunds and their limits.
import { transferCodes, type Heading, type TransferCode } from './chart.ts'

/** With the operator, as paid by the holder or by the issuer; left the chip for nobody; or nowhere. */
export type Place = 'merchant' | 'merchant-by-issuer' | 'unpaid' | 'nowhere'
export type Towards = 'holder' | 'operator'
export type RedressKind = 'refund' | 'release' | 'dispute'

const places: ReadonlyMap<number, Place> = new Map<number, Place>([
  [transferCodes.tap, 'merchant'],
  [transferCodes.tap_adjusted, 'merchant'],
  [transferCodes.issuer_risk, 'merchant-by-issuer'],
  [transferCodes.unpaid, 'unpaid'],
  [transferCodes.unpaid_adjusted, 'unpaid']
])

/** Codes of transfers that say where the money of an event stands. */
export const standingCodes: readonly number[] = [...places.keys()]

/** By the last transfer that the event caused; null where it caused none. */
export const placeOf = (lastCode: number | null): Place =>
  lastCode === null ? 'nowhere' : places.get(lastCode) ?? 'nowhere'

export type Move = { readonly debit: Heading, readonly credit: Heading, readonly code: TransferCode }

const codes = {
  refund: 'refund', release: 'unpaid_released', dispute: 'dispute_adjusted'
} as const satisfies Record<RedressKind, TransferCode>

/** Takes a redress back: its transfer with the sides swapped. */
export const voidCodes = {
  refund: 'refund_reversed', release: 'unpaid_release_reversed', dispute: 'dispute_reversed'
} as const satisfies Record<RedressKind, TransferCode>

const ways: Readonly<Record<Place, Partial<Record<Towards, Pick<Move, 'debit' | 'credit'>>>>> = {
  // Value returns to a chip only through an online load, so it waits for one.
  merchant: { holder: { debit: 'merchant-pending', credit: 'pending-load' } },
  // The account that paid gets it back.
  'merchant-by-issuer': { holder: { debit: 'merchant-pending', credit: 'issuer-loss' } },
  unpaid: {
    holder: { debit: 'unpaid-debits', credit: 'pending-load' },
    operator: { debit: 'unpaid-debits', credit: 'merchant-pending' }
  },
  nowhere: {}
}

/** How money at a place goes to whom it is due; null where it cannot, or is there already. */
export function moveOf (kind: RedressKind, place: Place, towards: Towards): Move | null {
  if (kind === 'refund' && place !== 'merchant') return null
  if (kind === 'release' && place !== 'unpaid') return null
  const way = ways[place][towards]
  return way === undefined ? null : { ...way, code: codes[kind] }
}
