// Online requests: asks permission for what has not happened yet, many in one transaction. Each is answered
// approved or declined, once; a repeat gets its first answer. It refuses to know how they arrive.
import { createHash } from 'node:crypto'
import { groupBy, uniqueBy } from '../../runtime/collections.ts'
import { gather } from '../../runtime/gather.ts'
import { localDate } from '../../runtime/instants.ts'
import { answerNumbers, answerReasonOf, type AnswerReason } from '../../schemas/reasons.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import type { MoneyRequest, RequestReply } from '../../schemas/request.ts'
import { headings } from '../core/chart.ts'
import {
  decidePurchase, decideReinstatement, decideReversal, decideTopUp, onlineCeilingFen, type AskedCard,
  type Original,
  type Planned, type RequestDecision
} from '../core/request.ts'
import type { Use } from '../core/usage-limits.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { postGuarded, type Journal, type JournalResult, type PostedJournals } from './post-guarded.ts'
import { Refusal } from '../refusal.ts'
import { findEntries } from '../store/blacklist.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { guardedKey, guardedText, openGuarded, readGuarded } from '../store/guarded.ts'
import { lockRequests, type GuardedKey, type RequestKey } from '../store/lock.ts'
import {
  findRequests, insertRequests, readJournals, readPurseTotals, requestKey, requestKinds, type RequestRow,
  type StoredRequest
} from '../store/requests.ts'
import { accountId, isEnded, type PartyRow, type Snapshot } from '../store/registry.ts'
import { breachesIn, countUses, type LimitBreach, type UseOf } from './within-limits.ts'

/**
 * A request with whose key it is: a client, or `@` and the terminal or operator that has named it, whichever
 * gateway brings it. `party` null where the asker may ask for any party.
 */
export type Asked = { readonly client: string, readonly party: string | null, readonly request: MoneyRequest }
export type RequestBook = Pick<Ledger, 'db' | 'clock' | 'random' | 'registry'>

/** Most requests of one transaction: above it the transaction gets longer, not the rate higher. */
const itemsMax = 500
const waitingMax = 20_000

/** The door for single requests; those that come at the same time share a transaction. */
export const requestDesk = (ledger: RequestBook, limits = { itemsMax, waitingMax }):
((asked: Asked) => Promise<RequestReply>) =>
  gather<Asked, RequestReply>(asked => answerRequests(ledger, asked), {
    ...limits, full: () => new Refusal('unavailable', 'too many requests wait for an answer'), namesOf
  })

/** A repeat waits for the first answer, a second reversal for what the first leaves. */
const namesOf = ({ client, request }: Asked): string[] => [
  `${client} ${request.key}`,
  ...'of' in request ? [`${takenBack({ client, request })?.client} ${request.of.key}`] : []]

/**
 * Which request another one takes back; of a reinstatement it is a reversal, which the same client asked for.
 */
const takenBack = ({ client, request }: Pick<Asked, 'client' | 'request'>): RequestKey | null => {
  if (!('of' in request)) return null
  return requestKey(request.kind === 'reversal' ? request.of.client ?? client : client, request.of.key)
}

/**
 * Answers requests in one transaction, none of which is about the same thing as another. A Refusal stands
 * where a key was used for something else.
 */
export async function answerRequests (
  ledger: RequestBook, asked: readonly Asked[]
): Promise<(RequestReply | Refusal)[]> {
  const snapshot = await ledger.registry()
  const salt = ledger.random(16)
  const atMs = ledger.clock.now()
  const all = asked.map(prepare)
  return await inTransaction(ledger.db, async tx => {
    const clearingDate = await openDateOf(tx)
    const known = new Map((await findRequests(tx, all.map(one => one.key))).map(row => [textOf(row), row]))
    const fresh = all.filter(one => !known.has(textOf(one.key)))
    const facts = await readFacts(tx, snapshot, fresh)
    const allowed = fresh.map(one => ({ ...one, decision: openOnly(decide(one, facts), one, snapshot) }))
    const uses = await usesOf(tx, allowed, facts, atMs)
    const breaches = await breachesIn(tx, snapshot, uses.map(use => use?.isLimited === true ? use : null))
    const decided = allowed.map((one, place) => withinLimit(one, breaches[place] ?? null))
    const rows = await post(tx, decided, facts, { clearingDate, salt, atMs })
    const moved = uses.filter((_, place) => rows[place]?.outcome === 0)
    await countUses(tx, snapshot, moved.flatMap(use => use ?? []))
    await insertRequests(tx, [...rows, ...forestalled(decided, facts, rows)], atMs)
    const answers = new Map(rows.map(row => [textOf(row), replyOf(row, false)]))
    return all.map(one => {
      const first = known.get(textOf(one.key))
      if (first !== undefined) return again(one, first)
      return answers.get(textOf(one.key)) as RequestReply
    })
  })
}

/** What an online account holds, or why that cannot be said. */
export async function readOnline (
  { db, registry }: Pick<Ledger, 'db' | 'registry'>, card: CardRef
): Promise<bigint | 'card_unknown' | 'account_unknown'> {
  const known = (await findCards(db, [card])).get(cardKey(card))
  if (known === undefined) return 'card_unknown'
  return (await readGuarded(db, onlineKey(await registry(), known)))?.balanceFen ?? 'account_unknown'
}

/* ---- idempotency: by client and key, with a hash of the content ---- */

type Prepared = Asked & { readonly key: RequestKey, readonly content: string, readonly digest: Buffer }
const textOf = ({ client, key }: { readonly client: string, readonly key: string }): string =>
  `${client} ${key}`

function prepare (asked: Asked): Prepared {
  const content = JSON.stringify(fieldsOf(asked))
  const digest = createHash('sha256').update(content).digest()
  return { ...asked, key: requestKey(asked.client, asked.request.key), content, digest }
}

/** All that makes two requests the same, by the names the caller knows, always in this order. */
function fieldsOf ({ client, request }: Asked): Record<string, unknown> {
  const { kind } = request
  if (kind === 'reversal') {
    const { of, amountFen = null } = request
    return { kind, 'of/key': of.key, 'of/client': of.client ?? client, amountFen }
  }
  if (kind === 'reinstatement') return { kind, 'of/key': request.of.key }
  const { card, amountFen, party, terminal = null } = request
  return { kind, card: cardKey(card), amountFen, party, terminal }
}

/** The first answer again, or which field makes this another request. */
function again (one: Prepared, first: RequestRow): RequestReply | Refusal {
  if (first.kind === requestKinds.forestalled) return { ...replyOf(first, false), kind: one.request.kind }
  if (one.digest.equals(first.digest)) return replyOf(first, true)
  const before = JSON.parse(first.content) as Record<string, unknown>
  const now = fieldsOf(one)
  const field = Object.keys(now).find(name => now[name] !== before[name]) ?? 'kind'
  return new Refusal('request_conflict', `${one.key.key} was used before with another ${field}`, `/${field}`)
}

function replyOf (row: RequestRow, replayed: boolean): RequestReply {
  const approved = row.outcome === 0
  return {
    key: row.key,
    kind: kindNames[row.kind] ?? '',
    outcome: approved ? 'approved' : 'declined',
    reason: answerReasonOf(row.reason),
    ...row.rule === null ? {} : { rule: row.rule },
    replayed,
    amountFen: approved ? Number(row.amountFen) : 0,
    balanceFen: row.balanceFen === null ? null : Number(row.balanceFen),
    journal: row.journalId === null ? null : String(row.journalId),
    clearingDate: row.clearingDate
  }
}
const kindNames = Object.keys(requestKinds)

/* ---- facts and decisions ---- */

type Stored = Original & { readonly row: StoredRequest }
type Facts = {
  readonly cards: ReadonlyMap<string, AskedCard>
  readonly originals: ReadonlyMap<string, Stored>
  readonly snapshot: Snapshot
}

async function readFacts (tx: Tx, snapshot: Snapshot, fresh: readonly Prepared[]): Promise<Facts> {
  const refs = fresh.flatMap(({ request }) => 'of' in request ? [] : [request.card])
  const found = await findCards(tx, refs)
  const cards = uniqueBy(found.values(), card => card.cardId)
  const listed = groupBy(await findEntries(tx, cards), entry => entry.cardId)
  const topped = fresh.flatMap(({ request }) =>
    request.kind === 'top_up' ? found.get(cardKey(request.card)) ?? [] : [])
  const purses = await readPurseTotals(tx, uniqueBy(topped, card => card.cardId))
  return {
    cards: new Map([...found].map(([key, card]): [string, AskedCard] => [key, {
      bucket: card.bucket,
      cardId: card.cardId,
      type: card.cardType,
      purseFen: purses.get(card.cardId) ?? 0n,
      blocked: card.state !== 'normal' ||
        (listed.get(card.cardId) ?? []).some(entry => entry.removedVersion === null)
    }])),
    originals: await readOriginals(tx, fresh),
    snapshot
  }
}

async function readOriginals (tx: Tx, fresh: readonly Prepared[]): Promise<Facts['originals']> {
  const keys = fresh.flatMap(one => takenBack(one) ?? [])
  await lockRequests(tx, keys)
  const rows = await findRequests(tx, keys)
  const journals = await readJournals(tx, rows.flatMap(({ journalId, cardBucket, clearingDate }) =>
    journalId === null ? [] : [{ bucket: cardBucket, clearingDate, journalId }]))
  return new Map(rows.map(row => [textOf(row), {
    row, approved: row.outcome === 0, journal: journals.get(row.journalId ?? -1n) ?? [],
    reinstates: row.kind === requestKinds.reinstatement
  }]))
}

function decide (asked: Prepared, facts: Facts): RequestDecision {
  const { request } = asked
  const { snapshot } = facts
  const { policies } = snapshot
  if (request.kind === 'reversal') {
    return decideReversal(fenOrNull(request.amountFen), originalOf(asked, facts))
  }
  if (request.kind === 'reinstatement') return decideReinstatement(originalOf(asked, facts))
  const card = facts.cards.get(cardKey(request.card)) ?? null
  const party = snapshot.parties.get(request.party) ?? null
  const online = accountId(snapshot, 'commerce', 'online')
  const amountFen = BigInt(request.amountFen)
  return request.kind === 'purchase'
    ? decidePurchase(amountFen, { online, merchant: merchantOf(snapshot, party), card, policies })
    : decideTopUp(amountFen, { online, agent: agentOf(snapshot, party), card, policies })
}

/**
 * An account of a party that was closed takes part in nothing new; what is taken back moves as long as the
 * account takes money.
 */
function openOnly (decision: RequestDecision, { request }: Asked, snapshot: Snapshot): RequestDecision {
  const isShut = (account: number): boolean =>
    'of' in request ? snapshot.closed.has(account) : isEnded(snapshot, account)
  return decision.outcome === 'approved' &&
    decision.transfers.some(({ debit, credit }) => isShut(debit) || isShut(credit))
    ? { outcome: 'declined', reason: 'account_closed' }
    : decision
}

const fenOrNull = (fen: number | undefined): bigint | null => fen === undefined ? null : BigInt(fen)

/** The original of a reversal; of one at another party's the asker is told nothing. */
function originalOf ({ client, party, request }: Asked, { originals, snapshot }: Facts): Stored | null {
  const key = takenBack({ client, request })
  const found = key === null ? null : originals.get(textOf(key)) ?? null
  const at = snapshot.partyById.get(found?.row.partyId ?? -1)?.code
  return party === null || party === at ? found : null
}

const merchantOf = (snapshot: Snapshot, party: PartyRow | null): number | null =>
  party?.kind === 'operator' || party?.kind === 'agent'
    ? accountId(snapshot, 'commerce', 'merchant-pending', party.code)
    : null

/** What a top-up is taken from: what the agent has paid in, or what it owes. */
const agentOf = (snapshot: Snapshot, party: PartyRow | null): number | null =>
  party?.kind === 'operator' || party?.kind === 'agent'
    ? accountId(snapshot, 'commerce', party.prepaid ? 'agent-prepaid' : 'receivable-agent', party.code)
    : null

/* ---- limits of a day ---- */

type Allowed = Prepared & { readonly decision: RequestDecision }
type LimitedUse = UseOf & { readonly isLimited: boolean }

/**
 * What each request that may go on counts: a purchase or a top-up what it moves, a reversal less on the day
 * of its original. What comes back, and what a reinstatement puts back where it stood, no limit asks.
 */
async function usesOf (
  tx: Tx, asked: readonly Allowed[], facts: Facts, atMs: number
): Promise<(LimitedUse | null)[]> {
  if (facts.snapshot.usageLimits.length === 0) return asked.map(() => null)
  const uses: (LimitedUse | null)[] = []
  for (const one of asked) {
    const { decision, request } = one
    if (decision.outcome === 'declined') uses.push(null)
    else if ('of' in request) uses.push(await useAgain(tx, one, facts, decision.amountFen))
    else {
      const card = facts.cards.get(cardKey(request.card)) as AskedCard
      const { kind, party, terminal = null } = request
      const use = useFor(kind, card, { party, terminal }, atMs)
      uses.push({ use, fen: decision.amountFen, isLimited: true })
    }
  }
  return uses
}

const useFor = (
  kind: string, { bucket, cardId }: Use['card'],
  { party, terminal }: { readonly party: string, readonly terminal: string | null }, atMs: number
): Use => ({
  of: kind === 'purchase' ? 'purchase' : 'load', card: { bucket, cardId }, operator: party, terminal,
  date: localDate(atMs)
})

async function useAgain (
  tx: Tx, one: Prepared, facts: Facts, amountFen: bigint
): Promise<LimitedUse | null> {
  const taken = originalOf(one, facts)?.row
  const isBack = one.request.kind === 'reversal'
  const original = isBack || taken === undefined ? taken : await originalBehind(tx, taken)
  if (original === undefined || original.cardId === null) return null
  const { kind, party, terminal } = JSON.parse(original.content) as
    { readonly kind: string, readonly party: string, readonly terminal: string | null }
  const card = { bucket: original.cardBucket, cardId: original.cardId }
  const use = useFor(kind, card, { party, terminal }, original.requestedAtMs)
  return { use, fen: isBack ? -amountFen : amountFen, isLimited: false }
}

/** What a stored reversal took back. */
async function originalBehind (tx: Tx, { content }: StoredRequest): Promise<StoredRequest | undefined> {
  const of = JSON.parse(content) as { readonly 'of/key': string, readonly 'of/client': string }
  return (await findRequests(tx, [requestKey(of['of/client'], of['of/key'])]))[0]
}

const withinLimit = (one: Allowed, breach: LimitBreach | null): Decided =>
  breach === null ? one : { ...one, decision: { outcome: 'declined', ...breach } }

/* ---- posting ---- */

type Decided = Prepared & { readonly decision: RequestDecision }

async function post (tx: Tx, decided: readonly Decided[], facts: Facts, given: {
  readonly clearingDate: string, readonly salt: Buffer, readonly atMs: number
}): Promise<RequestRow[]> {
  if (decided.length === 0) return []
  const { clearingDate, salt, atMs } = given
  const ceilings = ceilingsOf(decided, facts)
  await openGuarded(tx, [...ceilings.values()].map(({ key }) => key), headings.online.floorFen, atMs)
  const approved = decided.flatMap(({ request, decision }) =>
    decision.outcome === 'approved' ? [journalOf(request, decision.transfers, atMs)] : [])
  const posted = await postGuarded(tx,
    { kind: 'requests', clearingDate, createdAtMs: atMs, salt, items: decided.length }, approved,
    {
      accounts: facts.snapshot.guarded,
      ceilingOf: key => ceilings.get(guardedText(key))?.ceilingFen ?? null
    })
  let place = 0
  return decided.map(one => {
    const result = one.decision.outcome === 'approved' ? posted.results[place++] ?? null : null
    return rowOf(one, result, posted, facts, clearingDate)
  })
}

const journalOf = (
  request: MoneyRequest, transfers: readonly Planned[], eventAtMs: number
): Journal => ({
  transfers: transfers.map(transfer => ({ ...transfer, eventAtMs })), comesBack: request.kind === 'reversal'
})

/** The online accounts that money is put into, with what each may hold. */
function ceilingsOf (
  decided: readonly Decided[], { cards, snapshot }: Facts
): Map<string, { readonly key: GuardedKey, readonly ceilingFen: bigint }> {
  return new Map(decided.flatMap(({ request, decision }) => {
    if (request.kind !== 'top_up' || decision.outcome !== 'approved') return []
    const card = cards.get(cardKey(request.card)) as AskedCard
    const key = onlineKey(snapshot, card)
    return [[guardedText(key), { key, ceilingFen: onlineCeilingFen(card, snapshot.policies) }] as const]
  }))
}

const onlineKey = (snapshot: Snapshot, card: Pick<AskedCard, 'bucket' | 'cardId'>): GuardedKey =>
  guardedKey({ accountId: accountId(snapshot, 'commerce', 'online'), heading: 'online' }, card)

function rowOf (
  one: Decided, result: JournalResult | null, posted: PostedJournals, facts: Facts, clearingDate: string
): RequestRow {
  const { request, decision, key, digest, content } = one
  const { bucket, cardId, partyId } = subjectOf(one, facts)
  const isPosted = result?.outcome === 'posted'
  return {
    ...key,
    digest,
    content,
    kind: requestKinds[request.kind],
    outcome: isPosted ? 0 : 1,
    reason: answerNumbers[reasonOf(decision, result, facts.snapshot)],
    rule: decision.outcome === 'declined' ? decision.rule ?? null : null,
    cardBucket: bucket,
    cardId,
    partyId,
    amountFen: decision.outcome === 'approved' ? decision.amountFen : askedFen(request),
    balanceFen: cardId === null ? null : posted.balanceOf(onlineKey(facts.snapshot, { bucket, cardId })),
    batchId: posted.batchId,
    journalId: isPosted ? result.transferIds[0] ?? null : null,
    clearingDate
  }
}

const askedFen = (request: MoneyRequest): bigint =>
  'amountFen' in request ? BigInt(request.amountFen ?? 0) : 0n

/**
 * The places of requests that are taken back before they came: when they come they are declined, for whoever
 * asked was told that nothing will have moved. Only of the client's own: nobody takes up another's keys.
 */
function forestalled (
  decided: readonly Decided[], { originals }: Facts, answered: readonly RequestRow[]
): RequestRow[] {
  return decided.flatMap((one, place) => {
    const key = takenBack(one)
    const answer = answered[place]
    if (key === null || answer === undefined || key.client !== one.client ||
      originals.has(textOf(key))) return []
    const content = JSON.stringify({ kind: 'forestalled', 'by/key': one.key.key })
    return [{
      ...answer, ...key, content, digest: createHash('sha256').update(content).digest(),
      kind: requestKinds.forestalled, outcome: 1, reason: answerNumbers.taken_back, rule: null,
      amountFen: 0n
    }]
  })
}

/** The card and the party a request is about, as far as they are known. */
function subjectOf (
  one: Prepared, facts: Facts
): { readonly bucket: number, readonly cardId: bigint | null, readonly partyId: number | null } {
  if ('of' in one.request) {
    const { cardBucket = 0, cardId = null, partyId = null } = originalOf(one, facts)?.row ?? {}
    return { bucket: cardBucket, cardId, partyId }
  }
  const { bucket = 0, cardId = null } = facts.cards.get(cardKey(one.request.card)) ?? {}
  return { bucket, cardId, partyId: facts.snapshot.parties.get(one.request.party)?.partyId ?? null }
}

function reasonOf (
  decision: RequestDecision, result: JournalResult | null, { guarded }: Snapshot
): AnswerReason {
  if (decision.outcome === 'declined') return decision.reason
  if (result === null || result.outcome === 'posted') return 'ok'
  const isAgent = guarded.get(result.key.accountId)?.heading === 'agent-prepaid'
  return isAgent && result.why === 'floor' ? 'agent_insufficient' : breachReasons[result.why]
}
const breachReasons = {
  unknown: 'account_unknown', closed: 'account_closed', floor: 'insufficient_funds',
  ceiling: 'balance_over_limit'
} as const
