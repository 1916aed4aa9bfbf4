// A second ledger, written from the rules alone: simple, slow, and without a line of the real one. It keeps
// every line that was told in one list and works everything out anew each time it is asked. Here is what
// terminals tell and people say; verdicts, loads, online accounts, books and the settled day have files of
// their own. It refuses to know SQL, batches and speed.
import { booksOf, partyOf, type Books, type Redress } from './books.ts'
import { blacklist, ended, greyDays, operators, ownCards, topDebits, type Party, type Psam } from './city.ts'
import { newLoads } from './loads.ts'
import { newOnline } from './online.ts'
import { newSettling } from './settling.ts'
import {
  claimsFirst, clockWrong, contentOf, gaps, isGuest, isUndated, issueOf, kindOf, losers, opening, ownFindings,
  placeOf, standingAt, timeOf, unproven, verdictsOf, type Event, type Facts, type Judged,
  type Place, type Reading, type ToldTap, type World
} from './verdicts.ts'

export type PurseState = {
  readonly card: number, readonly counter: number, readonly balanceFen: number, readonly owedFen: number
  readonly open: number
  /** Loaded after that counter: what the chip held last may have it in or not. */
  readonly loadedFen: number
}
/** A dispute that was accepted may still find the account closed. */
export type DisputeEnd = 'ACCEPTED' | 'REFUSED' | 'ANSWERED'

export function newModel () {
  const events: Event[] = []
  const told = new Set<string>()
  const readings: Reading[] = []
  const decided = new Map<string, 'released' | 'rejected'>()
  const returned = new Set<string>()
  const givenUp = new Set<string>()
  const estimates = new Map<string, number>()
  let openedAgainMs: number | null = null

  let redresses: Redress[] = []
  /** Events about which a dispute can still go on. */
  const disputed = new Set<string>()
  /** How often the national centre came to owe for an event, and whether it does now. */
  const claims = new Map<string, { times: number, stands: boolean }>()
  /** Money had to be booked on the account that had ended. */
  let isReopened = false

  const isEnded = (party: Party): boolean => party === ended.party && openedAgainMs === null
  const online = newOnline({ isBlocked: isListed, isEnded })
  const loads = newLoads({ isBlocked: isListed, online, givenBackFen })
  const settling = newSettling(() => books())
  const facts = (): Facts =>
    ({ readings, written: loads.written, decided, returned, givenUp, estimates, openedAgainMs })
  const verdicts = (): Judged[] => verdictsOf(events, facts())

  /* ---- what terminals tell ---- */

  /** Takes one line; false where it only repeats what is known. */
  function tell (tap: ToldTap, world: World): boolean {
    const event = { ...tap, kind: 'nothing' as const, issue: issueOf(tap), told: world }
    const kind = kindOf(event, ownFindings(event, facts()))
    const known = events.find(other =>
      other.kind !== 'nothing' && kind !== 'nothing' && contentOf(other) === contentOf(tap))
    const evidence = `${contentOf(tap)}/${tap.grey}/${tap.signed}`
    const isRepeat = told.has(evidence)
    told.add(evidence)
    if (isRepeat) return false
    if (known?.kind === 'grey' && kind === 'claim') known.kind = 'claim' // its own end has come
    else if (known === undefined) events.push({ ...event, kind })
    else return false
    return true
  }

  /**
   * After each piece of news. What was moved again of an event whose money has gone elsewhere went back, once
   * and for all; what the national centre owed for it is owed no more; money for the account that had ended
   * has opened it.
   */
  function settle (): void {
    const all = verdicts()
    const places = new Map(all.map(one => [one.tap, placeOf(one)]))
    redresses = redresses.filter(({ of, from }) => places.get(of) === from)
    for (const one of all.filter(({ tap }) => isGuest(tap))) {
      const before = claims.get(contentOf(one.tap)) ?? { times: 0, stands: false }
      const stands = placeOf(one) === 'operator'
      const times = before.times + Number(stands && !before.stands)
      claims.set(contentOf(one.tap), { times, stands })
    }
    isReopened ||= isEnded(ended.party) && all.some(one =>
      one.tap.terminal === ended.terminal && ['operator', 'issuer'].includes(placeOf(one) ?? ''))
  }

  /** The watch looks: open loads are decided, and terminals with too many debits of top value are held. */
  function look (openDate: string): void {
    const known = facts()
    const lost = losers(events.filter(event => event.kind === 'claim'), known)
    loads.settle((card, counter) => standingAt(events, lost, card, counter, known), readings)
    settle()
    for (const terminal of Object.keys(operators) as Psam[]) {
      const hour = busiestHour(terminal)
      if (hour === null) continue
      const since = [dateOf(hour), openDate].sort()[0] ?? openDate
      settling.hold(`terminal/${operators[terminal]}/${terminal}`, operators[terminal], since)
    }
  }

  /** When the fullest hour of top debits begins; null where none has more of them than it may. */
  function busiestHour (terminal: Psam): number | null {
    const minutes = events.filter(one => (one.kind === 'claim' || one.kind === 'grey') &&
      one.terminal === terminal && one.amountFen >= topDebits.fen)
      .map(({ atMs }) => Math.floor(atMs / minuteMs)).sort((a, b) => a - b)
    const hours = minutes.map(from =>
      ({ from, debits: minutes.filter(minute => minute >= from && minute < from + 60).length }))
      .filter(({ debits }) => debits > topDebits.perHourMax)
      .sort((a, b) => b.debits - a.debits || a.from - b.from)
    return hours[0] === undefined ? null : hours[0].from * minuteMs
  }

  /* ---- what people say ---- */

  /** The event of a counter whose money is somewhere; null where none is, or more than one. */
  function standingEvent (
    card: number, counter: number
  ): { readonly tap: Event, readonly place: Place } | null {
    const found = movedAt(card, counter).filter(one => !isGuest(one.tap) || one.place === 'issuer')
    return found.length === 1 ? found[0] ?? null : null
  }
  const movedAt = (card: number, counter: number) => verdicts().flatMap(one => {
    const place = placeOf(one)
    return one.tap.card === card && one.tap.counter === counter && place !== null
      ? [{ tap: one.tap, place }]
      : []
  })
  const isClear = (card: number, counter: number): boolean => movedAt(card, counter).length < 2

  const leftFen = (of: Event): number => redresses.filter(one => one.of === of)
    .reduce((left, { fen }) => left - fen, of.amountFen)

  /** Gives back a part of a sale; false where that cannot be. */
  function refund (card: number, counter: number, fen: number): boolean {
    const paid = standingEvent(card, counter)
    if (paid?.place !== 'operator' || disputed.has(`${card}/${counter}`)) return false
    if (fen > leftFen(paid.tap)) return false
    redresses.push({ of: paid.tap, from: paid.place, to: 'holder', fen })
    return true
  }

  /** Raised, answered and decided in one go; null where it could not even be raised. */
  function dispute (
    card: number, counter: number, fen: number, side: 'holder' | 'operator', accepts: boolean, world: World
  ): DisputeEnd | null {
    const found = standingEvent(card, counter)
    if (found === null || disputed.has(`${card}/${counter}`)) return null
    const { tap, place } = found
    if (tap.told.openDateMs >= world.openDateMs) return null
    if (side === 'operator' && (place !== 'unpaid' || tap.terminal === 'none')) return null
    if (fen > leftFen(tap)) return null
    const isShut = side === 'operator' && isEnded(partyOf(tap)) && !isReopened
    if (accepts && !isShut) {
      redresses.push({ of: tap, from: place, to: side, fen })
      return 'ACCEPTED'
    }
    disputed.add(`${card}/${counter}`)
    return accepts ? 'ANSWERED' : 'REFUSED'
  }

  /** A chip is read at a counter. */
  const read = (reading: Reading): void => { readings.push(reading) }

  /** Records held for a conflict or their PSAM: they are decided by their PSAM and sequence. */
  function decide (tap: ToldTap, to: 'released' | 'rejected'): boolean {
    const held = verdicts().find(one => contentOf(one.tap) === contentOf(tap) && one.kind === 'claim' &&
      ['conflict', 'psam_regression'].includes(one.reason))
    if (held === undefined) return false
    decided.set(contentOf(held.tap), to)
    return true
  }

  /**
   * Two people give up what nobody could prove of a counter; false where something of it is not old enough. A
   * clock that cannot be right makes nothing old: then its age counts from when it was told.
   */
  function giveUp (card: number, counter: number, nowMs: number): boolean {
    const greys = verdicts().filter(({ tap, kind, reason }) =>
      tap.card === card && tap.counter === counter && kind === 'grey' && reason === 'grey')
    const since = greys.map(({ tap }) => isUndated(tap, facts()) ? tap.told.nowMs : timeOf(tap, facts()))
    if (greys.length === 0 || nowMs - Math.max(...since) < greyDays * dayMs) return false
    for (const { tap } of greys) givenUp.add(contentOf(tap))
    return true
  }

  /** Records of a PSAM held for their clock get a time from those around; false where none can. */
  function redate (psam: Psam, issue: number): boolean {
    const ofPsam = verdicts().filter(({ tap, kind }) =>
      tap.psam === psam && tap.issue === issue && (kind === 'claim' || kind === 'grey'))
    const dated = ofPsam.filter(({ tap, reason, conflict }) =>
      !conflict && !unproven.has(reason) && !clockWrong(tap, tap.atMs))
    const held = ofPsam.filter(({ reason }) => reason === 'clock_implausible')
    const found = held.flatMap(({ tap }) => {
      const near = (side: 1 | -1): Event | undefined => dated.map(one => one.tap)
        .filter(other => side * (other.sequence - tap.sequence) > 0)
        .sort((a, b) => side * (a.sequence - b.sequence) || a.atMs - b.atMs)[0]
      const atMs = timeBetween(tap.sequence, near(-1), near(1))
      return atMs === null ? [] : [{ tap, atMs }]
    })
    for (const { tap, atMs } of found) estimates.set(contentOf(tap), atMs)
    return found.length > 0
  }

  /** Two people open the account again that had ended; false where they have before. */
  function openAgain (nowMs: number): boolean {
    if (openedAgainMs !== null) return false
    openedAgainMs = nowMs
    return true
  }

  /** The issuer in the other city refuses what it was told of an event for the so-and-so-many-th time. */
  function giveBack (tap: Pick<ToldTap, 'card' | 'counter' | 'sequence' | 'atMs'>, time: number): boolean {
    const event = events.find(one => one.kind !== 'nothing' && one.card === tap.card &&
      one.counter === tap.counter && one.sequence === tap.sequence && one.atMs === tap.atMs)
    const claim = event === undefined ? undefined : claims.get(contentOf(event))
    if (event === undefined || claim === undefined || !claim.stands || claim.times !== time) return false
    returned.add(contentOf(event))
    return true
  }

  /* ---- what it all comes to ---- */

  /** What was given back to the holder of a card, by whoever had it. */
  function givenBackFen (card: number): number {
    return redresses.filter(({ of, from, to }) => of.card === card && to === 'holder' && from !== 'issuer')
      .reduce((sum, { fen }) => sum + fen, 0)
  }

  const books = (): Books =>
    booksOf({ verdicts: verdicts(), redresses, loads: loads.standing(), requests: online.standing() })

  /** Of the cards of our own city. */
  function purses (): PurseState[] {
    const all = verdicts()
    return Array.from({ length: ownCards }, (_, card) => {
      const own = all.filter(({ tap }) => tap.card === card)
      const signed = own.filter(({ kind, conflict }) =>
        kind === 'stranger' || (kind === 'claim' && !conflict))
      const top = signed.sort((a, b) =>
        b.tap.counter - a.tap.counter || claimsFirst(facts())(a.tap, b.tap))[0]?.tap
      const debited = own.filter(one => ['operator', 'unpaid'].includes(placeOf(one) ?? ''))
      const taken = loads.written.filter(one => one.card === card)
      const loadedFen = taken.reduce((sum, { fen }) => sum + fen, 0)
      const counter = top?.counter ?? opening.counter
      const held = own.filter(({ kind, outcome }) =>
        (kind === 'claim' || kind === 'grey') && outcome === 'held').length
      return {
        card,
        counter,
        balanceFen: top === undefined ? opening.fen : top.beforeFen - top.amountFen,
        loadedFen: taken.filter(one => one.counter === counter).reduce((sum, { fen }) => sum + fen, 0),
        owedFen: opening.fen + loadedFen - debited.reduce((sum, { tap }) => sum + tap.amountFen, 0),
        open: held + gaps(own)
      }
    })
  }

  return {
    tell, settle, look, refund, dispute, isClear, read, decide, giveUp, redate, openAgain, giveBack, verdicts,
    purses, online, loads, settling, isReopened: () => isReopened, distinct: () => events.length
  }
}
export type Model = ReturnType<typeof newModel>

const minuteMs = 60_000
const dayMs = 86_400_000
/** In China. */
const dateOf = (atMs: number): string => new Date(atMs + 8 * 3_600_000).toISOString().slice(0, 10)

const isListed = (card: number): boolean => blacklist.some(one => one.card === card)

/** Even steps between two neighbours, a second a number from one alone. */
function timeBetween (sequence: number, before: Event | undefined, after: Event | undefined): number | null {
  const whole = (ms: number): number => ms - ms % 1_000
  if (before !== undefined && after !== undefined) {
    const [ms, numbers] = [after.atMs - before.atMs, after.sequence - before.sequence]
    return whole(before.atMs + Math.floor(ms * (sequence - before.sequence) / numbers))
  }
  if (before !== undefined) return whole(before.atMs + (sequence - before.sequence) * 1_000)
  return after === undefined ? null : whole(after.atMs - (after.sequence - sequence) * 1_000)
}
