// A second ledger, written from the rules alone: simple, slow, and without a line of the real one. It keeps
// every line that was told in one list and works everything out anew each time it is asked. It knows taps,
// grey records, clones, copies, strangers, guests of other cities, PSAMs that are reissued or start over,
// dates that are estimated, the blacklist, readings at a counter, decisions about held records, refunds,
// disputes, returns and loads; it refuses to know SQL, batches and speed. Online accounts: online.ts.
import { applied, blacklist, guests, ownCards, psams, topDebits, type Psam } from './city.ts'
import { newOnline } from './online.ts'

/** A line as a terminal tells it. `signed`: its TAC is right. */
export type ToldTap = {
  readonly card: number, readonly counter: number, readonly beforeFen: number, readonly amountFen: number
  readonly psam: Psam | 'unknown', readonly terminal: Psam | 'none'
  readonly sequence: number, readonly atMs: number
  readonly grey: boolean, readonly signed: boolean
}
/** `date`: the day of `nowMs`. */
export type World = { readonly nowMs: number, readonly date: string, readonly openDateMs: number }

type Kind = 'claim' | 'grey' | 'stranger' | 'nothing'
type Event = ToldTap & { kind: Kind, readonly issue: number, readonly told: World }
/** What people saw and said beside the records. */
type Reading = {
  readonly card: number, readonly counter: number, readonly fen: number, readonly atMs: number
}

/** Value for a chip, as it was asked for. */
export type NewLoad = {
  readonly card: number, readonly counter: number, readonly beganFen: number, readonly fen: number
  readonly onlineCounter: number, readonly source: 'agent' | 'pending'
}
export type LoadState = 'open' | 'written' | 'not_written' | 'declined'
type Load = NewLoad & { readonly reason: string, readonly asked: World, state: LoadState }
export type Told =
  | { readonly outcome: 'written', readonly tacRight: boolean } | { readonly outcome: 'withdrawn' }
  | { readonly outcome: 'counted', readonly onlineCounter: number }

type Facts = {
  readonly readings: readonly Reading[]
  /** Those that are known to be on the chip, in the order in which that became known. */
  readonly written: readonly Load[]
  readonly decided: ReadonlyMap<string, 'released' | 'rejected'>
  readonly returned: ReadonlySet<string>
  /** When an event is taken to have happened whose own clock cannot be right. */
  readonly estimates: ReadonlyMap<string, number>
}

const opening = { counter: 100, fen: 5_000 }
const minuteMs = 60_000
const tenMinutesMs = 10 * minuteMs
const dayMs = 86_400_000
/** Clocks without a battery begin in 2000. */
const firstClockMs = Date.parse('2001-01-01T00:00:00+08:00')

/** In this order the first finding names the verdict. */
const precedence = [
  'psam_unknown', 'terminal_unknown', 'grey', 'grey_cancelled', 'tac_wrong', 'clock_implausible',
  'psam_terminal_mismatch', 'city_not_listed', 'city_deleted', 'overdue', 'blacklisted', 'issuer_pays',
  'rejected', 'psam_regression', 'conflict', 'chain_broken', 'returned_by_issuer', 'issuer_risk', 'late'
]
const outcomes: Readonly<Record<string, string>> = {
  psam_unknown: 'refused', terminal_unknown: 'refused', grey: 'held', grey_cancelled: 'refused',
  tac_wrong: 'refused', clock_implausible: 'held', psam_terminal_mismatch: 'refused',
  city_not_listed: 'refused', city_deleted: 'refused', overdue: 'refused', blacklisted: 'refused',
  issuer_pays: 'accepted', rejected: 'refused', psam_regression: 'held', conflict: 'held',
  chain_broken: 'held', returned_by_issuer: 'refused', issuer_risk: 'accepted', late: 'accepted',
  ok: 'accepted'
}
/** The chip has paid, the operator is not. */
const unpaid =
  new Set(['terminal_unknown', 'psam_terminal_mismatch', 'overdue', 'blacklisted', 'rejected'])
/** What people may decide about. */
const decidable = new Set(['conflict', 'psam_regression'])

const contentOf = (e: ToldTap): string =>
  [e.card, e.counter, e.amountFen, e.psam, e.sequence, e.atMs].join('/')
const evidenceOf = (e: ToldTap): string => `${contentOf(e)}/${e.grey}/${e.signed}`
const isGuest = ({ card }: Pick<ToldTap, 'card'>): boolean => guests[card] !== undefined

export type Verdict = { readonly tap: ToldTap, readonly outcome: string, readonly reason: string }
export type PurseState = {
  readonly card: number, readonly counter: number, readonly balanceFen: number, readonly owedFen: number
  readonly open: number
  /** Loaded after that counter: what the chip held last may have it in or not. */
  readonly loadedFen: number
}
type Full = Verdict & {
  readonly tap: Event, readonly own: readonly string[], readonly findings: readonly string[]
  readonly conflict: boolean, readonly kind: Kind
}
type Place = 'operator' | 'unpaid' | 'issuer'
type Redress = {
  readonly of: Event, readonly from: Place, readonly to: 'holder' | 'operator', readonly fen: number
}

export function newModel () {
  const events: Event[] = []
  const told = new Set<string>()
  const readings: Reading[] = []
  const loads = new Map<string, Load>()
  const written: Load[] = []
  const decided = new Map<string, 'released' | 'rejected'>()
  const returned = new Set<string>()
  const estimates = new Map<string, number>()
  const facts: Facts = { readings, written, decided, returned, estimates }
  const online = newOnline(isListed)

  /** What people moved again of an event, as long as its money stays where it was then. */
  let redresses: Redress[] = []
  /** Events about which a refused dispute can still go on. */
  const disputed = new Set<string>()
  /** How often the national centre came to owe for an event, and whether it does now. */
  const claims = new Map<string, { times: number, stands: boolean }>()

  /* ---- records ---- */

  /** Takes one line; false where it only repeats what is known. */
  function tell (tap: ToldTap, world: World): boolean {
    const event = { ...tap, kind: 'nothing' as Kind, issue: issueOf(tap), told: world }
    const kind = kindOf(event, ownFindings(event, facts))
    const known = events.find(other =>
      other.kind !== 'nothing' && kind !== 'nothing' && contentOf(other) === contentOf(tap))
    const isRepeat = told.has(evidenceOf(tap))
    told.add(evidenceOf(tap))
    if (isRepeat) return false
    if (known?.kind === 'grey' && kind === 'claim') known.kind = 'claim' // its own end has come
    else if (known === undefined) events.push({ ...event, kind })
    else return false
    return true
  }

  /** What stands now: every event with its verdict. */
  function verdicts (): Full[] {
    const signed = events.filter(event => event.kind === 'claim')
    const lost = losers(signed, facts)
    const again = secondRuns(signed, facts)
    return events.map(event => {
      const own = ownFindings(event, facts).filter(one => one !== 'grey')
      const others = findingsByOthers(event, events, lost, facts)
      const found = event.kind === 'claim' && again(event) ? [...others, 'psam_regression'] : others
      const findings = event.kind === 'nothing'
        ? ownFindings(event, facts)
        : [...own, ...withDecision(event, found, facts)]
      const reason = precedence.find(one => findings.includes(one)) ?? 'ok'
      return {
        tap: event, own, findings, outcome: outcomes[reason] ?? '?', reason, kind: event.kind,
        conflict: findings.includes('conflict')
      }
    })
  }

  const moved = ({ tap, outcome, reason, conflict }: Full): Place | null => {
    if (tap.amountFen === 0) return null
    if (reason === 'issuer_pays') return 'issuer'
    if (conflict) return null
    if (reason === 'issuer_risk') return 'issuer'
    if (outcome === 'accepted') return 'operator'
    return unpaid.has(reason) && !isGuest(tap) ? 'unpaid' : null
  }

  /* ---- what people say ---- */

  /** The event of a counter whose money is somewhere; null where none is, or more than one. */
  function standing (card: number, counter: number): { readonly tap: Event, readonly place: Place } | null {
    const found = movedAt(card, counter).filter(one => !isGuest(one.tap) || one.place === 'issuer')
    return found.length === 1 ? found[0] ?? null : null
  }
  const movedAt = (card: number, counter: number) => verdicts().flatMap(one => {
    const place = moved(one)
    return one.tap.card === card && one.tap.counter === counter && place !== null
      ? [{ tap: one.tap, place }]
      : []
  })
  const isClear = (card: number, counter: number): boolean => movedAt(card, counter).length < 2

  function move (of: Event, from: Place, to: Redress['to'], fen: number): boolean {
    const before = redresses.filter(one => one.of === of).reduce((sum, one) => sum + one.fen, 0)
    if (before + fen > of.amountFen) return false
    redresses.push({ of, from, to, fen })
    return true
  }

  /** Gives back a part of a sale; false where that cannot be. */
  function refund (card: number, counter: number, fen: number): boolean {
    const paid = standing(card, counter)
    if (paid?.place !== 'operator' || disputed.has(`${card}/${counter}`)) return false
    return move(paid.tap, paid.place, 'holder', fen)
  }

  /** Raised, answered and decided in one go; null where it could not even be raised. */
  function dispute (
    card: number, counter: number, fen: number, side: 'holder' | 'operator', accepts: boolean, world: World
  ): 'ACCEPTED' | 'REFUSED' | null {
    const found = standing(card, counter)
    if (found === null || disputed.has(`${card}/${counter}`)) return null
    const { tap, place } = found
    if (tap.told.openDateMs >= world.openDateMs) return null
    if (side === 'operator' && (place !== 'unpaid' || tap.terminal === 'none')) return null
    const before = redresses.filter(one => one.of === tap).reduce((sum, one) => sum + one.fen, 0)
    if (before + fen > tap.amountFen) return null
    if (accepts) move(tap, place, side, fen)
    else disputed.add(`${card}/${counter}`)
    return accepts ? 'ACCEPTED' : 'REFUSED'
  }

  /**
   * What was moved again of an event whose money has gone elsewhere went back, once and for all; and what the
   * national centre owed for it is owed no more.
   */
  function settle (): void {
    const all = verdicts()
    const places = new Map(all.map(one => [one.tap, moved(one)]))
    redresses = redresses.filter(({ of, from }) => places.get(of) === from)
    for (const one of all.filter(({ tap }) => isGuest(tap))) {
      const before = claims.get(contentOf(one.tap)) ?? { times: 0, stands: false }
      const stands = moved(one) === 'operator'
      const times = before.times + Number(stands && !before.stands)
      claims.set(contentOf(one.tap), { times, stands })
    }
  }

  /** A chip is read at a counter. */
  const read = (reading: Reading): void => { readings.push(reading) }

  /** Records held for a conflict or their PSAM: they are decided by their PSAM and sequence. */
  function decide (tap: ToldTap, to: 'released' | 'rejected'): boolean {
    const held = verdicts().find(one => contentOf(one.tap) === contentOf(tap) && one.kind === 'claim' &&
      decidable.has(one.reason))
    if (held === undefined) return false
    decided.set(contentOf(held.tap), to)
    return true
  }

  /** Records of a PSAM held for their clock get a time from those around; false where none can. */
  function redate (psam: Psam, issue: number): boolean {
    const ofPsam = verdicts().filter(({ tap, kind }) =>
      tap.psam === psam && tap.issue === issue && (kind === 'claim' || kind === 'grey'))
    const dated = ofPsam.filter(({ tap, reason, conflict }) => !conflict &&
      reason !== 'grey' && reason !== 'grey_cancelled' && !clockWrong(tap, tap.atMs))
    const held = ofPsam.filter(({ reason }) => reason === 'clock_implausible')
    const found = held.flatMap(({ tap }) => {
      const near = (side: 1 | -1): Event | undefined => dated.map(one => one.tap)
        .filter(other => side * (other.sequence - tap.sequence) > 0)
        .sort((a, b) => side * (a.sequence - b.sequence) ||
          a.atMs - b.atMs)[0]
      const atMs = timeBetween(tap.sequence, near(-1), near(1))
      return atMs === null ? [] : [{ tap, atMs }]
    })
    for (const { tap, atMs } of found) estimates.set(contentOf(tap), atMs)
    return found.length > 0
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

  /* ---- loads ---- */

  /** Why it is declined, or `ok`. The chip's online counter tells what became of the load before. */
  function askLoad (key: string, load: NewLoad, world: World): string {
    const first = loads.get(key)
    if (first !== undefined) return first.reason
    for (const open of openLoads(load.card)) byCounter(open, load.onlineCounter)
    const reason = refusalOf(load, world) ?? 'ok'
    if (reason === 'ok' && load.source === 'agent') online.countLoad(load.card, load.fen, world.date)
    loads.set(key, { ...load, reason, asked: world, state: reason === 'ok' ? 'open' : 'declined' })
    return reason
  }

  function refusalOf ({ card, fen, source, onlineCounter }: NewLoad, world: World): string | null {
    if (isListed(card)) return 'card_blocked'
    if (written.some(one => one.card === card && one.onlineCounter >= onlineCounter)) return 'counter_wrong'
    if (source === 'agent') return online.loadLimit(card, fen, world.date)
    return fen > pendingFen(card) ? 'pending_insufficient' : null
  }

  const openLoads = (card: number): Load[] =>
    [...loads.values()].filter(one => one.card === card && one.state === 'open')

  function end (load: Load, isWritten: boolean): void {
    load.state = isWritten ? 'written' : 'not_written'
    if (isWritten) written.push(load)
    else if (load.source === 'agent') online.countLoad(load.card, -load.fen, load.asked.date)
  }

  /** A chip that has used the counter of a load has taken it. */
  function byCounter (load: Load, onlineCounter: number): void {
    if (onlineCounter >= load.onlineCounter) end(load, onlineCounter > load.onlineCounter)
  }

  /** What the terminal saw; one that withdraws before it asked is declined whenever it asks. */
  function tellLoad (key: string, card: number, told: Told, world: World): LoadState {
    const load = loads.get(key)
    if (load === undefined) {
      const never = { card, counter: 0, beganFen: 0, fen: 0, onlineCounter: 0, source: 'agent' as const }
      loads.set(key, { ...never, reason: 'withdrawn', asked: world, state: 'declined' })
      return 'declined'
    }
    if (load.state !== 'open') return load.state
    if (told.outcome === 'counted') byCounter(load, told.onlineCounter)
    else if (told.outcome === 'withdrawn') end(load, false)
    else if (told.tacRight) end(load, true)
    return load.state
  }

  /** Open loads that the next debit decides, or the first reading after them: by what the chip held. */
  function settleLoads (): void {
    const lost = losers(events.filter(event => event.kind === 'claim'), facts)
    for (const load of [...loads.values()].filter(({ state }) => state === 'open')) {
      const next = standingAt(events, lost, load.card, load.counter + 1, facts)
      const seen = readings.filter(one => one.card === load.card && one.counter === load.counter &&
        one.atMs > load.asked.nowMs + tenMinutesMs)
      const held = [...next === undefined ? [] : [next.beforeFen], ...seen.map(({ fen }) => fen)]
        .find(fen => fen === load.beganFen || fen === load.beganFen + load.fen)
      if (held !== undefined) end(load, held !== load.beganFen)
    }
  }

  /** What was given back to the holder of a card and waits for the chip. */
  function pendingFen (card: number): number {
    const given = redresses.filter(({ of, from, to }) =>
      of.card === card && to === 'holder' && from !== 'issuer')
    const taken = [...loads.values()].filter(one => one.card === card && one.source === 'pending' &&
      (one.state === 'open' || one.state === 'written'))
    return given.reduce((sum, { fen }) => sum + fen, 0) - taken.reduce((sum, { fen }) => sum + fen, 0)
  }

  /* ---- what it all comes to ---- */

  /** Credit less debit by account; those that are not zero. */
  function accounts (): Record<string, number> {
    const sums: Record<string, number> = {}
    const add = (account: string, fen: number) => { sums[account] = (sums[account] ?? 0) + fen }
    const pay = (from: string, to: string, fen: number) => {
      add(from, -fen)
      add(to, fen)
    }
    pay('custody-bank', 'purse', ownCards * opening.fen)
    for (const one of verdicts()) {
      const to = moved(one)
      if (to === null) continue
      const from = to === 'issuer' ? 'issuer-loss' : isGuest(one.tap) ? 'merchant-pending/NAT' : 'purse'
      pay(from, to === 'unpaid' ? 'unpaid-debits' : merchantOf(one.tap), one.tap.amountFen)
    }
    for (const { of, from, to, fen } of redresses) {
      const holder = from === 'issuer' ? 'issuer-loss' : 'pending-load'
      const source = from === 'unpaid' ? 'unpaid-debits' : merchantOf(of)
      pay(source, to === 'operator' ? merchantOf(of) : holder, fen)
    }
    for (const { fen, source, state } of loads.values()) {
      if (state !== 'open' && state !== 'written') continue
      if (source === 'agent') pay('merchant-pending/BUS', 'pending-load', fen) // who sold it
      if (state === 'written') pay('pending-load', 'purse', fen)
    }
    for (const { party, fen } of online.standing()) pay(`merchant-pending/${party}`, 'online', fen)
    return Object.fromEntries(Object.entries(sums).filter(([, fen]) => fen !== 0))
  }

  /** Of the cards of our own city. */
  function purses (): PurseState[] {
    const all = verdicts()
    return Array.from({ length: ownCards }, (_, card) => {
      const own = all.filter(({ tap }) => tap.card === card)
      const standing = own.filter(({ kind, conflict }) =>
        kind === 'stranger' || (kind === 'claim' && !conflict))
      const top = standing.sort((a, b) =>
        b.tap.counter - a.tap.counter || claimsFirst(facts)(a.tap, b.tap))[0]?.tap
      const debited = own.filter(one => ['operator', 'unpaid'].includes(moved(one) ?? ''))
      const taken = written.filter(one => one.card === card)
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

  /** Terminals that made more debits of top value in some hour than they may; whose settlement is held. */
  function suspects (): string[] {
    const tops = events.filter(one => (one.kind === 'claim' || one.kind === 'grey') &&
      one.terminal !== 'none' && one.amountFen >= topDebits.fen)
    const minuteOf = ({ atMs }: ToldTap): number => Math.floor(atMs / minuteMs)
    return (['B1', 'M1'] as const).filter(terminal => tops.some(first => first.terminal === terminal &&
      tops.filter(other => other.terminal === terminal && minuteOf(other) >= minuteOf(first) &&
        minuteOf(other) < minuteOf(first) + 60).length > topDebits.perHourMax))
  }

  return {
    tell, settle, refund, dispute, isClear, read, decide, redate, giveBack, askLoad, tellLoad, settleLoads,
    verdicts, accounts, purses, suspects, online, distinct: () => events.length
  }
}
export type Model = ReturnType<typeof newModel>

const merchantOf = ({ terminal }: ToldTap): string => `merchant-pending/${terminal === 'M1' ? 'MET' : 'BUS'}`
const isListed = (card: number): boolean => blacklist.some(one => one.card === card)

/* ---- what is wrong with a line by itself ---- */

/** The issue of the PSAM that was valid then, or else the nearest. */
function issueOf ({ psam, atMs }: ToldTap): number {
  if (psam === 'unknown') return 0
  const begun = psams[psam].filter(one => one.fromMs <= atMs)
  return (begun.at(-1) ?? psams[psam].at(-1))?.issue ?? 0
}

function clockWrong ({ psam, issue, told }: Event, atMs: number): boolean {
  const known = psam === 'unknown' ? undefined : psams[psam].find(one => one.issue === issue)
  return atMs > told.nowMs + tenMinutesMs || atMs < firstClockMs ||
    (known !== undefined && atMs < known.fromMs)
}

/** As its own clock tells it, or where that cannot be right as people dated it. */
const timeOf = (event: Event, { estimates }: Dated): number => estimates.get(contentOf(event)) ?? event.atMs
type Dated = Pick<Facts, 'estimates'>
/** Nobody can say when it was. */
const isUndated = (event: Event, dated: Dated): boolean => clockWrong(event, timeOf(event, dated))

function ownFindings (event: Event, dated: Dated): string[] {
  const { psam, issue, terminal, card, grey, told } = event
  const atMs = timeOf(event, dated)
  const implausible = isUndated(event, dated)
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
function kindOf (tap: ToldTap, own: readonly string[]): Kind {
  if (own.includes('psam_unknown')) return isSigned(tap) ? 'stranger' : 'nothing'
  if (isSigned(tap)) return 'claim'
  return own[0] === 'grey' ? 'grey' : 'nothing'
}

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

/* ---- what others say ---- */

const terminals = ['none', 'B1', 'M1']
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
function losers (claims: readonly Event[], facts: Pick<Facts, 'estimates' | 'decided'>): Set<Event> {
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
function standingAt (
  events: readonly Event[], lost: ReadonlySet<Event>, card: number, counter: number, facts: Facts
): Event | undefined {
  return events.filter(e => e.card === card && e.counter === counter && !lost.has(e) &&
    (e.kind === 'claim' || e.kind === 'stranger')).sort(claimsFirst(facts))[0]
}

const claimsFirst = (facts: Facts) => (a: Event, b: Event): number =>
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
  return untouched ? ['grey_cancelled'] : ['grey']
}

/** Runs of counters that nobody has told of, below one that the chip is known to have used. */
function gaps (own: readonly Full[]): number {
  const used = new Set(own.filter(({ kind, conflict, reason }) =>
    kind === 'stranger' || (kind === 'claim' && !conflict) ||
    (kind === 'grey' && reason !== 'grey' && reason !== 'grey_cancelled')).map(({ tap }) => tap.counter))
  return [...used].filter(counter => counter > opening.counter + 1 && !used.has(counter - 1)).length
}
