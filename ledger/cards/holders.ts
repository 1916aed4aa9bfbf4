// Persons who hold cards: entered once by their document, found by token, document or card, shown masked.
// Whoever looks says why, and that stands in the audit log. It refuses to know how a card lives.
import { formatIso } from '../../runtime/instants.ts'
import { isNamed } from '../../schemas/card-life.ts'
import type { HolderLook, HolderView, NewHolder, PersonalData } from '../../schemas/holder.ts'
import { cardKey, type CardRef } from '../../schemas/record.ts'
import type { Ledger } from '../ledger.ts'
import { audit } from '../people/audit.ts'
import { requireOwnBranch, type Member } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { findCards } from '../store/cards.ts'
import { inTransaction, type Db, type Tx } from '../store/db.ts'
import {
  bindCard, cardsOfHolder, findByIdentity, findHolder, holderOfCard, insertHolder, type HolderRow
} from '../store/holders.ts'
import { lockedLife } from './card-life.ts'
import { maskedPerson } from './personal-data.ts'

type HolderBook = Pick<Ledger, 'db' | 'clock' | 'random' | 'personal' | 'nameCard'>

/** Throws Refusal conditions_not_met where the person is entered already. */
export async function enterHolder (
  { db, clock, random, personal }: HolderBook, by: Member, { document, name, phone }: NewHolder
): Promise<HolderView> {
  const holder = `H${random(8).toString('hex').toUpperCase()}`
  const atMs = clock.now()
  const data = { document, name, phone: phone ?? null }
  return await inTransaction(db, async tx => {
    const written = await insertHolder(tx, {
      holder, identity: personal.identityOf(document), branch: by.branch, registeredBy: by.name,
      registeredAtMs: atMs, ...personal.seal(holder, data)
    })
    if (written === null) {
      throw new Refusal('conditions_not_met', 'a person with this document is entered already', '/document')
    }
    await audit(tx, atMs, { by: by.name, action: 'holder.enter', subject: `holder/${holder}` })
    return { holder, ...maskedPerson(data), registeredAt: formatIso(atMs), cards: [] }
  })
}

/** Throws Refusal not_found, other_branch. */
export async function lookUpHolder (
  ledger: HolderBook, by: Member, { by: what, reason }: HolderLook
): Promise<HolderView> {
  return await inTransaction(ledger.db, async tx => {
    const row = await foundBy(tx, ledger, what)
    if (row === null) throw new Refusal('not_found', 'no such person is entered', '/by')
    requireOwnBranch(by, [row.branch])
    await noteLook(tx, ledger, by, 'holder.look_up', row, reason)
    return await viewOf(tx, ledger, row)
  })
}

async function foundBy (
  tx: Tx, { personal }: HolderBook, by: HolderLook['by']
): Promise<HolderRow | null> {
  if ('holder' in by) return await findHolder(tx, by.holder)
  if ('document' in by) return await findByIdentity(tx, personal.identityOf(by.document))
  const known = (await findCards(tx, [by.card])).get(cardKey(by.card))
  return known === undefined ? null : await holderOfCard(tx, known)
}

/** Everything of a person, for who says why. Throws Refusal not_found, other_branch. */
export async function revealHolder (
  ledger: HolderBook, by: Member, holder: string, reason: string
): Promise<PersonalData> {
  return await inTransaction(ledger.db, async tx => {
    const row = await ofOwnBranch(tx, by, holder)
    await noteLook(tx, ledger, by, 'holder.reveal', row, reason)
    return ledger.personal.open(holder, row)
  })
}

const noteLook = async (
  tx: Tx, { clock }: HolderBook, by: Member, action: string, { holder }: HolderRow, reason: string
): Promise<void> => {
  await audit(tx, clock.now(), { by: by.name, action, subject: `holder/${holder}`, detail: { reason } })
}

/** Throws Refusal not_found, other_branch. */
export async function ofOwnBranch (tx: Tx, by: Member, holder: string): Promise<HolderRow> {
  const row = await findHolder(tx, holder)
  if (row === null) throw new Refusal('not_found', `no person ${holder} is entered`, '/holder')
  requireOwnBranch(by, [row.branch])
  return row
}

/**
 * A card becomes a person's; the same again changes nothing. Throws Refusal not_found, other_branch,
 * conditions_not_met.
 */
export async function bindHolder (
  ledger: HolderBook, by: Member, ref: CardRef, holder: string
): Promise<void> {
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const life = await lockedLife(tx, by, ref)
    const person = await ofOwnBranch(tx, by, holder)
    if (life.holderId === person.holderId) return
    if (life.holderId !== null) throw new Refusal('conditions_not_met', 'the card is another person\'s')
    if (!isNamed(life.type)) {
      throw new Refusal('conditions_not_met', `a card of type ${life.type} is nobody's in particular`)
    }
    await bindCard(tx, life, person.holderId, atMs)
    const detail = { holder }
    await audit(tx, atMs, {
      by: by.name, action: 'card.bind', subject: `card/${ledger.nameCard(ref)}`, detail
    })
  })
}

/** Throws Refusal not_found. */
export async function viewHolder (ledger: HolderBook, holder: string): Promise<HolderView> {
  const row = await findHolder(ledger.db, holder)
  if (row === null) throw new Refusal('not_found', `no person ${holder} is entered`)
  return await viewOf(ledger.db, ledger, row)
}

async function viewOf (db: Db | Tx, { personal }: HolderBook, row: HolderRow): Promise<HolderView> {
  const { holder, holderId, registeredAtMs } = row
  const cards = await cardsOfHolder(db, holderId)
  return {
    holder, ...maskedPerson(personal.open(holder, row)), registeredAt: formatIso(registeredAtMs),
    cards: cards.map(({ sinceMs, ...card }) => ({ ...card, since: formatIso(sinceMs) }))
  }
}
