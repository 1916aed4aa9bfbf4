// The JSON of reconciliation: layers, outcomes, items, runs, and what terminals and parties tell of their own
// side. It refuses to know how things are compared.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant, LocalDate } from './api.ts'
import { limits } from './limits.ts'

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

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const fen = (description: string) => Type.Integer({
  minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, description
})
const literals = <T extends string>(values: readonly T[]) =>
  Type.Unsafe<T>(Type.String({ enum: [...values] }))
const Party = Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })
const Count = Type.Integer({ minimum: 0 })

export const LayerName = literals(layers)
export const OutcomeOfItem = literals(itemOutcomes)

/* ---- items ---- */

export const ItemView = Type.Object({
  item: Type.Integer({ description: 'its number' }),
  layer: LayerName,
  outcome: OutcomeOfItem,
  key: Type.String({ description: 'names the thing inside its layer' }),
  party: orNull(Party),
  card: orNull(Type.String({ description: 'masked' })),
  clearingDate: LocalDate,
  amountFen: fen('our side less theirs'),
  records: Count,
  evidence: Type.Unknown(),
  proposal: Type.Unknown({ description: 'posting that would settle it, or null' }),
  state: literals(['open', 'closed']),
  owner: orNull(Type.String()),
  note: orNull(Type.String()),
  resolution: orNull(Type.String({ description: 'how it was closed' })),
  openedAt: Instant,
  ageDays: Type.Integer({ description: 'whole days that it is or was open' }),
  closedAt: orNull(Instant)
}, { ...closed, $id: 'ItemView' })
export type ItemView = Static<typeof ItemView>

const Note = Type.String({ minLength: 1, maxLength: 500 })
const Reason = Type.String({ minLength: 10, maxLength: 500, description: 'why, for whoever audits' })
export const ItemOwner = Type.Object({ owner: orNull(Type.String({ maxLength: 64, description: 'staff' })) },
  { ...closed, $id: 'ItemOwner' })
export const ItemNote = Type.Object({ note: Note }, { ...closed, $id: 'ItemNote' })
export const ItemClosing = Type.Object({ reason: Reason }, { ...closed, $id: 'ItemClosing' })
export const ItemsAction = Type.Object({
  items: Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 1_000 }),
  owner: Type.Optional(orNull(Type.String({ maxLength: 64 }))),
  note: Type.Optional(Note),
  close: Type.Optional(Reason)
}, { ...closed, $id: 'ItemsAction', description: 'the same done to many items, all or none' })
export type ItemsAction = Static<typeof ItemsAction>

/* ---- runs ---- */

export const matchOutcomes = ['MATCHED', ...itemOutcomes] as const
const SideTotal = Type.Object({ count: Count, sumFen: fen('sum') }, closed)
export const RunView = Type.Object({
  layer: LayerName,
  date: LocalDate,
  at: Instant,
  by: Type.String(),
  ok: Type.Boolean({ description: 'everything matched, or is carried to the day after' }),
  outcomes: Type.Array(Type.Object({
    outcome: literals(matchOutcomes), left: SideTotal, right: SideTotal
  }, closed)),
  note: orNull(Type.String())
}, { ...closed, $id: 'RunView' })
export type RunView = Static<typeof RunView>

export const FloatBook = Type.Object({
  book: Type.String(),
  heldFen: fen('at the custody bank'),
  transitFen: fen('on its way there, less what is on its way out'),
  holdersFen: fen('owed to holders'),
  partiesFen: fen('owed to operators and agents, and receipts without an owner'),
  ownFen: fen('commission less its cost and less losses'),
  offFen: fen('held + in transit − owed − own: 0'),
  uncoveredFen: fen('owed to holders with nothing against it: 0')
}, closed)
export const FloatView = Type.Object({
  date: LocalDate,
  red: Type.Boolean({ description: 'true: payments are not approved unless two people override it' }),
  books: Type.Array(FloatBook),
  faults: Type.Array(Type.String(
    { description: 'what is off, with the account or bank line it is attributed to' }))
}, { ...closed, $id: 'FloatView' })
export type FloatView = Static<typeof FloatView>

/* ---- what the other side tells ---- */

const ClassTotal = Type.Object({ count: Count, amountFen: Type.Integer({ minimum: 0 }) }, closed)
export const TerminalTotals = Type.Object({
  operator: Party,
  terminal: Type.String({ pattern: '^[A-Z0-9-]{1,8}$' }),
  batch: Type.String({
    pattern: '^[0-9A-Za-z-]{1,32}$',
    description: "the terminal's own number of the batch"
  }),
  psam: Type.String({ pattern: '^[0-9A-F]{12}$' }),
  issue: Type.Integer({ minimum: 1, maximum: 255 }),
  fromSequence: Type.Integer({ minimum: 0, description: 'first PSAM sequence of the batch' }),
  toSequence: Type.Integer({ minimum: 0, description: 'last one' }),
  consume: ClassTotal,
  return: ClassTotal,
  load: ClassTotal,
  records: Type.Optional(Type.Array(Type.Object({
    sequence: Type.Integer({ minimum: 0 }), amountFen: Type.Integer({ minimum: 0 })
  }, closed), { maxItems: limits.recordsPerDeliveryMax }))
}, { ...closed, $id: 'TerminalTotals' })
export type TerminalTotals = Static<typeof TerminalTotals>

export const TerminalCheck = Type.Object({
  terminal: Type.String(),
  batch: Type.String(),
  code: Type.Integer({
    minimum: 0, maximum: 7, description: '0 all equal; consume 1, return 2, load 4, added up'
  }),
  classes: Type.Array(Type.Object({
    class: literals(['consume', 'return', 'load']), equal: Type.Boolean(), told: ClassTotal,
    received: ClassTotal
  }, closed)),
  records: Type.Array(Type.Object({
    class: literals(['consume', 'return', 'load']), sequence: Type.Integer(), toldFen: orNull(Type.Integer()),
    receivedFen: orNull(Type.Integer()), delivery: orNull(Type.String()), line: orNull(Type.Integer())
  }, closed), { description: 'records of the classes that differ' })
}, { ...closed, $id: 'TerminalCheck' })
export type TerminalCheck = Static<typeof TerminalCheck>

export const PartyPosition = Type.Object({
  party: Party,
  book: Type.Optional(Type.String({ pattern: '^[a-z]{1,12}$', description: 'commerce when absent' })),
  date: LocalDate,
  claimsFen: fen('claims and adjustments of the date, before commission'),
  items: Type.Optional(Type.Array(Type.Object({
    ref: Type.String({ maxLength: 64, description: 'name of a file, or PSAM/SEQUENCE of a record' }),
    amountFen: fen('accepted')
  }, closed), {
    maxItems: limits.recordsPerDeliveryMax, description: 'what the total is made of, or part of it'
  }))
}, { ...closed, $id: 'PartyPosition', description: 'sent again it takes the place of what was sent before' })
export type PartyPosition = Static<typeof PartyPosition>

export const MedicalTotals = Type.Object({
  date: LocalDate,
  items: Type.Array(Type.Object({
    settlement: Type.String({ pattern: '^[0-9A-Za-z-]{1,40}$' }), amountFen: fen('of the whole bill'),
    state: literals(['settled', 'cancelled']),
    fundsFen: Type.Optional(fen('all funds together; told with accountFen')),
    accountFen: Type.Optional(fen('the personal account'))
  }, closed), { maxItems: limits.recordsPerDeliveryMax })
}, { ...closed, $id: 'MedicalTotals' })
export type MedicalTotals = Static<typeof MedicalTotals>
