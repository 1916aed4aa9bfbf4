// Money that an agent pays in before it sells, and takes back when it stops: by four eyes. It refuses to know
// how the money reached the bank.
import { Type, type Static } from 'typebox'
import { limits } from '../../schemas/limits.ts'
import { accountCode } from '../core/chart.ts'
import type { Ledger } from '../ledger.ts'
import { openDateOf } from '../open-date.ts'
import { postGuarded } from './post-guarded.ts'
import type { ProposalKind } from '../people/proposals.ts'
import { Refusal } from '../refusal.ts'
import { knownReferences, lockBank } from '../store/bank.ts'
import { branchesOfParties } from '../store/branches.ts'
import { guardedKey, readGuarded } from '../store/guarded.ts'
import { openDate, type GuardedKey } from '../store/lock.ts'
import { isDone } from '../store/proposals.ts'
import { accountId } from '../store/registry.ts'

const closed = { additionalProperties: false } as const

const Prefund = Type.Object({
  agent: Type.String({ pattern: '^[A-Z0-9-]{1,15}$' }),
  amountFen: Type.Integer({
    minimum: -limits.balanceFenMax, maximum: limits.balanceFenMax, description: 'negative: paid back to it'
  }),
  bankReference: Type.String({ minLength: 1, maxLength: 64, description: 'of the bank line' })
}, closed)
type Prefund = Static<typeof Prefund>

/** A line of the bank is money once. */
const subjectOf = ({ agent, bankReference }: Prefund): string => `agent/${agent}/${bankReference}`

/** What the bank has received from an agent (or returned to it) becomes what it may sell. */
export const prefundKind: ProposalKind = {
  body: Prefund,
  start: ['clerk', 'settler'],
  decide: ['approver'],
  approvals: 1,
  branches: async (tx, _ledger, { agent }: Prefund) => await branchesOfParties(tx, [agent]),
  subject: subjectOf,
  look: async (tx, ledger, prefund: Prefund) => {
    const { agent, amountFen, bankReference } = prefund
    if (amountFen === 0) throw new Refusal('body_invalid', 'nothing would move', '/body/amountFen')
    // The bank tells its lines under the same locks.
    await openDate(tx)
    await lockBank(tx)
    if (await isDone(tx, 'agent_prefund', subjectOf(prefund))) {
      throw new Refusal('charge_conflict', `${bankReference} of ${agent} was booked before`,
        '/body/bankReference')
    }
    if ((await knownReferences(tx, 'commerce', [bankReference])).size > 0) {
      throw new Refusal('charge_conflict', `the bank has told ${bankReference}: say whose the line is`,
        '/body/bankReference')
    }
    const balance = await readGuarded(tx, (await prepaidAccount(ledger, agent)).key)
    return { enough: (balance?.balanceFen ?? 0n) + BigInt(amountFen) >= 0n }
  },
  carryOut: async (tx, ledger, { agent, amountFen }: Prefund, { atMs }) => {
    const clearingDate = await openDateOf(tx)
    const snapshot = await ledger.registry()
    const bank = accountId(snapshot, 'commerce', 'custody-bank')
    const { account } = await prepaidAccount(ledger, agent)
    const sides = amountFen > 0 ? { debit: bank, credit: account } : { debit: account, credit: bank }
    const transfer = {
      ...sides, code: 'agent_prefund' as const, book: 'commerce' as const, bucket: 0, eventAtMs: atMs,
      amountFen: BigInt(Math.abs(amountFen))
    }
    const { batchId, results: [result] } = await postGuarded(tx, {
      kind: 'requests', clearingDate, createdAtMs: atMs, salt: ledger.random(16), items: 1
    }, [{ transfers: [transfer] }], { accounts: snapshot.guarded, ceilingOf: () => null })
    if (result?.outcome !== 'posted') {
      throw new Refusal('account_not_empty', `${agent} has sold what would be paid back`)
    }
    return { batchId: Number(batchId) }
  }
}

async function prepaidAccount (
  ledger: Pick<Ledger, 'registry'>, agent: string
): Promise<{ account: number, key: GuardedKey }> {
  const { accounts } = await ledger.registry()
  const account = accounts.get(accountCode('commerce', 'agent-prepaid', agent))
  if (account === undefined) {
    throw new Refusal('not_found', `${agent} is no agent that pays in before it sells`, '/body/agent')
  }
  const noCard = { bucket: 0, cardId: null }
  return { account, key: guardedKey({ accountId: account, heading: 'agent-prepaid' }, noCard) }
}
