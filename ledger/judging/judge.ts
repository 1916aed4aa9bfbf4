// Judges a delivery: every line gets its verdict, and the verdicts that its news changes are corrected. Pure
// over what was read before, in the transaction that will write the decision. It refuses to know SQL.
import { outcomeNumbers, reasonNumbers } from '../../schemas/reasons.ts'
import { beginsElsewhere } from '../core/chain.ts'
import { regressedBy } from '../core/regression.ts'
import { verdictOf } from '../core/verdict.ts'
import {
  answerAlone, answerClaim, bookFirst, outcomeName, reasonName, type Book, type Collision, type Decision,
  type Known,
  type LineResult
} from './book.ts'
import { judgeChains } from './chains.ts'
import type { Context, Group, Sorted, Unreadable } from './sort-out.ts'
import type { PurseRow } from '../store/lock.ts'

export function judge (sorted: Sorted, known: Known, context: Context): Decision | Collision {
  const lines =
    sorted.unreadable.length + sorted.cardless.length + count(sorted.plain) + count(sorted.careful)
  const book: Book = {
    context,
    digests: new Map(known.digests.map(({ digest, outcome, reason }) =>
      [digest, { outcome: outcomeName(outcome), reason: reasonName(reason) }])),
    results: new Array<LineResult>(lines),
    claims: [],
    evidence: [],
    terminalClaims: [],
    adjustments: [],
    journals: [],
    moves: [],
    retop: [],
    beyond: [],
    troubled: [],
    reuses: [],
    regressed: regressedBy([...context.reuses, ...known.reuses], context.policy.clockToleranceMs),
    completions: 0
  }
  for (const line of sorted.unreadable) judgeUnreadable(book, line)
  for (const told of sorted.cardless) answerAlone(book, told)
  for (const group of sorted.plain) judgePlain(book, group)
  if (judgeChains(book, sorted.careful, known) === 'collision') return 'collision'
  if (known.keys === null && collides(book)) return 'collision'
  return { ...book, distinct: book.claims.length + book.evidence.length - book.completions }
}
const count = (groups: readonly Group[]): number => groups.reduce((sum, { told }) => sum + told.length, 0)

/** Two claims of this delivery on one sequence. */
function collides ({ terminalClaims }: Book): boolean {
  const taken = new Map<number, Set<bigint>>()
  for (const { psamId, sequence } of terminalClaims) {
    const sequences = taken.get(psamId)
    if (sequences === undefined) taken.set(psamId, new Set([sequence]))
    else if (sequences.size === sequences.add(sequence).size) return true
  }
  return false
}

function judgeUnreadable (book: Book, { index, lineNo, digest, detail }: Unreadable): void {
  const key = digest.toString('hex')
  const first = book.digests.get(key)
  if (first !== undefined && book.context.kind === 'json') {
    book.results[index] = { ...first, replayed: true, detail }
    return
  }
  const verdict = verdictOf([first === undefined ? 'malformed' : 'duplicate'])
  if (first === undefined) book.digests.set(key, verdict)
  book.results[index] = { outcome: verdict.outcome, reason: verdict.reason, replayed: false, detail }
  book.evidence.push({
    bucket: 0,
    cardId: null,
    purse: null,
    counter: null,
    type: null,
    amountFen: null,
    balanceBeforeFen: null,
    psamId: null,
    sequence: null,
    terminalId: null,
    eventAtMs: null,
    content: null,
    digest,
    tacValid: false,
    kind: 'none',
    outcome: outcomeNumbers[verdict.outcome],
    reason: reasonNumbers[verdict.reason],
    findings: null,
    lineNo
  })
}

function judgePlain (book: Book, { key, purse, opening, told }: Group): void {
  const { lastCounter, lastBalanceFen, openItems } = purse as PurseRow
  const { bucket, cardId, purse: number } = key
  const move = { bucket, cardId, purse: number, lastCounter, lastBalanceFen, shadowDeltaFen: 0n, openItems }
  for (const one of told) {
    const { record } = one.line
    const verdict = verdictOf(one.own)
    answerClaim(book, one, verdict)
    move.shadowDeltaFen -= bookFirst(book, one.line, verdict)
    if (verdict.outcome === 'held') move.openItems++
    if (record.counter > move.lastCounter + 1 && !beginsElsewhere(opening)) move.openItems++ // a gap
    move.lastCounter = record.counter
    move.lastBalanceFen = BigInt(record.balanceBeforeFen - record.amountFen)
  }
  if (move.openItems > 0) book.troubled.push(key)
  book.moves.push(move)
}
