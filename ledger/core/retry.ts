// When a telling that failed is tried again. Pure; chance is handed in.

export const tellTriesMax = 10
const firstPauseMs = 5_000
const pauseMaxMs = 24 * 3_600_000

/**
 * The pause after the nth try: 5 s, then four times as long each time up to a day, drawn from its upper half
 * so that many receivers that failed together are not called together. Ten tries take about three days.
 */
export function tellPauseMs (tries: number, chance: number): number {
  const wholeMs = Math.min(pauseMaxMs, firstPauseMs * 4 ** (tries - 1))
  return Math.round(wholeMs / 2 + chance * wholeMs / 2)
}
