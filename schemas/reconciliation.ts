// The JSON of reconciliation: layers, outcomes, items, runs, and what terminals and parties tell of their own
// side. It refuses to know how things are compared.

export const layers = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I'] as const
/**
 * A terminal batch, B PSAM sequence, C file, D ledger, E card chain, F settlement, G bank, H medical,
 * I float.
 */
export type Layer = typeof layers[number]

/** LEFT_ONLY: we have it, they have not. */
export const itemOutcomes =
  ['LEFT_ONLY', 'RIGHT_ONLY', 'AMOUNT_DIFF', 'STATE_DIFF', 'DATE_DIFF', 'DUPLICATE'] as const
export type ItemOutcome = typeof itemOutcomes[number]
