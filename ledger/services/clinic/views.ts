// Splits and answers as the API tells them. Pure; it refuses to know rows and messages.
import type { ClinicAnswerReason, ClinicReply, ClinicSplit } from '../../../schemas/medical/clinic.ts'
import { payers } from '../../../schemas/medical/rule-set.ts'
import { explain } from './explain.ts'
import { fundsFen, personFen, type Split } from './settle-bill.ts'
import type { Reply } from './settlements.ts'

export const splitView = (split: Split): ClinicSplit => ({
  rules: split.rules,
  totalFen: Number(split.totalFen),
  ownFen: Number(split.classes.own),
  overLimitFen: Number(split.classes.overLimit),
  preOwnFen: Number(split.classes.preOwn),
  scopeFen: Number(split.classes.scope),
  deductibleFen: Number(split.deductibleFen),
  fundsFen: Number(fundsFen(split)),
  personFen: Number(personFen(split)),
  paid: Object.fromEntries(payers.map(payer => [payer, Number(split.paid[payer])])) as ClinicSplit['paid'],
  capsReached: split.steps.flatMap(({ inputs }) =>
    'capReached' in inputs && inputs.capReached ? [inputs.fund] : [])
})

const nothing = {
  why: null, says: null, replayed: false, does: null, settlement: null, basis: null, split: null, purse: null
}

/** The centre has not answered: asked again, it is asked after. */
export const unknown: ClinicReply = { ...nothing, outcome: 'unknown', reason: 'centre_silent', where: null }

export const declined = (
  reason: ClinicAnswerReason, where: string | null = null, more: Partial<ClinicReply> = {}
): ClinicReply => ({ ...nothing, outcome: 'declined', reason, where, ...more })

export function replyView (reply: Reply, purse: ClinicReply['purse'] = null): ClinicReply {
  if (reply.outcome === 'declined') return declined(reply.reason, reply.where)
  const ok = { outcome: 'approved', reason: 'ok', where: null } as const
  const done = { ...nothing, ...ok, does: reply.does, purse }
  if (reply.does === 'nothing') return done
  if (reply.does === 'shown') return { ...done, split: splitView(reply.split), basis: reply.basis }
  return { ...done, settlement: reply.settlement, split: splitView(reply.split) }
}

/** With every figure as a number: the sum of what its steps paid is the bill. */
export function explanationView (settlement: string, split: Split) {
  const { rules, steps } = explain(split)
  const paid = steps.flatMap(step => step.paid)
  return {
    settlement,
    rules,
    totalFen: Number(paid.reduce((sum, { amountFen }) => sum + amountFen, 0n)),
    steps: steps.map(({ kind, en, zh, paid, moves, inputs }) => ({
      kind, en, zh, paid: [...paid].map(({ payer, amountFen }) => ({ payer, amountFen: Number(amountFen) })),
      moves: moves.map(({ from, to, amountFen }) => ({ from, to, amountFen: Number(amountFen) })), inputs
    }))
  }
}
