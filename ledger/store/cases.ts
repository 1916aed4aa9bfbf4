// Residents' cases as rows, with how their proposals stand. It refuses to know what any kind asks for.
import type { LocalDate } from '../../runtime/instants.ts'
import type { CaseKind } from '../../schemas/case.ts'
import type { Branch } from '../core/branches.ts'
import type { CaseCount } from '../core/case-scores.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { ProposalState } from './proposals.ts'

export type CaseRow = {
  readonly caseNo: bigint, readonly holderId: bigint, readonly holder: string, readonly branch: Branch
  readonly kind: CaseKind, readonly body: unknown, readonly words: string, readonly filedAtMs: number
  readonly dueOn: LocalDate, readonly proposalId: bigint | null, readonly proposal: ProposalState | null
  readonly proposalEndedAtMs: number | null
  readonly outcome: 'refused' | 'answered' | 'withdrawn' | null, readonly answer: string | null
  readonly endedBy: string | null, readonly endedAtMs: number | null
}
const select = `
  select c.case_no as "caseNo", c.holder_id as "holderId", h.holder, h.branch, c.kind, c.body, c.words,
    c.filed_at as "filedAtMs", c.due_on as "dueOn", c.proposal_id as "proposalId", p.state as proposal,
    p.ended_at as "proposalEndedAtMs", c.outcome, c.answer, c.ended_by as "endedBy",
    c.ended_at as "endedAtMs"
  from resident_case c join holder h using (holder_id) left join proposal p using (proposal_id)`
const open = "c.outcome is null and p.state is distinct from 'done'"

export async function insertCase (tx: Tx, row: Pick<CaseRow, 'holderId' | 'kind' | 'body' | 'words' |
  'filedAtMs' | 'dueOn'> & { readonly subject: string }): Promise<bigint> {
  const { rows: [made] } = await tx.query<{ no: bigint }>(`
    insert into resident_case (holder_id, kind, subject, body, words, filed_at, due_on)
    values ($1, $2, $3, $4, $5, $6, $7) returning case_no as no`, [
    row.holderId, row.kind, row.subject, JSON.stringify(row.body), row.words, timestamp(row.filedAtMs),
    row.dueOn])
  return made?.no ?? 0n
}

/** How many of a person are open, and whether one is of this kind and subject; the person is locked. */
export async function openCases (
  tx: Tx, holderId: bigint, kind: CaseKind, subject: string
): Promise<{ readonly count: number, readonly same: boolean }> {
  await tx.query('select from resident where holder_id = $1 for update', [holderId])
  const { rows: [row] } = await tx.query<{ count: bigint, same: boolean }>(`
    select count(*) as count, coalesce(bool_or(c.kind = $2 and c.subject = $3), false) as same
    from resident_case c left join proposal p using (proposal_id) where c.holder_id = $1 and ${open}`,
  [holderId, kind, subject])
  return { count: Number(row?.count ?? 0n), same: row?.same ?? false }
}

export const lockCase = async (tx: Tx, caseNo: bigint): Promise<CaseRow | null> =>
  (await tx.query<CaseRow>(`${select} where c.case_no = $1 for update of c`, [caseNo])).rows[0] ?? null

export const readCase = async (db: Db | Tx, caseNo: bigint): Promise<CaseRow | null> =>
  (await db.query<CaseRow>(`${select} where c.case_no = $1`, [caseNo])).rows[0] ?? null

type Place = { readonly before: bigint | null, readonly limit: number }

/** A person's own, the newest first. */
export const casesOf = async (db: Db, holderId: bigint, { before, limit }: Place): Promise<CaseRow[]> =>
  (await db.query<CaseRow>(`
    ${select} where c.holder_id = $1 and ($2::bigint is null or c.case_no < $2)
    order by c.case_no desc limit $3`, [holderId, before, limit])).rows

/** What is to be shown of cases; null: it does not matter. */
type CaseFilter = {
  /** Theirs, and what is no branch's; null: for whoever is of the whole city. */
  readonly branch: Branch
  readonly isOpen: boolean | null
  /** Answered by this day or before. */
  readonly dueBy: LocalDate | null
  readonly holder: string | null
}

/** The newest first. */
export const listCases = async (
  db: Db, { branch, isOpen, dueBy, holder, before, limit }: Place & CaseFilter
): Promise<CaseRow[]> => (await db.query<CaseRow>(`
    ${select} where ($4::boolean is null or (${open}) = $4) and ($2::bigint is null or c.case_no < $2)
      and ($1::text is null or h.branch is null or h.branch = $1) and ($5::text is null or h.holder = $5)
      and ($6::date is null or c.due_on <= $6)
    order by c.case_no desc limit $3`, [branch, before, limit, isOpen, holder, dueBy])).rows

/* ---- counts, for whoever supervises ---- */

const counts = (where: string): string => `
  select office, due_on as "dueOn", ended_on as "endedOn", count(*)::int as count
  from (
    select h.branch as office, c.due_on,
      (case when c.outcome is not null then c.ended_at when p.state = 'done' then p.ended_at end
        at time zone 'Asia/Shanghai')::date as ended_on
    from resident_case c join holder h using (holder_id) left join proposal p using (proposal_id)
    where ${where}) k
  group by office, due_on, ended_on`

/** Due between these days, both included; what was taken back counts for nobody. */
export const countCasesDue = async (db: Db, from: LocalDate, until: LocalDate): Promise<CaseCount[]> =>
  (await db.query<CaseCount>(
    counts("c.due_on between $1 and $2 and c.outcome is distinct from 'withdrawn'"), [from, until])).rows

export const countOpenCases = async (db: Db): Promise<CaseCount[]> =>
  (await db.query<CaseCount>(counts(open))).rows

export const noteCaseProposal = async (tx: Tx, caseNo: bigint, proposalId: bigint): Promise<void> => {
  await tx.query('update resident_case set proposal_id = $2 where case_no = $1', [caseNo, proposalId])
}

export async function endCase (tx: Tx, caseNo: bigint, { outcome, answer, by, atMs }: {
  readonly outcome: 'refused' | 'answered' | 'withdrawn', readonly answer: string | null, readonly by: string
  readonly atMs: number
}): Promise<void> {
  await tx.query(`
    update resident_case set outcome = $2, answer = $3, ended_by = $4, ended_at = $5 where case_no = $1`,
  [caseNo, outcome, answer, by, timestamp(atMs)])
}
