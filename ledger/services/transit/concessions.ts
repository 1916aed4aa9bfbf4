// Which concessions a card has, from when to when: entered whole by a registrar, in the log, and what was
// ridden meanwhile is priced again. It refuses to know prices.
import { startOfDate } from '../../../runtime/instants.ts'
import { bucketOf, cardKey, type CardRef } from '../../../schemas/record.ts'
import type { Entitlement } from '../../../schemas/tariff/journey.ts'
import type { Ledger } from '../../ledger.ts'
import { openDateOf } from '../../open-date.ts'
import { audit } from '../../people/audit.ts'
import { requireOwnBranch, type Member } from '../../people/proposals.ts'
import { Refusal } from '../../refusal.ts'
import { branchesOfCards } from '../../store/branches.ts'
import { findCards } from '../../store/cards.ts'
import { inTransaction } from '../../store/db.ts'
import { readRights, setRights } from '../../store/fares.ts'
import { lockPurses } from '../../store/lock.ts'
import { markDue } from '../../store/rides.ts'

/** The same again changes nothing. Throws Refusal not_found, other_branch, body_invalid. */
export async function setConcessions (
  { db, clock, nameCard }: Ledger, card: CardRef, rights: readonly Entitlement[], by: Member
): Promise<void> {
  requireSense(rights)
  const atMs = clock.now()
  await inTransaction(db, async tx => {
    await openDateOf(tx)
    const known = (await findCards(tx, [card])).get(cardKey(card))
    if (known === undefined) throw new Refusal('not_found', 'no such card is registered')
    requireOwnBranch(by, await branchesOfCards(tx, [card]))
    const place = { bucket: bucketOf(card), cardId: known.cardId }
    await lockPurses(tx, [place])
    const before = (await readRights(tx, [place])).map(({ cardId: _, ...right }) => right)
    const after = [...rights].sort((one, other) => one.class < other.class ? -1 : 1)
    if (JSON.stringify(before.map(shown)) === JSON.stringify(after.map(shown))) return
    await setRights(tx, place, after, by.name, atMs)
    await markDue(tx, [{ ...place, fromMs: changedFrom([...before, ...after]) }])
    const detail = { before: before.map(shown), after: after.map(shown) }
    await audit(tx, atMs, {
      by: by.name, action: 'concession.set', subject: `card/${nameCard(card)}`, detail
    })
  })
}

const shown = ({ class: name, from, until }: Entitlement) => ({ class: name, from, until })

function requireSense (rights: readonly Entitlement[]): void {
  rights.forEach(({ class: name, from, until }, at) => {
    if (from !== null && until !== null && until < from) {
      throw new Refusal('body_invalid', 'it ends before it begins', `/concessions/${at}/until`)
    }
    if (rights.findIndex(one => one.class === name) < at) {
      throw new Refusal('body_invalid', `${name} stands there twice`, `/concessions/${at}/class`)
    }
  })
}

/** Nothing that was ridden before the earliest of them can cost anything else now. */
const changedFrom = (rights: readonly Entitlement[]): number =>
  startOfDate(rights.map(right => right.from ?? earliest).sort()[0] ?? earliest)
const earliest = '2000-01-01'
