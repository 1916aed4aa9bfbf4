// The estate of terminals as it is said on the wire: what is enrolled where, how it is doing, what happened
// to it. It refuses to know who keeps it.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant } from './api.ts'
import { limits } from './limits.ts'
import { sha256 } from './sha256.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/** A terminal's number is its operator's: two operators may have the same one. */
export const ofTerminal = {
  operator: Type.String({ pattern: '^[A-Z0-9-]{1,15}$', description: 'party code' }),
  terminal: Type.String({ pattern: '^[A-Z0-9-]{1,8}$', description: 'number at its operator' })
}
export const TerminalRef = Type.Object(ofTerminal, { ...closed, $id: 'TerminalRef' })
export type TerminalRef = Static<typeof TerminalRef>

export const terminalKey = ({ operator, terminal }: TerminalRef): string => `${operator}/${terminal}`

/* ---- events ---- */

type EventRow = {
  /** While it lasts nobody is served: the terminal is not intact. */
  readonly down: boolean
  /** Handled in time when it is cleared, or somebody has dealt with it, within so long. */
  readonly handleMinutes: number
  readonly en: string, readonly zh: string
}

/** What happens to terminals. A kind lasts until it is cleared, and is there once at a time. */
export const terminalEventKinds = {
  silent: { down: true, handleMinutes: 240, en: 'nothing is heard of it', zh: '失去联系' },
  reader_away: { down: true, handleMinutes: 240, en: 'its card reader is away', zh: '读卡器脱机' },
  psam_refused: { down: true, handleMinutes: 240, en: 'its security module does not serve', zh: '安全模块不可用' },
  storage_full: { down: true, handleMinutes: 120, en: 'its record store is full', zh: '交易存储已满' },
  tampered: { down: true, handleMinutes: 120, en: 'it reports that it was opened', zh: '设备被打开' },
  out_of_order: { down: true, handleMinutes: 480, en: 'it reports that it does not work', zh: '设备故障' },
  line_errors: { down: false, handleMinutes: 480, en: 'its line garbles more than it should', zh: '线路误码过多' },
  clock_drift: {
    down: false, handleMinutes: 480,
    en: 'its clock is off by more than is allowed', zh: '时钟偏差超限'
  },
  not_updated: {
    down: false, handleMinutes: 480,
    en: 'it does not take the list or the prices', zh: '未更新名单或参数'
  },
  too_busy: { down: false, handleMinutes: 480, en: 'it says more than a terminal may', zh: '上报过于频繁' },
  not_enrolled: {
    down: false, handleMinutes: 1_440,
    en: 'it works, and nobody has enrolled it there', zh: '未登记即在用'
  },
  keys_refused: {
    down: false, handleMinutes: 240,
    en: 'what it sends is signed with other keys', zh: '签名密钥不符'
  },
  printer: { down: false, handleMinutes: 480, en: 'its printer needs somebody', zh: '打印机需处理' },
  low_battery: { down: false, handleMinutes: 480, en: 'its battery is low', zh: '电池电量低' },
  update_failed: { down: false, handleMinutes: 1_440, en: 'an update did not install', zh: '升级失败' }
} as const satisfies Record<string, EventRow>
export type TerminalEventKind = keyof typeof terminalEventKinds
/** Those that keep a terminal from serving. */
export const downKinds = (Object.keys(terminalEventKinds) as TerminalEventKind[])
  .filter(kind => terminalEventKinds[kind].down)
export const TerminalEventName =
  literals(Object.keys(terminalEventKinds) as TerminalEventKind[], 'what happened')

/* ---- what is enrolled ---- */

/** `registered`: in the registry, nobody has enrolled it yet. Only `enrolled` ones are served. */
export const terminalStates = ['registered', 'enrolled', 'suspended', 'retired'] as const
export type TerminalState = typeof terminalStates[number]
export const TerminalStateName = literals(terminalStates)

export const terminalKinds = [
  'gate', 'bus', 'till', 'pos', 'self-check', 'counter', 'kiosk', 'other'
] as const
export type TerminalKind = typeof terminalKinds[number]

const GatewayId = Type.String({ pattern: '^[0-9A-Za-z_-]{1,32}$', description: 'client id of a gateway' })
const KeyName = Type.String({
  pattern: '^[0-9A-Za-z._-]{1,40}$', description: 'its keys in the key file of the gateway, by name'
})
const KeyCheck = Type.String({
  pattern: '^[0-9A-F]{6}$', description: 'first bytes of eight zeros under that key: whether it is the same'
})
/** Opened by gateways alone: schemas/wrapped-key.ts. */
const KeyWrapped = Type.String({
  pattern: '^(3des|sm4)\\.[0-9A-F]{24}\\.[0-9A-F]{64}$',
  description: 'its master key under the transport key of gateways; absent: it stands in their key file'
})
/** As a gateway finds it in the handshake: schemas/port.ts binds the same. */
const Fingerprint = Type.String({
  pattern: '^[0-9A-F]{64}$', description: 'SHA-256 of a certificate that speaks for the terminal'
})
/** Two while one is renewed; a concentrator's stands at each terminal behind it. */
const certificatesMax = 4
const Firmware = Type.String({ minLength: 1, maxLength: 40 })
const Place = Type.String({ maxLength: 80, description: 'where it stands, in words' })
const Degrees = (most: number) => Type.Number({ minimum: -most, maximum: most })
export const Where = Type.Object({ latitude: Degrees(90), longitude: Degrees(180) }, closed)
export type Where = Static<typeof Where>
const HeartbeatSeconds = Type.Integer({ minimum: 5, maximum: 86_400 })

/** What an enrolment says of certificates; absent: they stay as they are. */
export const Certificates = Type.Optional(Type.Array(Fingerprint, {
  maxItems: certificatesMax, uniqueItems: true,
  description: 'it is served over these alone, and they speak for nobody else; none: over any connection'
}))

/** What a gateway must know of a terminal to serve it. */
export const EnrolledTerminal = Type.Object({
  ...ofTerminal,
  state: TerminalStateName,
  kind: literals(terminalKinds),
  place: Place,
  gateway: orNull(GatewayId),
  firmware: orNull(Firmware),
  keys: orNull(Type.Object({
    name: KeyName, check: orNull(KeyCheck), wrapped: Type.Optional(KeyWrapped)
  }, closed)),
  heartbeatSeconds: HeartbeatSeconds,
  certificates: Type.Optional(Type.Array(Fingerprint, {
    minItems: 1, maxItems: certificatesMax, description: 'sorted; absent: over any connection'
  }))
}, { ...closed, $id: 'EnrolledTerminal' })
export type EnrolledTerminal = Static<typeof EnrolledTerminal>

/** The list of one gateway: its own terminals and those of no gateway in particular. */
export const EstateReply = Type.Object({
  from: orNull(Type.Integer({ description: 'the version this builds on; null: the whole list' })),
  to: Type.Integer(),
  add: Type.Array(EnrolledTerminal, { description: 'new ones, and those that changed' }),
  remove: Type.Array(TerminalRef),
  digest: Type.String({
    pattern: '^[0-9A-F]{64}$', description: 'SHA-256 over the sorted lines of the list, joined by LF'
  })
}, { ...closed, $id: 'EstateReply' })
export type EstateReply = Static<typeof EstateReply>

/** Both houses take the digest over these lines. Golden bytes. */
export const estateLine = (one: EnrolledTerminal): string => [
  terminalKey(one), one.state, one.kind, one.place, one.gateway ?? '', one.firmware ?? '',
  one.keys?.name ?? '', one.keys?.check ?? '', String(one.heartbeatSeconds),
  ...one.keys?.wrapped === undefined ? [] : [one.keys.wrapped],
  ...one.certificates === undefined ? [] : [`certificates ${one.certificates.join(' ')}`]
].join('\t')

export const estateDigest = (lines: readonly string[]): string =>
  sha256(Buffer.from([...lines].sort().join('\n'), 'utf8')).toString('hex').toUpperCase()

/* ---- what a gateway tells of its terminals ---- */

export const parameterKinds = ['blacklist', 'tariff', 'cities'] as const
export type ParameterKind = typeof parameterKinds[number]

export const TerminalReport = Type.Object({
  ...ofTerminal,
  heardAt: Type.Optional(Instant),
  bootedAt: Type.Optional(Instant),
  firmware: Type.Optional(Firmware),
  driftMs: Type.Optional(Type.Integer({
    minimum: -4_000_000_000_000, maximum: 4_000_000_000_000,
    description: 'its clock less the clock of the gateway; positive: ahead'
  })),
  where: Type.Optional(Where),
  applied: Type.Optional(Type.Array(Type.Object({
    kind: literals(parameterKinds), version: Type.Integer({ minimum: 0 }), at: Instant
  }, closed), { maxItems: 50, description: 'versions that it has applied, and when' })),
  events: Type.Optional(Type.Array(Type.Object({
    kind: TerminalEventName,
    foundAt: Instant,
    clearedAt: orNull(Instant),
    detail: Type.String({ maxLength: 200 })
  }, closed), { maxItems: 50 }))
}, { ...closed, $id: 'TerminalReport' })
export type TerminalReport = Static<typeof TerminalReport>

/** One call for many terminals; sent again, it changes nothing. */
export const EstateReport = Type.Object({
  at: Instant,
  everySeconds: Type.Integer({
    minimum: 1, maximum: 86_400, description: 'how often it reports: much later it is away'
  }),
  startedAt: Instant,
  software: Type.Optional(Firmware),
  estate: Type.Optional(Type.Integer({ minimum: 0, description: 'version of the list that it holds' })),
  spoolDepth: Type.Optional(Type.Integer({ minimum: 0, description: 'records that wait for the ledger' })),
  terminals: Type.Array(TerminalReport, { maxItems: limits.terminalsPerReportMax })
}, { ...closed, $id: 'EstateReport' })
export type EstateReport = Static<typeof EstateReport>

export const EstateReportReply = Type.Object({
  estate: Type.Integer({ description: 'the list as it stands: a gateway that holds another one fetches it' }),
  refused: Type.Array(Type.Object({ ...ofTerminal, why: Type.String() }, closed))
}, { ...closed, $id: 'EstateReportReply' })
export type EstateReportReply = Static<typeof EstateReportReply>
