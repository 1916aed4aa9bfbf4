// Value on cards that nobody has used for years: it may become income where the city's policy says so, never
// by one person, and comes back when its holder does.
import { Type } from 'typebox'
import { addDays, localDate, startOfDate } from '../../runtime/instants.ts'
import type { ForgottenCardView } from '../../schemas/card-return.ts'
import { cardKey, CardRef, bucketOf } from '../../schemas/record.ts'
import type { TransferCode } from '../core/chart.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { branchesOfCards } from '../store/branches.ts'
import { findCards, movePurses } from '../store/cards.ts'
import type { Tx } from '../store/db.ts'
import { lockPurses, openDate, type PurseRow } from '../store/lock.ts'
import { postBatch } from '../store/post.ts'
import { accountId } from '../store/registry.ts'
import {
  findResiduals, forgottenCards, insertResidual, lastUse, returnResiduals, type ForgottenRow
} from '../store/residual.ts'

type Body = { readonly card: CardRef }
const shared = {
  body: Type.Object({ card: CardRef }, { additionalProperties: false }),
  start: ['clerk', 'settler'],
  decide: ['approver'],
  branches: async (tx: Tx, _ledger: Ledger, { card }: Body) => await branchesOfCards(tx, [card]),
  subject: ({ card }: Body, { nameCard }: Pick<Ledger, 'nameCard'>) => `card/${nameCard(card)}`
} as const satisfies Partial<ProposalKind>

/** What is left on a forgotten card becomes income. */
export const residualKind: ProposalKind = {
  ...shared,
  approvals: 2,
  look: async (tx, ledger, { card }: Body) => {
    const { purse, used } = await forgotten(tx, ledger, card)
    return { shadowFen: Number(purse.shadowFen), lastUse: used }
  },
  carryOut: async (tx, ledger, { card }: Body, { atMs }) => {
    const { purse } = await forgotten(tx, ledger, card)
    const transferId = await move(tx, ledger, purse, { code: 'residual', fen: purse.shadowFen, atMs })
    await insertResidual(tx, purse, transferId, purse.shadowFen, atMs)
    return { amountFen: Number(purse.shadowFen) }
  }
}

/** The holder is back: all that was taken is on the purse again. */
export const residualReturnKind: ProposalKind = {
  ...shared,
  approvals: 1,
  look: async (tx, _ledger, { card }: Body) => {
    const purse = await lockedPurse(tx, card)
    return { takenFen: Number(await takenFrom(tx, purse)), shadowFen: Number(purse.shadowFen) }
  },
  carryOut: async (tx, ledger, { card }: Body, { atMs }) => {
    const purse = await lockedPurse(tx, card)
    const takenFen = await takenFrom(tx, purse)
    const [first] = await findResiduals(tx, purse)
    const corrects = first?.transferId ?? null
    const back = { code: 'residual_returned', fen: -takenFen, atMs, corrects } as const
    const transferId = await move(tx, ledger, purse, back)
    await returnResiduals(tx, purse, transferId)
    return { amountFen: Number(takenFen) }
  }
}

/**
 * Cards that nobody has used for `residualAfterDays`, and those whose value was taken; whether the policy
 * lets value be taken or not. Looking moves nothing.
 */
export async function listForgotten (
  ledger: Pick<Ledger, 'db' | 'clock' | 'registry'>, after: string | undefined, limit: number
): Promise<readonly ForgottenRow[]> {
  const { policies } = await ledger.registry()
  const [bucket = '-1', cardId = '0'] = after?.split('-') ?? []
  const before = startOfDate(addDays(localDate(ledger.clock.now()), 1 - policies.residualAfterDays))
  return await forgottenCards(ledger.db, {
    before, after: { bucket: Number(bucket), cardId: BigInt(cardId) }, limit
  })
}

export const shownForgotten = (
  { card, type, usedAtMs, shadowFen, takenFen, takenAtMs }: ForgottenRow
): ForgottenCardView => ({
  card, type, lastUse: localDate(usedAtMs), valueFen: Number(shadowFen), takenFen: Number(takenFen),
  usedSince: takenAtMs !== null && usedAtMs > takenAtMs
})

async function forgotten (tx: Tx, ledger: Ledger, card: CardRef): Promise<{ purse: PurseRow, used: string }> {
  const { policies } = await ledger.registry()
  if (!policies.residualRecognition) {
    throw new Refusal('conditions_not_met', "the city's policies do not allow value to become income")
  }
  const purse = await lockedPurse(tx, card)
  const used = localDate(await lastUse(tx, purse))
  const from = addDays(used, policies.residualAfterDays)
  if (localDate(ledger.clock.now()) < from) {
    throw new Refusal('too_early', `the card was used on ${used}; from ${from}`)
  }
  if (purse.shadowFen <= 0n) throw new Refusal('conditions_not_met', 'nothing is left on the card')
  if (purse.openItems > 0) throw new Refusal('conditions_not_met', 'the card has open items')
  return { purse, used }
}

const electronicPurse = 2

async function lockedPurse (tx: Tx, card: CardRef): Promise<PurseRow> {
  await openDate(tx)
  const known = (await findCards(tx, [card])).get(cardKey(card))
  const keys = known === undefined ? [] : [{ bucket: bucketOf(card), cardId: known.cardId }]
  const purse = (await lockPurses(tx, keys)).find(one => one.purse === electronicPurse)
  if (purse === undefined) throw new Refusal('not_found', 'no such card is registered', '/body/card')
  return purse
}

async function takenFrom (tx: Tx, purse: PurseRow): Promise<bigint> {
  const takenFen = (await findResiduals(tx, purse)).reduce((sum, one) => sum + one.amountFen, 0n)
  if (takenFen === 0n) throw new Refusal('conditions_not_met', 'nothing was taken from this card')
  return takenFen
}

/** Moves value between purse and income, and the purse's row with its control account. */
async function move (tx: Tx, ledger: Ledger, purse: PurseRow, of: {
  readonly code: TransferCode, readonly fen: bigint, readonly atMs: number, readonly corrects?: bigint | null
}): Promise<bigint> {
  const clearingDate = await openDateOf(tx)
  const snapshot = await ledger.registry()
  const own = accountId(snapshot, 'commerce', 'purse')
  const income = accountId(snapshot, 'commerce', 'breakage')
  const [debit, credit] = of.fen > 0n ? [own, income] as const : [income, own] as const
  const { transferIds: [transferId = 0n] } = await postBatch(tx, {
    kind: 'correction', clearingDate, createdAtMs: of.atMs, salt: ledger.random(16), items: 1,
    transfers: [{
      journal: 0, code: of.code, book: 'commerce', debit, credit, amountFen: of.fen > 0n ? of.fen : -of.fen,
      bucket: purse.bucket, cardId: purse.cardId, eventAtMs: of.atMs, corrects: of.corrects ?? null
    }]
  })
  await movePurses(tx, [{ ...purse, shadowDeltaFen: -of.fen }])
  return transferId
}
