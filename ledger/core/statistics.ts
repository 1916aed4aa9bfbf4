// What of a day's rides may be told to everybody: cells of so many different cards, and what is too small
// pooled step by step with what is too small beside it. Pure. It refuses to know SQL and files.

/** No cell is of fewer different cards. */
export const cellCardsMin = 5

/** What a cell is of, all of it known; `hour`: the hour in which it happened. */
export const cellColumns = ['operator', 'day', 'action', 'line', 'hour', 'stop', 'category'] as const
export type CellColumn = typeof cellColumns[number]

/**
 * What is no longer told, step by step: the first step is of whole cells, each following one of what all
 * steps before it left over. So a ride is in one cell at most and no two cells are about the same ride:
 * nothing can be subtracted from anything. What the last step leaves over is not told.
 */
export const poolingSteps: readonly (readonly CellColumn[])[] = [
  [], ['category'], ['category', 'stop'], ['category', 'stop', 'hour'], ['category', 'stop', 'hour', 'line']
]
