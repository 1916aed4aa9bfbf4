// What others do, to be measured beside us: bare COPY into our table, the naive six statements, one function
// call per transfer in the manner of pgledger. Their SQL is fixed here.
import assert from 'node:assert/strict'
import pg from 'pg'
import { copyInto, copyRows, type CopyRows } from '../../ledger/store/copy.ts'
import type { Db } from '../../ledger/store/db.ts'
import { fareFen, nextDate, setSize, type BenchCard, type Stage } from './stage.ts'

/** What one turn of a path did. `seconds` is only the time in which it posted. */
export type Turn = {
  readonly seconds: number
  readonly posted: number
  /** Refused with a reason, as they should be; lost to an error, as none should. */
  readonly rejected: number
  readonly dropped: number
}

/* ---- bare COPY: the same table, partition shape and indexes, rows made before, sorted as ours ---- */

const transferColumns = `transfer (bucket, transfer_id, clearing_date, batch_id, journal_id, code, book,
  debit_account, credit_account, amount_fen, card_id, event_at, delivery_no, line_no, corrects)`

/** Sets of the size of our batches, each committed, over one connection. */
export async function copyTurn ({ db, cards, accounts, operators }: Stage, sets: number): Promise<Turn> {
  const { rows: ids } = await db.query<{ id: bigint }>(
    "select nextval('batch_id_seq') as id from generate_series(1, $1)", [sets])
  const made = ids.map(({ id }) => {
    const rows = copyRows(15)
    const anyCard = () => cards[Math.floor(Math.random() * cards.length)] as BenchCard
    const own = Array.from({ length: setSize }, anyCard).sort((one, other) => one.bucket - other.bucket)
    const sides = { debit: accounts.purse, credit: operators[0] ?? 0 }
    own.forEach(({ bucket, cardId }, place) =>
      writeRow(rows, { bucket, cardId, batchId: id, place, ...sides }))
    return rows
  })
  const tx = await db.connect()
  const startMs = performance.now()
  for (const rows of made) {
    await tx.query('begin')
    await copyInto(tx, transferColumns, rows)
    await tx.query('commit')
  }
  const seconds = (performance.now() - startMs) / 1_000
  tx.release()
  const { rows: [found] } = await db.query<{ n: bigint, fen: bigint }>(`
    select count(*) as n, sum(amount_fen)::bigint as fen from transfer
    where clearing_date = $1 and batch_id >= $2`, [nextDate, ids[0]?.id])
  assert.deepEqual(found, { n: BigInt(sets * setSize), fen: BigInt(sets * setSize) * fareFen }, 'COPY')
  return { seconds, posted: sets * setSize, rejected: 0, dropped: 0 }
}

function writeRow (rows: CopyRows, row: {
  readonly bucket: number, readonly cardId: bigint, readonly batchId: bigint, readonly place: number
  readonly debit: number, readonly credit: number
}): void {
  const id = row.batchId << 20n | BigInt(row.place)
  rows.row()
  rows.int2(row.bucket)
  rows.int8(id)
  rows.date(nextDate)
  rows.int8(row.batchId)
  rows.int8(id)
  rows.int2(10)
  rows.text('commerce')
  rows.int4(row.debit)
  rows.int4(row.credit)
  rows.int8(fareFen)
  rows.int8(row.cardId)
  rows.instant(Date.UTC(2026, 2, 2))
  rows.int8(1n)
  rows.int4(row.place + 1)
  rows.int8(null)
}

/* ---- the naive way, and single function calls ---- */

export const clients = 8

export const naiveSql = {
  tables: `
    create table naive_account (id bigint primary key, balance bigint not null check (balance >= 0));
    create table naive_transfer (
      id bigint generated always as identity primary key, debit bigint not null references naive_account,
      credit bigint not null references naive_account, amount bigint not null check (amount > 0),
      at timestamptz not null default now())`,
  transfer: [
    'begin',
    'select balance from naive_account where id = $1 for update',
    'update naive_account set balance = balance - $2 where id = $1',
    'update naive_account set balance = balance + $1 where id = 0',
    'insert into naive_transfer (debit, credit, amount) values ($1, 0, $2)',
    'commit']
} as const

/** Two entries per transfer with the balance after each, both accounts locked in order of their id. */
export const pgledgerSql = `
  create table pgl_account (
    id bigint primary key, balance bigint not null default 0, version bigint not null default 0,
    updated_at timestamptz not null default now(), check (balance >= 0));
  create table pgl_transfer (
    id bigint generated always as identity primary key, from_account bigint not null references pgl_account,
    to_account bigint not null references pgl_account, amount bigint not null check (amount > 0),
    created_at timestamptz not null default now());
  create table pgl_entry (
    id bigint generated always as identity primary key, account_id bigint not null references pgl_account,
    transfer_id bigint not null references pgl_transfer, amount bigint not null,
    balance_before bigint not null, balance_after bigint not null, version bigint not null,
    created_at timestamptz not null default now());
  create index on pgl_entry (account_id);
  create index on pgl_entry (transfer_id);
  create function pgl_create_transfer (from_id bigint, to_id bigint, wanted bigint) returns bigint
  language plpgsql as $$
  declare
    one pgl_account; other pgl_account; made bigint;
  begin
    perform 1 from pgl_account where id in (from_id, to_id) order by id for update;
    insert into pgl_transfer (from_account, to_account, amount) values (from_id, to_id, wanted) returning id
      into made;
    update pgl_account set balance = balance - wanted, version = version + 1, updated_at = now()
      where id = from_id returning * into one;
    insert into pgl_entry (account_id, transfer_id, amount, balance_before, balance_after, version)
      values (from_id, made, -wanted, one.balance + wanted, one.balance, one.version);
    update pgl_account set balance = balance + wanted, version = version + 1, updated_at = now()
      where id = to_id returning * into other;
    insert into pgl_entry (account_id, transfer_id, amount, balance_before, balance_after, version)
      values (to_id, made, wanted, other.balance - wanted, other.balance, other.version);
    return made;
  end $$`

const balance = 1_000_000_000

/** Account 0 is the operator everybody pays. */
export async function prepareOthers (db: Db, cards: number): Promise<void> {
  await db.query(naiveSql.tables)
  await db.query(pgledgerSql)
  await db.query(`
    insert into naive_account select n, case n when 0 then 0 else $2 end from generate_series(0, $1) as n`,
  [cards, balance])
  await db.query('insert into pgl_account (id, balance) select id, balance from naive_account')
  await db.query('vacuum (analyze) naive_account')
  await db.query('vacuum (analyze) pgl_account')
}

export async function naiveTurn (url: string, cards: number, each: number): Promise<Turn> {
  const [begin, look, debit, credit, insert, commit] = naiveSql.transfer
  const turn = await byClients(url, each, async (client, card) => {
    const amount = Number(fareFen)
    await client.query(begin)
    await client.query({ name: 'look', text: look, values: [card] })
    await client.query({ name: 'debit', text: debit, values: [card, amount] })
    await client.query({ name: 'credit', text: credit, values: [amount] })
    await client.query({ name: 'insert', text: insert, values: [card, amount] })
    await client.query(commit)
  }, cards)
  await compareOthers(url, 'naive', cards)
  return turn
}

export async function pgledgerTurn (url: string, cards: number, each: number): Promise<Turn> {
  const text = 'select pgl_create_transfer($1, 0, $2)'
  const turn = await byClients(url, each, async (client, card) => {
    await client.query({ name: 'transfer', text, values: [card, Number(fareFen)] })
  }, cards)
  await compareOthers(url, 'pgl', cards)
  return turn
}

async function byClients (
  url: string, each: number, work: (client: pg.Client, card: number) => Promise<void>, cards: number
): Promise<Turn> {
  const all = Array.from({ length: clients }, () => new pg.Client({ connectionString: url }))
  await Promise.all(all.map(client => client.connect()))
  let dropped = 0
  const startMs = performance.now()
  await Promise.all(all.map(async client => {
    for (let n = 0; n < each; n++) {
      await work(client, 1 + Math.floor(Math.random() * cards)).catch(() => { dropped++ })
    }
  }))
  const seconds = (performance.now() - startMs) / 1_000
  await Promise.all(all.map(client => client.end()))
  return { seconds, posted: clients * each - dropped, rejected: 0, dropped }
}

/** What the operator got is what was transferred, and nothing was made or lost. */
async function compareOthers (url: string, prefix: 'naive' | 'pgl', cards: number): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows: [found] } = await client.query<Record<string, string>>(`
    select (select balance from ${prefix}_account where id = 0)::text as got,
      (select coalesce(sum(amount), 0) from ${prefix}_transfer)::text as sent,
      (select sum(balance) from ${prefix}_account)::text as total`)
  await client.end()
  assert.equal(found?.['got'], found?.['sent'], `${prefix}: what was sent arrived`)
  assert.equal(found?.['total'], String(BigInt(cards) * BigInt(balance)), `${prefix}: nothing made or lost`)
}
