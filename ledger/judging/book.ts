// What is decided while a delivery is worked through: answers, rows, money. Each function here writes down
// one decision; none decides. Pure.
import { outcomeNumbers, reasonNumbers, type Outcome, type VerdictReason } from '../../schemas/reasons.ts'
import { evidenceHash } from '../../schemas/record.ts'
import { postingOf, reverse, type PostingAccounts } from '../core/posting.ts'
import type { Regressed, Reuse } from '../core/regression.ts'
import { verdictOf, type Verdict } from '../core/verdict.ts'
import type { CardRow, PurseMove } from '../store/cards.ts'
import type { ChainFact } from '../store/facts.ts'
import type { NewTransfer } from '../store/post.ts'
import type {
  Adjustment, ChipKey, EvidenceKind, EvidenceLine, KnownDigest, Line, PurseKey, StoredEvent, TerminalClaim
} from '../store/records.ts'
import type { PsamRow } from '../store/registry.ts'
import { isForeign, purseNumber, type Context, type Group, type Prepared, type Told } from './sort-out.ts'

export type Known = {
  readonly digests: readonly KnownDigest[]
  /** Events around the counters of the careful groups. */
  readonly events: readonly StoredEvent[]
  /** Read only where keys collide. */
  readonly keys: KnownKeys | null
  /** Sequences that the PSAMs of the events are known to have used twice. */
  readonly reuses: readonly Reuse[]
  /** What was added to the chains of the careful groups around those counters. */
  readonly facts: readonly ChainFact[]
  /** What is added to them just now. */
  readonly newFacts?: readonly ChainFact[]
}
export type KnownKeys = {
  /** Chip counters whose claims share keys with claims of this delivery, directly or through others. */
  readonly component: readonly ChipKey[]
  /** Purses of the component that no line of this delivery is about. */
  readonly others: readonly Omit<Group, 'told'>[]
  /** Who holds the sequences of this delivery. */
  readonly owners: readonly TerminalClaim[]
}

export type LineResult = {
  readonly outcome: Outcome, readonly reason: VerdictReason, readonly replayed: boolean,
  readonly detail?: string
}
/** A transfer to post; `of` is the stored event whose money it corrects. */
export type Draft =
  Omit<NewTransfer, 'journal' | 'deliveryNo' | 'corrects'> & { readonly of: StoredEvent | null }
export type Decision = {
  readonly results: readonly LineResult[]
  readonly distinct: number
  readonly claims: readonly Line[]
  readonly evidence: readonly EvidenceLine[]
  readonly terminalClaims: readonly TerminalClaim[]
  readonly adjustments: readonly Adjustment[]
  /** Transfers of one event belong together. */
  readonly journals: readonly (readonly Draft[])[]
  readonly moves: readonly PurseMove[]
  /** Purses whose last event lost its place. */
  readonly retop: readonly PurseKey[]
  /** Purses of which something above their last counter is decided from now on. */
  readonly beyond: readonly PurseKey[]
  /** Purses with open items, before or after. */
  readonly troubled: readonly PurseKey[]
  /** Sequences that were looked at: used twice, or (null) not. */
  readonly reuses: readonly LookedReuse[]
}
export type LookedReuse = Omit<Reuse, 'firstAtMs'> & { readonly firstAtMs: number | null }
/** Keys collide: decide again with `Known.keys` read. */
export type Collision = 'collision'

/** What is decided while the delivery is worked through. */
export type Book = {
  readonly context: Context
  readonly digests: Map<string, { readonly outcome: Outcome, readonly reason: VerdictReason }>
  readonly results: LineResult[]
  readonly claims: Line[]
  readonly evidence: EvidenceLine[]
  readonly terminalClaims: TerminalClaim[]
  readonly adjustments: Adjustment[]
  readonly journals: (readonly Draft[])[]
  readonly moves: { -readonly [K in keyof PurseMove]: PurseMove[K] }[]
  readonly retop: PurseKey[]
  readonly beyond: PurseKey[]
  readonly troubled: PurseKey[]
  readonly reuses: LookedReuse[]
  /** Whether a use of a PSAM belongs to a second run. */
  regressed: Regressed
  /** Evidence that proves a line told before and is no line of its own. */
  completions: number
}

const names = <K extends string>(numbers: Record<K, number>): Map<number, K> =>
  new Map(Object.entries<number>(numbers).map(([name, number]) => [number, name as K]))
const reasonNames = names<VerdictReason>(reasonNumbers)
const outcomeNames = names<Outcome>(outcomeNumbers)
export const reasonName = (number: number): VerdictReason => reasonNames.get(number) ?? 'malformed'
export const outcomeName = (number: number): Outcome => outcomeNames.get(number) ?? 'refused'

/** Findings as they are stored: null where the reason says it all. */
export const packFindings = ({ reason, findings }: Verdict): number[] | null =>
  findings.length === 0 || (findings.length === 1 && findings[0] === reason)
    ? null
    : findings.map(finding => reasonNumbers[finding])
export const unpackFindings = (reason: number, findings: readonly number[] | null): VerdictReason[] => {
  if (findings !== null) return findings.map(reasonName)
  return reason === reasonNumbers.ok ? [] : [reasonName(reason)]
}

/** A line that nothing else can change: its own verdict, or the first answer where it was told before. */
export function answerAlone (book: Book, told: Told): void {
  const first = book.digests.get(evidenceHash(told.line.record).toString('hex'))
  if (first !== undefined) answerRepeat(book, told, first)
  else answerEvidence(book, told, verdictOf(told.own), 'none')
}

/** A repeat: over a connection the first answer again, in a file a line of its own. */
export function answerRepeat (
  book: Book, { line }: Told, first: { readonly outcome: Outcome, readonly reason: VerdictReason }
): void {
  if (book.context.kind === 'json') {
    book.results[line.index] = { outcome: first.outcome, reason: first.reason, replayed: true }
    return
  }
  const verdict = verdictOf(['duplicate'])
  book.evidence.push(evidenceOf(line, verdict, 'none'))
  book.results[line.index] = { outcome: verdict.outcome, reason: verdict.reason, replayed: false }
}

export function answerEvidence (book: Book, { line }: Told, verdict: Verdict, kind: EvidenceKind): void {
  book.evidence.push(evidenceOf(line, verdict, kind))
  book.digests.set(evidenceHash(line.record).toString('hex'), verdict)
  book.results[line.index] = { outcome: verdict.outcome, reason: verdict.reason, replayed: false }
}

export function answerClaim (book: Book, { line }: Told, verdict: Verdict): void {
  book.claims.push(lineOf(line, verdict))
  book.terminalClaims.push(terminalClaimOf(line))
  book.results[line.index] = { outcome: verdict.outcome, reason: verdict.reason, replayed: false }
}

export const terminalClaimOf = (line: Prepared): TerminalClaim => ({
  psamId: (line.psam as PsamRow).psamId,
  sequence: BigInt(line.record.sequence),
  owner: {
    bucket: line.bucket,
    cardId: (line.card as CardRow).cardId,
    purse: purseNumber(line.record),
    counter: line.record.counter
  }
})

/* ---- money ---- */

/** Books the money of a line under its first verdict; what leaves the purse, in fen. */
export function bookFirst (book: Book, line: Prepared, verdict: Verdict): bigint {
  const accounts = book.context.accountsOf(line.terminal?.terminalId ?? null, isForeign(line.card))
  const posting = postingOf(verdict, BigInt(line.record.amountFen), accounts, 'first')
  if (posting === null) return 0n
  const { code, debit, credit, fromPurseFen } = posting
  book.journals.push([{
    bucket: line.bucket,
    code,
    book: 'commerce',
    debit,
    credit,
    amountFen: BigInt(line.record.amountFen),
    cardId: line.card?.cardId ?? null,
    eventAtMs: line.eventAtMs,
    lineNo: line.lineNo,
    of: null
  }])
  return fromPurseFen
}

/**
 * Books that a stored event has another verdict now: the old posting is reversed, the new one made, both in
 * the open date. What leaves the purse, in fen. `foreign`: of a card of another city; `estimateMs`: when it
 * is taken to have happened, where the terminal's clock cannot have been right.
 */
export function bookChange (
  book: Book, event: StoredEvent, now: Verdict,
  { estimateMs, foreign }: { readonly estimateMs: number | null, readonly foreign: boolean }
): bigint {
  const accounts = accountsOf(book, event, foreign)
  const before: Verdict = {
    outcome: outcomeName(event.outcome),
    reason: reasonName(event.reason),
    findings: unpackFindings(event.reason, event.findings)
  }
  const old = postingOf(before, event.amountFen, accounts, 'first')
  const next = postingOf(now, event.amountFen, accounts, 'adjusted')
  const claimed = (posting: typeof old): bigint =>
    posting !== null && posting.credit === accounts.merchant ? event.amountFen : 0n
  book.adjustments.push({
    event,
    outcome: outcomeNumbers[now.outcome],
    reason: reasonNumbers[now.reason],
    findings: packFindings(now),
    amountFen: claimed(next) - claimed(old)
  })
  if (old?.debit === next?.debit && old?.credit === next?.credit) return 0n
  const postings = [...old === null ? [] : [reverse(old, now.findings)], ...next === null ? [] : [next]]
  book.journals.push(postings.map(({ code, debit, credit }): Draft => ({
    bucket: event.bucket,
    code,
    book: 'commerce',
    debit,
    credit,
    amountFen: event.amountFen,
    cardId: event.cardId,
    eventAtMs: estimateMs ?? event.eventAtMs,
    lineNo: event.lineNo,
    of: event
  })))
  return postings.reduce((sum, posting) => sum + posting.fromPurseFen, 0n)
}

/** A correction names the centre that the event was booked against, whichever is the city's centre now. */
function accountsOf (
  { context }: Book, { terminalId, centre }: StoredEvent, foreign: boolean
): PostingAccounts {
  const accounts = context.accountsOf(terminalId, foreign)
  return foreign && centre !== undefined ? { ...accounts, centre } : accounts
}

/* ---- rows ---- */

const noTerminal = 0

function lineOf (line: Prepared, verdict: Verdict): Line {
  const { record } = line
  return {
    bucket: line.bucket,
    cardId: line.card?.cardId ?? null,
    purse: purseNumber(record),
    counter: record.counter,
    type: Number.parseInt(record.type, 16),
    amountFen: BigInt(record.amountFen),
    balanceBeforeFen: BigInt(record.balanceBeforeFen),
    psamId: line.psam?.psamId ?? null,
    sequence: BigInt(record.sequence),
    terminalId: line.terminal?.terminalId ?? noTerminal,
    eventAtMs: line.eventAtMs,
    content: line.content,
    outcome: outcomeNumbers[verdict.outcome],
    reason: reasonNumbers[verdict.reason],
    findings: packFindings(verdict),
    lineNo: line.lineNo
  }
}

export const evidenceOf = (line: Prepared, verdict: Verdict, kind: EvidenceKind): EvidenceLine =>
  ({ ...lineOf(line, verdict), digest: evidenceHash(line.record), tacValid: line.tacValid === true, kind })
