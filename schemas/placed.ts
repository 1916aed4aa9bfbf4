// Where a terminal stands and for whom it earns: what every device of a gateway is told alike, whatever it
// speaks. It refuses to know protocols.
import { Type } from 'typebox'

const ofOperator = (description: string) => Type.Optional(Type.String({ maxLength: 8, description }))

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
