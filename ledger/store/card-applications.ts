// Applications for cards as rows, and their steps. It refuses to know who may take one.
import type { ApplicationState, ApplicationView } from '../../schemas/card-application.ts'
import type { Card } from '../../schemas/api.ts'
import type { CardRef } from '../../schemas/record.ts'
import type { Branch } from '../core/branches.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import type { CardPlace } from './parameters.ts'

export type ApplicationRow = {
  readonly applicationNo: bigint, readonly holder: string, readonly holderId: bigint
  readonly type: Card['type'], readonly why: ApplicationView['why'], readonly state: ApplicationState
  readonly card: CardRef | null, readonly appliedAtMs: number, readonly branch: Branch
}
type Stored = Omit<ApplicationRow, 'card'> & {
  readonly issuer: string | null, readonly serial: string | null, readonly issue: number | null
}

async function find (db: Db | Tx, where: string, values: readonly unknown[]): Promise<ApplicationRow[]> {
  const { rows } = await db.query<Stored>(`
    select a.application_no as "applicationNo", h.holder, a.holder_id as "holderId", a.card_type as type,
      a.why, a.state, a.applied_at as "appliedAtMs", h.branch, upper(encode(c.issuer, 'hex')) as issuer,
      upper(encode(c.serial, 'hex')) as serial, c.issue
    from card_application a join holder h using (holder_id)
    left join card c on c.bucket = a.card_bucket and c.card_id = a.card_id ${where}`, [...values])
  return rows.map(({ issuer, serial, issue, ...row }) => ({
    ...row, card: issuer === null || serial === null || issue === null ? null : { issuer, serial, issue }
  }))
}

export const findApplication = async (db: Db | Tx, no: bigint): Promise<ApplicationRow | null> =>
  (await find(db, 'where a.application_no = $1', [no]))[0] ?? null

export const lockApplication = async (tx: Tx, no: bigint): Promise<ApplicationRow | null> =>
  (await find(tx, 'where a.application_no = $1 for update of a', [no]))[0] ?? null

/** The newest first. */
export const listApplications = (db: Db, { state, before, limit }: {
  readonly state: ApplicationState, readonly before: bigint | null, readonly limit: number
}): Promise<ApplicationRow[]> => find(db, `
  where a.state = $1 and ($2::bigint is null or a.application_no < $2)
  order by a.application_no desc limit $3`, [state, before, limit])

export async function insertApplication (tx: Tx, { holderId, type, why, atMs }: {
  readonly holderId: bigint, readonly type: string, readonly why: string, readonly atMs: number
}): Promise<bigint> {
  const { rows: [row] } = await tx.query<{ no: bigint }>(`
    insert into card_application (holder_id, card_type, why, state, applied_at)
    values ($1, $2, $3, 'applied', $4) returning application_no as no`,
  [holderId, type, why, timestamp(atMs)])
  return row?.no ?? 0n
}

export type ApplicationStep = {
  readonly from: ApplicationState, readonly to: ApplicationState, readonly by: string
  readonly reason: string, readonly atMs: number
}

/** `card`: what it has become; null where that stays as it is. The application is locked. */
export async function insertStep (
  tx: Tx, no: bigint, { from, to, by, reason, atMs }: ApplicationStep, card: CardPlace | null
): Promise<void> {
  await tx.query(`
    insert into card_application_step (application_no, step_no, from_state, to_state, moved_by, reason,
      moved_at)
    select $1, coalesce((select max(step_no) from card_application_step where application_no = $1), 0) + 1,
      $2, $3, $4, $5, $6`, [no, from, to, by, reason, timestamp(atMs)])
  await tx.query(`
    update card_application set state = $2, card_bucket = coalesce($3, card_bucket),
      card_id = coalesce($4, card_id)
    where application_no = $1`, [no, to, card?.bucket ?? null, card?.cardId ?? null])
}

export const readSteps = async (db: Db | Tx, no: bigint): Promise<ApplicationStep[]> =>
  (await db.query<ApplicationStep>(`
    select from_state as from, to_state as to, moved_by as by, reason, moved_at as "atMs"
    from card_application_step where application_no = $1 order by step_no`, [no])).rows
