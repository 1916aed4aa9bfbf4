// Gives records whose terminal clock cannot have been right a time: an estimate from the order of their PSAM,
// kept beside what the record says. One person proposes it, another approves; then the records are judged at
// that time, with its parameters. The records themselves stay as they are.
import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { uniqueBy } from '../../runtime/collections.ts'
import { formatIso, startOfDate } from '../../runtime/instants.ts'
import { reasonNumbers } from '../../schemas/reasons.ts'
import type { CardRef, TransactionRecord } from '../../schemas/record.ts'
import { estimateAt } from '../core/estimate.ts'
import { examineRedated, ownFindings } from '../core/verdict.ts'
import { unpackFindings } from '../judging/book.ts'
import { factsOf, type Prepared } from '../judging/sort-out.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { readContext, type Asked } from '../intake/read-known.ts'
import { reconsider } from '../intake/reconsider.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfParties } from '../store/branches.ts'
import { findCardsById } from '../store/cards.ts'
import type { Tx } from '../store/db.ts'
import type { ChainFact } from '../store/facts.ts'
import { findMisdated, receivedAt, type Misdated } from '../store/misdated.ts'
import { cardRefs, findEvents, type StoredEvent } from '../store/records.ts'
import type { PsamRow, Snapshot } from '../store/registry.ts'

export const Redating = Type.Object({
  psam: Type.String({ pattern: '^[0-9A-F]{12}$', description: 'terminal number of the PSAM' }),
  issue: Type.Integer({ minimum: 1, maximum: 255 })
}, { additionalProperties: false })
type Redating = Static<typeof Redating>

export const redateKind: ProposalKind = {
  body: Redating,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, ledger, body: Redating) => {
    const snapshot = await ledger.registry()
    const terminal = snapshot.terminalById.get(psamOf(snapshot, body).terminalId ?? -1)
    return await branchesOfParties(tx, [snapshot.partyById.get(terminal?.partyId ?? -1)?.code ?? ''])
  },
  subject: ({ psam, issue }: Redating) => `psam/${psam}/${issue}`,
  look: async (tx, ledger, body: Redating) => shown(await plan(tx, psamOf(await ledger.registry(), body))),
  carryOut: async (tx, ledger, body: Redating, { proposalId, atMs }) => {
    const snapshot = await ledger.registry()
    const dated = await plan(tx, psamOf(snapshot, body))
    const facts = await factsAt(tx, snapshot, dated, `proposal/${proposalId}`)
    return { changed: await reconsider(tx, ledger, dated, atMs, facts, { ranksAnew: true }) }
  }
}

/** A held record with the time it is given. */
type Dated = Misdated & { readonly atMs: number }

function psamOf (snapshot: Snapshot, { psam, issue }: Redating): PsamRow {
  const known = snapshot.psams.get(psam)?.find(one => one.issue === issue)
  if (known === undefined) throw new Refusal('not_found', `no PSAM ${psam} of issue ${issue} is registered`)
  return known
}

async function plan (tx: Tx, { psamId, psam, issue }: PsamRow): Promise<Dated[]> {
  const held = await findMisdated(tx, psamId, { clock: reasonNumbers.clock_implausible, undecided })
  const dated = held.flatMap(one => {
    const atMs = estimateAt(one.sequence, one.before, one.after)
    return atMs === null ? [] : [{ ...one, atMs }]
  })
  if (dated.length > 0) return dated
  throw new Refusal('not_found', `no record of PSAM ${psam}/${issue} is held for its clock between others`)
}

/** An event of which this is said may not have happened, or not then. */
const undecided = (['grey', 'grey_cancelled', 'grey_expired', 'conflict'] as const)
  .map(reason => reasonNumbers[reason])

/** What people approve: how many, between which times; the digest binds every single estimate. */
function shown (dated: readonly Dated[]) {
  const hash = createHash('sha256')
  for (const { cardId, counter, sequence, atMs } of dated) {
    hash.update(`${cardId} ${counter} ${sequence} ${atMs}\n`)
  }
  const times = dated.map(({ atMs }) => atMs)
  return {
    records: dated.length, first: formatIso(Math.min(...times)), last: formatIso(Math.max(...times)),
    sequences: `${dated[0]?.sequence}-${dated.at(-1)?.sequence}`, digest: hash.digest('hex').toUpperCase()
  }
}

async function factsAt (
  tx: Tx, snapshot: Snapshot, dated: readonly Dated[], source: string
): Promise<ChainFact[]> {
  const counters = uniqueBy(dated, ({ cardId, purse, counter }) => `${cardId}/${purse}/${counter}`)
  const events = (await findEvents(tx, counters.map(({ counter, ...key }) =>
    ({ ...key, from: counter, to: counter })))).filter(({ evidence }) => evidence !== 'completion')
  const cards = new Map((await findCardsById(tx, dated)).map(card => [card.cardId, card]))
  const refs = await cardRefs(tx, dated)
  const received = await receivedAt(tx, events.map(({ deliveryNo }) => deliveryNo))
  const lines = dated.flatMap(one => {
    const event = events.find(({ content }) => content.equals(one.content))
    return event === undefined
      ? []
      : [{
          one, event,
          line: lineOf(snapshot, event, one.atMs, cards.get(one.cardId) ?? null, refs.get(one.cardId))
        }]
  })
  const given = { kind: 'json' as const, receivedAtMs: 0, date: '1970-01-01' }
  const context = await readContext(tx, snapshot, askedBy(lines.map(({ line }) => line)), given)
  return lines.map(({ one, event, line }): ChainFact => {
    const facts = {
      ...factsOf(line, context, true), receivedAtMs: received.get(event.deliveryNo) ?? 0,
      beforeOpenDate: one.atMs < startOfDate(event.clearingDate)
    }
    const before = ownFindings(unpackFindings(event.firstReason, event.firstFindings))
    return {
      bucket: one.bucket, cardId: one.cardId, purse: one.purse, counter: one.counter, content: one.content,
      kind: 'estimate', atMs: one.atMs, balanceFen: null, source,
      findings: examineRedated(before, facts, context.policyAt(one.atMs)).map(reason => reasonNumbers[reason])
    }
  })
}

/** A stored event as a line again, at another time. */
function askedBy (lines: readonly Prepared[]): Asked {
  const cards = lines.flatMap(({ card }) => card === null ? [] : [card])
  return {
    psamIds: lines.flatMap(({ psam }) => psam === null ? [] : [psam.psamId]),
    terminalIds: lines.flatMap(({ terminal }) => terminal === null ? [] : [terminal.terminalId]),
    cards: uniqueBy(cards, card => card.cardId)
  }
}

function lineOf (
  snapshot: Snapshot, event: StoredEvent, eventAtMs: number, card: Prepared['card'],
  ref: CardRef | undefined
): Prepared {
  const terminal = snapshot.terminalById.get(event.terminalId) ?? null
  const operator = snapshot.partyById.get(terminal?.partyId ?? -1) ?? null
  const psam = [...snapshot.psams.values()].flat().find(one => one.psamId === event.psamId) ?? null
  return {
    index: 0, lineNo: event.lineNo, content: event.content, bucket: event.bucket,
    tacValid: true, card, psam, terminal, operator, eventAtMs,
    record: {
      card: ref,
      purse: event.purse === 2 ? 'ep' : 'ed', counter: event.counter, amountFen: Number(event.amountFen),
      type: event.purse === 2 ? '06' : '05', grey: false, sequence: Number(event.sequence),
      operator: operator?.code ?? '', terminal: terminal?.code ?? ''
    } as TransactionRecord
  }
}
