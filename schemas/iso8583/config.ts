// What a gateway is told of a port at which terminals speak ISO 8583: framing, MAC, who they are, whose cards
// they read. Master keys are not here: they come from an encrypted key file.
import { Type, type Static } from 'typebox'
import { lengthHeaders, type LengthStyle } from './framing.ts'
import { macStyles, type MacStyle } from './mac.ts'

const closed = { additionalProperties: false } as const
const oneOf = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], description }))

export const PosTerminal = Type.Object({
  terminal: Type.String({
    pattern: '^[A-Z0-9-]{1,8}$',
    description: 'field 41, without the blanks behind it'
  }),
  merchant: Type.String({ pattern: '^[\\x21-\\x7e]{1,15}$', description: 'field 42' }),
  operator: Type.String({ pattern: '^[A-Z0-9-]{1,15}$', description: 'party code of who is paid' })
}, { ...closed, $id: 'PosTerminal' })
export type PosTerminal = Static<typeof PosTerminal>

export const Iso8583Speaks = Type.Object({
  protocol: Type.Literal('iso8583'),
  length: Type.Optional(oneOf(Object.keys(lengthHeaders) as LengthStyle[], 'in front of each message; nac')),
  line: Type.Optional(Type.Boolean({ description: 'true: inside STX, ETX and LRC, with ACK, NAK; false' })),
  byteGapMs: Type.Optional(Type.Integer({
    minimum: 1, maximum: 120_000, description: 'line: a frame that stands still for so long is broken; 500'
  })),
  mac: Type.Optional(oneOf(Object.keys(macStyles) as MacStyle[], 'how field 64 is made; ecb')),
  macKeyBytes: Type.Optional(Type.Union([Type.Literal(8), Type.Literal(16)], {
    description: 'of a slot of 16 bytes some terminals use the first 8 as MAC key; 16'
  })),
  unsigned: Type.Optional(Type.Array(Type.String({ pattern: '^0[2345]\\d0$' }), {
    description: 'message types that need no field 64 besides 0800 and 0820; none'
  })),
  deadlineMs: Type.Optional(Type.Integer({
    minimum: 100, maximum: 60_000,
    description: 'how long the ledger may take before a request is taken back; 8000'
  })),
  terminals: Type.Array(PosTerminal, { maxItems: 20_000 }),
  issuers: Type.Array(Type.Object({
    begins: Type.String({ pattern: '^\\d{1,19}$', description: 'first digits of field 2' }),
    issuer: Type.String({ pattern: '^[0-9A-F]{16}$', description: 'bytes 0-7 of file 0015' })
  }, closed), { description: 'whose cards; the longest beginning counts' })
}, { ...closed, $id: 'Iso8583Speaks' })
export type Iso8583Speaks = Static<typeof Iso8583Speaks>
