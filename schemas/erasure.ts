// The JSON of a wish that personal data go: until when the law keeps them.
import { Type, type Static } from 'typebox'
import { Instant, LocalDate } from './api.ts'

export const ErasureView = Type.Object({
  askedAt: Type.Union([Instant, Type.Null()], { description: 'null: nobody has asked' }),
  possibleOn: {
    ...LocalDate, description: 'the law keeps the data until then; later, if a card is still yours'
  } as typeof LocalDate,
  stillHeld: Type.Boolean({ description: 'a card is still yours: the time has not begun' })
}, { additionalProperties: false, $id: 'ErasureView' })
export type ErasureView = Static<typeof ErasureView>
