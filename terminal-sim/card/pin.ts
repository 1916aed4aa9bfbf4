// The PIN of a virtual card: VERIFY and CHANGE by its holder, RELOAD and UNBLOCK by its issuer. Wrong ones
// are counted in the same commit that refuses them. It refuses to know what a PIN is wanted for.
import { isPinLong, openReload, parseChangePin } from '../../schemas/epurse/maintenance.ts'
import { equalConstantTime, hex, unbcd, unhex } from '../../schemas/epurse/hex.ts'
import { type Outcome, type Run, refusal } from './outcome.ts'
import { sw } from './response.ts'
import { failed, forgiven, isWorn, takeSecured } from './secure-messaging.ts'
import {
  type CardState, type Memory, type PinState, hasPinFile, keyOf, pinOf, pinTriesMax
} from './state.ts'

/** The right one gives back all tries. */
export const verifyPin: Run = (card, { p1, p2, data }) => {
  const pin = pinOf(card)
  if (p1 !== 0x00) return refusal(sw.badP1P2)
  if (p2 !== pinId || pin === null) return refusal(sw.dataMissing)
  if (!isPinLong(data)) return refusal(sw.wrongLength)
  const { chip, memory } = card
  return compared(card, pin, data) ?? {
    sw: sw.ok, memory: { ...memory, pinTriesLeft: pinTriesMax(chip) }, session: { pinVerified: true }
  }
}

/** The old one is tried as VERIFY tries it. The holder is as verified afterwards as before. */
export const changePin: Run = (card, { p2, data }) => {
  const pin = pinOf(card)
  if (p2 !== pinId || pin === null) return refusal(sw.dataMissing)
  const pins = parseChangePin(data)
  if (!pins.ok) return refusal(sw.wrongLength)
  if (unbcd(pins.next) === null) return refusal(sw.badData)
  return compared(card, pin, pins.old) ?? { sw: sw.ok, memory: withPin(card, hex(pins.next)) }
}

/** Blocked or not, the new PIN has all its tries. No challenge goes in: the same command works again. */
export const reloadPin: Run = (card, { p2, data }) => {
  const { chip: { suite, settings }, memory } = card
  const key = keyOf(card, 'pin_reload')
  if (p2 !== pinId || key === null || !hasPinFile(card)) return refusal(sw.dataMissing)
  if (!isPinLong(data.subarray(0, -4))) return refusal(sw.wrongLength)
  if (isWorn(card, 'pin_reload')) return refusal(sw.keyBlocked)
  const next = openReload(data, { suite, drpk: key.bytes })
  if (next === null) return { sw: settings.reloadMacSw, memory: failed(card, 'pin_reload') }
  if (unbcd(next) === null) return refusal(sw.badData)
  return renewed({ ...card, memory: forgiven(memory, 'pin_reload') }, next)
}

/** The PIN inside, the old one or another, is the PIN from now on. */
export const unblockPin: Run = (card, command) => {
  const { unblockNames } = card.chip.settings
  const [id, other] = unblockNames === 'p1' ? [command.p1, command.p2] : [command.p2, command.p1]
  if (other !== 0x00) return refusal(sw.badP1P2)
  if (id !== pinId || pinOf(card) === null) return refusal(sw.dataMissing)
  const taken = takeSecured(card, command, 'pin_unblock', 'enciphered')
  if ('sw' in taken) return taken
  if (!isPinLong(taken.data) || unbcd(taken.data) === null) return refusal(sw.badData)
  return renewed({ ...card, memory: taken.memory }, taken.data)
}

/** A card has one. */
const pinId = 0x00

/** Why not, counted; null where it is the right one. */
function compared (
  { memory }: CardState, { digits, triesLeft }: PinState, given: Uint8Array
): Outcome | null {
  if (triesLeft === 0) return refusal(sw.pinBlocked)
  if (equalConstantTime(given, unhex(digits))) return null
  const left = triesLeft - 1
  return {
    sw: wrongPin | left, memory: { ...memory, pinTriesLeft: left }, session: { pinVerified: false }
  }
}
/** 63Cx: x tries are left. */
const wrongPin = 0x63C0

const withPin = ({ chip, memory }: CardState, pinDigits: string): Memory =>
  ({ ...memory, pinDigits, pinTriesLeft: pinTriesMax(chip) })

const renewed = (card: CardState, pin: Uint8Array): Outcome =>
  ({ sw: sw.ok, memory: withPin(card, hex(pin)), session: { pinVerified: false } })
