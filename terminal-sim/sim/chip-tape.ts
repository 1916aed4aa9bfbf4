// Chips that answer as a tape of chips says, and where a terminal says something else to them than is on it.
// It refuses to know readers and what commands mean.
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { contactlessAtr } from '../atr.ts'
import type { ExchangeText } from '../reader/commands.ts'
import type { ScriptDescription } from '../reader/scripted-chip.ts'
import { commandName } from './apdu-words.ts'
import { UsageError } from './command-line.ts'
import { compareMessages } from './differences.ts'
import type { Compared } from './replay.ts'
import type { Heard, Tape } from './tape.ts'

/** Devices of such a tape: what is `out` is said to the chip, what is `in` it answers. */
export const tapedChips = ['card', 'psam'] as const
export type TapedChip = typeof tapedChips[number]

/** Throws UsageError where it is no tape of chips, or where a command has no answer. */
export function scriptOf (tape: Tape, chip: TapedChip): ScriptDescription {
  if (tape.protocol !== 'apdu') {
    throw new UsageError(`this is a tape of ${tape.protocol}: npm run sim -- replay`)
  }
  const lines = linesOf(tape, chip)
  const exchanges = lines.filter(({ way }) => way === 'out').map(command => {
    const answer = lines[lines.indexOf(command) + 1]
    if (answer?.way !== 'in') throw new UsageError(`line ${command.line}: the ${chip} gives no answer to it`)
    return [hex(command.bytes), hex(answer.bytes)] as const
  })
  return { atr: hex(contactlessAtr(Uint8Array.of())), exchanges, byHeader: true }
}

function linesOf ({ lines }: Tape, chip: TapedChip): Heard[] {
  const strange = lines.find(({ device }) => !tapedChips.some(one => one === device))
  if (strange === undefined) return lines.filter(({ device }) => device === chip)
  throw new UsageError(`line ${strange.line}: “${strange.device}”: one of ${tapedChips.join(', ')}`)
}

/** Command by command, in the order of each chip. */
export function compareSaid (tape: Tape, chip: TapedChip, said: readonly ExchangeText[]): Compared[] {
  const wanted = linesOf(tape, chip).filter(({ way }) => way === 'out')
  const last = wanted.at(-1)?.line ?? 0
  const more = said.slice(wanted.length).map(({ command }): Compared => {
    const further = { field: `behind it, to the ${chip}`, then: 'nothing', now: commandName(command) }
    const differences = [{ ...further, passing: false }]
    return { line: last, then: '', now: command, sameBytes: false, differences }
  })
  return [...wanted.map(({ line, bytes }, at): Compared => {
    const now = said[at]?.command
    return { line, ...compareMessages('apdu', bytes, now === undefined ? null : unhex(now)) }
  }), ...more]
}
