// PINs that came with orders, until a chip wants them: in memory alone, one for each lane, given to one card,
// overwritten when the time is over. It refuses to know cards and HTTP.
import { unhex } from '../schemas/epurse/hex.ts'
import type { LaneConfig } from '../schemas/gateway.ts'
import { keepForAWhile } from './for-a-while.ts'

export type Pins = {
  /** `pin` undefined: the order came without one, or once more. That of another order is forgotten. */
  ordered (lane: string, charge: string, pin: string | undefined): void
  /** Null where none came with this order, or it was given to another card. */
  of (lane: string, charge: string, card: string): Uint8Array | null
  /** That order needs none any more, or its PIN was wrong, or nobody knows: no chip is given it. */
  forget (lane: string, charge: string): void
  close (): void
}

type Kept = { readonly charge: string, readonly pin: Uint8Array, card: string | null }

const keepPinSeconds = 120

/** `lanes`: how long each of them keeps one. */
export function pinBook (lanes: readonly Pick<LaneConfig, 'lane' | 'keepPinSeconds'>[]): Pins {
  const secondsOf = new Map(lanes.map(one => [one.lane, one.keepPinSeconds]))
  const kept = keepForAWhile<Kept>(({ pin }) => { pin.fill(0) })
  return {
    ordered: (lane, charge, pin) => {
      if (pin !== undefined) {
        kept.put(lane, { charge, pin: unhex(pin), card: null },
          (secondsOf.get(lane) ?? keepPinSeconds) * 1_000)
      } else if (kept.get(lane)?.charge !== charge) {
        kept.forget(lane)
      }
    },
    of: (lane, charge, card) => {
      const found = kept.get(lane)
      if (found?.charge !== charge || (found.card ?? card) !== card) return null
      found.card = card
      return found.pin
    },
    forget: (lane, charge) => { if (kept.get(lane)?.charge === charge) kept.forget(lane) },
    close: kept.close
  }
}
