// Judges a delivery: every line gets its verdict, and the verdicts that its news changes are corrected. Pure
// over what was read
// before, in the transaction that will write the decision. It refuses to know SQL.
import type { Outcome, VerdictReason } from '../schemas/reasons.ts'
import { outcomeNumbers, reasonNumbers } from '../schemas/reasons.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import { groupBy } from '../runtime/collections.ts'
import { conflictVerdicts, greyVerdicts, type ChainEvent, type Change } from './core/chain.ts'
import { postingOf, reverse, type Posting, type PostingAccounts } from './core/posting.ts'
import { decide, type Listing, type VerdictPolicy } from './core/verdict.ts'
import type { CardRow, PurseMove } from './store/cards.ts'
import type { PurseRow } from './store/lock.ts'
import type { NewTransfer } from './store/post.ts'
import type { EvidenceLine, KnownDigest, Line, StoredLine, TerminalKey } from './store/records.ts'
import type { PartyRow, PsamRow, TerminalRow } from './store/registry.ts'

/** A readable line with what the registry says of it. */
export type Prepared = {
  readonly index: number, readonly lineNo: number, readonly record: TransactionRecord, readonly eventAtMs: number,
  readonly content: Buffer, readonly digest: Buffer, readonly bucket: number, readonly tacValid: boolean | null,
  readonly card: CardRow | null, readonly psam: PsamRow | null, readonly terminal: TerminalRow | null,
  readonly operator: PartyRow | null
}
/** A line nobody can read, with what is wrong. */
export type Unreadable = {
  readonly index: number, readonly lineNo: number, readonly digest: Buffer, readonly detail: string
}

/** What the store knew when the locks were held. */
export type Known = {
  readonly claims: readonly StoredLine[]
  readonly evidence: readonly StoredLine[]
  readonly digests: readonly KnownDigest[]
  readonly terminalClaims: readonly (TerminalKey & { readonly content: Buffer })[]
  readonly purses: readonly PurseRow[]
}
export type Context = {
  readonly kind: 'json' | 'file'
  readonly receivedAtMs: number
  readonly policy: VerdictPolicy
  readonly beforeOpenDate: (eventAtMs: number) => boolean
  readonly listing: (line: Prepared) => Listing
  readonly accountsOf: (operator: PartyRow | null) => PostingAccounts
  readonly operatorOf: (terminalId: number) => PartyRow | null
}

export type LineResult = {
  readonly outcome: Outcome, readonly reason: VerdictReason, readonly replayed: boolean, readonly detail?: string
}
/** A transfer to post; `of` is the stored line whose transfer it corrects. */
export type Draft = Omit<NewTransfer, 'journal' | 'deliveryNo' | 'corrects'> & { readonly of: StoredLine | null }
export type NewAdjustment = {
  readonly line: StoredLine, readonly outcome: number, readonly reason: number, readonly amountFen: bigint
}
export type Decision = {
  readonly results: readonly LineResult[]
  readonly distinct: number
  readonly claims: readonly Line[]
  readonly evidence: readonly EvidenceLine[]
  readonly terminalClaims: readonly (TerminalKey & { readonly content: Buffer })[]
  readonly adjustments: readonly NewAdjustment[]
  readonly drafts: readonly Draft[]
  readonly moves: readonly PurseMove[]
}

const names = <K extends string>(numbers: Record<K, number>): Map<number, K> =>
  new Map(Object.entries<number>(numbers).map(([name, number]) => [number, name as K]))
const reasonNames = names<VerdictReason>(reasonNumbers)
const outcomeNames = names<Outcome>(outcomeNumbers)
export const reasonName = (number: number): VerdictReason => reasonNames.get(number) ?? 'malformed'
export const outcomeName = (number: number): Outcome => outcomeNames.get(number) ?? 'refused'

const purseNumber = (record: TransactionRecord): number => record.purse === 'ep' ? 2 : 1
const chipKey = (cardId: bigint, purse: number, counter: number): string => `${cardId}/${purse}/${counter}`
const terminalKey = ({ psamId, sequence }: TerminalKey): string => `${psamId}/${sequence}`

/** A claim or a grey record on a chip counter: stored already, or a line of this delivery. */
type Holder = ChainEvent & {
  readonly stored: StoredLine | null
  readonly prepared: Prepared | null
  readonly findings: readonly VerdictReason[]
  readonly own: Change
}

const fromStored = (line: StoredLine): Holder => {
  const findings = (line.findings ?? []).map(reasonName)
  const first = { outcome: outcomeName(line.firstOutcome), reason: reasonName(line.firstReason) }
  // A claim that was held as a conflict from the start has its own verdict in its findings.
  const own = first.reason === 'conflict' ? ownOf(findings) : first
  return { ...line, content: line.content.toString('hex'), stored: line, prepared: null, findings, own }
}
const ownOf = (findings: readonly VerdictReason[]): Change => findings[0] === undefined
  ? { outcome: 'accepted', reason: 'ok' }
  : { outcome: 'refused', reason: findings[0] }

const fromPrepared = (line: Prepared, own: Change, findings: readonly VerdictReason[]): Holder => ({
  counter: line.record.counter,
  balanceBeforeFen: BigInt(line.record.balanceBeforeFen),
  amountFen: BigInt(line.record.amountFen),
  content: line.content.toString('hex'),
  eventAtMs: line.eventAtMs,
  terminalId: line.terminal?.terminalId ?? 0,
  sequence: BigInt(line.record.sequence),
  stored: null,
  prepared: line,
  findings,
  own
})

export function judge (
  lines: readonly Prepared[], unreadable: readonly Unreadable[], known: Known, context: Context
): Decision {
  const book = openBook(lines.length + unreadable.length, known, context)
  for (const line of unreadable) judgeUnreadable(book, line)
  // Sorted, so that nothing depends on the place in the delivery: of two valid claims on one counter the
  // first in rank comes first.
  for (const line of [...lines].sort(byCardCounterRank)) judgeLine(book, line)
  settleGreys(book)
  return closeBook(book)
}

function byCardCounterRank (one: Prepared, other: Prepared): number {
  const cards = Number((one.card?.cardId ?? 0n) - (other.card?.cardId ?? 0n))
  if (cards !== 0) return cards
  return one.record.counter - other.record.counter || one.eventAtMs - other.eventAtMs ||
    (one.terminal?.terminalId ?? 0) - (other.terminal?.terminalId ?? 0) ||
    one.record.sequence - other.record.sequence || Buffer.compare(
    one.content, other.content
  ) || one.index - other.index
}

/** What is known and decided while the delivery is worked through. */
type Book = {
  readonly context: Context
  readonly results: LineResult[]
  readonly claimsAt: Map<string, Holder[]>
  readonly greysAt: Map<string, Holder[]>
  readonly digests: Map<string, Change>
  readonly terminals: Map<string, string>
  readonly purses: Map<string, PurseRow>
  readonly claims: Line[]
  readonly evidence: EvidenceLine[]
  readonly terminalClaims: (TerminalKey & { content: Buffer })[]
  readonly adjustments: NewAdjustment[]
  readonly drafts: Draft[]
  readonly moves: Map<string, { -readonly [K in keyof PurseMove]: PurseMove[K] }>
  /** Chip keys at which a grey record may have to be judged again. */
  readonly greyKeys: Set<string>
}

const isGrey = (line: StoredLine): boolean => reasonName(line.firstReason) === 'grey' ||
  (line.findings ?? []).map(reasonName).includes('grey')

function openBook (length: number, known: Known, context: Context): Book {
  const keyOf = (line: StoredLine) => chipKey(line.cardId, line.purse, line.counter)
  const conflicts = known.evidence.filter(line => line.tacValid && !isGrey(line) &&
    [reasonNumbers.conflict, reasonNumbers.ok, reasonNumbers.late, reasonNumbers.issuer_risk]
      .includes(line.firstReason as 0))
  const greys = known.evidence.filter(line => isGrey(line) && line.firstReason !== reasonNumbers.duplicate)
  const holders = (stored: readonly StoredLine[]) =>
    new Map([...groupBy(stored, keyOf)].map(([key, group]) => [key, group.map(fromStored)]))
  return {
    context,
    results: new Array<LineResult>(length),
    claimsAt: holders([...known.claims, ...conflicts]),
    greysAt: holders(greys),
    digests: new Map(known.digests.map(({ digest, outcome, reason }) =>
      [digest, { outcome: outcomeName(outcome), reason: reasonName(reason) }])),
    terminals: new Map(known.terminalClaims.map(claim => [
      terminalKey(claim), claim.content.toString('hex')
    ])),
    purses: new Map(known.purses.map(purse => [`${purse.cardId}/${purse.purse}`, purse])),
    claims: [], evidence: [], terminalClaims: [], adjustments: [], drafts: [], moves: new Map(), greyKeys: new Set()
  }
}

function judgeUnreadable (book: Book, { index, lineNo, digest, detail }: Unreadable): void {
  const first = book.digests.get(digest.toString('hex'))
  if (first !== undefined && book.context.kind === 'json') {
    book.results[index] = { outcome: first.outcome, reason: first.reason, replayed: true, detail }
    return
  }
  const verdict: Change = { outcome: 'refused', reason: first === undefined ? 'malformed' : 'duplicate' }
  book.digests.set(digest.toString('hex'), verdict)
  book.results[index] = { ...verdict, replayed: false, detail }
  book.evidence.push({
    bucket: 0, cardId: null, purse: null, counter: null, type: null, amountFen: null, balanceBeforeFen: null,
    psamId: null, sequence: null, terminalId: null, eventAtMs: null, content: null, digest, tacValid: false,
    outcome: outcomeNumbers.refused, reason: reasonNumbers[verdict.reason], findings: [], lineNo
  })
}

function judgeLine (book: Book, line: Prepared): void {
  const first = firstAnswer(book, line)
  if (first !== null) {
    answerRepeat(book, line, first)
    return
  }
  const { context } = book
  const verdict = decide({
    psam: line.psam === null
      ? null
      : {
          issuedAtMs: line.psam.fromMs, terminalId: line.psam.terminalId, stolenAtMs: line.psam.stolenAtMs,
          test: line.psam.test
        },
    terminal: line.terminal === null
      ? null
      : {
          terminalId: line.terminal.terminalId, operatorId: line.terminal.partyId, reachable: line.terminal.reachable
        },
    operatorId: line.operator?.partyId ?? null,
    card: line.card === null ? null : { test: line.card.cardType === 'test' },
    tacValid: line.tacValid,
    grey: line.record.grey,
    eventAtMs: line.eventAtMs,
    receivedAtMs: context.receivedAtMs,
    beforeOpenDate: context.beforeOpenDate(line.eventAtMs),
    amountFen: BigInt(line.record.amountFen),
    listing: context.listing(line)
  }, context.policy)
  const holder = fromPrepared(line, verdict, verdict.findings)
  if (line.card !== null && line.psam !== null && line.tacValid === true && !line.record.grey) {
    claim(book, line, holder)
  } else if (verdict.reason === 'grey' && line.card !== null) {
    const key = chipKey(line.card.cardId, purseNumber(line.record), line.record.counter)
    append(book.greysAt, key, holder)
    book.greyKeys.add(key)
    book.digests.set(line.digest.toString('hex'), verdict) // its verdict follows when all claims are known
  } else {
    answerEvidence(book, holder, verdict)
  }
}

/** The first answer to this event, where it was told before; this look-up precedes every check. */
function firstAnswer (book: Book, line: Prepared): Change | null {
  const digest = book.digests.get(line.digest.toString('hex'))
  if (digest !== undefined) return digest
  if (line.card === null) return null
  const key = chipKey(line.card.cardId, purseNumber(line.record), line.record.counter)
  const content = line.content.toString('hex')
  const claimed = book.claimsAt.get(key)?.find(holder => holder.content === content)
  if (claimed !== undefined) return claimed.stored === null ? claimed.own : firstOf(claimed.stored)
  const grey = book.greysAt.get(key)?.find(holder => holder.content === content)
  if (grey === undefined) return null
  if (line.record.grey || line.tacValid === null) return grey.stored === null ? grey.own : firstOf(grey.stored)
  // A grey record that the chain has proven is paid: its completing record is the same event again.
  const paid = line.tacValid === true && grey.stored !== null && outcomeName(grey.stored.outcome) === 'accepted'
  return paid ? { outcome: 'accepted', reason: reasonName(grey.stored.reason) } : null
}
const firstOf = (line: StoredLine): Change =>
  ({ outcome: outcomeName(line.firstOutcome), reason: reasonName(line.firstReason) })

function answerRepeat (book: Book, line: Prepared, first: Change): void {
  if (book.context.kind === 'json') {
    book.results[line.index] = { outcome: first.outcome, reason: first.reason, replayed: true }
    return
  }
  const verdict: Change = { outcome: 'refused', reason: 'duplicate' }
  book.results[line.index] = { ...verdict, replayed: false }
  book.evidence.push(evidenceOf(line, verdict, ['duplicate']))
}

/**
 * A TAC-valid record takes the chip's and the terminal's key; where one is taken, rank decides who is paid.
 */
function claim (book: Book, line: Prepared, holder: Holder): void {
  const card = line.card as CardRow
  const key = chipKey(card.cardId, purseNumber(line.record), line.record.counter)
  const terminal = { psamId: (line.psam as PsamRow).psamId, sequence: BigInt(line.record.sequence) }
  const content = line.content.toString('hex')
  const terminalTaken = book.terminals.get(terminalKey(terminal))
  if (terminalTaken !== undefined && terminalTaken !== content) {
    answerEvidence(book, holder, { outcome: 'held', reason: 'conflict' })
    return
  }
  if (terminalTaken === undefined) {
    book.terminals.set(terminalKey(terminal), content)
    book.terminalClaims.push({ ...terminal, content: line.content })
  }
  const rivals = book.claimsAt.get(key) ?? []
  append(book.claimsAt, key, holder)
  noteGreys(book, card.cardId, purseNumber(line.record), line.record.counter)
  if (rivals.length === 0) {
    answerClaim(book, holder)
    return
  }
  const verdicts = conflictVerdicts([...rivals, holder])
  for (const rival of rivals) change(book, rival, verdicts.get(rival) as Change)
  answerEvidence(book, holder, verdicts.get(holder) as Change)
}

/** An event on counter n is evidence on grey records n and n − 1. */
function noteGreys (book: Book, cardId: bigint, purse: number, counter: number): void {
  for (const about of [counter, counter - 1]) {
    const key = chipKey(cardId, purse, about)
    if (book.greysAt.has(key)) book.greyKeys.add(key)
  }
}

function settleGreys (book: Book): void {
  for (const key of book.greyKeys) {
    const greys = book.greysAt.get(key) ?? []
    const [cardId, purse, counter] = key.split('/')
    const valid = [
      ...book.claimsAt.get(key) ?? [],
      ...book.claimsAt.get(`${cardId}/${purse}/${Number(counter) + 1}`) ?? []]
    for (const [grey, verdict] of greyVerdicts(greys, valid)) {
      if (grey.stored === null) answerEvidence(book, grey, verdict)
      else change(book, grey, verdict)
    }
  }
}

/* ---- answers: the line, its row, its money, its purse ---- */

function answerClaim (book: Book, holder: Holder): void {
  const line = holder.prepared as Prepared
  book.claims.push(lineOf(line, holder.own, holder.findings))
  answer(book, holder, holder.own)
}

function answerEvidence (book: Book, holder: Holder, verdict: Change): void {
  const line = holder.prepared as Prepared
  book.evidence.push(evidenceOf(line, verdict, holder.findings))
  book.digests.set(line.digest.toString('hex'), verdict)
  answer(book, holder, verdict)
}

function answer (book: Book, holder: Holder, verdict: Change): void {
  const line = holder.prepared as Prepared
  book.results[line.index] = { outcome: verdict.outcome, reason: verdict.reason, replayed: false }
  if (line.card === null) return
  const posting = postingOf(verdict, holder.amountFen, book.context.accountsOf(line.operator), 'first')
  if (posting !== null) post(book, line.card, holder, posting, line.lineNo, null)
  const move = moveOf(book, line.card.bucket, line.card.cardId, purseNumber(line.record))
  if (move === null) return
  if (verdict.outcome === 'held') move.openItems++
  const chipTold = line.tacValid === true && !line.record.grey
  if (chipTold && line.record.counter > move.lastCounter) {
    move.lastCounter = line.record.counter
    move.lastBalanceFen = holder.balanceBeforeFen - holder.amountFen
  }
}

/**
 * A stored line whose verdict is another one now: the old posting is reversed, the new one made, both in the
 * open date.
 */
function change (book: Book, holder: Holder, verdict: Change): void {
  const line = holder.stored
  if (line === null) {
    changeInDelivery(book, holder, verdict)
    return
  }
  const before: Change = { outcome: outcomeName(line.outcome), reason: reasonName(line.reason) }
  if (before.outcome === verdict.outcome && (before.reason === verdict.reason || verdict.outcome === 'accepted')) return
  const accounts = book.context.accountsOf(book.context.operatorOf(line.terminalId))
  const card = { bucket: line.bucket, cardId: line.cardId }
  const old = postingOf(before, line.amountFen, accounts, 'first')
  const now = postingOf(verdict, line.amountFen, accounts, 'adjusted')
  if (old !== null) post(book, card, holder, reverse(old), line.lineNo, line)
  if (now !== null) post(book, card, holder, now, line.lineNo, line)
  const pays = (posting: Posting | null): bigint =>
    posting !== null && posting.credit === accounts.merchant ? line.amountFen : 0n
  book.adjustments.push({
    line, outcome: outcomeNumbers[verdict.outcome], reason: reasonNumbers[verdict.reason],
    amountFen: pays(now) - pays(old)
  })
  const move = moveOf(book, line.bucket, line.cardId, line.purse)
  if (move !== null) move.openItems += Number(verdict.outcome === 'held') - Number(before.outcome === 'held')
}

/** Lines come in rank order, so a claim of this delivery never loses to a later line of it. */
function changeInDelivery (_book: Book, holder: Holder, verdict: Change): void {
  if (verdict.outcome !== holder.own.outcome && verdict.reason !== 'conflict') {
    throw new Error(`a line of this delivery on counter ${holder.counter} would change its verdict`)
  }
}

function post (
  book: Book, card: { readonly bucket: number, readonly cardId: bigint }, holder: Holder, posting: Posting,
  lineNo: number, of: StoredLine | null
): void {
  book.drafts.push({
    bucket: card.bucket, code: posting.code, book: 'commerce', debit: posting.debit, credit: posting.credit,
    amountFen: holder.amountFen, cardId: card.cardId, eventAtMs: holder.eventAtMs, lineNo, of
  })
  const purse = holder.stored?.purse ?? purseNumber((holder.prepared as Prepared).record)
  const move = moveOf(book, card.bucket, card.cardId, purse)
  if (move !== null) move.shadowDeltaFen -= posting.fromPurseFen
}

function moveOf (book: Book, bucket: number, cardId: bigint, purse: number) {
  const key = `${cardId}/${purse}`
  const found = book.moves.get(key)
  if (found !== undefined) return found
  const row = book.purses.get(key)
  if (row === undefined) return null
  const move = {
    bucket, cardId, purse, lastCounter: row.lastCounter, lastBalanceFen: row.lastBalanceFen, shadowDeltaFen: 0n,
    openItems: row.openItems
  }
  book.moves.set(key, move)
  return move
}

function lineOf (line: Prepared, verdict: Change, findings: readonly VerdictReason[]): Line {
  return {
    bucket: line.bucket,
    cardId: line.card?.cardId ?? null,
    purse: purseNumber(line.record),
    counter: line.record.counter,
    type: Number.parseInt(line.record.type, 16),
    amountFen: BigInt(line.record.amountFen),
    balanceBeforeFen: BigInt(line.record.balanceBeforeFen),
    psamId: line.psam?.psamId ?? null,
    sequence: BigInt(line.record.sequence),
    terminalId: line.terminal?.terminalId ?? 0,
    eventAtMs: line.eventAtMs,
    content: line.content,
    outcome: outcomeNumbers[verdict.outcome],
    reason: reasonNumbers[verdict.reason],
    findings: findings.map(reason => reasonNumbers[reason]),
    lineNo: line.lineNo
  }
}
const evidenceOf = (line: Prepared, verdict: Change, findings: readonly VerdictReason[]): EvidenceLine =>
  ({ ...lineOf(line, verdict, findings), digest: line.digest, tacValid: line.tacValid === true })

function append<K, V> (map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

function closeBook (book: Book): Decision {
  const byKey = (
    one: { bucket: number, cardId: bigint }, other: { bucket: number, cardId: bigint }
  ): number =>
    one.bucket - other.bucket || Number(one.cardId - other.cardId)
  return {
    results: book.results,
    distinct: book.claims.length + book.evidence.length,
    claims: book.claims,
    evidence: book.evidence,
    terminalClaims: book.terminalClaims,
    adjustments: book.adjustments,
    drafts: book.drafts,
    moves: [...book.moves.values()].sort(byKey)
  }
}
