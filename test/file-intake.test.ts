// Consumption files on a real PostgreSQL: in pieces, in parts, twice at once, past a death in between; and
// the quick ways on their road held against the slow ones.
import t from 'tap'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { createRandom } from '../terminal-sim/random.ts'
import { fromDigits } from '../runtime/instants.ts'
import {
  consumptionRecordLength, readConsumptionRecord, writeConsumptionFile, writeConsumptionRecord
} from '../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord, toTransactionRecord } from '../schemas/clearing-file/event.ts'
import { eachLine, lineEnds } from '../schemas/clearing-file/lines.ts'
import { plainReader } from '../schemas/clearing-file/plain-record.ts'
import { cardKey, contentHash, type TransactionRecord } from '../schemas/record.ts'
import { sha256 } from '../schemas/sha256.ts'
import { missingSequences } from '../ledger/core/file-gaps.ts'
import { refusalBytes, replyTexts } from '../ledger/intake/file-answers.ts'
import { laneLines } from '../ledger/intake/file.ts'
import { readPlain } from '../ledger/intake/incoming.ts'
import { createLanes, laneOf, lanesFor } from '../ledger/intake/lanes.ts'
import { stageFile } from '../ledger/intake/stage.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { register } from '../ledger/parameters/registry.ts'
import { accountDifferences, purseDifferences } from '../ledger/store/balances.ts'
import { lineDifferences, fromTheBeginning } from '../ledger/store/verification.ts'
import { isWhole, resumeFiles, takeFile } from '../ledger/intake/take-file.ts'
import type { Db } from '../ledger/store/db.ts'
import { findFile } from '../ledger/store/files.ts'
import type { PartyRow } from '../ledger/store/registry.ts'
import { completeItem, itemLength, writeItem } from '../ledger/tac/tac-item.ts'
import { verifyBooks } from '../ledger/verifying/verify-books.ts'
import { cardOf, deliver, recordOf, startBench } from './support/posting.ts'

/* ---- the quick ways ---- */

t.test('SHA-256 of short messages is that of the runtime', async t => {
  const random = createRandom('sha256')
  for (let length = 0; length < 300; length++) {
    const bytes = random.bytes(length)
    const cut = random.int(0, length)
    const wanted = createHash('sha256').update(bytes).digest('hex')
    t.equal(sha256(bytes.subarray(0, cut), bytes.subarray(cut)).toString('hex'), wanted, `${length} bytes`)
  }
})

const merchant = '898421000000001'
const lineOf = (record: Parameters<typeof toConsumptionRecord>[0], lineNo: number): string =>
  writeConsumptionRecord(toConsumptionRecord(record, merchant, lineNo))

t.test('the quick reader of a record says what the slow one says, or nothing', async t => {
  const good = lineOf(recordOf(3, 1, { line: 'L1', vehicle: 'V 7', tac: '0123ABCD' }), 7)
  const characters = '0 9AF-agz~'
  for (const counter of ['committed', 'init'] as const) {
    const convention = { operator: 'BUS', counter }
    const quick = plainReader(convention, merchant).read
    const slow = (raw: string) => {
      const read = readConsumptionRecord(raw, 7, merchant)
      return read.ok ? toTransactionRecord(read.record, convention) : null
    }
    t.strictSame(quick(Buffer.from(good), 0, 7), slow(good), `${counter}: a plain one is read`)
    t.equal(quick(Buffer.from(good), 0, 8), null, 'not its line')
    let read = 0
    for (let at = 0; at < good.length; at++) {
      for (const character of characters) {
        const raw = good.slice(0, at) + character + good.slice(at + 1)
        const found = quick(Buffer.from(`xx${raw}`, 'latin1'), 2, 7)
        if (found === null) continue
        read++
        if (JSON.stringify(found) !== JSON.stringify(slow(raw))) t.fail(`column ${at + 1}: ${raw}`)
      }
    }
    t.ok(read > 500, `${read} of the changed ones are plain too`)
  }
})

t.test('lines are cut alike whatever pieces the bytes come in', async t => {
  for (const end of Object.values(lineEnds)) {
    for (const text of [`a${end}bc${end}${end}d`, `a${end}bc${end}`, end]) {
      const whole: string[] = []
      eachLine(Buffer.from(text), true, (start, stop) => { whole.push(text.slice(start, stop)) })
      for (let cut = 0; cut <= text.length; cut++) {
        const lines: string[] = []
        const first = Buffer.from(text.slice(0, cut))
        const rest = eachLine(first, false, (start, stop) => { lines.push(text.slice(start, stop)) })
        const second = Buffer.from(text.slice(rest))
        eachLine(second, true, (start, stop) => { lines.push(second.toString('latin1', start, stop)) })
        t.strictSame(lines, whole, `${JSON.stringify(text)} cut at ${cut}`)
      }
    }
  }
})

t.test('which files are missing', async t => {
  const rows: [says: string, ofDate: number[], before: number, missing: number[]][] = [
    ['the first file of all', [1], 0, []],
    ['counted on from the day before', [13], 12, []],
    ['one left out since the day before', [14], 12, [13]],
    ['begun at 1 again', [1, 2], 12, []],
    ['begun again, the first not there yet', [2], 12, [1]],
    ['two holes', [1, 3, 6], 0, [2, 4, 5]],
    ['in any order', [6, 1, 3], 0, [2, 4, 5]]
  ]
  for (const [says, ofDate, before, missing] of rows) {
    t.strictSame(missingSequences(ofDate, before), missing, says)
  }
  t.equal(missingSequences([1, 99_999], 0).length, 100, 'a number gone wrong names a hundred at most')
})

/* ---- files in the ledger ---- */

const bench = await startBench()
t.teardown(() => bench.stop())
t.setTimeout(300_000)

const cards = 1_500

async function opened () {
  const { ledger, db, close } = await bench.freshLedger(cards)
  await register(ledger, {
    parties: [{
      code: 'BUS', kind: 'operator', nameZh: '公交', nameEn: 'Bus', service: 'transit', merchant, industry: '01'
    }]
  })
  return { ledger, db, close }
}

t.test('a line that does not end is not waited for', async t => {
  let read = 0
  const endless = Readable.from(async function * () {
    for (; read < 1_000; read++) yield Buffer.alloc(1 << 14, 'x')
  }())
  await t.rejects(stageFile(fileOf(1).name, endless), /more than 65536 bytes/)
  t.ok(read < 10, `${read} pieces of 16 KiB`)
})

/** So many lines, the cards in turn; of a thousand, one has a wrong TAC and one cannot be read. */
function fileOf (lines: number, sequence = 1): { name: string, text: string } {
  const records = Array.from({ length: lines }, (_, index) => {
    const nth = Math.floor(index / cards) + 1
    const more = index % 1_000 === 999 ? { tac: '00000001' } : {}
    const record = recordOf(index % cards, nth, { balanceBeforeFen: 5_000 - 180 * (nth - 1), ...more })
    const line = lineOf(record, index + 1)
    return index % 1_000 === 500 ? line.slice(0, 115) + 'XX' + line.slice(117) : line
  })
  return writeConsumptionFile({ date: '20260302', industry: '01', merchant, sequence }, records, 'CRLF')
}

const pieces = (text: string, size: number): Readable =>
  Readable.from(Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
    Buffer.from(text.slice(index * size, (index + 1) * size), 'latin1')), { objectMode: true })

async function upload (ledger: Ledger, { name, text }: { name: string, text: string }, size = 40_000) {
  const operator = (await ledger.registry()).parties.get('BUS')
  if (operator === undefined) throw new Error('no BUS')
  const staged = await stageFile(name, pieces(text, size), partMax)
  const { file, replayed } = await takeFile(ledger, staged, operator)
  let reply = ''
  for await (const piece of replyTexts(ledger.db, file, replayed)) reply += piece
  const refusals: Buffer[] = []
  for await (const piece of refusalBytes(ledger.db, file)) refusals.push(piece)
  return { ...JSON.parse(reply), SS: Buffer.concat(refusals).toString('latin1') }
}

/** Of a part here: those of a city are ten times as large. */
const partMax = 10_000
const lines = partMax + 1_000
const big = fileOf(lines)

t.test('a file of several parts is answered whole, and the same for ever', async t => {
  const { ledger, db, close } = await opened()
  const first = await upload(ledger, big)
  t.match(first, { status: 'processed', count: lines, clearingDate: '2026-03-02' })
  t.equal(first.confirmed.count + first.refused.count + first.excluded.count, lines)
  const odd = first.lines.filter(({ reason }: { reason: string }) => reason !== 'ok')
  const wrong = odd.filter(({ reason }: { reason: string }) => reason === 'tac_wrong')
  const broken = odd.filter(({ reason }: { reason: string }) => reason === 'malformed')
  t.strictSame(wrong.map(({ line }: { line: number }) => line),
    Array.from({ length: lines / 1_000 }, (_, index) => index * 1_000 + 1_000))
  t.strictSame(broken.map(({ line }: { line: number }) => line),
    Array.from({ length: lines / 1_000 }, (_, index) => index * 1_000 + 501))
  t.equal(first.SS.split('\r\n').length - 2, first.refused.count + first.excluded.count, 'one SS line each')
  t.ok(first.SS.includes(big.text.split('\r\n')[501]?.slice(8, 158) ?? '-'), 'the broken line as it came')
  const again = await upload(ledger, big, 7)
  t.strictSame({ ...again, status: 'processed' }, first, 'in pieces of seven bytes')
  t.equal(again.status, 'already_processed')
  await t.rejects(upload(ledger, { name: big.name, text: fileOf(2).text }), /used before for other content/)
  const tx = await db.connect()
  t.strictSame(await lineDifferences(tx, fromTheBeginning), [])
  tx.release()
  t.strictSame(await purseDifferences(db), [])
  t.strictSame(await accountDifferences(db, null), [])
  await close()
})

/* ---- the quick road of plain lines ---- */

/**
 * Records of a hundred cards, most of them plain; of each kind of trouble a few. `conflicts`: two uses of one
 * counter too, for which the whole part is judged one by one.
 */
function mixedRecords (conflicts: boolean): TransactionRecord[] {
  const random = createRandom('mixed')
  const records: TransactionRecord[] = []
  const troubles: ((nth: number) => Partial<TransactionRecord>)[] = [
    () => ({ tac: '0BADBAD0' }), () => ({ tac: null, grey: true }), () => ({ dateTime: '20260301083015' }),
    () => ({ amountFen: 0 }), () => ({ amountFen: 100_000 }),
    () => ({ terminal: 'M1' }), () => ({ terminal: 'B9' }), () => ({ psam: '990000000009' }),
    () => ({ psam: '990000000002' }), () => ({ dateTime: '20000101000000' }), () => ({ type: '09' }),
    () => ({ card: cardOf(5_000) }), nth => ({ balanceBeforeFen: 5_000 - 180 * (nth - 1) + 7 }),
    nth => ({ counter: 100 + nth + 40 })]
  if (conflicts) troubles.push(nth => ({ counter: 100 + Math.max(1, nth - 1) }))
  const taps = new Map<number, number>()
  let troubled = 0
  for (let at = 0; at < 400; at++) {
    const card = random.int(0, 99)
    const nth = (taps.get(card) ?? 0) + 1
    taps.set(card, nth)
    const trouble = random.chance(0.12) ? troubles[troubled++ % troubles.length]?.(nth) : {}
    records.push(recordOf(card, nth, { recordNo: at + 1, ...trouble }))
  }
  // A clock that is ahead is somebody's to know, once a day.
  records.push(recordOf(120, 1, { recordNo: 401, dateTime: '20260302120130' }))
  return records
}

/** Everything that a batch writes, but for the numbers that count on. */
async function written (db: Db): Promise<unknown> {
  const table = async (text: string) => (await db.query({ text, rowMode: 'array' })).rows
  return {
    events: await table(`
      select bucket, card_id, purse, counter, type, amount_fen, balance_before_fen, psam_id, sequence,
        terminal_id, event_at, encode(content, 'hex'), outcome, reason, findings, line_no
      from card_event order by 1, 2, 3, 4`),
    evidence: await table(`
      select bucket, card_id, counter, encode(digest, 'hex'), kind, outcome, reason, findings, line_no,
        tac_valid from evidence order by line_no`),
    terminals: await table('select * from terminal_claim order by bucket, psam_id, sequence'),
    purses: await table('select * from purse order by bucket, card_id, purse'),
    adjustments: await table('select bucket, line_no, outcome, reason, findings, amount_fen from adjustment'),
    transfers: await table(`
      select bucket, code, book, debit_account, credit_account, amount_fen, card_id, event_at, line_no
      from transfer order by card_id, line_no, code`),
    deltas: await table(`
      select bucket, account_id, clearing_date, sum(debit_fen), sum(credit_fen) from balance_delta
      group by 1, 2, 3 order by 1, 2`),
    alerts: await table('select kind, about from alert order by 1, 2'),
    sequences: await table(`
      select psam_ids, lows, highs, (select array_agg(c order by c) from unnest(card_ids) as c), top_debits
      from batch_news`)
  }
}

t.test('lines of a file, in columns where they are plain, end as the same records one by one', async t => {
  for (const conflicts of [false, true]) {
    const records = mixedRecords(conflicts)
    const byFile = await opened()
    const name = { date: '20260302', industry: '01', merchant, sequence: 1 }
    const file = await upload(byFile.ledger, writeConsumptionFile(name, records.map((record, index) =>
      lineOf(record, index + 1))))
    const oneByOne = await opened()
    const { results } = await deliver(oneByOne.ledger, 'the same', records)
    const count = (wanted: string) => results.filter(({ outcome }) => outcome === wanted).length
    t.ok(count('accepted') > 300 && count('refused') > 10 && count('held') > 1, 'some of everything')
    t.strictSame([file.confirmed.count, file.refused.count, file.excluded.count],
      [count('accepted'), count('refused') + count('held'), count('excluded')])
    t.strictSame(await written(byFile.db), await written(oneByOne.db), `conflicts: ${conflicts}`)
    for (const { db, close } of [byFile, oneByOne]) {
      const tx = await db.connect()
      t.strictSame(await lineDifferences(tx, fromTheBeginning), [], 'every batch commits to its lines')
      tx.release()
      t.strictSame(await purseDifferences(db), [])
      await close()
    }
  }
})

const inColumns = 'a file in columns tells what its lines tell one by one, and asks the same of key workers'
t.test(inColumns, async t => {
  const records = mixedRecords(true)
  const convention = { operator: 'BUS', counter: 'init' as const }
  const operator = { code: 'BUS', counterConvention: 'init' } as PartyRow
  const bytes = Buffer.from(records.map((record, index) => lineOf(record, index + 1)).join('\n'), 'latin1')
  for (const count of [1, 2, 10]) {
    const lanes = await laneLines(bytes, 1, { operator, merchant }, count)
    const seen: number[] = []
    for (const [lane, { plain, others, again }] of lanes.entries()) {
      seen.push(...others.map(({ lineNo }) => lineNo))
      for (let place = 0; place < plain.length; place++) {
        const lineNo = plain.lineNo[place] ?? 0
        const start = (lineNo - 1) * (consumptionRecordLength + 1)
        const read = readConsumptionRecord(bytes.toString('latin1', start, start + consumptionRecordLength),
          lineNo, merchant)
        if (!read.ok) throw new Error(read.detail)
        const record = toTransactionRecord(read.record, convention)
        const item = Buffer.alloc(itemLength)
        writeItem(item, 0, record, 'sm4', Buffer.alloc(8, 7))
        completeItem(plain.items, place * itemLength, 'sm4', Buffer.alloc(8, 7))
        const told = {
          card: plain.cards[plain.cardPlace[place] ?? 0], psam: plain.psams[plain.psamPlace[place] ?? 0],
          terminal: plain.terminals[plain.terminalPlace[place] ?? 0], counter: plain.counter[place],
          amountFen: plain.amountFen[place], balanceBeforeFen: plain.balanceBeforeFen[place],
          sequence: plain.sequence[place], type: plain.type[place], eventAtMs: plain.eventAtMs[place],
          content: plain.content.toString('hex', place * 32, place * 32 + 32),
          lane: laneOf(record.card, count),
          item: plain.items.toString('hex', place * itemLength, (place + 1) * itemLength)
        }
        t.strictSame(told, {
          card: { ref: record.card, key: cardKey(record.card) }, psam: record.psam, terminal: record.terminal,
          counter: record.counter, amountFen: record.amountFen, balanceBeforeFen: record.balanceBeforeFen,
          sequence: record.sequence, type: Number(record.type), eventAtMs: fromDigits(record.dateTime),
          content: contentHash(record).toString('hex'), lane, item: item.toString('hex')
        }, `${count} lanes, line ${lineNo}`)
        t.strictSame(again(place), readPlain(record, lineNo))
        seen.push(lineNo)
      }
    }
    t.strictSame(seen.sort((one, other) => one - other), records.map((_, index) => index + 1),
      `${count} lanes: each line once`)
  }
})

t.test('two files never book lines of one card at once, however many lanes each has', async t => {
  const counts = [5_000, 20_000, 60_000, 100_000].map(lanesFor)
  t.strictSame(counts, [3, 3, 6, 9])
  const lanes = createLanes()
  for (let card = 0; card < 40; card++) {
    let atOnce = 0
    await Promise.all(counts.map(count => lanes.run(laneOf(cardOf(card), count), async () => {
      t.equal(++atOnce, 1, `card ${card} in ${count} lanes`)
      await setImmediate()
      atOnce--
    })))
  }
  let atOnce = 0
  let most = 0
  await Promise.all([0, 1, 2, 3].map(lane => lanes.run(lane, async () => {
    most = Math.max(most, ++atOnce)
    await setImmediate()
    atOnce--
  })))
  t.equal(most, 3, 'cards of other lanes are booked meanwhile')
})

t.test('of two who send it at once, one has brought it; both get all of it', async t => {
  const { ledger, close } = await opened()
  const both = await Promise.all([upload(ledger, big), upload(ledger, big, 9_000)])
  t.strictSame(both.map(({ status }) => status).sort(), ['already_processed', 'processed'])
  const [one, other] = both.map(({ status, ...rest }) => rest)
  t.strictSame(one, other)
  await close()
})

t.test('a death between two parts: sent again, or at the next start, it goes on, each line once', async t => {
  for (const how of ['sent again', 'next start'] as const) {
    const { ledger, db, close } = await opened()
    const other = await opened()
    const whole = await upload(other.ledger, big)
    await other.close()
    let runs = 0
    const dying: Ledger = {
      ...ledger,
      lanes: {
        ...ledger.lanes,
        run: async (lane, work) => {
          if (++runs > 2) throw new Error('dead')
          return await ledger.lanes.run(lane, work)
        }
      }
    }
    await t.rejects(upload(dying, big), /dead/)
    const half = await findFile(db, 'BUS', big.name)
    t.ok(half !== null && !isWhole(half) && half.booked === 2, `${how}: half of it is booked`)
    if (how === 'next start') await resumeFiles(ledger)
    const { status, ...rest } = await upload(ledger, big)
    t.equal(status, 'already_processed')
    const { status: _, ...wanted } = whole
    t.strictSame(rest, wanted, how)
    const { rows: [found] } = await db.query(`
      select ((select count(*) from card_event) + (select count(*) from evidence where kind <> 4))::int as n`)
    t.equal(found?.['n'], lines, 'a row for each line')
    t.strictSame(await purseDifferences(db), [])
    await close()
  }
})

t.test('the date in which a file was kept stays, also where a cut came between its lanes', async t => {
  for (const cut of [false, true]) {
    const { ledger, db, close } = await opened()
    let first: Promise<unknown> | null = null
    const second = async () => {
      await first
      if (cut) await db.query("update open_day set clearing_date = '2026-03-03'")
    }
    const run: typeof ledger.lanes.run = (lane, work) => {
      if (first !== null) return second().then(() => ledger.lanes.run(lane, work))
      const turn = ledger.lanes.run(lane, work)
      first = turn
      return turn
    }
    await upload({ ...ledger, lanes: { ...ledger.lanes, run } }, fileOf(6_000))
    const { rows } = await db.query('select clearing_date as date from delivery_part order by 1')
    const later = cut ? '2026-03-03' : '2026-03-02'
    t.strictSame(rows.map(row => row['date']), ['2026-03-02', later, later])
    const faults = async () => (await verifyBooks(db)).checks.flatMap(({ check, ok, detail }) =>
      ok || !/verdicts are those|files are cut/.test(check) ? [] : [detail])
    t.strictSame(await faults(), [], 'as it was')
    for (const days of [-1, 1]) {
      await db.query('update delivery set clearing_date = clearing_date + $1::int', [days])
      t.match((await faults()).join(), /delivery 1\b/, `moved by ${days}`)
      await db.query('update delivery set clearing_date = clearing_date - $1::int', [days])
    }
    await close()
  }
})

t.test('a file that is missing is an item until it comes', async t => {
  const { ledger, db, close } = await opened()
  const items = async () => {
    const { rows } = await db.query<{ what: string }>(`
      select key || ' ' || state as what from item where layer = 'C' order by item_id`)
    return rows.map(row => row.what)
  }
  await upload(ledger, fileOf(2, 1))
  t.strictSame(await items(), [])
  const third = fileOf(3, 3)
  await upload(ledger, third)
  const second = fileOf(2, 2)
  t.strictSame(await items(), [`file/${second.name} open`])
  await upload(ledger, third)
  await upload(ledger, second)
  t.strictSame(await items(), [`file/${second.name} closed`])
  await close()
})
