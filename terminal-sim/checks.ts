// Whether a description from a file can be: each check names the field that cannot. It refuses to know what
// is described.

/** Throws RangeError unless the text is that many bytes of hex. */
export function wantBytes (field: string, text: string, length: number): void {
  const digits = typeof text === 'string' ? text.replaceAll(/\s/g, '') : ''
  if (digits.length === 2 * length && /^[0-9A-Fa-f]*$/.test(digits)) return
  throw new RangeError(`${field}: ${length} bytes of hex wanted`)
}

/** Throws RangeError unless the number is absent, or whole and within the bounds, both included. */
export function wantNumber (field: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return
  throw new RangeError(`${field}: a whole number from ${min} to ${max} wanted, got ${value}`)
}
