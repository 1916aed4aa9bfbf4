// Where a terminal stands and for whom it earns: what every device of a gateway is told alike, whatever it
// speaks. It refuses to know protocols.
import { Type } from 'typebox'
import { type Ride, Sense } from './record.ts'

const ofOperator = (description: string) => Type.Optional(Type.String({ maxLength: 8, description }))

/** Where a device stands on its line, as tariff documents name it; what it sells are rides. */
export const onLine = {
  stop: Type.Optional(Type.String({
    minLength: 1, maxLength: 64, description: 'where it stands, as tariff documents name it'
  })),
  sense: Type.Optional({
    ...Sense, description: 'an entry, an exit, or a reader that does not know, as on a bus'
  } as typeof Sense)
} as const

/** The ride that a record tells of: what it says itself wins over where its device stands. */
export function rideOf (device: Partial<Ride>, said: Partial<Ride>): { readonly ride?: Ride } {
  const { stop = device.stop, sense = device.sense, rider, riders } = said
  if (stop === undefined && sense === undefined && rider === undefined && riders === undefined) return {}
  return {
    ride: {
      ...stop === undefined ? {} : { stop }, sense: sense ?? 'either',
      ...rider === undefined ? {} : { rider }, ...riders === undefined ? {} : { riders }
    }
  }
}

/** Fields of a configuration; what is optional goes into each record as it stands. */
export const placed = {
  operator: Type.String({ pattern: '^[A-Z0-9-]{1,15}$', description: 'party code' }),
  terminal: Type.String({
    pattern: '^[A-Z0-9-]{1,8}$', description: 'number of the terminal at its operator'
  }),
  line: ofOperator('line or counter at the operator'),
  vehicle: ofOperator('vehicle or desk'),
  shift: ofOperator('driver or clerk shift')
} as const
