// TACs of debits that chips told afterwards, as rows: told once, held against the grey records of their
// counter whenever one comes. It refuses to know whether they are right.
import { bytes, numbers } from './columns.ts'
import { timestamp, type Db, type Tx } from './db.ts'
import { evidenceKinds, type ChipKey } from './records.ts'

/** `counter`: of the debit that the TAC is of. */
export type LastTac = ChipKey & { readonly tac: Buffer }

/** The purses are locked. What was told before stays. */
export async function insertLastTacs (
  tx: Tx, told: readonly LastTac[], { source, atMs }: { readonly source: string, readonly atMs: number }
): Promise<void> {
  if (told.length === 0) return
  await tx.query(`
    insert into last_tac (bucket, card_id, purse, counter, tac, told_at, source)
    select distinct *, $6::timestamptz, $7::text
    from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[], $5::bytea[])
    on conflict do nothing`,
  [...keyColumns(told), bytes(told.map(({ tac }) => tac)), timestamp(atMs), source])
}

/** Grey records have come: what is known of their counters is held against them. The purses are locked. */
export async function lookAgainAt (tx: Tx, keys: readonly ChipKey[]): Promise<void> {
  if (keys.length === 0) return
  await tx.query(`
    update last_tac l set due = due + 1
    from (select distinct * from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[])
      as k (bucket, card_id, purse, counter)) k
    where l.bucket = k.bucket and l.card_id = k.card_id and l.purse = k.purse and l.counter = k.counter`,
  keyColumns(keys))
}

const keyColumns = (keys: readonly ChipKey[]): string[] => [
  numbers(keys.map(k => k.bucket)), numbers(keys.map(k => k.cardId)), numbers(keys.map(k => k.purse)),
  numbers(keys.map(k => k.counter))]

export type DueTac = LastTac & { readonly due: number }

export const findDueTacs = async (db: Db, limit: number): Promise<DueTac[]> =>
  (await db.query<DueTac>(`
    select bucket, card_id as "cardId", purse, counter, tac, due from last_tac where due > 0
    order by told_at limit $1`, [limit])).rows

/** A line that told of a grey event, under the TAC it may have. */
export type Candidate = {
  readonly bucket: number, readonly cardId: bigint, readonly tac: Buffer
  readonly deliveryNo: bigint, readonly lineNo: number, readonly content: Buffer
}

/** The grey events of their counters that no signed line has proven yet. */
export const findCandidates = async (tx: Tx, due: readonly LastTac[]): Promise<Candidate[]> =>
  (await tx.query<Candidate>(`
    select e.bucket, e.card_id as "cardId", k.tac, e.delivery_no as "deliveryNo", e.line_no as "lineNo",
      e.content
    from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[], $5::bytea[])
      as k (bucket, card_id, purse, counter, tac)
    join evidence e on e.bucket = k.bucket and e.card_id = k.card_id and e.purse = k.purse
      and e.counter = k.counter and e.kind = ${evidenceKinds.grey}
    where not exists (
      select 1 from evidence c where c.bucket = e.bucket and c.card_id = e.card_id and c.counter = e.counter
        and c.content = e.content and c.kind = ${evidenceKinds.completion})
    order by e.delivery_no, e.line_no`, [...keyColumns(due), bytes(due.map(({ tac }) => tac))])).rows

/** Looked at, unless another grey record has come meanwhile. */
export async function settleTacs (db: Db, seen: readonly DueTac[]): Promise<void> {
  await db.query(`
    update last_tac l set due = 0
    from unnest($1::smallint[], $2::bigint[], $3::smallint[], $4::int[], $5::bytea[], $6::int[])
      as k (bucket, card_id, purse, counter, tac, due)
    where l.bucket = k.bucket and l.card_id = k.card_id and l.purse = k.purse and l.counter = k.counter
      and l.tac = k.tac and l.due = k.due`,
  [...keyColumns(seen), bytes(seen.map(({ tac }) => tac)), numbers(seen.map(({ due }) => due))])
}
