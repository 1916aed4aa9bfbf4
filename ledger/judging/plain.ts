// Judges plain lines in columns: where nothing is wrong with any line of a card and its chip goes on where it
// stood, they are accepted and the operator is paid. All others are left to be judged one by one, with
// whatever else is told of their cards. Pure; it refuses to know what is wrong.
import type { TransactionRecord } from '../../schemas/record.ts'
import type { VerdictReason } from '../../schemas/reasons.ts'
import type { PlainLines } from '../intake/plain-lines.ts'
import { beginsElsewhere } from '../core/chain.ts'
import { postingOf } from '../core/posting.ts'
import { examine, verdictOf, type Verdict } from '../core/verdict.ts'
import type { CardRow, PurseMove } from '../store/cards.ts'
import type { PurseRow } from '../store/lock.ts'
import type { PurseKey } from '../store/records.ts'
import type { PartyRow, PsamRow, TerminalRow } from '../store/registry.ts'
import { packFindings } from './book.ts'
import { factsOf, isForeign, type Context, type Prepared } from './sort-out.ts'

/** What the registry says of what the lines name, place by place; null where that takes a closer look. */
export type Registered = {
  readonly cards: readonly (CardRow | null)[]
  readonly psams: readonly (PsamRow | null)[]
  readonly terminals: readonly (TerminalRow | null)[]
  readonly operator: PartyRow | null
}
type Sides = { readonly debit: number, readonly credit: number }

/** Lines that are accepted: cards in the order of their keys, the lines of a card in that of its counter. */
export type Kept = Registered & {
  readonly lines: PlainLines
  readonly places: Int32Array
  /** 1 for the place of a line that is kept. */
  readonly isKept: Uint8Array
  /** Who pays whom, by place of the terminal. */
  readonly sides: readonly (Sides | null)[]
  /** Remarks on a line as they are stored, by its place; hardly any line has some. */
  readonly findings: ReadonlyMap<number, readonly number[]>
  readonly moves: readonly PurseMove[]
  /** Purses with open items now. */
  readonly troubled: readonly PurseKey[]
  readonly amountFen: number
}

type Given = {
  readonly registered: Registered
  readonly purses: readonly PurseRow[]
  /** What the key workers said, a byte a line. */
  readonly tacValid: Uint8Array
  /** Of these cards something else is told as well. */
  readonly toldElsewhere: ReadonlySet<string>
  /** Debits from here on are news for the watch, and not plain. */
  readonly topDebitFen: number
}

export function keepPlain (lines: PlainLines, context: Context, given: Given): Kept {
  const { registered, purses, toldElsewhere } = given
  const { first, byCard } = linesByCard(lines)
  const cardPlaces = new Map<bigint, number>()
  registered.cards.forEach((card, place) => {
    const isAlone = !toldElsewhere.has(lines.cards[place]?.key ?? '')
    if (card !== null && isAlone && !isForeign(card)) cardPlaces.set(card.cardId, place)
  })
  const sides = registered.terminals.map(terminal => sidesOf(context, terminal))
  const findings = new Map<number, readonly number[]>()
  const isFlawless = flawless(lines, context, given, sides, findings)
  const places = new Int32Array(lines.length)
  const isKept = new Uint8Array(lines.length)
  const moves: PurseMove[] = []
  const troubled: PurseKey[] = []
  let count = 0
  let amountFen = 0
  for (const purse of purses) {
    const place = purse.purse === ep ? cardPlaces.get(purse.cardId) : undefined
    if (place === undefined) continue
    const told = byCard.subarray(first[place], first[place + 1])
    if (!told.every(isFlawless) || !goesOn(lines, purse, told)) continue
    const card = registered.cards[place] as CardRow
    const move = moveOf(lines, purse, told, card)
    moves.push(move)
    if (move.openItems > 0) troubled.push({ bucket: card.bucket, cardId: card.cardId, purse: ep })
    amountFen -= Number(move.shadowDeltaFen)
    places.set(told, count)
    count += told.length
    for (const one of told) isKept[one] = 1
  }
  return {
    ...registered, lines, places: places.subarray(0, count), isKept, sides, findings, moves, troubled,
    amountFen
  }
}
/** The purse that plain lines are about. */
const ep = 2

/** Places of lines by card and counter; those of card n from `first[n]` to before `first[n + 1]`. */
function linesByCard ({ length, cards, cardPlace, counter }: PlainLines) {
  const first = new Int32Array(cards.length + 1)
  for (let line = 0; line < length; line++) first[(cardPlace[line] as number) + 1]!++
  for (let card = 0; card < cards.length; card++) first[card + 1]! += first[card] as number
  const next = first.slice()
  const byCard = new Int32Array(length)
  for (let line = 0; line < length; line++) {
    const card = cardPlace[line] as number
    let place = next[card]!++
    // A chip's uses come in order, nearly always.
    for (const counterHere = counter[line] as number; place > (first[card] as number) &&
      (counter[byCard[place - 1] as number] as number) > counterHere; place--) {
      byCard[place] = byCard[place - 1] as number
    }
    byCard[place] = line
  }
  return { first, byCard }
}

/** Null where the operator of the terminal is not simply paid. */
function sidesOf (context: Context, terminal: TerminalRow | null): Sides | null {
  if (terminal === null) return null
  const posting = postingOf(verdictOf([]), 1n, context.accountsOf(terminal.terminalId, false), 'first')
  return posting?.code === 'tap' ? posting : null
}

/** Whether a line is accepted by itself; remarks on it are written down. */
function flawless (
  lines: PlainLines, context: Context, { registered, tacValid, topDebitFen }: Given,
  sides: readonly (Sides | null)[], findings: Map<number, readonly number[]>
): (place: number) => boolean {
  const { cards, psams, terminals, operator } = registered
  const line = emptyLine(operator)
  return place => {
    const terminal = lines.terminalPlace[place] as number
    const amountFen = lines.amountFen[place] as number
    if (tacValid[place] !== 1 || sides[terminal] === null || amountFen === 0 || amountFen >= topDebitFen) {
      return false
    }
    line.card = cards[lines.cardPlace[place] as number] as CardRow
    line.psam = psams[lines.psamPlace[place] as number] ?? null
    line.terminal = terminals[terminal] ?? null
    line.eventAtMs = lines.eventAtMs[place] as number
    line.record.type = lines.type[place] === 6 ? '06' : '09'
    line.record.amountFen = amountFen
    line.record.sequence = lines.sequence[place] as number
    const own = examine(factsOf(line, context, true), context.policyAt(line.eventAtMs))
    return own.length === 0 || isOnlyRemarkedOn(own, place, findings)
  }
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/** Filled anew for each line: what the checks ask of one. */
function emptyLine (operator: PartyRow | null): Writable<Prepared> & { record: Writable<TransactionRecord> } {
  return {
    index: 0, lineNo: 0, eventAtMs: 0, bucket: 0, content: Buffer.alloc(0), tacValid: true, card: null,
    psam: null, terminal: null, operator,
    record: {
      card: { issuer: '', serial: '', issue: 1 }, purse: 'ep', type: '06', counter: 0, balanceBeforeFen: 0,
      amountFen: 0, psam: '', sequence: 0, dateTime: '', tac: null, grey: false, keyVersion: 0, algorithm: 0,
      operator: operator?.code ?? '', terminal: '', recordNo: 1
    }
  }
}

/** A clock that is ahead is told to somebody, with the record. */
function isOnlyRemarkedOn (
  own: readonly VerdictReason[], place: number, findings: Map<number, readonly number[]>
): boolean {
  const verdict: Verdict = verdictOf(own)
  if (verdict.outcome !== 'accepted' || verdict.reason !== 'ok' || own.includes('clock_drift')) return false
  const packed = packFindings(verdict)
  if (packed !== null) findings.set(place, packed)
  return true
}

/** As `goesOnPlainly` asks of lines one by one. */
function goesOn (lines: PlainLines, purse: PurseRow, told: Int32Array): boolean {
  if (purse.openItems > 0 || purse.beyond) return false
  let counter = purse.lastCounter
  let balanceFen = Number(purse.lastBalanceFen)
  for (const place of told) {
    const next = lines.counter[place] as number
    const beforeFen = lines.balanceBeforeFen[place] as number
    if (next <= counter || (next === counter + 1 && beforeFen !== balanceFen)) return false
    counter = next
    balanceFen = beforeFen - (lines.amountFen[place] as number)
  }
  return true
}

/** As `judgePlain` moves a purse: each gap is an open item. */
function moveOf (
  lines: PlainLines, { lastCounter, lastBalanceFen, openItems, at }: PurseRow, told: Int32Array,
  { bucket, cardId, openedCounter, openedFen }: CardRow
): PurseMove {
  const countsGaps = !beginsElsewhere({ counter: openedCounter, balanceFen: openedFen })
  let counter = lastCounter
  let balanceFen = Number(lastBalanceFen)
  let gaps = openItems
  let paidFen = 0
  for (const place of told) {
    const next = lines.counter[place] as number
    const amountFen = lines.amountFen[place] as number
    if (next > counter + 1 && countsGaps) gaps++
    counter = next
    balanceFen = (lines.balanceBeforeFen[place] as number) - amountFen
    paidFen += amountFen
  }
  return {
    bucket, cardId, purse: ep, lastCounter: counter, lastBalanceFen: BigInt(balanceFen),
    shadowDeltaFen: BigInt(-paidFen), openItems: gaps, at
  }
}
