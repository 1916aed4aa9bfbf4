// Deposits of readers: money of the library book, never income. What the bank received becomes a reader's
// deposit, and goes back only to one who has no loans and no debt: by four eyes.
import { Type, type Static } from 'typebox'
import { limits } from '../../../schemas/limits.ts'
import { postGuarded } from '../../posting/post-guarded.ts'
import type { ProposalKind } from '../../people/proposals.ts'
import { Refusal } from '../../refusal.ts'
import { headings } from '../../core/chart.ts'
import { knownReferences, lockBank } from '../../store/bank.ts'
import { branchesOfParties } from '../../store/branches.ts'
import { guardedKey, openGuarded } from '../../store/guarded.ts'
import { lockPatronByNumber } from '../../store/library.ts'
import { openDate } from '../../store/lock.ts'
import { isDone } from '../../store/proposals.ts'
import { accountId } from '../../store/registry.ts'
import type { Tx } from '../../store/db.ts'
import type { Ledger } from '../../ledger.ts'
import { openDateOf } from '../../open-date.ts'
import { openLibrary, readReader, type Reader } from './reader.ts'

const LibraryDeposit = Type.Object({
  library: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }),
  patron: Type.String({ pattern: '^[0-9A-Za-z._-]{1,32}$' }),
  amountFen: Type.Integer({
    minimum: -limits.balanceFenMax, maximum: limits.balanceFenMax, description: 'negative: given back'
  }),
  bankReference: Type.String({ minLength: 1, maxLength: 64, description: 'of the bank line' })
}, { additionalProperties: false })
type LibraryDeposit = Static<typeof LibraryDeposit>

/** A line of the bank is money once. */
const subjectOf = ({ library, bankReference }: LibraryDeposit): string =>
  `library/${library}/${bankReference}`

export const libraryDepositKind: ProposalKind = {
  body: LibraryDeposit,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { library }: LibraryDeposit) => await branchesOfParties(tx, [library]),
  subject: subjectOf,
  look: async (tx, ledger, deposit: LibraryDeposit) => {
    const { amountFen, bankReference } = deposit
    if (amountFen === 0) throw new Refusal('body_invalid', 'nothing would move', '/body/amountFen')
    await openDate(tx)
    await lockBank(tx)
    const known = await knownReferences(tx, 'library', [bankReference])
    if (known.size > 0 || await isDone(tx, 'library_deposit', subjectOf(deposit))) {
      throw new Refusal('charge_conflict', `${bankReference} was booked before`, '/body/bankReference')
    }
    const reader = await readerIn(tx, ledger, deposit)
    if (amountFen < 0) requireFree(reader, -amountFen)
    return { patron: reader.row.patron }
  },
  carryOut: async (tx, ledger, deposit: LibraryDeposit, { atMs }) => {
    const clearingDate = await openDateOf(tx)
    const { row: { depositBucket: bucket, depositCardId: cardId } } = await readerIn(tx, ledger, deposit)
    const snapshot = await ledger.registry()
    const account = accountId(snapshot, 'library', 'library-deposit')
    const bank = accountId(snapshot, 'library', 'custody-bank')
    const paidIn = deposit.amountFen > 0
    const sides = paidIn ? { debit: bank, credit: account } : { debit: account, credit: bank }
    const key = guardedKey({ accountId: account, heading: 'library-deposit' }, { bucket, cardId })
    await openGuarded(tx, [key], headings['library-deposit'].floorFen, atMs)
    const { batchId, results: [result] } = await postGuarded(tx, {
      kind: 'requests', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1
    }, [{
      transfers: [{
        ...sides, code: paidIn ? 'library_deposit' : 'library_deposit_returned', book: 'library', bucket,
        cardId, eventAtMs: atMs, amountFen: BigInt(Math.abs(deposit.amountFen))
      }]
    }], { accounts: snapshot.guarded, ceilingOf: () => null })
    if (result?.outcome !== 'posted') throw new Refusal('amount_wrong', 'more than was deposited')
    return { batchId: Number(batchId) }
  }
}

async function readerIn (tx: Tx, ledger: Ledger, { library, patron }: LibraryDeposit): Promise<Reader> {
  const desk = await openLibrary(tx, ledger, library)
  const row = await lockPatronByNumber(tx, desk.partyId, patron)
  if (row === null) throw new Refusal('not_found', `${library} has no reader ${patron}`, '/body/patron')
  return await readReader(desk, row)
}

function requireFree ({ loans, owedFen, depositFen }: Reader, amountFen: number): void {
  const lent = loans.filter(({ returnedAtMs }) => returnedAtMs === null).length
  if (lent > 0 || owedFen > 0) {
    const what = `${lent} items are not returned and ${owedFen} fen are owed`
    throw new Refusal('conditions_not_met', what, '/body/amountFen')
  }
  if (amountFen > depositFen) {
    throw new Refusal('amount_wrong', `${depositFen} fen are deposited`, '/body/amountFen')
  }
}
