// Clearing days as rows: states, steps, checks, approvals, positions, statements, instructions.
import type { Position as ApiPosition, Statement } from '../../schemas/api.ts'
import { claimCodes, transferCodes, type Book } from '../core/chart.ts'
import type { Activity, IssuerActivity, Position } from '../core/settlement.ts'
import type { DayState } from '../../schemas/api.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { ensurePartitions } from './migrate.ts'

export const readOpenDay = async (tx: Tx | Db): Promise<string | null> =>
  (await tx.query<{ date: string }>('select clearing_date as date from open_day')).rows[0]?.date ?? null

export async function setFirstDay (tx: Tx, date: string, partitionDays: number): Promise<void> {
  await ensurePartitions(tx, date, partitionDays)
  await tx.query('insert into open_day (clearing_date) values ($1)', [date])
  await tx.query("insert into clearing_day (clearing_date, state) values ($1, 'OPEN')", [date])
}

/** Moves the open date on; the caller holds the lock that excludes batches. */
export async function moveOpenDay (tx: Tx, next: string, partitionDays: number): Promise<void> {
  await ensurePartitions(tx, next, partitionDays)
  await tx.query('update open_day set clearing_date = $1', [next])
  await tx.query(
    "insert into clearing_day (clearing_date, state) values ($1, 'OPEN') on conflict do nothing", [next]
  )
}

export type DayRow = { readonly state: DayState, readonly digest: Buffer | null }
/** Locks the day: two people who close it at once do it one after the other. */
export async function lockDay (tx: Tx, date: string): Promise<DayRow | null> {
  const { rows } = await tx.query<DayRow>(
    'select state, digest from clearing_day where clearing_date = $1 for update', [date])
  return rows[0] ?? null
}

export async function stepTo (
  tx: Tx, date: string, state: DayState, by: string, atMs: number
): Promise<void> {
  await tx.query('update clearing_day set state = $2 where clearing_date = $1', [date, state])
  await tx.query('insert into day_step (clearing_date, state, at, by_whom) values ($1, $2, $3, $4)',
    [date, state, timestamp(atMs), by])
}

export type Check = { readonly name: string, readonly ok: boolean, readonly detail: string }
export async function storeChecks (
  db: Db | Tx, date: string, checks: readonly Check[], atMs: number
): Promise<void> {
  await db.query(`
    insert into day_check (clearing_date, name, ok, detail, at)
    select $1, name, ok, detail, $2 from unnest(
      $3::text[], $4::boolean[], $5::text[]
    ) as c (name, ok, detail)`,
  [date, timestamp(atMs), checks.map(c => c.name), checks.map(c => c.ok), checks.map(c => c.detail)])
}

export const unsealedOf = async (tx: Tx, date: string): Promise<number> =>
  Number((await tx.query<{ n: bigint }>(`
    select count(*) as n from batch b where b.clearing_date = $1
      and not exists (select 1 from tree_leaf l where l.batch_id = b.batch_id)`, [date])).rows[0]?.n ?? 0n)

/** What every party did on the date, from the transfers at its accounts. */
export async function activities (tx: Tx, date: string): Promise<Activity[]> {
  const { rows } = await tx.query<Activity>(`
    with moved as (
      select credit_account as account_id, code, amount_fen as fen from transfer where clearing_date = $1
      union all
      select debit_account, code, -amount_fen from transfer where clearing_date = $1),
    rate as (
      select distinct on (party_id, product) party_id, product, rate_ppm from commission
      where from_date <= $1 order by party_id, product, from_date desc)
    select p.code as party, a.book,
      coalesce(
        sum(m.fen) filter (where a.heading = 'merchant-pending' and m.code = any($2::int[])), 0
      )::bigint as "claimsFen",
      coalesce(
        sum(m.fen) filter (where a.heading = 'merchant-pending' and m.code = any($3::int[])), 0
      )::bigint
        as "adjustmentsFen",
      coalesce(
        -sum(m.fen) filter (where a.heading = 'receivable-agent' and m.code = any($4::int[])), 0
      )::bigint as "cashFen",
      coalesce(
        -sum(m.fen) filter (where a.heading = 'receivable-agent' and m.code = $5), 0
      )::bigint as "loadsFen",
      coalesce(
        (select rate_ppm from rate where rate.party_id = p.party_id and product = 'debit'), 0
      ) as "debitRatePpm",
      coalesce(
        (select rate_ppm from rate where rate.party_id = p.party_id and product = 'load'), 0
      ) as "loadRatePpm"
    from party p join account a using (party_id) left join moved m using (account_id)
    where p.kind in ('operator', 'agent')
    group by p.party_id, p.code, a.book order by p.code, a.book`, [
    date, claimCodes.first, claimCodes.adjusted, [transferCodes.sale_deposit, transferCodes.sale_load],
    transferCodes.sale_load])
  return rows
}

/**
 * The issuer's side of the date, from its own accounts: what it paid to operators, what it received through
 * agents.
 */
export async function issuerActivity (
  tx: Tx, date: string, book: Book, party: string
): Promise<IssuerActivity> {
  const { rows } = await tx.query<{ paid: bigint, received: bigint }>(`
    with own as (
      select account_id, heading from account
      where book = $2 and heading in ('purse', 'issuer-loss', 'pending-load', 'card-deposit'))
    select
      coalesce(sum(case when d.heading in ('purse', 'issuer-loss') then t.amount_fen
                        when c.heading in ('purse', 'issuer-loss') then -t.amount_fen end)
        filter (where t.code = any($3::int[])), 0)::bigint as paid,
      coalesce(
        sum(t.amount_fen) filter (where t.code = any($4::int[]) and c.heading is not null), 0
      )::bigint as received
    from transfer t
    left join own d on d.account_id = t.debit_account left join own c on c.account_id = t.credit_account
    where t.clearing_date = $1 and t.book = $2`, [
    date, book, [
      ...claimCodes.first, ...claimCodes.adjusted
    ], [transferCodes.sale_deposit, transferCodes.sale_load]])
  return { party, book, paidFen: rows[0]?.paid ?? 0n, receivedFen: rows[0]?.received ?? 0n }
}

export async function insertPositions (
  tx: Tx, date: string, positions: readonly Position[], digest: Buffer
): Promise<void> {
  await tx.query(`
    insert into position (clearing_date, book, party_id, claims_fen, commission_fen, loads_fen, load_commission_fen,
      adjustments_fen, net_fen)
    select $1, book, party_id, claims, commission, loads, load_commission, adjustments, net
    from unnest(
      $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
      $9::bigint[]
    )
      as p (
        book, code, claims, commission, loads, load_commission, adjustments, net
      ) join party using (code)`, [
    date, positions.map(p => p.book), positions.map(p => p.party), positions.map(p => p.claimsFen),
    positions.map(p => p.commissionFen), positions.map(p => p.loadsFen), positions.map(p => p.loadCommissionFen),
    positions.map(p => p.adjustmentsFen), positions.map(p => p.netFen)])
  await tx.query('update clearing_day set digest = $2 where clearing_date = $1', [date, digest])
}

export async function readPositions (tx: Tx | Db, date: string): Promise<ApiPosition[]> {
  const { rows } = await tx.query<Record<string, bigint | string>>(`
    select p.code as party, book, claims_fen as "claimsFen", commission_fen as "commissionFen", loads_fen as "loadsFen",
      load_commission_fen as "loadCommissionFen", adjustments_fen as "adjustmentsFen", net_fen as "netFen"
    from position join party p using (party_id) where clearing_date = $1 order by book, p.kind <> 'issuer', p.code`, [date])
  return rows.map(row => Object.fromEntries(Object.entries(row).map(([key, value]) =>
    [key, typeof value === 'bigint' ? Number(value) : value])) as unknown as ApiPosition)
}

export async function insertStatements (tx: Tx, statements: readonly Statement[]): Promise<void> {
  await tx.query(`
    insert into statement (clearing_date, book, party_id, document)
    select date, 'commerce', party_id, document::jsonb
    from unnest($1::date[], $2::text[], $3::text[]) as s (date, code, document) join party using (code)`,
  [statements.map(s => s.date), statements.map(s => s.party), statements.map(s => JSON.stringify(s))])
}
export const readStatement = async (db: Db, party: string, date: string): Promise<Statement | null> =>
  (await db.query<{ document: Statement }>(`
    select document from statement join party using (party_id) where code = $1 and clearing_date = $2`,
  [party, date])).rows[0]?.document ?? null

export async function approve (
  tx: Tx, date: string, staffId: number, digest: Buffer, atMs: number
): Promise<void> {
  await tx.query('insert into day_approval (clearing_date, staff_id, digest, at) values ($1, $2, $3, $4)',
    [date, staffId, digest, timestamp(atMs)])
}
export type ApprovalRow = { readonly staff: string, readonly staffId: number, readonly atMs: number }
export const readApprovals = async (tx: Tx | Db, date: string, digest: Buffer): Promise<ApprovalRow[]> =>
  (await tx.query<ApprovalRow>(`
    select s.name as staff, a.staff_id as "staffId", a.at as "atMs" from day_approval a join staff s using (staff_id)
    where a.clearing_date = $1 and a.digest = $2 order by a.at, s.name`, [date, digest])).rows

/** What each party is still to be paid or to pay up to a date: nets that are not instructed yet. */
export const openNets = async (
  tx: Tx, date: string
): Promise<{ party: string, book: Book, fen: bigint, fromFen: bigint }[]> =>
  (await tx.query<{ party: string, book: Book, fen: bigint, fromFen: bigint }>(`
    select p.code as party, n.book, p.settle_from_fen as "fromFen",
      (n.fen - coalesce((
        select sum(case direction when 'pay' then amount_fen else -amount_fen end) from instruction i
        where i.party_id = n.party_id and i.book = n.book and i.clearing_date <= $1), 0))::bigint as fen
    from (select party_id, book, sum(net_fen) as fen from position where clearing_date <= $1 group by 1, 2) n
    join party p using (party_id) where p.kind in (
      'operator', 'agent'
    ) order by p.code, n.book`, [date])).rows

export async function insertInstructions (tx: Tx, date: string, instructions: readonly {
  readonly id: string, readonly party: string, readonly book: Book, readonly direction: 'pay' | 'collect', readonly fen: bigint
}[]): Promise<void> {
  await tx.query(`
    insert into instruction (instruction_id, clearing_date, party_id, book, direction, amount_fen)
    select id, $1, party_id, book, direction, fen
    from unnest(
      $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]
    ) as i (id, code, book, direction, fen)
    join party using (code)`, [
    date, instructions.map(i => i.id), instructions.map(i => i.party), instructions.map(i => i.book),
    instructions.map(i => i.direction), instructions.map(i => i.fen)])
}

export const readSteps = async (
  db: Tx | Db, date: string
): Promise<{ state: DayState, atMs: number, by: string }[]> =>
  (await db.query<{ state: DayState, atMs: number, by: string }>(`
    select state, at as "atMs", by_whom as by from day_step where clearing_date = $1 order by step_no`, [date])).rows

/** The last result of each check of the day; one that failed stands here until it passes. */
export const readFailedChecks = async (db: Tx | Db, date: string): Promise<Check[]> =>
  (await db.query<Check>(`
    select name, ok, detail from (
      select distinct on (name) name, ok, detail from day_check where clearing_date = $1
      order by name, check_no desc) c where not ok`, [date])).rows

export const readDays = async (db: Db): Promise<string[]> =>
  (await db.query<{ date: string }>('select clearing_date as date from clearing_day order by 1')).rows.map(row => row.date)

export const readDay = async (db: Tx | Db, date: string): Promise<DayRow | null> =>
  (await db.query<DayRow>(
    'select state, digest from clearing_day where clearing_date = $1', [date]
  )).rows[0] ?? null

/** Counts for a party's statement. */
export const acceptedCount = async (tx: Tx, date: string): Promise<Map<string, number>> =>
  new Map((await tx.query<{ party: string, n: bigint }>(`
    select p.code as party, count(*) as n from transfer t join account a on a.account_id = t.credit_account
    join party p using (party_id)
    where t.clearing_date = $1 and a.heading = 'merchant-pending' and t.code = any($2::int[]) group by 1`,
  [date, claimCodes.first])).rows.map(row => [row.party, Number(row.n)]))
