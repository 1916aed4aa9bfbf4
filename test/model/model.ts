// A second ledger, written from the rules alone: simple, slow, and without a line of the real one. It keeps
// every line that was told in one list and works everything out anew each time it is asked. It knows taps,
// grey records, clones, copies, strangers, readings at a counter, decisions about held records, refunds,
// disputes, loads, online requests and their reversals; it refuses to know SQL, batches and speed.

/** A line as a terminal tells it. `signed`: its TAC is right. */
export type ToldTap = {
  readonly card: number, readonly counter: number, readonly beforeFen: number, readonly amountFen: number
  readonly psam: 'B1' | 'M1' | 'unknown', readonly terminal: 'B1' | 'M1' | 'none'
  readonly sequence: number, readonly atMs: number
  readonly grey: boolean, readonly signed: boolean
}
export type World = { readonly nowMs: number, readonly openDateMs: number }

type Kind = 'claim' | 'grey' | 'stranger' | 'nothing'
type Event = ToldTap & {
  kind: Kind, readonly own: readonly string[], readonly openDateMs: number
}
/** What people saw and said beside the records. */
type Reading = {
  readonly card: number, readonly counter: number, readonly fen: number, readonly atMs: number
}
type Load = { readonly card: number, readonly counter: number, readonly fen: number }
type Facts = {
  readonly readings: readonly Reading[], readonly loads: readonly Load[]
  readonly decided: ReadonlyMap<string, 'released' | 'rejected'>
}

const opening = { counter: 100, fen: 5_000 }
const tenMinutesMs = 600_000
const ninetyDaysMs = 90 * 86_400_000
const psamIssuedMs = Date.parse('2025-01-01T00:00:00+08:00')

/** In this order the first finding names the verdict. */
const precedence = [
  'psam_unknown', 'terminal_unknown', 'grey', 'grey_cancelled', 'tac_wrong', 'clock_implausible',
  'psam_terminal_mismatch', 'overdue', 'issuer_pays', 'rejected', 'conflict', 'chain_broken', 'late'
]
const outcomes: Readonly<Record<string, string>> = {
  psam_unknown: 'refused', terminal_unknown: 'refused', grey: 'held', grey_cancelled: 'refused',
  tac_wrong: 'refused', clock_implausible: 'held', psam_terminal_mismatch: 'refused', overdue: 'refused',
  issuer_pays: 'accepted', rejected: 'refused', conflict: 'held', chain_broken: 'held', late: 'accepted',
  ok: 'accepted'
}
/** The chip has paid, the operator is not. */
const unpaid = new Set(['terminal_unknown', 'psam_terminal_mismatch', 'overdue', 'rejected'])

const contentOf = (e: ToldTap): string =>
  [e.card, e.counter, e.amountFen, e.psam, e.sequence, e.atMs].join('/')
const evidenceOf = (e: ToldTap): string => `${contentOf(e)}/${e.grey}/${e.signed}`

export type Verdict = { readonly tap: ToldTap, readonly outcome: string, readonly reason: string }
export type PurseState = {
  readonly card: number, readonly counter: number, readonly balanceFen: number, readonly owedFen: number
  readonly open: number
  /** Loaded after that counter: what the chip held last may have it in or not. */
  readonly loadedFen: number
}
type Place = 'operator' | 'unpaid' | 'issuer'
type Redress = {
  readonly of: Event, readonly from: Place, readonly to: 'holder' | 'operator', readonly fen: number
}

/** `fen`: above zero a top-up, below a purchase; so much of it was taken back. */
type Request = { readonly card: number, readonly fen: number, readonly party: string, backFen: number }

export function newModel (cards: number) {
  const events: Event[] = []
  const told = new Set<string>()

  const online = new Map<number, number>()
  const requests: Request[] = []
  const readings: Reading[] = []
  const loads: Load[] = []
  const decided = new Map<string, 'released' | 'rejected'>()

  /** What people moved again of an event, as long as its money stays where it was then. */
  let redresses: Redress[] = []
  /** Events about which a refused dispute can still go on. */
  const disputed = new Set<string>()

  /** The event of a counter whose money is somewhere; null where none is, or more than one. */
  function standing (card: number, counter: number): { readonly tap: Event, readonly place: Place } | null {
    const found = (verdicts() as Full[]).flatMap(one => {
      const place = moved(one)
      return one.tap.card === card && one.tap.counter === counter && place !== null
        ? [{ tap: one.tap as Event, place }]
        : []
    })
    return found.length === 1 ? found[0] ?? null : null
  }
  const isClear = (card: number, counter: number): boolean =>
    (verdicts() as Full[]).filter(one => one.tap.card === card && one.tap.counter === counter &&
      moved(one) !== null).length < 2

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
    if (tap.openDateMs >= world.openDateMs) return null
    if (side === 'operator' && (place !== 'unpaid' || tap.terminal === 'none')) return null
    const before = redresses.filter(one => one.of === tap).reduce((sum, one) => sum + one.fen, 0)
    if (before + fen > tap.amountFen) return null
    if (accepts) move(tap, place, side, fen)
    else disputed.add(`${card}/${counter}`)
    return accepts ? 'ACCEPTED' : 'REFUSED'
  }

  /** What was moved again of an event whose money has gone elsewhere went back, once and for all. */
  function settle (): void {
    const places = new Map((verdicts() as Full[]).map(one => [one.tap, moved(one)]))
    redresses = redresses.filter(({ of, from }) => places.get(of) === from)
  }

  /** A chip is read at a counter. */
  function read (reading: Reading): void { readings.push(reading) }

  /** Value that a chip has taken after a counter. */
  function load (load: Load): void { loads.push(load) }

  /** Records held for a conflict: the two of them that are decided by their PSAM and sequence. */
  function decide (tap: ToldTap, to: 'released' | 'rejected'): boolean {
    const held = (verdicts() as Full[]).find(one => contentOf(one.tap) === contentOf(tap) &&
      one.kind === 'claim' && one.reason === 'conflict')
    if (held === undefined) return false
    decided.set(contentOf(held.tap), to)
    return true
  }

  /** A top-up (above zero) at a party or a purchase; its place among the requests, or null: declined. */
  function request (card: number, fen: number, party: string): number | null {
    const holds = online.get(card)
    if (fen < 0 && (holds ?? 0) + fen < 0) return null
    online.set(card, (holds ?? 0) + fen)
    return requests.push({ card, fen, party, backFen: 0 }) - 1
  }

  /** Takes back a part of a request. */
  function takeBack (place: number, fen: number): boolean {
    const one = requests[place]
    if (one === undefined || one.backFen + fen > Math.abs(one.fen)) return false
    const after = (online.get(one.card) ?? 0) - Math.sign(one.fen) * fen
    if (after < 0) return false
    online.set(one.card, after)
    one.backFen += fen
    return true
  }

  /** Takes one line; false where it only repeats what is known. */
  function tell (tap: ToldTap, world: World): boolean {
    const own = findingsAlone(tap, world)
    const kind = kindOf(tap, own)
    const known = events.find(event =>
      event.kind !== 'nothing' && kind !== 'nothing' && contentOf(event) === contentOf(tap))
    const isRepeat = told.has(evidenceOf(tap))
    told.add(evidenceOf(tap))
    if (isRepeat) return false
    if (known?.kind === 'grey' && kind === 'claim') known.kind = 'claim' // its own end has come
    else if (known === undefined) {
      events.push({ ...tap, kind, own: own.filter(one => one !== 'grey'), openDateMs: world.openDateMs })
    } else return false
    return true
  }

  /** What stands now: every event with its verdict. */
  function verdicts (): Verdict[] {
    const facts = { readings, loads, decided }
    const lost = losers(events.filter(event => event.kind === 'claim'), facts)
    return events.map(event => {
      const findings = [...event.own, ...findingsByOthers(event, events, lost, facts)]
      const reason = precedence.find(one => findings.includes(one)) ?? 'ok'
      const conflict = findings.includes('conflict')
      return { tap: event, outcome: outcomes[reason] ?? '?', reason, conflict, kind: event.kind }
    })
  }

  type Full = Verdict & { readonly conflict: boolean, readonly kind: Kind }
  const moved = ({ tap, outcome, reason, conflict }: Full): Place | null => {
    if (tap.amountFen === 0) return null
    if (reason === 'issuer_pays') return 'issuer'
    if (conflict) return null
    if (outcome === 'accepted') return 'operator'
    return unpaid.has(reason) ? 'unpaid' : null
  }

  /** Credit less debit by account; those that are not zero. */
  function accounts (): Record<string, number> {
    const sums: Record<string, number> = { 'custody-bank': -cards * opening.fen, purse: cards * opening.fen }
    for (const verdict of verdicts() as Full[]) {
      const to = moved(verdict)
      if (to === null) continue
      const operator = verdict.tap.terminal === 'M1' ? 'MET' : 'BUS'
      const account = to === 'unpaid' ? 'unpaid-debits' : `merchant-pending/${operator}`
      const from = to === 'issuer' ? 'issuer-loss' : 'purse'
      sums[from] = (sums[from] ?? 0) - verdict.tap.amountFen
      sums[account] = (sums[account] ?? 0) + verdict.tap.amountFen
    }
    const add = (account: string, fen: number) => { sums[account] = (sums[account] ?? 0) + fen }
    for (const { of, from, to, fen } of redresses) {
      const merchant = `merchant-pending/${of.terminal === 'M1' ? 'MET' : 'BUS'}`
      add(from === 'unpaid' ? 'unpaid-debits' : merchant, -fen)
      add(to === 'operator' ? merchant : from === 'issuer' ? 'issuer-loss' : 'pending-load', fen)
    }
    for (const { fen } of loads) {
      add('merchant-pending/BUS', -fen) // who sold it
      add('purse', fen)
    }
    for (const { fen, party, backFen } of requests) {
      const standing = fen - Math.sign(fen) * backFen
      add('online', standing)
      add(`merchant-pending/${party}`, -standing)
    }
    return Object.fromEntries(Object.entries(sums).filter(([, fen]) => fen !== 0))
  }

  function purses (): PurseState[] {
    const all = verdicts() as Full[]
    return Array.from({ length: cards }, (_, card) => {
      const own = all.filter(({ tap }) => tap.card === card)
      const standing = own.filter(({ kind, conflict }) =>
        kind === 'stranger' || (kind === 'claim' && !conflict))
      const top = standing.sort((a, b) => b.tap.counter - a.tap.counter ||
        Number(a.kind === 'stranger') - Number(b.kind === 'stranger') || rank(a.tap, b.tap))[0]?.tap
      const debited = own.filter(one => ['operator', 'unpaid'].includes(moved(one) ?? ''))
      const taken = loads.filter(one => one.card === card)
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
    tell, settle, refund, dispute, isClear, read, load, decide, request, takeBack, verdicts, accounts, purses,
    distinct: () => events.length,
    requests: () => requests.length
  }
}
export type Model = ReturnType<typeof newModel>

function findingsAlone (tap: ToldTap, { nowMs, openDateMs }: World): string[] {
  const implausible = tap.atMs > nowMs + tenMinutesMs || (tap.psam !== 'unknown' && tap.atMs < psamIssuedMs)
  const findings: [string, boolean][] = [
    ['psam_unknown', tap.psam === 'unknown'],
    ['terminal_unknown', tap.terminal === 'none'],
    ['grey', tap.grey],
    ['tac_wrong', !tap.grey && !tap.signed],
    ['clock_implausible', implausible],
    ['psam_terminal_mismatch', !['unknown', tap.terminal].includes(tap.psam) && tap.terminal !== 'none'],
    ['overdue', nowMs - tap.atMs > ninetyDaysMs && !implausible],
    ['late', tap.atMs < openDateMs]
  ]
  return findings.filter(([, applies]) => applies).map(([finding]) => finding)
}

/** What a line is to the chain of its card. */
function kindOf (tap: ToldTap, own: readonly string[]): Kind {
  const signed = tap.signed && !tap.grey
  if (own.includes('psam_unknown')) return signed ? 'stranger' : 'nothing'
  if (signed) return 'claim'
  return own[0] === 'grey' ? 'grey' : 'nothing'
}

const terminals = ['none', 'B1', 'M1']
const rank = (a: ToldTap, b: ToldTap): number =>
  a.atMs - b.atMs || terminals.indexOf(a.terminal) - terminals.indexOf(b.terminal) ||
  a.sequence - b.sequence || a.counter - b.counter

/**
 * First come in rank order, first served, where both the chip's counter and the PSAM's sequence are free.
 * What people decided on takes the chip's counter alone.
 */
function losers (claims: readonly Event[], { decided }: Facts): Set<Event> {
  const taken = new Set<string>()
  return new Set([...claims].sort(rank).filter(claim => {
    const chip = `chip ${claim.card}/${claim.counter}`
    const keys = decided.has(contentOf(claim)) ? [chip] : [chip, `psam ${claim.psam}/${claim.sequence}`]
    if (keys.some(key => taken.has(key))) return true
    for (const key of keys) taken.add(key)
    return false
  }))
}

/** The signed event that stands on a counter: a claim before a stranger. */
function standingAt (
  events: readonly Event[], lost: ReadonlySet<Event>, card: number, counter: number
): Event | undefined {
  return events.filter(e => e.card === card && e.counter === counter && !lost.has(e) &&
    (e.kind === 'claim' || e.kind === 'stranger'))
    .sort((a, b) => Number(a.kind === 'stranger') - Number(b.kind === 'stranger') || rank(a, b))[0]
}

function findingsByOthers (
  event: Event, events: readonly Event[], lost: ReadonlySet<Event>, facts: Facts
): string[] {
  const at = (counter: number) => standingAt(events, lost, event.card, counter)
  if (event.kind === 'nothing') return []
  if (event.kind === 'grey') return greyFindings(event, events, at, facts)
  const previous = at(event.counter - 1)
  const loadedFen = loadsAfter(event.card, event.counter - 1, facts).reduce((sum, fen) => sum + fen, 0)
  const expected = event.counter - 1 === opening.counter
    ? opening.fen + loadedFen
    : previous === undefined ? null : previous.beforeFen - previous.amountFen + loadedFen
  const broken = event.counter <= opening.counter || (expected !== null && expected !== event.beforeFen)
  const isLost = lost.has(event)
  const said = facts.decided.get(contentOf(event))
  return [
    ...isLost ? ['conflict'] : [], ...broken ? ['chain_broken'] : [],
    ...said === 'rejected' ? ['rejected'] : said === 'released' && isLost ? ['issuer_pays'] : []]
}

const loadsAfter = (card: number, counter: number, { loads }: Facts): number[] =>
  loads.filter(one => one.card === card && one.counter === counter).map(({ fen }) => fen)

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
  const { card, counter, beforeFen, amountFen, atMs } = event
  if (at(counter) !== undefined) return ['grey_cancelled']
  const left = leftAfter(card, counter, at(counter + 1), facts)
  const fitting = events.filter(e => e.kind === 'grey' && e.card === card && e.counter === counter &&
    left.includes(e.beforeFen - e.amountFen))
  if (fitting.length === 1) return fitting[0] === event ? [] : ['grey_cancelled']
  if (amountFen !== 0 && left.includes(beforeFen)) return ['grey_cancelled']
  const untouched = facts.readings.some(one => one.card === card && one.counter === counter - 1 &&
    one.fen === beforeFen && one.atMs > atMs + tenMinutesMs)
  return untouched ? ['grey_cancelled'] : ['grey']
}

/** Runs of counters that nobody has told of, below one that the chip is known to have used. */
function gaps (
  own: readonly (Verdict & { readonly conflict: boolean, readonly kind: Kind })[]
): number {
  const used = new Set(own.filter(({ kind, conflict, outcome, reason }) =>
    kind === 'stranger' || (kind === 'claim' && !conflict) ||
    (kind === 'grey' && reason !== 'grey' && reason !== 'grey_cancelled' && outcome !== '?'))
    .map(({ tap }) => tap.counter))
  return [...used].filter(counter => counter > opening.counter + 1 && !used.has(counter - 1)).length
}
