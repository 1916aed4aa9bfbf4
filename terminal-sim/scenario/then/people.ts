// then: what waits for people, what they decided, and what the audit log remembers of it.
import { Type } from 'typebox'
import type { AuditEntryView } from '../../../schemas/audit.ts'
import { proposalStates, type ProposalView } from '../../../schemas/proposal.ts'
import type { DisputeView } from '../../../schemas/redress.ts'
import { mappingOf } from '../check.ts'
import { numberOf } from '../people.ts'
import { name, oneOf, text, yes } from '../values.ts'
import { compare, thenVerb } from '../verb.ts'

const closed = { additionalProperties: false } as const

export const proposals = thenVerb({
  says: 'how far proposals are',
  example: 'proposals: { P1: done, P2: stale }',
  schema: mappingOf(name('a proposal'), oneOf(proposalStates, 'a state'), 'states by proposal'),
  check: async (world, said) => {
    const misses = await Promise.all(Object.entries(said).map(async ([named, state]) => {
      const path = `/v1/proposals/${numberOf(world, 'proposal', named)}`
      return compare(`proposal ${named}`, state, (await world.api.get<ProposalView>(path)).state)
    }))
    return misses.flat()
  }
})

const disputeStates = ['RAISED', 'ANSWERED', 'ACCEPTED', 'REFUSED', 'ESCALATED', 'FINAL'] as const

export const disputes = thenVerb({
  says: 'how far disputes are',
  example: 'disputes: { X1: ACCEPTED }',
  schema: mappingOf(name('a dispute'), oneOf(disputeStates, 'a state'), 'states by dispute'),
  check: async (world, said) => {
    const misses = await Promise.all(Object.entries(said).map(async ([named, state]) => {
      const path = `/v1/disputes/${numberOf(world, 'dispute', named)}`
      return compare(`dispute ${named}`, state, (await world.api.get<DisputeView>(path)).state)
    }))
    return misses.flat()
  }
})

export const auditLog = thenVerb({
  says: 'whether the log of deeds is unbroken, which link broke first, and deeds that stand in it',
  example: 'audit_log: { ok: true, has: [clerk proposal.start, approver-1 proposal.approve] }',
  schema: Type.Object(
    {
      ok: Type.Optional(yes('false: the chain is broken')),
      says: Type.Optional(text('words about the first broken link')),
      names_it: Type.Optional(yes('true: the first broken link is the row that was tampered with')),
      has: Type.Optional(Type.Array(text('WHO ACTION'), { description: 'deeds, in this order' }))
    },
    closed
  ),
  check: async (world, { ok, says, names_it: names, has = [] }) => {
    const chain = await world.api.get<{ ok: boolean, broken: string | null }>('/v1/audit/integrity')
    const items = await world.api.all<AuditEntryView>('/v1/audit')
    const deeds = items.reverse().map(({ by, action }) => `${by} ${action}`)
    return [
      ...ok === undefined ? [] : compare('audit log', chainWords(ok), chainWords(chain.ok)),
      ...says === undefined || chain.broken?.includes(says) === true
        ? []
        : compare('first broken link', says, chain.broken ?? 'none'),
      ...names !== true || chain.broken?.startsWith(`${String(world.answers.get('tampered'))} `) === true
        ? []
        : compare('first broken link', String(world.answers.get('tampered')), chain.broken ?? 'none'),
      ...compare('deeds in the audit log', has.join(', '), inOrder(has, deeds).join(', '))
    ]
  }
})

const chainWords = (ok: boolean): string => ok ? 'unbroken' : 'broken'

/** As many of the wanted deeds as stand in the log in their order, others between them. */
function inOrder (wanted: readonly string[], deeds: readonly string[]): string[] {
  const found: string[] = []
  let from = 0
  for (const one of wanted) {
    const place = deeds.indexOf(one, from)
    if (place < 0) return found
    found.push(one)
    from = place + 1
  }
  return found
}
