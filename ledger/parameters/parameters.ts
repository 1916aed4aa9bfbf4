// Parameters for the edge: publishing the blacklist and tariffs, answering what a terminal lacks, and who
// bears the use of a listed card, by what terminals said they had applied.
import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import type {
  BlacklistPublication, BlacklistReply, LiabilityLine, ParameterAcknowledgement
} from '../../schemas/api.ts'
import { limits } from '../../schemas/limits.ts'
import { cardKey, CardRef } from '../../schemas/record.ts'
import { Tariff, tariffAt } from '../../schemas/tariff/tariff.ts'
import { groupBy, uniqueBy } from '../../runtime/collections.ts'
import { addDays, formatIso, localDate, parseIso, startOfDate } from '../../runtime/instants.ts'
import { blacklistLevels, writeBlacklist } from '../../schemas/clearing-file/answers.ts'
import { audit } from '../people/audit.ts'
import { canonical } from '../core/canonical.ts'
import { appliedAt, listingAt } from '../core/listing.ts'
import type { Ledger } from '../ledger.ts'
import { propose, type Member, type ProposalKind } from '../people/proposals.ts'
import { instantIn, Refusal } from '../refusal.ts'
import { noteApplied } from './applied.ts'
import { needsSecondPerson } from './set-up.ts'
import { findApplied, findEntries, type ListEntry } from '../store/blacklist.ts'
import { branchesOfCards } from '../store/branches.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { readDocuments } from '../store/fares.ts'
import { openDate } from '../store/lock.ts'
import { news, tell } from '../store/outbox.ts'
import {
  addedSince, insertBlacklistVersion, insertEntries, insertTariff, lastBlacklist, listedAmong,
  listedAt, listedCards, lockPublication, publishedAt, readTariffs, removedSince, removeEntries,
  usesOfListed, type CardPlace, type ListedUse, type NewEntry
} from '../store/parameters.ts'
import { bumpVersion, type Snapshot } from '../store/registry.ts'

/** A version that was published, and the proposal in which the rest of it waits for a second person. */
export type Published = { readonly version: number, readonly proposal?: number }

/* ---- blacklist ---- */

/**
 * Publishes what is added at once, and what is removed too while the ledger is set up; afterwards a removal
 * waits for a second person. Throws Refusal registry_invalid, proposal_pending.
 */
export async function publishBlacklist (
  ledger: Ledger, publication: BlacklistPublication, by: Member
): Promise<Published> {
  const { add, remove } = publication
  refuseTwice(add.map(entry => cardKey(entry.card)), remove.map(cardKey))
  return await inTransaction(ledger.db, async tx => {
    if (remove.length === 0 || !await needsSecondPerson(tx, ledger)) {
      return { version: await publishNow(tx, publication, by.name, ledger.clock.now()) }
    }
    const rest = { ...publication, remove: [] }
    const version = add.length > 0 || publication.version !== undefined
      ? await publishNow(tx, rest, by.name, ledger.clock.now())
      : (await lastBlacklist(tx))?.version ?? 0
    const reason = `the list sent by ${by.name} removes ${remove.length} cards`
    const asked = { kind: 'blacklist_removal', body: { cards: remove }, reason }
    return { version, proposal: Number(await propose(tx, ledger, blacklistRemovalKind, by, asked)) }
  })
}

/** Publishes one version and returns its number; whoever calls has made sure that it may. */
export async function publishNow (
  tx: Tx, { add, remove, version: given }: BlacklistPublication, by: string, atMs: number
): Promise<number> {
  await lockPublication(tx)
  const last = (await lastBlacklist(tx))?.version ?? 0
  const version = given ?? last + 1
  if (version <= last) {
    throw new Refusal('registry_invalid', `blacklist version ${version} is not above the last, ${last}`,
      '/version')
  }
  const added = await placesOf(tx, add.map(entry => entry.card), index => `/add/${index}/card`)
  const removed = await placesOf(tx, remove, index => `/remove/${index}`)
  const entries = add.map(({ reason, at }, index) =>
    ({ ...added[index] as CardPlace, reason, listedAtMs: instantIn(at, `/add/${index}/at`) }))
  await writeVersion(tx, version, { added: entries, removed }, by, atMs)
  return version
}

/** The next version: what is known of cards changes one by one. */
export async function publishChange (
  tx: Tx, change: ListChange, by: string, atMs: number
): Promise<void> {
  await lockPublication(tx)
  await writeVersion(tx, ((await lastBlacklist(tx))?.version ?? 0) + 1, change, by, atMs)
}

type ListChange = { readonly added: readonly NewEntry[], readonly removed: readonly CardPlace[] }

async function writeVersion (
  tx: Tx, version: number, { added, removed }: ListChange, by: string, atMs: number
): Promise<void> {
  await removeEntries(tx, version, removed)
  await insertEntries(tx, version, added)
  const digest = listDigest(await listedCards(tx))
  await insertBlacklistVersion(tx, { version, digest }, atMs)
  const subject = `blacklist/${version}`
  await tell(tx, [news({
    topic: 'blacklist.published', subject, data: { version }, party: null, openToAll: true
  })], atMs)
  const detail = {
    added: added.length, removed: removed.length, digest: digest.toString('hex').toUpperCase()
  }
  await audit(tx, atMs, { by, action: 'blacklist.publish', subject, detail })
}

type Removal = { readonly cards: readonly CardRef[] }

/** Cards that may be used again: whoever takes a card off the list does not do it alone. */
export const blacklistRemovalKind: ProposalKind = {
  body: Type.Object({
    cards: Type.Array(CardRef, { minItems: 1, maxItems: limits.registryItemsMax })
  }, { additionalProperties: false }),
  start: ['registrar', 'clerk'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { cards }: Removal) => await branchesOfCards(tx, cards),
  subject: ({ cards }: Removal, { nameCard }) => {
    const names = cards.map(nameCard).sort()
    if (names.length === 1) return `card/${names[0]}`
    return `cards/${names.length}#${createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 8)}`
  },
  look: async (tx, { nameCard }, { cards }: Removal) => {
    const places = await placesOf(tx, cards, index => `/body/cards/${index}`)
    const listed = await listedAmong(tx, places)
    if (listed.length === 0) throw new Refusal('not_found', 'none of these cards is on the list')
    return { listed: listed.map(({ card, ...entry }) => ({ card: nameCard(card), ...entry })) }
  },
  carryOut: async (tx, _ledger, { cards }: Removal, { approvedBy, atMs }) =>
    ({ version: await publishNow(tx, { add: [], remove: [...cards] }, approvedBy.join(' + '), atMs) })
}

function refuseTwice (added: readonly string[], removed: readonly string[]): void {
  const told = new Set(removed)
  for (const [at, key] of added.entries()) {
    if (told.has(key)) {
      throw new Refusal('registry_invalid', 'a card is added twice, or added and removed', `/add/${at}/card`)
    }
    told.add(key)
  }
}

async function placesOf (
  tx: Tx, cards: readonly CardRef[], where: (index: number) => string
): Promise<CardPlace[]> {
  const found = await findCards(tx, cards)
  return cards.map((card, index) => {
    const row = found.get(cardKey(card))
    if (row === undefined) throw new Refusal('registry_invalid', 'no such card was issued', where(index))
    return { bucket: row.bucket, cardId: row.cardId }
  })
}

/** SHA-256 over the sorted card keys, joined by LF. Golden bytes: gateways take the same. */
export const listDigest = (cards: readonly CardRef[]): Buffer =>
  createHash('sha256').update(cards.map(cardKey).sort().join('\n')).digest()

/** What a terminal lacks that has version `have`; the whole list where it has none or one of the future. */
export async function blacklistSince ({ db }: Ledger, have: number | null): Promise<BlacklistReply> {
  const last = await lastBlacklist(db)
  const to = last?.version ?? 0
  const from = have === null || have > to ? null : have
  const added = await addedSince(db, from)
  return {
    from,
    to,
    add: added.map(row => ({ card: cardOf(row), reason: row.reason, at: formatIso(row.listedAtMs) })),
    remove: from === null ? [] : (await removedSince(db, from)).map(cardOf),
    digest: (last?.digest ?? listDigest([])).toString('hex').toUpperCase()
  }
}

const cardOf = ({ issuer, serial, issue }: CardRef): CardRef => ({ issuer, serial, issue })

/**
 * The list of a day as the file that older terminals fetch: as it stood at the end of that day, or stands now
 * where the day is not over. Throws Refusal not_found for a day to come.
 */
export async function blacklistFile ({ db, clock }: Ledger, date: string): Promise<string> {
  const now = clock.now()
  if (date > localDate(now)) throw new Refusal('not_found', `${date} is still to come`)
  const cards = await listedAt(db, Math.min(startOfDate(addDays(date, 1)), now + 1))
  return writeBlacklist(date, cards.map(({ serial, reason }) =>
    ({ cardNo: serial, level: blacklistLevels[reason] })))
}

/* ---- tariffs ---- */

/**
 * Publishes a tariff version, or once the ledger works proposes it to a second person. The same one again
 * changes nothing; another one under its number is refused.
 */
export async function publishTariff (ledger: Ledger, tariff: Tariff, by: Member): Promise<Published> {
  return await inTransaction(ledger.db, async tx => {
    const { version } = tariff
    if (await isPublished(tx, tariff)) return { version }
    if (await needsSecondPerson(tx, ledger)) {
      const asked = { kind: 'tariff', body: tariff, reason: `tariff version ${version} sent by ${by.name}` }
      return { version, proposal: Number(await propose(tx, ledger, tariffKind, by, asked)) }
    }
    await storeTariff(tx, tariff, by.name, ledger.clock.now())
    return { version }
  })
}

/** A tariff version: a draft until a second person activates it. */
export const tariffKind: ProposalKind = {
  body: Tariff,
  start: ['registrar'],
  decide: ['approver'],
  approvals: 1,
  subject: ({ version }: Tariff) => `tariff/${version}`,
  look: async (tx, _ledger, tariff: Tariff) => {
    if (await isPublished(tx, tariff)) {
      throw new Refusal('registry_invalid', `tariff version ${tariff.version} is published already`)
    }
    return { published: (await readTariffs(tx)).map(({ version, from }) => ({ version, from })) }
  },
  carryOut: async (tx, _ledger, tariff: Tariff, { approvedBy, atMs }) => {
    await storeTariff(tx, tariff, approvedBy.join(' + '), atMs)
    return { version: tariff.version }
  }
}

/** Throws Refusal body_invalid, or registry_invalid where its number says something else already. */
async function isPublished (tx: Tx, tariff: Tariff): Promise<boolean> {
  if (!isInstant(tariff.from)) throw new Refusal('body_invalid', `not an instant: ${tariff.from}`, '/from')
  await lockPublication(tx)
  const known = (await readTariffs(tx)).find(one => one.version === tariff.version)
  const isDocument = (await readDocuments(tx)).some(one => one.version === tariff.version)
  if (known === undefined && !isDocument) return false
  if (known !== undefined && canonical(known) === canonical(tariff)) return true
  throw new Refusal('registry_invalid', `tariff version ${tariff.version} says something else already`,
    '/version')
}

async function storeTariff (tx: Tx, tariff: Tariff, by: string, atMs: number): Promise<void> {
  await insertTariff(tx, tariff, atMs)
  await bumpVersion(tx) // verdicts look at prices
  const digest = createHash('sha256').update(canonical(tariff)).digest('hex').toUpperCase()
  const detail = { from: tariff.from, digest }
  await audit(tx, atMs, { by, action: 'tariff.publish', subject: `tariff/${tariff.version}`, detail })
}

function isInstant (text: string): boolean {
  try {
    parseIso(text)
    return true
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return false
  }
}

/** The version valid now and those to come, in the order in which they become valid. */
export async function currentTariffs ({ db, clock }: Ledger): Promise<Tariff[]> {
  const all = await readTariffs(db)
  const now = tariffAt(all, clock.now())
  return all.filter(tariff => tariff === now || Date.parse(tariff.from) > clock.now())
}

/* ---- what terminals applied, and who is liable ---- */

/**
 * Who bears the use of a listed card depends on it, so it is about one terminal, which a company's client has
 * from its own company, and about a version that there is. Throws Refusal body_invalid, forbidden, not_found,
 * registry_invalid, conditions_not_met.
 */
export async function acknowledge (
  ledger: Ledger, said: ParameterAcknowledgement, by: Pick<Member, 'name' | 'party'>
): Promise<void> {
  const { kind, version, appliedAt } = said
  const saidMs = instantIn(appliedAt, '/appliedAt')
  const snapshot = await ledger.registry()
  const terminalId = terminalOf(snapshot, said, by)
  const publishedMs = version === 0 && kind !== 'tariff' ? 0 : await publishedAt(ledger.db, kind, version)
  if (publishedMs === null) {
    throw new Refusal('conditions_not_met', `no version ${version} of ${kind} was published`, '/version')
  }
  // A clock that runs behind applies nothing before it was there: that would move who bears a listed card.
  const appliedAtMs = Math.max(saidMs, publishedMs)
  await inTransaction(ledger.db, async tx => {
    const how = { clearingDate: await openDate(tx), atMs: ledger.clock.now() }
    await noteApplied(tx, ledger, [{ terminalId, kind, version, appliedAtMs }], how)
  })
}

function terminalOf (
  { terminals, parties }: Snapshot, { terminal, operator }: ParameterAcknowledgement,
  { name, party }: Pick<Member, 'name' | 'party'>
): number {
  if (party !== null && operator !== undefined && operator !== party) {
    throw new Refusal('forbidden', `${name} speaks for terminals of ${party} only`, '/operator')
  }
  const owner = operator ?? party
  const named = (terminals.get(terminal) ?? [])
    .filter(one => owner === null || one.partyId === parties.get(owner)?.partyId)
  const [only] = named
  if (only === undefined) {
    const whose = owner === null ? '' : ` of ${owner}`
    throw new Refusal('not_found', `no terminal ${terminal}${whose} is registered`, '/terminal')
  }
  if (named.length > 1) {
    throw new Refusal('registry_invalid',
      `${named.length} operators have a terminal ${terminal}: name the operator`, '/operator')
  }
  return only.terminalId
}

/** Every debit of a clearing date with a card that stood on the list, and who bears it. */
export async function liabilityOf (ledger: Ledger, date: string): Promise<LiabilityLine[]> {
  const { policies } = await ledger.registry()
  const windowMs = policies.blacklistWindowHours * 3_600_000
  return await inTransaction(ledger.db, async tx => {
    const uses = await usesOfListed(tx, date)
    const entries = groupBy(await findEntries(tx, uniqueBy(uses, use => use.cardId)), one => one.cardId)
    const applied = groupBy(await findApplied(tx, uses.map(use => use.terminalId)), one => one.terminalId)
    return uses.flatMap(use => lineOf(use, entries.get(use.cardId) ?? [],
      (applied.get(use.terminalId) ?? []).filter(one => one.appliedAtMs <= use.eventAtMs), windowMs))
  })
}

/** `applied`: what the terminal had applied by then, oldest first. */
function lineOf (
  use: ListedUse, entries: readonly ListEntry[],
  applied: readonly { readonly version: number, readonly appliedAtMs: number }[], windowMs: number
): LiabilityLine[] {
  const version = appliedAt(applied, use.eventAtMs)
  const listing = listingAt(entries, version, use.eventAtMs, { windowMs, reachable: use.reachable })
  const entry = entries.filter(one => one.listedAtMs <= use.eventAtMs || one.addedVersion <= (version ?? 0))
    .reduce<ListEntry | null>((latest, one) =>
      latest === null || one.addedVersion > latest.addedVersion ? one : latest, null)
  if (listing === 'clear' || entry === null) return []
  return [{
    card: cardOf(use),
    terminal: use.terminal,
    operator: use.operator,
    eventAt: formatIso(use.eventAtMs),
    amountFen: Number(use.amountFen),
    listedVersion: entry.addedVersion,
    listedAt: formatIso(entry.listedAtMs),
    terminalVersion: version,
    terminalAppliedAt: version === null ? null : formatIso(applied.at(-1)?.appliedAtMs ?? 0),
    liable: listing === 'inside_window' ? 'issuer' : 'operator'
  }]
}
