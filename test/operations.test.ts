// What keeps a ledger running for years: schemas that change under traffic, room for the dates ahead, rows
// that have had their time, the shape on other servers.
import t from 'tap'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../bin/postgres.ts'
import { runLedger } from '../bin/stack.ts'
import { addDays, daysBetween } from '../runtime/instants.ts'
import { nodeCommand, superviseChild } from '../runtime/supervise.ts'
import { auditGenesis, auditHash } from '../ledger/core/audit-chain.ts'
import { batchRoot } from '../ledger/core/commitment.ts'
import { frontierRoot, growFrontier } from '../ledger/core/merkle.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { batchLeaf, openSigner, type HeadSigner } from '../ledger/proof/seal.ts'
import { citusCalls, foreignKeys, keysWithoutBucket, placements } from '../ledger/store/citus.ts'
import { inTransaction, openDb, type Db, type Tx } from '../ledger/store/db.ts'
import { nextBatchId } from '../ledger/store/post.ts'
import { insertLeaves, leafHashes, lockTree, saveKey, unsealedBatches } from '../ledger/store/tree.ts'
import { findCards, movePurses } from '../ledger/store/cards.ts'
import { lockCards, lockGuarded, lockPurses, pretendSpread, type PurseRow } from '../ledger/store/lock.ts'
import { migrate } from '../ledger/store/migrate.ts'
import { dumpSchema } from '../ledger/store/schema-dump.ts'
import { readFigures } from '../ledger/store/figures.ts'
import { partitionsAhead } from '../ledger/store/upkeep.ts'
import { ensureHouseAccounts } from '../ledger/store/registry.ts'
import { endsAfterDays, retention } from '../ledger/core/retention.ts'
import { endingTables } from '../ledger/store/retention.ts'
import { makeRoom, retain } from '../ledger/upkeep.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { machines, secretOf, startDoors, type Door } from './support/ledger-http.ts'
import { bucketOf, cardKey } from '../schemas/record.ts'
import { cardOf, recordOf } from './support/posting.ts'
import { bankAccounts, debit, openCity as openSettling } from './support/settling.ts'
import { card, deliver as deliverTo } from './support/small-city.ts'
import { city, wholeDay } from './support/small-day.ts'

t.setTimeout(600_000)
const folder = mkdtempSync(join(tmpdir(), 'operations-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const doors = await startDoors()
t.teardown(() => doors.stop())

/** The superuser's door to the same database. */
async function owner<T> (door: Door, work: (db: Db) => Promise<T>): Promise<T> {
  const db = openDb(door.databaseUrl, { max: 2 })
  try {
    return await work(db)
  } finally {
    await db.end()
  }
}

t.test('the schema on file is that of a migrated database', async t => {
  const door = await doors.open()
  const text = readFileSync(join(import.meta.dirname, '../ledger/store/schema.sql'), 'utf8')
  t.equal(text.slice(text.indexOf('\n\n') + 2), await owner(door, dumpSchema), 'else: npm run schema')
  await door.close()
})

t.test('a server that goes away between two statements does not end the process', async t => {
  const door = await doors.open()
  await owner(door, async db => {
    const held = inTransaction(db, async tx => {
      const { rows: [self] } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      await db.query('select pg_terminate_backend($1)', [self?.pid])
      await pause(200) // its last words arrive while nothing is asked
      await tx.query('select 1')
    })
    await t.rejects(held, /not queryable|terminating connection/, 'the next statement says it')
    const { rows } = await db.query<{ one: number }>('select 1 as one')
    t.equal(rows[0]?.one, 1, 'and the pool goes on with another connection')
  })
  await door.close()
})

t.test('on Citus every table is placed once, and every key of a spread table holds its bucket', async t => {
  const door = await doors.open()
  await owner(door, async db => {
    const placed = await placements(db)
    const { rows } = await db.query<{ name: string }>(`
      select tablename as name from pg_tables where schemaname = 'public' and tablename !~ '^transfer_[0-9]'`)
    t.strictSame(placed.map(one => one.table).sort(), rows.map(row => row.name).sort())
    const calls = citusCalls(placed, [], null)
    t.equal(calls.length, placed.length)
    for (const { table } of placed) {
      t.equal(calls.filter(call => call.includes(`_table('${table}'`)).length, 1, table)
    }
    t.match(calls.find(call => call.includes("'purse'")), /distributed_table\('purse', 'bucket'/)
    t.match(calls.find(call => call.includes("'party'")), /reference_table\('party'\)/)
    const spread = placed.flatMap(({ table, by }) => by === null ? [] : [table])
    const hot = [
      'adjustment', 'balance_delta', 'batch', 'card', 'card_event', 'delivery', 'evidence', 'purse',
      'terminal_claim', 'transfer'
    ]
    t.strictSame(hot.filter(table => !spread.includes(table)), [], 'what a tap writes is spread')
    const small = await keysWithoutBucket(db)
    t.strictSame(small.filter(({ table }) => spread.includes(table)), [])
  })
  await door.close()
})

/** What Citus makes of a table that has an identity column while a foreign key still leads to or from it. */
const likeCitus = `
  create schema likeness;
  create function likeness.place(name text) returns void language plpgsql as $$ begin
    if exists (select from pg_attribute where attrelid = name::regclass and attidentity <> '') and exists (
      select from pg_constraint where contype = 'f' and name::regclass in (conrelid, confrelid)) then
      raise 'cannot complete operation on a table with identity column: %', name;
    end if;
  end $$;
  create function likeness.create_reference_table(name text) returns void
    language sql as 'select likeness.place(name)';
  create function likeness.create_distributed_table(name text, by text, colocate_with text default 'default')
    returns void language sql as 'select likeness.place(name)';
  set search_path = public, likeness`

t.test('what --citus calls runs in its order, and leaves the same schema', async t => {
  const door = await doors.open()
  const db = openDb(door.databaseUrl, { max: 1 })
  const before = await dumpSchema(db)
  const placed = await placements(db)
  const keys = await foreignKeys(db, placed.map(({ table }) => table))
  const small = placed.filter(({ by }) => by === null).map(({ table }) => table)
  t.ok(keys.length > 20)
  t.strictSame(keys.filter(({ table }) => !small.includes(table)), [], 'no spread table has a foreign key')
  await db.query(likeCitus)
  for (const call of citusCalls(placed, keys, null)) await db.query(call)
  t.equal(await dumpSchema(db), before)
  const late = placed.filter(({ table }) => table === 'purse')
  t.strictSame(citusCalls(late, [], 'batch'),
    ["select create_distributed_table('purse', 'bucket', colocate_with => 'batch')"],
    'a table that comes later lies beside the others')
  await db.end()
  await door.close()
})

t.test('on Citus rows are locked bucket by bucket, in the order of one statement', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(40))
  const cards = Array.from({ length: 40 }, (_, number) => cardOf(number))
  const refs = new Map(cards.map(ref => [cardKey(ref), ref]))
  const locked = async (isSpread: boolean) => {
    const texts: string[] = []
    const client = await door.db.connect()
    const query = (...given: [string]) => {
      texts.push(given[0])
      return client.query(...given)
    }
    const tx = { query } as unknown as Tx
    pretendSpread(tx, isSpread)
    await client.query('begin')
    const found = await lockCards(tx, refs)
    const purses = await lockPurses(tx, [...found.cards.values()])
    const guarded = await lockGuarded(tx,
      [...found.cards.values()].map(({ bucket, cardId }) => ({ bucket, cardId, accountId: 1 })))
    await client.query('rollback')
    client.release()
    const buckets = texts.map(text => Number(/ and [pg]\.bucket = (\d+)/.exec(text)?.[1] ?? -1))
    return { found, purses, guarded, buckets }
  }
  const [one, many] = [await locked(false), await locked(true)]
  t.equal(one.found.cards.size, 40)
  t.strictSame(one.buckets, [-1, -1, -1], 'one statement for all cards elsewhere')
  const placeless = (purses: readonly PurseRow[]) => purses.map(({ at, ...rest }) => rest)
  t.strictSame(placeless(many.found.purses), placeless(one.found.purses))
  t.strictSame(new Map([...many.found.cards].sort()), new Map([...one.found.cards].sort()))
  t.strictSame(placeless(many.purses), placeless(one.purses))
  const buckets = [...new Set([...refs.values()].map(bucketOf))].sort((a, b) => a - b)
  t.strictSame(many.buckets, [...buckets, ...buckets, ...buckets], 'each by its number')
  await door.close()
})

t.test('whoever waited for a purse moves its row where it lies by then', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(1))
  const cards = [...(await findCards(door.db, [cardOf(0)])).values()]
  const [first, second] = [await door.db.connect(), await door.db.connect()]
  const oneTap = (purses: readonly PurseRow[]) => purses.filter(({ purse }) => purse === 2).map(purse => ({
    ...purse, lastCounter: purse.lastCounter + 1, lastBalanceFen: purse.lastBalanceFen - 180n,
    shadowDeltaFen: -180n
  }))
  const stored = async () => (await first.query<{ counter: number, fen: bigint }>(
    'select last_counter as counter, shadow_fen as fen from purse where purse = 2')).rows[0]!
  const before = await stored()
  await first.query('begin')
  await second.query('begin')
  const held = await lockPurses(first, cards)
  const waiting = lockPurses(second, cards)
  await movePurses(first, oneTap(held))
  await first.query('commit')
  await movePurses(second, oneTap(await waiting))
  await second.query('commit')
  t.strictSame(await stored(), { counter: before.counter + 2, fen: before.fen - 360n })

  await first.query('begin')
  const again = oneTap(await lockPurses(first, cards))
  await movePurses(first, again)
  await t.rejects(movePurses(first, again), { message: '1 purses were locked, 0 lie where they lay then' })
  await first.query('rollback')
  t.strictSame(await stored(), { counter: before.counter + 2, fen: before.fen - 360n })
  first.release()
  second.release()
  await door.close()
})

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

/** The last migration of the version before: what the statements below were written for. */
const versionBefore = '0081_tree_tiles.sql'

/** What a process of the version before writes, word for word: it knows no column that came later. */
async function oldBatch (db: Db, id: bigint): Promise<void> {
  const root = batchRoot({
    form: 1, salt: Buffer.alloc(16), batchId: id, clearingDate: '2026-03-02', kind: 'clearing',
    createdAtMs: 0,
    deliveryNo: null, items: 0, deliveryDigest: null, itemsDigest: null, transfers: []
  })
  await db.query(`
    insert into batch (
      batch_id, clearing_date, kind, delivery_no, created_at, items, transfers, sum_fen, root, salt)
    values ($1::bigint, '2026-03-02', 'clearing', null, now(), 0, 0, 0, $2, $3)`,
  [id, root, Buffer.alloc(16)])
  await db.query(`
    insert into card_event (
      bucket, card_id, purse, counter_kind, counter, type, amount_fen, balance_before_fen, psam_id, sequence,
      terminal_id, event_at, content, outcome, reason, delivery_no, line_no, batch_id, clearing_date)
    values (1, 1, 2, 0, $1::bigint, 6, 180, 5000, 1, $1::bigint, 1, now(), '', 0, 0, 1, 1, $1::bigint,
      '2026-03-02')`, [id])
  await db.query(`
    insert into audit (seq, at, by_whom, action, subject, detail, previous, hash)
    values ($1::bigint, now(), 'system', 'old', 'old', '{}', '', '')`, [id])
}

t.test('an old process goes on writing and reading while the schema is brought up to date', async t => {
  const postgres = await startPostgres({ dataDir: join(folder, 'rolling'), settings: { fsync: 'off' } })
  t.teardown(() => postgres.destroy())
  const db = openDb(await postgres.ensureDatabase('rolling'), { max: 6 })
  await migrate(db, { upTo: '0003_spine.sql' })
  await ensureHouseAccounts(db).catch(() => undefined) // what the chart needs came later
  await db.query("insert into open_day (clearing_date) values ('2026-03-02')")
  await db.query("insert into clearing_day (clearing_date, state) values ('2026-03-02', 'OPEN')")
  const faults: string[] = []
  let longestMs = 0
  let written = 0n
  const traffic = { goesOn: true }
  const old = (async () => {
    while (traffic.goesOn) {
      const startedMs = performance.now()
      await oldBatch(db, ++written).catch((error: Error) => faults.push(error.message))
      await db.query('select sum(amount_fen) from card_event')
        .catch((error: Error) => faults.push(error.message))
      longestMs = Math.max(longestMs, performance.now() - startedMs)
    }
  })()
  const applied = await migrate(db)
  const during = written
  await new Promise(resolve => setTimeout(resolve, 200))
  traffic.goesOn = false
  await old
  t.strictSame(faults, [], 'nothing the old version says is refused, before, during or after')
  t.ok(during > 0n && written > during, `${during} batches during ${applied.length} migrations, then more`)
  t.comment(`longest wait of the old process: ${Math.round(longestMs)} ms`)
  t.strictSame(await migrate(db), [], 'two processes of one version migrate once')
  const { checks } = await verifyBooks(db)
  const roots = checks.find(one => one.check === 'batches lead to their roots')
  t.match(roots, { ok: true, detail: `${written} batches` }, 'batches of the old form are read by it')
  await db.end()
})

/** One turn of a process of the version before, its statements word for word, under the locks it takes. */
async function oldTurn (db: Db, signer: HeadSigner, id: bigint): Promise<void> {
  await inTransaction(db, async tx => {
    const text = { form: 2 as const, salt: Buffer.alloc(16), batchId: id, clearingDate: '2026-03-02' }
    const root = batchRoot({
      ...text, kind: 'clearing', createdAtMs: 0, deliveryNo: null, items: 0, deliveryDigest: null,
      itemsDigest: null, transfers: []
    })
    await tx.query('select pg_advisory_xact_lock_shared(7002)')
    await tx.query(`
      insert into batch (
        batch_id, clearing_date, kind, delivery_no, created_at, items, transfers, sum_fen, root, salt,
        form, items_digest
      )
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [id, '2026-03-02', 'clearing', null, new Date(0), 0, 0, 0, root, Buffer.alloc(16), 2, null])
    await tx.query('select pg_advisory_xact_lock(7007)')
    const { rows: [last] } = await tx.query<{ seq: bigint, hash: Buffer }>(
      'select seq, hash from audit order by seq desc limit 1')
    const previous = Buffer.from(last?.hash ?? auditGenesis)
    const entry = {
      seq: (last?.seq ?? 0n) + 1n, atMs: 0, by: 'system', action: 'old', subject: 'old', detail: '{}'
    }
    await tx.query(`
      insert into audit (seq, at, by_whom, action, subject, detail, previous, hash)
      values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [entry.seq, new Date(0), 'system', 'old', 'old', '{}', previous, auditHash(previous, entry)])
  })
  await inTransaction(db, async tx => {
    await lockTree(tx)
    const { rows: [last] } = await tx.query<{ size: bigint, peaks: Buffer }>(
      'select size, peaks from tree_head order by size desc limit 1')
    const size = Number(last?.size ?? 0n)
    const peaks = Array.from({ length: (last?.peaks.length ?? 0) / 32 }, (_, index) =>
      (last?.peaks ?? Buffer.alloc(0)).subarray(index * 32, (index + 1) * 32))
    const pending = growFrontier({ size, peaks }, await leafHashes(tx, size))
    const batches = (await unsealedBatches(tx, 10_000)).map(one => ({ ...one, hash: batchLeaf(one) }))
    const grown = growFrontier(pending, batches.map(one => one.hash))
    await insertLeaves(tx, pending.size, batches)
    if (grown.size === size) return
    const root = Buffer.from(frontierRoot(grown))
    const at = '2026-03-02T12:00:00.000+08:00'
    const head = { size: grown.size, root: root.toString('hex').toUpperCase(), at, keyId: signer.keyId }
    await tx.query(`
      insert into tree_head (size, root, at, key_id, signature, peaks) values ($1, $2, $3, $4, $5, $6)`,
    [head.size, root, at, head.keyId, Buffer.from(signer.sign(head), 'hex'), Buffer.concat(grown.peaks)])
  })
}

t.test('the process of before and the new one work side by side, from the upgrade on', async t => {
  const postgres = await startPostgres({ dataDir: join(folder, 'beside'), settings: { fsync: 'off' } })
  t.teardown(() => postgres.destroy())
  const url = await postgres.ensureDatabase('beside')
  const db = openDb(url, { max: 4 })
  await migrate(db, { upTo: versionBefore })
  await ensureHouseAccounts(db)
  const key = join(folder, 'beside.key')
  const env = { ...doors.env(url), LEDGER_SIGNING_KEY: key, LEDGER_PARTITION_DAYS: '5' }
  const signer = openSigner(key)
  await saveKey(db, { keyId: signer.keyId, publicKeyPem: signer.publicKeyPem, sinceMs: 0 })
  const faults: string[] = []
  const traffic = { goesOn: true, turns: 0, longestMs: 0 }
  const old = (async () => {
    while (traffic.goesOn) {
      const startedMs = performance.now()
      await oldTurn(db, signer, await nextBatchId(db as never))
        .catch((error: Error) => faults.push(error.message))
      traffic.longestMs = Math.max(traffic.longestMs, performance.now() - startedMs)
      traffic.turns += 1
    }
  })()
  const turned = async (more: number) => {
    for (const wanted = traffic.turns + more; traffic.turns < wanted;) await pause(20)
  }
  await turned(5)
  await runLedger(env, 'migrate')
  await bootstrap(db, {
    clients: Object.entries(machines).map(([kind, id]) =>
      ({ id, kind: kind as keyof typeof machines, secret: secretOf(id) }))
  }, 0)
  const { ready, stop } = await superviseChild<{ url: string }>({
    name: 'ledger', ...nodeCommand('ledger/main.ts'), env, readyTimeoutMs: 120_000,
    onLine: line => faults.push(line)
  })
  const put = async (kind: keyof typeof machines, method: string, path: string, body: unknown) => {
    const answer = await fetch(new URL(path, ready.url), {
      method, body: JSON.stringify(body),
      headers: {
        authorization: `Bearer ${machines[kind]}.${secretOf(machines[kind])}`,
        'content-type': 'application/json'
      }
    })
    if (!answer.ok) faults.push(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return await answer.json()
  }
  await put('registrar', 'PUT', '/v1/registry', city(10))
  for (let card = 0; card < 10; card++) {
    const body = { delivery: `beside-${card}-of-ten`, records: [recordOf(card, 1), recordOf(card, 2)] }
    t.match(await put('gateway', 'POST', '/v1/records', body),
      { results: [{ reason: 'ok' }, { reason: 'ok' }] })
    await turned(1)
  }
  traffic.goesOn = false
  await old
  await put('gateway', 'POST', '/v1/records', { delivery: 'alone-from-now', records: [recordOf(0, 3)] })
  const isSealed = async () =>
    (await db.query('select 1 from tree_head where audit_hash is not null limit 1')).rows.length > 0
  while (!await isSealed()) await pause(20)
  t.strictSame(await stop(), { code: 0, signal: null })
  t.strictSame(faults, [], 'neither is refused anything')
  t.comment(`${traffic.turns} turns of the old process, the longest ${Math.round(traffic.longestMs)} ms`)
  const { rows: [heads] } = await db.query<{ old: number, young: number }>(`
    select count(*) filter (where audit_hash is null)::int as old,
      count(audit_hash)::int as young from tree_head`)
  t.ok((heads?.old ?? 0) > 5 && (heads?.young ?? 0) > 0, `heads of both: ${JSON.stringify(heads)}`)
  const { checks } = await verifyBooks(db)
  t.strictSame(checks.filter(one => !one.ok), [], 'the books of both are one')
  await db.end()
})

t.test('a date without a partition takes no transfer, and nothing of its delivery is kept', async t => {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', city(2))
  await owner(door, async db => {
    t.equal(await partitionsAhead(db), 5, 'as many as were asked for')
    await db.query('drop table transfer_20260302')
    const body = { delivery: 'no-room-yet', records: [recordOf(0, 1)] }
    t.equal((await door.ask('gateway', 'POST', '/v1/records', { json: body })).status, 500)
    const { rows } = await db.query('select 1 from delivery union all select 1 from card_event')
    t.strictSame(rows, [], 'all of it or nothing')
    t.ok(await makeRoom(db, 20) >= 20)
    t.match(await door.ok('gateway', 'POST', '/v1/records', body), { results: [{ reason: 'ok' }] })
  })
  await door.close()
})

/* ---- after a long time ---- */

/** Dates from one to another, both inside. */
const datesOf = (from: string, to: string): string[] =>
  Array.from({ length: daysBetween(from, to) + 1 }, (_, day) => addDays(from, day))

t.test('a ledger that was off for two weeks, over long holidays, catches up with all of it', async t => {
  const rest = { worked: false, name: 'long holidays' }
  const holidays = datesOf('2026-03-05', '2026-03-13').map(date => ({ date, ...rest }))
  const door = await openSettling(doors, Array.from({ length: 15 }, (_, number) => card(number)),
    { bankAccounts, holidays: { add: holidays, remove: [] } })
  await deliverTo(door, 'the-day-before', [debit(0, 1)])
  const sessions = (await door.ok('clerk', 'GET', '/v1/sessions')).items.length
  t.equal(sessions, 1)
  door.clock.set(Date.parse('2026-03-16T08:00:00+08:00'))
  // Gateways kept what was tapped meanwhile, and there is room for five dates only.
  const off = datesOf('2026-03-03', '2026-03-15')
  const kept = off.map((date, index) =>
    debit(1 + index, 1, 'B1', 180, 10_000, { dateTime: `${date.replaceAll('-', '')}083015` }))
  const { results } = await deliverTo(door, 'two-weeks', kept)
  t.strictSame([...new Set(results.map((one: { reason: string }) => one.reason))], ['ok'], 'none is too late')
  const all = ['2026-03-02', ...off]
  for (const date of all) {
    const { digest } = await door.ok('settler', 'POST', `/v1/days/${date}/close`)
    for (const who of ['approver-1', 'approver-2'] as const) {
      await door.ok(who, 'POST', `/v1/days/${date}/approvals`, { digest })
    }
  }
  for (const date of ['2026-03-02', '2026-03-03', '2026-03-04']) {
    await door.ok('settler', 'POST', `/v1/days/${date}/instruct`)
  }
  const days = await Promise.all(all.map(date => door.ok('clerk', 'GET', `/v1/days/${date}`)))
  t.strictSame(days.map(day => [day.date, day.valueDate, day.paidWith]), [
    ['2026-03-02', '2026-03-16', '2026-03-02'], ['2026-03-03', '2026-03-16', '2026-03-03'],
    ...off.slice(1).map(date => [date, '2026-03-16', '2026-03-15'])
  ], 'twelve dates are paid together when people work again')
  const { items } = await door.ok('clerk', 'GET', '/v1/alerts')
  t.strictSame(items.filter((one: { kind: string }) => /overdue|clock/.test(one.kind)), [])
  await door.ledger.watch.catchUp()
  await door.ledger.sealer.seal()
  await owner(door, async db => {
    t.equal(await partitionsAhead(db), 4, 'each close made room for the dates after it')
    const figures = await readFigures(db, door.clock.now())
    t.match(figures, { sealing: { batches: 0 }, watch: { count: 0 }, files: { count: 0 } })
    await retain(db, { nowMs: door.clock.now(), apply: true })
    const old = await db.query("select from session where expires_at < '2026-03-09T08:00:00+08:00'")
    t.equal(old.rowCount, 0, 'who signed in before is forgotten')
    t.strictSame((await verifyBooks(db)).checks.filter(one => !one.ok), [])
    const { rows } = await db.query<{ on_date: string }>(
      'select distinct clearing_date as on_date from transfer order by 1 limit 2')
    t.equal(rows[0]?.on_date, '2026-03-02', 'what came late is booked in the date that was open')
  })
  t.match((await door.ok('auditor', 'GET', '/v1/operators/BUS/income?date=2026-03-09&on=used&by=terminal')),
    { claimsFen: 180 }, 'and counts on the day of its use')
  await door.close()
})

t.test('years of rows that have had their time go in one night, portion by portion', async t => {
  const door = await doors.open()
  await door.db.query(`
    insert into usage (bucket, subject, of, on_date, fen)
    select n % 64, n::text, 'load', '2026-03-02'::date - n % 1000, 1 from generate_series(1, 12000) n`)
  const nowMs = Date.parse('2026-03-02T12:00:00+08:00')
  const wanted = (await door.db.query("select from usage where on_date < '2026-01-31'")).rowCount
  const { over } = await retain(door.db, { nowMs, apply: true })
  t.equal(over.find(one => one.table === 'usage')?.rows, wanted)
  t.equal((await door.db.query("select from usage where on_date < '2026-01-31'")).rowCount, 0)
  await door.close()
})

/* ---- what has had its time ---- */

t.test('each table says how long its rows stay', async t => {
  const door = await doors.open()
  const { rows } = await door.db.query<{ name: string }>(`
    select tablename as name from pg_tables where schemaname = 'public' and tablename !~ '^transfer_[0-9]'`)
  t.strictSame(Object.keys(retention).sort(), rows.map(row => row.name).sort(), 'ledger/core/retention.ts')
  const ending = Object.entries(retention).filter(([, rule]) => typeof rule !== 'string')
    .map(([table]) => table)
  t.strictSame(ending.sort(), [...endingTables, 'income_batch'].sort(), 'and what ends can be deleted')
  await door.close()
})

const counts = async (db: Db): Promise<Record<string, number>> => {
  const found: Record<string, number> = {}
  for (const table of Object.keys(retention)) {
    const { rows: [row] } = await db.query<{ n: number }>(`select count(*)::int as n from ${table}`)
    found[table] = row?.n ?? NaN
  }
  return found
}

/** Until the watch has looked at all that was booked: it works beside the doors. */
async function watched (db: Db): Promise<void> {
  while ((await db.query('select 1 from batch_news limit 1')).rows.length > 0) {
    await new Promise(resolve => setTimeout(resolve, 25))
  }
}

/** Two rows of each kind that ends, one of the day and one of a year later, beside what they refer to. */
async function oldAndYoung (db: Db): Promise<void> {
  await db.query('update outbox set fanned_out_at = created_at')
  await db.query(`
    insert into webhook (owner, url, topics, salt, created_at)
      values ('AUDITOR', 'https://x/', '{}', '', now());
    insert into telling (webhook_id, outbox_id, state, due_at, ended_at)
      select 1, outbox_id,
        case outbox_id when (select min(outbox_id) from outbox) then 'waiting' else 'done' end,
        created_at, created_at from outbox order by outbox_id limit 3;
    insert into outbox (topic, body, created_at, fanned_out_at)
      values ('day.moved', '{}', now(), '2027-04-01');
    insert into top_debit select 1, at, 1 from unnest(array['2026-03-02', '2027-04-01']::timestamptz[]) as at;
    insert into last_tac select 1, 1, 2, 101, sha256(at::text::bytea), at, 'clerk', 0
      from unnest(array['2026-03-02', '2027-04-01']::timestamptz[]) as at;
    insert into parameter_applied
      select 1, 'blacklist', version, '2026-03-02'::timestamptz + version * interval '1 day', now()
      from generate_series(1, 3) as version;
    insert into parameter_applied
      values (1, 'blacklist', 4, '2027-04-01', now()), (2, 'tariff', 1, '2026-03-02', now());
    insert into terminal_total (terminal_id, batch, psam_id, from_sequence, to_sequence, clearing_date,
        consume_count, consume_fen, return_count, return_fen, load_count, load_fen, received_at, source)
      select 1, at::text, 1, 1, 1, at, 0, 0, 0, 0, 0, 0, at, ''
      from unnest(array['2026-03-02', '2027-04-01']::date[]) as at;
    insert into party_position select at, 'commerce', 1, 0, at, ''
      from unnest(array['2026-03-02', '2027-04-01']::date[]) as at;
    insert into party_position_item select at, 'commerce', 1, place, '', 0
      from unnest(array['2026-03-02', '2027-04-01']::date[]) as at, generate_series(1, 2) as place`)
}

t.test('what has had its time goes, and nothing else', async t => {
  const door = await wholeDay(doors)
  const { db } = door
  const income = async () =>
    await door.ok('auditor', 'GET', '/v1/operators/BUS/income?date=2026-03-02&by=terminal')
  const earned = await income()
  t.ok(earned.items.length > 0)
  await oldAndYoung(db)
  await watched(db)
  const before = await counts(db)
  const { rows: [{ headsThinned } = { headsThinned: NaN }] } = await db.query<{ headsThinned: number }>(`
    select count(*)::int as "headsThinned" from (
      select size, audit_rows, row_number() over (
        partition by date_trunc('hour', at) order by size desc, audit_rows desc) as from_last
      from tree_head) h
    where from_last > 1 and (size, audit_rows) not in (select size, audit_rows from head_given)`)
  const nowMs = Date.parse('2027-04-08T12:00:00+08:00') // 402 days after the day
  const planned = await retain(db, { nowMs, apply: false })
  t.strictSame(await counts(db), before, 'asked what would go, nothing goes')
  const applied = await retain(db, { nowMs, apply: true })
  t.strictSame(applied.over, planned.over, 'what was told goes')
  const after = await counts(db)
  const gone = Object.keys(before).flatMap(table => {
    const rows = (before[table] ?? 0) - (after[table] ?? 0)
    return rows === 0 ? [] : [[table, rows]]
  })
  t.strictSame(Object.fromEntries(gone), {
    session: before['session'], telling: 2, outbox: (before['outbox'] ?? 0) - 2, income: before['income'],
    income_batch: before['income_batch'], top_debit: 1, last_tac: 1, tree_head: headsThinned,
    parameter_applied: 1, terminal_total: 1, party_position: 1, party_position_item: 2, audit: -1
  }, 'the waiting telling keeps its event; the version that a terminal had then stays')
  t.strictSame((await retain(db, { nowMs, apply: true })).over.filter(({ rows }) => rows > 0), [], 'once')
  t.strictSame(await income(), earned, 'income is made anew for whoever asks')
  t.strictSame((await verifyBooks(db)).checks.filter(one => !one.ok), [])
  const again = { delivery: 'years-later-1', records: [recordOf(0, 1)] }
  t.match(await door.ok('gateway', 'POST', '/v1/records', again),
    { results: [{ replayed: true, reason: 'ok' }] }, 'what a record is recognised by stays')

  t.strictSame(planned.archivable, [], 'nothing is ten years old')
  const later = { nowMs: Date.parse('2046-01-01T00:00:00Z'), apply: false }
  const { archivable } = await retain(db, later)
  t.match(archivable.map(one => [one.what, one.rows > 0]).slice(0, 2),
    [['delivery', true], ['delivery_raw', true]])
  const statement = archivable.find(one => one.what === 'transfer_20260302')?.statement
  t.equal(statement, 'alter table transfer detach partition transfer_20260302 concurrently')
  for (const { statement } of archivable) await db.query(statement) // they are SQL that runs
  t.strictSame((await retain(db, later)).archivable, [])
  await door.close()
})

t.test('a city that takes records for years keeps what their verdicts ask for', async t => {
  t.equal(endsAfterDays('parameter_applied', 90), 400)
  t.equal(endsAfterDays('parameter_applied', 900), 931)
  t.equal(endsAfterDays('outbox', 900), 90)
  t.equal(endsAfterDays('transfer', 90), null)
})

const debian = '/usr/lib/postgresql/15/bin'
t.test('the schema, a day and its proof on Debian\'s PostgreSQL 15', {
  skip: existsSync(join(debian, 'postgres')) ? false : `no ${debian}`
}, async t => {
  const postgres = await startPostgres({
    dataDir: join(folder, 'fifteen'), binDir: debian, settings: { fsync: 'off' }
  })
  t.teardown(() => postgres.destroy())
  const db = openDb(await postgres.ensureDatabase('fifteen'), { max: 4 })
  await migrate(db)
  await ensureHouseAccounts(db)
  const { rows: [row] } = await db.query<{ v: string }>("select current_setting('server_version_num') as v")
  t.equal(Math.floor(Number(row?.v) / 10_000), 15)
  const text = readFileSync(join(import.meta.dirname, '../ledger/store/schema.sql'), 'utf8')
  t.equal(text.slice(text.indexOf('\n\n') + 2), await dumpSchema(db), 'the same shape as on the packaged one')
  const { checks } = await verifyBooks(db)
  t.strictSame(checks.filter(one => !one.ok), [])
  await db.end()
})
