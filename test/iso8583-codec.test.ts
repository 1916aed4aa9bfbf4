// The bytes of ISO 8583 in the UnionPay style: messages as they were published, vectors of MAC and check
// value, an independent codec for what is text, every cut and any byte.
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t from 'tap'
import { describe } from '../bin/describe.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import {
  answerType, exchanges, field48, field54, kindOf, kinds, readField48, readField54, readField60, readField61
} from '../schemas/iso8583/exchanges.ts'
import {
  type FieldNumber, type FieldSpec, type FieldValues, fieldNumbers,
  specOf
} from '../schemas/iso8583/fields.ts'
import {
  type Cut, type Framing, cutFrame, frameOf, lengthHeaders, type LengthStyle, openEnvelope, sealEnvelope,
  swapped
} from '../schemas/iso8583/framing.ts'
import { checkValue, keysField, macOf, readKeys, unwrapKey, wrapKey } from '../schemas/iso8583/mac.ts'
import { type Message, buildMessage, parseMessage } from '../schemas/iso8583/message.ts'

const nac: Framing = { length: 'nac', line: false }

/** Printed by others: a sign-in, a sale with chip data, and a sign-in of which only the split was printed. */
const printed = {
  signIn: `005B 6000030000 603100311312 0800 0020000000C00016 000001 3130303030313539
    383830323130303130323130313630 0011 00000001003 0 0029
    53657175656E6365204E6F3136333135305358582D3443333034313139 0003 303120`,
  sale: `01AA 6000060000 603100311003 0200 702406C020C19A31 16 6224242900000113 000000 000000000001 000403
    2806 0710
    0000 00 12 34 6224242900000113D28062013949031013 3130303030303139 383530313030303832343130303032 0001
    00 313536
    D1EEF419D0AE2609 2600000000000000
    0139 9F260895BBE372271DDA7C9F2701809F101307010103A00000010A010000000000ED538FE49F37047F9F349E9F36020
    1579505000000
    00009A031908309C01009F02060000000000015F2A02015682027C009F1A0201569F03060000000000009F3303E0E1C89F35
    01229F1E08313
    03030303031398408A0000003330101029F0902008C9F410400000403
    0153 31323230383938363036313730383030303235383339393331333131484654313730383033303131343134323031393
    038333030393334
    33353135303230303137323242
    4433302E3632313535352C3131342E3336313935344132363030313032303230323136303030303239303231
    30303135373038303330363030303131333034303830343234373239323035303848373036323830 31
    0014 22000024000600 3846363531423236`,
  split: `005A 6005250000 603100311001 0800 0020000000C00016 000027 ${'31'.repeat(8)} ${'32'.repeat(15)}
    0011 000000010030 0028 ${'53'.repeat(28)} 0003 303120`
}

function opened (bytes: Uint8Array): Message {
  const cut = cutFrame(bytes, nac)
  if (cut === null || cut.cut.kind !== 'message' || cut.rest.length > 0) throw new Error('no whole frame')
  const open = openEnvelope(cut.cut.message)
  if (!open.ok) throw new Error(open.error)
  const parsed = parseMessage(open.envelope.body)
  if (!parsed.ok) throw new Error(parsed.error)
  const again = sealEnvelope({ ...open.envelope, body: buildMessage(parsed.message) })
  if (hex(frameOf(again, nac)) !== hex(bytes)) throw new Error('built again it is another')
  return parsed.message
}

t.test('published messages parse with nothing left over and are built again byte for byte', async t => {
  const signIn = opened(unhex(printed.signIn))
  t.match(signIn, { mti: '0800', fields: { 11: '000001', 41: '10000159', 60: '00000001003', 63: '01 ' } })
  t.equal(Buffer.from(signIn.fields[62] ?? '', 'hex').toString(), 'Sequence No163150SXX-4C304119')
  t.equal(kindOf(signIn.mti, signIn.fields), 'sign_in')
  t.match(opened(unhex(printed.split)), {
    mti: '0800', fields: {
      11: '000027', 60: '00000001003',
      62: '53'.repeat(28)
    }
  })
  const sale = opened(unhex(printed.sale))
  t.match(sale, {
    mti: '0200',
    fields: {
      2: '6224242900000113', 3: '000000', 4: '000000000001', 11: '000403', 14: '2806', 22: '071', 23: '000',
      25: '00',
      26: '12', 35: '6224242900000113D28062013949031013', 41: '10000019', 42: '850100082410002', 49: '156',
      60: '22000024000600'
    }
  })
  t.equal(kindOf(sale.mti, sale.fields), 'purchase')
  t.strictSame(readField60(sale.fields[60] ?? ''), { type: '22', batch: '000024', network: '000' })
  t.equal(Buffer.from(sale.fields[64] ?? '', 'hex').toString(), '8F651B26', 'a MAC in characters')
})

t.test('described in words, with cards and keys hidden', async t => {
  const words = (text: string): string => {
    const { title, rows } = describe(text)
    return [title, ...rows.map(row => row.join(': '))].join('\n')
  }
  t.match(words(printed.signIn), /^ISO 8583 0800: sign in\nframe: length nac\nTPDU: to 0003, from 0000\n/)
  const sale = words(printed.sale)
  t.match(sale, /ISO 8583 0200: purchase/)
  t.match(sale, /2 \(card number\): 622424\*{6}0113\n/)
  t.match(sale, /4 \(amount\): 0\.01 yuan/)
  t.notMatch(sale, /6224242900000113|D1EEF419D0AE2609|9F2608/)
  t.throws(() => describe('0200F0', 'iso8583'), /not ISO 8583: .* at offset /)
})

t.test('the page has the table of fields as it is', async t => {
  const page = readFileSync(new URL('../docs/iso8583.md', import.meta.url), 'utf8')
  for (const number of fieldNumbers) {
    const spec = specOf(number) as FieldSpec
    const { length, format } = spec
    const dots = typeof length === 'number' ? '' : 'll' in length ? '..' : '...'
    const most = `${dots}${Object.values(typeof length === 'number' ? { length } : length)[0]}`
    t.match(page, `| ${number} | ${spec.name} | ${format} | ${most} |`)
  }
  t.equal([...page.matchAll(/^\| \d+ \|/gm)].length, fieldNumbers.length, 'and no other')
})

t.test('MAC and check values', async t => {
  const key = unhex('0123456789ABCDEFFEDCBA9876543210')
  t.equal(Buffer.from(macOf('ecb', key, unhex('0200702004C020C09811'))).toString(), '1FD4BBB1')
  t.equal(hex(macOf('x919', key, Buffer.from('Hello World !!!!'))), '23CA64DF47907E6C')
  t.equal(hex(checkValue(key, '3des')), '08D7B4FB', 'of the key of the textbooks')
  t.equal(hex(checkValue(key.subarray(0, 8), '3des')), 'D5D44FF7', 'single DES')
  // GB/T 32907 gives 681EDF34D206965E86B3E94F536E4246 for key and block 0123456789ABCDEFFEDCBA9876543210.
  t.equal(hex(wrapKey(key, key, 'sm4')), '681EDF34D206965E86B3E94F536E4246')
  t.match(Buffer.from(macOf('sm4', key, unhex('0200702004C020C09811'))).toString(), /^[0-9A-F]{8}$/)
  for (const style of ['ecb', 'x919', 'sm4'] as const) {
    const data = unhex('0200702004C020C098110000')
    for (let bit = 0; bit < data.length * 8; bit++) {
      const flipped = data.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      if (hex(macOf(style, key, flipped)) === hex(macOf(style, key,
        data))) t.fail(`${style}: bit ${bit} is not covered`)
    }
  }
})

t.test('working keys: layouts of 24, 40 and 60 bytes', async t => {
  const master = unhex('0123456789ABCDEFFEDCBA9876543210')
  for (const [layout, bytes, size] of [['001', 8, 24], ['003', 16, 40], ['004', 16, 60]] as const) {
    const key = unhex('1122334455667788A1B2C3D4E5F60718').subarray(0, bytes)
    const wrapped = { wrapped: wrapKey(master, key, '3des'), check: checkValue(key, '3des') }
    const field = keysField({ pin: wrapped, mac: wrapped, ...layout === '004' ? { track: wrapped } : {} })
    t.equal(field.length, size)
    t.equal(hex(unwrapKey(master, readKeys(field, layout).mac.wrapped, '3des')), hex(key))
    t.throws(() => readKeys(field.subarray(1), layout), /field 62/)
  }
})

t.test('fields with parts', async t => {
  const totals = { debit: { amountFen: 123_456, count: 7 }, credit: { amountFen: 50, count: 1 } }
  const digits = field48(totals, 'equal')
  t.equal(digits, '000000123456007000000000050001' + '1' + '0'.repeat(30) + '1')
  t.strictSame(readField48(digits), totals)
  t.equal(readField48(digits.slice(1)), null)
  t.equal(field54(12_345), '0002156C000000012345')
  t.equal(readField54('0002156D000000000800'), -800)
  t.strictSame(readField61('0000240004031130'), { batch: '000024', trace: '000403', date: '1130' })
  t.equal(answerType('0200'), '0210')
  t.equal(new Set(kinds.map(kind => answerType(exchanges[kind].mti))).size, 7)
})

t.test('errors name field, meaning and offset, and keep secrets', async t => {
  const bytes = unhex(printed.sale).subarray(13)
  const broken = (at: number, value: number): Uint8Array => bytes.map((byte, index) =>
    index === at ? value : byte)
  const told = (bytes: Uint8Array): string => {
    const parsed = parseMessage(bytes)
    return parsed.ok ? 'fine' : parsed.error
  }
  t.equal(told(broken(0, 0xA2)), "message type at offset 0: not four digits: 'A200'")
  t.equal(told(broken(2, 0xF0)), 'bitmap at offset 2: field 1 (not ours)')
  t.equal(told(broken(10, 0x20)), 'length of field 2 (card number) at offset 10: 20, more than 19')
  t.equal(told(broken(12, 0xA4)), 'field 2 (card number) at offset 11: not n (hidden)')
  t.equal(told(broken(19, 0x0A)), "field 3 (processing code) at offset 19: not n: '0A0000'")
  t.equal(told(bytes.subarray(0, 24)), 'field 4 (amount) at offset 22: 6 bytes wanted, 2 there')
  t.equal(told(Buffer.concat([bytes, Buffer.from([0])])),
    `message at offset ${bytes.length}: 1 bytes left over`)
  t.throws(() => buildMessage({ mti: '0200', fields: { 4: '1' } }), /field 4 \(amount\): 1 long, not 12/)
  t.throws(() => buildMessage({ mti: '0200', fields: { 2: '12345678901234567890' } }),
    /field 2 \(card number\): 20 long/)
  t.throws(() => buildMessage({ mti: '0200', fields: { 35: 'X' } }),
    { message: 'field 35 (track 2): not z (hidden)' })
})

t.test('every cut of every style waits for more, glued frames come apart', async t => {
  const message = unhex(printed.signIn).subarray(2)
  for (const length of Object.keys(lengthHeaders) as LengthStyle[]) {
    for (const line of [false, true]) {
      const framing = { length, line }
      const whole = frameOf(message, framing)
      for (let cut = 0; cut < whole.length; cut++) {
        if (cutFrame(whole.subarray(0, cut),
          framing) !== null) t.fail(`${length} ${String(line)} cut at ${cut}`)
      }
      const first = cutFrame(Buffer.concat([whole, whole]), framing)
      t.match(first?.cut, { kind: 'message' }, `${length}${line ? ' on a line' : ''}`)
      t.equal(hex((first?.cut as { message: Uint8Array }).message), hex(message))
      t.equal(hex(first?.rest ?? new Uint8Array()), hex(whole))
    }
  }
  t.equal(hex(frameOf(message, { length: 'ncc', line: false }).subarray(0, 2)), '0091')
  t.equal(hex(frameOf(message, { length: 'including', line: false }).subarray(0, 2)), '005D')
  t.match(cutFrame(unhex('0000 0000'), { length: 'cs', line: false })?.cut, { kind: 'alive' })
})

t.test('on a line a flipped bit is no frame, and the next frame is found', async t => {
  const framing = { length: 'ncc', line: true } as const
  const whole = frameOf(unhex(printed.signIn).subarray(2), framing)
  for (let bit = 8; bit < whole.length * 8; bit++) {
    const flipped = whole.slice()
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    const cut: Cut | undefined = cutFrame(flipped, framing)?.cut
    if (cut?.kind === 'message') t.fail(`bit ${bit} went unseen`)
  }
  let rest: Uint8Array = Buffer.concat([Buffer.from([0xff, 0x02, 0x00]), whole])
  const seen: string[] = []
  for (let cut = cutFrame(rest, framing); cut !== null; cut = cutFrame(rest, framing)) {
    seen.push(cut.cut.kind)
    rest = cut.rest
  }
  t.equal(seen.at(-1), 'message')
})

t.test('TPDU and header', async t => {
  const open = openEnvelope(unhex(printed.signIn).subarray(2))
  if (!open.ok) throw new Error(open.error)
  t.strictSame(swapped(open.envelope.tpdu), { destination: '0000', source: '0003' })
  const asked = sealEnvelope({
    ...open.envelope, header: {
      ...open.envelope.header,
      processing: 'blacklist'
    }
  })
  t.equal(hex(asked.subarray(5, 11)), '603107311312', 'the nibble behind the terminal state')
  t.match(openEnvelope(asked.subarray(0, 10)), { ok: false, error: /11 bytes wanted, 10 there/ })
  t.match(openEnvelope(unhex('6100030000 603100311312')), {
    ok: false,
    error: /TPDU at offset 0: begins with 61/
  })
  t.match(openEnvelope(unhex('6000030000 60310A311312')), { ok: false, error: /header at offset 5/ })
})

/* ---- an independent codec, for what is text ---- */

type OtherCodec = new (message: Record<string, string>, formats?: Record<string, unknown>) => {
  getRawMessage (): Buffer, getBufferMessage (): Buffer, getIsoJSON (buffer: Buffer): Record<string, string>
}
const Other = createRequire(import.meta.url)('iso_8583') as OtherCodec
/** It knows these by other formats than terminals have them. */
const formats = Object.fromEntries(fieldNumbers.map(number => {
  const { format, length } = specOf(number) as {
    format: string, length: number | {
      ll?: number,
      lll?: number
    }
  }
  const [lenType, most] = typeof length === 'number'
    ? ['fixed', format === 'b' ? length * 2 : length]
    : length.ll === undefined ? ['lllvar', length.lll] : ['llvar', length.ll]
  return [number, {
    ContentType: format === 'z' ? 'ans' : format, Label: 'x', LenType: lenType, MaxLen: most,
    MinLen: 1
  }]
}))

t.test('the same message in characters by a codec that shares no code', async t => {
  const values: FieldValues = {
    2: '3104990600000000016', 3: '000000', 4: '000000001250', 11: '000403', 12: '101112', 13: '1126',
    22: '071', 23: '001',
    25: '00', 35: '3104990600000000016=28062013949031013', 37: 'REF000000001', 38: 'A1B2C3', 39: '00',
    41: 'POS-0001',
    42: '898421000000001', 44: 'issuer', 48: '0'.repeat(62), 49: '156', 54: field54(12_345),
    60: '22000024000600',
    61: '0000240004031126', 63: '01 ', 64: '23CA64DF47907E6C'
  }
  const theirs = new Other({ 0: '0210', ...values } as Record<string, string>, formats).getRawMessage()
  t.ok(Buffer.isBuffer(theirs), JSON.stringify(theirs))
  // It always has a second bitmap, empty here; terminals have one.
  t.equal(hex(theirs.subarray(12, 20)), '0'.repeat(16))
  const one = Buffer.concat([theirs.subarray(0, 4), Buffer.from([theirs[4]! & 0x7f]), theirs.subarray(5, 12),
    theirs.subarray(20)])
  t.equal(hex(buildMessage({ mti: '0210', fields: values }, 'ascii')), hex(one))
  t.strictSame(parseMessage(one, 'ascii'), { ok: true, message: { mti: '0210', fields: values } })
})

/* ---- any values, any bytes ---- */

const digits = (min: number, max: number) => fc.string({
  unit: fc.constantFrom(...'0123456789'),
  minLength: min, maxLength: max
})
const textOf = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...'ABCDEFGHXYZabcxyz0123456789 '), minLength: min, maxLength: max })

function anyValue (number: FieldNumber): fc.Arbitrary<string> {
  const { format, length } = specOf(number) as {
    format: string, length: number | {
      ll?: number,
      lll?: number
    }
  }
  const [min, max] = typeof length === 'number' ? [length, length] : [0, length.ll ?? length.lll ?? 0]
  if (format === 'b') return fc.uint8Array({ minLength: min, maxLength: max }).map(hex)
  return format === 'n' || format === 'z' ? digits(min, max) : textOf(min, max)
}
const anyMessage = fc.record({
  mti: digits(4, 4),
  fields: fc.record(Object.fromEntries(fieldNumbers.map(number => [number, anyValue(number)])),
    { requiredKeys: [] })
}) as fc.Arbitrary<Message>

t.test('what is built parses to the same, in both packings', async () => {
  fc.assert(fc.property(anyMessage, fc.constantFrom('bcd' as const, 'ascii' as const), (message, packing) => {
    const parsed = parseMessage(buildMessage(message, packing), packing)
    return parsed.ok && JSON.stringify(parsed.message) === JSON.stringify({
      mti: message.mti,
      fields: message.fields
    })
  }), { numRuns: 300 })
})

t.test('any bytes: no crash, and every error says where', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
    for (const length of Object.keys(lengthHeaders) as LengthStyle[]) {
      cutFrame(bytes, {
        length,
        line: bytes.length % 2 === 0
      })
    }
    const parsed = parseMessage(bytes)
    const open = openEnvelope(bytes)
    return (parsed.ok || /at offset \d+: /.test(parsed.error)) && (open.ok ||
      /at offset \d+: /.test(open.error))
  }), { numRuns: 1_000 })
})

t.test('a message with any bytes changed: no crash, and every error says where', async () => {
  fc.assert(fc.property(anyMessage, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), (message,
    changes) => {
    const bytes = buildMessage(message)
    for (const [at, value] of changes) bytes[at % bytes.length] = value
    const parsed = parseMessage(bytes)
    return parsed.ok || /at offset \d+: /.test(parsed.error)
  }), { numRuns: 700 })
})
