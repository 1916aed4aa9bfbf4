// What a gateway is told of its serial lines and sockets: which device or address, and what is spoken there.
// It refuses to know how bytes are carried.
import { Type, type Static } from 'typebox'
import { EchoSpeaks } from './echo/config.ts'
import { Iso8583Speaks } from './iso8583/config.ts'
import { Sip2Speaks } from './sip2/config.ts'
import { PolledSpeaks } from './polled/config.ts'
import { PosLineSpeaks } from './pos-line/config.ts'

const closed = { additionalProperties: false } as const

export const SerialDevice = Type.Object({
  path: Type.String({ minLength: 1, description: 'device, such as /dev/ttyUSB0; a stable name is better' }),
  baudRate: Type.Integer({ minimum: 50, maximum: 4_000_000 }),
  dataBits: Type.Optional(Type.Union([Type.Literal(7), Type.Literal(8)], { description: '8' })),
  parity: Type.Optional(Type.Unsafe<'none' | 'even' | 'odd'>(
    Type.String({ enum: ['none', 'even', 'odd'], description: 'none' }))),
  stopBits: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(2)], { description: '1' }))
}, { ...closed, $id: 'SerialDevice' })
export type SerialDevice = Static<typeof SerialDevice>

const Fingerprint = Type.String({ pattern: '^[0-9A-F]{64}$', description: 'SHA-256 of a certificate' })
export const TcpTls = Type.Object({
  cert: Type.String({ description: 'path: certificate of the gateway, PEM' }),
  key: Type.String({ description: 'path: its key, PEM' }),
  clientCa: Type.Optional(Type.String({
    description: 'path: who signs certificates of terminals, PEM; each must show one. Absent: none is asked'
  })),
  terminals: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Z0-9-]{1,8}$' }), Type.Array(Fingerprint, {
    minItems: 1, maxItems: 4
  }), { description: 'who speaks for a terminal; and such a certificate speaks for nobody else' }))
}, { ...closed, $id: 'TcpTls' })
export type TcpTls = Static<typeof TcpTls>

export const TcpAddress = Type.Object({
  host: Type.Optional(Type.String({ description: '127.0.0.1' })),
  port: Type.Integer({ minimum: 0, maximum: 65_535, description: '0: any free port' }),
  connectionsMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_000, description: '2000' })),
  perPeerMax: Type.Optional(Type.Integer({
    minimum: 1, maximum: 65_000, description: 'from one address; 2000'
  })),
  tls: Type.Optional(TcpTls),
  idleSeconds: Type.Optional(Type.Number({
    minimum: 1, maximum: 86_400, description: 'a connection that says nothing for so long ends; 300'
  }))
}, { ...closed, $id: 'TcpAddress' })
export type TcpAddress = Static<typeof TcpAddress>

/** What is spoken at a port: one row for each protocol, told apart by `protocol`. */
export const Speaks = Type.Union([
  EchoSpeaks,
  Sip2Speaks,
  PolledSpeaks,
  PosLineSpeaks,
  Iso8583Speaks
])
export type Speaks = Static<typeof Speaks>

const most = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000, description }))
/** Buckets of tokens: `atOnce` from a full one, `perSecond` in the long run. */
export const PortLimits = Type.Object({
  requestsPerSecond: most('of one terminal; 5'),
  requestsAtOnce: most('of one terminal; 100'),
  bytesPerSecond: most('of one connection or line, towards the gateway; 32768'),
  bytesAtOnce: most('of one connection or line; 524288')
}, { ...closed, $id: 'PortLimits' })
export type PortLimits = Static<typeof PortLimits>

const name = {
  port: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$', description: 'its name, once' }),
  limits: Type.Optional(PortLimits),
  tape: Type.Optional(Type.Object({
    on: Type.Optional(Type.Boolean({ description: 'from the start; else when it is asked for' })),
    numbers: Type.Optional(Type.Boolean({ description: 'numbers of cards and names stand on it; false' }))
  }, { ...closed, description: 'what is said here may be recorded; secrets never are' }))
}
export const PortConfig = Type.Union([
  Type.Object({ ...name, serial: SerialDevice, speaks: Speaks }, closed),
  Type.Object({ ...name, tcp: TcpAddress, speaks: Speaks }, closed)
], { $id: 'PortConfig' })
export type PortConfig = Static<typeof PortConfig>

export const PortState = Type.Object({
  port: Type.String(),
  carrier: Type.Unsafe<'serial' | 'tcp'>(Type.String({ enum: ['serial', 'tcp'] })),
  address: Type.String({ description: 'device, or host and port that are listened on' }),
  state: Type.Unsafe<'open' | 'away' | 'closed'>(Type.String({
    enum: ['open', 'away', 'closed'],
    description: 'away: the device is not there, or the address is taken; it is tried again'
  })),
  why: Type.Union([Type.String(), Type.Null()]),
  wires: Type.Integer({ description: 'conversations under way' }),
  protocol: Type.String(),
  counts: Type.Record(Type.String(), Type.Integer(), {
    description: 'frames, exchanges and errors since the start, by name'
  })
}, { ...closed, $id: 'PortState' })
export type PortState = Static<typeof PortState>
