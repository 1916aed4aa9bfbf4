// Watches the chains of cards: gaps with what they come to, held records, chips that hold more than they
// should. Only purses that have or had something open are looked at.
import { uniqueBy, groupBy } from '../../runtime/collections.ts'
import type { VerdictReason } from '../../schemas/reasons.ts'
import type { CardRef } from '../../schemas/record.ts'
import { limits } from '../../schemas/limits.ts'
import { chainOf, type ChainEvent, type Opening } from '../core/chain.ts'
import { chainItems, type ChainItem } from '../core/chain-items.ts'
import { outcomeName, reasonName, unpackFindings } from '../judging/book.ts'
import { chainFactsOf } from '../judging/chains.ts'
import { purseText } from '../judging/sort-out.ts'
import { raiseAlerts, type Alert } from '../alerts.ts'
import type { AlertRow } from '../store/alerts.ts'
import { findCardsById } from '../store/cards.ts'
import type { Tx } from '../store/db.ts'
import { findFacts, type ChainFact } from '../store/facts.ts'
import { closeItems, openItems, openKeysOf, type FoundItem, type ItemOutcome } from '../store/items.ts'
import { cardRefs, findEvents, type PurseKey, type Range, type StoredEvent } from '../store/records.ts'
import type { Snapshot } from '../store/registry.ts'
import type { Look } from './watch.ts'

/**
 * Chains of so many purses stand in memory at the same time. Where operators deliver one after the other,
 * nearly every card has a gap until the last one has told.
 */
const pursesAtOnce = 10_000

export async function findChainItems (look: Look): Promise<readonly AlertRow[]> {
  const purses = uniqueBy(look.news.purses, purseText)
  const raised: AlertRow[] = []
  for (let from = 0; from < purses.length; from += pursesAtOnce) {
    raised.push(...await lookAtSome(look, purses.slice(from, from + pursesAtOnce)))
  }
  return raised
}

async function lookAtSome (
  { tx, ledger, atMs, clearingDate }: Look, purses: readonly PurseKey[]
): Promise<readonly AlertRow[]> {
  const snapshot = await ledger.registry(tx)
  const toleranceMs = snapshot.policies.clockToleranceMinutes * 60_000
  const found = await itemsOf(tx, purses, toleranceMs)
  const rows = found.flatMap(({ purse, card, items }) =>
    items.map(item => itemRow(snapshot, purse, card, item, clearingDate)))
  const open = await openKeysOf(tx, 'E', found.map(({ purse }) => `${prefixOf(purse)}/`))
  const still = new Set(rows.map(({ key }) => key))
  await openItems(tx, rows, atMs)
  await closeItems(tx, 'E', open.filter(key => !still.has(key)), 'later news explained it', atMs)
  return await raiseAlerts(tx, found.flatMap(one => alertsOf(one, clearingDate)), atMs)
}

const prefixOf = ({ cardId, purse }: PurseKey): string => `card/${cardId}/${purse}`

/** An event with what holds it now. */
type Held = ChainEvent & { readonly heldFor: VerdictReason | null }
type Found = { readonly purse: PurseKey, readonly card: CardRef, readonly items: readonly ChainItem[] }

/**
 * Without their locks: thousands of purses are looked at, and both lanes of a file stood still behind them
 * for half of their time. Events are read in one statement, as of one instant. Whatever commits after it
 * leaves news of its own, and so a later look. Facts are only ever added, so those that are the same before
 * and after the events are those of that instant; a purse of which there are more is left to its next news.
 */
async function itemsOf (
  tx: Tx, all: readonly PurseKey[], clockToleranceMs: number
): Promise<Found[]> {
  const factsOf = async () => groupBy(await findFacts(tx, all.map(wholeChain)), purseText)
  const before = await factsOf()
  const events = groupBy(await findEvents(tx, all.map(wholeChain)), purseText)
  const facts = await factsOf()
  const purses = all.filter(purse =>
    facts.get(purseText(purse))?.length === before.get(purseText(purse))?.length)
  const cards = new Map((await findCardsById(tx, uniqueBy(purses, ({ cardId }) => cardId)))
    .map(card => [card.cardId, card]))
  const refs = await cardRefs(tx, purses)
  return purses.flatMap(purse => {
    const card = cards.get(purse.cardId)
    const ref = refs.get(purse.cardId)
    if (card === undefined || ref === undefined) return []
    const opening: Opening = { counter: card.openedCounter, balanceFen: card.openedFen }
    const stored = events.get(purseText(purse)) ?? []
    const added = facts.get(purseText(purse)) ?? []
    const known = stored.filter(({ evidence }) => evidence !== 'completion')
      .map(one => eventOf(one, stored, added))
    const lost = new Set(known.filter(({ lost }) => lost))
    const own = chainFactsOf(added, clockToleranceMs)
    const chain = chainOf(known, lost, opening, own)
    const items = chainItems(chain, known, opening, own, ({ heldFor }) => heldFor)
    return [{ purse, card: ref, items }]
  })
}

const wholeChain = (purse: PurseKey): Range => ({ ...purse, from: 0, to: limits.counterMax })

function eventOf (
  one: StoredEvent, all: readonly StoredEvent[], facts: readonly ChainFact[]
): Held & { readonly lost: boolean } {
  const findings = unpackFindings(one.reason, one.findings)
  const estimate = facts.findLast(({ kind, counter, content }) =>
    kind === 'estimate' && counter === one.counter && content?.equals(one.content) === true)
  const proven = one.evidence === 'grey' && all.some(other => other.evidence === 'completion' &&
    other.counter === one.counter && other.content.equals(one.content))
  return {
    kind: one.evidence === 'stranger' ? 'stranger' : one.evidence === 'grey' && !proven ? 'grey' : 'claim',
    purse: purseText(one), counter: one.counter, balanceBeforeFen: one.balanceBeforeFen,
    amountFen: one.amountFen, content: one.content.toString('hex'),
    eventAtMs: estimate?.atMs ?? one.eventAtMs, clockWrong: findings.includes('clock_implausible'),
    psamId: one.psamId, terminalId: one.terminalId, sequence: one.sequence,
    lost: findings.includes('conflict'),
    heldFor: one.evidence === 'stranger' || outcomeName(one.outcome) !== 'held'
      ? null
      : reasonName(one.reason)
  }
}

/* ---- as rows ---- */

const outcomeOf = ({ kind, reason }: ChainItem): ItemOutcome => {
  if (kind === 'gap') return 'RIGHT_ONLY'
  if (kind === 'reading') return 'AMOUNT_DIFF'
  if (reason === 'conflict') return 'DUPLICATE'
  if (reason === 'clock_implausible') return 'DATE_DIFF'
  return reason === 'chain_broken' ? 'AMOUNT_DIFF' : 'STATE_DIFF'
}

function itemRow (
  snapshot: Snapshot, purse: PurseKey, card: CardRef, item: ChainItem, clearingDate: string
): FoundItem {
  const { kind, name, from, to, records, amountFen, reason, terminalId } = item
  const terminal = snapshot.terminalById.get(terminalId ?? -1)
  return {
    layer: 'E', outcome: outcomeOf(item), key: `${prefixOf(purse)}/${name}`, clearingDate, records, amountFen,
    party: snapshot.partyById.get(terminal?.partyId ?? -1)?.code ?? null,
    card: { bucket: purse.bucket, cardId: purse.cardId },
    evidence: { kind, about: aboutCard(card), from, to, reason, terminal: terminal?.code ?? null }
  }
}

export const aboutCard = ({ serial, issue }: CardRef): string =>
  `card/${serial.slice(0, 6)}…${serial.slice(-4)}-${issue}`

/** A chip that holds more than it should: value from nowhere, or a load nobody told of. */
const alertsOf = ({ card, purse: { cardId }, items }: Found, clearingDate: string): Alert[] =>
  items.flatMap(({ kind, reason, amountFen, from, to }): Alert[] => {
    const moreFen = reason === 'chain_broken' ? amountFen : kind === 'held' ? 0n : -amountFen
    return moreFen <= 0n
      ? []
      : [{
          kind: 'unknown_load', about: `${aboutCard(card)}#${cardId}`, clearingDate,
          evidence: { from, to, moreFen: Number(moreFen) }
        }]
  })
