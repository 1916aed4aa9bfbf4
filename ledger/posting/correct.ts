// A corrective posting: transfers that two people decided on, in the open date, with the reason in the audit
// log. Where it names a failed check of a closing day, that check may pass again. It refuses to change rows.
import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { LocalDate } from '../../schemas/api.ts'
import { limits } from '../../schemas/limits.ts'
import { cardKey, CardRef } from '../../schemas/record.ts'
import { canonical } from '../core/canonical.ts'
import { books, type Book } from '../core/chart.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { Refusal } from '../refusal.ts'
import { requireAllowed } from './allowed.ts'
import { branchesOfCards, branchesOfParties } from '../store/branches.ts'
import { findCards, movePurses } from '../store/cards.ts'
import type { ProposalKind } from '../people/proposals.ts'
import type { Tx } from '../store/db.ts'
import { readFailedChecks } from '../store/days.ts'
import { lockPurses } from '../store/lock.ts'
import { postBatch, type NewTransfer } from '../store/post.ts'
import { lastCorrection } from '../store/proposals.ts'
import { findTransfers } from '../store/tracing.ts'
import { accountId } from '../store/registry.ts'

const closed = { additionalProperties: false } as const
const AccountCode = Type.String({ description: 'book/heading or book/heading/PARTY' })

const FailedCheck = Type.Object({
  date: LocalDate,
  name: Type.String({ maxLength: 200, description: 'as `checks` of the day tells it' })
}, { ...closed, description: 'what it puts right: this check of this date may pass again' })
type FailedCheck = Static<typeof FailedCheck>

export const Correction = Type.Object({
  transfers: Type.Array(Type.Object({
    debit: AccountCode,
    credit: AccountCode,
    amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }),
    card: Type.Optional(CardRef),
    corrects: Type.Optional(Type.String({
      pattern: '^[1-9]\\d{0,18}$', description: 'number of the transfer that was wrong; absent: there is none'
    }))
  }, closed), { minItems: 1, maxItems: limits.registryItemsMax }),
  check: Type.Optional(FailedCheck)
}, closed)
export type Correction = Static<typeof Correction>
type Transfers = Correction['transfers']

/** A correction as a proposal: four eyes, whoever starts it. */
export const correctionKind: ProposalKind = {
  body: Correction,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { transfers }: Correction) => [
    ...await branchesOfCards(tx, transfers.flatMap(({ card }) => card === undefined ? [] : [card])),
    ...await branchesOfParties(tx, transfers.flatMap(({ debit, credit }) => [debit, credit].map(partyOf)))
  ],
  subject: ({ transfers, check }: Correction, ledger) => {
    const [first] = transfers
    return `account/${first?.debit ?? ''}#${hashOf(transfers, check, ledger)}`
  },
  look: async (tx, ledger, { transfers, check }: Correction) => {
    await requireFailed(tx, check)
    const planned = await plan(tx, ledger, transfers, 0)
    const accounts = [...new Set(transfers.flatMap(({ debit, credit }) => [debit, credit]))]
    const cards = transfers.flatMap(({ card }) => card === undefined ? [] : [card])
    const purses = await pursesOf(tx, ledger, cards)
    await requireAllowed(tx, await ledger.registry(), planned)
    return { lastCorrection: Number(await lastCorrection(tx, accounts)), purses }
  },
  carryOut: async (tx, ledger, { transfers }: Correction, { atMs }) =>
    ({ batchId: Number(await postCorrection(tx, ledger, transfers, atMs)) })
}

/** Same transfers, same hash, in whatever order they are told; of a card it has no more than its name. */
function hashOf (
  transfers: Transfers, check: FailedCheck | undefined, { nameCard }: Pick<Ledger, 'nameCard'>
): string {
  const lines = transfers.map(({ card, ...rest }) =>
    canonical({ ...rest, card: card === undefined ? null : nameCard(card) })).sort()
  return createHash('sha256').update(canonical({ lines, check: check ?? null })).digest('hex').slice(0, 16)
}

/** Throws Refusal registry_invalid where no such check of that date stands as failed. */
export async function requireFailed (tx: Tx, check: FailedCheck | undefined): Promise<void> {
  if (check === undefined) return
  const failed = (await readFailedChecks(tx, check.date)).map(({ name }) => name)
  if (failed.includes(check.name)) return
  const words = failed.length === 0 ? 'no check has' : failed.join('; ')
  throw new Refusal('registry_invalid', `of ${check.date} failed: ${words}`, '/check')
}

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

/** Posts transfers as one batch of the open date, in the transaction of the caller. */
export async function postCorrection (
  tx: Tx, ledger: Pick<Ledger, 'random' | 'registry'>, transfers: Transfers, atMs: number
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
  tx: Tx, ledger: Pick<Ledger, 'registry'>, transfers: Transfers, atMs: number
): Promise<NewTransfer[]> {
  const { accounts } = await ledger.registry()
  const originals = await originalsOf(tx, transfers)
  const cards = await findCards(tx, transfers.flatMap(({ card }) => card === undefined ? [] : [card]))
  return transfers.map(({ debit, credit, amountFen, card, corrects }, journal) => {
    const where = `/transfers/${journal}`
    const known = card === undefined ? null : cards.get(cardKey(card))
    if (known === undefined) throw new Refusal('registry_invalid', 'no such card was issued', `${where}/card`)
    if (known === null && [debit, credit].includes('commerce/purse')) {
      throw new Refusal('registry_invalid', 'commerce/purse is the sum of its cards: name the card', where)
    }
    const sides = { debit: numberOf(accounts, debit, where), credit: numberOf(accounts, credit, where) }
    requireOriginal(originals, corrects, Object.values(sides), `${where}/corrects`)
    return {
      journal, code: 'correction', book: bookOf(debit, credit, where), amountFen: BigInt(amountFen), ...sides,
      bucket: known?.bucket ?? 0, cardId: known?.cardId ?? null, eventAtMs: atMs,
      corrects: corrects === undefined ? null : BigInt(corrects)
    }
  })
}

/** The accounts of the transfers that are corrected, by their number. */
async function originalsOf (tx: Tx, transfers: Transfers): Promise<Map<string, readonly number[]>> {
  const named = transfers.flatMap(({ corrects }) => corrects === undefined ? [] : [BigInt(corrects)])
  const found = named.length === 0 ? [] : await findTransfers(tx, named)
  return new Map(found.map(one => [String(one.transferId), [one.debitAccount, one.creditAccount]]))
}

/** A correction touches an account that its original has touched; anything else names the wrong one. */
function requireOriginal (
  originals: ReadonlyMap<string, readonly number[]>, corrects: string | undefined, sides: readonly number[],
  where: string
): void {
  if (corrects === undefined) return
  const accounts = originals.get(corrects)
  if (accounts === undefined) {
    throw new Refusal('registry_invalid', `there is no transfer ${corrects}`, where)
  }
  if (sides.some(side => accounts.includes(side))) return
  throw new Refusal('registry_invalid', `transfer ${corrects} touches neither of these accounts`, where)
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
