// Long lists for exports: one snapshot of the database, read through a cursor a page at a time. Whoever stops
// reading ends the transaction.
import type { CardRef } from '../../schemas/record.ts'
import type { Book, Heading } from '../core/chart.ts'
import type { Db, Tx } from './db.ts'

export type Query = { readonly text: string, readonly values: readonly unknown[] }

const rowsPerPage = 1_000

/** What `work` yields, all of it read at one moment, however long the reading takes. */
export async function * inSnapshot<T> (db: Db, work: (tx: Tx) => AsyncGenerator<T>): AsyncGenerator<T> {
  const tx = await db.connect()
  let broken: Error | undefined
  try {
    await tx.query('begin isolation level repeatable read read only')
    yield * work(tx)
  } finally {
    await tx.query('rollback').catch((fault: Error) => { broken = fault })
    tx.release(broken)
  }
}

/** All rows of a query, a page at a time; one query per transaction. */
export async function * pagesOf<Row extends object> (
  tx: Tx, { text, values }: Query
): AsyncGenerator<readonly Row[]> {
  await tx.query(`declare export_rows no scroll cursor for ${text}`, [...values])
  for (;;) {
    const { rows } = await tx.query<Row>(`fetch ${rowsPerPage} from export_rows`)
    if (rows.length > 0) yield rows
    if (rows.length < rowsPerPage) return
  }
}

export const snapshotPages = <Row extends object>(db: Db, query: Query): AsyncGenerator<readonly Row[]> =>
  inSnapshot(db, tx => pagesOf<Row>(tx, query))

/* ---- transfers ---- */

export type TransferFilter = {
  readonly date: string, readonly account: string | null, readonly party: string | null
}
export type AccountColumns = { readonly book: Book, readonly heading: Heading, readonly party: string | null }
export type TransferRow = {
  readonly transferId: bigint, readonly journalId: bigint, readonly date: string, readonly code: number,
  readonly amountFen: bigint, readonly eventAtMs: number, readonly corrects: bigint | null,
  readonly debit: AccountColumns, readonly credit: AccountColumns, readonly card: CardRef | null
}

const accountJson = (account: string, party: string): string =>
  `json_build_object('book', ${account}.book, 'heading', ${account}.heading, 'party', ${party}.code)`
const codeOf = (account: string, party: string): string =>
  `concat_ws('/', ${account}.book, ${account}.heading, ${party}.code)`

/** Transfers of a clearing date in the order of their numbers; an account is `book/heading[/PARTY]`. */
export const transfersQuery = ({ date, account, party }: TransferFilter): Query => ({
  text: `
    select t.transfer_id as "transferId", t.journal_id as "journalId", t.clearing_date as date, t.code,
      t.amount_fen as "amountFen", t.event_at as "eventAtMs", t.corrects,
      ${accountJson('d', 'dp')} as debit, ${accountJson('c', 'cp')} as credit,
      case when k.card_id is null then null else json_build_object('issuer', upper(encode(k.issuer, 'hex')),
        'serial', upper(encode(k.serial, 'hex')), 'issue', k.issue) end as card
    from transfer t
    join account d on d.account_id = t.debit_account left join party dp on dp.party_id = d.party_id
    join account c on c.account_id = t.credit_account left join party cp on cp.party_id = c.party_id
    left join card k on k.bucket = t.bucket and k.card_id = t.card_id
    where t.clearing_date = $1
      and ($2::text is null or $2 in (${codeOf('d', 'dp')}, ${codeOf('c', 'cp')}))
      and ($3::text is null or $3 in (dp.code, cp.code))
    order by t.transfer_id`,
  values: [date, account, party]
})

/* ---- statements and items ---- */

export type StatementLineRow = {
  readonly party: string, readonly name: string, readonly book: Book, readonly text: string,
  readonly count: number, readonly amountFen: bigint
}

/** One row per line of a statement of the date. */
export const statementsQuery = (date: string, party: string | null): Query => ({
  text: `
    select p.code as party, p.name_en as name, s.book, line ->> 'text' as text,
      (line ->> 'count')::int as count, (line ->> 'amountFen')::bigint as "amountFen"
    from statement s join party p using (party_id),
      jsonb_array_elements(s.document -> 'lines') with ordinality as l (line, place)
    where s.clearing_date = $1 and ($2::text is null or p.code = $2) order by s.book, p.code, place`,
  values: [date, party]
})

export type ItemFilter = {
  readonly layer: string | null, readonly state: string | null, readonly party: string | null
}
export type ItemExportRow = {
  readonly itemId: bigint, readonly layer: string, readonly outcome: string, readonly key: string,
  readonly party: string | null, readonly date: string, readonly amountFen: bigint, readonly records: number,
  readonly state: string, readonly owner: string | null, readonly note: string | null,
  readonly resolution: string | null, readonly openedAtMs: number
}

export const itemsQuery = ({ layer, state, party }: ItemFilter): Query => ({
  text: `
    select i.item_id as "itemId", i.layer, i.outcome, i.key, p.code as party, i.clearing_date as date,
      i.amount_fen as "amountFen", i.records, i.state, i.owner, i.note, i.resolution,
      i.opened_at as "openedAtMs"
    from item i left join party p using (party_id)
    where ($1::text is null or i.layer = $1) and ($2::text is null or i.state = $2)
      and ($3::text is null or p.code = $3) order by i.item_id`,
  values: [layer, state, party]
})

/** Names of parties, for people. */
export const partyNames = async (db: Db | Tx): Promise<Map<string, string>> =>
  new Map((await db.query<{ code: string, name: string }>('select code, name_en as name from party'))
    .rows.map(({ code, name }) => [code, name]))
