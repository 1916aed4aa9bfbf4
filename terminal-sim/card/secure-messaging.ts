// A command under secure messaging as a chip takes it: the challenge it gave just before, the key, and for
// the keys that count, how often in a row the MAC was wrong. It refuses to know what is ordered.
import type { Command } from '../../schemas/epurse/apdu.ts'
import type { KeyName } from '../../schemas/epurse/key-set.ts'
import { openSecured } from '../../schemas/epurse/maintenance.ts'
import { type Outcome, refusal } from './outcome.ts'
import { sw } from './response.ts'
import { type CardState, type Memory, keyOf } from './state.ts'

/** The data in the clear, and the memory with the failures of this key forgiven. */
export type Taken = { readonly data: Uint8Array, readonly memory: Memory }

/** `field`: whether the data are enciphered under the same key. */
export function takeSecured (
  card: CardState, command: Command, name: KeyName, field: 'clear' | 'enciphered'
): Taken | Outcome {
  const { chip: { suite }, session: { challenge } } = card
  const key = keyOf(card, name)
  if (key === null) return refusal(sw.dataMissing)
  if (command.data.length < 4) return refusal(sw.wrongLength)
  if (isWorn(card, name)) return refusal(sw.keyBlocked)
  if (challenge?.length !== 4) return refusal(sw.noRandom)
  const opened = openSecured(command, { suite, key: key.bytes, challenge, field })
  if ('data' in opened) return { data: opened.data, memory: forgiven(card.memory, name) }
  if (opened.wrong !== 'mac') return refusal(opened.wrong === 'length' ? sw.wrongLength : sw.badData)
  return { sw: sw.smMacWrong, memory: failed(card, name) }
}

/**
 * Keys whose wrong MACs are counted: those that give a PIN back or write keys. The maintenance key is not
 * among them, or whoever has a reader could take it from the issuer.
 */
const counted: ReadonlySet<KeyName> = new Set(['pin_unblock', 'pin_reload', 'master'])

export const isWorn = ({ chip, memory }: CardState, name: KeyName): boolean =>
  (memory.macFailures?.[name] ?? 0) >= chip.settings.keyTries

export const failed = ({ memory }: CardState, name: KeyName): Memory => {
  if (!counted.has(name)) return memory
  const failures = (memory.macFailures?.[name] ?? 0) + 1
  return { ...memory, macFailures: { ...memory.macFailures, [name]: failures } }
}

export const forgiven = (memory: Memory, name: KeyName): Memory =>
  memory.macFailures?.[name] === undefined
    ? memory
    : { ...memory, macFailures: { ...memory.macFailures, [name]: 0 } }
