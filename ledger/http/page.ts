// The one shape of every list: its items, and what to ask for next. A list is read from a place on (`after`:
// oldest first) or back from one (`before`: newest first); the place is the key of the last item shown, so
// that pages stay where they are while rows are added.
import { Type, type TSchema } from 'typebox'
import { limits } from '../../schemas/limits.ts'
import { Refusal } from '../refusal.ts'

export const pageOf = <T extends TSchema>(item: T) => Type.Object({
  items: Type.Array(item),
  next: Type.Union([Type.String(), Type.Null()], {
    description: 'what to put into `after` or `before` for the next page; null: there is none'
  })
}, { additionalProperties: false })

const Limit = Type.Optional(Type.String({
  pattern: '^\\d{1,4}$', description: `at most ${limits.pageItemsMax}; 100 when absent`
}))

/** Query of a list from its beginning on. `pattern`: what its places look like. */
export const paging = (pattern: string) => ({
  after: Type.Optional(Type.String({ pattern, description: '`next` of the page before' })), limit: Limit
})

/** Query of a list that begins with the newest. */
export const pagingBack = (pattern: string) => ({
  before: Type.Optional(Type.String({ pattern, description: '`next` of the page before' })), limit: Limit
})

export const pageLimit = (text: string | undefined): number =>
  Math.max(1, Math.min(Number(text ?? '100'), limits.pageItemsMax))

/** A page of rows that were read with this limit: where it is full, another may follow. */
export const page = <Row, Item>(
  rows: readonly Row[], limit: number, view: (row: Row) => Item, placeOf: (row: Row) => string | bigint
): { items: Item[], next: string | null } => {
  const last = rows.at(-1)
  return {
    items: rows.map(view),
    next: last === undefined || rows.length < limit ? null : String(placeOf(last))
  }
}

/** A page of a list that is short and read whole. Throws Refusal body_invalid. */
export function slice<Item> (
  all: readonly Item[], { after, limit }: { after?: string, limit?: string }, keyOf: (item: Item) => string
): { items: Item[], next: string | null } {
  const count = pageLimit(limit)
  const from = after === undefined ? 0 : all.findIndex(item => keyOf(item) === after) + 1
  if (after !== undefined && from === 0) {
    throw new Refusal('body_invalid', `no page ended at ${after}, or it is gone: begin again`, '/after')
  }
  const items = all.slice(from, from + count)
  const last = items.at(-1)
  return { items, next: last === undefined || from + count >= all.length ? null : keyOf(last) }
}

/** A page of what is computed anew in one order each time: its place is how many came before. */
export function byPlace<Item> (
  all: readonly Item[], { after, limit }: { after?: string, limit?: string }
): { items: Item[], next: string | null } {
  const [from, count] = [Number(after ?? '0'), pageLimit(limit)]
  const end = from + count
  return { items: all.slice(from, end), next: end >= all.length ? null : String(end) }
}
