// What is said of each event, from the rules alone: what is wrong with a line by itself, what the other
// events of its card and of its PSAM say against it, and which of all that names the verdict. Pure functions
// of all that is known; they refuse to know in which order it was told, and where money goes.
import { applied, blacklist, ended, guests, psams, type Psam } from './city.ts'
import type { Load } from './loads.ts'

/** A line as a terminal tells it. `signed`: its TAC is right. */
export type ToldTap = {
  readonly card: number, readonly counter: number, readonly beforeFen: number, readonly amountFen: number
  readonly psam: Psam | 'unknown', readonly terminal: Psam | 'none'
  readonly sequence: number, readonly atMs: number
  readonly grey: boolean, readonly signed: boolean
}
/** `date`: the day of `nowMs`. */
export type World = { readonly nowMs: number, readonly date: string, readonly openDateMs: number }

/** What a line is to the chain of its card. */
export type Kind = 'claim' | 'grey' | 'stranger' | 'nothing'
export type Event = ToldTap & { kind: Kind, readonly issue: number, readonly told: World }
/** A chip read at a counter. */
export type Reading = {
  readonly card: number, readonly counter: number, readonly fen: number, readonly atMs: number
}

/** What is known beside the events; of events by their content. */
export type Facts = {
  readonly readings: readonly Reading[]
  /** Loads that are known to be on the chip, in the order in which that became known. */
  readonly written: readonly Load[]
  readonly decided: ReadonlyMap<string, 'released' | 'rejected'>
  readonly returned: ReadonlySet<string>
  readonly givenUp: ReadonlySet<string>
  /** When an event is taken to have happened whose own clock cannot be right. */
  readonly estimates: ReadonlyMap<string, number>
  /** When people opened the account again that had ended; null while they have not. */
  readonly openedAgainMs: number | null
}

export type Verdict = { readonly tap: Event, readonly outcome: string, readonly reason: string }
export type Judged = Verdict & { readonly kind: Kind, readonly conflict: boolean }

/** In this order the first finding names the verdict. */
const precedence = [
  'psam_unknown', 'terminal_unknown', 'grey', 'grey_cancelled', 'grey_expired', 'tac_wrong',
  'clock_implausible', 'psam_terminal_mismatch', 'merchant_closed', 'city_not_listed', 'city_deleted',
  'overdue', 'blacklisted', 'issuer_pays', 'rejected', 'psam_regression', 'conflict', 'chain_broken',
  'returned_by_issuer', 'issuer_risk', 'late'
]
const outcomes: Readonly<Record<string, string>> = {
  psam_unknown: 'refused', terminal_unknown: 'refused', grey: 'held', grey_cancelled: 'refused',
  grey_expired: 'refused', tac_wrong: 'refused', clock_implausible: 'held', psam_terminal_mismatch: 'refused',
  merchant_closed: 'refused', city_not_listed: 'refused', city_deleted: 'refused', overdue: 'refused',
  blacklisted: 'refused', issuer_pays: 'accepted', rejected: 'refused', psam_regression: 'held',
  conflict: 'held', chain_broken: 'held', returned_by_issuer: 'refused', issuer_risk: 'accepted',
  late: 'accepted', ok: 'accepted'
}
/** The chip has paid, the operator is not. */
const unpaid = new Set(['terminal_unknown', 'psam_terminal_mismatch', 'merchant_closed', 'overdue',
  'blacklisted', 'rejected'])
/** Of a grey event: nobody knows that the chip has paid. */
export const unproven: ReadonlySet<string> = new Set(['grey', 'grey_cancelled', 'grey_expired'])

/** Of every card when it joined. */
export const opening = { counter: 100, fen: 5_000 }
const dayMs = 86_400_000
/** How far clocks may be off where only times say what came first. */
export const tenMinutesMs = 600_000
/** Clocks without a battery begin in 2000. */
const firstClockMs = Date.parse('2001-01-01T00:00:00+08:00')

export const contentOf = (e: ToldTap): string =>
  [e.card, e.counter, e.amountFen, e.psam, e.sequence, e.atMs].join('/')
export const isGuest = ({ card }: Pick<ToldTap, 'card'>): boolean => guests[card] !== undefined

/** Every event with its verdict. */
export function verdictsOf (events: readonly Event[], facts: Facts): Judged[] {
  const claims = events.filter(event => event.kind === 'claim')
  const lost = losers(claims, facts)
  const again = secondRuns(claims, facts)
  return events.map(event => {
    const own = ownFindings(event, facts)
    const others = findingsByOthers(event, events, lost, facts)
    const found = event.kind === 'claim' && again(event) ? [...others, 'psam_regression'] : others
    const findings = event.kind === 'nothing'
      ? own
      : [...own.filter(one => one !== 'grey'), ...withDecision(event, found, facts)]
    const reason = precedence.find(one => findings.includes(one)) ?? 'ok'
    return {
      tap: event, outcome: outcomes[reason] ?? '?', reason, kind: event.kind,
      conflict: findings.includes('conflict')
    }
  })
}

/** Where the money of an event is: with its operator, paid by the holder or by the issuer, or with nobody. */
export type Place = 'operator' | 'issuer' | 'unpaid'
export function placeOf ({ tap, outcome, reason, conflict }: Judged): Place | null {
  if (tap.amountFen === 0) return null
  if (reason === 'issuer_pays') return 'issuer'
  if (conflict) return null
  if (reason === 'issuer_risk') return 'issuer'
  if (outcome === 'accepted') return 'operator'
  return unpaid.has(reason) && !isGuest(tap) ? 'unpaid' : null
}

/* ---- what is wrong with a line by itself ---- */

/** The issue of the PSAM that was valid then, or else the nearest. */
export function issueOf ({ psam, atMs }: ToldTap): number {
  if (psam === 'unknown') return 0
  const begun = psams[psam].filter(one => one.fromMs <= atMs)
  return (begun.at(-1) ?? psams[psam].at(-1))?.issue ?? 0
}

export function clockWrong ({ psam, issue, told }: Event, atMs: number): boolean {
  const known = psam === 'unknown' ? undefined : psams[psam].find(one => one.issue === issue)
  return atMs > told.nowMs + tenMinutesMs || atMs < firstClockMs ||
    (known !== undefined && atMs < known.fromMs)
}

/** As its own clock tells it, or where that cannot be right as people dated it. */
export const timeOf = (event: Event, { estimates }: Dated): number =>
  estimates.get(contentOf(event)) ?? event.atMs
type Dated = Pick<Facts, 'estimates'>
/** Nobody can say when it was. */
export const isUndated = (event: Event, dated: Dated): boolean => clockWrong(event, timeOf(event, dated))

export function ownFindings (event: Event, facts: Facts): string[] {
  const { psam, issue, terminal, card, grey, told } = event
  const atMs = timeOf(event, facts)
  const implausible = isUndated(event, facts)
  const known = psam === 'unknown' ? undefined : psams[psam].find(one => one.issue === issue)
  const over = known?.toMs !== null && known !== undefined && atMs >= known.toMs
  const guest = guests[card]
  const findings: [string, boolean][] = [
    ['psam_unknown', psam === 'unknown'],
    ['terminal_unknown', terminal === 'none'],
    ['grey', grey],
    ['tac_wrong', !grey && !isSigned(event)],
    ['clock_implausible', implausible],
    ['psam_terminal_mismatch', psam !== 'unknown' && terminal !== 'none' && (psam !== terminal || over)],
    ['merchant_closed', terminal === ended.terminal && atMs >= ended.atMs &&
      (facts.openedAgainMs === null || atMs < facts.openedAgainMs)],
    ['city_not_listed', guest !== undefined && atMs < guest.addedMs],
    ['city_deleted', guest !== undefined && guest.leftMs !== null && atMs - guest.leftMs > 7 * dayMs],
    ['overdue', told.nowMs - atMs > 90 * dayMs && !implausible],
    ['late', atMs < told.openDateMs],
    [listing(card, terminal, atMs), true]
  ]
  return findings.filter(([, applies]) => applies).map(([finding]) => finding)
}

/** A terminal that had the list, or had a day to fetch it, should have refused the card. */
function listing (card: number, terminal: ToldTap['terminal'], atMs: number): string {
  const entry = blacklist.find(one => one.card === card)
  if (entry === undefined) return 'ok'
  const had = terminal === applied.terminal && applied.atMs <= atMs && applied.version >= entry.version
  const due = entry.listedMs <= atMs && entry.publishedMs + dayMs <= atMs
  return had || due ? 'blacklisted' : entry.listedMs <= atMs ? 'issuer_risk' : 'ok'
}

/** Only the issuer can verify what the chip of a guest has signed. */
const isSigned = (tap: ToldTap): boolean => !tap.grey && (tap.signed || isGuest(tap))

/** What a line is to the chain of its card. */
export function kindOf (tap: ToldTap, own: readonly string[]): Kind {
  if (own.includes('psam_unknown')) return isSigned(tap) ? 'stranger' : 'nothing'
  if (isSigned(tap)) return 'claim'
  return own[0] === 'grey' ? 'grey' : 'nothing'
}

/* ---- what others say ---- */

const terminals = ['none', 'B1', 'M1', 'O1']
/** Whose clock cannot be right comes last. */
const rankBy = (dated: Dated) => (a: Event, b: Event): number =>
  Number(isUndated(a, dated)) - Number(isUndated(b, dated)) || timeOf(a, dated) - timeOf(b, dated) ||
  terminals.indexOf(a.terminal) - terminals.indexOf(b.terminal) || a.sequence - b.sequence ||
  a.counter - b.counter

const chipOf = ({ card, counter }: ToldTap): string => `chip ${card}/${counter}`
const sequenceOf = ({ psam, issue, sequence }: Event): string => `psam ${psam}.${issue}/${sequence}`

/**
 * First come in rank order, first served, where both the chip's counter and the PSAM's sequence are free.
 * What people decided on takes the chip's counter alone.
 */
export function losers (claims: readonly Event[], facts: Pick<Facts, 'estimates' | 'decided'>): Set<Event> {
  const taken = new Set<string>()
  const { decided } = facts
  return new Set([...claims].sort(rankBy(facts)).filter(claim => {
    const keys = decided.has(contentOf(claim)) ? [chipOf(claim)] : [chipOf(claim), sequenceOf(claim)]
    if (keys.some(key => taken.has(key))) return true
    for (const key of keys) taken.add(key)
    return false
  }))
}

/**
 * Two uses of one sequence by chips that both stand prove that its PSAM started over: what lies at or below
 * it and is dated more than ten minutes after the first use belongs to the second run. A copy of one record
 * under another counter proves nothing, nor does a date that cannot be right.
 */
function secondRuns (claims: readonly Event[], facts: Facts): (event: Event) => boolean {
  const lost = losers(claims, { ...facts, decided: new Map() })
  const plausible = claims.filter(claim => !isUndated(claim, facts))
  const holders = plausible.filter(claim => !lost.has(claim))
  const proofs = holders.filter(holder => plausible.some(use => lost.has(use) &&
    sequenceOf(use) === sequenceOf(holder) && !holders.some(other => chipOf(other) === chipOf(use)) &&
    (use.card !== holder.card || timeOf(use, facts) !== timeOf(holder, facts))))
  return event => !isUndated(event, facts) && proofs.some(proof =>
    proof.psam === event.psam && proof.issue === event.issue && event.sequence <= proof.sequence &&
    timeOf(event, facts) > timeOf(proof, facts) + tenMinutesMs)
}

/** The signed event that stands on a counter: a claim before a stranger. */
export function standingAt (
  events: readonly Event[], lost: ReadonlySet<Event>, card: number, counter: number, facts: Facts
): Event | undefined {
  return events.filter(e => e.card === card && e.counter === counter && !lost.has(e) &&
    (e.kind === 'claim' || e.kind === 'stranger')).sort(claimsFirst(facts))[0]
}

export const claimsFirst = (facts: Facts) => (a: Event, b: Event): number =>
  Number(a.kind === 'stranger') - Number(b.kind === 'stranger') || rankBy(facts)(a, b)

function findingsByOthers (
  event: Event, events: readonly Event[], lost: ReadonlySet<Event>, facts: Facts
): string[] {
  const at = (counter: number) => standingAt(events, lost, event.card, counter, facts)
  const returned = facts.returned.has(contentOf(event)) ? ['returned_by_issuer'] : []
  if (event.kind === 'nothing') return []
  if (event.kind === 'grey') return [...greyFindings(event, events, at, facts), ...returned]
  const broken = !isGuest(event) && isBroken(event, at(event.counter - 1), facts)
  return [...lost.has(event) ? ['conflict'] : [], ...broken ? ['chain_broken'] : [], ...returned]
}

/** What a guest's chip did elsewhere nobody tells us; one of ours goes on where it stood. */
function isBroken (event: Event, previous: Event | undefined, facts: Facts): boolean {
  const loadedFen = loadsAfter(event.card, event.counter - 1, facts).reduce((sum, fen) => sum + fen, 0)
  const expected = event.counter - 1 === opening.counter
    ? opening.fen + loadedFen
    : previous === undefined ? null : previous.beforeFen - previous.amountFen + loadedFen
  return event.counter <= opening.counter || (expected !== null && expected !== event.beforeFen)
}

/** What people decided takes the place of what it was held for. */
function withDecision (event: Event, found: readonly string[], { decided }: Facts): readonly string[] {
  const said = decided.get(contentOf(event))
  if (said === 'rejected') return [...found, 'rejected']
  if (said === undefined) return found
  return found.includes('conflict')
    ? [...found, 'issuer_pays']
    : found.filter(one => one !== 'psam_regression')
}

const loadsAfter = (card: number, counter: number, { written }: Facts): number[] =>
  written.filter(one => one.card === card && one.counter === counter).map(({ fen }) => fen)

/** What was on the chip after a counter, by whatever tells it: the next use, or somebody who read it. */
function leftAfter (
  card: number, counter: number, next: Event | undefined, facts: Facts
): number[] {
  const sums = [0]
  for (const fen of loadsAfter(card, counter, facts)) sums.push((sums.at(-1) ?? 0) + fen)
  const seen = facts.readings.filter(one => one.card === card && one.counter === counter)
  return [
    ...next === undefined ? [] : [next.beforeFen - (sums.at(-1) ?? 0)],
    ...seen.flatMap(({ fen }) => sums.map(sum => fen - sum))]
}

function greyFindings (
  event: Event, events: readonly Event[], at: (counter: number) => Event | undefined, facts: Facts
): string[] {
  const { card, counter, beforeFen, amountFen } = event
  if (at(counter) !== undefined) return ['grey_cancelled']
  const left = leftAfter(card, counter, at(counter + 1), facts)
  const fitting = events.filter(e => e.kind === 'grey' && e.card === card && e.counter === counter &&
    left.includes(e.beforeFen - e.amountFen))
  if (fitting.length === 1) return fitting[0] === event ? [] : ['grey_cancelled']
  if (amountFen !== 0 && left.includes(beforeFen)) return ['grey_cancelled']
  const untouched = !isUndated(event, facts) && facts.readings.some(one => one.card === card &&
    one.counter === counter - 1 && one.fen === beforeFen && one.atMs > timeOf(event, facts) + tenMinutesMs)
  return [untouched ? 'grey_cancelled' : facts.givenUp.has(contentOf(event)) ? 'grey_expired' : 'grey']
}

/** Runs of counters that nobody has told of, below one that the chip is known to have used. */
export function gaps (own: readonly Judged[]): number {
  const used = new Set(own.filter(({ kind, conflict, reason }) =>
    kind === 'stranger' || (kind === 'claim' && !conflict) ||
    (kind === 'grey' && !unproven.has(reason))).map(({ tap }) => tap.counter))
  return [...used].filter(counter => counter > opening.counter + 1 && !used.has(counter - 1)).length
}
