// What an operator is told of a day: the figures of its QS, the names of its NS.
import type { Summary } from '../../schemas/clearing-file/answers.ts'
import { outcomeNumbers } from '../../schemas/reasons.ts'
import type { Db } from './db.ts'
import { evidenceKinds } from './records.ts'
import { lines } from './views.ts'

type Told = { readonly outcome: number, readonly n: bigint, readonly fen: bigint }

/** What came in files, as their parts add it up; `refused` stands for all that was not paid. */
const toldInFiles = async (db: Db, party: string, date: string): Promise<Told[]> =>
  (await db.query<Told>(`
    select o.outcome, coalesce(sum(o.n), 0)::bigint as n, coalesce(sum(o.fen), 0)::bigint as fen
    from delivery_part p join delivery d on d.bucket = 0 and d.delivery_no = p.delivery_no
    cross join lateral (values
      (${outcomeNumbers.accepted}, p.accepted_count, p.accepted_fen),
      (${outcomeNumbers.refused}, p.refused_count, p.refused_fen),
      (${outcomeNumbers.excluded}, p.excluded_count, p.excluded_fen)) as o (outcome, n, fen)
    where p.bucket = 0 and p.clearing_date = $2 and d.source = $1 group by 1`, [party, date])).rows

/** What its terminals sent by themselves. */
const toldByTerminals = async (db: Db, party: string, date: string): Promise<Told[]> =>
  (await db.query<Told>(`
    select l.outcome, count(*) as n, coalesce(sum(l.amount_fen), 0)::bigint as fen
    from (${lines}) l join delivery d on d.bucket = 0 and d.delivery_no = l.delivery_no and d.kind = 'json'
    join terminal t on t.terminal_id = l.terminal_id join party p using (party_id)
    where p.code = $1 and l.clearing_date = $2 group by 1`, [party, date])).rows

/** What verdicts that changed on the date gave an operator and took from it. */
type Changed = { readonly gives: boolean, readonly n: bigint, readonly fen: bigint }

/** A verdict that is another now and moves no money of the operator is in neither. */
const changed = async (db: Db, party: string, date: string): Promise<Changed[]> =>
  (await db.query<Changed>(`
    select a.amount_fen > 0 as gives, count(*) as n, abs(sum(a.amount_fen))::bigint as fen
    from adjustment a join delivery d on d.bucket = 0 and d.delivery_no = a.delivery_no
    cross join lateral (
      select terminal_id from card_event e
      where e.bucket = a.bucket and e.card_id = a.card_id and e.delivery_no = a.delivery_no
        and e.line_no = a.line_no
      union all
      select terminal_id from evidence x
      where x.bucket = a.bucket and x.card_id = a.card_id and x.delivery_no = a.delivery_no
        and x.line_no = a.line_no and x.kind <> ${evidenceKinds.completion}) l
    left join terminal t on t.terminal_id = l.terminal_id left join party p using (party_id)
    where a.clearing_date = $2 and a.amount_fen <> 0
      and case when d.kind = 'file' then d.source else p.code end = $1
    group by 1`, [party, date])).rows

/**
 * Lines belong to the operator of the file they came in, or of the terminal that sent them. Confirmed plus
 * adjusted less adjustments refused is what verdicts of the date put into the operator's position.
 */
export async function viewSummary (db: Db, party: string, merchant: string, date: string): Promise<Summary> {
  const first = [...await toldInFiles(db, party, date), ...await toldByTerminals(db, party, date)]
  const later = await changed(db, party, date)
  const total = (rows: readonly Told[], outcomes: (keyof typeof outcomeNumbers)[]) => {
    const own = rows.filter(row => outcomes.some(outcome => outcomeNumbers[outcome] === row.outcome))
    return {
      count: own.reduce((sum, row) => sum + Number(row.n), 0),
      fen: own.reduce((sum, row) => sum + Number(row.fen), 0)
    }
  }
  const confirmed = total(first, ['accepted'])
  const refused = total(first, ['refused', 'held'])
  const sumOf = (which: boolean) => {
    const { n = 0n, fen = 0n } = later.find(({ gives }) => gives === which) ?? {}
    return { count: Number(n), fen: Number(fen) }
  }
  const [adjusted, adjustmentRefused] = [sumOf(true), sumOf(false)]
  return {
    merchant, date: date.replaceAll('-', ''), confirmedCount: confirmed.count, confirmedFen: confirmed.fen,
    refusedCount: refused.count, refusedFen: refused.fen, adjustedCount: adjusted.count,
    adjustedFen: adjusted.fen,
    adjustmentRefusedCount: adjustmentRefused.count, adjustmentRefusedFen: adjustmentRefused.fen,
    excludedCount: total(first, ['excluded']).count
  }
}

/** Files of an operator of which lines were cleared on a date. */
export const viewFiles = async (db: Db, party: string, date: string): Promise<string[]> =>
  (await db.query<{ name: string }>(`
    select distinct d.external_id as name
    from delivery_part p join delivery d on d.bucket = 0 and d.delivery_no = p.delivery_no
    where p.bucket = 0 and p.clearing_date = $2 and d.source = $1 order by 1`, [party, date]))
    .rows.map(row => row.name)
