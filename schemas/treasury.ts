// What the treasury is asked to pay for a period: rides of concessions, free rides, subsidies of services.
import { Type, type Static } from 'typebox'
import { Fen, Instant, LocalDate } from './api.ts'

const closed = { additionalProperties: false } as const
const PartyCode = Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })

export const TreasuryClaimRequest = Type.Object({
  until: Type.Unsafe<string>({
    ...LocalDate,
    description: 'the last clearing date; it is cleared. The period begins where the one before ended'
  })
}, { ...closed, $id: 'TreasuryClaimRequest' })

/** What one operator, on one clearing date, is to get for one reason. */
export const TreasuryClaimLine = Type.Object({
  date: LocalDate,
  operator: Type.Union([PartyCode, Type.Null()], { description: 'null: between house accounts' }),
  what: Type.String({ description: 'kind of the transfers: concession_claim, service_claim, correction' }),
  service: Type.Union([Type.String(), Type.Null()], { description: 'transit, or a declared service' }),
  category: Type.Union([Type.String(), Type.Null()], { description: 'concession, or why a ride was free' }),
  count: Type.Integer({ minimum: 1, description: 'transfers' }),
  amountFen: Type.Unsafe<number>({ ...Fen, description: 'negative where it is taken back' })
}, closed)
export type TreasuryClaimLine = Static<typeof TreasuryClaimLine>

/** What the digest is of: this as JSON, keys in order, without spaces. */
export const TreasuryClaimDocument = Type.Object({
  claim: Type.Integer({ minimum: 1 }), party: PartyCode, from: LocalDate, until: LocalDate,
  lines: Type.Array(TreasuryClaimLine), totalFen: Fen
}, { ...closed, $id: 'TreasuryClaimDocument' })
export type TreasuryClaimDocument = Static<typeof TreasuryClaimDocument>

export const treasuryClaimStates = ['told', 'short', 'paid'] as const
export type TreasuryClaimState = typeof treasuryClaimStates[number]

export const TreasuryClaimView = Type.Object({
  claim: Type.Integer({ minimum: 1 }), party: PartyCode, from: LocalDate, until: LocalDate, totalFen: Fen,
  digest: Type.String({ pattern: '^[0-9A-F]{64}$', description: 'SHA-256 of the document' }),
  state: Type.Unsafe<TreasuryClaimState>(Type.String({
    enum: [...treasuryClaimStates], description: 'told: nothing came; short: less than was claimed'
  })),
  paidFen: Fen,
  lines: Type.Array(Type.Integer(), { description: 'numbers of the bank lines that paid' }),
  madeBy: Type.String(), madeAt: Instant
}, { ...closed, $id: 'TreasuryClaimView' })
export type TreasuryClaimView = Static<typeof TreasuryClaimView>
