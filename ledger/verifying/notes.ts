// Loads, moves and blocks of cards, terminals with their enrolment and the versions they applied, bills of
// clinics: each row is the one that its batch noted; loads, returns and replacements are the transfers they
// say.
import { transferCodes } from '../core/chart.ts'
import {
  noteBytes, noteGroups, noteOf, notesDigest, notedTables, type NotedRow, type NotedTable
} from '../core/notes.ts'
import { codeTransfers } from '../posting/phone-codes.ts'
import { endDifferences } from '../store/card-ends.ts'
import { stateDifferences } from '../store/card-life.ts'
import { loadDifferences } from '../store/loads.ts'
import { useDifferences } from '../store/phone-codes.ts'
import { countRows, notedPages, notePages, notesOf, unnotedRows, type NoteRow } from '../store/notes.ts'
import { equal, faultList, type BookCheck, type Findings, type Reading } from './check.ts'

export const noteChecks: readonly BookCheck[] = [
  { name: 'notes are what their batches committed to', run: checkNotes },
  ...notedTables.map(table => ({
    name: `rows of ${table} are as they were noted`, run: (reading: Reading) => checkRows(reading, table)
  })),
  ...[...noteGroups].map(([group, tables]) => ({
    name: `no row of ${group} that was noted is gone`,
    run: async ({ tx }: Reading): Promise<Findings> => {
      const { noted, there } = await countRows(tx, group, tables)
      const gone = `${tables.join(', ')}: ${noted} rows were noted, ${there} are there`
      const faults = noted > there ? [gone] : []
      return { faults, seen: `${there} rows` }
    }
  })),
  {
    name: 'the state of a card is that of its last move',
    run: async ({ tx }) => equal(await stateDifferences(tx))
  },
  {
    name: 'returns and replacements of cards are the transfers they say',
    run: async ({ tx }) => equal(await endDifferences(tx, endCodes))
  },
  {
    name: 'codes of phones that are paid are the transfers they say',
    run: async ({ tx }) => equal(await useDifferences(tx, codeTransfers))
  },
  {
    name: 'loads are the transfers they say',
    run: async ({ tx, start }) => equal(await loadDifferences(tx, start))
  }
]

const endCodes = {
  valueFen: transferCodes.return_value, collected: transferCodes.return_collected,
  waitingFen: transferCodes.return_waiting, onlineFen: transferCodes.return_online,
  depositFen: transferCodes.return_deposit, keptFen: transferCodes.deposit_kept,
  moved: transferCodes.value_moved, fee: transferCodes.replacement_fee
}

async function checkNotes ({ tx, start }: Reading): Promise<Findings> {
  const { faults, add } = faultList()
  let count = 0
  for await (const page of notePages(tx, start)) {
    count += page.length
    for (const { batchId } of page.filter(isOther)) {
      add(`note of batch ${batchId}: not what the batch committed to`)
    }
  }
  return { faults, seen: `${count} batches` }
}

function isOther ({ noted, digests, items, itemsDigest }: NoteRow): boolean {
  if (noted === null || digests === null || itemsDigest === null) return true
  return digests.length !== (items ?? 0) * noteBytes || !notesDigest(noted, digests).equals(itemsDigest)
}

async function checkRows ({ tx, start }: Reading, table: NotedTable): Promise<Findings> {
  const { faults, add } = faultList()
  let count = 0
  for await (const page of notedPages(tx, table, start)) {
    count += page.length
    const notes = await notesOf(tx, table, [...new Set(page.map(row => row.noted_in))])
    for (const row of page) {
      const isNoted = notes.get(row.noted_in)?.has(noteOf(table, row).toString('hex')) === true
      if (!isNoted) add(`${nameOf(table, row)} of batch ${row.noted_in}: not as it was noted`)
    }
  }
  for (const row of await unnotedRows(tx, table)) add(`${row}: of no batch`)
  return { faults, seen: `${count} rows` }
}

const nameOf = (table: NotedTable, row: NotedRow): string =>
  [table, ...names[table].map(column => `${column} ${String(row[column])}`)].join(' ')
const names = {
  load: ['load_id', 'card_id'],
  card_block: ['key', 'card_id'],
  card_order: ['order_id', 'card_id'],
  card_order_signature: ['key', 'order_id'],
  card_move: ['card_id', 'move_no'],
  parameter_applied: ['terminal_id', 'version'],
  terminal: ['terminal_id', 'code'],
  terminal_enrolment: ['terminal_id', 'state'],
  clinic_settlement: ['settlement_no', 'person_id'],
  clinic_effect: ['effect_no', 'settlement_no'],
  clinic_message: ['message_no', 'message'],
  clinic_reversed: ['party_id', 'message'],
  clinic_person: ['person_id', 'person'],
  clinic_institution: ['party_id', 'level']
} as const satisfies Readonly<Record<NotedTable, readonly string[]>>
