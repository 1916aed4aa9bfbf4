// Which rows beside transfers and verdicts are committed to, column by column, and the digests of that. A row
// that is changed in place is noted anew by the batch that changes it. Golden bytes: a change here breaks
// every old note. Pure.
import { createHash } from 'node:crypto'

/** The columns of each table as it began, in the order they are hashed in; `noted_in` names the batch. */
export const noted = {
  load: [
    'bucket', 'load_id', 'card_id', 'client_id', 'key', 'digest', 'source', 'party_id', 'amount_fen',
    'offline_counter', 'online_counter', 'balance_fen', 'key_version', 'terminal', 'date_time', 'mac2',
    'outcome', 'reason', 'state', 'evidence', 'tac', 'journal_id', 'agent_account', 'clearing_date',
    'requested_at', 'decided_at'
  ],
  card_block: [
    'bucket', 'card_id', 'client_id', 'key', 'operator', 'terminal', 'form', 'challenge', 'listed_for',
    'state', 'requested_at', 'decided_at'
  ],
  card_order: [
    'bucket', 'order_id', 'card_id', 'name', 'form', 'file_id', 'file_offset', 'file_bytes', 'reason',
    'ordered_by', 'ordered_at', 'state', 'sw', 'decided_at'
  ],
  card_order_signature: [
    'bucket', 'client_id', 'key', 'order_id', 'operator', 'terminal', 'challenge', 'signed_at'
  ],
  card_move: [
    'bucket', 'card_id', 'move_no', 'move', 'from_state', 'to_state', 'moved_by', 'reason', 'moved_at'
  ],
  parameter_applied: ['terminal_id', 'kind', 'version', 'applied_at', 'reported_at'],
  terminal: ['terminal_id', 'party_id', 'code', 'name', 'reachable'],
  terminal_enrolment: [
    'terminal_id', 'state', 'kind', 'place', 'gateway', 'firmware', 'key_name', 'key_check', 'key_wrapped',
    'heartbeat_seconds', 'certificates', 'version', 'enrolled_at', 'changed_at'
  ],
  clinic_settlement: [
    'settlement_no', 'party_id', 'person_id', 'visit', 'year', 'bill', 'split', 'total_fen', 'funds_fen',
    'account_fen', 'family_fen', 'purse_fen', 'cash_fen', 'hospital_fen', 'family_id', 'client', 'paid_by',
    'debit', 'returned_at', 'taken_back_by', 'centre', 'centre_no'
  ],
  clinic_effect: [
    'effect_no', 'settlement_no', 'sign', 'party_id', 'message', 'clearing_date', 'at', 'journal_id',
    'request_key'
  ],
  clinic_message: [
    'message_no', 'party_id', 'message', 'person_id', 'asked', 'reply', 'answered_at', 'due_debit', 'due_fen',
    'due_settlement', 'due_asked'
  ],
  clinic_reversed: ['party_id', 'message', 'by_message'],
  clinic_person: [
    'person_id', 'person', 'bucket', 'card_id', 'account_bucket', 'account_card_id', 'area', 'scheme',
    'category', 'born_on', 'tags', 'family_id'
  ],
  clinic_institution: ['party_id', 'level', 'code']
} as const satisfies Readonly<Record<string, readonly string[]>>
export type NotedTable = keyof typeof noted
export const notedTables = Object.keys(noted) as NotedTable[]

/** Columns that came later: hashed by name, where they hold something. So a row of before keeps its note. */
const later: Readonly<Partial<Record<NotedTable, readonly string[]>>> = { load: ['rule'] }

/** Every column that a note is made of. */
export const columnsOf = (table: NotedTable): readonly string[] => [...noted[table], ...later[table] ?? []]

/** Tables whose rows one transaction notes together: what is done for a person is one batch, not four. */
const groups: Readonly<Partial<Record<NotedTable, string>>> = {
  clinic_settlement: 'clinic', clinic_effect: 'clinic', clinic_message: 'clinic', clinic_reversed: 'clinic',
  clinic_person: 'clinic', clinic_institution: 'clinic'
}
export const groupOf = (table: NotedTable): string => groups[table] ?? table
/** In groups rows that begin are noted apart from rows that change: so one that was taken away is missed. */
export const changesOf = (group: string): string => `${group} changed`
export const noteGroups: ReadonlyMap<string, readonly NotedTable[]> = new Map(
  [...new Set(Object.values(groups))].map(group => [group, notedTables.filter(one => groups[one] === group)]))

/** A row as the database gives it, by the names of its columns. */
export type NotedRow = Readonly<Record<string, unknown>>
export const noteBytes = 32

/** SHA-256 over the row as a JSON array: no field can flow into another. */
export function noteOf (table: NotedTable, row: NotedRow): Buffer {
  const values = [
    ...noted[table].map(column => shown(row[column])),
    ...(later[table] ?? []).map(column => [column, shown(row[column])]).filter(([, value]) => value !== null)
  ]
  return createHash('sha256').update(JSON.stringify(['note', 1, table, ...values]), 'utf8').digest()
}

/** What the batch commits to: the table, and its notes one after the other. */
export const notesDigest = (table: string, digests: Uint8Array): Buffer =>
  createHash('sha256').update(`notes|1|${table}|`, 'utf8').update(digests).digest()

function shown (value: unknown): string | number | boolean | readonly string[] | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value) // an instant that is none
  return value as string | number | boolean | readonly string[]
}
