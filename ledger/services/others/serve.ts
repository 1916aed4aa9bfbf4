// An event of any declared service, once under its key: who it is about, what the service decides, who pays.
// All in one transaction. It refuses to know any service.
import { Value } from 'typebox/value'
import { localDate } from '../../../runtime/instants.ts'
import type { AnswerReason } from '../../../schemas/reasons.ts'
import { cardKey } from '../../../schemas/record.ts'
import type { CommonServiceReason, ServiceEvent, ServiceReply } from '../../../schemas/service.ts'
import { canonical } from '../../core/canonical.ts'
import type { Ledger } from '../../ledger.ts'
import { openDateOf } from '../../open-date.ts'
import { instantIn, Refusal } from '../../refusal.ts'
import { findEntries } from '../../store/blacklist.ts'
import { findCards, type CardRow } from '../../store/cards.ts'
import { inTransaction, joined, type Tx } from '../../store/db.ts'
import { readRights } from '../../store/fares.ts'
import {
  findServiceEvent, freeQuota, insertServiceEvent, isDebitUsed, lockSubject, markEventReturned, noteSubject,
  readServiceRules, subjectOfCard, takeQuota, type EventRow, type FoundEvent, type RulesRow
} from '../../store/services.ts'
import { serviceOf } from './declared.ts'
import { debitOf, giveBack, payByOthers, payOnline, subsidyOf, type ChipDebit, type Till } from './money.ts'
import { sumOf, type Decision, type EventDeclared, type Part, type Service } from './service.ts'
import { partyOf } from './set-up.ts'
import { replyOf } from './told.ts'

export type At = { readonly service: string, readonly party: string }

/** Throws Refusal not_found, body_invalid, conditions_not_met, request_conflict, registry_invalid. */
export async function serve (
  ledger: Ledger, client: string, { service: name, party }: At, wanted: ServiceEvent
): Promise<ServiceReply> {
  const service = serviceOf(name)
  const event = eventIn(service, wanted)
  const snapshot = await ledger.registry()
  const nowMs = ledger.clock.now()
  const atMs = wanted.at === undefined ? nowMs : instantIn(wanted.at, '/at')
  if (atMs > nowMs + snapshot.policies.clockToleranceMinutes * 60_000) {
    throw new Refusal('body_invalid', 'it has not happened yet', '/at')
  }
  const partyId = await partyOf(ledger, party)
  const placeId = await partyOf(ledger, wanted.place ?? party, '/place')
  return await inTransaction(ledger.db, async tx => {
    await openDateOf(tx)
    const inside = { ...ledger, db: joined(tx), registry: async () => snapshot }
    const till = { tx, ledger: inside, client, party, atMs: nowMs }
    const first = await findServiceEvent(tx, partyId, wanted.key)
    if (first !== null) return await again(till, service, partyId, first, wanted)
    const rules = rulesOn(await readServiceRules(tx, { partyId, service: name }), localDate(atMs))
    if (rules === null) {
      throw new Refusal('conditions_not_met', `${party} has no rules of ${name} for that day`)
    }
    const found = await cardIn(tx, wanted)
    const card = typeof found === 'object' ? found : null
    const subject = event.subject?.(wanted.said ?? {}) ?? subjectOf(card)
    const key = { partyId, service: name, subject, card: event.subject === undefined ? card : null }
    const state = typeof found === 'string' ? null : await lockSubject(tx, key)
    const asked = async () => ({
      event: wanted.event, said: wanted.said ?? {}, atMs, date: localDate(atMs), party,
      place: wanted.place ?? party, terminal: wanted.terminal ?? null, rules: rules.rules, state,
      facts: await factsOf(till, card, localDate(atMs))
    })
    const wish = typeof found === 'string' ? { reason: found } : service.decide(await asked())
    const quota = wish.reason === null ? wish.takes ?? null : null
    const place = { partyId, service: name, date: localDate(atMs), name: quota?.name ?? '' }
    const isFull = quota !== null && !await takeQuota(tx, place, quota.most)
    const decision = isFull ? { reason: quota.reason } : wish
    const settled = await settle(till, service, partyId, { wanted, decision, card })
    const isTaken = quota !== null && settled.outcome === 'approved'
    if (quota !== null && !isFull && !isTaken) await freeQuota(tx, place)
    if (settled.outcome === 'approved' && decision.reason === null) await noteSubject(tx, key, decision.state)
    const row: EventRow = {
      key: wanted.key, service: name, event: wanted.event, content: contentOf(wanted), subject,
      bucket: card?.bucket ?? null, cardId: card?.cardId ?? null, placeId, terminal: wanted.terminal ?? null,
      atMs, saidAtMs: nowMs, rulesFrom: rules.from, debit: wanted.debit?.record ?? null, client,
      quota: isTaken ? quota.name : null, before: settled.outcome === 'approved' ? { state } : null,
      ...settled
    }
    await insertServiceEvent(tx, partyId, row)
    return replyOf(service, { ...row, takenBack: null }, false)
  })
}

/** Of a card that is not there nothing is remembered. */
const subjectOf = (card: CardRow | null): string => card === null ? 'nobody' : subjectOfCard(card)

/** Throws Refusal body_invalid for an event, or fields, that the service does not have. */
function eventIn ({ events }: Service, { event: name, said = {}, card }: ServiceEvent): EventDeclared {
  const event = Object.hasOwn(events, name) ? events[name] : undefined
  if (event === undefined) {
    const what = `no event ${name}; there are ${Object.keys(events).join(', ')}`
    throw new Refusal('body_invalid', what, '/event')
  }
  const [wrong] = Value.Errors(event.said, said)
  if (wrong !== undefined) {
    throw new Refusal('body_invalid', `${name}: ${wrong.message}`, `/said${wrong.instancePath}`)
  }
  if (event.card && card === undefined) throw new Refusal('body_invalid', `${name} is of a card`, '/card')
  return event
}

export const rulesOn = (rows: readonly RulesRow[], date: string): RulesRow | null =>
  rows.findLast(({ from }) => from <= date) ?? null

/** The card, why it may do nothing, or null where none is there. */
async function cardIn (tx: Tx, { card: ref }: ServiceEvent): Promise<CardRow | CommonServiceReason | null> {
  if (ref === undefined) return null
  const card = (await findCards(tx, [ref])).get(cardKey(ref))
  if (card === undefined) return 'card_unknown'
  if (card.cardType === 'test') return 'test_card'
  const listed = (await findEntries(tx, [card])).some(entry => entry.removedVersion === null)
  return listed || card.state !== 'normal' ? 'card_blocked' : card
}

async function factsOf (till: Till, card: CardRow | null, date: string) {
  if (card === null) return { subsidyFen: 0, classes: [] }
  const rights = await readRights(till.tx, [card])
  return {
    subsidyFen: await subsidyOf(till, card),
    classes: rights.filter(({ from, until }) => (from ?? date) <= date && date <= (until ?? date))
      .map(({ class: name }) => name)
  }
}

/* ---- money ---- */

type Settled = Pick<EventRow,
  'outcome' | 'reason' | 'why' | 'priceFen' | 'steps' | 'parts' | 'requestKey' | 'journalId' | 'returnedAtMs'>

async function settle (
  till: Till, service: Service, partyId: number,
  { wanted, decision, card }: {
    readonly wanted: ServiceEvent, readonly decision: Decision<unknown>, readonly card: CardRow | null
  }
): Promise<Settled> {
  const { debit } = wanted
  const steps = decision.steps ?? []
  const priceFen = sumOf(steps)
  const parts = decision.reason === null ? decision.parts : []
  if (decision.reason === null && (sumOf(parts) !== priceFen || parts.some(({ fen }) => fen < 0))) {
    throw new Error(`${wanted.event}: steps sum to ${priceFen}, parts to ${sumOf(parts)}`)
  }
  const ownFen = sumOf(parts.filter(({ payer }) => payer === 'own'))
  const no = async (
    reason: string, why: AnswerReason | null = null, key: string | null = null
  ): Promise<Settled> => {
    const returned = debit !== undefined && reason !== 'debit_used' &&
      await giveBack(till, debit, reason)
    return {
      outcome: 'declined', reason, why, priceFen: BigInt(Math.max(0, priceFen)), steps, parts: [],
      requestKey: key, journalId: null, returnedAtMs: returned ? till.atMs : null
    }
  }
  if (decision.reason !== null) return await no(decision.reason)
  const against = debit === undefined ? null : await chipReason(till, service, partyId, debit, ownFen)
  if (against !== null) return await no(against)
  let requestKey: string | null = null
  if (ownFen > 0 && debit === undefined) {
    if (wanted.card === undefined) throw new Refusal('body_invalid', 'a card must pay', '/card')
    const paid = await payOnline(till, wanted.card,
      { key: wanted.key, amountFen: ownFen, terminal: wanted.terminal ?? null })
    if (paid.why !== null) return await no('payment_declined', paid.why, paid.requestKey)
    requestKey = paid.requestKey
  }
  return {
    outcome: 'approved', reason: 'ok', why: null, priceFen: BigInt(priceFen), steps,
    parts: parts.map(part => shown(part, debit !== undefined)), requestKey,
    journalId: await payByOthers(till, card, parts), returnedAtMs: null
  }
}

const shown = (part: Part, byChip: boolean) =>
  ({ ...part, payer: part.payer !== 'own' ? part.payer : byChip ? 'purse' : 'online' })

/** Why the debit of a chip pays nothing here, or null: it is this sum, or its record has not come yet. */
async function chipReason (
  till: Till, { payers }: Service, partyId: number, debit: ChipDebit, ownFen: number
): Promise<CommonServiceReason | null> {
  if (!payers.includes('purse')) return 'purse_not_taken'
  if (await isDebitUsed(till.tx, partyId, debit.record)) return 'debit_used'
  if (ownFen !== debit.amountFen) return 'payment_unproven'
  const { state } = await debitOf(till, debit)
  return state === 'other' || state === 'returned' ? 'payment_unproven' : null
}

/* ---- the same again ---- */

/** All that makes two events the same. */
const contentOf = ({ key: _, ...content }: ServiceEvent): string => canonical(content)

async function again (
  till: Till, service: Service, partyId: number, first: FoundEvent, wanted: ServiceEvent
): Promise<ServiceReply> {
  if (first.content !== contentOf(wanted)) {
    const before = JSON.parse(first.content) as Record<string, unknown>
    const now = JSON.parse(contentOf(wanted)) as Record<string, unknown>
    const field = Object.keys({ ...before, ...now })
      .find(name => canonical(now[name] ?? null) !== canonical(before[name] ?? null)) ?? 'key'
    throw new Refusal('request_conflict', `${wanted.key} was used before with another ${field}`, `/${field}`)
  }
  const { outcome, returnedAtMs, reason } = first
  const { debit } = wanted
  const waits = outcome === 'declined' && returnedAtMs === null && reason !== 'debit_used'
  if (!waits || debit === undefined || !await giveBack(till, debit, reason)) {
    return replyOf(service, first, true)
  }
  await markEventReturned(till.tx, partyId, first.key, till.atMs)
  return replyOf(service, { ...first, returnedAtMs: till.atMs }, true)
}
