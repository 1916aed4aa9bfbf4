// Parameters for the edge: publishing the blacklist and tariffs, answering what a terminal lacks, and who
// bears the use of a listed card, by what terminals said they had applied.
import { createHash } from 'node:crypto'
import type {
  BlacklistPublication, BlacklistReply, LiabilityLine, ParameterAcknowledgement
} from '../schemas/api.ts'
import { cardKey, type CardRef } from '../schemas/record.ts'
import { tariffAt, type Tariff } from '../schemas/tariff/tariff.ts'
import { formatIso, parseIso } from '../runtime/instants.ts'
import { appliedAt, listingAt } from './core/listing.ts'
import type { Ledger } from './ledger.ts'
import { Refusal } from './refusal.ts'
import { findApplied, findEntries, type ListEntry } from './store/blacklist.ts'
import { findCards } from './store/cards.ts'
import { inTransaction, type Tx } from './store/db.ts'
import {
  addedSince, insertApplied, insertBlacklistVersion, insertEntries, insertTariff, lastBlacklist, listedCards,
  lockPublication, readTariffs, removedSince, removeEntries, usesOfListed, type CardPlace, type ListedUse
} from './store/parameters.ts'

/* ---- blacklist ---- */

/** Publishes one version and returns its number. */
export async function publishBlacklist (ledger: Ledger, publication: BlacklistPublication): Promise<number> {
  const { add, remove } = publication
  refuseBoth(add.map(entry => cardKey(entry.card)), remove.map(cardKey))
  return await inTransaction(ledger.db, async tx => {
    await lockPublication(tx)
    const last = (await lastBlacklist(tx))?.version ?? 0
    const version = publication.version ?? last + 1
    if (version <= last) {
      throw new Refusal('registry_invalid', `blacklist version ${version} is not above the last, ${last}`,
        '/version')
    }
    const added = await placesOf(tx, add.map(entry => entry.card), index => `/add/${index}/card`)
    const removed = await placesOf(tx, remove, index => `/remove/${index}`)
    await removeEntries(tx, version, removed)
    await insertEntries(tx, version, add.map(({ reason, at }, index) =>
      ({ ...added[index] as CardPlace, reason, listedAtMs: parseIso(at) })))
    await insertBlacklistVersion(tx, { version, digest: listDigest(await listedCards(tx)) },
      ledger.clock.now())
    return version
  })
}

function refuseBoth (added: readonly string[], removed: readonly string[]): void {
  const leaving = new Set(removed)
  const at = added.findIndex(key => leaving.has(key))
  if (at >= 0) throw new Refusal('registry_invalid', 'a card is added and removed at once', `/add/${at}/card`)
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

/** SHA-256 over the sorted card keys, joined by LF. */
const listDigest = (cards: readonly CardRef[]): Buffer =>
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

/* ---- tariffs ---- */

/**
 * Publishes a tariff version. The same one again changes nothing; another one under its number is refused.
 */
export async function publishTariff (ledger: Ledger, tariff: Tariff): Promise<number> {
  if (!isInstant(tariff.from)) throw new Refusal('body_invalid', `not an instant: ${tariff.from}`, '/from')
  return await inTransaction(ledger.db, async tx => {
    await lockPublication(tx)
    const known = (await readTariffs(tx)).find(one => one.version === tariff.version)
    if (known === undefined) await insertTariff(tx, tariff, ledger.clock.now())
    else if (canonical(known) !== canonical(tariff)) {
      throw new Refusal('registry_invalid', `tariff version ${tariff.version} says something else already`,
        '/version')
    }
    return tariff.version
  })
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

/** Key order is the sender's business. */
const canonical = (value: unknown): string => JSON.stringify(value, (_, one: unknown) =>
  typeof one === 'object' && one !== null && !Array.isArray(one)
    ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => a < b ? -1 : 1))
    : one)

/** The version valid now and those to come, in the order in which they become valid. */
export async function currentTariffs ({ db, clock }: Ledger): Promise<Tariff[]> {
  const all = await readTariffs(db)
  const now = tariffAt(all, clock.now())
  return all.filter(tariff => tariff === now || Date.parse(tariff.from) > clock.now())
}

/* ---- what terminals applied, and who is liable ---- */

export async function acknowledge (ledger: Ledger, said: ParameterAcknowledgement): Promise<void> {
  const { terminal, kind, version, appliedAt } = said
  const known = await insertApplied(ledger.db, {
    terminal, kind, version, appliedAtMs: parseIso(appliedAt), reportedAtMs: ledger.clock.now()
  })
  if (!known) throw new Refusal('not_found', `no terminal ${terminal} is registered`, '/terminal')
}

/** Every debit of a clearing date with a card that stood on the list, and who bears it. */
export async function liabilityOf (ledger: Ledger, date: string): Promise<LiabilityLine[]> {
  const { policies } = await ledger.registry()
  const windowMs = policies.blacklistWindowHours * 3_600_000
  return await inTransaction(ledger.db, async tx => {
    const uses = await usesOfListed(tx, date)
    const entries = await findEntries(tx, distinctCards(uses))
    const applied = await findApplied(tx, uses.map(use => use.terminalId))
    return uses.flatMap(use => lineOf(use,
      entries.filter(entry => entry.cardId === use.cardId),
      applied.filter(one => one.terminalId === use.terminalId && one.appliedAtMs <= use.eventAtMs), windowMs))
  })
}

const distinctCards = (uses: readonly ListedUse[]): ListedUse[] =>
  [...new Map(uses.map(use => [use.cardId, use])).values()]

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
