// A tape with bytes, read: line by line, each error with its place. It refuses to know how it is replayed.
import { Check } from 'typebox/value'
import { parseIso } from '../../runtime/instants.ts'
import { unhex } from '../../schemas/epurse/hex.ts'
import { TapeLine } from '../../schemas/tape.ts'
import { UsageError } from './command-line.ts'
import type { ProtocolName } from './messages.ts'

export type TapeProtocol = ProtocolName | 'apdu'
export type Heard = {
  /** From 1. */
  readonly line: number
  readonly atMs: number, readonly device: string, readonly way: 'in' | 'out', readonly bytes: Uint8Array
  readonly said: string
}
export type Tape = { readonly protocol: TapeProtocol, readonly lines: readonly Heard[] }

const protocols: readonly TapeProtocol[] = ['pos-line', 'iso8583', 'sip2', 'polled', 'apdu']

/** Throws UsageError naming the line. */
export function readTape (text: string, name: string): Tape {
  const rows = text.split('\n').map((row, index) => ({ row, line: index + 1 }))
    .filter(({ row }) => row !== '')
  const refuse = (line: number, why: string): never => { throw new UsageError(`${name}:${line}: ${why}`) }
  let found: TapeProtocol | null = null
  const lines = rows.flatMap(({ row, line }): Heard[] => {
    const { protocol, bytes, ...rest } = parsed(row, () => refuse(line, 'is no line of a tape'))
    if (!Check(TapeLine, rest)) return refuse(line, 'is no line of a tape')
    const { at, device, way, said } = rest
    if (way === 'end') return []
    if (typeof bytes !== 'string' || !/^([0-9A-F]{2})+$/.test(bytes)) {
      return refuse(line, 'has no bytes: the tapes of a gateway are masked and cannot be said again; ' +
        'make one with --tape of sim pos or sim self-check')
    }
    const known = protocols.find(one => one === protocol) ??
      refuse(line, `“${String(protocol)}”: one of ${protocols.join(', ')}`)
    if (found !== null && found !== known) refuse(line, `${known} on a tape of ${String(found)}`)
    found = known
    return [{ line, atMs: parseIso(at), device, way, said, bytes: unhex(bytes) }]
  })
  if (found === null) throw new UsageError(`${name}: nothing was said on it`)
  return { protocol: found, lines }
}

function parsed (row: string, refuse: () => never): Record<string, unknown> {
  try {
    const value = JSON.parse(row) as unknown
    return typeof value === 'object' && value !== null ? value as Record<string, unknown> : refuse()
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return refuse()
  }
}
