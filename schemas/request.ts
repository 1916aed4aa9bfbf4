// The JSON of online requests: a request asks permission before anything happens, and is approved or
// declined. It refuses to know how the money is booked.
import { Type, type Static } from 'typebox'
import { LocalDate } from './api.ts'
import { limits } from './limits.ts'
import { answerReasons, type AnswerReason } from './reasons.ts'
import { CardRef } from './record.ts'

const closed = { additionalProperties: false } as const
const Key = Type.String({
  pattern: '^[0-9A-Za-z._:-]{8,64}$', description: 'unique per client, the same on every retry'
})
const PartyCode = Type.String({ pattern: '^[A-Z0-9-]{1,15}$' })
const Amount = Type.Integer({ minimum: 1, maximum: limits.amountFenMax })
const Terminal = Type.Optional(Type.String({ pattern: '^[A-Z0-9-]{1,8}$' }))
/** Devices name their requests themselves, and may change the gateway between a request and its repeat. */
const By = Type.Optional(Type.String({
  pattern: '^[A-Z0-9-]{1,15}(/[A-Z0-9-]{1,8})?$',
  description: 'of a gateway: OPERATOR/TERMINAL or the OPERATOR that has named it; then the key is theirs, ' +
    'and the same one by any gateway is the same request'
}))

/** A holder pays a service operator from the online account of a card. */
export const Purchase = Type.Object({
  kind: Type.Literal('purchase'),
  key: Key, by: By, card: CardRef, amountFen: Amount, party: PartyCode, terminal: Terminal
}, { ...closed, $id: 'Purchase' })

/** An agent has taken money for the online account of a card; the first top-up opens it. */
export const TopUp = Type.Object({
  kind: Type.Literal('top_up'),
  key: Key, by: By, card: CardRef, amountFen: Amount, party: PartyCode, terminal: Terminal
}, { ...closed, $id: 'TopUp' })

/**
 * Takes back an earlier request, or a part of it. One that comes before its original is declined, and the
 * original with it whenever it comes.
 */
export const Reversal = Type.Object({
  kind: Type.Literal('reversal'),
  key: Key,
  by: By,
  of: Type.Object({
    key: Key,
    client: Type.Optional(Type.String({
      maxLength: 32, description: 'who asked, `@` in front of what `by` said; the asker when absent'
    }))
  }, closed),
  amountFen: Type.Optional(Type.Integer({
    minimum: 1, maximum: limits.amountFenMax, description: 'all that remains when absent'
  }))
}, { ...closed, $id: 'Reversal' })

/** Takes back a reversal: what it gave back moves again, as if it had never been asked for. */
export const Reinstatement = Type.Object({
  kind: Type.Literal('reinstatement'),
  key: Key,
  by: By,
  of: Type.Object({ key: Key }, { ...closed, description: 'a reversal of the same client' })
}, { ...closed, $id: 'Reinstatement' })

/** Asks what the online account of a card holds. Not kept: it is answered anew each time. */
export const BalanceEnquiry = Type.Object({
  kind: Type.Literal('balance'), key: Key, card: CardRef
}, { ...closed, $id: 'BalanceEnquiry' })

export const NewRequest = Type.Union([Purchase, TopUp, Reversal, Reinstatement, BalanceEnquiry])
export type NewRequest = Static<typeof NewRequest>
/** Those that move money. */
export type MoneyRequest = Exclude<NewRequest, { kind: 'balance' }>

const reasonNames = Object.keys(answerReasons) as AnswerReason[]
export const RequestReply = Type.Object({
  key: Type.String(),
  kind: Type.String(),
  outcome: Type.Unsafe<'approved' | 'declined'>(Type.String({ enum: ['approved', 'declined'] })),
  reason: Type.Unsafe<AnswerReason>(Type.String({ enum: reasonNames })),
  rule: Type.Optional(Type.String({ description: 'the limit it would break, in words' })),
  replayed: Type.Boolean({ description: 'true: asked before, this is the first answer again' }),
  amountFen: Type.Integer({ description: 'what moved; 0 where declined' }),
  balanceFen: Type.Union([Type.Integer(), Type.Null()], {
    description: 'of the online account after it; null where it was not asked'
  }),
  journal: Type.Union([Type.String(), Type.Null()], {
    description: 'number of the first transfer; null where no money moved'
  }),
  clearingDate: LocalDate
}, { ...closed, $id: 'RequestReply' })
export type RequestReply = Static<typeof RequestReply>
