// May a purse pay this? Once below zero, within the limit, and not again before a load. Pure.
export type Payment = 'paid' | 'insufficient_funds'

/** What costs nothing passes. A purse at or below zero pays for nothing. */
export function mayPay (balanceFen: number, dueFen: number, overdraftFenMax: number): Payment {
  if (dueFen === 0 || balanceFen >= dueFen) return 'paid'
  return balanceFen > 0 && balanceFen - dueFen >= -overdraftFenMax ? 'paid' : 'insufficient_funds'
}
