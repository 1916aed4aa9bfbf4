// What passes between us and the national centre: what it owes us for cards of other cities, and what their
// issuers refuse to pay. It refuses to know how either is booked.
import { Type, type Static, type TSchema } from 'typebox'
import { Fen, Instant, LocalDate } from './api.ts'
import { limits } from './limits.ts'
import { requestReasons, type RequestReason } from './reasons.ts'
import { TransactionRecord } from './record.ts'

const closed = { additionalProperties: false } as const
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Party = Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })
const Digest = Type.String({ pattern: '^[0-9A-F]{64}$', description: 'SHA-256 of the bytes of the batch' })

export const BatchName = Type.String({
  pattern: '^2\\d{7}-[A-Z0-9-]{1,15}-\\d{1,6}$',
  description: 'clearing date, centre and part, such as 20260302-NAT-1'
})
export const ClaimId = Type.String({
  pattern: '^[1-9]\\d{0,17}$', description: 'number of the transfer by which the centre came to owe'
})

/* ---- what is forwarded ---- */

export const NationalEntry = Type.Object({
  kind: Type.Unsafe<'claim' | 'withdrawal'>(Type.String({
    enum: ['claim', 'withdrawal'], description: 'withdrawal: a claim told before is taken back'
  })),
  claim: { ...ClaimId, description: 'of a withdrawal: the claim that it takes back' } as typeof ClaimId,
  amountFen: Fen,
  record: { ...TransactionRecord, $id: 'ForwardedRecord' } as typeof TransactionRecord
}, closed)
export type NationalEntry = Static<typeof NationalEntry>

export const NationalBatch = Type.Object({
  batch: BatchName,
  centre: Party,
  clearingDate: LocalDate,
  entries: Type.Array(NationalEntry, { minItems: 1, maxItems: limits.nationalEntriesMax })
}, { ...closed, $id: 'NationalBatch', description: 'the same bytes whenever it is fetched' })
export type NationalBatch = Static<typeof NationalBatch>

const Sum = Type.Object({ count: Type.Integer({ minimum: 0 }), amountFen: Fen }, closed)

export const NationalBatchView = Type.Object({
  batch: BatchName,
  centre: Party,
  clearingDate: LocalDate,
  claims: Sum,
  withdrawals: Sum,
  digest: Digest,
  madeAt: Instant,
  forwardedAt: orNull({
    ...Instant, description: 'when the centre confirmed it; null: it waits'
  } as typeof Instant)
}, { ...closed, $id: 'NationalBatchView' })
export type NationalBatchView = Static<typeof NationalBatchView>

export const NationalReceipt = Type.Object({ digest: Digest }, {
  ...closed, $id: 'NationalReceipt', description: 'the centre has the batch with these bytes'
})

/* ---- what comes back ---- */

export const NationalReturn = Type.Object({
  id: Type.String({
    pattern: '^[0-9A-Za-z._:-]{1,64}$', description: "the centre's own; the same on every retry"
  }),
  claim: ClaimId,
  amountFen: Type.Integer({ minimum: 1, maximum: limits.balanceFenMax, description: 'all of the claim' }),
  cause: Type.String({
    minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001F\\u007F]*$',
    description: 'why the issuer does not pay'
  })
}, { ...closed, $id: 'NationalReturn' })
export type NationalReturn = Static<typeof NationalReturn>

export const NationalReturns = Type.Object({
  returns: Type.Array(NationalReturn, { minItems: 1, maxItems: limits.nationalReturnsMax })
}, { ...closed, $id: 'NationalReturns' })

export const NationalReturnResult = Type.Object({
  id: Type.String(),
  outcome: Type.Unsafe<'charged_back' | 'refused'>(Type.String({ enum: ['charged_back', 'refused'] })),
  reason: orNull(Type.Unsafe<RequestReason>(Type.String({
    enum: Object.keys(requestReasons), description: 'why it was refused'
  }))),
  clearingDate: { ...LocalDate, description: 'in which it was booked or refused' } as typeof LocalDate,
  replayed: Type.Boolean({ description: 'true: answered before, this is the first answer again' })
}, { ...closed, $id: 'NationalReturnResult' })
export type NationalReturnResult = Static<typeof NationalReturnResult>

export const NationalReturnsReply = Type.Object({
  results: Type.Array(NationalReturnResult)
}, { ...closed, $id: 'NationalReturnsReply', description: 'in the order of the returns' })
export type NationalReturnsReply = Static<typeof NationalReturnsReply>
