// What was said on a POS line or a polled line, in words: frames, control bytes and polls as they came one
// after the other. What names a person's card is masked. It refuses to know other languages.
import { maskCard } from '../runtime/log.ts'
import { cutPolled, type PolledFrame } from '../schemas/polled/frame.ts'
import {
  answers, clockLayout, commands, entryLayout, layoutBytes, packetFlags, packetLayout, parametersLayout,
  readLayout, recordLayout, recordNoLayout, rideLayout, startLayout, statusLayout
} from '../schemas/polled/messages.ts'
import { maskPosMessage } from '../schemas/pos-line/mask.ts'
import { cutPiece, type LrcRule, type Piece } from '../schemas/serial/lrc-frame.ts'
import { yuan } from './table.ts'

type Row = readonly [string, string]
export type Said = { readonly title: string, readonly rows: readonly Row[] }

const shown = (name: string, value: string | number): Row => {
  const words = name.replace(/Fen$/, '').replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
  if (name.endsWith('Fen')) return [words, `${yuan(Number(value))} yuan`]
  return [words, name === 'serial' ? maskCard(String(value)) : String(value)]
}

/** One thing said has its own rows; of several each begins with what it is. */
const together = (line: string, parts: readonly Said[]): Said => ({
  title: `${line}: ${parts.map(({ title }) => title).join(', ')}`,
  rows: parts.length === 1
    ? parts[0]?.rows ?? []
    : parts.flatMap(({ title, rows }) => rows.map(([name, value]): Row => [`${title}: ${name}`, value]))
})

/* ---- POS line ---- */

const rules: readonly LrcRule[] = [0, 0x7f].flatMap(start => [false, true].flatMap(stx =>
  [true, false].map(etx => ({ start, stx, etx }))))

/** Null unless every byte belongs to a frame with a right check byte or is one of ENQ, ACK, NAK, EOT. */
export function posLineSaid (bytes: Uint8Array): Said | null {
  for (const rule of rules) {
    const pieces: Piece[] = []
    let rest = bytes
    for (let cut = cutPiece(rest, rule); cut !== null; cut = cutPiece(rest, rule)) {
      pieces.push(cut.piece)
      rest = cut.rest
    }
    const isWhole = rest.length === 0 && pieces.some(({ kind }) => kind === 'frame') &&
      pieces.every(({ kind }) => kind !== 'broken' && kind !== 'junk')
    if (isWhole) return together('POS line', pieces.map(piece => pieceSaid(piece)))
  }
  return null
}

/** A message as it stands between STX and ETX. */
export function posMessageSaid (data: Uint8Array): Said {
  const [kind = '', ...fields] = maskPosMessage(data).split('|')
  return {
    title: kind, rows: fields.map(field => {
      const [name = '', ...value] = field.split('=')
      return shown(name, value.join('='))
    })
  }
}

const pieceSaid = (piece: Piece): Said =>
  piece.kind === 'frame' ? posMessageSaid(piece.data) : { title: piece.kind.toUpperCase(), rows: [] }

/* ---- polled line ---- */

const names = new Map<number, string>(
  [...Object.entries(commands), ...Object.entries(answers)].map(([name, code]) => [code, name]))
const layouts = {
  [commands.start]: startLayout, [commands.clock]: clockLayout, [commands.parameters]: parametersLayout,
  [commands.blacklist]: packetLayout, [commands.give]: recordNoLayout, [commands.forget]: recordNoLayout,
  [commands.keep]: recordNoLayout
} as const

/** Null unless every byte belongs to a frame with right check bytes, or is a poll or its echo. */
export function polledSaid (bytes: Uint8Array): Said | null {
  const parts: Said[] = []
  let rest = bytes
  while (rest.length > 0) {
    const [first = 0] = rest
    if (first > 0x80) {
      parts.push({ title: `poll of ${first - 0x80}`, rows: [] })
      rest = rest.subarray(1)
      continue
    }
    const cut = cutPolled(rest)
    if (cut === null || !cut.ok) return null
    parts.push(frameSaid(cut.frame))
    rest = cut.rest
  }
  return parts.some(({ title }) => !title.startsWith('poll')) ? together('polled line', parts) : null
}

function frameSaid ({ address, code, payload }: PolledFrame): Said {
  const title = `${address} ${names.get(code) ?? `code ${code.toString(16)}`}`
  const layout = code === answers.done ? answerLayout(payload) : layouts[code as keyof typeof layouts]
  const read = layout === undefined ? null : readLayout(layout, payload)
  if (read === null || !read.ok) {
    return { title, rows: payload.length === 0 ? [] : [['payload', `${payload.length} bytes`]] }
  }
  const rows = Object.entries(read.values).map(([name, value]) => shown(name, value as string | number))
  if (code === commands.blacklist) return { title, rows: [...rows, ...entriesSaid(payload, read.end)] }
  const ride = layout === recordLayout && payload.length > read.end
    ? readLayout(rideLayout, payload, read.end)
    : null
  const more = ride?.ok === true ? Object.entries(ride.values).map(([name, value]) => shown(name, value)) : []
  return { title, rows: [...rows, ...more] }
}

/** An answer does not say to what: its length does. A record may have a ride behind it. */
function answerLayout ({ length }: Uint8Array) {
  const recordBytes = layoutBytes(recordLayout)
  if (length === layoutBytes(statusLayout)) return statusLayout
  return length === recordBytes || length === recordBytes + layoutBytes(rideLayout) ? recordLayout : undefined
}

/** Entries of a packet of the list, and what its flags say of it. */
function entriesSaid (payload: Uint8Array, from: number): Row[] {
  const bits = payload[from - 1] ?? 0
  const parts = [
    ...(bits & packetFlags.first) === 0 ? [] : ['first'], ...(bits & packetFlags.last) === 0 ? [] : ['last']
  ]
  const rows: Row[] = [['packet', `${parts.join(' and ') || 'neither first nor last'}`]]
  for (let at = from; at < payload.length;) {
    const entry = readLayout(entryLayout, payload, at)
    if (!entry.ok) return [...rows, [entry.error.field, entry.error.why]]
    const { operation, issuer, serial, issue } = entry.values
    const name = operation === 1 ? 'on the list' : 'off the list'
    rows.push([name, `${maskCard(serial)} of issuer ${issuer}, issue ${issue}`])
    at = entry.end
  }
  return rows
}
