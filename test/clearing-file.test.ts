// Clearing files byte by byte: golden lines built by hand from the published widths, every line end, each way
// in which a header can lie, a broken record among good ones.
import t from 'tap'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import {
  answerLayouts, readAnswer, readBlacklist, refusalCause, writeBlacklist, writeNames, writeRefusal,
  writeRefusals, writeSummaries
} from '../schemas/clearing-file/answers.ts'
import {
  consumptionHeaderLayout, consumptionRecordLayout, readConsumptionFile, readConsumptionRecord,
  writeConsumptionFile,
  writeConsumptionRecord
} from '../schemas/clearing-file/consumption.ts'
import { toConsumptionRecord, toTransactionRecord } from '../schemas/clearing-file/event.ts'
import { blackFileName, formatFileName, parseFileName, sourceName }
  from '../schemas/clearing-file/file-name.ts'
import { readFields, widthOf, type Layout } from '../schemas/clearing-file/fields.ts'
import { lineEnds, splitLines, type LineEnd } from '../schemas/clearing-file/lines.ts'
import { contentHash, type TransactionRecord } from '../schemas/record.ts'
import { verdictReasons, type VerdictReason } from '../schemas/reasons.ts'

/* ---- by hand: widths as published, one field a line ---- */

const merchant = '430400000000002'
const evidence = [
  '430400000000002', // merchant 15
  'BUS-0001', // terminal 8
  '03104990600000000016', // card number 20
  '01', '00', // card main type 2, sub type 2
  '20361231', '20200101', '20361231', // card expiry 8, application start 8, application expiry 8
  '000101', // card transaction counter 6
  '0000004711', // PSAM transaction counter 10
  '00005000', // balance before 8
  '00000180', // amount 8
  '20260302073100', // time 14
  '06', // transaction type 2
  '990000000001', // PSAM id 12
  'A1B2C3D4', // TAC 8
  '00', // grey 2
  '00', '0', // pass kind 2, pass deduct 1
  '000000' // reserved 6
].join('')
const line1 = '00000001' + evidence + '01' + '03' + '02313750FFFFFFFF' + '12      ' + 'V-7     ' + 'S1      '
const line2 = line1.replace('00000001', '00000002').replace('000101', '000102').replace('0000004711',
  '0000004712')
  .replace('0000500000000180', '-000018000000200')
const sha256 = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex').toUpperCase()
const name = `XF2026030202${merchant}00007`
type HeaderField =
  'type' | 'industry' | 'merchant' | 'date' | 'sequence' | 'count' | 'total' | 'length' | 'digest'
const header = (over: Partial<Record<HeaderField, string>> = {}) =>
  Object.values({
    type: 'XF', industry: '02', merchant, date: '20260302', sequence: '00007', count: '00000002',
    total: '000000000380',
    length: '00000202', digest: sha256(line1 + line2), ...over
  }).join('')
const file = (lines = [header(), line1, line2], end: LineEnd = 'LF') =>
  Buffer.from(lines.map(line => line + lineEnds[end]).join(''), 'latin1')

const record: TransactionRecord = {
  card: { issuer: '02313750FFFFFFFF', serial: '03104990600000000016', issue: 1 }, purse: 'ep', type: '06',
  counter: 101,
  balanceBeforeFen: 5_000, amountFen: 180, psam: '990000000001', sequence: 4_711, dateTime: '20260302073100',
  tac: 'A1B2C3D4',
  grey: false, keyVersion: 1, algorithm: 3, operator: 'BUS', terminal: 'BUS-0001', recordNo: 1, line: '12',
  vehicle: 'V-7', shift: 'S1'
}

t.test('the widths are the published ones', async t => {
  t.equal(widthOf(answerLayouts.SS.record), 198)
  t.equal(widthOf(answerLayouts.QS.record), 103)
  t.equal(widthOf(answerLayouts.NS.record), 46)
  t.equal(widthOf(consumptionRecordLayout), 198 - 30 - 8 - 2 + 2 + 2 + 16 + 8 + 8 + 8)
  t.equal(widthOf(consumptionHeaderLayout), 124)
  t.strictSame(answerLayouts.SS.record.map(field => field.width),
    [30, 8, 8, 2, 15, 8, 20, 2, 2, 8, 8, 8, 6, 10, 8, 8, 14, 2, 12, 8, 2, 2, 1, 6])
  t.strictSame(consumptionRecordLayout.map(field => field.width),
    [8, 15, 8, 20, 2, 2, 8, 8, 8, 6, 10, 8, 8, 14, 2, 12, 8, 2, 2, 1, 6, 2, 2, 16, 8, 8, 8])
  t.equal(line1.length, 202)
})

t.test('file names', async t => {
  const parts = { type: 'XF', date: '20260302', industry: '02', merchant, sequence: 7 } as const
  t.strictSame(parseFileName(name), parts)
  t.equal(formatFileName(parts), name)
  t.equal(sourceName(name), `2026030202${merchant}00007`)
  t.equal(sourceName(name).length, 30)
  t.equal(blackFileName('2026-03-02'), '20260302_Black.txt')
  for (const wrong of ['', 'XF', name + '0', name.slice(1), name.replace('XF', 'xf'), name.replace('XF',
    'ZZ'),
  name.replace('430', '43A'), name.replace('00007', '-0007')]) t.equal(parseFileName(wrong), null, wrong)
})

t.test('a golden consumption file, both ways', async t => {
  const read = readConsumptionFile(name, file())
  t.match(read, { ok: true, end: 'LF', header: { count: 2, totalFen: 380, recordLength: 202, sequence: 7 } })
  const [first, second] = [readConsumptionRecord(line1, 1, merchant), readConsumptionRecord(line2, 2,
    merchant)]
  if (!read.ok || !first.ok || !second.ok) return
  t.strictSame(toTransactionRecord(first.record, { operator: 'BUS', counter: 'committed' }), record)
  t.strictSame(toTransactionRecord(second.record, { operator: 'BUS', counter: 'init' }),
    { ...record, counter: 103, sequence: 4_712, balanceBeforeFen: -180, amountFen: 200, recordNo: 2 },
    'a negative purse, INIT counters')
  t.equal(writeConsumptionRecord(first.record), line1)
  t.equal(writeConsumptionRecord(second.record), line2)
  const written = writeConsumptionFile({ date: '20260302', industry: '02', merchant, sequence: 7 }, [line1,
    line2], 'CRLF')
  t.equal(written.name, name)
  t.equal(written.text, file([header(), line1, line2], 'CRLF').toString('latin1'))
  t.strictSame(toConsumptionRecord(record, merchant, 1), {
    ...first.record, cardMainType: '00', cardExpiry: '00000000', applicationStart: '00000000',
    applicationExpiry: '00000000'
  })
})

t.test('every line end gives the same', async t => {
  const whole = readConsumptionFile(name, file())
  for (const end of ['LF', 'CRLF', 'LFCR'] as const) {
    t.strictSame(readConsumptionFile(name, file([header(), line1, line2], end)), { ...whole, end }, end)
    const open = file([header(), line1, line2], end)
    t.strictSame(readConsumptionFile(name, open.subarray(0, open.length - lineEnds[end].length)), {
      ...whole,
      end
    }, `${end}, none after the last`)
  }
  t.strictSame(splitLines('a\r\nb\n\rc\nd'), { lines: ['a', 'b', 'c', 'd'], end: 'CRLF' }, 'mixed')
  t.strictSame(splitLines(''), { lines: [], end: 'LF' })
  t.strictSame(splitLines('a\n\nb\n').lines, ['a', '', 'b'], 'an empty line is a line')
})

t.test('each lie of a header is named, the first one first', async t => {
  const short = line1.slice(0, -1)
  const lies: Record<string, [string, Buffer, string?]> = {
    'name without a sequence': ['file_name_invalid', file(), name.slice(0, -1)],
    'name of another type': ['file_name_invalid', file(), name.replace('XF', 'SS')],
    'an empty file': ['file_header_invalid', Buffer.alloc(0)],
    'another type': ['file_header_invalid', file([header({ type: 'SS' }), line1, line2])],
    'a header too short': ['file_header_invalid', file([header().slice(1), line1, line2])],
    'letters in the count': ['file_header_invalid', file([header({ count: '0000000x' }), line1, line2])],
    'another industry': ['file_header_invalid', file([header({ industry: '01' }), line1, line2])],
    'another merchant': ['file_header_invalid', file([header({ merchant: '430400000000001' }), line1,
      line2])],
    'another date': ['file_header_invalid', file([header({ date: '20260301' }), line1, line2])],
    'another sequence': ['file_header_invalid', file([header({ sequence: '00008' }), line1, line2])],
    'one record missing': ['file_count_wrong', file([header(), line1])],
    'one record too many': ['file_count_wrong', file([header(), line1, line2, line2])],
    'a count of three, and a wrong total and digest': ['file_count_wrong', file([header({
      count: '00000003',
      total: '000000000001', digest: '0'.repeat(64)
    }), line1, line2])],
    'a fen more': ['file_total_wrong', file([header({ total: '000000000381' }), line1, line2])],
    'a fen less, and a wrong digest': ['file_total_wrong', file([header({
      total: '000000000379',
      digest: '0'.repeat(64)
    }), line1, line2])],
    'another record length': ['file_record_length_wrong', file([header({ length: '00000198' }), line1,
      line2])],
    'a record one character short': ['file_record_length_wrong',
      file([header({ digest: sha256(short + line2) }), short, line2])],
    'a record one character long': ['file_record_length_wrong',
      file([header({ digest: sha256(line1 + line2 + ' ') }), line1, line2 + ' '])],
    'an empty line for a record': ['file_record_length_wrong', file([header({ digest: sha256(line1) }),
      line1, ''])],
    'another digest': ['file_digest_wrong', file([header({ digest: sha256(line2 + line1) }), line1, line2])],
    'records in another order': ['file_digest_wrong', file([header(), line2, line1])],
    'one character of a record': ['file_digest_wrong', file([header(), line1, line2.replace('V-7', 'V-8')])]
  }
  for (const [what, [reason, bytes, as = name]] of Object.entries(lies)) {
    const read = readConsumptionFile(as, bytes)
    t.match(read, { ok: false, reason, detail: /.{10}/ }, what)
  }
  t.match(readConsumptionFile(name, file([header({ count: '00000003' }), line1, line2])),
    { detail: 'the header counts 3, the file has 2' })
  t.ok(readConsumptionFile(name, file([header({ digest: sha256(line1 + line2).toLowerCase() }), line1,
    line2])).ok, 'hex in either case')
  t.ok(readConsumptionFile(name, file([header({
    count: '00000000', total: '000000000000',
    digest: sha256('')
  })])).ok, 'a file without records')
})

t.test('a broken record stays alone, whatever field is broken', async t => {
  const broken: Record<string, [string, RegExp]> = {
    'its serial': [line1.replace(/^.{8}/, '00000009'), /serial is 9 on line 1/],
    'its merchant': [line1.replace(merchant, '430400000000001'),
      /merchant is 430400000000001 in a file of 430400000000002/],
    'a letter in the counter': [line1.replace('000101', '00010x'),
      /counter \(columns 80–85\) is "00010x", wanted: 6 of digits/],
    'a counter beyond the chip': [line1.replace('000101', '065536'), /counter .* at most 65535/],
    'a PSAM counter beyond four bytes': [line1.replace('0000004711', '4294967296'),
      /sequence .* at most 4294967295/],
    'a negative amount': [line1.replace('00000180', '-0000180'), /amountFen \(columns 104–111\)/],
    'a month in letters': [line1.replace('20260302073100', '2026MAR2073100'), /dateTime/],
    'a type that moves no money': [line1.replace('0731000699', '0731000299'), /type .* allowed: 05, 06, 09/],
    'a grey flag of 02': [line1.replace('A1B2C3D400', 'A1B2C3D402'), /grey .* allowed: 00, 01/],
    'a TAC of blanks': [line1.replace('A1B2C3D4', '        '), /tac .* hexadecimal/],
    'a byte above ASCII': [line1.replace('V-7', 'V\xe47'), /vehicle .*\\xe4/],
    'a control character': [line1.replace('S1 ', 'S1\u0000'), /shift .*\\x00/],
    'only a minus': [line1.replace('00005000', '-       '), /balanceBeforeFen/]
  }
  for (const [what, [raw, detail]] of Object.entries(broken)) {
    t.not(raw, line1, what)
    t.match(readConsumptionRecord(raw, 1, merchant), { ok: false, detail }, what)
    const lines = [raw, line2]
    const read = readConsumptionFile(name, file([header({ digest: sha256(lines.join('')) }), ...lines]))
    t.equal(read.ok, true, `${what}: the file is taken`)
  }
  const unreadable = line1.replace('00000180', 'xxxxxxxx')
  const total = (fen: string) => file([header({ total: fen, digest: sha256(unreadable + line2) }),
    unreadable, line2])
  t.ok(readConsumptionFile(name, total('000000000380')).ok,
    'what the unreadable amount was worth only the header knows')
  t.match(readConsumptionFile(name, total('000000000199')), { reason: 'file_total_wrong' },
    'less than the readable ones')
})

t.test('no TAC, and what it means', async t => {
  for (const [tac, expected] of [['FFFFFFFF', null], ['00000000', null], ['ffffffff', null], ['0000000f',
    '0000000F']] as const) {
    const read = readConsumptionRecord(line1.replace('A1B2C3D4', tac), 1, merchant)
    t.equal(read.ok && toTransactionRecord(read.record, { operator: 'BUS', counter: 'committed' }).tac,
      expected, tac)
  }
  const ed = readConsumptionRecord(line1.replace('0731000699', '0731000599'), 1, merchant)
  t.equal(ed.ok && toTransactionRecord(ed.record, { operator: 'BUS', counter: 'committed' }).purse, 'ed',
    '05 is of the deposit')
  const read = readConsumptionRecord(line1, 1, merchant)
  t.equal(read.ok && contentHash(toTransactionRecord(read.record, {
    operator: 'BUS',
    counter: 'committed'
  })).toString('hex'),
  contentHash({ ...record, operator: 'X', terminal: 'Y', recordNo: 9 }).toString('hex'),
  'one tap, one content, by file or by JSON')
})

/* ---- what the centre answers ---- */

const source = sourceName(name)

t.test('golden SS, QS, NS and blacklist', async t => {
  const refusal = source + '00000001' + '20260303' + '01' + evidence
  t.equal(writeRefusal({ source, date: '2026-03-03', cause: '01', raw: line1 }), refusal)
  t.equal(writeRefusals('02', [refusal], 'LFCR'),
    'SS' + '02' + '00000001' + '00000198' + 'F'.repeat(24) + '\n\r' + refusal + '\n\r')
  const summary = {
    merchant, date: '20260302', confirmedCount: 3, confirmedFen: 460, refusedCount: 6, refusedFen: 1_100,
    adjustedCount: 1, adjustedFen: 180,
    adjustmentRefusedCount: 0, adjustmentRefusedFen: 0, excludedCount: 1
  }
  const qs = 'QS' + '00000001' + '00000103' + 'F'.repeat(24) + '\n' +
    merchant + '20260302' + '00000003' + '0000000460' +
    '00000006' + '0000001100' + '00000001' + '0000000180' + '00000000' + '0000000000' + '00000001' + '\n'
  t.equal(writeSummaries([summary]), qs)
  const ns = 'NS' + '02' + '00000001' + '00000046' + 'F'.repeat(24) + '\r\n' +
    source + '20260303' + 'FFFFFFFF' + '\r\n'
  t.equal(writeNames('02', [{ source, date: '2026-03-03' }], 'CRLF'), ns)
  const black = '20260302' + '000002' + '\n' +
    '03104990600000000016' + '01' + '\n' + '03104990600000000017' + '02' + '\n'
  const cards = [{ cardNo: '03104990600000000016', level: '01' }, {
    cardNo: '03104990600000000017',
    level: '02'
  }]
  t.equal(writeBlacklist('2026-03-02', cards), black)

  t.match(readAnswer('SS', writeRefusals('02', [refusal])), {
    ok: true, header: { type: 'SS', industry: '02', count: 1 }, records: [{
      ok: true, values: {
        source,
        serial: '00000001', cause: '01', amountFen: 180
      }
    }]
  })
  t.match(readAnswer('QS', qs), { ok: true, records: [{ ok: true, values: summary }] })
  t.match(readAnswer('NS', ns), {
    ok: true, records: [{
      ok: true, values: {
        source,
        clearingDate: '20260303'
      }
    }]
  })
  t.strictSame(readBlacklist(black), { ok: true, version: '20260302', cards })
  t.match(readBlacklist(black.replace('000002', '000003')), { ok: false, detail: /3 cards, there are 2/ })
  t.match(readBlacklist(black.replace('0016', '001x')), { ok: false, detail: /line 1: cardNo/ },
    'a list with one unreadable card is no list')
  t.match(readAnswer('QS', qs.replace('00000103', '00000104')), { ok: false, detail: /record length 104/ })
  t.match(readAnswer('QS', qs.replace('QS00000001', 'QS00000002')), {
    ok: false,
    detail: /2 records, there are 1/
  })
  t.match(readAnswer('NS', qs), { ok: false, detail: /header of NS: 42 characters long, not 44/ })
  const broken = writeRefusal({
    source, date: '2026-03-03', cause: '02', raw: line1.replace('000101',
      '00010x')
  })
  t.match(broken, /00010x/, 'a broken line goes back as it came')
  t.match(readAnswer('SS', writeRefusals('02', [broken, refusal])), {
    ok: true, records: [{ ok: false },
      { ok: true }]
  })
  t.throws(() => writeRefusal({ source, date: '2026-03-03', cause: '02', raw: 'short' }), /SS record of/)
})

t.test('refusal causes on the wire', async t => {
  const wire: Partial<Record<VerdictReason, string | null>> = {
    ok: null, late: null, issuer_risk: null, tac_wrong: '01', malformed: '02', card_unknown: '02',
    duplicate: '03', grey: '04', grey_cancelled: '04', grey_expired: '04', overdue: '05',
    test_card: '06', test_psam: '06', blacklisted: '90', conflict: '90', psam_unknown: '90',
    clock_implausible: '90'
  }
  for (const [reason, cause] of Object.entries(wire)) {
    t.equal(refusalCause(reason as VerdictReason), cause,
      reason)
  }
  for (const [reason, cause] of Object.entries({
    ok: '00', late: '00', grey_cancelled: '94', grey_expired: '94', duplicate: '93', overdue: '92',
    conflict: '90', grey: '04'
  })) {
    t.equal(refusalCause(reason as VerdictReason, true), cause, `${reason} later`)
  }
  for (const [reason, { outcome }] of Object.entries(verdictReasons)) {
    t.equal(refusalCause(reason as VerdictReason) === null, outcome === 'accepted',
      `${reason}: a line unless accepted`)
  }
})

/* ---- anything ---- */

t.test('any record survives the way into a file and back; any text is read or named', async t => {
  const hexOf = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(one =>
    Buffer.from(one).toString('hex').toUpperCase())
  const word = fc.stringMatching(/^[A-Z0-9-]{1,8}$/)
  const anyRecord = fc.record({
    card: fc.record({ issuer: hexOf(8), serial: hexOf(10), issue: fc.constant(1) }),
    purse: fc.constant('ep' as const),
    type: fc.constantFrom('06' as const, '09' as const), counter: fc.integer({ min: 1, max: 65_535 }),
    balanceBeforeFen: fc.integer({ min: -9_999_999, max: 99_999_999 }), amountFen: fc.integer({
      min: 0,
      max: 99_999_999
    }), psam: hexOf(6),
    sequence: fc.integer({ min: 0, max: 0xffff_ffff }), dateTime: fc.stringMatching(/^\d{14}$/),
    tac: fc.oneof(fc.constant(null), hexOf(4)),
    grey: fc.boolean(), keyVersion: fc.integer({ min: 0, max: 99 }), algorithm: fc.integer({
      min: 0,
      max: 99
    }), operator: fc.constant('BUS'),
    terminal: word, recordNo: fc.integer({ min: 1, max: 99_999_999 }), line: word, vehicle: word, shift: word
  })
  for (const counter of ['committed', 'init'] as const) {
    fc.assert(fc.property(anyRecord, one => {
      fc.pre(one.tac !== 'FFFFFFFF' && one.tac !== '00000000')
      const raw = writeConsumptionRecord(toConsumptionRecord(one, merchant, one.recordNo, counter))
      const read = readConsumptionRecord(raw, one.recordNo, merchant)
      return read.ok && JSON.stringify(toTransactionRecord(read.record, {
        operator: 'BUS',
        counter
      })) === JSON.stringify(one)
    }))
  }
  const layouts: Layout[] = [consumptionRecordLayout, consumptionHeaderLayout, answerLayouts.SS.record,
    answerLayouts.QS.record]
  fc.assert(fc.property(fc.constantFrom(...layouts), fc.string({
    minLength: 0, maxLength: 210,
    unit: 'binary'
  }), (layout, text) => {
    const read = readFields(layout, text)
    return read.ok || read.detail.length > 5
  }))
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), bytes => {
    const read = readConsumptionFile(name, bytes)
    return !read.ok && read.reason.startsWith('file_')
  }))
  let lost = 0
  const whole = file()
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] ?? 0) ^ 1
    const read = readConsumptionFile(name, changed)
    if (read.ok) lost++
  }
  t.equal(lost, 0, 'no single flipped bit passes')
  for (const cut of [1, 100, 124, 125, 200, 327, 328, 400, 529]) {
    t.notOk(readConsumptionFile(name,
      whole.subarray(0, cut)).ok, `cut at ${cut}`)
  }
  t.throws(() => writeConsumptionRecord({
    ...toConsumptionRecord(record, merchant, 1),
    amountFen: 100_000_000
  }), /amountFen cannot hold/)
  t.throws(() => writeConsumptionRecord({
    ...toConsumptionRecord(record, merchant, 1),
    terminal: 'TOO-LONG-BY-FAR'
  }), /terminal cannot hold/)
})
