// A card is given back: what is on it is paid over the counter by the rules of the city, at once where its
// chip can be read, after some days where it cannot. It refuses to know cash.
import { formatIso } from '../../runtime/instants.ts'
import type { CardReturn, CardReturnView } from '../../schemas/card-return.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { addWorkingDays } from '../core/calendar.ts'
import type { Heading } from '../core/chart.ts'
import { decideReturn, paidOut, type ReturnLine } from '../core/card-return.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { audit } from '../people/audit.ts'
import type { Member } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { journeysOf } from '../services/transit/explain-card.ts'
import { dependsOnDays } from '../services/transit/price-cards.ts'
import { readHolidays } from '../store/calendar.ts'
import {
  findReplacement, findReturn, insertReturn, noteReturnPaid, type ReturnRow
} from '../store/card-ends.ts'
import { readLife, type LifeRow } from '../store/card-life.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { accountId, type Snapshot } from '../store/registry.ts'
import { takeReading } from './card-reading.ts'
import { lockedLife, makeMove, requireMove, type LifeBook } from './card-life.ts'
import { tillOf } from './replace.ts'
import { bookLegs, worthOf, type Leg, type Worth } from './value.ts'

type ReturnBook = LifeBook & Pick<Ledger, 'registry'>

/**
 * Throws Refusal not_found, other_branch, conditions_not_met, holder_rule, registry_invalid, amount_wrong.
 */
export async function returnCard (
  ledger: ReturnBook, by: Member, ref: CardRef, { outlet, chip, undamaged, reason }: CardReturn
): Promise<CardReturnView> {
  const snapshot = await ledger.registry()
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const date = await openDateOf(tx)
    const life = await lockedLife(tx, by, ref)
    if (life.state === 'void') await requireOwed(tx, life)
    else await requireMove(tx, ledger, life, 'give_back')
    const { partyId } = await tillOf(tx, snapshot, by, outlet)
    if (chip !== null) await readChip(tx, ledger, life, chip, by.name, atMs)
    const { unreadableReturnDays } = snapshot.policies
    const dueOn = chip === null
      ? addWorkingDays(date, unreadableReturnDays, await readHolidays(tx))
      : date
    const decided = await decide(tx, ledger, snapshot, life, { chip, undamaged, outlet })
    await insertReturn(tx, {
      bucket: life.bucket, cardId: life.cardId, partyId, undamaged, requestedBy: by.name, requestedAtMs: atMs,
      dueOn
    })
    if (dueOn <= date) await pay(tx, ledger, snapshot, by, life, { outlet, date, ...decided })
    if (life.state !== 'void') {
      return await makeMove(tx, ledger, { ref, life, move: 'give_back', by: by.name, reason })
    }
    await audit(tx, atMs, {
      by: by.name, action: 'card.return', subject: `card/${ledger.nameCard(ref)}`, detail: { outlet, reason }
    })
  })
  return await viewReturn(ledger.db, ref)
}

/**
 * A card whose holder died, or that its registry cancelled, has ended and still owes: to heirs, or its
 * holder. Throws Refusal conditions_not_met.
 */
async function requireOwed (tx: Tx, life: LifeRow): Promise<void> {
  if (await findReplacement(tx, life) !== null) {
    throw new Refusal('conditions_not_met', 'another card took its place, and its value follows there')
  }
  if (await findReturn(tx, life) === null) return
  throw new Refusal('conditions_not_met', 'it was given back before')
}

/**
 * Pays what a card that could not be read was worth. Throws Refusal not_found, other_branch,
 * conditions_not_met, holder_rule, registry_invalid, amount_wrong.
 */
export async function payReturn (
  ledger: ReturnBook, by: Member, ref: CardRef, outlet: string
): Promise<CardReturnView> {
  const snapshot = await ledger.registry()
  await inTransaction(ledger.db, async tx => {
    const date = await openDateOf(tx)
    const life = await lockedLife(tx, by, ref)
    const row = await findReturn(tx, life)
    if (row === null) throw new Refusal('not_found', 'the card was not given back')
    if (row.paidOn !== null) throw new Refusal('conditions_not_met', `it was paid on ${row.paidOn}`)
    if (date < row.dueOn) {
      throw new Refusal('holder_rule', `unreadableReturnDays: it is paid from ${row.dueOn}`)
    }
    const { undamaged } = row
    const decided = await decide(tx, ledger, snapshot, life, { chip: null, undamaged, outlet })
    await pay(tx, ledger, snapshot, by, life, { outlet, date, ...decided })
    const detail = { outlet, paidFen: Number(paidOut(decided.lines)) }
    await audit(tx, ledger.clock.now(), {
      by: by.name, action: 'card.return_paid', subject: `card/${ledger.nameCard(ref)}`, detail
    })
  })
  return await viewReturn(ledger.db, ref)
}

/** Throws Refusal conditions_not_met for a chip that is behind what is known: it is another one. */
async function readChip (
  tx: Tx, ledger: ReturnBook, life: LifeRow, chip: NonNullable<CardReturn['chip']>, by: string, atMs: number
): Promise<void> {
  const { purse } = await worthOf(tx, await ledger.registry(tx), life)
  if (chip.counter < purse.lastCounter) {
    const why = `the chip says ${chip.counter} and ${purse.lastCounter} was used already`
    throw new Refusal('conditions_not_met', why, '/chip/counter')
  }
  await takeReading(tx, ledger, life, chip, by, atMs)
}

type Decided = { readonly worth: Worth, readonly lines: readonly ReturnLine[] }

/** Throws Refusal conditions_not_met, holder_rule. */
async function decide (
  tx: Tx, ledger: ReturnBook, snapshot: Snapshot, life: LifeRow,
  { chip, undamaged, outlet }: Pick<CardReturn, 'chip' | 'undamaged' | 'outlet'>
): Promise<Decided> {
  const { policies } = snapshot
  const worth = await worthOf(tx, snapshot, life)
  const decision = decideReturn({
    chipFen: chip === null ? null : BigInt(chip.balanceFen), shadowFen: worth.purse.shadowFen,
    waitingFen: worth.waitingFen, onlineFen: worth.onlineFen, depositFen: worth.depositFen, undamaged,
    openJourney: await openJourneyOf(tx, ledger, life), openLoad: worth.openLoad,
    ownOutlet: policies.ownOutlets.includes(outlet), policies
  })
  if (decision.outcome === 'paid') return { worth, lines: decision.lines }
  throw new Refusal(decision.isRule ? 'holder_rule' : 'conditions_not_met', decision.why)
}

async function openJourneyOf (tx: Tx, ledger: ReturnBook, life: LifeRow): Promise<string | null> {
  const sinceMs = ledger.clock.now() - dependsOnDays * 86_400_000
  const { journeys } = await journeysOf(tx, { registry: () => ledger.registry(tx) }, life, sinceMs)
  const open = journeys.find(({ kind }) => kind === 'open')
  return open === undefined
    ? null
    : `a journey with ${open.operator} that began with counter ${open.counters[0] ?? 0} has no exit`
}

async function pay (
  tx: Tx, ledger: ReturnBook, snapshot: Snapshot, by: Member, life: LifeRow,
  { outlet, date, worth, lines }: Decided & { readonly outlet: string, readonly date: string }
): Promise<void> {
  const { account: till, partyId } = await tillOf(tx, snapshot, by, outlet)
  const fenOf = (what: ReturnLine['what']): bigint => lines.find(line => line.what === what)?.fen ?? 0n
  const valueFen = fenOf('value')
  const account = (heading: Heading) => accountId(snapshot, 'commerce', heading)
  const legs: Leg[] = [
    valueFen < 0n
      ? { of: life, code: 'return_collected', debit: till, credit: account('purse'), amountFen: -valueFen }
      : { of: life, code: 'return_value', debit: account('purse'), credit: till, amountFen: valueFen },
    {
      of: life, code: 'return_waiting', debit: account('pending-load'), credit: till,
      amountFen: fenOf('waiting')
    },
    { of: life, code: 'return_online', debit: account('online'), credit: till, amountFen: fenOf('online') },
    {
      of: life, code: 'return_deposit', debit: account('card-deposit'), credit: till,
      amountFen: fenOf('deposit')
    },
    {
      of: life, code: 'deposit_kept', debit: account('card-deposit'), credit: account('fee-income'),
      amountFen: fenOf('deposit_kept')
    }]
  const booked = await bookLegs(tx, ledger, snapshot, {
    legs, purse: worth.purse, purseFen: -valueFen, atMs: ledger.clock.now()
  })
  if (!booked) throw new Refusal('amount_wrong', `${outlet} has paid in less than it would take`, '/outlet')
  await noteReturnPaid(tx, life, partyId, {
    valueFen, waitingFen: fenOf('waiting'), onlineFen: fenOf('online'), depositFen: fenOf('deposit'),
    keptFen: fenOf('deposit_kept')
  }, date)
}

/* ---- looking ---- */

/** Throws Refusal not_found. */
export async function viewReturn (db: Db, ref: CardRef): Promise<CardReturnView> {
  const known = (await findCards(db, [ref])).get(cardKey(ref))
  const row = known === undefined ? null : await findReturn(db, known)
  const life = known === undefined ? null : await readLife(db, known)
  if (row === null || life === null) throw new Refusal('not_found', 'the card was not given back')
  const { outlet, requestedAtMs, dueOn, paidOn } = row
  const lines = paidOn === null ? [] : linesOf(row)
  return {
    card: ref, state: life.state, outlet, requestedAt: formatIso(requestedAtMs), dueOn, paidOn,
    lines: lines.map(({ what, fen }) => ({ what, fen: Number(fen) })), paidFen: Number(paidOut(lines))
  }
}

const linesOf = ({ valueFen, waitingFen, onlineFen, depositFen, keptFen }: ReturnRow): ReturnLine[] => ([
  ['value', valueFen], ['waiting', waitingFen], ['online', onlineFen], ['deposit', depositFen],
  ['deposit_kept', keptFen]] as const).map(([what, fen]) => ({ what, fen }))
  .filter(({ what, fen }) => fen !== 0n || what === 'value')
