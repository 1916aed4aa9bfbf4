// Proposals that wait for a second pair of eyes, as rows.
import { timestamp, type Db, type Tx } from './db.ts'
import { news, tell } from './outbox.ts'

export type ProposalState = 'pending' | 'done' | 'refused' | 'stale' | 'withdrawn'
export type ProposalRow = {
  readonly proposalId: bigint, readonly kind: string, readonly subject: string, readonly body: unknown,
  readonly reason: string
  /** JSON of what the starter saw. */
  readonly looked: string
  readonly approvalsNeeded: number, readonly state: ProposalState, readonly startedBy: string,
  readonly startedAtMs: number, readonly endedAtMs: number | null, readonly outcome: unknown
}
export type Decision = {
  readonly staff: string, readonly approves: boolean, readonly note: string | null, readonly atMs: number
}

const columns = `proposal_id as "proposalId", kind, subject, body, reason, looked,
  approvals_needed as "approvalsNeeded", state, started_by as "startedBy", started_at as "startedAtMs",
  ended_at as "endedAtMs", outcome`

/** The new number, or null where one of the same kind and subject waits already. */
export async function insertProposal (
  tx: Tx, p: Omit<ProposalRow, 'proposalId' | 'state' | 'endedAtMs' | 'outcome'>
): Promise<bigint | null> {
  const { rows: [row] } = await tx.query<{ id: bigint }>(`
    insert into proposal (kind, subject, body, reason, looked, approvals_needed, started_by, started_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (kind, subject) where state = 'pending' do nothing returning proposal_id as id`, [
    p.kind, p.subject, JSON.stringify(p.body), p.reason, p.looked, p.approvalsNeeded, p.startedBy,
    timestamp(p.startedAtMs)])
  return row?.id ?? null
}

/** Locked: two people who decide at once do it one after the other. */
export const lockProposal = async (tx: Tx, id: bigint): Promise<ProposalRow | null> =>
  (await tx.query<ProposalRow>(
    `select ${columns} from proposal where proposal_id = $1 for update`, [id])).rows[0] ?? null

export const readProposal = async (db: Db | Tx, id: bigint): Promise<ProposalRow | null> =>
  (await db.query<ProposalRow>(
    `select ${columns} from proposal where proposal_id = $1`, [id])).rows[0] ?? null

/** Newest first, below `before`. */
export const readProposals = async (
  db: Db, of: {
    readonly state: ProposalState | null, readonly kind: string | null, readonly by: string | null
    readonly before: bigint | null, readonly limit: number
  }
): Promise<ProposalRow[]> => (await db.query<ProposalRow>(`
    select ${columns} from proposal
    where ($1::text is null or state = $1) and ($2::bigint is null or proposal_id < $2)
      and ($4::text is null or kind = $4) and ($5::text is null or started_by = $5)
    order by proposal_id desc limit $3`, [of.state, of.before, of.limit, of.kind, of.by])).rows

/** False where this person has decided it before. */
export async function insertDecision (
  tx: Tx, id: bigint, { staff, approves, note, atMs }: Decision
): Promise<boolean> {
  const { rowCount } = await tx.query(`
    insert into proposal_decision (proposal_id, staff, approves, note, at) values ($1, $2, $3, $4, $5)
    on conflict do nothing`, [id, staff, approves, note, timestamp(atMs)])
  return rowCount === 1
}

export const readDecisions = async (db: Db | Tx, id: bigint): Promise<Decision[]> =>
  (await db.query<Decision>(`
    select staff, approves, note, at as "atMs" from proposal_decision where proposal_id = $1
    order by at, staff`, [id])).rows

export async function endProposal (
  tx: Tx, id: bigint, state: Exclude<ProposalState, 'pending'>, outcome: unknown, atMs: number
): Promise<void> {
  const { rows: [row] } = await tx.query<{ kind: string }>(`
    update proposal set state = $2, outcome = $3, ended_at = $4 where proposal_id = $1 returning kind`,
  [id, state, JSON.stringify(outcome ?? null), timestamp(atMs)])
  const data = { id: Number(id), kind: row?.kind ?? '', state }
  await tell(tx, [news({ topic: 'proposal.ended', subject: `proposal/${id}`, data, party: null })], atMs)
}

/** One of this kind and subject was carried out. */
export const isDone = async (tx: Tx, kind: string, subject: string): Promise<boolean> =>
  (await tx.query(
    "select 1 from proposal where kind = $1 and subject = $2 and state = 'done' limit 1", [kind, subject]))
    .rows.length > 0

/** Which of these (`agent/reference`) people have booked as what the agent paid in. */
export const prefundsAmong = async (tx: Tx, named: readonly string[]): Promise<Set<string>> =>
  new Set((await tx.query<{ subject: string }>(`
    select subject from proposal where kind = 'agent_prefund' and state = 'done' and subject = any($1)`,
  [named.map(one => `agent/${one}`)])).rows.map(({ subject }) => subject.slice('agent/'.length)))

/** The last correction that was carried out on one of these accounts; 0 where none was. */
export const lastCorrection = async (tx: Tx, accounts: readonly string[]): Promise<bigint> =>
  (await tx.query<{ id: bigint }>(`
    select coalesce(max(proposal_id), 0)::bigint as id from proposal
    where kind = 'correction' and state = 'done' and exists (
      select from jsonb_array_elements(body->'transfers') as e
      where e->>'debit' = any($1) or e->>'credit' = any($1))`, [accounts])).rows[0]?.id ?? 0n
