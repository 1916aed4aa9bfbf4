// Who books when. Cards are split into lanes by their number, and what one lane does comes one after the
// other: so two transactions of files never wait for each other's cards, and while one is decided here the
// database works on the other. It refuses to know what is done.

import type { CardRef } from '../../schemas/record.ts'

/** How many lanes a file of several parts is split into: as many as there are processors to keep busy. */
export const laneCount = 2

/** A card is always in the same lane; what has no card is in the first. */
export function laneOf (card: CardRef | null, lanes: number): number {
  if (card === null || lanes === 1) return 0
  let sum = 0
  for (let at = card.serial.length - charactersAsked; at < card.serial.length; at++) {
    sum += card.serial.charCodeAt(at)
  }
  return sum % lanes
}
const charactersAsked = 4

/** The same from bytes in which a serial ends before `end`. */
export function laneAt (bytes: Uint8Array, end: number, lanes: number): number {
  let sum = 0
  for (let at = end - charactersAsked; at < end; at++) sum += bytes[at] as number
  return sum % lanes
}

export type Lanes = {
  /** Runs the work when all that was given to this lane before is over, well or not. */
  readonly run: <T>(lane: number, work: () => Promise<T>) => Promise<T>
  /** The work under this key, once: whoever asks while it runs waits for the same. */
  readonly join: (key: string, work: () => Promise<void>) => Promise<void>
  /** How much was given to lanes and is not over. */
  readonly waiting: () => number
}

export function createLanes (): Lanes {
  const ends = new Map<number, Promise<unknown>>()
  const running = new Map<string, Promise<void>>()
  let waiting = 0
  const over = () => { waiting -= 1 }
  return {
    run: (lane, work) => {
      const turn = (ends.get(lane) ?? Promise.resolve()).then(work)
      waiting += 1
      ends.set(lane, turn.then(over, over))
      return turn
    },
    join: (key, work) => {
      const known = running.get(key)
      if (known !== undefined) return known
      const started = work().finally(() => running.delete(key))
      running.set(key, started)
      return started
    },
    waiting: () => waiting
  }
}
