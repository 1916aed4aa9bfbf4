// Another card takes the place of one that broke or was lost: whose it is, what it may and who knows it move
// at once; its value when it is sure what it is. It refuses to know how chips are made.
import { addDays, formatIso } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import { isNamed } from '../../schemas/card-life.ts'
import type { Replacement, ReplacementReason, ReplacementView } from '../../schemas/card-return.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import { addWorkingDays } from '../core/calendar.ts'
import type { Heading } from '../core/chart.ts'
import { openDateOf } from '../open-date.ts'
import { requireOwnBranch, type Member } from '../people/proposals.ts'
import { agentOf } from '../posting/loads.ts'
import { withNotes } from '../posting/note.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfParties } from '../store/branches.ts'
import { readHolidays } from '../store/calendar.ts'
import {
  findReplacement, insertReplacement, noteMoved, replacementsToMove, type ReplacementRow
} from '../store/card-ends.ts'
import type { LifeRow } from '../store/card-life.ts'
import { findCards } from '../store/cards.ts'
import { moveClinicPersons } from '../store/clinic.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { readRights, setRights } from '../store/fares.ts'
import { bindCard, unbindCard } from '../store/holders.ts'
import { rebindReaders } from '../store/library.ts'
import { lockPurses } from '../store/lock.ts'
import { cardsOf } from '../store/loads.ts'
import type { CardPlace } from '../store/parameters.ts'
import { accountId, type Snapshot } from '../store/registry.ts'
import { moveSubjects } from '../store/services.ts'
import { takeReading } from './card-reading.ts'
import { lockedLife, makeMove, requireMove, type LifeBook } from './card-life.ts'
import { bookLegs, worthOf, type Leg } from './value.ts'

/**
 * Throws Refusal not_found, other_branch, conditions_not_met, holder_rule, registry_invalid, amount_wrong.
 */
export async function replaceCard (
  ledger: LifeBook, by: Member, ref: CardRef, wanted: Replacement
): Promise<ReplacementView> {
  await inTransaction(ledger.db, async tx => {
    await openDateOf(tx)
    await lockBoth(tx, [ref, wanted.to])
    await replaceLocked(tx, ledger, by, ref, wanted)
  })
  return await viewReplacement(ledger.db, ref)
}

/** Both cards are locked. `told`: the message of a registry that it comes of, which takes a fee itself. */
export async function replaceLocked (
  tx: Tx, ledger: LifeBook, by: Member, ref: CardRef, wanted: Replacement,
  { told }: { readonly told?: string } = {}
): Promise<void> {
  const { to: toRef, why, chip, outlet, reason } = wanted
  const atMs = ledger.clock.now()
  const snapshot = await ledger.registry(tx)
  const date = await openDateOf(tx)
  const [old, next] = [await lockedLife(tx, by, ref), await lockedLife(tx, by, toRef)]
  await requireMove(tx, ledger, old, 'replace')
  requireFitting(old, next, why)
  await requireUnused(tx, next)
  if (why === 'lost' && chip !== null) {
    throw new Refusal('conditions_not_met', 'a card that is lost cannot be read', '/chip')
  }
  if (chip !== null) await takeReading(tx, ledger, old, chip, by.name, atMs)
  const { replacementWaitDays } = snapshot.policies
  const dueOn = chip === null
    ? addWorkingDays(date, replacementWaitDays, await readHolidays(tx))
    : date
  const feeFen = told === undefined
    ? await takeFee(tx, ledger, snapshot, by, { old, why, outlet, atMs })
    : 0n
  const row = {
    bucket: old.bucket, cardId: old.cardId, toBucket: next.bucket, toCardId: next.cardId, why,
    feeFen, requestedBy: by.name, requestedAtMs: atMs, dueOn
  }
  await insertReplacement(tx, row)
  await moveAlong(tx, ledger, { old, next, toRef, by: by.name, clearingDate: date, atMs })
  if (dueOn <= date) await moveValue(tx, ledger, snapshot, { ...row, movedOn: null, movedFen: 0n }, date)
  const moving = { by: by.name, reason: `${why}: ${reason}`, ...told === undefined ? {} : { told } }
  if (next.state === 'not_enabled') {
    await requireMove(tx, ledger, next, 'enable')
    const life = { ...next, holder: old.holder, holderId: old.holderId }
    await makeMove(tx, ledger, { ref: toRef, life, move: 'enable', ...moving })
  }
  await makeMove(tx, ledger, { ref, life: old, move: 'replace', ...moving })
}

/** Both purses at once, in the order of everybody's locks. */
export async function lockBoth (tx: Tx, refs: readonly [CardRef, CardRef]): Promise<void> {
  const known = await findCards(tx, refs)
  const [old, next] = refs.map(ref => known.get(cardKey(ref)))
  if (old === undefined) throw new Refusal('not_found', 'no such card was issued', '/card')
  if (next === undefined) throw new Refusal('not_found', 'no such card was issued', '/to')
  if (old.cardId === next.cardId) throw new Refusal('conditions_not_met', 'it is the same card', '/to')
  await lockPurses(tx, [old, next])
}

function requireFitting (old: LifeRow, next: LifeRow, why: ReplacementReason): void {
  if (why === 'lost' && !isNamed(old.type)) {
    const what = `a card of type ${old.type} that is not there is nobody's in particular`
    throw new Refusal('holder_rule', `anonymousLossReports: ${what}`)
  }
  if (next.type !== old.type) {
    throw new Refusal('conditions_not_met', `it is of type ${next.type}, not ${old.type}`, '/to')
  }
  if (next.state !== 'normal' && next.state !== 'not_enabled') {
    throw new Refusal('conditions_not_met', `it is ${next.state}`, '/to')
  }
  if (next.holderId !== null && next.holderId !== old.holderId) {
    throw new Refusal('conditions_not_met', 'it is another person\'s', '/to')
  }
}

async function requireUnused (tx: Tx, next: LifeRow): Promise<void> {
  const [purse] = await lockPurses(tx, [next])
  if (purse?.shadowFen === 0n && purse.openItems === 0 && !await isSuccessor(tx, next)) return
  throw new Refusal('conditions_not_met', 'it was used already', '/to')
}

const isSuccessor = async (tx: Tx, { bucket, cardId }: CardPlace): Promise<boolean> =>
  (await tx.query('select from card_replacement where to_bucket = $1 and to_card_id = $2', [bucket, cardId]))
    .rowCount !== 0

/** What the holder is at fault for costs a fee. */
const costs: ReadonlySet<ReplacementReason> = new Set(['damage', 'lost', 'printed_data', 'other'])

async function takeFee (
  tx: Tx, ledger: LifeBook, snapshot: Snapshot, by: Member,
  { old, why, outlet, atMs }: {
    readonly old: LifeRow, readonly why: ReplacementReason, readonly outlet: string | undefined
    readonly atMs: number
  }
): Promise<bigint> {
  const feeFen = BigInt(snapshot.policies.replacementFeeFen)
  if (feeFen === 0n || !costs.has(why)) return 0n
  if (outlet === undefined) {
    const what = `replacementFeeFen: ${feeFen} fen are due at the till of an outlet`
    throw new Refusal('holder_rule', what, '/outlet')
  }
  const { account } = await tillOf(tx, snapshot, by, outlet)
  const [purse] = await lockPurses(tx, [old])
  if (purse === undefined) throw new Error(`card ${old.cardId} has no purse`)
  const leg = {
    of: old, code: 'replacement_fee', debit: account, credit: accountId(snapshot, 'commerce', 'fee-income'),
    amountFen: feeFen
  } as const
  if (!await bookLegs(tx, ledger, snapshot, { legs: [leg], purse, purseFen: 0n, atMs })) {
    throw new Refusal('amount_wrong', `${outlet} has paid in less than it would take`, '/outlet')
  }
  return feeFen
}

/** What an outlet takes and pays is on this account. Throws Refusal registry_invalid, other_branch. */
export async function tillOf (
  tx: Tx, snapshot: Snapshot, by: Member, outlet: string
): Promise<{ readonly account: number, readonly partyId: number }> {
  const account = agentOf(snapshot, outlet)
  const party = snapshot.parties.get(outlet)
  if (account === null || party === undefined) {
    throw new Refusal('registry_invalid', `${outlet} is no agent of ours`, '/outlet')
  }
  requireOwnBranch(by, await branchesOfParties(tx, [outlet]))
  return { account, partyId: party.partyId }
}

/** Person, concessions, library, clinic and declared services know the new card from now on. */
async function moveAlong (tx: Tx, ledger: LifeBook, { old, next, toRef, by, clearingDate, atMs }: {
  readonly old: LifeRow, readonly next: LifeRow, readonly toRef: CardRef, readonly by: string
  readonly clearingDate: string, readonly atMs: number
}): Promise<void> {
  if (old.holderId !== null && next.holderId === null) await bindCard(tx, next, old.holderId, atMs)
  if (old.holderId !== null) await unbindCard(tx, old, atMs)
  const rights = (await readRights(tx, [old])).map(({ cardId: _, ...right }) => right)
  if (rights.length > 0) await setRights(tx, next, rights, by, atMs)
  await rebindReaders(tx, old, { ...next, token: toRef.serial }, atMs)
  await moveSubjects(tx, old, next)
  await withNotes(tx, ledger, { group: 'clinic', clearingDate, atMs }, pen =>
    pen.change('clinic_person', notedIn => moveClinicPersons(tx, old, next, notedIn)))
}

/* ---- value ---- */

/**
 * Everything that the old card is worth waits for the new one; what it owes goes along. Both are locked; what
 * comes late moves later.
 */
async function moveValue (
  tx: Tx, ledger: LifeBook, snapshot: Snapshot, row: ReplacementRow, date: string
): Promise<void> {
  const { why, movedOn, toBucket, toCardId } = row
  const next = { bucket: toBucket, cardId: toCardId }
  const { purse, waitingFen, onlineFen, depositFen } = await worthOf(tx, snapshot, row)
  const account = (heading: Heading) => accountId(snapshot, 'commerce', heading)
  const valueFen = purse.shadowFen
  const movedFen = valueFen + waitingFen + onlineFen
  const moving = account('moving-value')
  const from = (heading: 'purse' | 'pending-load' | 'online', amountFen: bigint): Leg =>
    ({ of: row, code: 'value_moved', debit: account(heading), credit: moving, amountFen })
  const deposit = { debit: account('card-deposit'), amountFen: depositFen }
  const isKept = why === 'lost' && !snapshot.policies.lostDepositMoves
  const deposits: Leg[] = isKept
    ? [{ ...deposit, of: row, code: 'deposit_kept', credit: account('fee-income') }]
    : [
        { ...deposit, of: row, code: 'deposit_moved', credit: moving },
        { ...deposit, of: next, code: 'deposit_moved', debit: moving, credit: account('card-deposit') }]
  const legs: Leg[] = [
    from('purse', valueFen), from('pending-load', waitingFen), from('online', onlineFen),
    { of: next, code: 'value_moved', debit: moving, credit: account('pending-load'), amountFen: movedFen },
    ...deposits]
  const atMs = ledger.clock.now()
  if (!await bookLegs(tx, ledger, snapshot, { legs, purse, purseFen: -valueFen, atMs })) {
    throw new Error(`card ${row.cardId}: its online account is not what it was under lock`)
  }
  if (movedOn === null || movedFen !== 0n) await noteMoved(tx, row, { fen: movedFen, date })
}

/** So long after its value moved a card may still be given something: refunds, disputes. */
const comesLateDays = 400

/** What is due by the open date moves. Repeating it changes nothing. How many cards. */
export async function moveReplacedValue (ledger: LifeBook): Promise<number> {
  const snapshot = await ledger.registry()
  const day = await inTransaction(ledger.db, openDateOf)
  const wanted = await replacementsToMove(ledger.db, { dueBy: day, movedSince: addDays(day, -comesLateDays) })
  let moved = 0
  for (const { bucket, cardId, toBucket, toCardId } of wanted) {
    moved += await inTransaction(ledger.db, async tx => {
      const date = await openDateOf(tx)
      await lockPurses(tx, [{ bucket, cardId }, { bucket: toBucket, cardId: toCardId }])
      const row = await findReplacement(tx, { bucket, cardId })
      if (row === null) return 0
      await moveValue(tx, ledger, snapshot, row, date)
      killPoint('before-value-moved')
      return 1
    })
    killPoint('after-value-moved')
  }
  return moved
}

/** Throws Refusal not_found. */
export async function viewReplacement (db: Db, ref: CardRef): Promise<ReplacementView> {
  const known = (await findCards(db, [ref])).get(cardKey(ref))
  const row = known === undefined ? null : await findReplacement(db, known)
  const next = row === null ? [] : [{ bucket: row.toBucket, cardId: row.toCardId }]
  const [to] = (await cardsOf(db, next)).values()
  if (row === null || to === undefined) throw new Refusal('not_found', 'no card took the place of this one')
  const { why, requestedAtMs, dueOn, movedOn, movedFen, feeFen } = row
  return {
    card: ref, to, why, requestedAt: formatIso(requestedAtMs), dueOn, movedOn, movedFen: Number(movedFen),
    feeFen: Number(feeFen)
  }
}
