// Fen as people write money: yuan with two decimals. Digits are moved, nothing is divided.

/** −180 → `-1.80`. */
export function yuanText (amountFen: bigint): string {
  const digits = String(amountFen < 0n ? -amountFen : amountFen).padStart(3, '0')
  return `${amountFen < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}
