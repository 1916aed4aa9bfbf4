// A red day that two people let go on: the float identity is off, and payment is approved all the same, with
// a reason that stays. It refuses to know what made the day red.
import { Type } from 'typebox'
import { LocalDate } from '../../schemas/api.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import type { Db, Tx } from '../store/db.ts'
import { readDay, readFailedChecks } from '../store/days.ts'
import { findOverride, insertOverride } from '../store/override.ts'

type Body = { readonly date: string }

/** One starts it, another approves: two persons with a reason. */
export const settlementOverrideKind: ProposalKind = {
  body: Type.Object({ date: LocalDate }, { additionalProperties: false }),
  start: ['settler'],
  decide: ['approver'],
  approvals: 1,
  subject: ({ date }: Body) => `day/${date}`,
  look: async (tx, _ledger, { date }: Body) => {
    const day = await readDay(tx, date)
    if (day === null) throw new Refusal('not_found', `${date} is not a clearing date of this ledger`)
    if (await hasOverride(tx, date)) throw new Refusal('day_state', `${date} is overridden already`)
    const digest = day.digest?.toString('hex') ?? null
    return { state: day.state, digest, failedChecks: await readFailedChecks(tx, date) }
  },
  carryOut: async (tx, _ledger, { date }: Body, { proposalId, reason, atMs }) => {
    await insertOverride(tx, date, proposalId, reason, atMs)
    return { date }
  }
}

/** Whether two people have let this date go on although it is red. */
export const hasOverride = async (tx: Tx | Db, date: string): Promise<boolean> =>
  await findOverride(tx, date) !== null
