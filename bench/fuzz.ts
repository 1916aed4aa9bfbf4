// Every decoder against bytes that nobody meant: noise, good messages with bytes changed, cut, glued and
// repeated. None may throw, hang or keep memory, and each error says which field it is about and where.
// `npm run bench -- fuzz [CASES [CODEC]]`: a million for each codec unless told.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { iso8583Masker } from '../gateway/iso8583/mask.ts'
import {
  cutAnswers, cutGreeting, cutHop, cutMoment, cutSteps, hopFrame, packAnswers, packGreeting, packMoment,
  packSteps
} from '../gateway/pcsc/hop-frames.ts'
import { polledMasker } from '../gateway/polled/mask.ts'
import { posLineMasker } from '../gateway/pos-line/mask.ts'
import { sip2Masker } from '../gateway/sip2/mask.ts'
import { cutFrames, encodeFrame, findFrame } from '../gateway/spool/frame.ts'
import { readAnswer, readBlacklist } from '../schemas/clearing-file/answers.ts'
import { readConsumptionFile, readConsumptionRecord } from '../schemas/clearing-file/consumption.ts'
import {
  changePin, debit, initPurchase, parseCommand, parseDebit, parseFci, parseInitPurchase, splitResponse
} from '../schemas/epurse/apdu.ts'
import * as files from '../schemas/epurse/files.ts'
import { unhex } from '../schemas/epurse/hex.ts'
import { parseKeyRecord } from '../schemas/epurse/key-set.ts'
import { decode } from '../schemas/epurse/layout.ts'
import { secureMessagingDecrypt } from '../schemas/epurse/mac.ts'
import {
  openReload, openSecured, orderIn, parseChangePin, signOrder
} from '../schemas/epurse/maintenance.ts'
import { suites } from '../schemas/epurse/suite.ts'
import {
  cutFrame, frameOf, lengthHeaders, type LengthStyle, openEnvelope
} from '../schemas/iso8583/framing.ts'
import {
  field48, readField48, readField54, readField60, readField61
} from '../schemas/iso8583/exchanges.ts'
import { keyLayouts, readKeys } from '../schemas/iso8583/mac.ts'
import { buildMessage, parseMessage } from '../schemas/iso8583/message.ts'
import { readLines } from '../schemas/medical/layout.ts'
import { parseAnswer, parseRequest } from '../schemas/medical/message.ts'
import { dialects, resultColumns, statementColumns } from '../schemas/medical/messages.ts'
import { buildPolled, cutPolled } from '../schemas/polled/frame.ts'
import * as polled from '../schemas/polled/messages.ts'
import { readPosMessage } from '../schemas/pos-line/messages.ts'
import { buildFrame, cutPiece, plainLrc } from '../schemas/serial/lrc-frame.ts'
import { codePage } from '../schemas/sip2/code-page.ts'
import { lineCutter } from '../schemas/sip2/lines.ts'
import { readMessage } from '../schemas/sip2/message.ts'
import { buildSsseRecord, readSsseRecord } from '../schemas/ssse/files.ts'
import { identityIn } from '../schemas/ssse/identity.ts'
import { collector } from './support/collector.ts'

export type Codec = {
  readonly name: string
  /** Good ones, which the cases are made from. */
  readonly samples: readonly Uint8Array[]
  /** Reads the bytes in every way; answers the errors. Whatever it throws is a bug. */
  readonly read: (bytes: Uint8Array) => readonly string[]
}

/* ---- the decoders ---- */

type Outcome = { readonly ok: boolean, readonly error?: unknown }
const errorsOf = (...outcomes: readonly Outcome[]): string[] => outcomes.flatMap(one =>
  one.ok ? [] : [typeof one.error === 'string' ? one.error : JSON.stringify(one.error)])

/** For decoders that say by RangeError what is wrong, as between processes of our own. */
function refusalOf (read: () => unknown): string[] {
  try {
    read()
    return []
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return [error.message]
  }
}

type Cutter<P> = (bytes: Uint8Array) => { piece: P, rest: Uint8Array } | null
/** Takes pieces until none is left; each must take some bytes, or it would go on for ever. */
function cutAll<P> (bytes: Uint8Array, cut: Cutter<P>): P[] {
  const pieces: P[] = []
  let rest = bytes
  for (let found = cut(rest); found !== null; found = cut(rest)) {
    assert(found.rest.length < rest.length, 'a piece takes bytes')
    rest = found.rest
    pieces.push(found.piece)
  }
  return pieces
}

const signing = {
  suite: suites['3des'], key: unhex('681B429A8E3F8EDEC036AE34A5A83627'), challenge: unhex('C0FFEE01'),
  secret: unhex('0F1E2D3C4B5A69788796A5B4C3D2E1F0')
}

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const utf8 = codePage('utf-8')
const gbk = codePage('gb18030')

const purchase = buildMessage({
  mti: '0200',
  fields: {
    2: '3104990600000000001', 3: '000000', 4: '000000000180', 11: '000042', 22: '051', 25: '00',
    35: '3104990600000000001D99121010000', 41: 'POS-1   ', 42: '898421000000001', 49: '156',
    52: '0011223344556677', 54: '0002156C000000012345', 60: '22000001000', 61: '0000010000410302',
    62: '00112233445566778899', 64: '3132333435363738'
  }
})
const envelope = Buffer.concat([unhex('6000010000603100311001'), purchase])
const styles = Object.keys(lengthHeaders) as LengthStyle[]
const framings = styles.flatMap(length => [{ length, line: false }, { length, line: true }])

const layouts = Object.values(files).filter(one =>
  typeof one === 'object' && 'fields' in one && 'length' in one)
const polledLayouts = Object.entries(polled).flatMap(([name, one]) =>
  name.endsWith('Layout') ? [one as typeof polled.statusLayout] : [])

const sale = 'SALE|key=0001|card=02313750FFFFFFFF-03104990600000000001-1|amountFen=180'
const record = ascii('00000001' + '430400000000002' + 'B1      ' + '03104990600000000001' + '0102' +
  '20991231'.repeat(3) + '000042' + '0000000007' + '00001000' + '00000180' + '20260302081530' + '06' +
  '990000000001' + 'A1B2C3D4' + '00' + '00' + '0' + '000000' + '01' + '00' + '02313750FFFFFFFF' +
  'L5      V1      S1      ')
const xf = 'XF2026030202430400000000002' + '00001'

const tapeMaskers = [false, true].flatMap(numbers => [
  iso8583Masker({ protocol: 'iso8583', terminals: [], issuers: [] }, numbers),
  iso8583Masker({ protocol: 'iso8583', terminals: [], issuers: [], line: true }, numbers),
  posLineMasker({ protocol: 'pos-line', terminals: [] }, numbers), polledMasker(),
  sip2Masker({ protocol: 'sip2', library: 'LIB', institution: 'LIB', name: 'Library' }, numbers)
])

/** Records of a social-security card: the first byte of what is left says where the next begins. */
function ssseRecords (bytes: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += 2 + (bytes[at + 1] ?? 0)) {
    records.push(bytes.subarray(at, at + 2 + (bytes[at + 1] ?? 0)))
  }
  return records
}
const cardOfHolder = [
  buildSsseRecord(0x05, 'specification', '2.00'), buildSsseRecord(0x05, 'issuedOn', '20200101'),
  buildSsseRecord(0x05, 'validUntil', '20991231'), buildSsseRecord(0x05, 'cardNumber', 'A12345678'),
  buildSsseRecord(0x06, 'idNumber', '11010519491231002X'), buildSsseRecord(0x06, 'name', '张三')
]
const recordsOfCard = 4

export const codecs: readonly Codec[] = [
  {
    name: 'APDU and TLV',
    samples: [
      debit({
        sequence4: unhex('00000007'), date4: unhex('20260302'), time3: unhex('081530'),
        mac1: unhex('11223344')
      }),
      initPurchase({ purse: 2, keyIndex: 1, amountFen: 180, terminal6: unhex('990000000001') }),
      unhex('6F1A8409A00000063201010105A50D9F0801029F0C0702313750FFFFFF'), unhex('000000649000')
    ],
    read: bytes => errorsOf(parseCommand(bytes), parseFci(bytes), parseDebit(bytes), parseInitPurchase(bytes),
      splitResponse(bytes))
  },
  {
    name: 'card orders',
    samples: [
      signOrder({ order: 'update_binary', sfi: 0x15, offset: 9, data: '02' }, signing),
      signOrder({ order: 'write_key', key: 'load', version: 1, algorithm: 0 }, signing),
      changePin(0, unhex('135790'), unhex('24680246')), unhex('135790FF24680246'), signing.secret
    ],
    read: bytes => {
      const parsed = parseCommand(bytes)
      if (parsed.ok) {
        for (const suite of Object.values(suites)) {
          openSecured(parsed, { ...signing, suite, field: 'clear' })
          openSecured(parsed, { ...signing, suite, field: 'enciphered' })
          openReload(parsed.data, { suite, drpk: signing.key })
          secureMessagingDecrypt({ suite, key: signing.key, cryptogram: parsed.data })
        }
        orderIn(parsed)
      }
      return errorsOf(parsed, parseKeyRecord(bytes), parseChangePin(bytes))
    }
  },
  {
    name: 'card files',
    samples: layouts.map(({ length }) => new Uint8Array(length).fill(0x31)),
    read: bytes => errorsOf(...layouts.map(one => decode(one, bytes)), files.decodeOngoingTrip(bytes),
      files.decodeCappRecord(bytes))
  },
  {
    name: 'social-security cards',
    samples: [Buffer.concat(cardOfHolder), ...cardOfHolder],
    read: bytes => {
      const records = ssseRecords(bytes)
      const [card, holder] = [records.slice(0, recordsOfCard), records.slice(recordsOfCard)]
      const found = identityIn({ 0x05: card, 0x06: holder }, { today: '20260302', numberChecked: true })
      return [
        ...errorsOf(readSsseRecord(0x05, bytes), readSsseRecord(0x06, bytes)),
        ...found.ok || found.why === undefined ? [] : [found.why]
      ]
    }
  },
  {
    name: 'STX/ETX/LRC',
    samples: [
      buildFrame(ascii(sale), plainLrc),
      Uint8Array.of(5), Uint8Array.of(6, 21, 4), buildFrame(Buffer.from('ECHO|key=0001'), plainLrc)
    ],
    read: bytes => cutAll(bytes, rest => cutPiece(rest, plainLrc)).flatMap(piece => {
      if (piece.kind === 'broken') return [`${piece.why} at offset ${piece.at}`]
      return piece.kind === 'frame' ? errorsOf(readPosMessage(piece.data)) : []
    })
  },
  {
    name: 'POS messages',
    samples: [
      ascii(sale),
      Buffer.from('ANSWER|key=0001|outcome=approved|reason=ok|balanceFen=900|text=成功')
    ],
    read: bytes => errorsOf(readPosMessage(bytes))
  },
  {
    name: 'polled lines',
    samples: [
      buildPolled({ address: 9, code: 0x88, payload: new Uint8Array(28).fill(0x20) }),
      buildPolled({ address: 9, code: 0x40, payload: new Uint8Array(67) })
    ],
    read: bytes => {
      const cut = cutPolled(bytes)
      const payload = cut?.ok === true ? cut.frame.payload : bytes
      const broken = cut?.ok === false ? [`${cut.why} at offset ${cut.at}`] : []
      return [...broken, ...errorsOf(...polledLayouts.map(one => polled.readLayout(one, payload)))]
    }
  },
  {
    name: 'ISO 8583',
    samples: [purchase, envelope, ...framings.map(framing => frameOf(envelope, framing))],
    read: bytes => {
      const pieces = framings.flatMap(framing => cutAll(bytes, rest => {
        const found = cutFrame(rest, framing)
        return found === null ? null : { piece: found.cut, rest: found.rest }
      }))
      const opened = pieces.flatMap(cut => cut.kind === 'message' ? [openEnvelope(cut.message)] : [])
      const bodies = opened.flatMap(one => one.ok ? [parseMessage(one.envelope.body)] : [])
      return [
        ...pieces.flatMap(cut => cut.kind === 'broken' ? [cut.why] : []),
        ...errorsOf(openEnvelope(bytes), parseMessage(bytes), parseMessage(bytes, 'ascii')),
        ...errorsOf(...opened, ...bodies)
      ]
    }
  },
  {
    name: 'ISO 8583 fields with parts',
    samples: [
      ascii(field48({ debit: { count: 2, amountFen: 300 }, credit: { count: 0, amountFen: 0 } }, 'asked')),
      ascii('22000001003'), ascii('0000010000410302'), ascii('0002156C000000012345'),
      ...Object.values(keyLayouts).map(({ keyBytes, track }) =>
        new Uint8Array((keyBytes + 4) * (track ? 3 : 2)))
    ],
    read: bytes => {
      const text = Buffer.from(bytes).toString('latin1')
      readField48(text)
      readField54(text)
      readField60(text)
      readField61(text)
      return (['001', '003', '004'] as const).flatMap(layout => refusalOf(() => readKeys(bytes, layout)))
    }
  },
  {
    name: 'SIP2',
    samples: [
      '9300CNterm1|COterm1|CPThe floor|AY1AZF36F\r', '9900302.00AY1AZFCA5\r', '97AZFEF5\r',
      '2300119960212    100239AOid_21|AA104000000105|ACpw|\r',
      '64              00020260302    100000000000010002AOX|AAY|AEZ|\r\n'
    ].map(ascii),
    read: bytes => [utf8, gbk].flatMap(page => lineCutter(200).push(bytes).flatMap(one => {
      const read = 'line' in one ? readMessage(one.line, page) : null
      return read === null || read.ok ? [] : [JSON.stringify(read.wrong)]
    }))
  },
  {
    name: 'spool frames',
    samples: [encodeFrame({ type: 'record', sequence: 1, durable: 0, payload: ascii('{"a":1}') }),
      encodeFrame({ type: 'ack', sequence: 2, durable: 1, payload: new Uint8Array(40) })],
    read: bytes => {
      const buffer = Buffer.from(bytes)
      const { end } = cutFrames(buffer, 1)
      assert(end <= buffer.length)
      findFrame(buffer, 0)
      return []
    }
  },
  {
    name: 'hop frames',
    samples: [
      hopFrame('connect', 7, 1, unhex('00000BB8')), hopFrame('event', 1, 2), hopFrame('failed', 7, 0, 'gone'),
      packSteps([{ command: unhex('00A4000002'), goOn: 'always' }]),
      packAnswers([{ kind: 'answer', sw: 0x9000, data: unhex('0102') }, { kind: 'unknown', why: 'silent' }]),
      packGreeting({ deadlineMs: 3_000, steps: [{ command: unhex('00A4000002'), goOn: 'always' }] }),
      packMoment(41n, null), packMoment(42n, 7)
    ],
    read: bytes => [
      ...refusalOf(() => cutAll(bytes, rest => {
        const found = cutHop(rest)
        return found === null ? null : { piece: found.frame, rest: found.rest }
      })),
      ...refusalOf(() => cutSteps(bytes)), ...refusalOf(() => cutAnswers(bytes)),
      ...refusalOf(() => cutGreeting(bytes)), ...refusalOf(() => cutMoment(bytes, 50n))
    ]
  },
  {
    name: 'clearing files',
    samples: [
      record, Buffer.concat([ascii(xf), record, ascii('\n')]),
      ascii('SS02' + '00000001' + '00000158' + 'F'.repeat(24) + '\r\n')
    ],
    read: bytes => {
      const text = Buffer.from(bytes).toString('latin1')
      const line = readConsumptionRecord(text, 1, '430400000000002')
      const file = readConsumptionFile(xf, bytes)
      const answers = (['SS', 'QS', 'NS'] as const).map(type => readAnswer(type, text))
      const read = [line, file, ...answers, readBlacklist(text)]
      return read.flatMap(one => one.ok ? [] : [JSON.stringify(one)])
    }
  },
  {
    name: 'tape maskers',
    samples: [
      frameOf(envelope, { length: 'nac', line: false }), buildFrame(ascii(sale), plainLrc),
      buildPolled({ address: 9, code: 0x40, payload: new Uint8Array(67) }),
      ascii('2300119960212    100239AOid_21|AA104000000105|ACpw|\r')
    ],
    read: bytes => {
      for (const mask of tapeMaskers.map(make => make())) {
        for (const part of [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)]) {
          for (const say of mask(part)) say()
        }
      }
      return []
    }
  },
  {
    name: 'medical messages',
    samples: [
      Buffer.from('{"infno":"2601","msgid":"H1","mdtrtarea_admvs":"430400","recer_sys_code":"YBXT",' +
        '"infver":"V1.0","opter_type":"1","opter":"T1","opter_name":"收费员","inf_time":"2026-03-02 08:15:30",' +
        '"fixmedins_code":"H1","fixmedins_name":"医院",' +
        '"input":{"data":{"psn_no":"P1","omsgid":"M1","oinfno":"2207"}}}'),
      Buffer.from('{"infcode":0,"output":{"stmtinfo":{"setl_optins":"430400","stmt_rslt":"0"}}}'),
      Buffer.from('S1\tV1\tP1\t480.00\t157.20\t150.00\t0\r\n'),
      Buffer.from('P1\tV1\tS1\tM1\t3\t0\tnull\t480.00\t157.20\t150.00\n')
    ],
    read: bytes => {
      const text = Buffer.from(bytes).toString('utf8')
      const read = [
        parseRequest(dialects.national, bytes), parseAnswer('totals', bytes), parseAnswer('settle', bytes),
        readLines(statementColumns, text), readLines(resultColumns, text)
      ]
      return read.flatMap(one => one.ok ? [] : [JSON.stringify(one)])
    }
  }
]

/* ---- cases ---- */

/** Noise, and samples with bytes changed, cut short, glued together or with something put in. */
function casesOf (samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const sample = fc.constantFrom(...samples)
  const noise = fc.uint8Array({ maxLength: 64 })
  const place = fc.nat({ max: 400 })
  const change = fc.tuple(place, fc.nat({ max: 255 }))
  const changes = fc.array(change, { minLength: 1, maxLength: 4 })
  const changed = fc.tuple(sample, changes).map(([bytes, all]) => {
    const copy = Uint8Array.from(bytes)
    for (const [at, byte] of all) if (copy.length > 0) copy[at % copy.length] = byte
    return copy
  })
  const cut = fc.tuple(sample, place).map(([bytes, at]) => bytes.subarray(0, at % (bytes.length + 1)))
  const glued = fc.tuple(fc.oneof(changed, cut, noise), sample, noise).map(parts => Buffer.concat(parts))
  return fc.oneof(
    { weight: 4, arbitrary: changed }, { weight: 2, arbitrary: cut }, { weight: 2, arbitrary: glued }, noise)
}

/** Where in the bytes, or how many there are in place of how many. */
const saysWhere = /offset|columns|at byte|wanted|\blong\b|(in|of) \d+ bytes|has \d+ bytes, not|"detail"|"field":"\w/

/** Throws with the bytes where a decoder fails. Answers how many errors were told. */
export function fuzz ({ name, samples, read }: Codec, cases: number, seed: number): number {
  let errors = 0
  fc.assert(fc.property(casesOf(samples), bytes => {
    const said = read(bytes)
    errors += said.length
    const vague = said.find(error => !saysWhere.test(error))
    assert(vague === undefined, `${name}: an error that says no place: ${vague}`)
  }), { numRuns: cases, seed })
  return errors
}

/* ---- a million of them ---- */

const roundCases = 20_000
/** What the heap may have grown by from the second round to the last. */
const grownBytesMax = 4 * 2 ** 20

export async function bench (
  { args }: { readonly args: readonly string[] }
): Promise<Record<string, unknown>> {
  const [cases = 1_000_000, only] = [args[0] === undefined ? undefined : Number(args[0]), args[1]]
  const collect = collector()
  const figures: Record<string, unknown> = {}
  for (const codec of codecs.filter(({ name }) => only === undefined || name === only)) {
    const startMs = performance.now()
    let [errors, done, firstBytes, grownBytes] = [0, 0, 0, 0]
    for (let round = 0; done < cases; round++) {
      const count = Math.min(roundCases, cases - done)
      errors += fuzz(codec, count, round + 1)
      done += count
      const heldBytes = collect()
      if (round === 1) firstBytes = heldBytes
      if (round > 1) grownBytes = heldBytes - firstBytes
    }
    assert(grownBytes < grownBytesMax, `${codec.name}: the heap grew by ${grownBytes} bytes`)
    const seconds = (performance.now() - startMs) / 1_000
    figures[codec.name] = { cases: done, errors, seconds, grownBytes }
    console.log(`${codec.name.padEnd(16)} ${done} cases, ${errors} errors, all with their place; ` +
      `${seconds.toFixed(0)} s, heap ${(grownBytes / 1_024).toFixed(0)} KiB more`)
  }
  return figures
}
