// What chips hold against what the ledger owes for them, as rows: sums over all purses, and the purses that
// differ with how long that is so. It refuses to know why they differ.
import { timestamp, type Db } from './db.ts'
import type { Query } from './exports.ts'

/** We owe nothing to holders of other cities. */
const ownPurses = `
  select p.*, c.issuer, c.serial, c.issue, c.card_type
  from purse p join card c on c.bucket = p.bucket and c.card_id = p.card_id
  where c.card_type <> 'foreign'`

/** The oldest open item about a card says since when; what needs none (the issuer bears it) has no age. */
const sinceOpen = `
  select min(i.opened_at) as opened_at, count(*)::int as items from item i
  where i.layer = 'E' and i.state = 'open' and i.card_bucket = d.bucket and i.card_id = d.card_id`

export type PopulationRow = {
  readonly purses: bigint, readonly shadowFen: bigint, readonly chipFen: bigint, readonly differing: bigint
}

export const readPopulation = async (db: Db): Promise<PopulationRow> =>
  (await db.query<PopulationRow>(`
    select count(*) as purses, coalesce(sum(shadow_fen), 0)::bigint as "shadowFen",
      coalesce(sum(last_balance_fen), 0)::bigint as "chipFen",
      count(*) filter (where shadow_fen <> last_balance_fen) as differing
    from (${ownPurses}) d`)).rows[0] as PopulationRow

export type BandRow = {
  /** Null: purses that differ without an open item. */
  readonly band: number | null, readonly purses: bigint, readonly moreFen: bigint, readonly lessFen: bigint
}

/** Days since it was opened, from which each band begins, oldest last. */
const bandOf = 'width_bucket(extract(epoch from $1::timestamptz - o.opened_at) / 86400, $2::float8[])'

/** Purses that differ, by age; `moreFen`: where we owe more than the chip says, `lessFen`: where less. */
export const readBands = async (db: Db, nowMs: number, from: readonly number[]): Promise<BandRow[]> =>
  (await db.query<BandRow>(`
    select case when o.items = 0 then null else ${bandOf} end as band, count(*) as purses,
      coalesce(sum(d.shadow_fen - d.last_balance_fen) filter (where d.shadow_fen > d.last_balance_fen), 0)
        ::bigint as "moreFen",
      coalesce(sum(d.last_balance_fen - d.shadow_fen) filter (where d.shadow_fen < d.last_balance_fen), 0)
        ::bigint as "lessFen"
    from (${ownPurses} and p.shadow_fen <> p.last_balance_fen) d cross join lateral (${sinceOpen}) o
    group by 1 order by 1 nulls last`, [timestamp(nowMs), from])).rows

export type DifferingFilter = {
  readonly nowMs: number, readonly from: readonly number[]
  /** Place of a band; -1: those without an open item; null: all. */
  readonly band: number | null
  readonly after: { readonly cardId: bigint, readonly purse: number }
  /** Null: all. */
  readonly limit: number | null
}
export type DifferingRow = {
  readonly cardId: bigint, readonly purse: number, readonly issuer: string, readonly serial: string
  readonly issue: number, readonly cardType: string, readonly shadowFen: bigint, readonly chipFen: bigint
  readonly lastCounter: number, readonly items: number, readonly openedAtMs: number | null
}

/** Purses that differ, by card; exports read the same query through a cursor. */
export const differingQuery = ({ nowMs, from, band, after, limit }: DifferingFilter): Query => ({
  text: `
    select d.card_id as "cardId", d.purse, upper(encode(d.issuer, 'hex')) as issuer,
      upper(encode(d.serial, 'hex')) as serial, d.issue, d.card_type as "cardType",
      d.shadow_fen as "shadowFen", d.last_balance_fen as "chipFen", d.last_counter as "lastCounter", o.items,
      o.opened_at as "openedAtMs"
    from (${ownPurses} and p.shadow_fen <> p.last_balance_fen) d cross join lateral (${sinceOpen}) o
    where (d.card_id, d.purse) > ($3::bigint, $4::smallint)
      and ($5::int is null or $5 = case when o.items = 0 then -1 else ${bandOf} end)
    order by d.card_id, d.purse limit $6`,
  values: [timestamp(nowMs), from, after.cardId, after.purse, band, limit]
})

export const readDiffering = async (db: Db, filter: DifferingFilter): Promise<DifferingRow[]> => {
  const { text, values } = differingQuery(filter)
  return (await db.query<DifferingRow>(text, [...values])).rows
}
