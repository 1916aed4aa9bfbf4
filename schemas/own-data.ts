// The JSON of all that is known of a resident, as he takes it away. It refuses to know anybody else.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'
import { OwnCase } from './case.ts'
import { HolderToken, IdentityDocument } from './holder.ts'
import { OwnCardView, OwnJourneys, OwnServices } from './own.ts'

const closed = { additionalProperties: false } as const

export const OwnData = Type.Object({
  madeAt: Instant,
  holder: HolderToken,
  registeredAt: Instant,
  person: Type.Object({
    document: IdentityDocument, name: Type.String(), phone: Type.Union([Type.String(), Type.Null()])
  }, { ...closed, description: 'whole: it is his own' }),
  cards: Type.Array(Type.Object({
    view: OwnCardView, services: OwnServices, journeys: OwnJourneys
  }, closed), { description: 'with journeys of the last 366 days' }),
  cases: Type.Array(OwnCase, { description: 'the newest first' })
}, { ...closed, $id: 'OwnData' })
export type OwnData = Static<typeof OwnData>
