// What a gateway is told of a polled line: which terminal stands at which address, and how long it waits.
import { Type, type Static } from 'typebox'
import { onLine, placed } from '../placed.ts'

const closed = { additionalProperties: false } as const
const Milliseconds = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: 120_000, description }))

export const PolledTerminal = Type.Object({
  address: Type.Integer({ minimum: 1, maximum: 127, description: 'on the line, once' }),
  psam: Type.Optional(Type.String({
    pattern: '^[0-9A-F]{12}$',
    description: 'terminal number that its PSAM must have; absent: whatever answers at the address serves'
  })),
  ...placed,
  ...onLine
}, closed)
export type PolledTerminal = Static<typeof PolledTerminal>

export const PolledSpeaks = Type.Object({
  protocol: Type.Literal('polled'),
  terminals: Type.Array(PolledTerminal, { minItems: 1, maxItems: 127 }),
  echoMs: Milliseconds('a terminal that does not echo its poll for so long is not there; 100'),
  answerMs: Milliseconds('the answer to a command is whole after so long; 800'),
  turnMs: Milliseconds('between two turns of one terminal that has nothing to tell; 500'),
  silentMsMax: Milliseconds('between two polls of a terminal that stays silent or mad, at most; 15000'),
  driftMsMax: Milliseconds('a clock that is further off is set; 2000'),
  tellAgainMs: Milliseconds('until what a terminal did not take is brought to it once more; 60000')
}, closed)
export type PolledSpeaks = Static<typeof PolledSpeaks>
