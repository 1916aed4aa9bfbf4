// SIP2 byte by byte: published checksums, every message of the table both ways, what terminals in the field
// get wrong, every cut, every flipped bit.
import t from 'tap'
import fc from 'fast-check'
import { describe } from '../bin/describe.ts'
import { codePage, codePages } from '../schemas/sip2/code-page.ts'
import { lineCutter, type Line } from '../schemas/sip2/lines.ts'
import { maskLine } from '../schemas/sip2/mask.ts'
import {
  amountText, checksum, digitsOfDate, fenOf, readMessage, say, sipDate, valueOf, valuesOf, writeMessage,
  type Message, type Said
} from '../schemas/sip2/message.ts'
import { messages, patronFlags, tags, type Code } from '../schemas/sip2/messages.ts'

const utf8 = codePage('utf-8')
const bytes = (text: string): Buffer => Buffer.from(text, 'utf8')
const text = (given: Uint8Array): string => Buffer.from(given).toString('utf8')

function read (line: string | Uint8Array, page = utf8): Message {
  const got = readMessage(typeof line === 'string' ? bytes(line) : line, page)
  if (got.ok) return got.message
  throw new Error(`${got.wrong.kind}: ${got.wrong.field} at ${got.wrong.offset}, ${got.wrong.why}`)
}
function wrong (line: string | Uint8Array): string {
  const got = readMessage(typeof line === 'string' ? bytes(line) : line, utf8)
  if (got.ok) return 'read'
  const { kind, field, offset, detection } = got.wrong
  return `${kind} | ${field} | ${offset} | ${detection ? 'on' : 'off'}`
}

t.test('published bytes', async t => {
  t.equal(text(writeMessage(say('97', {}), utf8, 'none')), '97AZFEF5')
  t.equal(text(writeMessage(say('96', {}), utf8, 'none')), '96AZFEF6')
  t.equal(text(writeMessage(say('96', {}), utf8, 4)), '96AZFEF6', 'no sequence digit, whatever is asked')
  const login = '9300CNterm1|COterm1|CPThe floor|AY1AZF36F'
  const said = say('93', { uidAlgorithm: '0', pwdAlgorithm: '0' },
    [['CN', 'term1'], ['CO', 'term1'], ['CP', 'The floor']])
  t.equal(text(writeMessage(said, utf8, 1)), login)
  t.strictSame(read(login), {
    code: '93', fixed: { uidAlgorithm: '0', pwdAlgorithm: '0' },
    fields: [['CN', 'term1'], ['CO', 'term1'], ['CP', 'The floor']], remarks: [],
    detection: { sequence: 1, checksum: 'F36F', length: 9 }
  })
  t.equal(checksum(bytes('9300CNterm1|COterm1|CPThe floor|AY1AZ')), 'F36F')
})

t.test('the widths of all fixed parts, as the standard counts them', async t => {
  const widths = {
    '01': 19, '09': 37, 10: 22, 11: 38, 12: 22, 15: 19, 16: 20, 17: 18, 18: 24, 19: 18, 20: 19, 23: 21,
    24: 35, 25: 18, 26: 35, 29: 38, 30: 22, 35: 18, 36: 19, 37: 25, 38: 19, 63: 31, 64: 59, 65: 18, 66: 27,
    93: 2, 94: 1, 96: 0, 97: 0, 98: 34, 99: 8
  }
  t.strictSame(Object.fromEntries(Object.entries(messages).map(([code, { fixed }]) =>
    [code, fixed.reduce((sum, { length }) => sum + length, 0)])), widths)
  t.equal(patronFlags.length, 14)
  for (const [code, row] of Object.entries(messages)) {
    for (const tag of row.tags) t.ok(tag in tags, `${code} ${tag}`)
    if (row.answer !== null) t.equal(messages[row.answer].by, 'library', `${code} -> ${row.answer}`)
  }
})

const head = fc.constantFrom(...'0123456789YN ')
const letter = fc.constantFrom(...'aZ09 .&#-;市民卡駖é€🚌\t')
const anyMessage = fc.constantFrom(...Object.keys(messages) as Code[]).chain(code => {
  const row = messages[code]
  return fc.record({
    fixed: fc.tuple(...row.fixed.map(({ length }) =>
      fc.string({ unit: head, minLength: length, maxLength: length }))),
    fields: fc.tuple(...row.tags.map(tag =>
      fc.string({ unit: letter, maxLength: 8 }).map((value): [typeof tag, string] => [tag, value]))),
    sequence: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 9 }))
  }).map(({ fixed, fields, sequence }) => {
    const names = row.fixed.map(({ name }, place) => [name, fixed[place] ?? ''])
    return { said: { code, fixed: Object.fromEntries(names), fields } as unknown as Said, sequence }
  })
})

t.test('every message survives a round trip, with and without error detection', async () => {
  fc.assert(fc.property(anyMessage, ({ said, sequence }) => {
    const got = read(writeMessage(said, utf8, sequence))
    if (JSON.stringify(got.fixed) !== JSON.stringify(said.fixed)) return false
    return said.fields.every(([tag, value]) => valueOf(got, tag) === value) &&
      (got.detection?.sequence ?? null) === (messages[said.code].fixed.length === 0 ? null : sequence)
  }), { numRuns: 1_000 })
})

t.test('no bytes make the reader throw, and an error names a field inside the message', async () => {
  const wholes = fc.sample(anyMessage, 60).map(({ said, sequence }) => writeMessage(said, utf8, sequence))
  const damaged = fc.tuple(fc.constantFrom(...wholes), fc.nat(200), fc.nat(255), fc.boolean())
    .map(([whole, place, byte, cut]) => {
      const at = place % whole.length
      return cut ? whole.subarray(0, at) : Uint8Array.from(whole, (old, index) => index === at ? byte : old)
    })
  const noise = fc.oneof(fc.uint8Array({ maxLength: 80 }), damaged)
  fc.assert(fc.property(noise, fc.constantFrom(...codePages.map(codePage)), (given, page) => {
    const got = readMessage(given, page)
    maskLine(given, page)
    return got.ok || (got.wrong.field !== '' && got.wrong.offset >= 0 && got.wrong.offset <= given.length)
  }), { numRuns: 1_000 })
})

t.test('errors name the field and the offset', async t => {
  const rows = [
    ['9300CNterm1|COterm1|CPThe floor|AY1AZF36E', 'checksum | AZ checksum | 37 | on'],
    ['9300CNterm2|COterm1|CPThe floor|AY1AZF36F', 'checksum | AZ checksum | 37 | on'],
    ['97AZFEF6', 'checksum | AZ checksum | 4 | on'],
    ['88whatever', 'unknown | message code | 0 | off'],
    ['', 'unknown | message code | 0 | off'],
    ['2300120260302    0930', 'short | 23 Patron status: date | 5 | off'],
    ['9', 'unknown | message code | 0 | off'],
    ['93', 'short | 93 Login: uidAlgorithm | 2 | off'],
    ['930', 'short | 93 Login: pwdAlgorithm | 3 | off'],
    ['3720260302    093000', 'short | 37 Fee paid: feeType | 20 | off']
  ] as const
  for (const [line, expected] of rows) t.equal(wrong(line), expected, line)
  const login = bytes('9300CNterm1|COterm1|CPThe floor|AY1AZF36F')
  for (let bit = 0; bit < (login.length - 9) * 8; bit++) {
    const flipped = Uint8Array.from(login, (byte, at) => at === bit >> 3 ? byte ^ 1 << (bit & 7) : byte)
    t.match(wrong(flipped), /^(checksum|unknown)/, `bit ${bit}`)
  }
})

t.test('what terminals in the field get wrong', async t => {
  const login = '9300CNterm1|COterm1|CPThe floor|AY1AZF36F'
  for (const junk of [' ', '\0', '\x02\x1B', '|||', '\xFF'.repeat(3)]) {
    t.equal(read(junk + login).detection?.sequence, 1, `junk before: ${JSON.stringify(junk)}`)
    t.equal(read(login + junk).detection?.sequence, 1, `junk behind: ${JSON.stringify(junk)}`)
  }
  const odd = read('1720260302    093000001AOLIB|ABbook-1|')
  t.equal(valueOf(odd, 'AB'), 'book-1')
  t.strictSame(odd.remarks, ['a language that does not belong here, at offset 20'])
  const strange = read('2300120260302    093000AO库|ZZwhat|AAfirst|AAsecond|AD|AC')
  t.equal(valueOf(strange, 'AA'), 'first')
  t.equal(valueOf(strange, 'AD'), '', 'empty is not absent')
  t.equal(valueOf(strange, 'AC'), '', 'also without a delimiter at the end')
  t.equal(valueOf(strange, 'BV'), null)
  t.strictSame(strange.remarks, ['an unknown tag skipped at offset 29', 'a second AA skipped at offset 44'])
  const lists = read(
    '64              00120260302    093000000000020002000000000000AOL|AU one|AU two|AFa|AFb|')
  t.strictSame(valuesOf(lists, 'AU'), [' one', ' two'])
  const answer = say('94', { ok: '1' }, [['AF', 'a|b\r\nc']])
  t.equal(text(writeMessage(answer, utf8)), '941AFa&#124;b  c|')
  t.throws(() => writeMessage(say('94', { ok: 'no' }), utf8),
    { message: '94 Login answer: ok has 2 characters, not 1' })
})

t.test('lines: CR, LF, CRLF, split at every byte, glued, too long', async t => {
  const shown = (lines: readonly Line[]): string[] =>
    lines.map(one => 'line' in one ? text(one.line) : `too long: ${one.overlong}`)
  for (const end of ['\r', '\n', '\r\n', '\r\r\n', '\n\r']) {
    const glued = bytes(`97${end}9900302.00${end}${end}23`)
    t.strictSame(shown(lineCutter().push(glued)), ['97', '9900302.00'], JSON.stringify(end))
    for (let cut = 0; cut <= glued.length; cut++) {
      const lines = lineCutter()
      const got = [...lines.push(glued.subarray(0, cut)), ...lines.push(glued.subarray(cut))]
      t.strictSame(shown(got), ['97', '9900302.00'])
      t.equal(lines.waiting(), 2)
    }
  }
  const short = lineCutter(8)
  t.strictSame(shown(short.push(bytes('123456789'))), [])
  t.equal(short.waiting(), 0, 'nothing piles up')
  t.strictSame(shown(short.push(bytes('1\r12345678\r'))), ['too long: 10', '12345678'])
})

t.test('code pages', async t => {
  const gbk = codePage('gbk')
  // GB 2312 by its row and cell: 市 42-48, 民 36-83, 卡 31-08.
  t.equal(Buffer.from(gbk.encode('市民卡1')).toString('hex'), 'cad0c3f1bfa831')
  t.equal(gbk.decode(Buffer.from('cad0c3f1bfa831', 'hex')), '市民卡1')
  // 0x7C is the second byte of 駖 and the delimiter of SIP2: cutting bytes would break it.
  t.equal(Buffer.from(gbk.encode('駖')).toString('hex'), 'f17c')
  const said = say('94', { ok: '1' }, [['AF', '駖|市'], ['AG', 'x']])
  for (const name of ['utf-8', 'gbk', 'gb18030'] as const) {
    const page = codePage(name)
    const got = read(writeMessage(said, page, 3), page)
    t.strictSame(got.fields, [['AF', '駖&#124;市'], ['AG', 'x']], name)
  }
  t.equal(Buffer.from(gbk.encode('é€🚌')).toString('hex'), 'a8a6803f', 'no way to write a bus')
})

t.test('values', async t => {
  for (const [said, fen] of [
    ['3.50', 350], ['3.5', 350], ['3', 300], ['.05', 5], ['0', 0], [' 3.20 ', 320],
    ['1234567.89', 123_456_789], ['', null], ['.', null], ['-1', null], ['+1', null], ['3.505', null],
    ['3,50', null], ['1e3', null], ['x', null]
  ] as const) t.equal(fenOf(said), fen, said)
  t.strictSame([350, 5, -1_205, 0].map(amountText), ['3.50', '0.05', '-12.05', '0.00'])
  t.equal(sipDate('20260302093015'), '20260302    093015')
  t.equal(digitsOfDate('20260302    093015'), '20260302093015')
  t.equal(digitsOfDate('20260302   Z093015'), '20260302093015')
  t.equal(digitsOfDate(' '.repeat(18)), null)
})

t.test('what may stand on a tape', async t => {
  const number = '03104990600000000016'
  const line = bytes(`2300120260302    093000AOLIB|AA${number}|ACterminal secret|AD135790|AEZhang|ZQodd|` +
    'AY3AZ1234')
  t.equal(maskLine(line, utf8),
    '2300120260302    093000AOLIB|AA031049**********0016|AC***|AD***|AE***|ZQ***|AY3AZ1234')
  t.match(maskLine(line, utf8, { numbers: true }), `|AA${number}|AC***|AD***|AEZhang|`)
  t.equal(maskLine(bytes('9300CNterm1|COsesame|CPThe floor|AY1AZF36F'), utf8),
    '9300CNterm1|CO***|CPThe floor|AY1AZF36F')
  const broken = ['23001ADsesame|', '93COsesame|', 'xx9300COsesame|', '2300120260302   COsesame|ADsesame|']
  for (const damaged of broken) {
    t.notMatch(maskLine(bytes(damaged), utf8), /sesame/, damaged)
  }
})

t.test('a dump in words', async t => {
  const number = '03104990600000000016'
  const { title, rows } = describe(`2300120260302    093000AOLIB|AA${number}|AC|AD135790|`)
  t.equal(title, 'SIP2 23 Patron status, without error detection')
  t.strictSame(rows, [
    ['language', '001'], ['date', '20260302    093000'], ['AO institution', 'LIB'],
    ['AA patron identifier', '031049**********0016'], ['AC terminal password', '***'],
    ['AD patron password', '***']])
  t.equal(describe(Buffer.from('97AZFEF5').toString('hex')).title,
    'SIP2 97 Request resend, to the library, checksum right')
  t.throws(() => describe('9300CNterm1|COterm1|CPThe floor|AY1AZF36E'),
    { message: 'SIP2: AZ checksum at offset 37: F36E found, F36F is right' })
})
