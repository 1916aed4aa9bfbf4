// What a city enters before its clinics can settle: rules that a second person agrees to, the level of each
// institution, who is insured with which card. What was settled stays as it was by the rules of its day.
import { createHash } from 'node:crypto'
import { cardKey } from '../../../schemas/record.ts'
import type { ClinicCentre } from '../../../schemas/medical/centre.ts'
import type { ClinicInstitution, ClinicPerson } from '../../../schemas/medical/clinic.ts'
import type { ClinicNational } from '../../../schemas/medical/national.ts'
import { RuleSetOutline, type RuleSet } from '../../../schemas/medical/rule-set.ts'
import { headings } from '../../core/chart.ts'
import { canonical } from '../../core/canonical.ts'
import type { Ledger } from '../../ledger.ts'
import type { Published } from '../../parameters/parameters.ts'
import { openDateOf } from '../../open-date.ts'
import { needsSecondPerson } from '../../parameters/set-up.ts'
import { audit } from '../../people/audit.ts'
import { propose, type Member, type ProposalKind } from '../../people/proposals.ts'
import { withNotes, type Pen } from '../../posting/note.ts'
import { Refusal } from '../../refusal.ts'
import { findCards } from '../../store/cards.ts'
import {
  findPerson, insertRuleSet, levelOf, readRuleSets, setFamily, upsertInstitution, upsertPerson, type PersonRow
} from '../../store/clinic.ts'
import { upsertCentre } from '../../store/clinic-centre.ts'
import { upsertNational } from '../../store/clinic-national.ts'
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

/** SHA-256 over the document, whatever the order of its fields; the audit log has it. */
export const digestOf = (rules: RuleSet): string =>
  createHash('sha256').update(canonical(rules)).digest('hex').toUpperCase()

async function storeRules (tx: Tx, rules: RuleSet, by: string, atMs: number): Promise<void> {
  await insertRuleSet(tx, rules, by, atMs)
  const { area, version, from } = rules
  const digest = digestOf(rules)
  const subject = `clinic-rules/${area}/${version}`
  await audit(tx, atMs, { by, action: 'clinic.rules', subject, detail: { from, digest } })
}

/* ---- who takes part ---- */

export async function setInstitution (
  ledger: Ledger, by: string, party: string, institution: ClinicInstitution
): Promise<void> {
  const partyId = await clinicOf(ledger, party)
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    const known = await levelOf(tx, partyId) !== null
    await withNotes(tx, ledger, { group: 'clinic', clearingDate, atMs }, async ({ begin, change }) =>
      await (known ? change : begin)('clinic_institution', notedIn =>
        upsertInstitution(tx, partyId, institution, notedIn)))
    const subject = `clinic/${party}`
    await audit(tx, atMs, { by, action: 'clinic.institution', subject, detail: institution })
  })
}

/** In which dialect and codes a hospital speaks the national messages to us. */
export async function setNational (
  ledger: Ledger, by: string, party: string, settings: ClinicNational
): Promise<void> {
  const partyId = await clinicOf(ledger, party)
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    await upsertNational(tx, partyId, settings, by, atMs)
    await audit(tx, atMs, { by, action: 'clinic.national', subject: `clinic/${party}`, detail: settings })
  })
}

/** Where the clinics of a pool settle with a centre beside us. */
export async function enterCentres (
  ledger: Ledger, by: string, centres: readonly ClinicCentre[]
): Promise<{ centres: number }> {
  const atMs = ledger.clock.now()
  return await inTransaction(ledger.db, async tx => {
    for (const centre of centres) {
      await upsertCentre(tx, centre)
      const { area, ...detail } = centre
      await audit(tx, atMs, { by, action: 'clinic.centre', subject: `clinic-centre/${area}`, detail })
    }
    return { centres: centres.length }
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
    const clearingDate = await openDateOf(tx)
    await withNotes(tx, ledger, { group: 'clinic', clearingDate, atMs }, async pen => {
      const cards = await findCards(tx, persons.map(({ card }) => card))
      for (const [place, person] of persons.entries()) {
        const card = cards.get(cardKey(person.card))
        if (card === undefined) {
          throw new Refusal('registry_invalid', 'this card was not issued', `/persons/${place}/card`)
        }
        const write = await findPerson(tx, person.person) === null ? pen.begin : pen.change
        await write('clinic_person', notedIn => upsertPerson(tx, person, card, notedIn))
        const { accountBucket: bucket, accountCardId: cardId } = await entered(tx, person.person)
        const key = guardedKey({ accountId: account, heading: 'medical-account' }, { bucket, cardId })
        await openGuarded(tx, [key], headings['medical-account'].floorFen, atMs)
      }
      for (const [place, one] of persons.entries()) {
        await enterFamily(tx, pen, one, `/persons/${place}/family`)
      }
    })
    const detail = { persons: persons.length }
    await audit(tx, atMs, { by, action: 'clinic.persons', subject: 'clinic/persons', detail })
    return detail
  })
}

async function entered (tx: Tx, person: string): Promise<PersonRow> {
  const row = await findPerson(tx, person)
  if (row === null) throw new Error(`${person} was entered and is not there`)
  return row
}

async function enterFamily (
  tx: Tx, { change }: Pen, { person, family }: ClinicPerson, where: string
): Promise<void> {
  if (family === person) throw new Refusal('registry_invalid', 'nobody is his own family', where)
  const { personId, family: before } = await entered(tx, person)
  const member = family === undefined ? null : await findPerson(tx, family)
  if (family !== undefined && member === null) {
    throw new Refusal('registry_invalid', 'the family member is not insured', where)
  }
  const familyId = member?.personId ?? null
  if (familyId === (before?.personId ?? null)) return
  await change('clinic_person', notedIn => setFamily(tx, personId, familyId, notedIn))
}
