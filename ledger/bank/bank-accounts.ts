// Accounts of parties at banks: the first one comes with the registry, every change is a proposal of two
// people. It refuses to know payments.
import { Type } from 'typebox'
import { BankAccount } from '../../schemas/api.ts'
import { maskAccount } from '../core/bank.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { findBankAccount, replaceBankAccount } from '../store/bank-accounts.ts'
import { branchesOfParties } from '../store/branches.ts'
import type { Tx } from '../store/db.ts'

const byRegistry = 'registry'

/**
 * Enters accounts of parties that have none; the same again changes nothing. Throws Refusal registry_invalid.
 */
export async function registerBankAccounts (
  tx: Tx, accounts: readonly BankAccount[], atMs: number
): Promise<number> {
  for (const [index, account] of accounts.entries()) {
    const known = await findBankAccount(tx, account)
    if (known !== null && isSame(known, account)) continue
    const where = `/bankAccounts/${index}`
    if (known !== null) {
      const has = `${account.party} has ${maskAccount(known.number)}`
      throw new Refusal('registry_invalid', `${has}; a change is a proposal of kind bank_account`, where)
    }
    if (await replaceBankAccount(tx, account, byRegistry, atMs) === null) {
      throw new Refusal('registry_invalid', `there is no party ${account.party}`, where)
    }
  }
  return accounts.length
}

const isSame = (
  one: Pick<BankAccount, 'number' | 'holder' | 'bankCode'>,
  other: Pick<BankAccount, 'number' | 'holder' | 'bankCode'>
): boolean => one.number === other.number && one.holder === other.holder && one.bankCode === other.bankCode

/**
 * Another account for a party. Instructions that went out before keep the old one; what comes back of them is
 * paid to the new one.
 */
export const bankAccountKind: ProposalKind = {
  body: Type.Omit(BankAccount, [], { additionalProperties: false }),
  start: ['settler', 'registrar'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { party }: BankAccount) => await branchesOfParties(tx, [party]),
  subject: ({ party, book }: BankAccount) => book === undefined ? `party/${party}` : `party/${party}/${book}`,
  look: async (tx, ledger, account: BankAccount) => {
    if (!(await ledger.registry()).parties.has(account.party)) {
      throw new Refusal('not_found', `there is no party ${account.party}`, '/body/party')
    }
    const known = await findBankAccount(tx, account)
    if (known !== null && isSame(known, account)) {
      throw new Refusal('registry_invalid', `${account.party} has this account already`, '/body/number')
    }
    return { now: known === null ? null : { ...known, number: maskAccount(known.number) } }
  },
  carryOut: async (tx, _ledger, account: BankAccount, { startedBy, approvedBy, atMs }) => {
    await replaceBankAccount(tx, account, [startedBy, ...approvedBy].join(' + '), atMs)
    return { party: account.party, number: maskAccount(account.number) }
  }
}
