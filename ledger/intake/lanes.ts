// Who books when. Cards are split into lanes by their number, and what one lane does comes one after the
// other: so two transactions of files never wait for each other's cards, and while one is decided here the
// database works on the other. It refuses to know what is done.

import type { CardRef } from '../../schemas/record.ts'

/**
 * How many transactions of files are under way at once: one more than the processors there are to keep busy,
 * for while one waits for the disk. With two of them two processors were idle a fifth of the time.
 */
const lanesAtOnce = 3
const linesPerLane = 10_000

/**
 * How many lanes a file is split into, so that a transaction has some ten thousand lines: with fewer
 * each costs more (5,000 lines: 40 µs of the server a record where 10,000 cost 31), with more of them cards
 * are kept from others for longer. `lines`: those of its largest part.
 */
export const lanesFor = (lines: number): number =>
  lanesAtOnce * Math.max(1, Math.round(lines / lanesAtOnce / linesPerLane))

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
  /**
   * Runs the work when all that was given to this lane before is over, well or not. Lanes whose numbers leave
   * the same when divided by how many run at once are one lane here: those of one file are those of another
   * that has fewer of them.
   */
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
      const own = lane % lanesAtOnce
      const turn = (ends.get(own) ?? Promise.resolve()).then(work)
      waiting += 1
      ends.set(own, turn.then(over, over))
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
