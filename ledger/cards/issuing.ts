// Making cards, as the ledger sees it: which cards a batch is to have, each step signed for the chip that is
// on a reader of a desk, and what became of it. A card that works is registered then, with nothing on it. It
// refuses to know keys and how a chip is written.
import { formatIso } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import type { Card } from '../../schemas/api.ts'
import type {
  IssuedCard, IssuedOutcome, IssuedOutcomeReply, IssuingBatch, IssuingReport, StepAsk, StepReply
} from '../../schemas/card-issuing.ts'
import { planOf, type Plan } from '../../schemas/epurse/issuing.ts'
import { orderRules } from '../../schemas/epurse/maintenance.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { accountCode } from '../core/chart.ts'
import { masked } from '../core/mask.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { audit } from '../people/audit.ts'
import { requireOwnBranch, type Member } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfParties } from '../store/branches.ts'
import { findCards, insertCards } from '../store/cards.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  concludeIssued, countIssued, findBatch, findIssuedCard, insertBatch, insertIssuedCards, spoiledCards,
  type BatchRow
} from '../store/issuing.ts'
import { news, tell } from '../store/outbox.ts'
import type { CardPlace } from '../store/parameters.ts'
import { postBatch } from '../store/post.ts'
import { accountId, type Snapshot } from '../store/registry.ts'

export type IssuingBook = Pick<Ledger, 'db' | 'clock' | 'tac' | 'nameCard' | 'random' | 'registry'>

/**
 * Throws Refusal registry_invalid where a card cannot be made or sold, other_branch where whoever sells it is
 * of another one, conditions_not_met where a name is used.
 */
export async function startBatch (
  { db, clock, registry }: IssuingBook, by: Member, wanted: IssuingBatch
): Promise<IssuingReport> {
  const { batch, type, lot, lotKeyVersion, cards, soldBy = null, depositFen = 0 } = wanted
  requireSeller(await registry(), soldBy, depositFen)
  const made = cards.map((spec, index) => ({ ref: refOf(planFor(spec, index)), spec }))
  requireDistinct(made.map(({ ref }) => ref))
  const atMs = clock.now()
  return await inTransaction(db, async tx => {
    if (soldBy !== null) requireOwnBranch(by, await branchesOfParties(tx, [soldBy]))
    const row = {
      batch, cardType: type, lot, lotKeyVersion, startedBy: by.name, startedAtMs: atMs, soldBy,
      depositFen: BigInt(depositFen)
    }
    if (!await insertBatch(tx, row)) {
      throw new Refusal('conditions_not_met', `there is a batch ${batch} already`, '/batch')
    }
    const known = await findCards(tx, made.map(({ ref }) => ref))
    const written = await insertIssuedCards(tx, batch, made)
    if (known.size > 0 || written < made.length) {
      throw new Refusal('registry_invalid', 'a serial of these was given before', '/cards')
    }
    await audit(tx, atMs, {
      by: by.name, action: 'issuing.start', subject: `issuing/${batch}`, detail: { type, cards: made.length }
    })
    return await reportOf(tx, row)
  })
}

function planFor (spec: IssuedCard, index: number): Plan {
  try {
    return planOf(spec)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Refusal('registry_invalid', error.message, `/cards/${index}`)
  }
}

/** One that pays in before it sells would have to have done so when the last card is made. */
function requireSeller ({ parties, accounts }: Snapshot, soldBy: string | null, depositFen: number): void {
  const no = (what: string, where: string) => new Refusal('registry_invalid', what, where)
  if (soldBy === null) {
    if (depositFen > 0) throw no('nobody sells these cards: who owes us the deposit?', '/depositFen')
    return
  }
  if (!accounts.has(receivableOf(soldBy))) throw no(`${soldBy} takes no cash for us`, '/soldBy')
  if (parties.get(soldBy)?.prepaid === true) throw no(`${soldBy} pays in before it sells`, '/soldBy')
}

const receivableOf = (agent: string): string => accountCode('commerce', 'receivable-agent', agent)

const refOf = ({ issuer, serial }: Plan): CardRef => ({ issuer, serial, issue: 1 })

function requireDistinct (refs: readonly CardRef[]): void {
  const seen = new Set<string>()
  for (const [index, ref] of refs.entries()) {
    if (seen.has(cardKey(ref))) {
      throw new Refusal('registry_invalid', 'two cards have one serial', `/cards/${index}`)
    }
    seen.add(cardKey(ref))
  }
}

/* ---- at a desk ---- */

/** Throws Refusal not_found; conditions_not_met for a card that is made or spoiled, and without its keys. */
export async function signStepOf (
  { db, tac }: IssuingBook, { batch, card: ref, step, challenge }: StepAsk
): Promise<StepReply> {
  const row = await cardOf(db, batch, ref)
  if (row.state !== 'waiting') throw new Refusal('conditions_not_met', `this card is ${row.state}`, '/card')
  const plan = planOf(row.spec)
  const order = plan.steps[step]?.order
  if (order === undefined) throw new Refusal('not_found', `its plan has ${plan.steps.length} steps`, '/step')
  if (orderRules[order.order].challenge !== (challenge !== '')) {
    throw new Refusal('conditions_not_met', `${order.order} and this challenge do not fit`, '/challenge')
  }
  const { lot, lotKeyVersion } = await batchOf(db, batch)
  const { command } = await tac.chip({ ask: 'step', spec: row.spec, step, challenge, lot, lotKeyVersion })
  if (command === null) throw new Refusal('conditions_not_met', 'a key of this card is not there', '/card')
  return { card: ref, step, command: Buffer.from(command).toString('hex').toUpperCase() }
}

/** The first news decides. Throws Refusal not_found. */
export async function tellIssued (
  ledger: IssuingBook, by: string, told: IssuedOutcome
): Promise<IssuedOutcomeReply> {
  const { db, clock, nameCard } = ledger
  const { batch, card: ref, outcome, at = null, why = null } = told
  const made = await batchOf(db, batch)
  const atMs = clock.now()
  const reply = await inTransaction(db, async tx => {
    const row = await cardOf(tx, batch, ref, 'lock')
    if (row.state !== 'waiting') return { card: ref, state: row.state }
    await concludeIssued(tx, ref, { state: outcome, at, why, atMs })
    if (outcome === 'issued') await register(tx, ledger, ref, { spec: row.spec, made, atMs })
    const detail = { batch, ...at === null ? {} : { at } }
    await audit(tx, atMs, { by, action: `card.${outcome}`, subject: `card/${nameCard(ref)}`, detail })
    killPoint('before-issued-commit')
    return { card: ref, state: outcome }
  })
  killPoint('after-issued-commit')
  return reply
}

/** With nothing on it: first value comes by a load. */
async function register (tx: Tx, ledger: IssuingBook, ref: CardRef, { spec, made, atMs }: {
  readonly spec: IssuedCard, readonly made: BatchRow, readonly atMs: number
}): Promise<void> {
  const { profile, suite, keyVersion } = spec
  const { batch, cardType, soldBy, depositFen } = made
  const { validUntil } = planOf(spec)
  const card: Card = {
    card: ref, profile, type: cardType as Card['type'], suite, keyVersion, cityFactor: null, balanceFen: 0,
    counter: 0, soldBy, depositFen: Number(depositFen), ...validUntil === null ? {} : { validUntil }
  }
  const [fresh] = await insertCards(tx, [card], atMs)
  if (fresh !== undefined && soldBy !== null && depositFen > 0n) {
    await postDeposit(tx, ledger, fresh, { soldBy, depositFen, atMs })
  }
  const subject = `card/${masked(ref)}`
  const data = { card: masked(ref), type: cardType, batch }
  await tell(tx, [news({ topic: 'card.issued', subject, data, party: null })], atMs)
}

/** The seller owes it from now on. */
async function postDeposit (
  tx: Tx, { registry, random }: IssuingBook, { bucket, cardId }: CardPlace,
  { soldBy, depositFen, atMs }: {
    readonly soldBy: string, readonly depositFen: bigint, readonly atMs: number
  }
): Promise<void> {
  const clearingDate = await openDateOf(tx)
  const snapshot = await registry(tx)
  await postBatch(tx, {
    kind: 'registry', clearingDate, createdAtMs: atMs, salt: random(16), items: 1,
    transfers: [{
      code: 'sale_deposit', book: 'commerce', journal: 0, bucket, cardId, eventAtMs: atMs,
      amountFen: depositFen, debit: accountId(snapshot, 'commerce', 'receivable-agent', soldBy),
      credit: accountId(snapshot, 'commerce', 'card-deposit')
    }]
  })
}

/* ---- looking ---- */

/** Throws Refusal not_found. */
export const reportBatch = async ({ db }: Pick<Ledger, 'db'>, name: string): Promise<IssuingReport> =>
  await reportOf(db, await batchOf(db, name))

async function reportOf (
  db: Ledger['db'] | Tx, { batch, cardType, startedBy, startedAtMs, soldBy, depositFen }: BatchRow
): Promise<IssuingReport> {
  const counts = await countIssued(db, batch)
  const of = (state: string): number => counts.find(one => one.state === state)?.cards ?? 0
  return {
    batch, type: cardType as IssuingReport['type'], startedBy, startedAt: formatIso(startedAtMs),
    soldBy, depositFen: Number(depositFen),
    cards: counts.reduce((sum, { cards }) => sum + cards, 0), waiting: of('waiting'), issued: of('issued'),
    spoiled: await spoiledCards(db, batch)
  }
}

/** Throws Refusal not_found. */
export async function batchOf (db: Ledger['db'] | Tx, batch: string): Promise<BatchRow> {
  const row = await findBatch(db, batch)
  if (row === null) throw new Refusal('not_found', `there is no batch ${batch}`, '/batch')
  return row
}

async function cardOf (db: Ledger['db'] | Tx, batch: string, ref: CardRef, lock: 'lock' | 'look' = 'look') {
  const row = await findIssuedCard(db, ref, lock)
  if (row === null || row.batch !== batch) {
    throw new Refusal('not_found', `batch ${batch} has no such card`, '/card')
  }
  return row
}
