// All rows of a ledger's database as text, without what time and chance make of them: two databases in which
// the same things were done look alike, whatever died in between.
import type { Db } from '../../ledger/store/db.ts'

/** Rows by table; tables without rows are not there. */
export type Picture = Readonly<Record<string, readonly string[]>>

/** Numbers that a sequence gives: a transaction that died has used some up. Keys are drawn by chance. */
const counted = new Set([
  'batch_id', 'journal_id', 'transfer_id', 'noted_in', 'corrects', 'order_id', 'delivery_no', 'load_id',
  'original', 'last_batch', 'sealed_with', 'returned_by'])
const kept = new Set(['card_id', 'party_id', 'terminal_id', 'staff_id', 'account_id', 'psam_id'])
/** What runs by the clock of the machine: who is signed in, how far the seal and the watch have come. */
const timed = new Set([
  'session', 'tree_head', 'tree_leaf', 'tree_tile', 'head_given', 'gateway_state', 'batch_news',
  'psam_sequence', 'last_tac'])

export async function pictureOf (db: Db): Promise<Picture> {
  const { rows: columns } = await db.query<{ table: string, column: string, dropped: boolean }>(`
    select c.relname as table, a.attname as column,
      a.attidentity <> '' or a.atttypid in ('timestamptz'::regtype, 'bytea'::regtype, 'uuid'::regtype)
        as dropped
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attnum > 0 and not a.attisdropped
    order by 1, 2`)
  const tables = [...new Set(columns.map(({ table }) => table))].filter(table => !timed.has(table))
  const isDropped = ({ column, dropped }: typeof columns[number]): boolean =>
    !kept.has(column) && (dropped || counted.has(column))
  const gone = [...new Set(columns.filter(isDropped).map(({ column }) => column))]
  const { rows } = await db.query<{ table: string, row: Record<string, unknown> }>({
    text: tables.map(table =>
      `select '${table}' as table, to_jsonb(x) - $1::text[] as row from "${table}" x`).join(' union all '),
    values: [gone]
  })
  const { rows: cards } = await db.query<{ id: string, serial: string }>(
    "select card_id::text as id, right(encode(serial, 'hex'), 4) as serial from card")
  const serials = new Map(cards.map(({ id, serial }) => [id, `card ${serial}`]))
  const picture: Record<string, string[]> = {}
  for (const { table, row } of rows) {
    const named = Object.entries(row).map(([column, value]) =>
      [column, /(^|_)card_id$/.test(column) ? serials.get(String(value)) ?? value : value])
    ;(picture[table] ??= []).push(plain(JSON.stringify(Object.fromEntries(named))))
  }
  for (const lines of Object.values(picture)) lines.sort()
  return picture
}

/** Text without instants, names drawn by chance, and numbers of a sequence. */
export const plain = (text: string): string => text
  .replace(/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, 'AT')
  .replace(/\b([HP])[0-9A-F]{16}\b/g, '$1…')
  .replace(/#[0-9A-Fa-f]{8}\b/g, '#…')
  .replace(/([0-9a-f]{8} )?[0-9A-Za-z_+/=-]{40,}/g, '…')
  .replace(/\b[0-9a-fA-F]{8,}\b/g, match => /^\d+$/.test(match) ? match : '…')
  .replace(/\b(proposal|application|order|card-order|journal|item|batch)\/\d+/g, '$1/N')
  .replace(/"(proposal|application|order|id)\\?":\s?\d+/g, '"$1":N')

/** Lines that one has and the other has not, with their table. */
export function differences (one: Picture, other: Picture): string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].sort().flatMap(table => {
    const [left, right] = [[...one[table] ?? []], [...other[table] ?? []]]
    const only = left.filter(line => {
      const at = right.indexOf(line)
      if (at >= 0) right.splice(at, 1)
      return at < 0
    })
    return [...only.map(line => `- ${table} ${line}`), ...right.map(line => `+ ${table} ${line}`)]
  })
}
