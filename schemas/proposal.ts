// The JSON of proposals: what one member of staff starts and others approve. It refuses to know the kinds.
import { Type, type Static } from 'typebox'
import { Instant } from './api.ts'

const closed = { additionalProperties: false } as const
const orNullText = Type.Union([Type.String(), Type.Null()])

export const proposalStates = ['pending', 'done', 'refused', 'stale', 'withdrawn'] as const
export const ProposalStateName = Type.Unsafe<typeof proposalStates[number]>(
  Type.String({ enum: [...proposalStates] }))

export const NewProposal = Type.Object({
  kind: Type.String({ maxLength: 40, description: 'what is proposed' }),
  body: Type.Unknown({ description: 'as the kind wants it' }),
  reason: Type.String({ minLength: 10, maxLength: 500, description: 'why, for whoever approves and audits' })
}, { ...closed, $id: 'NewProposal' })

export const ProposalDecision = Type.Object({
  approves: Type.Boolean(),
  note: Type.Optional(Type.String({ maxLength: 500 }))
}, { ...closed, $id: 'ProposalDecision' })

export const ProposalView = Type.Object({
  id: Type.Integer(),
  kind: Type.String(),
  subject: Type.String({ description: 'what it is about; one may wait per kind and subject' }),
  body: Type.Unknown(),
  reason: Type.String(),
  looked: Type.Unknown({ description: 'what the starter saw; approval demands the same' }),
  state: ProposalStateName,
  approvalsNeeded: Type.Integer(),
  startedBy: Type.String(),
  startedAt: Instant,
  endedAt: Type.Union([Instant, Type.Null()]),
  decisions: Type.Array(Type.Object({
    staff: Type.String(), approves: Type.Boolean(), note: orNullText, at: Instant
  }, closed)),
  outcome: Type.Unknown()
}, { ...closed, $id: 'ProposalView' })
export type ProposalView = Static<typeof ProposalView>
