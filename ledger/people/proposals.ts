// Four eyes: one person starts a proposal, others approve it, and only then is it carried out. Nobody
// approves an own proposal, none waits twice, and the approval looks again: where the target has changed
// meanwhile, it is stale. It refuses to know what any kind of proposal does.
import { createHash } from 'node:crypto'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { Role } from '../../schemas/api.ts'
import { audit } from './audit.ts'
import { foreignBranch, type Branch } from '../core/branches.ts'
import type { Ledger } from '../ledger.ts'
import { Refusal } from '../refusal.ts'
import { inTransaction, type Tx } from '../store/db.ts'
import {
  endProposal, insertDecision, insertProposal, lockProposal, readDecisions, type ProposalRow
} from '../store/proposals.ts'

/** One kind of proposal: what it takes, who may, how it is looked at and carried out. */
export type ProposalKind = {
  readonly body: TSchema
  /** Who may start one, and who may approve or refuse it. */
  readonly start: readonly Role[]
  readonly decide: readonly Role[]
  /** How many people must approve, the starter not among them: 1 makes four eyes. */
  readonly approvals: number
  /** Why this person may not decide on it although the role would allow it, or null. */
  readonly mayNotDecide?: (tx: Tx, by: Member, body: never) => Promise<string | null>
  /** Branches whose cards and parties it moves money of; none when absent. */
  readonly branches?: (tx: Tx, ledger: Ledger, body: never) => Promise<readonly Branch[]>
  /** What it is about, `transfer/123`: only one of a kind may wait per subject. Card numbers masked. */
  readonly subject: (body: never, ledger: Pick<Ledger, 'nameCard'>) => string
  /**
   * Checks under lock that it can be done; throws Refusal otherwise. What it returns (plain JSON) is what the
   * people see and approve: where a later look returns something else, the proposal is stale.
   */
  readonly look: (tx: Tx, ledger: Ledger, body: never) => Promise<unknown>
  /** Does it, in the open date. What it returns (plain JSON) is kept as the outcome. */
  readonly carryOut: (tx: Tx, ledger: Ledger, body: never, how: CarryingOut) => Promise<unknown>
}
export type CarryingOut = {
  readonly proposalId: bigint, readonly startedBy: string, readonly approvedBy: readonly string[],
  readonly reason: string, readonly atMs: number
}
/** Kinds by name; the names are part of the API. */
export type ProposalKinds = Readonly<Record<string, ProposalKind>>

/** Who starts or decides: a member of staff, or a machine that starts. */
export type Member = {
  readonly name: string, readonly roles: readonly Role[], readonly branch: Branch
  /** Of an operator's or agent's machine. */
  readonly party: string | null
}

export type NewProposal = { readonly kind: string, readonly body: unknown, readonly reason: string }

/** Starts one. Throws Refusal not_found, forbidden, body_invalid, proposal_pending, or what the kind says. */
export async function startProposal (
  ledger: Ledger, kinds: ProposalKinds, by: Member, { kind: name, body, reason }: NewProposal
): Promise<bigint> {
  const kind = kindOf(kinds, name)
  requireRole(by, kind.start, `start a proposal of kind ${name}`)
  const [wrong] = Value.Errors(kind.body, body)
  if (wrong !== undefined) {
    throw new Refusal('body_invalid', `${name}: ${wrong.message}`, `/body${wrong.instancePath}`)
  }
  return await inTransaction(ledger.db, async tx =>
    await propose(tx, ledger, kind, by, { kind: name, body, reason }))
}

/**
 * Starts one inside a transaction that has found out that it needs a second pair of eyes; the caller has
 * checked the role and the body. Writes the audit log, so nothing else locks behind it.
 */
export async function propose (
  tx: Tx, ledger: Ledger, kind: ProposalKind, by: Member, { kind: name, body, reason }: NewProposal
): Promise<bigint> {
  const atMs = ledger.clock.now()
  await requireBranch(tx, ledger, kind, by, body)
  const subject = shortened(kind.subject(body as never, ledger))
  const looked = JSON.stringify(await kind.look(tx, ledger, body as never))
  const id = await insertProposal(tx, {
    kind: name, subject, body, reason, looked, approvalsNeeded: kind.approvals, startedBy: by.name,
    startedAtMs: atMs
  })
  if (id === null) throw new Refusal('proposal_pending', `${name} of ${subject} waits for approval`)
  const detail = { id: Number(id), name, reason }
  await audit(tx, atMs, { by: by.name, action: 'proposal.start', subject, detail })
  return id
}

/** A subject is a key of an index: one that names very much is told by its beginning and a hash of it all. */
const shortened = (subject: string): string => subject.length <= subjectMax
  ? subject
  : `${subject.slice(0, subjectMax - 17)}#${createHash('sha256').update(subject).digest('hex').slice(0, 16)}`
const subjectMax = 240

export type Verdict = { readonly approves: boolean, readonly note: string | null }

/**
 * One person's decision. The last approval that is needed carries the proposal out in the same transaction;
 * one refusal ends it. Throws Refusal not_found, forbidden, self_approval, proposal_over, approval_stale
 * (then the proposal has ended and a new one is needed), or what the kind says.
 */
export async function decideProposal (
  ledger: Ledger, kinds: ProposalKinds, by: Member, id: bigint, { approves, note }: Verdict
): Promise<void> {
  const atMs = ledger.clock.now()
  const stale = await inTransaction(ledger.db, async tx => {
    const proposal = await lockProposal(tx, id)
    requirePending(proposal, id)
    const kind = kindOf(kinds, proposal.kind)
    requireRole(by, kind.decide, `decide a proposal of kind ${proposal.kind}`)
    await requireBranch(tx, ledger, kind, by, proposal.body)
    const against = await kind.mayNotDecide?.(tx, by, proposal.body as never) ?? null
    if (against !== null) throw new Refusal('self_approval', against)
    if (proposal.startedBy === by.name) {
      throw new Refusal('self_approval', `${by.name} started proposal ${id}; another person must decide it`)
    }
    if (!await insertDecision(tx, id, { staff: by.name, approves, note, atMs })) {
      throw new Refusal('self_approval', `${by.name} has decided proposal ${id} already; another person must`)
    }
    return await act(tx, ledger, kind, proposal, { by: by.name, approves, atMs })
  })
  if (stale !== null) throw new Refusal('approval_stale', stale)
}

/** Null, or why the proposal is stale: that is written down too, so it must not be thrown in here. */
async function act (
  tx: Tx, ledger: Ledger, kind: ProposalKind, proposal: ProposalRow,
  { by, approves, atMs }: { by: string, approves: boolean, atMs: number }
): Promise<string | null> {
  const { proposalId, subject, kind: name } = proposal
  const write = (action: string, detail: object = {}) =>
    audit(tx, atMs, { by, action, subject, detail: { ...detail, id: Number(proposalId), name } })
  if (!approves) {
    await endProposal(tx, proposalId, 'refused', null, atMs)
    await write('proposal.refuse')
    return null
  }
  const body = proposal.body as never
  const looked = JSON.stringify(await kind.look(tx, ledger, body))
  if (looked !== proposal.looked) {
    await endProposal(tx, proposalId, 'stale', null, atMs)
    await write('proposal.stale')
    return `${proposal.kind} of ${subject} has changed since it was started; start it again`
  }
  const approvedBy = (await readDecisions(tx, proposalId)).map(({ staff }) => staff)
  if (approvedBy.length < proposal.approvalsNeeded) {
    await write('proposal.approve')
    return null
  }
  const { startedBy, reason } = proposal
  const outcome = await kind.carryOut(tx, ledger, body, { proposalId, startedBy, approvedBy, reason, atMs })
  await endProposal(tx, proposalId, 'done', outcome, atMs)
  await write('proposal.approve', { carriedOut: true })
  return null
}

/** The starter takes it back. Throws Refusal not_found, forbidden, proposal_over. */
export async function withdrawProposal (ledger: Ledger, by: Member, id: bigint): Promise<void> {
  const atMs = ledger.clock.now()
  await inTransaction(ledger.db, async tx => {
    const proposal = await lockProposal(tx, id)
    requirePending(proposal, id)
    if (proposal.startedBy !== by.name) {
      throw new Refusal('forbidden', `${by.name} did not start proposal ${id}`)
    }
    await endProposal(tx, id, 'withdrawn', null, atMs)
    await audit(tx, atMs, { by: by.name, action: 'proposal.withdraw', subject: proposal.subject })
  })
}

function requirePending (proposal: ProposalRow | null, id: bigint): asserts proposal is ProposalRow {
  if (proposal === null) throw new Refusal('not_found', `there is no proposal ${id}`)
  if (proposal.state !== 'pending') throw new Refusal('proposal_over', `proposal ${id} is ${proposal.state}`)
}

function kindOf (kinds: ProposalKinds, name: string): ProposalKind {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
  if (kind !== undefined) return kind
  const known = Object.keys(kinds).join(', ')
  throw new Refusal('not_found', `no proposal of kind ${name}; one of ${known}`, '/kind')
}

function requireRole (by: Member, allowed: readonly Role[], what: string): void {
  if (by.roles.some(role => allowed.includes(role))) return
  throw new Refusal('forbidden', `${by.name} may not ${what}; allowed: ${allowed.join(', ')}`)
}

async function requireBranch (
  tx: Tx, ledger: Ledger, kind: ProposalKind, by: Member, body: unknown
): Promise<void> {
  if (by.branch === null) return
  requireOwnBranch(by, await kind.branches?.(tx, ledger, body as never) ?? [])
}

/** Throws Refusal other_branch where money of another branch is touched. */
export function requireOwnBranch (by: Pick<Member, 'name' | 'branch'>, touched: readonly Branch[]): void {
  const foreign = foreignBranch(by.branch, touched)
  if (foreign === null) return
  throw new Refusal('other_branch', `${by.name} is of ${by.branch}; this belongs to ${foreign}`)
}
