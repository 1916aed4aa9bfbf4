// Tariff documents: published while the ledger is set up, afterwards proposed to a second person; one series
// of numbers with the flat tariffs. It refuses to know prices.
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { checkDocument, instantOf } from '../../../schemas/tariff/check-document.ts'
import type { TariffDocument } from '../../../schemas/tariff/document.ts'
import { versionAt } from '../../../schemas/tariff/fares.ts'
import { canonical } from '../../core/canonical.ts'
import type { Ledger } from '../../ledger.ts'
import type { Published } from '../../parameters/parameters.ts'
import { needsSecondPerson } from '../../parameters/set-up.ts'
import { audit } from '../../people/audit.ts'
import { propose, type Member, type ProposalKind } from '../../people/proposals.ts'
import { Refusal } from '../../refusal.ts'
import { inTransaction, type Tx } from '../../store/db.ts'
import { insertDocument, isFlatVersion, readDocuments } from '../../store/fares.ts'
import { lockPublication } from '../../store/parameters.ts'
import { bumpVersion, ensureBook, findParties } from '../../store/registry.ts'
import { markDueSince } from '../../store/rides.ts'

/**
 * Throws Refusal body_invalid with what is wrong with it, registry_invalid for parties that are not there and
 * for a number that says something else already, proposal_pending.
 */
export async function publishDocument (ledger: Ledger, said: unknown, by: Member): Promise<Published> {
  const document = checkedDocument(said, '')
  const { version } = document
  return await inTransaction(ledger.db, async tx => {
    if (await isKnown(tx, document)) return { version }
    await requireParties(tx, document)
    if (await needsSecondPerson(tx, ledger)) {
      const reason = `document ${version} sent by ${by.name}`
      const asked = { kind: 'fare_document', body: document, reason }
      return { version, proposal: Number(await propose(tx, ledger, fareDocumentKind, by, asked)) }
    }
    await store(tx, document, by.name, ledger.clock.now())
    return { version }
  })
}

/** A document: a draft until a second person activates it. */
export const fareDocumentKind: ProposalKind = {
  body: Type.Object({}, { additionalProperties: true, description: 'a TariffDocument' }),
  start: ['registrar'],
  decide: ['approver'],
  approvals: 1,
  subject: ({ version }: { version?: unknown }) => `tariff/${Number(version)}`,
  look: async (tx, _ledger, said: unknown) => {
    const document = checkedDocument(said, '/body')
    if (await isKnown(tx, document)) {
      throw new Refusal('registry_invalid', `tariff version ${document.version} is published already`)
    }
    await requireParties(tx, document)
    return { published: (await readDocuments(tx)).map(({ version, from }) => ({ version, from })) }
  },
  carryOut: async (tx, _ledger, document: TariffDocument, { approvedBy, atMs }) => {
    await store(tx, document, approvedBy.join(' + '), atMs)
    return { version: document.version }
  }
}

const problemsShownMax = 20

/** Throws Refusal body_invalid with all that is wrong with it. */
export function checkedDocument (said: unknown, place: string): TariffDocument {
  const found = checkDocument(said)
  if (found.ok) return found.document
  const [first] = found.problems
  const shown = found.problems.slice(0, problemsShownMax).map(({ where, text }) => `${where}: ${text}`)
  const left = found.problems.length - shown.length
  const more = left > 0 ? [`and ${left} more`] : []
  throw new Refusal('body_invalid', [...shown, ...more].join('; '), `${place}${first?.where ?? ''}`)
}

async function isKnown (tx: Tx, document: TariffDocument): Promise<boolean> {
  await lockPublication(tx)
  const { version } = document
  const known = (await readDocuments(tx)).find(one => one.version === version)
  if (known !== undefined && canonical(known) === canonical(document)) return true
  if (known === undefined && !await isFlatVersion(tx, version)) return false
  throw new Refusal('registry_invalid', `tariff version ${version} says something else already`, '/version')
}

/** Whoever earns by it must be there, and where the treasury pays so must the treasury. */
async function requireParties (tx: Tx, document: TariffDocument): Promise<void> {
  const parties = await findParties(tx)
  for (const { code, where } of earning(document)) {
    const party = parties.get(code)
    if (party?.kind !== 'operator' || party.service !== 'transit') {
      throw new Refusal('registry_invalid', `${code} is not registered as an operator of transit`, where)
    }
  }
  if (!paysTreasury(document) || [...parties.values()].some(({ kind }) => kind === 'treasury')) return
  throw new Refusal('registry_invalid', 'the treasury is to pay, and none is registered', '/concessions')
}

const earning = ({ services }: TariffDocument): { code: string, where: string }[] =>
  services.flatMap(({ operators, fare }, at) => [
    ...operators.map((code, nth) => ({ code, where: `/services/${at}/operators/${nth}` })),
    ...fare.kind !== 'distance'
      ? []
      : [...new Set(fare.pairs.flatMap(({ legs }) => legs.map(({ operator }) => operator)))]
          .map(code => ({ code, where: `/services/${at}/fare/pairs` }))
  ])

const paysTreasury = ({ concessions = {}, free }: TariffDocument): boolean =>
  free?.treasury !== undefined ||
  Object.values(concessions).some(({ treasury }) => treasury !== undefined)

/** Journeys since it counts are priced again, and the differences are booked. */
async function store (tx: Tx, document: TariffDocument, by: string, atMs: number): Promise<void> {
  const { version, from } = document
  await insertDocument(tx, document, atMs)
  if (paysTreasury(document)) {
    await ensureBook(tx, [...new Set(earning(document).map(({ code }) => code))], 'treasury')
  }
  await bumpVersion(tx)
  await markDueSince(tx, instantOf(from) ?? atMs)
  const digest = createHash('sha256').update(canonical(document)).digest('hex').toUpperCase()
  await audit(tx, atMs, {
    by, action: 'tariff.publish', subject: `tariff/${version}`, detail: { from, digest, form: 'document' }
  })
}

/** Those that count, that are to come, and by which a card may still remember what it did this month. */
export async function currentDocuments ({ registry, clock }: Ledger): Promise<TariffDocument[]> {
  const { fares } = await registry()
  const remembered = versionAt(fares, clock.now() - rememberedDays * 86_400_000)
  return fares.slice(remembered === null ? 0 : fares.indexOf(remembered)).map(({ document }) => document)
}
/** A month, and a trip that was open when it began. */
const rememberedDays = 31 + 7
