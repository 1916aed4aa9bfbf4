// Rides of a clearing date as cells that hide who rode: made in the database, so that no list of rides leaves
// it. It refuses to know formats.
import { outcomeNumbers } from '../../schemas/reasons.ts'
import { cellCardsMin, cellColumns, poolingSteps, type CellColumn } from '../core/statistics.ts'
import type { Query } from './exports.ts'

export type StatisticsOf = {
  readonly date: string
  /** Minutes after midnight at which a transit day begins. */
  readonly dayStartsAtMinute: number
}
export type RideCell = {
  readonly day: string, readonly operator: string, readonly action: number
  /** Null: of several, none of which may be told. */
  readonly line: string | null, readonly stop: string | null, readonly category: string | null
  /** 0 to 23 by the wall clock, of the calendar day `hourDay`. */
  readonly hourDay: string | null, readonly hour: number | null
  readonly rides: bigint, readonly amountFen: bigint
}

/**
 * Records that come later stand in their own clearing date: what is told of a cleared one is the same for
 * ever, and two editions of it cannot be held against each other.
 */
const cells = (): string => {
  const columns = cellColumns.join(', ')
  const steps = poolingSteps.map((pooled, step) => {
    const key = cellColumns.filter(column => !pooled.includes(column))
    const [from, names] = [`rest${step}`, key.join(', ')]
    const told = cellColumns.map(column => pooled.includes(column) ? untold(column) : column).join(', ')
    return `
    cell${step} as materialized (
      select ${names}, count(*) as rides, sum(amount_fen)::bigint as amount_fen
      from ${from} group by ${names} having count(distinct card_id) >= ${cellCardsMin}),
    told${step} as (select ${told}, rides, amount_fen from cell${step}),
    rest${step + 1} as materialized (
      select r.* from ${from} r left join cell${step} c using (${names}) where c.rides is null)`
  })
  return `
    rest0 as materialized (
      select e.card_id, e.amount_fen, p.code as operator, r.sense as action, r.line,
        coalesce(r.stop, '') as stop, coalesce(c.card_type, '') as category,
        date_trunc('hour', r.at at time zone 'Asia/Shanghai') as hour,
        (r.at at time zone 'Asia/Shanghai' - make_interval(mins => $2))::date as day
      from card_event e
      join ride r on r.bucket = e.bucket and r.card_id = e.card_id and r.counter = e.counter
        and r.content = e.content
      join terminal t using (terminal_id) join party p using (party_id)
      join card c on c.bucket = e.bucket and c.card_id = e.card_id
      where e.clearing_date = $1 and e.purse = 2 and e.counter_kind = 0
        and e.outcome = ${outcomeNumbers.accepted}),
    ${steps.join(',')},
    told as (${poolingSteps.map((_, step) =>
      `select ${columns}, rides, amount_fen from told${step}`).join(' union all ')})`
}

const untold = (column: CellColumn): string =>
  `null::${column === 'hour' ? 'timestamp' : 'text'} as ${column}`

/** In an order of their own, not that in which anything happened. */
export const rideCellsQuery = ({ date, dayStartsAtMinute }: StatisticsOf): Query => ({
  text: `
    with ${cells()}
    select day, operator, action, line, nullif(stop, '') as stop, nullif(category, '') as category,
      hour::date as "hourDay", extract(hour from hour)::int as hour, rides, amount_fen as "amountFen"
    from told
    order by day, operator, line nulls last, told.hour nulls last, told.stop nulls last, action,
      told.category nulls last`,
  values: [date, dayStartsAtMinute]
})

export type StopCell = {
  readonly day: string, readonly stop: string, readonly hourDay: string, readonly hour: number
  readonly rides: bigint, readonly entries: bigint, readonly exits: bigint, readonly amountFen: bigint
}

/** Sums of the very cells above that name a stop and an hour: they tell nothing that those do not. */
export const stopCellsQuery = ({ date, dayStartsAtMinute }: StatisticsOf): Query => ({
  text: `
    with ${cells()}
    select day, stop, hour::date as "hourDay", extract(hour from hour)::int as hour,
      sum(rides)::bigint as rides, coalesce(sum(rides) filter (where action = 1), 0)::bigint as entries,
      coalesce(sum(rides) filter (where action = 2), 0)::bigint as exits,
      sum(amount_fen)::bigint as "amountFen"
    from told where stop <> '' and told.hour is not null
    group by day, stop, told.hour order by day, stop, told.hour`,
  values: [date, dayStartsAtMinute]
})
