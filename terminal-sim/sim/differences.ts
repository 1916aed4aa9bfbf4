// Two messages of one protocol beside each other, field by field, in the words of the protocol. Some fields
// are others each time, whatever happens: they pass.
import { hex } from '../../schemas/epurse/hex.ts'
import { fieldName, fieldNumbers, type FieldNumber } from '../../schemas/iso8583/fields.ts'
import { cutFrame, openEnvelope } from '../../schemas/iso8583/framing.ts'
import { parseMessage } from '../../schemas/iso8583/message.ts'
import { maskDigits } from '../../schemas/iso8583/mask.ts'
import { readPosMessage } from '../../schemas/pos-line/messages.ts'
import { cutPiece, plainLrc } from '../../schemas/serial/lrc-frame.ts'
import { codePage } from '../../schemas/sip2/code-page.ts'
import { readMessage } from '../../schemas/sip2/message.ts'
import { maskValue } from '../../schemas/sip2/mask.ts'
import type { TapeProtocol } from './tape.ts'

export type Difference = {
  readonly field: string, readonly then: string, readonly now: string
  /** It is another one each time. */
  readonly passing: boolean
}

type Fields = ReadonlyMap<string, string>
type Reading = { readonly read: (bytes: Uint8Array) => Fields, readonly passing: ReadonlySet<string> }

const nameOfIso = (number: FieldNumber): string => `field ${number} ${fieldName(number)}`
/** Local times, references of the centre, keys and signatures. */
const passingIso: readonly FieldNumber[] = [12, 13, 15, 37, 38, 62, 64]

/** Behind CLA, INS, P1, P2 and the length: names and lengths of what stands there; the rest is `data`. */
const commandFields: Readonly<Record<string, readonly (readonly [name: string, bytes: number])[]>> = {
  8050: [['key index', 1], ['amount', 4], ['terminal', 6]],
  8054: [['sequence', 4], ['date', 4], ['time', 3], ['MAC1', 4]],
  8070: [
    ['random', 4], ['counter', 2], ['amount', 4], ['type', 1], ['date', 4], ['time', 3], ['key version', 1],
    ['algorithm', 1], ['factors', 24]
  ],
  8072: [['MAC2', 4]],
  '80DC': [
    ['type', 1], ['terminal', 8], ['industry', 1], ['line', 2], ['station', 2], ['operator', 2],
    ['reserved', 1], ['amount', 4], ['balance', 4], ['date', 4], ['time', 3]
  ]
}

const readings: Readonly<Record<Exclude<TapeProtocol, 'polled'>, Reading>> = {
  apdu: {
    passing: new Set(['date', 'time']),
    read: bytes => {
      const [header, data] = [hex(bytes.subarray(0, 4)), bytes.subarray(5)]
      const fields = commandFields[header.slice(0, 4)] ?? []
      const read = new Map([['command', header]])
      let at = 0
      for (const [name, length] of fields) {
        const part = data.subarray(at, at += length)
        if (part.length > 0) read.set(name, hex(part))
      }
      const rest = bytes.length === 5 ? bytes.subarray(4) : data.subarray(at)
      return rest.length === 0 ? read : read.set(bytes.length === 5 ? 'length' : 'data', hex(rest))
    }
  },
  'pos-line': {
    passing: new Set(['time', 'journal']),
    read: bytes => {
      const piece = cutPiece(bytes, plainLrc)?.piece
      if (piece?.kind !== 'frame') return new Map([['line', piece?.kind ?? hex(bytes)]])
      const read = readPosMessage(piece.data)
      if (!read.ok) return new Map([['bytes', hex(bytes)]])
      const { kind, fields } = read.message
      return new Map([['kind', kind], ...Object.entries(fields).map(([name, value]) =>
        [name, name === 'card' ? value.replace(/\d{12,}/, maskDigits) : value] as const)])
    }
  },
  iso8583: {
    passing: new Set(passingIso.map(nameOfIso)),
    read: bytes => {
      const cut = cutFrame(bytes, { length: 'nac', line: false })?.cut
      const opened = cut?.kind === 'message' ? openEnvelope(cut.message) : null
      const parsed = opened?.ok === true ? parseMessage(opened.envelope.body) : null
      if (parsed?.ok !== true) return new Map([['bytes', hex(bytes)]])
      const { mti, fields } = parsed.message
      return new Map([['type', mti], ...fieldNumbers.flatMap(number => {
        const value = fields[number]
        if (value === undefined) return []
        return [[nameOfIso(number), number === 2 ? maskDigits(value) : value] as const]
      })])
    }
  },
  sip2: {
    passing: new Set(['date', 'checksum']),
    read: bytes => {
      const end = bytes.findLastIndex(byte => byte !== 0x0D && byte !== 0x0A) + 1
      const read = readMessage(bytes.subarray(0, end), codePage('utf-8'))
      if (!read.ok) return new Map([['bytes', hex(bytes)]])
      const { code, fixed, fields, detection } = read.message
      return new Map([
        ['code', code], ...Object.entries(fixed),
        ...fields.map((field, at) => [`${field[0]}#${at}`, maskValue(field)] as const),
        ...detection === null ? [] : [['checksum', JSON.stringify(detection)] as const]
      ])
    }
  }
}

/** `now` null: nothing came. */
export function compareMessages (protocol: TapeProtocol, then: Uint8Array, now: Uint8Array | null) {
  const reading = readings[protocol as keyof typeof readings]
  const [before, after] = [reading.read(then), now === null ? new Map<string, string>() : reading.read(now)]
  const names = now === null ? [] : [...new Set([...before.keys(), ...after.keys()])]
  const differences = names.flatMap((field): Difference[] => {
    const [was, is] = [before.get(field) ?? 'absent', after.get(field) ?? 'absent']
    return was === is ? [] : [{ field, then: was, now: is, passing: reading.passing.has(field) }]
  })
  return {
    then: hex(then), now: now === null ? null : hex(now), differences,
    sameBytes: now !== null && Buffer.from(then).equals(Buffer.from(now))
  }
}
