// What a gateway is told of a POS line: who stands there, and what its frames look like.
import { Type, type Static } from 'typebox'
import { onLine, placed } from '../placed.ts'

const closed = { additionalProperties: false } as const
const Milliseconds = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 10, maximum: 120_000, description }))

export const PosTerminal = Type.Object({ ...placed, ...onLine }, closed)
export type PosTerminal = Static<typeof PosTerminal>

export const PosLineSpeaks = Type.Object({
  protocol: Type.Literal('pos-line'),
  terminals: Type.Array(PosTerminal, {
    minItems: 1, maxItems: 5_000, description: 'who may speak here; one alone need not name itself'
  }),
  lrc: Type.Optional(Type.Object({
    start: Type.Integer({ minimum: 0, maximum: 255, description: 'where the exclusive-or begins' }),
    stx: Type.Boolean({ description: 'STX is counted' }),
    etx: Type.Boolean({ description: 'ETX is counted' })
  }, { ...closed, description: 'data and ETX, from 0' })),
  ackTimeoutMs: Milliseconds('an answer is sent again when nobody acknowledges it for so long; 800'),
  answerMs: Milliseconds('the ledger is asked for so long; less than the POS waits; 8000'),
  byteGapMs: Milliseconds('a frame that stands still for so long is broken; 500'),
  sendsMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 10, description: 'of one answer; 4' })),
  language: Type.Optional(Type.Unsafe<'en' | 'zh'>(Type.String({
    enum: ['en', 'zh'], description: 'of the text for the clerk, in UTF-8; zh'
  })))
}, closed)
export type PosLineSpeaks = Static<typeof PosLineSpeaks>
