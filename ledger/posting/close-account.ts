// Closing and reopening the account of a party: only when it is empty and no record can reach it any more,
// and only by two people. An account is never deleted; what moved it stays.
import { Type } from 'typebox'
import { formatIso } from '../../runtime/instants.ts'
import { accountCode } from '../core/chart.ts'
import type { Ledger } from '../ledger.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import {
  closeAccount, findAccount, openAccount, turnoverOf, type AccountRow
} from '../store/account-lines.ts'
import { branchesOfParties } from '../store/branches.ts'
import type { Tx } from '../store/db.ts'
import { excludeBatches } from '../store/lock.ts'
import { bumpVersion } from '../store/registry.ts'

const closed = { additionalProperties: false } as const
const dayMs = 86_400_000

const Body = Type.Object({
  account: Type.String({ maxLength: 80, description: 'book/heading/PARTY' }),
  open: Type.Optional(Type.Boolean({ description: 'true: a closed account is opened again' }))
}, closed)
type Body = { account: string, open?: boolean }

/** Two people close an account, or open it again. */
export const accountClosingKind: ProposalKind = {
  body: Body,
  start: ['settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { account }: Body) =>
    await branchesOfParties(tx, [account.split('/')[2] ?? '']),
  subject: ({ account }: Body) => `account/${account}`,
  look: async (tx, ledger, body: Body) => {
    const account = await partyAccount(tx, body.account)
    if (body.open === true) requireClosed(account)
    else await requireEmpty(tx, ledger, account)
    const { endedAtMs } = account
    return { account: body.account, closedAt: endedAtMs === null ? null : formatIso(endedAtMs) }
  },
  carryOut: async (tx, ledger, body: Body, { atMs }) => {
    await excludeBatches(tx) // no batch is under way that has looked at the account already
    const account = await partyAccount(tx, body.account)
    if (body.open === true) await openAccount(tx, account.accountId, atMs)
    else {
      await requireEmpty(tx, ledger, account)
      await closeAccount(tx, account.accountId, atMs)
    }
    await bumpVersion(tx)
    return { account: body.account, closed: body.open !== true }
  }
}

async function partyAccount (tx: Tx, code: string): Promise<AccountRow> {
  const [book = '', heading = '', party] = code.split('/')
  const account = party === undefined ? null : await findAccount(tx, book, heading, party)
  if (account !== null) return account
  throw new Refusal('registry_invalid', `${code} is not an account of a party; those of the house stay open`)
}

function requireClosed ({ book, heading, party, endedAtMs }: AccountRow): void {
  if (endedAtMs === null) {
    throw new Refusal('registry_invalid', `${accountCode(book, heading, party)} is not closed`)
  }
}

/** Throws Refusal registry_invalid while money stands on it, or could still come. */
async function requireEmpty (
  tx: Tx, { registry, clock }: Pick<Ledger, 'registry' | 'clock'>, account: AccountRow
): Promise<void> {
  const { accountId, book, heading, party, closedAtMs } = account
  const code = accountCode(book, heading, party)
  if (closedAtMs !== null) throw new Refusal('registry_invalid', `${code} is closed already`)
  const { debitFen, creditFen } = await turnoverOf(tx, accountId)
  if (debitFen !== creditFen) {
    const overFen = debitFen - creditFen
    throw new Refusal('registry_invalid', `${code} is not empty: ${overFen} fen, debits less credits`)
  }
  const { parties, terminalById, psams, policies } = await registry()
  const owner = parties.get(party ?? '')
  const live = [...psams.values()].flat().find(psam =>
    terminalById.get(psam.terminalId ?? -1)?.partyId === owner?.partyId &&
    (psam.toMs === null || psam.toMs > clock.now() - policies.lateDays * dayMs))
  if (live === undefined) return
  throw new Refusal('registry_invalid', `PSAM ${live.psam} of ${party} is bound, or was within the ` +
    `${policies.lateDays} days in which its records may still come`)
}
