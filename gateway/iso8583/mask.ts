// The traffic of an ISO 8583 port for a tape: whole messages, masked field by field. It refuses to know
// files.
import type { Iso8583Speaks } from '../../schemas/iso8583/config.ts'
import { type Cut, cutFrame, type Framing } from '../../schemas/iso8583/framing.ts'
import { maskMessage } from '../../schemas/iso8583/mask.ts'
import { bytesCutter, type MaskerMaker } from '../tapes.ts'

export function iso8583Masker ({ length = 'nac', line = false }: Iso8583Speaks, numbers: boolean):
NonNullable<MaskerMaker> {
  const framing: Framing = { length, line }
  const told = (cut: Cut, bytes: number): string => {
    if (cut.kind === 'message') return maskMessage(cut.message, { numbers })
    return cut.kind === 'broken' ? `(${bytes} bytes that are no frame)` : cut.kind
  }
  return () => bytesCutter(rest => {
    const found = cutFrame(rest, framing)
    return found === null
      ? null
      : { said: () => told(found.cut, rest.length - found.rest.length), rest: found.rest }
  })
}
