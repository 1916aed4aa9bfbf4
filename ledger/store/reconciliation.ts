// Runs of reconciliation as rows, and what terminals, parties and the medical centre tell of their side.
import type { Layer, MedicalTotals, PartyPosition } from '../../schemas/reconciliation.ts'
import type { ClassTotals, TerminalClass, ToldRecord } from '../core/terminal-check.ts'
import { terminalClasses } from '../core/terminal-check.ts'
import { timestamp, type Db, type Tx } from './db.ts'

/* ---- runs ---- */

export type RunRow = {
  readonly layer: Layer, readonly date: string, readonly atMs: number, readonly by: string
  readonly ok: boolean, readonly note: string | null
  /** By outcome, in an order of its own: count and sum of either side. */
  readonly tally: readonly {
    readonly outcome: string, readonly left: { readonly count: number, readonly sumFen: number }
    readonly right: { readonly count: number, readonly sumFen: number }
  }[]
}

const lastRuns = `
  select distinct on (clearing_date, layer) layer, clearing_date as date, at as "atMs", by_whom as by, ok,
    tally, note
  from reconciliation_run where clearing_date between $1 and $2
  order by clearing_date, layer, run_id desc`

/** The last run of each layer and date of a range. */
export const readRuns = async (db: Db | Tx, from: string, to: string): Promise<RunRow[]> =>
  (await db.query<RunRow>(lastRuns, [from, to])).rows

/** Stores a run unless it says the same as the last one of its layer and date. */
export async function insertRun (tx: Tx, run: RunRow): Promise<void> {
  await tx.query(`
    insert into reconciliation_run (layer, clearing_date, at, by_whom, ok, tally, note)
    select $3, $1, $4, $5, $6, $7::jsonb, $8
    where not exists (
      select 1 from (${lastRuns}) l
      where l.layer = $3 and l.ok = $6 and l.tally = $7::jsonb and l.note is not distinct from $8)`,
  [run.date, run.date, run.layer, timestamp(run.atMs), run.by, run.ok, JSON.stringify(run.tally), run.note])
}

/* ---- A: terminals ---- */

export type TerminalTotalRow = {
  readonly terminalId: number, readonly terminal: string, readonly party: string, readonly batch: string
  readonly psamId: number, readonly fromSequence: bigint, readonly toSequence: bigint
  readonly clearingDate: string, readonly totals: ClassTotals, readonly records: readonly ToldRecord[] | null
}
type Flat = Omit<TerminalTotalRow, 'totals' | 'records'> & { records: [number, number][] | null } &
  Record<`${TerminalClass}Count`, number> & Record<`${TerminalClass}Fen`, bigint>

const totalSelect = `
  select t.terminal_id as "terminalId", n.code as terminal, p.code as party, t.batch, t.psam_id as "psamId",
    t.from_sequence as "fromSequence", t.to_sequence as "toSequence", t.clearing_date as "clearingDate",
    ${terminalClasses.map(name =>
      `t.${name}_count as "${name}Count", t.${name}_fen as "${name}Fen"`).join(', ')}, t.records
  from terminal_total t join terminal n using (terminal_id) join party p using (party_id)`

const unflat = ({ records, ...row }: Flat): TerminalTotalRow => {
  const total = (name: TerminalClass) => ({ count: row[`${name}Count`], amountFen: row[`${name}Fen`] })
  return {
    terminalId: row.terminalId, terminal: row.terminal, party: row.party, batch: row.batch,
    psamId: row.psamId, fromSequence: row.fromSequence, toSequence: row.toSequence,
    clearingDate: row.clearingDate,
    totals: { consume: total('consume'), return: total('return'), load: total('load') },
    records: records?.map(([sequence, fen]) =>
      ({ sequence: BigInt(sequence), amountFen: BigInt(fen) })) ?? null
  }
}

/** Stores the totals of a batch that is not known yet, and returns those that are stored. */
export async function saveTerminalTotal (
  tx: Tx, row: Omit<TerminalTotalRow, 'terminal' | 'party'>, atMs: number, source: string
): Promise<TerminalTotalRow> {
  const { totals, records } = row
  await tx.query(`
    insert into terminal_total (terminal_id, batch, psam_id, from_sequence, to_sequence, clearing_date,
      consume_count, consume_fen, return_count, return_fen, load_count, load_fen, records, received_at,
      source)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $14, $15)
    on conflict (terminal_id, batch) do nothing`, [
    row.terminalId, row.batch, row.psamId, row.fromSequence, row.toSequence, row.clearingDate,
    totals.consume.count, totals.consume.amountFen, totals.return.count, totals.return.amountFen,
    totals.load.count, totals.load.amountFen,
    records === null
      ? null
      : JSON.stringify(records.map(one => [Number(one.sequence), Number(one.amountFen)])),
    timestamp(atMs), source])
  const { rows } = await tx.query<Flat>(`${totalSelect} where t.terminal_id = $1 and t.batch = $2`,
    [row.terminalId, row.batch])
  return unflat(rows[0] as Flat)
}

/** Totals that came on a date, and those of which `terminal/batch` is among `also`. */
export async function readTerminalTotals (
  tx: Tx, date: string, also: readonly string[]
): Promise<TerminalTotalRow[]> {
  const { rows } = await tx.query<Flat>(`${totalSelect}
    where t.clearing_date = $1 or p.code || '/' || n.code || '/' || t.batch = any($2)
    order by p.code, n.code, t.batch`, [date, also])
  return rows.map(unflat)
}

export type ReceivedRecord = {
  readonly sequence: bigint, readonly type: number, readonly amountFen: bigint
  readonly deliveryNo: bigint, readonly lineNo: number
}

/**
 * What was received of a range of a PSAM's sequence: every use of a chip whatever its verdict, and what may
 * have been one.
 */
export async function receivedRecords (
  tx: Tx, psamBucket: number, psamId: number, from: bigint, to: bigint
): Promise<ReceivedRecord[]> {
  const { rows } = await tx.query<ReceivedRecord>(`
    select distinct on (sequence) sequence, type, "amountFen", "deliveryNo", "lineNo" from (
      select 0 as rank, t.sequence, e.type, e.amount_fen as "amountFen", e.delivery_no as "deliveryNo",
        e.line_no as "lineNo"
      from terminal_claim t join card_event e on e.bucket = t.card_bucket and e.card_id = t.card_id
        and e.purse = t.purse and e.counter_kind = 0 and e.counter = t.counter
      where t.bucket = $1 and t.psam_id = $2 and t.sequence between $3 and $4
      union all
      select 1, sequence, type, amount_fen, delivery_no, line_no from evidence
      where kind = 1 and psam_id = $2 and sequence between $3 and $4) r
    order by sequence, rank`, [psamBucket, psamId, from, to])
  return rows
}

/* ---- F: parties ---- */

/** What a party sent before for the same date and book gives way. Returns false for an unknown party. */
export async function savePartyPosition (
  tx: Tx, { party, book = 'commerce', date, claimsFen, items = [] }: PartyPosition, atMs: number,
  source: string
): Promise<boolean> {
  const { rowCount } = await tx.query(`
    insert into party_position (clearing_date, book, party_id, claims_fen, received_at, source)
    select $1, $2, party_id, $4, $5, $6 from party where code = $3
    on conflict (clearing_date, book, party_id) do update set claims_fen = excluded.claims_fen,
      received_at = excluded.received_at, source = excluded.source`,
  [date, book, party, claimsFen, timestamp(atMs), source])
  if (rowCount !== 1) return false
  await tx.query(`
    delete from party_position_item i using party p
    where i.party_id = p.party_id and p.code = $3 and i.clearing_date = $1 and i.book = $2`,
  [date, book, party])
  await tx.query(`
    insert into party_position_item (clearing_date, book, party_id, place, ref, amount_fen)
    select $1, $2, p.party_id, i.place, i.ref, i.fen
    from party p, unnest($4::text[], $5::bigint[]) with ordinality as i (ref, fen, place) where p.code = $3`,
  [date, book, party, items.map(one => one.ref), items.map(one => one.amountFen)])
  return true
}

export type ToldPosition = {
  readonly party: string, readonly book: string, readonly date: string, readonly claimsFen: bigint
}
export type ToldItem = {
  readonly party: string, readonly book: string, readonly date: string, readonly ref: string
  readonly amountFen: bigint
}

export async function readToldPositions (tx: Tx, from: string, to: string): Promise<ToldPosition[]> {
  return (await tx.query<ToldPosition>(`
    select p.code as party, book, clearing_date as date, claims_fen as "claimsFen"
    from party_position join party p using (party_id) where clearing_date between $1 and $2
    order by 3, 1, 2`, [from, to])).rows
}

export async function readToldItems (tx: Tx, from: string, to: string): Promise<ToldItem[]> {
  return (await tx.query<ToldItem>(`
    select p.code as party, book, clearing_date as date, ref, amount_fen as "amountFen"
    from party_position_item join party p using (party_id) where clearing_date between $1 and $2
    order by 3, 1, 2, place`, [from, to])).rows
}

/* ---- H: the medical centre ---- */

export type MedicalTotalRow = {
  readonly settlement: string, readonly amountFen: bigint, readonly state: string, readonly date: string
  /** Null where the centre did not say. */
  readonly fundsFen: bigint | null, readonly accountFen: bigint | null
}

export async function saveMedicalTotals (
  tx: Tx, date: string, items: MedicalTotals['items'],
  atMs: number, source: string
): Promise<void> {
  await tx.query(`
    insert into medical_total (
      clearing_date, settlement, amount_fen, state, received_at, source, funds_fen, account_fen
    )
    select $1, settlement, fen, state, $5, $6, funds, account
    from unnest($2::text[], $3::bigint[], $4::text[], $7::bigint[], $8::bigint[])
      as m (settlement, fen, state, funds, account)
    on conflict (settlement) do update set clearing_date = excluded.clearing_date,
      amount_fen = excluded.amount_fen, state = excluded.state, received_at = excluded.received_at,
      funds_fen = excluded.funds_fen, account_fen = excluded.account_fen`, [
    date, items.map(one => one.settlement), items.map(one => one.amountFen), items.map(one => one.state),
    timestamp(atMs), source, items.map(one => one.fundsFen ?? null),
    items.map(one => one.accountFen ?? null)])
}

export const readMedicalTotals = async (tx: Tx, date: string): Promise<MedicalTotalRow[]> =>
  (await tx.query<MedicalTotalRow>(`
    select settlement, amount_fen as "amountFen", state, clearing_date as date, funds_fen as "fundsFen",
      account_fen as "accountFen"
    from medical_total where clearing_date = $1 order by settlement`, [date])).rows
