// Times at 50, 90 and 99 of a hundred, in ms to the microsecond.

export type Percentiles = { p50: number, p90: number, p99: number }

export function percentiles (times: readonly number[]): Percentiles {
  const sorted = [...times].sort((one, other) => one - other)
  const at = (part: number) => Math.round((sorted[Math.min(
    sorted.length - 1, Math.floor(part * sorted.length)
  )] ?? 0) * 1_000) / 1_000
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99) }
}
