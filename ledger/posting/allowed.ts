// Whether the accounts of a posting that people decided on take it: none is closed, none guarded would fall
// below its floor, and the purses' control account moves with a card only. What does not go is refused in
// words, before anything is written.
import { decideGuarded, type Breach } from '../core/guarded.ts'
import { Refusal } from '../refusal.ts'
import type { Tx } from '../store/db.ts'
import { guardedMoves, guardedText, summedMoves } from '../store/guarded.ts'
import { lockGuarded, type GuardedKey, type GuardedRow } from '../store/lock.ts'
import type { NewTransfer } from '../store/post.ts'
import type { Snapshot } from '../store/registry.ts'

/**
 * Locks the guarded balances that the transfers touch, all of them as one step. Throws Refusal
 * registry_invalid where an account takes nothing, amount_wrong with the most there is.
 */
export async function requireAllowed (
  tx: Tx, snapshot: Snapshot, transfers: readonly NewTransfer[]
): Promise<void> {
  const purses = snapshot.accounts.get('commerce/purse')
  for (const { debit, credit, cardId } of transfers) {
    const isPurse = debit === purses || credit === purses
    if (isPurse && (cardId ?? null) === null) throw sumOfCards('commerce/purse')
    const shut = [debit, credit].find(account => snapshot.closed.has(account))
    if (shut !== undefined) throw new Refusal('registry_invalid', `${codeOf(snapshot, shut)} is closed`)
  }
  const moves = summedMoves(transfers.flatMap(transfer => guardedMoves(transfer, snapshot.guarded)))
  const rows = new Map((await lockGuarded(tx, moves)).map(row => [guardedText(row), row]))
  const balances = moves.map(key => rows.get(guardedText(key)) ?? null)
  const { breaches: [breach = null] } = decideGuarded(
    [moves.map(({ fen }, at) => ({ at, fen }))],
    balances.map(row => row === null ? null : { ...row, ceilingFen: null }))
  if (breach === null) return
  throw refused(snapshot, moves[breach.at] as GuardedKey, balances[breach.at] ?? null, breach.why)
}

function refused (
  snapshot: Snapshot, { accountId, cardId }: GuardedKey, row: GuardedRow | null, why: Breach['why']
): Refusal {
  const code = codeOf(snapshot, accountId)
  const account = cardId === 0n ? code : `${code} of this card`
  if (why === 'closed') return new Refusal('registry_invalid', `${account} is closed`)
  if (row === null) {
    const isOfCards = cardId === 0n && code.split('/').length === 2
    return isOfCards ? sumOfCards(code) : new Refusal('registry_invalid', `${account} is not open`)
  }
  const { balanceFen, floorFen } = row
  return new Refusal('amount_wrong', `${account} holds ${balanceFen} fen and stays at ${floorFen} or above`)
}

const sumOfCards = (code: string): Refusal =>
  new Refusal('registry_invalid', `${code} is the sum of its cards: name the card`)

function codeOf ({ accounts }: Snapshot, accountId: number): string {
  for (const [code, id] of accounts) if (id === accountId) return code
  return `account ${accountId}`
}
