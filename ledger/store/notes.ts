// Notes as rows, and the rows they are about. It refuses to know what a note means.
import {
  changesOf, columnsOf, groupOf, noteBytes, type NotedRow, type NotedTable
} from '../core/notes.ts'
import type { Db, Tx } from './db.ts'
import type { Start } from './verification.ts'

/** For `returning`: what a note is made of; `of` names the table where others are beside it. */
export const notedColumns = (table: NotedTable, of: string = table): string =>
  columnsOf(table).map(column => `${of}.${column}`).join(', ')

export async function insertNote (
  tx: Tx, batchId: bigint, noted: string, digests: Uint8Array
): Promise<void> {
  await tx.query('insert into note (batch_id, noted, digests) values ($1, $2, $3)',
    [batchId, noted, digests])
}

/* ---- what a verification reads ---- */

const rowsPerPage = 5_000

/** Rows that name a batch, those of one batch one after the other, from a batch on. */
export async function * notedPages (
  tx: Tx, table: NotedTable, { batchId }: Start
): AsyncGenerator<(NotedRow & { readonly noted_in: bigint })[]> {
  const cursor = `noted_${table}`
  await tx.query(`
    declare ${cursor} no scroll cursor for
    select noted_in, ${notedColumns(table)} from ${table}
    where noted_in >= $1 or noted_in <= 0 order by noted_in`, [batchId]) // no batch has such a number
  for (;;) {
    const { rows } = await tx.query<NotedRow & { noted_in: bigint }>(`fetch ${rowsPerPage} from ${cursor}`)
    if (rows.length === 0) break
    yield rows
  }
  await tx.query(`close ${cursor}`) // after an error its savepoint or its transaction has closed it
}

/** The notes of some batches, by batch, as texts of hexadecimal digits. */
export async function notesOf (
  tx: Tx, table: NotedTable, batches: readonly bigint[]
): Promise<Map<bigint, ReadonlySet<string>>> {
  const { rows } = await tx.query<{ batchId: bigint, digests: Buffer }>(`
    select batch_id as "batchId", digests from note
    where bucket = 0 and batch_id = any($1) and noted = any($2)`,
  [batches, [groupOf(table), changesOf(groupOf(table))]])
  return new Map(rows.map(({ batchId, digests }) => [batchId, new Set(notesIn(digests))]))
}

const notesIn = (digests: Buffer): string[] =>
  Array.from({ length: Math.ceil(digests.length / noteBytes) }, (_, place) =>
    digests.toString('hex', place * noteBytes, (place + 1) * noteBytes))

export type NoteRow = {
  readonly batchId: bigint, readonly noted: string | null, readonly digests: Buffer | null
  /** Of its batch; null where that is no batch of notes. */
  readonly items: number | null, readonly itemsDigest: Buffer | null
}

/** Notes and batches of notes, each beside the other, in order. */
export async function * notePages (tx: Tx, { batchId }: Start): AsyncGenerator<NoteRow[]> {
  for (let from = batchId; ;) {
    const { rows } = await tx.query<NoteRow>(`
      select coalesce(n.batch_id, b.batch_id) as "batchId", n.noted, n.digests, b.items,
        b.items_digest as "itemsDigest"
      from (select * from note where bucket = 0 and batch_id >= $1) n
      full join (
        select * from batch where bucket = 0 and kind = 'notes' and batch_id >= $1) b using (batch_id)
      order by 1 limit ${rowsPerPage}`, [from])
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows
    from = last.batchId + 1n
  }
}

/** When a row came to be, and what names it; null where a table does not know. */
const times = {
  load: ['requested_at', "format('load %s', load_id)"],
  card_block: ['requested_at', "format('card_block %s', key)"],
  card_order: ['ordered_at', "format('card_order %s', order_id)"],
  card_order_signature: ['signed_at', "format('card_order_signature %s', key)"],
  card_move: ['moved_at', "format('card_move %s of card %s', move_no, card_id)"],
  parameter_applied: [
    'reported_at', "format('parameter_applied terminal %s version %s', terminal_id, version)"
  ],
  terminal: null,
  terminal_enrolment: ['changed_at', "format('terminal_enrolment %s', terminal_id)"],
  clinic_settlement: [
    '(select min(e.at) from clinic_effect e where e.settlement_no = clinic_settlement.settlement_no)',
    "format('clinic_settlement %s', settlement_no)"
  ],
  clinic_effect: ['at', "format('clinic_effect %s', effect_no)"],
  clinic_message: ['answered_at', "format('clinic_message %s %s', party_id, message)"],
  clinic_reversed: [
    `(select answered_at from clinic_message m
      where m.party_id = clinic_reversed.party_id and m.message = clinic_reversed.by_message)`,
    "format('clinic_reversed %s %s', party_id, message)"
  ],
  clinic_person: null,
  clinic_institution: null
} as const satisfies Readonly<Record<NotedTable, readonly [string, string] | null>>

/**
 * Rows that name no batch although others of their table did so a day before them: while a new version takes
 * over, the one of before still writes without.
 */
export async function unnotedRows (tx: Tx | Db, table: NotedTable): Promise<string[]> {
  const known = times[table]
  if (known === null) return []
  const [at, name] = known
  const { rows } = await tx.query<{ what: string }>(`
    select ${name} as what from ${table} where noted_in is null and ${at} > (
      select min(b.created_at) + interval '1 day' from note n
      join batch b on b.bucket = 0 and b.batch_id = n.batch_id where n.bucket = 0 and n.noted = $1)
    order by ${at} limit 20`, [groupOf(table)])
  return rows.map(({ what }) => what)
}

/** Rows that were noted when they began, and rows that name a batch. */
export async function countRows (
  tx: Tx, group: string, tables: readonly NotedTable[]
): Promise<{ noted: bigint, there: bigint }> {
  const { rows: [row] } = await tx.query<{ noted: bigint, there: bigint }>(`
    select coalesce(
        (select sum(length(digests)) / ${noteBytes} from note where noted = $1), 0)::bigint as noted,
      (select sum(n) from (${tables.map(table =>
        `select count(*) as n from ${table} where noted_in is not null`).join(' union all ')}
      ) as c)::bigint as there`,
  [group])
  return row ?? { noted: 0n, there: 0n }
}
