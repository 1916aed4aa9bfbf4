// The one shape of every list: its items, and what to ask for next.
import { Type, type TSchema } from 'typebox'

export const pageOf = <T extends TSchema>(item: T) => Type.Object({
  items: Type.Array(item),
  next: Type.Union([Type.String(), Type.Null()], {
    description: 'what to put into `after` or `before` for the next page; null: there is none'
  })
}, { additionalProperties: false })
