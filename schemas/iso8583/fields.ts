// The fields of ISO 8583:1987 as point-of-sale terminals of the UnionPay style use them: name, format and
// length of each. A table to be ticked against the standard; it refuses to know how a format lies in bytes.

/** n digits · an, ans text · z track data · b bytes, written as hexadecimal digits in values. */
export type Format = 'n' | 'an' | 'ans' | 'z' | 'b'

/** A number: that many characters, of `b` bytes. `ll`, `lll`: at most so many, told by a length in front. */
export type Length = number | { readonly ll: number } | { readonly lll: number }

export type FieldSpec = {
  readonly name: string
  readonly format: Format
  readonly length: Length
  /** Where an odd number of digits begins in its bytes; a zero fills the other end. */
  readonly align?: 'left' | 'right'
  /** What is left of it in a log or a dump. `card`: ends only; `secret`: nothing. */
  readonly masked?: 'card' | 'secret'
}

export const fields = {
  2: { name: 'card number', format: 'n', length: { ll: 19 }, align: 'left', masked: 'card' },
  3: { name: 'processing code', format: 'n', length: 6 },
  4: { name: 'amount', format: 'n', length: 12 },
  11: { name: 'trace', format: 'n', length: 6 },
  12: { name: 'local time', format: 'n', length: 6 },
  13: { name: 'local date', format: 'n', length: 4 },
  14: { name: 'expiry', format: 'n', length: 4, masked: 'secret' },
  15: { name: 'settlement date', format: 'n', length: 4 },
  22: { name: 'entry mode', format: 'n', length: 3, align: 'left' },
  23: { name: 'card sequence', format: 'n', length: 3, align: 'right' },
  25: { name: 'condition code', format: 'n', length: 2 },
  26: { name: 'PIN capture code', format: 'n', length: 2 },
  32: { name: 'acquirer', format: 'n', length: { ll: 11 }, align: 'left' },
  35: { name: 'track 2', format: 'z', length: { ll: 37 }, align: 'left', masked: 'secret' },
  36: { name: 'track 3', format: 'z', length: { lll: 104 }, align: 'left', masked: 'secret' },
  37: { name: 'reference', format: 'an', length: 12 },
  38: { name: 'authorisation', format: 'an', length: 6 },
  39: { name: 'response code', format: 'an', length: 2 },
  41: { name: 'terminal', format: 'ans', length: 8 },
  42: { name: 'merchant', format: 'ans', length: 15 },
  44: { name: 'response data', format: 'ans', length: { ll: 25 } },
  48: { name: 'totals', format: 'n', length: { lll: 322 }, align: 'left' },
  49: { name: 'currency', format: 'an', length: 3 },
  52: { name: 'PIN block', format: 'b', length: 8, masked: 'secret' },
  53: { name: 'security control', format: 'n', length: 16 },
  54: { name: 'balance', format: 'an', length: { lll: 40 } },
  55: { name: 'chip data', format: 'b', length: { lll: 255 }, masked: 'secret' },
  58: { name: 'purse data', format: 'b', length: { lll: 100 }, masked: 'secret' },
  59: { name: 'private data', format: 'b', length: { lll: 600 }, masked: 'secret' },
  60: { name: 'type, batch, network', format: 'n', length: { lll: 17 }, align: 'left' },
  61: { name: 'original', format: 'n', length: { lll: 29 }, align: 'left' },
  62: { name: 'keys or terminal', format: 'b', length: { lll: 512 }, masked: 'secret' },
  63: { name: 'operator', format: 'ans', length: { lll: 163 } },
  64: { name: 'MAC', format: 'b', length: 8 }
} as const satisfies Readonly<Record<number, FieldSpec>>

export type FieldNumber = keyof typeof fields

/** In the order in which they stand on the wire. */
export const fieldNumbers = Object.keys(fields).map(Number) as readonly FieldNumber[]

/** Values by number: digits, text, or the hexadecimal digits of bytes. */
export type FieldValues = { readonly [N in FieldNumber]?: string }

export const specOf = (number: number): FieldSpec | undefined =>
  (fields as Readonly<Record<number, FieldSpec>>)[number]

/** `field 4 (amount)`: how every error begins. */
export const fieldName = (number: number): string => `field ${number} (${specOf(number)?.name ?? 'not ours'})`
