// Judges the lines whose verdict depends on what else is known of their card: grey records, conflicts, broken
// chains, and the stored events around them whose verdict the news changes. Pure.
import { groupBy } from '../../runtime/collections.ts'
import { reasonNumbers, type VerdictReason } from '../../schemas/reasons.ts'
import { evidenceHash } from '../../schemas/record.ts'
import {
  beginsElsewhere, chainOf, chipKey, decidedFindings, gapsAt, losersOf, terminalKey, type Chain,
  type ChainEvent,
  type ChainFacts
} from '../core/chain.ts'
import { regressedBy, reusesOf } from '../core/regression.ts'
import { ownFindings, verdictOf, type Verdict } from '../core/verdict.ts'
import type { PurseMove } from '../store/cards.ts'
import type { ChainFact } from '../store/facts.ts'
import type { PurseRow } from '../store/lock.ts'
import type { StoredEvent } from '../store/records.ts'
import {
  answerAlone, answerClaim, answerEvidence, answerRepeat, bookChange, bookFirst, evidenceOf, outcomeName,
  reasonName,
  terminalClaimOf, unpackFindings, type Book, type Collision, type Known, type KnownKeys
} from './book.ts'
import { purseText, type Group, type Told } from './sort-out.ts'

/** An event of the chain with what judges it: a stored one, a line of this delivery, or both. */
type Event = ChainEvent & {
  readonly stored: StoredEvent | null
  /** The line that tells it first. */
  readonly told: Told | null
  /** The line that proves a stored grey event. */
  readonly proof: Told | null
  readonly own: readonly VerdictReason[]
  /** People decided what becomes of it although it was held. */
  readonly decided: boolean
  /** When it is taken to have happened, where its own time cannot be right. */
  readonly estimateMs: number | null
}

/** The events of one purse before and after the news. */
type Scene = {
  readonly group: Group
  readonly before: readonly Event[]
  readonly after: readonly Event[]
  readonly repeats: readonly { readonly told: Told, readonly of: Event }[]
  readonly factsBefore: ChainFacts
  readonly facts: ChainFacts
}

export function judgeChains (book: Book, groups: readonly Group[], known: Known): 'done' | Collision {
  const stored = groupBy(known.events, purseText)
  const others = (known.keys?.others ?? []).map((group): Group => ({ ...group, told: [] }))
  const facts = groupBy(known.facts, purseText)
  const news = groupBy(known.newFacts ?? [], purseText)
  const scenes = [...groups, ...others].map(group => {
    const text = purseText(group.key)
    return setScene(book, group, stored.get(text) ?? [], facts.get(text) ?? [], news.get(text) ?? [])
  })
  const claims = scenes.flatMap(({ after }) => after.filter(event => event.kind === 'claim'))
  if (known.keys === null && newsCollides(claims)) return 'collision'
  const lostBefore = new Set(scenes.flatMap(({ before }) => before.filter(lostSoFar)))
  const lost = known.keys === null
    ? new Set(claims.filter(lostSoFar))
    : losersAnew(claims, known.keys, ({ decided }) => decided)
  if (known.keys !== null) noteReuses(book, claims, losersAnew(claims, known.keys, () => false), known)
  for (const scene of scenes) judgeScene(book, scene, lostBefore, lost, known.keys)
  return 'done'
}

/** Claims on one sequence may prove that a PSAM started over; that counts for this delivery already. */
function noteReuses (
  book: Book, claims: readonly Event[], lost: ReadonlySet<Event>, { keys, reuses }: Known
): void {
  const inComponent = componentOf(keys as KnownKeys)
  const plausible = claims.filter(claim => (isNews(claim) || inComponent(claim)) && !claim.clockWrong)
  book.reuses.push(...reusesOf(plausible, lost))
  const renewed = new Set(book.reuses.map(terminalKey))
  const { context: { policy, reuses: ofTold } } = book
  book.regressed = regressedBy([
    ...[...ofTold, ...reuses].filter(reuse => !renewed.has(terminalKey(reuse))),
    ...book.reuses.flatMap(({ firstAtMs, ...of }) => firstAtMs === null ? [] : [{ ...of, firstAtMs }])
  ], policy.clockToleranceMs)
}

const isNews = (event: Event): boolean => event.stored === null || event.proof !== null

/** News and somebody else on the same counter or the same sequence. */
function newsCollides (claims: readonly Event[]): boolean {
  const byChip = groupBy(claims, chipKey)
  const byTerminal = groupBy(claims, terminalKey)
  return claims.some(claim => isNews(claim) &&
    ((byChip.get(chipKey(claim))?.length ?? 0) > 1 || (byTerminal.get(terminalKey(claim))?.length ?? 0) > 1))
}

const lostSoFar = ({ stored }: Event): boolean =>
  stored !== null && unpackFindings(stored.reason, stored.findings).includes('conflict')

/** Claims that share keys with the news are ranked again; all others stay as they are. */
function losersAnew (
  claims: readonly Event[], keys: KnownKeys, isDecided: (claim: Event) => boolean
): Set<Event> {
  const inComponent = componentOf(keys)
  const isRanked = (claim: Event): boolean => isNews(claim) || inComponent(claim)
  return new Set([
    ...losersOf(claims.filter(isRanked), isDecided),
    ...claims.filter(claim => !isRanked(claim) && lostSoFar(claim))])
}

/** Claims that share a key with the news, directly or through others. */
function componentOf ({ component }: KnownKeys): (claim: Event) => boolean {
  const counters = new Set(component.map(key => chipKey({ purse: purseText(key), counter: key.counter })))
  return claim => counters.has(chipKey(claim))
}

/* ---- what is told, and what of it is news ---- */

function setScene (
  book: Book, group: Group, stored: readonly StoredEvent[], facts: readonly ChainFact[],
  newFacts: readonly ChainFact[]
): Scene {
  const { clockToleranceMs } = book.context.policy
  const estimates = new Map([...facts, ...newFacts].filter(({ kind }) => kind === 'estimate')
    .map(fact => [keyOfFact(fact), fact]))
  const decided = new Set([...facts, ...newFacts].filter(({ kind }) =>
    kind === 'release' || kind === 'rejection').map(keyOfFact))
  const proven = new Set(stored.filter(one => one.evidence === 'completion').map(contentKey))
  const before = stored.filter(one => one.evidence !== 'completion').map(one =>
    fromStored(group, one, { proven, estimates, decided }))
  const after = new Map(before.map(event => [contentKeyOf(event), event]))
  const repeats: { told: Told, of: Event }[] = []
  // Signed lines first: where a delivery tells an event both ways, the signed line is the event's line.
  const signedFirst = [...group.told].sort((a, b) =>
    Number(a.kind === 'grey') - Number(b.kind === 'grey') || a.line.index - b.line.index)
  for (const told of signedFirst) {
    const event = told.kind === 'none' ? undefined : after.get(contentKeyOfLine(told))
    const isKnown = event === undefined && book.digests.has(evidenceHash(told.line.record).toString('hex'))
    if (told.kind === 'none' || isKnown) {
      answerAlone(book, told)
    } else if (event === undefined) {
      after.set(contentKeyOfLine(told), fromLine(group, told))
    } else if (event.kind === 'grey' && told.kind === 'claim') {
      after.set(contentKeyOfLine(told), { ...event, kind: 'claim', proof: told })
    } else {
      repeats.push({ told, of: event })
    }
  }
  return {
    group, before, after: [...after.values()], repeats,
    factsBefore: chainFactsOf(facts, clockToleranceMs),
    facts: chainFactsOf([...facts, ...newFacts], clockToleranceMs)
  }
}

export const chainFactsOf = (facts: readonly ChainFact[], clockToleranceMs: number): ChainFacts => ({
  readings: facts.filter(({ kind }) => kind === 'reading')
    .map(({ counter, balanceFen, atMs }) => ({ counter, balanceFen: balanceFen ?? 0n, atMs })),
  loads: facts.filter(({ kind }) => kind === 'load')
    .map(({ counter, balanceFen }) => ({ counter, amountFen: balanceFen ?? 0n })),
  expired: new Set(facts.filter(({ kind }) => kind === 'expiry').map(keyOfFact)),
  returned: new Set(facts.filter(({ kind }) => kind === 'return').map(keyOfFact)),
  released: new Set(facts.filter(({ kind }) => kind === 'release').map(keyOfFact)),
  rejected: new Set(facts.filter(({ kind }) => kind === 'rejection').map(keyOfFact)),
  clockToleranceMs
})
const keyOfFact = ({ counter, content }: ChainFact): string =>
  `${counter}/${content?.toString('hex') ?? ''}`

const contentKey = (one: StoredEvent): string => `${one.counter}/${one.content.toString('hex')}`
const contentKeyOf = (event: Event): string => `${event.counter}/${event.content}`
const contentKeyOfLine = ({ line }: Told): string => `${line.record.counter}/${line.content.toString('hex')}`

function fromStored (
  group: Group, one: StoredEvent, { proven, estimates, decided }: {
    readonly proven: ReadonlySet<string>, readonly estimates: ReadonlyMap<string, ChainFact>
    readonly decided: ReadonlySet<string>
  }
): Event {
  const estimate = estimates.get(contentKey(one))
  const own = estimate === undefined
    ? ownFindings(unpackFindings(one.firstReason, one.firstFindings))
    : (estimate.findings ?? []).map(reasonName)
  const isGrey = one.evidence === 'grey' && !proven.has(contentKey(one))
  return {
    kind: one.evidence === 'stranger' ? 'stranger' : isGrey ? 'grey' : 'claim',
    purse: purseText(group.key),
    counter: one.counter,
    balanceBeforeFen: one.balanceBeforeFen,
    amountFen: one.amountFen,
    content: one.content.toString('hex'),
    eventAtMs: estimate?.atMs ?? one.eventAtMs,
    clockWrong: own.includes('clock_implausible'),
    psamId: one.psamId,
    terminalId: one.terminalId,
    sequence: one.sequence,
    stored: one,
    told: null,
    proof: null,
    own,
    decided: decided.has(contentKey(one)),
    estimateMs: estimate?.atMs ?? null
  }
}

function fromLine (group: Group, told: Told): Event {
  const { record, content, eventAtMs, psam, terminal } = told.line
  return {
    kind: told.kind as Event['kind'],
    purse: purseText(group.key),
    counter: record.counter,
    balanceBeforeFen: BigInt(record.balanceBeforeFen),
    amountFen: BigInt(record.amountFen),
    content: content.toString('hex'),
    eventAtMs,
    clockWrong: told.own.includes('clock_implausible'),
    psamId: psam?.psamId ?? 0,
    terminalId: terminal?.terminalId ?? 0,
    sequence: BigInt(record.sequence),
    stored: null,
    told,
    proof: null,
    own: ownFindings(told.own),
    decided: false,
    estimateMs: null
  }
}

/* ---- verdicts ---- */

function judgeScene (
  book: Book, scene: Scene, lostBefore: ReadonlySet<Event>, lost: ReadonlySet<Event>, keys: KnownKeys | null
): void {
  const { group, before, after, repeats } = scene
  const then = chainOf(before, lostBefore, group.opening, scene.factsBefore)
  const now = chainOf(after, lost, group.opening, scene.facts)
  const turned = (event: Event): boolean => event.stored !== null && lost.has(event) !== lostSoFar(event)
  const news = after.filter(event => isNews(event) || turned(event)).map(event => event.counter)
    .concat(group.again ?? [])
  const around = new Set(news.flatMap(counter => [counter - 1, counter, counter + 1]))
  const move = openMove(group)
  for (const event of after.filter(({ counter }) => around.has(counter))) {
    const regressed = event.kind === 'claim' && !event.clockWrong && book.regressed(event)
    const found = [...now.findings(event), ...regressed ? ['psam_regression' as const] : []]
    const verdict = verdictOf([...event.own, ...decidedFindings(event, scene.facts, found)])
    settle(book, scene, event, verdict, { lost: lost.has(event), keys, move })
  }
  for (const { told, of } of repeats) answerAsFirst(book, told, of)
  if (move === null) return
  move.openItems += gapsAt(around, now.covers, group.opening) - gapsAt(around, then.covers, group.opening)
  moveTop(book, scene, move, then, now, news)
  if (move.openItems > 0 || (group.purse?.openItems ?? 0) > 0) book.troubled.push(group.key)
  const isBeyond = after.some(({ counter }) => counter > move.lastCounter)
  if (isBeyond && group.purse?.beyond === false) book.beyond.push(group.key)
  book.moves.push(move)
}

type Move = { -readonly [K in keyof PurseMove]: PurseMove[K] }
const openMove = ({ key, purse }: Group): Move | null => purse === null
  ? null
  : {
      ...key,
      lastCounter: purse.lastCounter,
      lastBalanceFen: purse.lastBalanceFen,
      shadowDeltaFen: 0n,
      openItems: purse.openItems
    }

type Settling = { readonly lost: boolean, readonly keys: KnownKeys | null, readonly move: Move | null }

/** Writes down a verdict: a line's first, or a change of a stored one. */
function settle (book: Book, scene: Scene, event: Event, verdict: Verdict, how: Settling): void {
  if (event.stored === null) settleLine(book, scene, event, event.told as Told, verdict, how)
  else {
    const foreign = beginsElsewhere(scene.group.opening)
    settleStored(book, event, event.stored, verdict, { ...how, foreign })
  }
}

function settleLine (
  book: Book, scene: Scene, event: Event, told: Told, verdict: Verdict, { lost, keys, move }: Settling
): void {
  if (event.kind !== 'claim') answerEvidence(book, told, verdict, event.kind)
  else if (!lost && keysAreFree(scene, event, keys)) {
    answerClaim(book, told, verdict)
  } else answerEvidence(book, told, verdict, 'contender')
  if (event.kind === 'stranger' || move === null) return
  move.shadowDeltaFen -= bookFirst(book, told.line, verdict)
  if (verdict.outcome === 'held') move.openItems++
}

/** A claim that wins takes its keys where nobody holds them; a former winner keeps the rows it once took. */
function keysAreFree ({ before }: Scene, event: Event, keys: KnownKeys | null): boolean {
  if (keys === null) return true
  const chipTaken = before.some(other => other.stored?.evidence === null && other.counter === event.counter)
  return !chipTaken && !keys.owners.some(owner => terminalKey(owner) === terminalKey(event))
}

function settleStored (
  book: Book, event: Event, stored: StoredEvent, verdict: Verdict,
  { keys, move, foreign }: Settling & { readonly foreign: boolean }
): void {
  if (event.proof !== null) settleProof(book, event, event.proof, verdict, keys)
  if (event.kind === 'stranger') return
  const findings = unpackFindings(stored.reason, stored.findings)
  const same = reasonNumbers[verdict.reason] === stored.reason && findings.join() === verdict.findings.join()
  if (same) return
  const fromPurseFen = bookChange(book, stored, verdict, { estimateMs: event.estimateMs, foreign })
  if (move === null) return
  move.shadowDeltaFen -= fromPurseFen
  move.openItems += Number(verdict.outcome === 'held') - Number(outcomeName(stored.outcome) === 'held')
}

/**
 * A grey event is proven by a signed record with the same content: the line it was told by keeps it, so that
 * the money has one line whichever came first. The proof is kept, and in a file it is a repeat as any other.
 */
function settleProof (book: Book, event: Event, proof: Told, verdict: Verdict, keys: KnownKeys | null): void {
  const { line } = proof
  book.evidence.push(evidenceOf(line, verdict, 'completion'))
  book.completions++
  if (!keys?.owners.some(owner => terminalKey(owner) === terminalKey(event))) {
    book.terminalClaims.push(terminalClaimOf(line))
  }
  if (book.context.kind === 'file') answerRepeat(book, proof, verdict)
  else book.results[line.index] = { outcome: verdict.outcome, reason: verdict.reason, replayed: false }
}

/** The first answer: of the stored line, or of the line of this delivery that told it first. */
function answerAsFirst (book: Book, told: Told, of: Event): void {
  const before = book.digests.get(evidenceHash(told.line.record).toString('hex'))
  if (before !== undefined) answerRepeat(book, told, before)
  else if (of.stored !== null) {
    answerRepeat(book, told,
      { outcome: outcomeName(of.stored.firstOutcome), reason: reasonName(of.stored.firstReason) })
  } else answerRepeat(book, told, book.results[of.told?.line.index ?? 0] ?? verdictOf([]))
}

/** The highest event that stands is what the chip said last. */
function moveTop (
  book: Book, { group, facts: { loads } }: Scene, move: Move, then: Chain<Event>, now: Chain<Event>,
  news: readonly number[]
): void {
  const purse = group.purse as PurseRow
  for (const counter of [...news].sort((a, b) => b - a)) {
    if (counter > purse.lastCounter && setTop(move, now.signedAt(counter), loads)) return
  }
  if (then.signedAt(purse.lastCounter) === undefined) return
  if (!setTop(move, now.signedAt(purse.lastCounter), loads)) book.retop.push(group.key)
}

/** What was loaded since belongs to what the chip holds. */
function setTop (move: Move, event: Event | undefined, loads: ChainFacts['loads']): boolean {
  if (event === undefined) return false
  const loadedFen = loads.filter(({ counter }) => counter === event.counter)
    .reduce((sum, { amountFen }) => sum + amountFen, 0n)
  move.lastCounter = event.counter
  move.lastBalanceFen = event.balanceBeforeFen - event.amountFen + loadedFen
  return true
}
