// Reads, under lock, what a delivery is judged by: purses, what is known around its counters, the blacklist.
// How much is read depends on how the lines were sorted. It refuses to know verdicts.
import { groupBy, uniqueBy } from '../../runtime/collections.ts'
import { startOfDate } from '../../runtime/instants.ts'
import type { Policies } from '../../schemas/api.ts'
import { reasonNumbers } from '../../schemas/reasons.ts'
import { evidenceHash, type CardRef } from '../../schemas/record.ts'
import { serviceOf, versionAt, type Fares } from '../../schemas/tariff/fares.ts'
import { accountCode } from '../core/chart.ts'
import { appliedAt, listingAt } from '../core/listing.ts'
import { beginsElsewhere } from '../core/chain.ts'
import { cityAt } from '../core/cities.ts'
import type { PostingAccounts } from '../core/posting.ts'
import { regressedBy } from '../core/regression.ts'
import type { VerdictPolicy } from '../core/verdict.ts'
import type { IncomingLine } from './incoming.ts'
import type { PlainLines } from './plain-lines.ts'
import type { Known, KnownKeys } from '../judging/book.ts'
import {
  isForeign, purseText, type Context, type Group, type Prepared, type Sorted, type Told
} from '../judging/sort-out.ts'
import { findApplied, findEntries } from '../store/blacklist.ts'
import { findCards, findCardsById, type CardRow } from '../store/cards.ts'
import { findCentres, lineText } from '../store/cities.ts'
import { plausibleBy } from '../services/transit/plausible.ts'
import { Refusal } from '../refusal.ts'
import type { Tx } from '../store/db.ts'
import { findFacts } from '../store/facts.ts'
import { lockCards, lockDigests, lockPurses, type LockedCards, type PurseRow } from '../store/lock.ts'
import {
  findContenders, findDigests, findEvents, findOwners, type ChipKey, type PurseKey, type Range,
  type StoredEvent,
  type TerminalKey
} from '../store/records.ts'
import { accountId, type PartyRow, type Snapshot } from '../store/registry.ts'
import { findReuses } from '../store/sequences.ts'

/** A card outside a delivery whose records the delivery may change. */
export type OtherCard = Pick<PurseKey, 'bucket' | 'cardId'>

/**
 * Locks the purses that the delivery may change, `others` included, all in key order, and reads the
 * registered cards among those of its lines. Then come the lines that no purse stands for: {@link lockLines}.
 */
export async function lockFor (
  tx: Tx, lines: readonly IncomingLine[], plain: PlainLines['cards'], others: readonly OtherCard[]
): Promise<LockedCards> {
  const refs = new Map<string, CardRef>()
  for (const { key, ref } of plain) refs.set(key, ref)
  for (const line of lines) {
    if (line.readable && !refs.has(line.cardKey)) refs.set(line.cardKey, line.record.card)
  }
  const locked = others.length === 0 ? await lockCards(tx, refs) : await lockWith(tx, refs, others)
  return locked
}

/** Locks the lines that no purse stands for. */
export async function lockLines (
  tx: Tx, lines: readonly IncomingLine[], cards: LockedCards['cards']
): Promise<void> {
  const digests: Buffer[] = []
  for (const line of lines) {
    if (!line.readable) digests.push(line.digest)
    else if (!cards.has(line.cardKey)) digests.push(evidenceHash(line.record))
  }
  await lockDigests(tx, digests)
}

/** Rare: cards outside the delivery must be locked among its own, so all are found before any is locked. */
async function lockWith (
  tx: Tx, refs: ReadonlyMap<string, CardRef>, others: readonly OtherCard[]
): Promise<LockedCards> {
  const cards = await findCards(tx, [...refs.values()])
  const keys = uniqueBy([...cards.values(), ...others], card => card.cardId)
  return { cards, purses: await lockPurses(tx, keys) }
}

/**
 * Null: only what stands around the lines. Else also who else claims the keys of this delivery; where that
 * touches cards which the lines do not name, `lockAlso` ends the try: locks are taken in one order only.
 */
export type Thorough = { readonly lockAlso: (cards: readonly OtherCard[]) => never } | null

export async function readKnown (
  tx: Tx, sorted: Sorted, purses: readonly PurseRow[], thorough: Thorough
): Promise<Known> {
  const told = [...sorted.cardless, ...sorted.careful.flatMap(group => group.told)]
  const digests = await findDigests(tx, [
    ...told.map(({ line }) => ({ bucket: line.bucket, digest: evidenceHash(line.record) })),
    ...sorted.unreadable.map(({ digest }) => ({ bucket: 0, digest }))], reasonNumbers.duplicate)
  const claims = told.filter(one => one.kind === 'claim')
  const keys = thorough === null ? null : await readKeys(tx, sorted, claims, purses, thorough)
  const counters = [
    ...sorted.careful.flatMap(({ key, told, again = [] }) =>
      [...told.map(({ line }) => line.record.counter), ...again].map(counter => ({ ...key, counter }))),
    ...keys?.component ?? []]
  const ranges = rangesAround(counters)
  const groups = [...sorted.careful, ...keys?.others ?? []]
  const events = await withCentres(tx, await findEvents(tx, ranges), groups)
  const facts = await findFacts(tx, ranges)
  const reuses = await findReuses(tx, [...new Set(events.map(({ psamId }) => psamId))])
  return { digests, events, keys, reuses, facts }
}

/** Events of cards of other cities with the centre that each was booked against; hardly ever any. */
async function withCentres (
  tx: Tx, events: readonly StoredEvent[], groups: readonly Pick<Group, 'key' | 'opening'>[]
): Promise<readonly StoredEvent[]> {
  const foreign = new Set(groups.flatMap(({ key, opening }) =>
    beginsElsewhere(opening) ? [purseText(key)] : []))
  if (foreign.size === 0) return events
  const centres = await findCentres(tx, events.filter(event => foreign.has(purseText(event))))
  return events.map(event => {
    const centre = centres.get(lineText(event))
    return centre === undefined ? event : { ...event, centre }
  })
}

/** Two counters to both sides: one further than any verdict of theirs depends on. */
function rangesAround (keys: readonly ChipKey[]): Range[] {
  const ranges: { -readonly [K in keyof Range]: Range[K] }[] = []
  for (const group of groupBy(keys, purseText).values()) {
    for (const { counter, ...key } of [...group].sort((a, b) => a.counter - b.counter)) {
      const last = ranges.at(-1)
      if (last !== undefined && purseText(last) === purseText(key) &&
        counter - 2 <= last.to) last.to = counter + 2
      else ranges.push({ ...key, from: counter - 2, to: counter + 2 })
    }
  }
  return ranges
}

/* ---- collisions: who else claims the same keys ---- */

async function readKeys (
  tx: Tx, sorted: Sorted, claims: readonly Told[], purses: readonly PurseRow[],
  thorough: NonNullable<Thorough>
): Promise<KnownKeys> {
  const terminals = claims.map(({ line }): TerminalKey =>
    ({ psamId: line.psam?.psamId ?? 0, sequence: BigInt(line.record.sequence) }))
  const component = await readComponent(tx, chipKeysOf(sorted), terminals)
  return {
    component,
    others: await readOthers(tx, sorted, component, purses, thorough),
    owners: await findOwners(tx, terminals)
  }
}

const chipKeysOf = (sorted: Sorted): ChipKey[] => sorted.careful.flatMap(({ key, told, again = [] }) => [
  ...told.filter(one => one.kind === 'claim').map(({ line }) => line.record.counter), ...again
].map(counter => ({ ...key, counter })))

const chipText = (key: ChipKey): string => `${purseText(key)}/${key.counter}`
const terminalText = ({ psamId, sequence }: TerminalKey): string => `${psamId}/${sequence}`

/** From keys to the claims on them, from these to their other key, until nothing new comes. */
async function readComponent (
  tx: Tx, chips: readonly ChipKey[], terminals: readonly TerminalKey[]
): Promise<ChipKey[]> {
  const seenChips = new Map<string, ChipKey>()
  const seenTerminals = new Set<string>()
  let newChips = uniqueBy(chips, chipText)
  let newTerminals = uniqueBy(terminals, terminalText)
  while (newChips.length > 0 || newTerminals.length > 0) {
    for (const key of newChips) seenChips.set(chipText(key), key)
    for (const key of newTerminals) seenTerminals.add(terminalText(key))
    const events: StoredEvent[] = await findEvents(tx, newChips.map(({ counter, ...key }) =>
      ({ ...key, from: counter, to: counter })))
    const holders = [...await findOwners(tx, newTerminals), ...await findContenders(tx, newTerminals)]
    newChips = uniqueBy(holders.map(({ owner }) => owner), chipText).filter(key =>
      !seenChips.has(chipText(key)))
    newTerminals = uniqueBy<TerminalKey,
      string>(events.filter(event => event.evidence !== 'stranger'), terminalText)
      .filter(key => !seenTerminals.has(terminalText(key)))
  }
  return [...seenChips.values()]
}

/** The purses of other cards that are touched. Where one is not locked yet, all is done again with it. */
async function readOthers (
  tx: Tx, sorted: Sorted, touched: readonly ChipKey[], purses: readonly PurseRow[],
  { lockAlso }: NonNullable<Thorough>
): Promise<Omit<Group, 'told'>[]> {
  const inDelivery = new Set(sorted.careful.map(({ key }) => purseText(key)))
  const keys = uniqueBy(touched.map(({ counter, ...key }) => key), purseText).filter(key =>
    !inDelivery.has(purseText(key)))
  if (keys.length === 0) return []
  const locked = new Map(purses.map(purse => [purseText(purse), purse]))
  const missing = keys.filter(key => !locked.has(purseText(key)))
  if (missing.length > 0) lockAlso(missing)
  const cards = new Map((await findCardsById(tx, keys)).map(card => [card.cardId, card]))
  return keys.map(key => {
    const card = cards.get(key.cardId)
    return {
      key,
      purse: locked.get(purseText(key)) ?? null,
      opening: { counter: card?.openedCounter ?? 0, balanceFen: card?.openedFen ?? 0n }
    }
  })
}

/* ---- what verdicts ask ---- */

/** What lines are about. */
export type Asked = {
  readonly psamIds: readonly number[], readonly terminalIds: readonly number[]
  /** Each once. */
  readonly cards: readonly Pick<CardRow, 'bucket' | 'cardId'>[]
}

export async function readContext (tx: Tx, snapshot: Snapshot, asked: Asked, given: {
  readonly kind: Context['kind'], readonly receivedAtMs: number, readonly date: string
}): Promise<Context> {
  const { policiesAt } = snapshot
  const policy = policyOf(snapshot.policies)
  const reuses = await findReuses(tx, [...new Set(asked.psamIds)])
  const regressed = regressedBy(reuses, policy.clockToleranceMs)
  const plausible = plausibleBy(snapshot.tariffs)
  const entries = groupBy(await findEntries(tx, asked.cards), entry => entry.cardId)
  const applied = groupBy(
    await findApplied(tx, entries.size === 0 ? [] : asked.terminalIds), one => one.terminalId)
  const openFromMs = startOfDate(given.date)
  const wasClosed = closedBy(snapshot)
  return {
    kind: given.kind,
    receivedAtMs: given.receivedAtMs,
    policy,
    policyAt: policyBy(snapshot, policy),
    reuses,
    beforeOpenDate: eventAtMs => eventAtMs < openFromMs,
    around: line => ({
      listing: listingAt(
        entries.get(line.card?.cardId ?? -1n) ?? [],
        appliedAt(applied.get(line.terminal?.terminalId ?? -1) ?? [], line.eventAtMs), line.eventAtMs,
        {
          windowMs: policiesAt(line.eventAtMs).blacklistWindowHours * hourMs,
          reachable: line.terminal?.reachable ?? true
        }),
      city: isForeign(line.card)
        ? cityAt(snapshot.cities, line.record.card.issuer, line.eventAtMs)
        : null,
      merchantClosed: wasClosed(line.terminal?.partyId, line.eventAtMs),
      cardTypeAllowed: isAllowed(
        policiesAt(line.eventAtMs), line.operator?.service ?? null, line.card?.cardType ?? null),
      abnormal: isTransit(line) && !isRide(snapshot.fares, line) && !plausible({
        operator: line.record.operator, cardType: line.card?.cardType ?? '', eventAtMs: line.eventAtMs,
        amountFen: line.record.amountFen
      }),
      regressed: line.tacValid === true && !line.record.grey && line.psam !== null && regressed({
        psamId: line.psam.psamId, sequence: BigInt(line.record.sequence), eventAtMs: line.eventAtMs
      })
    }),
    accountsOf: accountsBy(snapshot)
  }
}

/** Journeys of a card are priced together, when all of them are known. */
const isRide = (fares: Fares, { record: { ride, operator, line = '' }, eventAtMs }: Prepared): boolean => {
  const version = ride === undefined ? null : versionAt(fares, eventAtMs)
  return version !== null && serviceOf(version, operator, line) !== null
}

/** Whether the account of a party was closed at an instant: what became of it since is no news of records. */
function closedBy (snapshot: Snapshot): (partyId: number | undefined, atMs: number) => boolean {
  const { closings, accounts, partyById } = snapshot
  if (closings.size === 0) return () => false
  return (partyId, atMs) => {
    const code = accountCode('commerce', 'merchant-pending', partyById.get(partyId ?? -1)?.code ?? '')
    return (closings.get(accounts.get(code) ?? -1) ?? [])
      .some(({ fromMs, untilMs }) => fromMs <= atMs && (untilMs === null || atMs < untilMs))
  }
}

/** The accounts of a terminal's operator are looked up once: a delivery is about few terminals. */
function accountsBy (snapshot: Snapshot): Context['accountsOf'] {
  const purse = accountId(snapshot, 'commerce', 'purse')
  const unpaid = accountId(snapshot, 'commerce', 'unpaid-debits')
  const issuerLoss = accountId(snapshot, 'commerce', 'issuer-loss')
  const look = (terminalId: number | null, foreign: boolean): PostingAccounts => {
    const terminal = snapshot.terminalById.get(terminalId ?? -1)
    const operator = snapshot.partyById.get(terminal?.partyId ?? -1)
    const merchant = operator !== undefined && claiming.has(operator.kind)
      ? accountId(snapshot, 'commerce', 'merchant-pending', operator.code)
      : null
    return { purse, unpaid, issuerLoss, merchant, centre: foreign ? centreAccount(snapshot) : null }
  }
  const own = new Map<number | null, PostingAccounts>()
  return (terminalId, foreign) => {
    if (foreign) return look(terminalId, foreign)
    const known = own.get(terminalId)
    if (known !== undefined) return known
    const found = look(terminalId, foreign)
    own.set(terminalId, found)
    return found
  }
}

/** A shop that loads also sells; a centre claims for operators of other cities that took our cards. */
const claiming: ReadonlySet<PartyRow['kind']> = new Set(['operator', 'agent', 'centre'])

/** Throws Refusal unavailable where nobody is registered who owes: a gateway comes again with its records. */
function centreAccount (snapshot: Snapshot): number {
  const { nationalCentre } = snapshot.policies
  const account = snapshot.accounts.get(accountCode('commerce', 'receivable-agent', nationalCentre))
  if (account !== undefined) return account
  throw new Refusal('unavailable', `${nationalCentre}, which owes for foreign cards, is not registered`)
}

const policyOf = (policies: Policies): VerdictPolicy => ({
  lateMs: policies.lateDays * dayMs,
  clockToleranceMs: policies.clockToleranceMinutes * minuteMs,
  debitFenMax: BigInt(policies.debitFenMax),
  cityGraceMs: policies.cityGraceDays * dayMs
})

/** As of an event; whether a clock is plausible is asked of what has come, before anybody trusts its date. */
function policyBy (
  { policies, policiesAt }: Snapshot, now: VerdictPolicy
): (eventAtMs: number) => VerdictPolicy {
  const known = new Map<Policies, VerdictPolicy>([[policies, now]])
  return eventAtMs => {
    const then = policiesAt(eventAtMs)
    const found = known.get(then) ?? { ...policyOf(then), clockToleranceMs: now.clockToleranceMs }
    known.set(then, found)
    return found
  }
}

const isTransit = ({ operator }: Prepared): boolean => operator?.service === 'transit'

/** Where nothing is said of a kind of merchant, it takes every card. */
const isAllowed = (policies: Policies, service: string | null, cardType: string | null): boolean =>
  service === null || cardType === null ||
  (policies.cardTypesAllowed[service]?.includes(cardType) ?? true)

const dayMs = 86_400_000
const hourMs = 3_600_000
const minuteMs = 60_000
