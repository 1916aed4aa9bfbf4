// The traffic of a polled line for a tape: who was asked what, and how much was answered. Payloads have cards
// in them and are told by length. It refuses to know files.
import { answers, commands } from '../../schemas/polled/messages.ts'
import { cutPolled } from '../../schemas/polled/frame.ts'
import { bytesCutter, type MaskerMaker } from '../tapes.ts'

const names = new Map<number, string>(
  [...Object.entries(commands), ...Object.entries(answers)].map(([name, code]) => [code, name]))
/** A poll, or its echo, is one byte. */
const pollBit = 0x80

export const polledMasker = (): NonNullable<MaskerMaker> => () => bytesCutter(rest => {
  const [first = 0] = rest
  if (first > pollBit) return { said: () => `poll ${first - pollBit}`, rest: rest.subarray(1) }
  const cut = cutPolled(rest)
  if (cut === null) return null
  if (!cut.ok) {
    return { said: () => `(${rest.length} bytes that are no frame)`, rest: rest.subarray(rest.length) }
  }
  const { address, code, payload } = cut.frame
  const name = names.get(code) ?? `code ${code}`
  return { said: () => `${address} ${name} (${payload.length} bytes)`, rest: cut.rest }
})
