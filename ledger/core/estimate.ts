// When a record happened whose clock cannot be right: between its neighbours in the order of the PSAM. Pure.

export type Neighbour = { readonly sequence: bigint, readonly eventAtMs: number }

/** Without a later neighbour, records are taken to follow each other so closely. */
const stepMs = 1_000

/**
 * Even steps between the two; from one alone, a second a number. Null where there is neither: then nothing
 * says when it was. Whole seconds, as chips tell them.
 */
export function estimateAt (
  sequence: bigint, before: Neighbour | null, after: Neighbour | null
): number | null {
  if (before === null && after === null) return null
  if (before === null) return seconds((after as Neighbour).eventAtMs - steps(sequence, after as Neighbour))
  if (after === null) return seconds(before.eventAtMs + steps(sequence, before))
  const share = Number(sequence - before.sequence) / Number(after.sequence - before.sequence)
  return seconds(before.eventAtMs + (after.eventAtMs - before.eventAtMs) * share)
}

const steps = (sequence: bigint, from: Neighbour): number =>
  Math.abs(Number(sequence - from.sequence)) * stepMs
const seconds = (ms: number): number => Math.floor(ms / 1_000) * 1_000
