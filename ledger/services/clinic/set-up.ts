// What a city enters before its clinics can settle: rules that a second person agrees to, the level of each
// institution, who is insured with which card. What was settled stays as it was by the rules of its day.
import { createHash } from 'node:crypto'
import { cardKey } from '../../../schemas/record.ts'
import type { ClinicInstitution, ClinicPerson } from '../../../schemas/medical/clinic.ts'
import { RuleSetOutline, type RuleSet } from '../../../schemas/medical/rule-set.ts'
import { headings } from '../../core/chart.ts'
import { canonical } from '../../core/canonical.ts'
import type { Ledger } from '../../ledger.ts'
import type { Published } from '../../parameters/parameters.ts'
import { needsSecondPerson } from '../../parameters/set-up.ts'
import { audit } from '../../people/audit.ts'
import { propose, type Member, type ProposalKind } from '../../people/proposals.ts'
import { Refusal } from '../../refusal.ts'
import { findCards } from '../../store/cards.ts'
import {
  insertRuleSet, readRuleSets, setFamily, upsertInstitution, upsertPerson
} from '../../store/clinic.ts'
import { inTransaction, type Tx } from '../../store/db.ts'
import { guardedKey, openGuarded } from '../../store/guarded.ts'
import { lockPublication } from '../../store/parameters.ts'
import { accountId } from '../../store/registry.ts'
import { clinicOf } from './desk.ts'
import { readRuleSet } from './rule-set.ts'

/* ---- rules ---- */

/**
 * Publishes a rule set, or once the ledger works proposes it to a second person. The same one again changes
 * nothing; another one under its number is refused.
 */
export async function publishRules (ledger: Ledger, document: unknown, by: Member): Promise<Published> {
  const rules = rulesIn(document, '')
  const { area, version } = rules
  return await inTransaction(ledger.db, async tx => {
    if (await isPublished(tx, rules)) return { version }
    if (await needsSecondPerson(tx, ledger)) {
      const asked = {
        kind: 'clinic_rules', body: rules, reason: `rules ${version} of ${area} sent by ${by.name}`
      }
      return { version, proposal: Number(await propose(tx, ledger, clinicRulesKind, by, asked)) }
    }
    await storeRules(tx, rules, by.name, ledger.clock.now())
    return { version }
  })
}

/** A rule set: a draft until a second person activates it. */
export const clinicRulesKind: ProposalKind = {
  body: RuleSetOutline,
  start: ['registrar'],
  decide: ['approver'],
  approvals: 1,
  subject: ({ area, version }: RuleSet) => `clinic-rules/${area}/${version}`,
  look: async (tx, _ledger, document: RuleSet) => {
    const rules = rulesIn(document, '/body')
    if (await isPublished(tx, rules)) {
      throw new Refusal('registry_invalid', `rules ${rules.version} of ${rules.area} are published already`)
    }
    return { published: (await readRuleSets(tx, rules.area)).map(({ version, from }) => ({ version, from })) }
  },
  carryOut: async (tx, _ledger, rules: RuleSet, { approvedBy, atMs }) => {
    await storeRules(tx, rules, approvedBy.join(' + '), atMs)
    return { version: rules.version }
  }
}

/** Throws Refusal body_invalid with all that is wrong; the first of it is pointed at. */
function rulesIn (document: unknown, at: string): RuleSet {
  const read = readRuleSet(document)
  if (read.ok) return read.rules
  const words = read.problems.map(({ where, what }) => `${where} ${what}`).join('; ')
  throw new Refusal('body_invalid', words.slice(0, 2_000), `${at}${read.problems[0]?.where ?? ''}`)
}

/** Throws Refusal registry_invalid where its number says something else already. */
async function isPublished (tx: Tx, rules: RuleSet): Promise<boolean> {
  await lockPublication(tx)
  const known = (await readRuleSets(tx, rules.area)).find(({ version }) => version === rules.version)
  if (known === undefined) return false
  if (canonical(known) === canonical(rules)) return true
  throw new Refusal('registry_invalid', `rules ${rules.version} of ${rules.area} say something else already`,
    '/version')
}

async function storeRules (tx: Tx, rules: RuleSet, by: string, atMs: number): Promise<void> {
  await insertRuleSet(tx, rules, by, atMs)
  const { area, version, from } = rules
  const digest = createHash('sha256').update(canonical(rules)).digest('hex').toUpperCase()
  const subject = `clinic-rules/${area}/${version}`
  await audit(tx, atMs, { by, action: 'clinic.rules', subject, detail: { from, digest } })
}

/* ---- who takes part ---- */

export async function setInstitution (
  ledger: Ledger, by: string, party: string, { level }: ClinicInstitution
): Promise<void> {
  const partyId = await clinicOf(ledger, party)
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    await upsertInstitution(tx, partyId, level)
    await audit(tx, atMs, { by, action: 'clinic.institution', subject: `clinic/${party}`, detail: { level } })
  })
}

/**
 * Enters insured persons and opens their medical accounts. Throws Refusal registry_invalid for a card that is
 * not ours, for a family member who is not insured or who is the person.
 */
export async function enterPersons (
  ledger: Ledger, by: string, persons: readonly ClinicPerson[]
): Promise<{ persons: number }> {
  const atMs = ledger.clock.now()
  const snapshot = await ledger.registry()
  const account = accountId(snapshot, 'medical', 'medical-account')
  return await inTransaction(ledger.db, async tx => {
    const cards = await findCards(tx, persons.map(({ card }) => card))
    for (const [place, person] of persons.entries()) {
      const card = cards.get(cardKey(person.card))
      if (card === undefined) {
        throw new Refusal('registry_invalid', 'this card was not issued', `/persons/${place}/card`)
      }
      const { accountBucket: bucket, accountCardId: cardId } = await upsertPerson(tx, person, card)
      const key = guardedKey({ accountId: account, heading: 'medical-account' }, { bucket, cardId })
      await openGuarded(tx, [key], headings['medical-account'].floorFen, atMs)
    }
    for (const [place, { person, family }] of persons.entries()) {
      if (family === person) {
        throw new Refusal('registry_invalid', 'nobody is his own family', `/persons/${place}/family`)
      }
      if (!await setFamily(tx, person, family ?? null)) {
        throw new Refusal('registry_invalid', 'the family member is not insured', `/persons/${place}/family`)
      }
    }
    const detail = { persons: persons.length }
    await audit(tx, atMs, { by, action: 'clinic.persons', subject: 'clinic/persons', detail })
    return detail
  })
}
