// Frames per second of each codec, there and back, beside a plain copy of the same bytes.
import assert from 'node:assert/strict'
import { debit, parseCommand } from '../../schemas/epurse/apdu.ts'
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { type Message, buildMessage, parseMessage } from '../../schemas/iso8583/message.ts'
import { type PolledFrame, buildPolled, cutPolled } from '../../schemas/polled/frame.ts'
import { type PosMessage, readPosMessage, writePosMessage } from '../../schemas/pos-line/messages.ts'
import { buildFrame, cutPiece, plainLrc } from '../../schemas/serial/lrc-frame.ts'
import { codePage } from '../../schemas/sip2/code-page.ts'
import { readMessage, say, writeMessage } from '../../schemas/sip2/message.ts'

type Codec = {
  readonly name: string
  readonly bytes: Uint8Array
  /** Reads the bytes and writes what was read: the result must be the bytes. */
  readonly thereAndBack: () => Uint8Array
}

const utf8 = codePage('utf-8')
const sip = writeMessage(say('93', { uidAlgorithm: '0', pwdAlgorithm: '0' }, [
  ['CN', 'LoginUserID'], ['CO', 'LoginPassword'], ['CP', 'LocationCode']
]), utf8, 1)

const purchase: Message = {
  mti: '0200',
  fields: {
    2: '6223001234567890123', 3: '000000', 4: '000000000180', 11: '000042', 22: '051', 25: '00',
    41: '00000001', 42: '430400000000002', 49: '156', 60: '22000001000'
  }
}
const iso = buildMessage(purchase)

const sale: PosMessage = {
  kind: 'SALE',
  fields: { key: 'POS-1-000042', card: '02313750FFFFFFFF-03104990600000000001-1', amountFen: '180' }
}
const line = buildFrame(writePosMessage(sale), plainLrc)

const payload = Uint8Array.from({ length: 72 }, (_, at) => at)
const collected: PolledFrame = { address: 9, code: 0x88, payload }
const polled = buildPolled(collected)

const rows: readonly Codec[] = [
  {
    name: 'epurse APDU',
    bytes: debit({
      sequence4: unhex('00000007'), date4: unhex('20260302'), time3: unhex('083015'), mac1: unhex('11223344')
    }),
    thereAndBack: () => {
      const read = parseCommand(rows[0]?.bytes ?? iso)
      assert(read.ok)
      return debit({
        sequence4: read.data.subarray(0, 4), date4: read.data.subarray(4, 8),
        time3: read.data.subarray(8, 11), mac1: read.data.subarray(11, 15)
      })
    }
  },
  {
    name: 'ISO 8583',
    bytes: iso,
    thereAndBack: () => {
      const read = parseMessage(iso)
      assert(read.ok, 'an ISO 8583 message is read back')
      return buildMessage(read.message)
    }
  },
  {
    name: 'SIP2',
    bytes: sip,
    thereAndBack: () => {
      const read = readMessage(sip.subarray(0, sip.indexOf(0x0D)), utf8)
      assert(read.ok, 'a SIP2 message is read back')
      const fixed = { uidAlgorithm: '0', pwdAlgorithm: '0' }
      return writeMessage(say('93', fixed, read.message.fields), utf8, 1)
    }
  },
  {
    name: 'STX/ETX/LRC',
    bytes: line,
    thereAndBack: () => {
      const piece = cutPiece(line, plainLrc)?.piece
      assert(piece?.kind === 'frame', 'a frame of a POS line is cut')
      return buildFrame(piece.data, plainLrc)
    }
  },
  {
    name: 'POS message in it',
    bytes: line,
    thereAndBack: () => {
      const piece = cutPiece(line, plainLrc)?.piece
      assert(piece?.kind === 'frame', 'a frame of a POS line is cut')
      const read = readPosMessage(piece.data)
      assert(read.ok, 'a message of a POS is read back')
      return buildFrame(writePosMessage(read.message), plainLrc)
    }
  },
  {
    name: 'polled line',
    bytes: polled,
    thereAndBack: () => {
      const cut = cutPolled(polled)
      assert(cut?.ok === true, 'a polled frame is cut')
      return buildPolled(cut.frame)
    }
  }
]

const measureMs = 1_000

export function codecs (): Record<string, unknown> {
  const figures = rows.map(({ name, bytes, thereAndBack }) => {
    assert.equal(hex(thereAndBack()), hex(bytes), `${name}: not the same bytes`)
    const perSecond = rate(thereAndBack)
    const copiesPerSecond = rate(() => Uint8Array.from(bytes))
    const ratio = perSecond / copiesPerSecond
    console.log(`${name.padEnd(18)} ${bytes.length} bytes, read and written ${Math.round(perSecond)} /s, ` +
      `copied ${Math.round(copiesPerSecond)} /s, ratio ${ratio.toFixed(4)}`)
    return [name, { bytes: bytes.length, perSecond, copiesPerSecond, ratio }] as const
  })
  return Object.fromEntries(figures)
}

function rate (work: () => Uint8Array): number {
  for (let warm = 0; warm < 2_000; warm++) work()
  const startMs = performance.now()
  let done = 0
  let bytes = 0
  while (performance.now() - startMs < measureMs) {
    for (let burst = 0; burst < 100; burst++) bytes += work().length
    done += 100
  }
  assert(bytes > 0)
  return done / ((performance.now() - startMs) / 1_000)
}
