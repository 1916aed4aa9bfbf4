// Policies, commissions and terms of parties: what a whole city is worked by. While a ledger is set up its
// registrar sets them; afterwards each change waits for a second person. It refuses to know what they mean.
import { Type, type Static } from 'typebox'
import { localDate } from '../../runtime/instants.ts'
import {
  Commission, defaultPolicies, PartyTerms, Policies, UsageLimit, type Registry
} from '../../schemas/api.ts'
import { canonical } from '../core/canonical.ts'
import type { Ledger } from '../ledger.ts'
import { propose, type Member, type ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { needsSecondPerson } from './set-up.ts'
import { readPartyTerms, setPartyTerms } from '../store/party-terms.ts'
import type { Tx } from '../store/db.ts'
import { isCentre } from '../store/cities.ts'
import { findUsageLimits, upsertUsageLimits } from '../store/usage.ts'
import {
  bumpVersion, readCommissions, readPolicies, upsertCommissions, upsertPolicies
} from '../store/registry.ts'

const Wanted = Type.Object({
  policies: Type.Optional(Type.Partial(Policies, { additionalProperties: false })),
  commissions: Type.Optional(Type.Array(Commission)),
  usageLimits: Type.Optional(Type.Array(UsageLimit)),
  terms: Type.Optional(Type.Array(PartyTerms, { description: 'of parties that are registered' }))
}, { additionalProperties: false })
type Wanted = Static<typeof Wanted>

/** What a second person puts into force. */
export const parametersKind: ProposalKind = {
  body: Wanted,
  start: ['registrar'],
  decide: ['approver'],
  approvals: 1,
  subject: ({ policies = {}, commissions = [], usageLimits = [], terms = [] }: Wanted) => {
    const names = [
      ...Object.keys(policies), ...commissions.map(c => `${c.product}-${c.party}`),
      ...usageLimits.map(limitName),
      ...terms.map(({ party }) => `terms-${party}`)
    ]
    return `parameters/${names.sort().join(',')}`
  },
  look: async (tx, ledger, body: Wanted) => {
    await requireCentre(tx, body.policies)
    await requireGrades(tx, body.policies)
    requireWhole(body.usageLimits ?? [])
    requireToCome(body.usageLimits ?? [], localDate(ledger.clock.now()))
    return await presentOf(tx, body)
  },
  carryOut: async (tx, _ledger, body: Wanted, { atMs }) => {
    const counts = await storeParameters(tx, body, atMs)
    await bumpVersion(tx)
    return counts
  }
}

/**
 * Stores the policies and commissions of a registry and the terms that were held back, or where they change
 * something proposes them to a second person. Throws Refusal registry_invalid, proposal_pending.
 */
export async function setParameters (
  tx: Tx, ledger: Ledger, { policies, commissions = [], usageLimits = [] }: Registry,
  terms: readonly PartyTerms[], by: Member
): Promise<Record<string, number>> {
  requireWhole(usageLimits)
  const wanted: Wanted = {
    ...usageLimits.length === 0 ? {} : { usageLimits },
    ...policies === undefined ? {} : { policies }, ...commissions.length === 0 ? {} : { commissions },
    ...terms.length === 0 ? {} : { terms: sorted(terms) }
  }
  if (Object.keys(wanted).length === 0) return { commissions: 0 }
  const changes = canonical(await presentOf(tx, wanted)) !== canonical(wanted)
  if (!changes || !await needsSecondPerson(tx, ledger)) return await storeParameters(tx, wanted, null)
  const reason = `the registry sent by ${by.name} changes parameters`
  const id = await propose(tx, ledger, parametersKind, by, { kind: 'parameters', body: wanted, reason })
  return { commissions: 0, proposal: Number(id) }
}

const sorted = (terms: readonly PartyTerms[]): PartyTerms[] =>
  [...terms].sort((a, b) => a.party < b.party ? -1 : 1)

/** What stands now where `wanted` speaks. */
async function presentOf (tx: Tx, { policies, commissions, usageLimits, terms }: Wanted): Promise<Wanted> {
  return {
    ...policies === undefined ? {} : { policies: await readPolicies(tx, Object.keys(policies)) },
    ...commissions === undefined ? {} : { commissions: await readCommissions(tx, commissions) },
    ...usageLimits === undefined ? {} : { usageLimits: await findUsageLimits(tx, usageLimits) },
    ...terms === undefined ? {} : { terms: await readPartyTerms(tx, terms.map(({ party }) => party)) }
  }
}

const limitName = ({ of, per, operator, terminal, from }: UsageLimit): string =>
  `limit-${of}-${per}-${operator ?? 'all'}-${terminal ?? 'all'}-${from}`

/** Throws Refusal registry_invalid for what can stand for nothing. */
function requireWhole (limits: readonly UsageLimit[]): void {
  limits.forEach(({ per, operator, terminal }, index) => {
    const wrong = per === 'card_day' && (operator !== null || terminal !== null)
      ? 'a card has one day, whoever it pays'
      : operator === null && terminal !== null ? 'numbers of terminals are their operators’ own' : null
    if (wrong !== null) throw new Refusal('registry_invalid', wrong, `/usageLimits/${index}`)
  })
}

/** A day has one limit from its first minute, or uses before it would not have been counted. */
function requireToCome (limits: readonly UsageLimit[], today: string): void {
  const index = limits.findIndex(({ from }) => from <= today)
  if (index < 0) return
  throw new Refusal('registry_invalid', 'a limit begins with a day that is to come',
    `/usageLimits/${index}/from`)
}

/** Whoever is to owe for cards of other cities must be able to. */
async function requireCentre (tx: Tx, policies: Wanted['policies']): Promise<void> {
  const centre = policies?.nationalCentre
  if (centre === undefined || await isCentre(tx, centre)) return
  throw new Refusal('registry_invalid', `${centre} is not registered as a centre`, '/policies/nationalCentre')
}

const gradeNames = ['gradeExcellentFrom', 'gradeGoodFrom', 'gradePassFrom'] as const

/** Each grade begins above the one below it. */
async function requireGrades (tx: Tx, policies: Wanted['policies'] = {}): Promise<void> {
  if (!gradeNames.some(name => policies[name] !== undefined)) return
  const all = { ...defaultPolicies, ...await readPolicies(tx, gradeNames), ...policies }
  const wrong = gradeNames.find((name, place) => place > 0 && all[name] >= all[gradeNames[place - 1] ?? name])
  if (wrong === undefined) return
  throw new Refusal('registry_invalid', `${wrong} is not below the grade above it`, `/policies/${wrong}`)
}

async function storeParameters (
  tx: Tx, { policies, commissions = [], usageLimits = [], terms = [] }: Wanted, atMs: number | null
): Promise<Record<string, number>> {
  await requireCentre(tx, policies)
  await requireGrades(tx, policies)
  await setPartyTerms(tx, terms)
  if (await upsertUsageLimits(tx, usageLimits) < usageLimits.length) {
    throw new Refusal('registry_invalid', 'a limit names an operator that is not registered')
  }
  const stored = await upsertCommissions(tx, commissions)
  if (stored < commissions.length) {
    throw new Refusal('registry_invalid', 'a commission names a party or a product that is not registered')
  }
  return {
    commissions: stored,
    ...usageLimits.length === 0 ? {} : { usageLimits: usageLimits.length },
    ...policies === undefined ? {} : { policies: await upsertPolicies(tx, policies, atMs) }
  }
}
