// A corrective posting: transfers that people decided on, in the open date, with the reason in the audit log.
// It is what lets a failed check of a closing day be looked at anew. It refuses to change any row.
import { Type, type Static } from 'typebox'
import { limits } from '../../schemas/limits.ts'
import { cardKey, CardRef } from '../../schemas/record.ts'
import { books, type Book } from '../core/chart.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { Refusal } from '../refusal.ts'
import { requireAllowed } from './allowed.ts'
import { branchesOfCards, branchesOfParties } from '../store/branches.ts'
import { findCards, movePurses } from '../store/cards.ts'
import { audit } from '../people/audit.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import { lockPurses } from '../store/lock.ts'
import { postBatch, type NewTransfer } from '../store/post.ts'
import { lastCorrection } from '../store/proposals.ts'
import { accountId } from '../store/registry.ts'

const closed = { additionalProperties: false } as const
const AccountCode = Type.String({ description: 'book/heading or book/heading/PARTY' })

export const Correction = Type.Object({
  reason: Type.String({ minLength: 10, maxLength: 500 }),
  transfers: Type.Array(Type.Object({
    debit: AccountCode,
    credit: AccountCode,
    amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }),
    card: Type.Optional(CardRef)
  }, closed), { minItems: 1, maxItems: limits.registryItemsMax })
}, closed)
export type Correction = Static<typeof Correction>

type Needs = Pick<Ledger, 'db' | 'clock' | 'log' | 'random' | 'registry'>

/** A correction as a proposal: four eyes, whoever starts it. */
export const correctionKind: ProposalKind = {
  body: Type.Omit(Correction, ['reason'], closed),
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { transfers }: Unreasoned) => [
    ...await branchesOfCards(tx, transfers.flatMap(({ card }) => card === undefined ? [] : [card])),
    ...await branchesOfParties(tx, transfers.flatMap(({ debit, credit }) => [debit, credit].map(partyOf)))
  ],
  subject: ({ transfers: [first] }: Unreasoned) => `account/${first?.debit ?? ''}`,
  look: async (tx, ledger, { transfers }: Unreasoned) => {
    const planned = await plan(tx, ledger, transfers, 0)
    const accounts = [...new Set(transfers.flatMap(({ debit, credit }) => [debit, credit]))]
    const cards = transfers.flatMap(({ card }) => card === undefined ? [] : [card])
    const purses = await pursesOf(tx, ledger, cards)
    await requireAllowed(tx, await ledger.registry(), planned)
    return { lastCorrection: Number(await lastCorrection(tx, accounts)), purses }
  },
  carryOut: async (tx, ledger, { transfers }: Unreasoned, { atMs }) =>
    ({ batchId: Number(await postCorrection(tx, ledger, transfers, atMs)) })
}
type Unreasoned = Omit<Correction, 'reason'>

/** What the ledger owes on the cards. A tap of one in between is a change of what was looked at. */
async function pursesOf (
  tx: Tx, { nameCard }: Pick<Ledger, 'nameCard'>, cards: readonly CardRef[]
): Promise<{ card: string, counter: number, shadowFen: number }[]> {
  const found = await findCards(tx, cards)
  const rows = await lockPurses(tx, [...found.values()])
  return cards.flatMap(card => rows
    .filter(row => row.purse === electronicPurse && row.cardId === found.get(cardKey(card))?.cardId)
    .map(row => ({ card: nameCard(card), counter: row.lastCounter, shadowFen: Number(row.shadowFen) })))
}

/**
 * Posts the transfers as one batch and returns its number: the door of whoever has the machine itself.
 * Throws Refusal registry_invalid, amount_wrong, unavailable.
 */
export async function correct (ledger: Needs, { reason, transfers }: Correction): Promise<bigint> {
  const atMs = ledger.clock.now()
  const batchId = await inTransaction(ledger.db, async tx => {
    const batchId = await postCorrection(tx, ledger, transfers, atMs)
    const detail = { reason, transfers: transfers.length }
    await audit(tx, atMs, { by: 'system', action: 'correction.post', subject: `batch/${batchId}`, detail })
    return batchId
  })
  ledger.log.warn({ batchId: String(batchId), reason, transfers: transfers.length }, 'corrective posting')
  return batchId
}

/** Posts transfers as one batch of the open date, in the transaction of the caller. */
export async function postCorrection (
  tx: Tx, ledger: Pick<Ledger, 'random' | 'registry'>, transfers: Correction['transfers'], atMs: number
): Promise<bigint> {
  const clearingDate = await openDateOf(tx)
  const planned = await plan(tx, ledger, transfers, atMs)
  await movePurseRows(tx, ledger, planned)
  await requireAllowed(tx, await ledger.registry(), planned)
  const { batchId } = await postBatch(tx, {
    kind: 'correction', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: transfers.length,
    transfers: planned
  })
  return batchId
}

/** What moves the control account of the purses moves the purse of the card by the same. */
async function movePurseRows (
  tx: Tx, ledger: Pick<Ledger, 'registry'>, planned: readonly NewTransfer[]
): Promise<void> {
  const control = accountId(await ledger.registry(), 'commerce', 'purse')
  const touching = planned.filter(({ debit, credit }) => debit === control || credit === control)
  const rows = await lockPurses(tx, touching.map(({ bucket, cardId }) => ({ bucket, cardId: cardId ?? 0n })))
  await movePurses(tx, rows.filter(row => row.purse === electronicPurse).map(row => {
    const own = touching.filter(({ cardId }) => cardId === row.cardId)
    const deltas = own.map(({ credit, amountFen }) => credit === control ? amountFen : -amountFen)
    return { ...row, shadowDeltaFen: deltas.reduce((sum, fen) => sum + fen, 0n) }
  }))
}

const electronicPurse = 2

async function plan (
  tx: Tx, ledger: Pick<Ledger, 'registry'>, transfers: Correction['transfers'], atMs: number
): Promise<NewTransfer[]> {
  const { accounts } = await ledger.registry()
  const cards = await findCards(tx, transfers.flatMap(({ card }) => card === undefined ? [] : [card]))
  return transfers.map(({ debit, credit, amountFen, card }, journal) => {
    const where = `/transfers/${journal}`
    const known = card === undefined ? null : cards.get(cardKey(card))
    if (known === undefined) throw new Refusal('registry_invalid', 'no such card was issued', `${where}/card`)
    if (known === null && [debit, credit].includes('commerce/purse')) {
      throw new Refusal('registry_invalid', 'commerce/purse is the sum of its cards: name the card', where)
    }
    return {
      journal, code: 'correction', book: bookOf(debit, credit, where), amountFen: BigInt(amountFen),
      debit: numberOf(accounts, debit, where), credit: numberOf(accounts, credit, where),
      bucket: known?.bucket ?? 0, cardId: known?.cardId ?? null, eventAtMs: atMs
    }
  })
}

const partyOf = (account: string): string => account.split('/')[2] ?? ''

function bookOf (debit: string, credit: string, where: string): Book {
  const [one, other] = [debit, credit].map(code => code.split('/')[0])
  const book = books.find(each => each === one)
  if (book !== undefined && one === other) return book
  throw new Refusal('registry_invalid', `${debit} and ${credit} are not in one book`, where)
}

function numberOf (accounts: ReadonlyMap<string, number>, code: string, where: string): number {
  const id = accounts.get(code)
  if (id === undefined) throw new Refusal('registry_invalid', `there is no account ${code}`, where)
  return id
}
