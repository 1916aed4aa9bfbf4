// Amounts as banks write them: yuan with two decimals, cut from and put together by digits. No floats.

/** `1153520n` → `11535.20`. */
export function yuanText (fen: bigint): string {
  const digits = String(fen < 0n ? -fen : fen).padStart(3, '0')
  return `${fen < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** `11535.20`, `11535.2`, `11535`, signed or not → fen; null for anything else, finer ones included. */
export function fenOf (text: string): bigint | null {
  const found = /^([+-])?(\d{1,13})(?:\.(\d{1,2})0{0,3})?$/.exec(text)
  if (found === null) return null
  const [, sign, yuan = '', cents = ''] = found
  const fen = BigInt(yuan + cents.padEnd(2, '0'))
  return sign === '-' ? -fen : fen
}
