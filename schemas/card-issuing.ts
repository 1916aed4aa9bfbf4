// The JSON of making cards: the cards of a batch without their secrets, and one signed step for the chip that
// lies on the reader of an issuing desk. It refuses to know keys.
import { Type, type Static } from 'typebox'
import { Card, Instant } from './api.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const Byte = (description: string) => Type.Integer({ minimum: 0, maximum: 255, description })
export const BatchName = Type.String({ pattern: '^[0-9A-Za-z._-]{1,40}$', description: 'of the run' })

/** What becomes of a blank card. */
export const IssuedCard = Type.Object({
  profile: Card.properties.profile,
  suite: Card.properties.suite,
  keyVersion: Byte('as INITIALIZE will answer it'),
  algorithm: Byte('as INITIALIZE will answer it'),
  files: Type.Array(Type.Object({
    directory: literals(['master', 'application'] as const),
    sfi: Type.Integer({ minimum: 1, maximum: 31, description: 'short file id' }),
    bytes: Type.String({ pattern: '^(?:[0-9A-F]{2}){1,251}$', description: 'the whole file' })
  }, closed), { minItems: 1, maxItems: 16, description: 'file 0015 of the application is among them' }),
  pin: Type.Boolean({ description: 'it gets a first PIN' })
}, { ...closed, $id: 'IssuedCard' })
export type IssuedCard = Static<typeof IssuedCard>

export const issuedCardsMax = 10_000
export const IssuingBatch = Type.Object({
  batch: BatchName,
  type: Card.properties.type,
  lot: Type.String({
    pattern: '^[0-9A-F]{16}$', description: 'factor of the transport key of its blank cards'
  }),
  lotKeyVersion: Byte('of the transport key'),
  soldBy: Type.Optional({
    ...Card.properties.soldBy, description: 'the party at whose tills they are sold; absent: nobody'
  } as typeof Card.properties.soldBy),
  depositFen: Type.Optional({
    ...Card.properties.depositFen, description: 'the seller owes it for each card that is made; 0 when absent'
  } as typeof Card.properties.depositFen),
  cards: Type.Array(IssuedCard, { minItems: 1, maxItems: issuedCardsMax })
}, { ...closed, $id: 'IssuingBatch' })
export type IssuingBatch = Static<typeof IssuingBatch>

export const issuedStates = ['waiting', 'issued', 'spoiled'] as const
export type IssuedState = typeof issuedStates[number]

/** `waiting` to the ledger: the desk may have begun it. */
export const IssuingReport = Type.Object({
  batch: Type.String(),
  type: Card.properties.type,
  startedBy: Type.String(),
  startedAt: Instant,
  soldBy: Card.properties.soldBy,
  depositFen: Card.properties.depositFen,
  cards: Type.Integer({ minimum: 1 }),
  waiting: Type.Integer({ minimum: 0 }),
  issued: Type.Integer({ minimum: 0 }),
  spoiled: Type.Array(Type.Object({
    serial: Type.String(), at: Type.String({ description: 'step of its plan' }), why: Type.String()
  }, closed), { description: 'to be destroyed; their serials are not given again' })
}, { ...closed, $id: 'IssuingReport' })
export type IssuingReport = Static<typeof IssuingReport>

export const IssuedOutcome = Type.Object({
  batch: BatchName,
  card: CardRef,
  outcome: literals(['issued', 'spoiled'], 'what became of its chip'),
  at: Type.Optional(Type.String({ maxLength: 100, description: 'spoiled: at which step' })),
  why: Type.Optional(Type.String({ maxLength: 200, description: 'spoiled: what the chip said' }))
}, { ...closed, $id: 'IssuedOutcome' })
export type IssuedOutcome = Static<typeof IssuedOutcome>
export const IssuedOutcomeReply = Type.Object({
  card: CardRef, state: literals(issuedStates)
}, { ...closed, $id: 'IssuedOutcomeReply' })
export type IssuedOutcomeReply = Static<typeof IssuedOutcomeReply>

export const StepAsk = Type.Object({
  batch: BatchName,
  card: CardRef,
  step: Type.Integer({ minimum: 0, maximum: 63, description: 'of the plan of this card, from 0' }),
  challenge: Type.String({
    pattern: '^(?:[0-9A-F]{8})?$',
    description: 'of the chip: GET CHALLENGE just before; empty where none is wanted'
  })
}, { ...closed, $id: 'StepAsk' })
export type StepAsk = Static<typeof StepAsk>

export const StepReply = Type.Object({
  card: CardRef,
  step: Type.Integer(),
  command: Type.String({ pattern: '^(?:[0-9A-F]{2}){9,260}$', description: 'as the chip wants it' })
}, { ...closed, $id: 'StepReply' })
export type StepReply = Static<typeof StepReply>
