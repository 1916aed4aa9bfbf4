// Reconciliation on a real PostgreSQL, through the door: every layer on a day of traffic, each kind of lie
// once, items that people work on, and the defects of others that reconciliations are known for.
import t, { type Test } from 'tap'
import type { ItemView, RunView, TerminalCheck } from '../schemas/reconciliation.ts'
import type { TransactionRecord } from '../schemas/record.ts'
import { toConsumptionRecord } from '../schemas/clearing-file/event.ts'
import { writeConsumptionFile, writeConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import { floatIsOff } from '../ledger/day/float.ts'
import { inTransaction } from '../ledger/store/db.ts'
import { postBatch } from '../ledger/store/post.ts'
import { openItems, openKeysOf, type FoundItem } from '../ledger/store/items.ts'
import { staff, startDoors, type Door } from './support/ledger-http.ts'
import { cardOf } from './support/posting.ts'
import {
  card, clientOf, D, D1, debit, deliver, pages, psams, smallCity, type Terminal
} from './support/small-city.ts'

t.setTimeout(900_000)
const doors = await startDoors()
t.teardown(doors.stop)

async function opened (cards = 6): Promise<Door> {
  const door = await doors.open()
  const all = Array.from({ length: cards }, (_, number) => card(number))
  await door.ok('registrar', 'PUT', '/v1/registry', smallCity(all))
  return door
}
const at = (door: Door, text: string): void => { door.clock.set(Date.parse(`${text}+08:00`)) }
async function close (door: Door, date: string, moment: string): Promise<void> {
  at(door, moment)
  await door.ok('settler', 'POST', `/v1/days/${date}/close`)
}
const run = async (door: Door, date: string): Promise<RunView[]> =>
  (await door.ok('settler', 'POST', `/v1/reconciliation/${date}`)).items
const red = (runs: readonly RunView[]): string => runs.filter(one => !one.ok).map(one => one.layer).join('')
const items = async (door: Door, query = 'state=open'): Promise<ItemView[]> =>
  (await door.ok('auditor', 'GET', `/v1/items?${query}`)).items
const briefly = (some: readonly ItemView[]): string[] =>
  some.map(({ layer, outcome, key, amountFen }) => `${layer} ${outcome} ${key} ${amountFen}`)

/** Debits whose PSAMs count on from 1 without a gap. */
function tapping (): (...of: Parameters<typeof debit>) => TransactionRecord {
  const last = new Map<Terminal, number>()
  return (number, nth, terminal = 'B1', more = {}) => {
    last.set(terminal, (last.get(terminal) ?? 0) + 1)
    return debit(number, nth, terminal, { sequence: last.get(terminal) ?? 0, ...more })
  }
}

const merchant = '430400000000002'
async function upload (door: Door, sequence: number, records: readonly TransactionRecord[]): Promise<string> {
  const lines = records.map((record, index) =>
    writeConsumptionRecord(toConsumptionRecord(record, merchant, index + 1)))
  const { name, text } = writeConsumptionFile({ date: '20260302', industry: '02', merchant, sequence }, lines)
  const bytes = { bytes: text, type: 'application/octet-stream' }
  const { status } = await door.ask('gateway', 'PUT', `/v1/files/${name}`, bytes)
  if (status !== 200) throw new Error(`${name} was not taken`)
  return name
}

t.test('open items of many purses are found by their index, whatever the statistics say', async t => {
  const door = await opened(0)
  await inTransaction(door.ledger.db, async tx => {
    const found = Array.from({ length: 30_000 }, (_, card): FoundItem =>
      ({ layer: 'E', outcome: 'RIGHT_ONLY', key: `card/${card}/2/gap`, clearingDate: D, evidence: {} }))
    await openItems(tx, found, 0)
    const scans = async (): Promise<number> => Number((await tx.query<{ scans: bigint }>(
      "select pg_stat_get_xact_numscans('item_key'::regclass) as scans")).rows[0]?.scans)
    const before = await scans()
    const prefixes = Array.from({ length: 1_000 }, (_, nth) => `card/${nth * 40}/2/`)
    t.equal((await openKeysOf(tx, 'E', prefixes)).length, 750)
    t.equal(await scans() - before, 1_000, 'one look each: not each beginning against every item')
  })
  await door.close()
})

t.test('a day of traffic agrees in every layer, again and again', async t => {
  const door = await opened()
  const tap = tapping()
  await deliver(door, 'monday-1', [tap(0, 1), tap(1, 1, 'M1'), tap(2, 1, 'S1')])
  await upload(door, 1, [tap(3, 1), tap(4, 1)])
  await close(door, D, '2026-03-03T01:00:00')
  const runs = await run(door, D)
  t.strictSame(runs.map(one => one.layer).join(''), 'ABCDEFGHI', 'all nine layers ran')
  t.equal(red(runs), '', 'and agree')
  const of = (layer: string) => runs.find(one => one.layer === layer)
  t.strictSame(of('C')?.outcomes, [{ // the header of the file and the numbers of BUS
    outcome: 'MATCHED', left: { count: 2, sumFen: 360 }, right: { count: 2, sumFen: 360 }
  }])
  t.strictSame(of('H')?.outcomes, [], 'no bills of clinics on either side')
  t.match(of('E')?.note, /^6 purses: chips 59100 fen, shadows 59100 fen, 0 differ/)
  t.strictSame(await items(door), [])
  const stored = async () => (await door.db.query('select * from reconciliation_run')).rowCount
  const before = await stored()
  t.strictSame(await run(door, D), runs, 'a second run says the same')
  t.equal(await stored(), before, 'and stores nothing')
  t.strictSame((await door.ok('auditor', 'GET', `/v1/reconciliation?from=${D}&to=${D1}`)).items, runs,
    'the trend')
  t.equal((await door.ask('settler', 'POST', '/v1/reconciliation/2026-04-01')).json.reason, 'not_found')
  await door.close()
})

t.test('a terminal whose totals match in count but not in amount', async t => {
  const door = await opened()
  const tap = tapping()
  await deliver(door, 'monday-1', [tap(0, 1), tap(1, 1), tap(2, 1, 'B1', { grey: true }), tap(3, 1)])
  const batch = (more: object) => ({
    operator: 'BUS', terminal: 'B1', batch: '000001', psam: psams.B1, issue: 1, fromSequence: 1,
    toSequence: 4, consume: { count: 4, amountFen: 720 }, return: { count: 0, amountFen: 0 },
    load: { count: 0, amountFen: 0 }, ...more
  })
  const tell = async (more: object = {}): Promise<TerminalCheck> =>
    await door.ok('gateway', 'POST', '/v1/terminal-totals', batch(more))
  t.match(await tell(), { code: 0, records: [] }, 'all equal; what is grey counts')
  const wrong = await tell({ batch: '000002', consume: { count: 4, amountFen: 730 } })
  t.equal(wrong.code, 1, 'consume differs')
  t.match(wrong.classes, [
    {
      class: 'consume', equal: false, told: { count: 4, amountFen: 730 }, received: {
        count: 4,
        amountFen: 720
      }
    },
    { class: 'return', equal: true }, { class: 'load', equal: true }
  ])
  t.strictSame(wrong.records.map(one => [one.sequence, one.receivedFen, one.line]),
    [[1, 180, 1], [2, 180, 2], [3, 180, 3], [4, 180, 4]], 'all of the class, where it tells no records')
  const exact = await tell({
    batch: '000003',
    consume: { count: 4, amountFen: 730 },
    records: [180, 190, 180, 180].map((amountFen, nth) => ({ sequence: nth + 1, amountFen }))
  })
  t.strictSame(exact.records, [
    { class: 'consume', sequence: 2, toldFen: 190, receivedFen: 180, delivery: '1', line: 2 }
  ], 'the one record, where it tells them')
  t.match(await tell({ batch: '000004', load: { count: 1, amountFen: 5_000 } }), { code: 4 },
    'only loads differ')
  const two = { batch: '000005', consume: { count: 3, amountFen: 720 }, return: { count: 1, amountFen: 1 } }
  t.match(await tell(two), { code: 3 }, 'consume and return differ, loads are equal')
  t.equal((await door.ask('gateway', 'POST', '/v1/terminal-totals', {
    json: batch({ consume: { count: 4, amountFen: 721 } })
  })).json.reason, 'delivery_conflict', 'another total for a batch that is known')
  t.equal((await door.ask('gateway', 'POST', '/v1/terminal-totals', {
    json: batch({ operator: 'MET' })
  })).json.reason, 'registry_invalid', "another operator's terminal")
  t.equal((await door.ask('gateway', 'POST', '/v1/terminal-totals', {
    json: batch({ batch: '000006', psam: psams.M1 })
  })).json.reason, 'registry_invalid', "another operator's PSAM: its records would be told")

  await close(door, D, '2026-03-03T01:00:00')
  t.equal(red(await run(door, D)), 'A')
  t.strictSame(briefly(await items(door, 'state=open&layer=A')), [
    'A AMOUNT_DIFF terminal-batch/BUS/B1/000002/consume 10',
    'A AMOUNT_DIFF terminal-batch/BUS/B1/000003/consume 10',
    'A AMOUNT_DIFF terminal-batch/BUS/B1/000004/load 5000',
    'A AMOUNT_DIFF terminal-batch/BUS/B1/000005/consume 0',
    'A AMOUNT_DIFF terminal-batch/BUS/B1/000005/return 1'
  ])
  await door.close()
})

t.test('a record whose TAC is wrong fills no hole in a sequence', async t => {
  const door = await opened()
  await deliver(door, 'monday-1', [debit(0, 1, 'B1', { sequence: 1 }), debit(1, 1, 'B1', { sequence: 3 })])
  const forged = [{ sequence: 2 }, { sequence: 4_000_000_000 }].map((more, nth) =>
    debit(2 + nth, 1, 'B1', { ...more, tac: '01020304' }))
  await deliver(door, 'monday-2', [...forged, debit(4, 1, 'B1', { sequence: 4, grey: true, tac: null })])
  await door.ok('auditor', 'GET', '/v1/watch/items?layer=B')
  await close(door, D, '2026-03-03T01:00:00')
  const runs = await run(door, D)
  t.match(runs.find(one => one.layer === 'B'), { ok: true, note: '1 records are missing' })
  await door.close()
})

t.test('a file that was booked over three dates is whole, in C and in F', async t => {
  const door = await opened()
  const name = await upload(door, 1, [debit(0, 1), debit(1, 1)])
  // As if its lines had waited for two cuts.
  for (const table of ['card_event', 'delivery_part', 'transfer', 'balance_delta', 'batch']) {
    await door.db.query(`update ${table} set clearing_date = '2026-03-04'
      where batch_id = (select batch_id from batch where kind = 'records')`)
  }
  await close(door, D, '2026-03-03T01:00:00')
  await door.ok('settler', 'POST', '/v1/party-positions',
    { party: 'BUS', date: D, claimsFen: 360, items: [{ ref: name, amountFen: 360 }] })
  const runs = await run(door, D)
  t.match(runs.find(one => one.layer === 'C'), { ok: true })
  const outcomes = runs.find(one => one.layer === 'F')?.outcomes
  t.strictSame(outcomes?.map(({ outcome, left, right }) => [outcome, left.sumFen, right.sumFen]),
    [['DATE_DIFF', 360, 360], ['MATCHED', 0, 0]])
  await door.close()
})

t.test('what the issuer bears by a later verdict explains a chip as a first answer does', async t => {
  const door = await opened()
  const listed = '2026-03-02T06:00:00+08:00'
  at(door, '2026-03-02T06:00:00')
  await door.ok('registrar', 'POST', '/v1/blacklist',
    { add: [0, 1].map(number => ({ card: cardOf(number), reason: 'loss', at: listed })), remove: [] })
  at(door, '2026-03-02T12:00:00')
  const tap = tapping()
  const [first, torn] = [tap(0, 1), tap(1, 1)]
  await deliver(door, 'monday-1', [first, { ...torn, grey: true, tac: null }])
  t.match((await deliver(door, 'monday-2', [torn])).results, [{ reason: 'issuer_risk' }], 'proven, and borne')
  await close(door, D, '2026-03-03T01:00:00')
  t.equal(red(await run(door, D)), '')
  t.strictSame(await items(door), [])
  await door.close()
})

t.test('totals that come before their records agree when those arrive', async t => {
  const door = await opened()
  const tap = tapping()
  await deliver(door, 'monday-1', [tap(0, 1)])
  const none = { count: 0, amountFen: 0 }
  t.match(await door.ok('gateway', 'POST', '/v1/terminal-totals', {
    operator: 'BUS', terminal: 'B1', batch: '7', psam: psams.B1, issue: 1, fromSequence: 1, toSequence: 2,
    consume: { count: 2, amountFen: 360 }, return: none, load: none
  }), { code: 1 })
  await close(door, D, '2026-03-03T01:00:00')
  await run(door, D)
  t.strictSame(briefly(await items(door, 'state=open&layer=A')),
    ['A AMOUNT_DIFF terminal-batch/BUS/B1/7/consume 180'])
  await deliver(door, 'tuesday-1', [tap(1, 1)])
  await close(door, D1, '2026-03-04T01:00:00')
  await run(door, D1)
  t.match(await items(door, 'layer=A'), [{ state: 'closed', resolution: `agrees in the run of ${D1}` }],
    'the next run closes the item')
  await door.close()
})

t.test('an item dated D at the operator and D+1 here is carried and clears itself', async t => {
  const door = await opened()
  const tap = tapping()
  const token = await clientOf(door, 'BUS', 'operator')
  const tell = async (date: string, claimsFen: number, told: object[]) => {
    const json = { party: 'BUS', date, claimsFen, items: told }
    return await door.ask(null, 'POST', '/v1/party-positions', { token, json })
  }
  await deliver(door, 'monday-1', [tap(0, 1)])
  await close(door, D, '2026-03-03T01:00:00')
  const name = await upload(door, 1, [tap(1, 1), tap(2, 1)])
  t.equal((await tell(D, 540, [{ ref: name, amountFen: 360 }])).status, 204)
  const monday = await run(door, D)
  t.match(monday.find(one => one.layer === 'F'), {
    ok: true,
    outcomes: [{ outcome: 'DATE_DIFF', left: { sumFen: 360 }, right: { sumFen: 360 } },
      { outcome: 'MATCHED', left: { sumFen: 180 }, right: { sumFen: 180 } }]
  }, 'the file is a date difference, the rest of the total agrees')
  t.match(await items(door), [{
    layer: 'F', outcome: 'DATE_DIFF', key: `position/BUS/commerce/${name}`, amountFen: 0, party: 'BUS',
    evidence: { left: { date: D1 }, right: { date: D }, carriedUntil: '2026-03-05' }
  }])
  t.equal((await tell(D1, 0, [])).status, 204)
  await close(door, D1, '2026-03-04T01:00:00')
  t.equal(red(await run(door, D1)), '')
  t.strictSame(await items(door), [], 'nothing is left to do')
  t.match(await items(door, 'layer=F'), [{
    state: 'closed', owner: null,
    resolution: `agrees in the run of ${D1}`
  }])
  await door.close()
})

t.test('what a party claims and we do not have, and the other way round', async t => {
  const door = await opened()
  const tap = tapping()
  await deliver(door, 'monday-1', [tap(0, 1), tap(1, 1, 'B1', { tac: 'FFFFFFFF' }), tap(2, 1, 'M1')])
  await close(door, D, '2026-03-03T01:00:00')
  const record = (sequence: number, amountFen: number) => ({ ref: `${psams.B1}/${sequence}`, amountFen })
  await door.ok('settler', 'POST', '/v1/party-positions', {
    party: 'BUS',
    date: D,
    claimsFen: 180 + 180 + 200 + 7,
    items: [
      record(1, 200), record(1, 200), record(2, 180),
      { ref: 'XF2026030202430400000000002000099', amountFen: 180 }
    ]
  })
  await run(door, D)
  t.strictSame(briefly(await items(door, 'layer=F')).sort(), [
    `F AMOUNT_DIFF position/BUS/commerce/${psams.B1}/1 -20`,
    `F AMOUNT_DIFF position/BUS/commerce/rest of ${D} 193`,
    `F DUPLICATE position/BUS/commerce/${psams.B1}/1 (2) -200`,
    `F RIGHT_ONLY position/BUS/commerce/${psams.B1}/2 -180`,
    'F RIGHT_ONLY position/BUS/commerce/XF2026030202430400000000002000099 -180'
  ], 'each thing once, the rest of the totals as one amount')
  await door.close()
})

t.test('a fen that is off makes the float red, names the account, and stays visible', async t => {
  const door = await opened()
  const tap = tapping()
  await deliver(door, 'monday-1', [tap(0, 1), tap(1, 1, 'M1')])
  await close(door, D, '2026-03-03T01:00:00')
  const off = async () => await inTransaction(door.db, tx => floatIsOff(tx, D))
  const shift = async (party: string, fen: number) => await door.db.query(`
    update account_day set credit_fen = credit_fen + $1 where clearing_date = $2 and account_id = (
      select account_id from account join party using (party_id)
      where heading = 'merchant-pending' and code = $3)`, [fen, D, party])
  t.equal(await off(), null)
  await shift('BUS', 1)
  t.match(await off(),
    /the commerce book is off by -0\.01; account \d+ bucket \d+ date 2026-03-02: transfers -1\.80/)
  const runs = await run(door, D)
  t.equal(red(runs), 'DI')
  t.match(await door.ok('inspector', 'GET', `/v1/float/${D}`), {
    red: true, faults: [/off by -0\.01/,
      /account/]
  })
  t.match(briefly(await items(door)), [
    'D AMOUNT_DIFF ledger/commerce/merchant-pending/BUS/credit -1', /^D AMOUNT_DIFF ledger\/general ledger/,
    'I AMOUNT_DIFF float/commerce/identity -1'
  ])
  t.equal(red(await run(door, D)), 'DI', 'a second look repairs nothing')

  await shift('MET', -1)
  const both = await off()
  t.match(both, /transfers -1\.80 against -1\.81/, '+1 …')
  t.match(both, /transfers -1\.80 against -1\.79/, '… and −1 are two differences')
  t.equal(red(await run(door, D)), 'D',
    'the book sums to zero again, and its accounts are wrong all the same')
  await shift('BUS', -1)
  await shift('MET', 1)
  t.equal(red(await run(door, D)), '')
  t.strictSame(await items(door), [], 'the items close by themselves')
  const { rows } = await door.db.query(
    "select ok from reconciliation_run where layer = 'D' order by run_id")
  t.strictSame(rows.map(row => row.ok), [true, false, false, true], 'what failed stays in the history')
  await door.close()
})

t.test('the bank closes with another balance than the books expect', async t => {
  const door = await opened()
  const tap = tapping()
  await deliver(door, 'monday-1', [tap(0, 1)])
  await close(door, D, '2026-03-03T01:00:00')
  await door.db.query(`
    insert into bank_statement (book, account, external_id, from_date, to_date, opening_fen, closing_fen,
      lines,
      digest, content, format, raw, received_at, by_whom)
    values ('commerce', '6222', 'S-1', $1, $1, 60000, 60000, 0, '', '', 'csv', '', '2026-03-02T17:00:00Z',
      'x')`, [D])
  const off = async () => await inTransaction(door.db, tx => floatIsOff(tx, D))
  t.equal(await off(), null, 'what the first statement opens with is where the comparison begins')
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', {
    kind: 'correction',
    reason: 'a deposit that nobody has seen yet',
    body: {
      transfers: [
        { debit: 'commerce/custody-bank', credit: 'commerce/unidentified-receipts', amountFen: 1 }
      ]
    }
  })
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  t.match(await off(), /the bank closes S-1 with 600\.00, commerce\/custody-bank expects 600\.01: 0\.01 off/)
  t.equal(red(await run(door, D)), 'I')
  t.strictSame(briefly(await items(door)), ['I AMOUNT_DIFF float/commerce/bank balance 1'])
  await inTransaction(door.db, async tx => {
    const { accounts } = await door.ledger.registry()
    const [debit = 0, credit = 0] = ['custody-bank', 'unidentified-receipts'].map(heading =>
      accounts.get(`commerce/${heading}`))
    await postBatch(tx, {
      kind: 'registry', clearingDate: D1, createdAtMs: door.clock.now(), salt: Buffer.alloc(16), items: 1,
      transfers: [{
        journal: 0, bucket: 0, code: 'opening', book: 'commerce', debit, credit, amountFen: 5n,
        eventAtMs: door.clock.now()
      }]
    })
  })
  t.match(await off(), /expects 600\.06: 0\.06 off/, 'nor is hidden what a registry brings later')
  await run(door, D)
  const [off6] = await items(door)
  t.match(off6?.proposal,
    { transfers: [{ debit: 'commerce/shortage', credit: 'commerce/custody-bank', amountFen: 6 }] })
  await postProposed(door, off6?.item)
  t.equal(await off(), null, 'the books say what the bank says')
  await door.close()
})

/** Five items to work on: totals of terminals that nobody has records for. */
async function withItems (t: Test): Promise<Door> {
  const door = await opened()
  const none = { count: 0, amountFen: 0 }
  for (const nth of [1, 2, 3, 4, 5]) {
    await door.ok('gateway', 'POST', '/v1/terminal-totals', {
      operator: nth < 4 ? 'BUS' : 'MET', terminal: nth < 4 ? 'B1' : 'M1', batch: `b${nth}`,
      psam: nth < 4 ? psams.B1 : psams.M1, issue: 1, fromSequence: 1, toSequence: 9,
      consume: { count: 1, amountFen: nth }, return: none, load: none
    })
  }
  await run(door, D)
  t.equal((await items(door)).length, 5)
  return door
}

t.test('items are found, taken, written on and closed', async t => {
  const door = await withItems(t)
  const [first, second] = await items(door)
  const paged: number[] = []
  const queue = async (after: string): Promise<{ items: ItemView[], next: string | null }> =>
    await door.ok('clerk', 'GET', `/v1/items?state=open&limit=2${after}`)
  for await (const page of pages(queue)) {
    paged.push(...page.items.map(one => one.item))
    if (paged.length === 2) { // one that was shown closes while somebody pages on
      await door.ok('clerk', 'POST', `/v1/items/${paged[0]}/close`,
        { reason: 'the terminal was a test terminal' })
    }
  }
  t.strictSame(paged, [1, 2, 3, 4, 5].map(nth => (first?.item ?? 0) + nth - 1), 'every item once')
  t.strictSame((await items(door, 'state=open&party=MET')).map(one => one.party), ['MET', 'MET'])
  const mine = await door.ok('settler', 'POST', `/v1/items/${second?.item}/owner`, { owner: 'settler' })
  t.equal(mine.owner, 'settler')
  t.equal((await items(door, 'owner=settler')).length, 1)
  t.equal((await items(door, 'state=open&owner=-')).length, 3)
  t.equal((await door.ok('settler', 'POST', `/v1/items/${second?.item}/note`, { note: 'asked BUS' })).note,
    'asked BUS')
  at(door, '2026-03-05T13:00:00')
  t.equal((await items(door, 'state=open&age=3')).length, 4)
  t.equal((await items(door, 'state=open&age=4')).length, 0)
  t.equal((await items(door, 'state=closed'))[0]?.ageDays, 0, 'a closed item has stopped to age')

  const refused = async (who: keyof typeof staff, path: string, json: unknown) =>
    (await door.ask(who, 'POST', `/v1/items${path}`, { json })).json.reason
  t.equal(await refused('inspector', `/${second?.item}/note`, { note: 'x' }), 'forbidden')
  t.equal(await refused('clerk', `/${second?.item}/owner`, { owner: 'nobody' }), 'registry_invalid')
  t.equal(await refused('clerk', '/999999/note', { note: 'x' }), 'not_found')
  t.equal(await refused('clerk', `/${first?.item}/note`, { note: 'x' }), 'item_closed')
  t.equal(await refused('clerk', `/${second?.item}/close`, { reason: 'short' }), 'body_invalid')
  t.equal(await refused('clerk', '', { items: [second?.item] }), 'body_invalid', 'nothing to do')
  const open = (await items(door)).map(one => one.item)
  t.equal(await refused('clerk', '', { items: [...open, first?.item], note: 'all' }), 'item_closed',
    'all or none')
  t.equal((await items(door)).some(one => one.note === 'all'), false)
  const done = await door.ok('clerk', 'POST', '/v1/items', {
    items: open, owner: 'clerk', note: 'seen together', close: 'written off by the meeting of Friday'
  })
  t.ok(done.items.every((one: ItemView) => one.state === 'closed' && one.owner === 'clerk'))
  t.strictSame(await items(door), [])
  const log = await door.db.query<{ action: string }>(
    "select action from audit where action like 'item.%' order by seq")
  t.strictSame(log.rows.map(row => row.action), ['item.close', 'item.change', 'item.change', 'item.close'])
  await door.close()
})

t.test('an item is settled by a posting that two people agree on', async t => {
  const door = await withItems(t)
  const [first, second] = await items(door)
  const propose = async (item: number | undefined, transfers?: object[]) => {
    const body = { item, ...transfers && { transfers } }
    const json = { kind: 'item_posting', reason: 'agreed with the operator', body }
    return await door.ask('clerk', 'POST', '/v1/proposals', { json })
  }
  t.match((await propose(first?.item)).json, { reason: 'registry_invalid', detail: /proposes no posting/ })
  t.equal((await propose(999_999)).json.reason, 'not_found')
  const posting = [{ debit: 'commerce/shortage', credit: 'commerce/merchant-pending/BUS', amountFen: 1 }]
  const { json: { id } } = await propose(first?.item, posting)
  t.equal((await propose(first?.item, posting)).json.reason, 'proposal_pending')
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  t.match((await items(door, 'state=closed'))[0], { item: first?.item, resolution: /^posted by batch \d+$/ })
  t.match((await propose(first?.item, posting)).json.reason, 'item_closed')

  const stale = await propose(second?.item, posting)
  await door.ok('clerk', 'POST', `/v1/items/${second?.item}/close`, { reason: 'it was settled on the phone' })
  t.equal((await door.ask('approver-1', 'POST', `/v1/proposals/${stale.json.id}/decisions`, {
    json: { approves: true }
  })).json.reason, 'item_closed', 'what has changed meanwhile is not posted')
  const { rows } = await door.db.query<{ n: bigint }>(
    "select count(*) as n from batch where kind = 'correction'")
  t.equal(rows[0]?.n, 1n)
  await door.close()
})

t.test('a day that closes is compared by itself, and again before somebody approves it', async t => {
  const door = await opened()
  const tap = tapping()
  await deliver(door, 'monday-1', [tap(0, 1), tap(1, 1, 'M1')])
  await close(door, D, '2026-03-03T01:00:00')
  const trend = async (): Promise<RunView[]> =>
    (await door.ok('auditor', 'GET', `/v1/reconciliation?from=${D}&to=${D}`)).items
  t.equal((await trend()).map(one => one.layer).join(''), 'ABCDEFGHI', 'nobody asked for it')
  t.equal(red(await trend()), '')
  t.ok((await trend()).every(one => one.by === 'settler'), 'by whom it was closed')
  const stored = async () => (await door.db.query('select 1 from reconciliation_run')).rowCount
  await close(door, D, '2026-03-03T01:10:00')
  t.equal(await stored(), 9, 'closed again it finds the same, and stores nothing')
  await door.ok('settler', 'POST', '/v1/party-positions', { party: 'BUS', date: D, claimsFen: 187 })
  t.strictSame(await items(door), [], 'nobody has looked at it yet')
  const { digest } = await door.ok('auditor', 'GET', `/v1/days/${D}`)
  await door.ok('approver-1', 'POST', `/v1/days/${D}/approvals`, { digest })
  t.strictSame(briefly(await items(door)), [`F AMOUNT_DIFF position/BUS/commerce/rest of ${D} -7`])
  t.match((await trend()).find(one => one.layer === 'F'), { ok: false, by: 'approver-1' })
  const early = await door.ask('approver-1', 'POST', `/v1/days/${D1}/approvals`, { json: { digest } })
  t.equal(early.json.reason, 'day_state', 'an open day is not compared')
  t.strictSame((await door.ok('auditor', 'GET', `/v1/reconciliation?from=${D1}&to=${D1}`)).items, [])
  await door.close()
})

/** Two people post what an item proposes. */
async function postProposed (door: Door, item: number | undefined): Promise<void> {
  const json = { kind: 'item_posting', reason: 'as the item proposes', body: { item } }
  const { id } = await door.ok('clerk', 'POST', '/v1/proposals', json)
  await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
}
const balanceOf = async (door: Door, account: string): Promise<number> =>
  (await door.ok('auditor', 'GET', '/v1/accounts')).accounts
    .find((one: { account: string }) => one.account === account)?.balanceFen ?? 0

t.test('a chip that nothing explains carries the posting that makes the ledger say the same', async t => {
  const door = await opened()
  const shift = async (debit: string, credit: string, number: number, amountFen: number) => {
    const { id } = await door.ok('clerk', 'POST', '/v1/proposals', {
      kind: 'correction',
      reason: 'a mistake of somebody',
      body: { transfers: [{ debit, credit, amountFen, card: cardOf(number) }] }
    })
    await door.ok('approver-1', 'POST', `/v1/proposals/${id}/decisions`, { approves: true })
  }
  // The chips hold 100.00 each. The ledger owes card 0 70 fen less, card 1 50 fen more.
  await shift('commerce/purse', 'commerce/fee-income', 0, 70)
  await shift('commerce/shortage', 'commerce/purse', 1, 50)
  await close(door, D, '2026-03-03T01:00:00')
  const found = await items(door)
  const shown = found.map(({ layer, outcome, amountFen, proposal }) =>
    ({ layer, outcome, amountFen, proposal }))
  t.strictSame(shown, [
    {
      layer: 'E', outcome: 'AMOUNT_DIFF', amountFen: 70,
      proposal: { transfers: [{ debit: 'commerce/shortage', credit: 'commerce/purse', amountFen: 70 }] }
    },
    {
      layer: 'E', outcome: 'AMOUNT_DIFF', amountFen: -50,
      proposal: { transfers: [{ debit: 'commerce/purse', credit: 'commerce/unpaid-debits', amountFen: 50 }] }
    }
  ])
  t.notMatch(JSON.stringify(found), cardOf(0).serial, 'no card stands in an item as it is')
  await postProposed(door, found[0]?.item)
  const { items: proposals } = await door.ok('auditor', 'GET', '/v1/proposals')
  const looked = JSON.stringify(proposals.filter((one: { kind: string }) => one.kind === 'item_posting'))
  t.notMatch(looked, cardOf(0).serial, 'nor in the proposal')
  await postProposed(door, found[1]?.item)
  t.equal(await balanceOf(door, 'commerce/unpaid-debits'), 50)
  t.equal(await balanceOf(door, 'commerce/shortage'), 50 + 70)
  t.equal(red(await run(door, D)), '', 'then both sides agree')
  t.strictSame(await items(door), [])
  const report = await door.ok('auditor', 'POST', '/v1/verify')
  t.ok(report.ok, 'and the books verify')
  await door.close()
})

t.test('who may do what', async t => {
  const door = await opened()
  const token = await clientOf(door, 'MET', 'operator')
  const none = { count: 0, amountFen: 0 }
  const totals = {
    operator: 'BUS', terminal: 'B1', batch: '1', psam: psams.B1, issue: 1, fromSequence: 1, toSequence: 1,
    consume: none,
    return: none, load: none
  }
  const reason = async (who: Parameters<Door['ask']>[0], method: string, path: string, json?: unknown,
    more = {}) =>
    (await door.ask(who, method, path, { ...json === undefined ? {} : { json }, ...more })).json?.reason
  t.equal(await reason(null, 'POST', '/v1/terminal-totals', totals, { token }), 'forbidden', 'MET for BUS')
  t.equal(await reason('clerk', 'POST', '/v1/terminal-totals', totals), 'forbidden')
  t.equal(await reason(null, 'POST', '/v1/party-positions', { party: 'BUS', date: D, claimsFen: 0 },
    { token }),
  'forbidden')
  t.equal(await reason('settler', 'POST', '/v1/party-positions', { party: 'XXX', date: D, claimsFen: 0 }),
    'not_found')
  t.equal(await reason('clerk', 'POST', `/v1/reconciliation/${D}`), 'forbidden')
  t.equal(await reason('gateway', 'GET', `/v1/reconciliation?from=${D}&to=${D}`), 'forbidden')
  t.equal(await reason('gateway', 'GET', '/v1/items'), 'forbidden')
  t.equal(await reason('gateway', 'GET', `/v1/float/${D}`), 'forbidden')
  t.equal(await reason(null, 'GET', '/v1/items'), 'unauthenticated')
  const medical = { date: D, items: [{ settlement: 'S-1', amountFen: 15_720, state: 'settled' }] }
  t.equal(await reason('clerk', 'POST', '/v1/medical-totals', medical), 'forbidden')
  t.equal(await reason('settler', 'POST', '/v1/medical-totals', medical), undefined)
  await run(door, D)
  t.strictSame(briefly(await items(door)), ['H RIGHT_ONLY settlement/S-1 -15720'], 'the centre alone has it')
  await door.close()
})

t.strictSame(doors.mismatches(), [], 'every answer is as described')
