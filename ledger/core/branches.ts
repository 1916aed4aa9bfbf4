// Who of which branch may touch whose money. Pure.

/** Null: of the whole city, or everybody's. */
export type Branch = string | null

/** Stands among what is touched for what no branch decides about. No branch is called so. */
export const wholeCity = 'the whole city'

/** The first branch among those touched that is not one's own; null where all is well. */
export const foreignBranch = (own: Branch, touched: readonly Branch[]): Branch =>
  own === null ? null : touched.find(branch => branch !== null && branch !== own) ?? null
