// Closing what we hold for one card under a guarded heading, when it holds nothing: by four eyes. It takes no
// money any more, and its row stays. Accounts of parties are closed elsewhere.
import { Type, type Static } from 'typebox'
import { cardKey, CardRef } from '../../schemas/record.ts'
import { headings } from '../core/chart.ts'
import type { Ledger } from '../ledger.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfCards } from '../store/branches.ts'
import { findCards } from '../store/cards.ts'
import type { Tx } from '../store/db.ts'
import { closeGuarded, guardedKey } from '../store/guarded.ts'
import { lockGuarded, type GuardedKey } from '../store/lock.ts'

const Closing = Type.Object({
  account: Type.String({ maxLength: 80, description: 'book/heading: `commerce/online`' }),
  card: CardRef
}, { additionalProperties: false })
type Closing = Static<typeof Closing>

export const cardAccountClosingKind: ProposalKind = {
  body: Closing,
  start: ['clerk'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { card }: Closing) => await branchesOfCards(tx, [card]),
  subject: ({ account, card }: Closing, { nameCard }) => `account/${account}/${nameCard(card)}`,
  look: async (tx, ledger, closing: Closing) => {
    await requireEmpty(tx, await keyOf(tx, ledger, closing), closing)
    return { account: closing.account, balanceFen: 0 }
  },
  carryOut: async (tx, ledger, closing: Closing, { atMs }) => {
    const key = await keyOf(tx, ledger, closing)
    await requireEmpty(tx, key, closing)
    await closeGuarded(tx, key, atMs)
    return { account: closing.account, closed: true }
  }
}

async function requireEmpty (tx: Tx, key: GuardedKey, { account }: Closing): Promise<void> {
  const [row] = await lockGuarded(tx, [key])
  if (row === undefined || row.closed) {
    throw new Refusal('not_found', `${account} is not open for this card`, '/body/account')
  }
  if (row.balanceFen === 0n) return
  const holds = `${account} holds ${row.balanceFen} fen for this card`
  throw new Refusal('account_not_empty', holds, '/body/account')
}

async function keyOf (
  tx: Tx, ledger: Pick<Ledger, 'registry'>, { account, card }: Closing
): Promise<GuardedKey> {
  const { accounts, guarded } = await ledger.registry()
  const found = guarded.get(accounts.get(account) ?? -1)
  if (found === undefined || headings[found.heading].per !== 'card') {
    throw new Refusal('not_found', `${account} is no guarded account of cards`, '/body/account')
  }
  const known = (await findCards(tx, [card])).get(cardKey(card))
  if (known === undefined) throw new Refusal('not_found', 'no such card was issued', '/body/card')
  return guardedKey(found, known)
}
