// The simplest thing a port can speak: what comes goes back. For trying a cable, and for measuring.
import { Type, type Static } from 'typebox'

export const EchoSpeaks = Type.Object({ protocol: Type.Literal('echo') }, { additionalProperties: false })
export type EchoSpeaks = Static<typeof EchoSpeaks>
