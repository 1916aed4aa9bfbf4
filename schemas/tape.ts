// Tapes: the traffic of a port as lines of JSON, and how they are switched on. It refuses to know protocols.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'

const closed = { additionalProperties: false } as const

/** One line of a tape. */
export const TapeLine = Type.Object({
  at: Instant,
  device: Type.String({ description: 'the wire: a port, with the peer where it is a connection' }),
  way: Type.Unsafe<'in' | 'out' | 'end'>(Type.String({ enum: ['in', 'out', 'end'] })),
  said: Type.String({ description: 'one message, masked by its protocol; why it ended' })
}, { ...closed, $id: 'TapeLine' })
export type TapeLine = Static<typeof TapeLine>

export const TapeRequest = Type.Object({
  seconds: Type.Integer({ minimum: 0, maximum: 86_400, description: 'from now on; 0 switches it off' })
}, { ...closed, $id: 'TapeRequest' })

export const TapeView = Type.Object({
  port: Type.String(),
  until: Type.Union([Instant, Type.Null()], { description: 'null: it is off' }),
  lines: Type.Integer({ description: 'written since the start' }),
  dropped: Type.Integer({ description: 'that could not be written' }),
  file: Type.String({ description: 'the youngest; .1, .2, .3 before its ending are older' })
}, { ...closed, $id: 'TapeView' })
export type TapeView = Static<typeof TapeView>
