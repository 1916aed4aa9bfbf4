// Money for personal medical accounts: what the bureau paid into the medical book becomes a person's, and
// goes back to the bureau as far as it was not spent. By four eyes, each line of the bank once.
import { Type, type Static } from 'typebox'
import { limits } from '../../../schemas/limits.ts'
import { PersonNo } from '../../../schemas/medical/clinic.ts'
import { openDateOf } from '../../open-date.ts'
import type { ProposalKind } from '../../people/proposals.ts'
import { postGuarded } from '../../posting/post-guarded.ts'
import { Refusal } from '../../refusal.ts'
import { knownReferences, lockBank } from '../../store/bank.ts'
import { lockPerson, type PersonRow } from '../../store/clinic.ts'
import type { Tx } from '../../store/db.ts'
import { openDate } from '../../store/lock.ts'
import { isDone } from '../../store/proposals.ts'
import { accountId } from '../../store/registry.ts'
import { accountBalance } from './money.ts'

const MedicalCredit = Type.Object({
  person: PersonNo,
  amountFen: Type.Integer({
    minimum: -limits.balanceFenMax, maximum: limits.balanceFenMax, description: 'negative: given back'
  }),
  bankReference: Type.String({ minLength: 1, maxLength: 64, description: 'of the bank line' })
}, { additionalProperties: false })
type MedicalCredit = Static<typeof MedicalCredit>

/** The bank line alone: whose account it is for is nobody's business who reads lists of proposals. */
const subjectOf = ({ bankReference }: MedicalCredit): string => `medical/${bankReference}`

export const medicalCreditKind: ProposalKind = {
  body: MedicalCredit,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  subject: subjectOf,
  look: async (tx, ledger, credit: MedicalCredit) => {
    const { amountFen, bankReference } = credit
    if (amountFen === 0) throw new Refusal('body_invalid', 'nothing would move', '/body/amountFen')
    await openDate(tx)
    await lockBank(tx)
    const known = await knownReferences(tx, 'medical', [bankReference])
    if (known.size > 0 || await isDone(tx, 'medical_credit', subjectOf(credit))) {
      throw new Refusal('charge_conflict', `${bankReference} was booked before`, '/body/bankReference')
    }
    const balanceFen = await accountBalance({ tx, ledger }, await personIn(tx, credit))
    if (balanceFen + amountFen < 0) {
      throw new Refusal('amount_wrong', `${balanceFen} fen are on the account`, '/body/amountFen')
    }
    return {}
  },
  carryOut: async (tx, ledger, credit: MedicalCredit, { atMs }) => {
    const clearingDate = await openDateOf(tx)
    const { accountBucket: bucket, accountCardId: cardId } = await personIn(tx, credit)
    const snapshot = await ledger.registry()
    const account = accountId(snapshot, 'medical', 'medical-account')
    const bank = accountId(snapshot, 'medical', 'custody-bank')
    const paidIn = credit.amountFen > 0
    const sides = paidIn ? { debit: bank, credit: account } : { debit: account, credit: bank }
    const { batchId, results: [result] } = await postGuarded(tx, {
      kind: 'requests', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1
    }, [{
      transfers: [{
        ...sides, code: paidIn ? 'medical_credit' : 'medical_credit_returned', book: 'medical', bucket,
        cardId, eventAtMs: atMs, amountFen: BigInt(Math.abs(credit.amountFen))
      }]
    }], { accounts: snapshot.guarded, ceilingOf: () => null })
    if (result?.outcome !== 'posted') throw new Refusal('amount_wrong', 'more than is on the account')
    return { batchId: Number(batchId) }
  }
}

async function personIn (tx: Tx, { person }: MedicalCredit): Promise<PersonRow> {
  const row = await lockPerson(tx, person)
  if (row !== null) return row
  throw new Refusal('not_found', 'nobody is insured here under this number', '/body/person')
}
