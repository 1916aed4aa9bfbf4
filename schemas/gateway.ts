// What a gateway is told at its start and what it shows: configuration, taps, lanes, spool, with the reasons
// of a tap. It refuses to know readers, files and how anything is done.
import { Type, type Static, type TSchema } from 'typebox'
import { Instant } from './api.ts'
import { blockForms } from './card-block.ts'
import { limits } from './limits.ts'
import { type LoadSource, loadSources } from './load.ts'
import { onLine, placed } from './placed.ts'
import { PortConfig } from './port.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const hexText = (bytes: number, description: string) =>
  Type.String({ pattern: `^[0-9A-F]{${bytes * 2}}$`, description })

/* ---- reasons ---- */

export type TapOutcome = 'approved' | 'declined' | 'unknown'
type TapRow = { readonly outcome: TapOutcome, readonly en: string, readonly zh: string }

/**
 * What a terminal says of a tap. Unknown is not failed: the card may have paid, and settles it when it
 * returns.
 */
export const tapReasons = {
  paid: { outcome: 'approved', en: 'paid', zh: '扣款成功' },
  paid_before: { outcome: 'approved', en: 'the interrupted payment is complete', zh: '补写成功' },
  spool_full: { outcome: 'declined', en: 'the record store is full', zh: '记录存储已满' },
  spool_failed: { outcome: 'declined', en: 'the record store cannot be written', zh: '记录存储故障' },
  terminal_not_enrolled: { outcome: 'declined', en: 'this terminal is not enrolled', zh: '终端未登记' },
  terminal_suspended: { outcome: 'declined', en: 'this terminal is suspended', zh: '终端已停用' },
  psam_unavailable: { outcome: 'declined', en: 'the security module is not ready', zh: 'PSAM 未就绪' },
  card_unreadable: { outcome: 'declined', en: 'the card cannot be read', zh: '读卡失败' },
  card_removed: { outcome: 'declined', en: 'the card left too early, nothing was debited', zh: '请重刷' },
  card_unsupported: { outcome: 'declined', en: 'not a card of ours', zh: '无效卡' },
  card_locked: { outcome: 'declined', en: 'the card is locked', zh: '卡已锁' },
  card_blocked_now: {
    outcome: 'declined', en: 'the card is on the blacklist, and was blocked here', zh: '黑名单卡，已锁卡'
  },
  card_disabled: { outcome: 'declined', en: 'the card is not enabled', zh: '卡未启用' },
  card_not_started: { outcome: 'declined', en: 'the card is not valid yet', zh: '卡未到启用日期' },
  card_expired: { outcome: 'declined', en: 'the card has expired', zh: '卡已过期' },
  issuer_not_accepted: { outcome: 'declined', en: 'cards of this issuer are not accepted here', zh: '非受理卡' },
  card_local_only: { outcome: 'declined', en: 'the card is valid in its own city only', zh: '非互通卡' },
  blacklisted: { outcome: 'declined', en: 'the card is on the blacklist', zh: '黑名单卡' },
  tapped_twice: { outcome: 'declined', en: 'this card has just paid here', zh: '请勿重复刷卡' },
  no_tariff: { outcome: 'declined', en: 'there is no tariff for this operator', zh: '无票价参数' },
  no_stop: {
    outcome: 'declined', en: 'the terminal does not know at which stop it is', zh: '站点未知'
  },
  concession_used_up: {
    outcome: 'declined', en: 'all rides of today with this concession are used', zh: '当日优惠次数已用完'
  },
  no_charge: { outcome: 'declined', en: 'the till has not asked for an amount', zh: '未输入金额' },
  insufficient_funds: { outcome: 'declined', en: 'not enough money on the card', zh: '余额不足' },
  card_worn_out: { outcome: 'declined', en: 'the counter of the card is at its end', zh: '计数器已满' },
  key_unsupported: {
    outcome: 'declined', en: 'the card does not have the key of this terminal', zh: '密钥不支持'
  },
  psam_refused: { outcome: 'declined', en: 'the security module refuses to sign', zh: 'PSAM 拒绝' },
  card_refused: { outcome: 'declined', en: 'the card refused the debit, nothing happened', zh: '卡片拒绝扣款' },
  torn: { outcome: 'unknown', en: 'the answer of the card was lost: tap the same card again', zh: '请重刷同一张卡' },
  mac2_wrong: { outcome: 'unknown', en: 'the card cannot prove that it is genuine', zh: '卡片认证失败' },
  psam_lost: {
    outcome: 'unknown', en: 'the security module went away: tap the same card again', zh: '请重刷同一张卡'
  },
  loaded: { outcome: 'approved', en: 'the value is on the card', zh: '充值成功' },
  loaded_before: { outcome: 'approved', en: 'the interrupted load is complete', zh: '补充值成功' },
  no_load: { outcome: 'declined', en: 'nobody has asked for a load here', zh: '未输入充值金额' },
  nothing_pending: { outcome: 'declined', en: 'no value waits for this card', zh: '无待圈存金额' },
  ledger_unavailable: {
    outcome: 'declined', en: 'the ledger does not answer, nothing was written', zh: '后台无应答'
  },
  load_declined: { outcome: 'declined', en: 'the ledger does not allow this load', zh: '后台拒绝充值' },
  load_refused: { outcome: 'declined', en: 'the card refused the load, nothing was written', zh: '卡片拒绝充值' },
  load_not_written: {
    outcome: 'declined', en: 'the interrupted load was not written', zh: '上次充值未写卡'
  },
  present_again: {
    outcome: 'declined', en: 'an earlier load is settled: hold the card again for the new one', zh: '请重新放卡'
  },
  pin_wanted: { outcome: 'declined', en: 'the card wants its PIN before a load', zh: '请输入密码' },
  pin_wrong: { outcome: 'declined', en: 'the PIN is wrong', zh: '密码错误' },
  pin_blocked: { outcome: 'declined', en: 'the PIN of the card is blocked', zh: '密码已锁' },
  orders_obeyed: { outcome: 'approved', en: 'the card has done what was ordered for it', zh: '卡片维护完成' },
  no_orders: { outcome: 'declined', en: 'nothing is ordered for this card', zh: '该卡无待办指令' },
  order_refused: { outcome: 'declined', en: 'the card refused what was ordered for it', zh: '卡片拒绝指令' },
  identity_read: { outcome: 'approved', en: 'the counter knows the holder of the card', zh: '身份读取成功' },
  identity_malformed: {
    outcome: 'declined', en: 'the social-security card says nothing that can be used', zh: '社保卡数据错误'
  },
  identity_number_wrong: {
    outcome: 'declined', en: 'the check character of the social-security number is wrong', zh: '社会保障号码校验错误'
  },
  identity_guarded: {
    outcome: 'declined', en: 'the card tells its holder to authenticated terminals only', zh: '社保卡需外部认证'
  },
  code_unreadable: { outcome: 'declined', en: 'not a code of ours', zh: '二维码无法识别' },
  code_key_unknown: {
    outcome: 'declined', en: 'the code is signed with a key not known here', zh: '二维码密钥未知'
  },
  code_signature_wrong: { outcome: 'declined', en: 'the code is not genuine', zh: '二维码签名错误' },
  code_not_yet: {
    outcome: 'declined', en: 'the code is of the future: is the clock right?', zh: '二维码尚未生效'
  },
  code_expired: { outcome: 'declined', en: 'the minute of the code is over', zh: '二维码已过期，请刷新' },
  code_limit: { outcome: 'declined', en: 'more than may be taken with the code', zh: '超过二维码限额' },
  code_used: { outcome: 'declined', en: 'the code was used here before', zh: '二维码已使用，请刷新' },
  record_failed: { outcome: 'unknown', en: 'paid, but the record store failed', zh: '已扣款，记录存储故障' }
} as const satisfies Record<string, TapRow>
export type TapReason = keyof typeof tapReasons

/* ---- configuration ---- */

const ReaderName = Type.String({
  minLength: 1, maxLength: 128, description: 'PC/SC name, such as BUS-1 00 00'
})
const Seconds = (description: string) => Type.Number({ minimum: 0, maximum: 86_400, description })
const Milliseconds = (minimum: number, maximum: number, description: string) =>
  Type.Integer({ minimum, maximum, description })

export const laneModes = ['fare', 'till', 'load', 'orders'] as const

const IdentityRules = Type.Object({
  keepSeconds: Type.Optional(Type.Number({
    minimum: 1, maximum: 3_600, description: 'in memory so long for the counter, then forgotten; 120'
  })),
  numberChecked: Type.Optional(Type.Boolean({
    description: 'false: the check character of the social-security number is not looked at; true'
  }))
}, closed)

export const LaneConfig = Type.Object({
  lane: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$' }),
  pcscd: Type.Optional(Type.String({ description: 'where its readers are; absent: the first one' })),
  readers: Type.Object({
    card: ReaderName,
    psam: Type.Optional({
      ...ReaderName, description: 'PC/SC name; lanes that load, obey orders or read identities can do without'
    } as typeof ReaderName),
    sparePsam: Type.Optional(ReaderName)
  }, closed),
  ...placed,
  psam: Type.Optional(hexText(6, 'terminal number the PSAM must have; absent: any PSAM may serve here')),
  sparePsam: Type.Optional(hexText(6, 'the same of the spare, which serves while the first is not ready')),
  mode: literals(laneModes, 'fare: each card pays the tariff; till: it pays the amount asked for; ' +
    'load: the amount asked for is written onto it; orders: it does what staff have ordered for it'),
  agent: Type.Optional(Type.String({
    pattern: '^[A-Z0-9-]{1,15}$', description: 'load: party that takes the cash; the operator when absent'
  })),
  terminalNumber: Type.Optional(hexText(6, 'load: what chips are told where there is no PSAM to tell it')),
  loadDeadlineMs: Type.Optional(Milliseconds(100, 60_000, 'load: the ledger is waited for so long; 8000')),
  keepPinSeconds: Type.Optional(Type.Number({
    minimum: 1, maximum: 3_600, description: 'load: a PIN that came with an order is forgotten after it; 120'
  })),
  identity: Type.Optional({
    ...IdentityRules, description: 'social-security cards are read here, for the counter at this lane'
  } as typeof IdentityRules),
  blockListed: Type.Optional(
    literals(blockForms, 'a listed card is blocked on its chip; absent: it is declined')),
  ...onLine,
  industry: Type.Optional(hexText(1, 'industry code in the trip record: 01 metro, 02 bus, 07 parking')),
  transmitDeadlineMs: Type.Optional(Milliseconds(50, 60_000, 'a silent chip is given up after this; 3000'))
}, { ...closed, $id: 'LaneConfig' })
export type LaneConfig = Static<typeof LaneConfig>

const IssuerBeginnings = (description: string) =>
  Type.Optional(Type.Array(Type.String({ pattern: '^([0-9A-F]{2}){1,8}$' }), { description }))

export const ProfileRules = Type.Object({
  accepted: Type.Optional(Type.Boolean({ description: 'false: such cards are not ours' })),
  purchase: Type.Optional(literals(['simple', 'capp'], 'simple: type 06; capp: type 09 with a trip record')),
  factors: Type.Optional(Type.Array(literals(['card', 'issuer', 'city']), {
    minItems: 1, maxItems: 3, description: 'key factors handed to the PSAM, the one of the card first'
  })),
  loadKeyIndex: Type.Optional(Type.Integer({
    minimum: 0, maximum: 255, description: 'of INITIALIZE FOR LOAD; 1'
  })),
  memory: Type.Optional(Type.Object({
    trip: Type.Optional(Type.Integer({ minimum: 1, maximum: 255, description: 'the trip under way; 1' })),
    earned: Type.Optional(Type.Integer({
      minimum: 0, maximum: 255, description: 'what counts for transfers and caps; 2; 0: nothing is written'
    }))
  }, { ...closed, description: 't-union: records of file 1A in which a card remembers its rides' })),
  pinKeyId: Type.Optional(Type.Integer({ minimum: 0, maximum: 255, description: 'of VERIFY PIN; 0' })),
  cardTypes: Type.Optional(Type.Record(Type.String({ pattern: '^[0-9A-F]{2}$' }), Type.String(), {
    description: 'card class byte to the card type that the tariff names'
  }))
}, closed)
export type ProfileRules = Static<typeof ProfileRules>

export const CardRules = Type.Object({
  cityFactor: Type.Optional(hexText(8, 'the key factor called city')),
  acceptedIssuers: IssuerBeginnings('beginnings of the issuer field of file 0015; absent: all issuers'),
  homeIssuers: IssuerBeginnings(
    'whose cards are accepted though their file 0017 says local only; absent: all'
  ),
  maintenanceKeyVersion: Type.Optional(Type.Integer({
    minimum: 0, maximum: 255, description: 'of the key under which chips are blocked; 1'
  })),
  duplicateTapSeconds: Type.Optional(
    Seconds('a card that paid is not charged again at its lane within this; 5')
  ),
  proofCountsSeconds: Type.Optional(
    Seconds('an interrupted payment that is proven at its own lane within this is the fare; 3600')),
  tellsLastTac: Type.Optional(Type.Boolean({
    description: 'true: before each debit the chip is asked for the TAC of the one before, which is told ' +
      'with the record and proves it where another terminal never saw its end; two commands more'
  })),
  profiles: Type.Optional(Type.Object({
    pboc: Type.Optional(ProfileRules),
    cjt166: Type.Optional(ProfileRules),
    'cjt166-auth': Type.Optional(ProfileRules),
    't-union': Type.Optional(ProfileRules)
  }, closed))
}, { ...closed, $id: 'CardRules' })
export type CardRules = Static<typeof CardRules>

const Socket = Type.String({ minLength: 1, maxLength: 107, description: 'socket of a pcscd' })
export const PcscConfig = Type.Object({
  socket: Type.Optional(Socket),
  others: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$' }), Socket, {
    description: 'more of them, by the name that lanes use; each serves 15 readers'
  })),
  hungMax: Type.Optional(Type.Integer({
    minimum: 0, maximum: 15, description: 'so many readers of a pcscd may hang in a chip at once, 2; ' +
      'one more, and the process that holds its readers is started anew'
  })),
  process: Type.Optional(Type.Union([Type.Literal('here'), Type.Literal('apart')], {
    description: 'where readers are held. here: in the process of the gateway, which ends where they hang ' +
      'and is started anew by whoever supervises it. apart: in one of their own, so that what hangs harms ' +
      'nobody else. Absent: here for one lane with nothing beside it, whose commands then need no way to ' +
      'another process; else apart'
  }))
}, { ...closed, $id: 'PcscConfig' })
export type PcscConfig = Static<typeof PcscConfig>

export const GatewayConfig = Type.Object({
  gateway: Type.String({ pattern: '^[A-Za-z0-9-]{1,16}$', description: 'its name, unique at the ledger' }),
  http: Type.Optional(Type.Object({
    host: Type.Optional(Type.String({ description: '127.0.0.1; any other wants a token' })),
    token: Type.Optional(Type.String({
      minLength: 32, maxLength: 256,
      description: 'what callers bring as bearer token; absent: nobody is asked'
    })),
    port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, description: '0: any free port' }))
  }, closed)),
  ledger: Type.Object({
    url: Type.String({ pattern: '^https?://' }),
    token: Type.String({ description: 'ID.SECRET of a client of kind gateway' }),
    tls: Type.Optional(Type.Object({
      ca: Type.String({ description: 'path: who signed the certificate of the ledger, PEM' }),
      cert: Type.Optional(Type.String({ description: 'path: the certificate of this gateway, PEM' })),
      key: Type.Optional(Type.String({ description: 'path: its key, PEM' }))
    }, closed))
  }, closed),
  spoolDir: Type.String({
    minLength: 1, description: 'one directory for one gateway, on a disk that flushes'
  }),
  pcsc: Type.Optional(PcscConfig),
  lanes: Type.Array(LaneConfig, { maxItems: 60, description: 'a pcscd serves 15 readers at most' }),
  ports: Type.Optional(Type.Array(PortConfig, { maxItems: 256, description: 'serial lines and sockets' })),
  cards: Type.Optional(CardRules),
  uplink: Type.Optional(Type.Object({
    batchMax: Type.Optional(Type.Integer({
      minimum: 1, maximum: limits.recordsPerDeliveryMax, description: '500'
    })),
    lingerMs: Type.Optional(Milliseconds(0, 60_000, 'records of so long leave together; 20')),
    retryMs: Type.Optional(Milliseconds(10, 60_000, 'pause after the first failure; 250')),
    retryMaxMs: Type.Optional(Milliseconds(10, 600_000, 'longest pause; 15000')),
    tryTimeoutMs: Type.Optional(Milliseconds(100, 600_000, 'deadline of one delivery; 30000'))
  }, closed)),
  spool: Type.Optional(Type.Object({
    highWaterRecords: Type.Optional(Type.Integer({ minimum: 1, description: 'undelivered records: warn' })),
    recordsMax: Type.Optional(Type.Integer({ minimum: 1, description: 'undelivered records: no tap' })),
    freeBytesMin: Type.Optional(Type.Integer({ minimum: 0, description: 'free on the disk: no tap' })),
    keepDays: Type.Optional(Type.Integer({ minimum: 30, maximum: 3_650, description: 'for a redelivery' }))
  }, closed)),
  parametersEverySeconds: Type.Optional(Type.Number({ minimum: 0.05, maximum: 86_400, description: '60' })),
  reportEverySeconds: Type.Optional(Type.Integer({
    minimum: 1, maximum: 3_600, description: '60: how often the centre is told of the terminals'
  })),
  witnessEverySeconds: Type.Optional(Type.Number({
    minimum: 0.05, maximum: 86_400, description: '900: how often the ledger proves that it kept its past'
  }))
}, { ...closed, $id: 'GatewayConfig' })
export type GatewayConfig = Static<typeof GatewayConfig>

/* ---- what a gateway shows ---- */

const triesLeft = Type.Optional(Type.Integer({
  minimum: 0, maximum: 15, description: 'how often the card still lets a PIN be tried'
}))

export const TapView = Type.Object({
  seq: Type.Integer({ minimum: 1, description: 'counts from 1 since the start of the gateway' }),
  lane: Type.String(),
  at: Instant,
  outcome: literals<TapOutcome>(['approved', 'declined', 'unknown']),
  reason: literals(Object.keys(tapReasons) as TapReason[]),
  cardKey: orNull(Type.String({
    description: 'issuer-serial-issue, masked over HTTP; null where the card was not read'
  })),
  amountFen: orNull(Type.Integer()),
  balanceAfterFen: Type.Optional(Type.Integer()),
  recovered: Type.Optional(Type.Boolean({ description: 'the payment was interrupted, and is proven now' })),
  charge: Type.Optional(Type.String()),
  identity: Type.Optional(Type.String({ description: 'under which the counter learns who the holder is' })),
  triesLeft,
  why: Type.Optional(Type.String({ description: 'in the words of the ledger or the chip' })),
  ms: Type.Object({
    total: Type.Number({ description: 'from the card-present event to the open gate' }),
    card: Type.Number({ description: 'of it, waiting for the card' }),
    psam: Type.Number({ description: 'of it, waiting for the PSAM' }),
    disk: Type.Number({ description: 'of it, waiting for the spool' })
  }, closed)
}, { ...closed, $id: 'TapView' })
export type TapView = Static<typeof TapView>

export const LaneView = Type.Object({
  lane: Type.String(),
  operator: Type.String(),
  terminal: Type.String(),
  mode: literals(laneModes),
  state: Type.String({ description: 'state of the session' }),
  cardReader: literals(['away', 'empty', 'card']),
  psam: Type.Object({
    state: literals(['none', 'away', 'empty', 'starting', 'ready', 'refused']),
    why: orNull(Type.String()),
    terminal: orNull(Type.String()),
    serial: orNull(Type.String())
  }, closed),
  stop: Type.Optional(Type.String({ description: 'where it is' })),
  taps: Type.Integer({ description: 'since the start of the gateway' })
}, { ...closed, $id: 'LaneView' })
export type LaneView = Static<typeof LaneView>

export const ChargeRequest = Type.Object({
  amountFen: Type.Integer({ minimum: 1, maximum: limits.amountFenMax }),
  reference: Type.String({
    minLength: 1, maxLength: 64, description: 'of the till; the same one again is the same charge'
  })
}, { ...closed, $id: 'ChargeRequest' })
export type ChargeRequest = Static<typeof ChargeRequest>

export const StopRequest = Type.Object({
  stop: Type.String({ minLength: 1, maxLength: 64, description: 'as tariff documents name it' })
}, { ...closed, $id: 'StopRequest' })

export const GroupRequest = Type.Object({
  count: Type.Integer({ minimum: 1, maximum: 20, description: 'how many passengers the next card pays for' })
}, { ...closed, $id: 'GroupRequest' })

export const LoadRequest = Type.Object({
  source: Type.Unsafe<LoadSource>(Type.String({
    enum: [...loadSources], description: 'agent: cash was taken here; pending: it waits for the card'
  })),
  amountFen: Type.Optional(Type.Integer({
    minimum: 1, maximum: limits.amountFenMax, description: 'absent: all that waits; only with pending'
  })),
  reference: Type.String({
    minLength: 1, maxLength: 64, description: 'of the caller; the same one again is the same load'
  }),
  pin: Type.Optional(Type.String({
    pattern: '^(\\d\\d){2,6}$', description: 'of the card, for chips that want it; kept in memory for a while'
  }))
}, { ...closed, $id: 'LoadRequest' })
export type LoadRequest = Static<typeof LoadRequest>

/** What a till or a load lane was asked for, and what came of it. */
export const ChargeView = Type.Object({
  charge: Type.String(),
  lane: Type.String(),
  amountFen: orNull(Type.Integer({ description: 'null: all that waits for the card' })),
  source: Type.Optional(Type.Unsafe<LoadSource>(Type.String({
    enum: [...loadSources], description: 'of a load'
  }))),
  reference: Type.String(),
  state: literals(['waiting', 'approved', 'declined', 'unknown', 'replaced']),
  reason: orNull(literals(Object.keys(tapReasons) as TapReason[])),
  why: Type.Optional(Type.String({ description: 'in the words of the ledger or the chip' })),
  triesLeft,
  tap: orNull(Type.Integer({ description: 'seq of the last tap for it' }))
}, { ...closed, $id: 'ChargeView' })
export type ChargeView = Static<typeof ChargeView>

const Day = (description: string) => Type.String({ pattern: '^\\d{8}$', description })

/** Who stood at a lane, by the social-security card; told on the machine of the gateway alone. */
export const IdentityView = Type.Object({
  identity: Type.String(),
  lane: Type.String(),
  at: Instant,
  forgottenAt: Instant,
  cardNumber: Type.String(),
  name: Type.String(),
  idNumber: Type.String({ description: 'the social-security number' }),
  validUntil: Day('YYYYMMDD; so are the other dates'),
  issuedOn: orNull(Day('of the card')),
  institution: orNull(Type.String({ description: 'that initialised the card, 12 bytes hex' })),
  cardId: orNull(Type.String({ description: 'identification code of the card, 16 bytes hex' })),
  specification: orNull(Type.String()),
  sex: orNull(Type.String({ description: 'as the card has it' })),
  bornOn: orNull(Day('of the holder'))
}, { ...closed, $id: 'IdentityView' })
export type IdentityView = Static<typeof IdentityView>

export const SpoolView = Type.Object({
  depth: Type.Integer({ description: 'records not answered yet' }),
  oldest: orNull(Instant),
  delivered: Type.Integer(),
  lost: Type.Integer({ description: 'could not be read back, and were never delivered' }),
  highWater: Type.Boolean(),
  refusal: orNull(Type.String({ description: 'why no tap is taken' })),
  openIntents: Type.Integer({ description: 'cards that are expected back' }),
  parked: Type.Array(Type.Object({
    delivery: Type.String(), count: Type.Integer(), why: Type.String()
  }, closed)),
  redelivering: Type.Boolean(),
  uplink: Type.Object({
    state: literals(['idle', 'sending', 'waiting', 'stopped']),
    failures: Type.Integer({ description: 'in a row' }),
    lastFailure: orNull(Type.String()),
    results: Type.Record(Type.String(), Type.Integer(), { description: 'records answered, by reason' })
  }, closed)
}, { ...closed, $id: 'SpoolView' })
export type SpoolView = Static<typeof SpoolView>

export const GatewayFinding = Type.Object({
  what: Type.String({ description: 'spool, uplink, lane NAME and so on' }), why: Type.String()
}, closed)
export type GatewayFinding = Static<typeof GatewayFinding>

export const HealthView = Type.Object({
  ok: Type.Boolean({ description: 'false: only a new process can heal it' }),
  wrong: Type.Array(GatewayFinding)
}, { ...closed, $id: 'HealthView' })

export const ReadyView = Type.Object({
  ready: Type.Boolean(),
  refusal: orNull(Type.String({ description: 'why no tap is taken anywhere' })),
  wrong: Type.Array(GatewayFinding, { description: 'because of which somebody is turned away' }),
  worries: Type.Array(GatewayFinding, { description: 'because of which nobody is turned away, yet' })
}, { ...closed, $id: 'ReadyView' })
export type ReadyView = Static<typeof ReadyView>

export const RedeliverRequest = Type.Object({ since: Instant }, { ...closed, $id: 'RedeliverRequest' })
export const RedeliverReply = Type.Object({
  range: orNull(Type.Object({ from: Type.Integer(), to: Type.Integer() }, {
    ...closed, description: 'spool sequences that go out once more; null where nothing is kept since then'
  }))
}, { ...closed, $id: 'RedeliverReply' })

export const ParametersView = Type.Object({
  blacklist: orNull(Type.Object({
    version: Type.Integer(), cards: Type.Integer(), appliedAt: Instant
  }, closed)),
  tariff: orNull(Type.Object({ version: Type.Integer(), from: Instant }, closed)),
  future: Type.Array(Type.Integer({ description: 'tariff versions held for later' })),
  acknowledged: Type.Record(Type.String(), Type.Integer(), {
    description: 'version by operator/terminal and kind'
  })
}, { ...closed, $id: 'ParametersView' })
export type ParametersView = Static<typeof ParametersView>
