// Moves between the states of a card: by whoever may, by the rules of the city, in the audit log, on the
// event stream and on the blacklist, all in one transaction. It refuses to know money.
import { addDays, formatIso, localDate, startOfDate } from '../../runtime/instants.ts'
import { killPoint } from '../../runtime/kill-point.ts'
import {
  cardMoveRow, type CardLifeView, type CardMove, isNamed, MoveByTwo, type MoveRequest
} from '../../schemas/card-life.ts'
import { bucketOf, cardKey, type CardRef } from '../../schemas/record.ts'
import { masked } from '../core/mask.ts'
import { countsAsLost, saidBy, toldOf } from '../core/social-word.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { publishChange } from '../parameters/parameters.ts'
import { audit } from '../people/audit.ts'
import { requireOwnBranch, type Member, type ProposalKind } from '../people/proposals.ts'
import { note } from '../posting/note.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfCards } from '../store/branches.ts'
import { insertMove, oralBefore, readLife, readMoves, type LifeRow } from '../store/card-life.ts'
import { listedFor } from '../store/card-blocks.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import { lockPurses } from '../store/lock.ts'
import { renameEntry } from '../store/parameters.ts'
import { news, tell, type News } from '../store/outbox.ts'
import { socialMessagesOf } from '../store/social-registry.ts'

export type LifeBook = Pick<Ledger, 'db' | 'clock' | 'random' | 'registry' | 'nameCard'>

/**
 * One person moves a card. Throws Refusal not_found, forbidden, other_branch, conditions_not_met,
 * holder_rule.
 */
export async function moveCard (
  ledger: LifeBook, by: Member, ref: CardRef, { move, reason }: MoveRequest
): Promise<void> {
  const { by: roles } = cardMoveRow(move)
  if (!by.roles.some(role => roles.includes(role))) {
    throw new Refusal('forbidden', `${move} is for ${roles.join(', ')}`, '/move')
  }
  await inTransaction(ledger.db, async tx => {
    const life = await lockedLife(tx, by, ref)
    await requireMove(tx, ledger, life, move)
    await makeMove(tx, ledger, { ref, life, move, by: by.name, reason })
  })
}

/** What takes two people. */
export const cardMoveKind: ProposalKind = {
  body: MoveByTwo,
  start: ['clerk', 'registrar'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { card }: MoveByTwo) => await branchesOfCards(tx, [card]),
  subject: ({ card }: MoveByTwo, { nameCard }) => `card/${nameCard(card)}`,
  look: async (tx, ledger, { card, move }: MoveByTwo) => {
    const life = await lockedCard(tx, card)
    await requireMove(tx, ledger, life, move)
    return { move, from: life.state }
  },
  carryOut: async (tx, ledger, { card: ref, move }: MoveByTwo, { startedBy, approvedBy, reason }) => {
    const life = await lockedCard(tx, ref)
    await requireMove(tx, ledger, life, move)
    const by = [startedBy, ...approvedBy].join(' + ')
    await makeMove(tx, ledger, { ref, life, move, by, reason })
    return { state: cardMoveRow(move).to }
  }
}

/** The same for who may touch cards of this branch alone. Throws Refusal not_found, other_branch. */
export async function lockedLife (tx: Tx, by: Member, ref: CardRef): Promise<LifeRow> {
  const life = await lockedCard(tx, ref)
  requireOwnBranch(by, [life.branch])
  return life
}

/** The clearing date is read and the card locked, before everything else. Throws Refusal not_found. */
export async function lockedCard (tx: Tx, ref: CardRef): Promise<LifeRow> {
  await openDateOf(tx)
  const known = (await findCards(tx, [ref])).get(cardKey(ref))
  if (known === undefined) throw new Refusal('not_found', 'no such card was issued', '/card')
  const place = { bucket: bucketOf(ref), cardId: known.cardId }
  await lockPurses(tx, [place])
  const life = await readLife(tx, place)
  if (life === null) throw new Refusal('not_found', 'no such card was issued', '/card')
  return life
}

export type Moving = {
  readonly ref: CardRef, readonly life: LifeRow, readonly move: CardMove, readonly by: string
  readonly reason: string
  /** The message of the registry of social-security cards that it comes of. */
  readonly told?: string
}

/**
 * The card is locked, and the move may be made. Whatever else the transaction books stands before it: it ends
 * with the audit log.
 */
export async function makeMove (tx: Tx, ledger: LifeBook, moving: Moving): Promise<void> {
  const { ref, life, move, by, reason } = moving
  const { to } = cardMoveRow(move)
  const atMs = ledger.clock.now()
  const clearingDate = await openDateOf(tx)
  await note(tx, ledger, { table: 'card_move', clearingDate, atMs }, notedIn =>
    insertMove(tx, life, { move, from: life.state, to, by, reason, atMs }, notedIn))
  const data = { card: masked(ref), move, from: life.state, to }
  const name = ledger.nameCard(ref)
  const state = { card: name, holder: life.holder, state: to, usable: to === 'normal', at: formatIso(atMs) }
  await tell(tx, [
    news({ topic: 'card.moved', subject: `card/${masked(ref)}`, data, party: null }),
    news({ topic: 'card.state', subject: `card/${name}`, data: state, party: null }),
    ...life.type === 'social-security' ? [socialNews(name, moving, atMs)] : []
  ], atMs)
  await list(tx, ledger, moving, atMs)
  const detail = { move, from: life.state, to, reason }
  await audit(tx, atMs, { by, action: 'card.move', subject: `card/${ledger.nameCard(ref)}`, detail })
}

/** What a registry of social-security cards hears: also of what it told itself, by its own message. */
const socialNews = (name: string, { life, move, told }: Moving, atMs: number): News => news({
  topic: 'social.card', subject: `card/${name}`, party: null,
  data: {
    card: name, holder: life.holder, move, from: life.state, to: cardMoveRow(move).to,
    by: told === undefined ? 'house' : 'registry', message: told ?? null, at: formatIso(atMs)
  }
})

/**
 * What the blacklist says follows the state. A card that is on it stays where it is, whatever the new reason:
 * terminals have it, and who bears its use is counted from its first entry.
 */
async function list (
  tx: Tx, { registry }: LifeBook, { life, move, by }: Moving, atMs: number
): Promise<void> {
  const { listed } = cardMoveRow(move)
  if (listed === undefined) return
  const before = await listedFor(tx, life)
  if (before === listed) return
  if (before !== null && listed !== null) return await renameEntry(tx, life, listed)
  const { policies } = await registry(tx)
  const isLoss = listed === 'loss' || listed === 'oral_loss'
  const listedAtMs = isLoss ? atMs + policies.lossHolderHours * 3_600_000 : atMs
  await publishChange(tx, {
    added: listed === null ? [] : [{ ...life, reason: listed, listedAtMs }],
    removed: before === null ? [] : [life]
  }, by, atMs)
}

/** Throws Refusal conditions_not_met, holder_rule. */
export async function requireMove (
  tx: Tx, { registry, clock }: LifeBook, { state, type, bucket, cardId }: LifeRow, move: CardMove
): Promise<void> {
  const { from, namedOnly } = cardMoveRow(move)
  if (!from.includes(state)) {
    throw new Refusal('conditions_not_met', `the card is ${state}; ${move} begins at ${from.join(', ')}`)
  }
  const { policies } = await registry(tx)
  if (namedOnly === true && !isNamed(type) && !policies.anonymousLossReports) {
    const what = `a card of type ${type} is nobody's in particular`
    throw new Refusal('holder_rule', `anonymousLossReports: ${what}`)
  }
  if (move === 'enable' || move === 'unlock') await requireNotLost(tx, { type, bucket, cardId }, move)
  if (move !== 'lift_loss') return
  const reported = (await readMoves(tx, { bucket, cardId })).findLast(one => one.to === 'loss')
  const last = addDays(localDate(reported?.atMs ?? 0), policies.lossLiftDays)
  if (localDate(clock.now()) <= last) return
  throw new Refusal('holder_rule', `lossLiftDays: the report could be lifted until ${last}; it is for good`)
}

/** A card that the registry has as lost, and that was nobody's to use when it said so. */
async function requireNotLost (
  tx: Tx, { type, ...place }: Pick<LifeRow, 'type' | 'bucket' | 'cardId'>, move: CardMove
): Promise<void> {
  if (type !== 'social-security') return
  const told = toldOf((await socialMessagesOf(tx, place)).map(one => ({ ...one, atMs: one.saidAtMs })))
  if (!countsAsLost([...saidBy(await readMoves(tx, place)), ...told])) return
  const why = `the registry of social-security cards has it as lost; ${move} when it lifts that`
  throw new Refusal('conditions_not_met', why)
}

/* ---- the day that begins ---- */

/**
 * Oral reports of so many days before the open date lapse. Repeating it changes nothing. How many.
 */
export async function lapseOralReports (ledger: LifeBook): Promise<number> {
  const { policies } = await ledger.registry()
  const day = await inTransaction(ledger.db, openDateOf)
  const beforeMs = startOfDate(addDays(day, 1 - policies.oralLossDays))
  let lapsed = 0
  for (const { card: ref } of await oralBefore(ledger.db, beforeMs)) {
    lapsed += await inTransaction(ledger.db, async tx => {
      const life = await lockedCard(tx, ref)
      if (life.state !== 'oral_loss') return 0
      const reason = `no formal report within ${policies.oralLossDays} days`
      await makeMove(tx, ledger, { ref, life, move: 'lapse', by: 'system', reason })
      killPoint('before-lapsed')
      return 1
    })
    killPoint('after-lapsed')
  }
  return lapsed
}

/* ---- looking ---- */

/** Throws Refusal not_found. */
export async function viewLife (db: Db, ref: CardRef): Promise<CardLifeView> {
  const known = (await findCards(db, [ref])).get(cardKey(ref))
  const life = known === undefined ? null : await readLife(db, known)
  if (known === undefined || life === null) throw new Refusal('not_found', 'no such card was issued', '/card')
  const { type, state, holder } = life
  const moves = await readMoves(db, known)
  return {
    card: ref, type, state, holder, listed: await listedFor(db, known),
    moves: moves.map(({ moveNo: _, atMs, ...move }) => ({ ...move, at: formatIso(atMs) }))
  }
}
