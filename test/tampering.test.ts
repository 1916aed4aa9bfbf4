// Somebody with the database in hand changes one value, in every column of every table that tells of money,
// one after the other: `verify` must find it and name table and row. What it cannot find is listed here, each
// with its reason.
import t from 'tap'
import { openDb, type Tx } from '../ledger/store/db.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { putDown } from './support/chips-in-hand.ts'
import { billsOfAllKinds } from './support/clinic.ts'
import { startDoors, type Door } from './support/ledger-http.ts'
import { credit, initialise, newCard } from './support/loading.ts'
import { cardOf } from './support/posting.ts'
import { wholeDay } from './support/small-day.ts'

t.setTimeout(900_000)

/** What names a row of each table in the words of verify: any one of these columns. */
const named: Readonly<Record<string, readonly string[]>> = {
  transfer: ['transfer_id', 'batch_id'],
  delivery: ['delivery_no', 'external_id'],
  delivery_raw: ['delivery_no'],
  delivery_part: ['batch_id', 'delivery_no'],
  batch: ['batch_id'],
  card_event: ['card_id', 'batch_id', 'delivery_no'],
  evidence: ['delivery_no', 'batch_id'],
  adjustment: ['batch_id', 'card_id'],
  terminal_claim: ['sequence', 'counter'],
  balance_delta: ['batch_id', 'account_id'],
  account_day: ['account_id'],
  purse: ['card_id'],
  tree_leaf: ['leaf_index', 'batch_id'],
  tree_head: ['size'],
  head_given: ['size', 'audit_rows'],
  signing_key: ['key_id'],
  audit: ['seq'],
  clearing_day: ['clearing_date'],
  open_day: [], // one row
  day_step: ['clearing_date'],
  day_approval: ['clearing_date'],
  general_ledger: ['clearing_date', 'heading'],
  position: ['clearing_date'],
  position_charge: ['clearing_date'],
  statement: ['clearing_date'],
  instruction: ['clearing_date'],
  national_batch: ['clearing_date'],
  national_receipt: ['part'],
  national_return: ['return_id'],
  load: ['load_id', 'card_id', 'noted_in'],
  card_block: ['key', 'card_id', 'noted_in'],
  card_order: ['order_id', 'card_id', 'noted_in'],
  card_order_signature: ['key', 'order_id', 'noted_in'],
  parameter_applied: ['terminal_id', 'version', 'noted_in'],
  note: ['batch_id'],
  terminal: ['terminal_id', 'code'],
  terminal_enrolment: ['terminal_id'],
  clinic_settlement: ['settlement_no', 'person_id'],
  clinic_effect: ['effect_no', 'settlement_no'],
  clinic_message: ['message_no', 'message'],
  clinic_reversed: ['party_id', 'message'],
  clinic_person: ['person_id', 'person'],
  clinic_institution: ['party_id', 'level'],
  clinic_add: ['settlement_no'],
  clinic_accumulator: ['person_id', 'counter'],
  clinic_rule_set: ['area', 'version']
}

/** Not found, and why nobody loses by it. */
const uncovered: Readonly<Record<string, string>> = {
  'signing_key.since': 'what counts is the key, whose id is its hash',
  'day_step.step_no': 'only orders the steps of one day',
  'day_step.detail': 'holds nothing yet',
  'purse.beyond': 'true where it need not be costs time alone; false where it must not be is found',
  'open_day.one': 'always true: the table refuses anything else',
  'general_ledger.accounts': 'a count of accounts at that time, for the reader',
  'general_ledger.normal_side': 'a copy of the chart, which is code',
  'instruction.state': 'moves with the answer of the bank, each move with a deed in the audit log',
  'instruction.replaced_by': 'moves with the answer of the bank',
  'instruction.paid_line': 'moves with the answer of the bank',
  'instruction.returned_line': 'moves with the answer of the bank',
  'instruction.short_transfer': 'moves with the answer of the bank'
}

/** Rows that came to be in more than one way are changed once for each. */
const sorts: Readonly<Record<string, readonly string[]>> = {
  delivery: ["kind = 'json'", "kind = 'file'"],
  purse: ['last_counter > 100'], // nothing contradicts one that was never used
  national_return: ['refused is null', 'refused is not null'],
  load: ['state = 1'],
  adjustment: ["batch_id in (select batch_id from batch where kind = 'records')",
    "batch_id in (select batch_id from batch where kind = 'correction')"]
}

const other: Readonly<Record<string, string>> = {
  'audit.detail': "replace(detail, '{', '{ ')", // still JSON
  'delivery.kind': "case kind when 'json' then 'file' else 'json' end",
  'instruction.direction': "case direction when 'pay' then 'collect' else 'pay' end",
  'clearing_day.clearing_date': 'clearing_date + 10',
  'clinic_message.reply': "jsonb_set(reply, '{replayed}', 'true')" // some have no digit in them
}

const keys = new Set([
  'bucket', 'account_id', 'batch_id', 'transfer_id', 'delivery_no', 'party_id',
  'staff_id', 'terminal_id', 'leaf_index', 'seq', 'size'
])

type Column = { readonly name: string, readonly type: string }

const columnsOf = async (tx: Tx, table: string): Promise<Column[]> => (await tx.query<Column>(`
  select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
  where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`, [table])).rows

/** Another value of the same type, as small a change as there is. */
function changed (table: string, { name, type }: Column, was: unknown): string {
  const given = other[`${table}.${name}`]
  if (given !== undefined) return given
  if (type === 'boolean') return `not coalesce(${name}, false)`
  if (type === 'date') return `coalesce(${name}, '2026-03-02') + 1`
  if (type === 'text') return `coalesce(${name}, '') || 'x'`
  if (type === 'text[]') return `array_append(coalesce(${name}, '{}'), 'x')`
  if (type === 'smallint[]') return `array_append(coalesce(${name}, '{}'), 99::smallint)`
  if (type.startsWith('timestamp')) return `coalesce(${name}, now()) + interval '1 microsecond'`
  if (type === 'jsonb') {
    if (was === null) return "'{}'"
    const json = JSON.stringify(was).replaceAll("'", "''")
    return `'${json.replace(/\d/, digit => String((+digit + 1) % 10))}'`
  }
  if (type === 'bytea') {
    const last = `length(${name}) - 1`
    return `case when coalesce(length(${name}), 0) = 0 then '\\x01'
      else set_byte(${name}, ${last}, get_byte(${name}, ${last}) # 1) end`
  }
  return `coalesce(${name}, 0) + ${keys.has(name) ? 1_000 : 1}` // a neighbour's key would be refused
}

/** A check of the table, a sum in one, a number that only the table gives out; verify catches its own. */
const refusals = new Set(['23514', '22003', '428C9'])

/** A connection whose transaction somebody else has begun and will end. */
const inside = (tx: Tx) => ({
  query: (...args: never[]) => /^(begin|rollback$)/.test(String(args[0]))
    ? Promise.resolve({})
    : tx.query(...args as unknown as [string]),
  release: () => undefined
})

/** What verify says where this one value is another one: the faults, or that the database refused it. */
async function tamper (
  tx: Tx, table: string, sort: string, column: Column, value?: string
): Promise<{ row: unknown, says: string } | null> {
  await tx.query('begin')
  try {
    await tx.query('set local session_replication_role = replica') // no foreign keys: they would tell on him
    const { rows: [row] } = await tx.query<Record<string, unknown>>(`
      select tableoid, ctid::text, * from ${table} where ${sort}
      order by ${column.name} is null, 2 desc limit 1`)
    if (row === undefined) return null
    await tx.query(`
      update ${table} set ${column.name} = ${value ?? changed(table, column, row[column.name])}
      where tableoid = $1 and ctid = $2::tid`, [row['tableoid'], row['ctid']])
    const report = await verifyBooks({ connect: async () => inside(tx) } as never)
    return { row, says: report.checks.filter(one => !one.ok).map(one => one.detail).join('\n') }
  } catch (error) {
    const { code, message } = error as { code?: string, message: string }
    if (!refusals.has(code ?? '')) throw new Error(`${table}.${column.name}: ${message}`, { cause: error })
    return { row: {}, says: 'refused by the table' }
  } finally {
    await tx.query('rollback')
  }
}

const names = (table: string, row: Record<string, unknown>, says: string): boolean =>
  new RegExp(`\\b${table}\\b`).test(says) &&
  (named[table]?.length === 0 ||
    (named[table] ?? []).some(key => new RegExp(`\\b${String(row[key])}x?\\b`).test(says)))

/** What is wrong with what verify says of this one column; null where it names the row. */
async function missing (tx: Tx, table: string, sort: string, column: Column): Promise<string | null> {
  const place = `${table}.${column.name}`
  const found = await tamper(tx, table, sort, column)
  if (found === null) return `${place}: the day has no such row where ${sort}`
  const { row, says } = found
  if (says === 'refused by the table') return null
  if (place in uncovered) return says === '' ? null : `${place} is covered`
  if (names(table, row as Record<string, unknown>, says)) return null
  return `${place} where ${sort}: ${says === '' ? 'not found' : `not named: ${says}`}`
}

/** Columns of which not only the last byte is changed. */
const wholly = [
  ['delivery', 'raw', 'delivery_no = 1'], ['delivery_raw', 'bytes', 'true'],
  ['batch', 'root', "kind = 'records'"], ['batch', 'salt', "kind = 'records'"],
  ['audit', 'hash', 'true'], ['audit', 'detail', "action = 'registry.change'"]
] as const

/** Bytes of a column, of the first row, whose change `verify` does not see or does not name. */
async function unseenBytes (tx: Tx, table: string, column: string, where: string): Promise<number[]> {
  const { rows: [{ type = '' } = {}] } = await tx.query<{ type: string }>(
    `select format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = $1::regclass and attname = $2`, [table, column])
  const isText = type === 'text'
  const bytes = isText ? `convert_to(${column}, 'UTF8')` : column
  const { rows: [row = { ctid: '', length: 0 }] } = await tx.query<{ ctid: string, length: number }>(
    `select ctid::text, length(${bytes}) as length from ${table} where ${where} order by ctid limit 1`)
  const unseen: number[] = []
  for (const byte of someOf(row.length)) {
    const other = `set_byte(${bytes}, ${byte}, get_byte(${bytes}, ${byte}) # 1)`
    const value = isText ? `convert_from(${other}, 'UTF8')` : other
    const found = await tamper(tx, table, `ctid = '${row.ctid}'`, { name: column, type }, value)
    if (found === null || !names(table, found.row as Record<string, unknown>, found.says)) unseen.push(byte)
  }
  return unseen
}

/** The first bytes and the last one, and some between. */
const someOf = (length: number): number[] =>
  Array.from({ length }, (_, byte) => byte).filter(byte => byte < 4 || byte % 13 === 0 || byte === length - 1)

/** Values at the end of what a type can hold, and what no ledger ever wrote. */
const extremes: Readonly<Record<string, readonly string[]>> = {
  text: ["'{'", "'5'"],
  bytea: ["'\\x'"],
  date: ["'infinity'"],
  'timestamp with time zone': ["'infinity'"],
  jsonb: ["'null'", "'5'"],
  smallint: ['32767'],
  integer: ['2147483647'],
  bigint: ['-9223372036854775808', '9223372036854775807'],
  'smallint[]': ["'{null}'"]
}

/** What is wrong with what verify says of a column that became something mad; null where it names the row. */
async function madness (tx: Tx, table: string, column: Column, value: string): Promise<string | null> {
  const place = `${table}.${column.name} = ${value}`
  try {
    const found = await tamper(tx, table, 'true', column, value)
    if (found === null || found.says === 'refused by the table') return null
    if (`${table}.${column.name}` in uncovered) return null
    return found.says === '' ? `${place}: not found` : null
  } catch (error) {
    return `${place}: verify fell over: ${(error as Error).message}`
  }
}

/** A load that the chip took, one that nobody knows the end of, one refused; a block; versions applied. */
async function atTheCounter (door: Door): Promise<void> {
  const used = { balanceFen: 4_820, offlineCounter: 101 }
  for (const [number, chip, more] of [[2, used, {}], [3, {}, {}], [8, used, { party: 'TAXI' }]] as const) {
    const hand = putDown(newCard(number, chip))
    const load = { ...await initialise(hand, number, 1_000), ...more, key: `load-000${number}` }
    const reply = await door.ok('gateway', 'POST', '/v1/loads', load)
    if (number !== 2) continue
    const tac = await credit(hand, reply)
    await door.ok('gateway', 'POST', '/v1/loads/outcome',
      { key: load.key, card: load.card, outcome: 'written', tac })
  }
  const card = cardOf(4)
  const listed = { card, reason: 'loss', at: '2026-03-03T08:00:00+08:00' }
  await door.ok('registrar', 'POST', '/v1/blacklist', { add: [listed], remove: [] })
  const block = {
    key: 'block-0001', card, operator: 'BUS', terminal: 'B1', form: 'temporary', keyVersion: 1,
    challenge: 'C0FFEE01'
  }
  await door.ok('gateway', 'POST', '/v1/card-blocks', block)
  await door.ok('gateway', 'POST', '/v1/card-blocks/outcome', { key: block.key, card, outcome: 'blocked' })
  const wish = { name: 'update_binary', sfi: 22, offset: 0, data: '02' }
  const order = { card, order: wish, reason: 'moved' }
  const { status } = await door.ask('clerk', 'POST', '/v1/card-orders', { json: order })
  if (status !== 201) throw new Error(`ordered: ${status}`)
  const next = { key: 'order-0001', card, operator: 'BUS', terminal: 'B1', challenge: 'C0FFEE02' }
  await door.ok('gateway', 'POST', '/v1/card-orders/next', next)
  const obeyed = { key: next.key, card, outcome: 'obeyed', sw: '9000' }
  await door.ok('gateway', 'POST', '/v1/card-orders/outcome', obeyed)
  await door.ok('gateway', 'POST', '/v1/parameters/applied', {
    operator: 'BUS', terminal: 'B1', kind: 'blacklist', version: 1, appliedAt: '2026-03-03T08:30:00+08:00'
  })
  await door.ledger.sealer.seal()
}

t.test('one changed value in every column is found and named', async t => {
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const door = await wholeDay(doors)
  await atTheCounter(door)
  await billsOfAllKinds(door)
  await door.ledger.sealer.seal()
  const db = openDb(door.databaseUrl, { max: 1 }) // a superuser: the role that serves could change little
  const before = await verifyBooks(db)
  t.strictSame(before.checks.filter(one => !one.ok), [], 'the books are in order')
  const tx = await db.connect()
  for (const table of Object.keys(named)) {
    const missed: (string | null)[] = []
    for (const column of await columnsOf(tx, table)) {
      for (const sort of sorts[table] ?? ['true']) missed.push(await missing(tx, table, sort, column))
    }
    t.strictSame(missed.filter(one => one !== null), [], table)
  }
  const fallen: string[] = []
  for (const table of Object.keys(named)) {
    for (const column of await columnsOf(tx, table)) {
      for (const value of extremes[column.type] ?? []) {
        const wrong = await madness(tx, table, column, value)
        if (wrong !== null) fallen.push(wrong)
      }
    }
  }
  t.strictSame(fallen, [], 'whatever a value becomes, verify goes on to its end')

  const unknown = Object.keys(uncovered).filter(place => !(place.split('.')[0] as string in named))
  t.strictSame(unknown, [], 'what is not covered is listed under its table')

  for (const [table, column, where] of wholly) {
    t.strictSame(await unseenBytes(tx, table, column, where), [], `bytes of ${table}.${column}`)
  }
  tx.release()
  await db.end()
  await door.close()
})

t.test('what was taken away is missed, and an old batch excuses no other day', async t => {
  const doors = await startDoors()
  t.teardown(() => doors.stop())
  const door = await wholeDay(doors)
  const db = openDb(door.databaseUrl, { max: 1 })
  const tx = await db.connect()
  const says = async (...statements: string[]): Promise<string> => {
    await tx.query('begin')
    for (const statement of statements) await tx.query(statement)
    const { checks } = await verifyBooks({ connect: async () => inside(tx) } as never)
    await tx.query('rollback')
    return checks.filter(one => !one.ok).map(one => one.detail).join('\n')
  }
  t.match(await says("delete from account_batch where clearing_date = '2026-03-02'"), /account \d+ batch \d+:/)
  const ofBefore = `insert into batch
    (batch_id, clearing_date, kind, created_at, items, transfers, sum_fen, root, salt, form)
    values (1000000, '2026-01-01', 'clearing', '2026-01-01', 0, 0, 0, '', '', 1)`
  t.match(await says(ofBefore, 'update position_charge set rate_ppm = rate_ppm + 1'),
    /position_charge 2026-03-02/, 'one of form 1 committed to nothing, but only of its own day')
  await atTheCounter(door)
  t.equal(await says(), '')
  t.match(await says("delete from load where key = 'load-0002'"),
    /transfer \d+ of card \d+: its load is not there/)
  t.match(await says("delete from note where noted = 'card_block'"), /card_block key block-0001/)
  // Nobody but a process of the version before writes without a note, and that for a day at most.
  const unnoted = "update load set noted_in = null where key = 'load-0003'"
  t.equal(await says(unnoted), '')
  t.match(await says(unnoted, "update load set requested_at = requested_at + interval '25 hours'"),
    /load \d+: of no batch/)
  await billsOfAllKinds(door)
  await door.ledger.sealer.seal()
  t.equal(await says(), '')
  // Whoever takes a bill away with all that hangs on it, or a debit that has to go back, or a reversal.
  const gone = /rows were noted, \d+ are there/
  const whole = `delete from clinic_effect where settlement_no in
    (select settlement_no from clinic_settlement where paid_by = 'chip')`
  t.match(await says('set local session_replication_role = replica', whole,
    whole.replace('clinic_effect', 'clinic_add'),
    "delete from clinic_settlement where paid_by = 'chip'"), gone)
  t.match(await says("delete from clinic_message where message = 'bill-5'"), gone)
  t.match(await says("delete from clinic_reversed where message = 'bill-7'"), gone)
  t.match(await says('delete from clinic_rule_set'), /1 were published, 0 are there/)
  tx.release()
  await db.end()
  await door.close()
})
