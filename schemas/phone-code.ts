// The card in a phone: what the signed code on its screen says, byte by byte, when it is good, and the JSON
// of its road: a phone is bound to a card, gets codes, terminals tell of their use. It refuses to know who
// holds keys and how money moves.
import { createPublicKey, verify } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Instant, LocalDate } from './api.ts'
import { hex } from './epurse/hex.ts'
import { limits } from './limits.ts'
import { CardRef, senses } from './record.ts'
import { brief } from './tariff/card-memory.ts'
import { ofTerminal } from './terminals.ts'

/* ---- the code ---- */

export const codeRules = {
  /** A code is good for so long. */
  codeSeconds: 60,
  /** A phone gets its next code so long after the last, at the earliest: two of them overlap at most. */
  nextCodeSeconds: 30,
  /** Clocks of terminals may be wrong by so much, either way. */
  clockSeconds: 30
} as const

/** What a code says. Golden bytes: a change here is another version. */
export type PhoneCode = {
  /** Eight hex digits: which key of the ledger has signed it. */
  readonly keyId: string
  readonly card: CardRef
  /** Whole seconds. */
  readonly issuedAtMs: number
  /** 16 hex digits drawn by chance: names the code among those of its card. */
  readonly nonce: string
  /** The most that may be taken with it. */
  readonly limitFen: number
  /** Of the holder when it was given out, as cards remember it: its name, or eight digits of its digest. */
  readonly class: string
}

const version = 2
const bodyBytes = 49
const signatureBytes = 64
export const codeChars = Math.ceil((bodyBytes + signatureBytes) * 4 / 3)

/**
 * Version (1) · key id (4) · issuer (8) · application serial (10) · issue number (1) · issued at, seconds
 * since 1970 (4) · valid for, seconds (1) · nonce (8) · limit in fen (4) · class, ASCII and spaces (8),
 * numbers big-endian.
 */
export function codeBody ({ keyId, card, issuedAtMs, nonce, limitFen, class: name }: PhoneCode): Buffer {
  const body = Buffer.alloc(bodyBytes)
  body.writeUInt8(version, 0)
  body.write(keyId, 1, 'hex')
  body.write(card.issuer, 5, 'hex')
  body.write(card.serial, 13, 'hex')
  body.writeUInt8(card.issue, 23)
  body.writeUInt32BE(issuedAtMs / 1_000, 24)
  body.writeUInt8(codeRules.codeSeconds, 28)
  body.write(nonce, 29, 'hex')
  body.writeUInt32BE(limitFen, 37)
  body.write(brief(name), 41, 'latin1')
  return body
}

/** What is signed (Ed25519, RFC 8032): the key signs heads of the tree too, whose bytes begin otherwise. */
export const signedBytes = (body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from('phone code|1|', 'ascii'), body])

/** As it stands in the QR symbol: base64url without padding. */
export const writeCode = (body: Uint8Array, signature: Uint8Array): string =>
  Buffer.concat([body, signature]).toString('base64url')

/** Null where the text is no code of this version. */
export function readCode (
  text: string
): { readonly code: PhoneCode, readonly body: Buffer, readonly signature: Buffer } | null {
  const bytes = Buffer.from(text, 'base64url')
  if (text.length !== codeChars || bytes.toString('base64url') !== text) return null
  const body = bytes.subarray(0, bodyBytes)
  if (body[0] !== version || body[28] !== codeRules.codeSeconds || body[23] === 0) return null
  const code: PhoneCode = {
    keyId: hex(body.subarray(1, 5)),
    card: {
      issuer: hex(body.subarray(5, 13)), serial: hex(body.subarray(13, 23)),
      issue: body.readUInt8(23)
    },
    issuedAtMs: body.readUInt32BE(24) * 1_000,
    nonce: hex(body.subarray(29, 37)),
    limitFen: body.readUInt32BE(37),
    class: body.toString('latin1', 41, 49).trimEnd()
  }
  return { code, body, signature: bytes.subarray(bodyBytes) }
}

/* ---- whether it is good ---- */

type CodeRow = { readonly paid: boolean, readonly en: string, readonly zh: string }

/**
 * What is said of a code, at a terminal and in the ledger alike; in the order of the checks. A terminal needs
 * nobody to ask for those that begin with `code` and for the list that it has.
 */
export const codeReasons = {
  code_unreadable: { paid: false, en: 'not a code of ours', zh: '二维码无法识别' },
  code_key_unknown: { paid: false, en: 'signed with a key that is not known', zh: '二维码密钥未知' },
  code_signature_wrong: { paid: false, en: 'nobody of ours has signed it', zh: '二维码签名错误' },
  code_not_yet: { paid: false, en: 'used before it was given out', zh: '二维码尚未生效' },
  code_expired: { paid: false, en: 'used after its minute was over', zh: '二维码已过期' },
  code_limit: { paid: false, en: 'more than may be taken with this code', zh: '超过二维码限额' },
  terminal_unknown: { paid: false, en: 'the terminal is not registered', zh: '终端未注册' },
  card_unknown: { paid: false, en: 'no such card was issued', zh: '卡号非法' },
  overdue: { paid: false, en: 'told after the late limit', zh: '过期记录' },
  merchant_closed: { paid: false, en: 'the account of the operator is closed', zh: '商户结算账户已关闭' },
  blacklisted: {
    paid: false, en: 'the card was on the list this terminal had, or should have had', zh: '黑名单卡'
  },
  code_used: { paid: false, en: 'used before, and one code pays once', zh: '二维码已使用' },
  issuer_risk: {
    paid: true, en: 'used after a loss report inside the allowed window: the issuer bears it',
    zh: '窗口期内挂失卡，发卡方承担'
  },
  uncovered: {
    paid: true, en: 'the online account did not hold it any more: the issuer bears it, and an item is open',
    zh: '联机账户余额不足，发卡方承担'
  },
  ok: { paid: true, en: 'paid by the online account of the card', zh: '成功' }
} as const satisfies Record<string, CodeRow>
export type CodeReason = keyof typeof codeReasons
/** What a terminal can say by itself. */
export type CodeRefusal = Extract<CodeReason, `code_${string}`>

/** Stored as small numbers: never renumber, only append. */
export const codeReasonNumbers = {
  ok: 0, issuer_risk: 1, uncovered: 2, code_unreadable: 10, code_key_unknown: 11, code_signature_wrong: 12,
  code_not_yet: 13, code_expired: 14, code_limit: 15, code_used: 16, blacklisted: 17, terminal_unknown: 18,
  card_unknown: 19, overdue: 20, merchant_closed: 21
} as const satisfies Record<CodeReason, number>

/** Whether somebody of ours has signed it. `keys`: public keys (PEM, SubjectPublicKeyInfo) by key id. */
export function checkCode (text: string, keys: ReadonlyMap<string, string>): PhoneCode | CodeRefusal {
  const read = readCode(text)
  if (read === null) return 'code_unreadable'
  const { code, body, signature } = read
  const key = keys.get(code.keyId)
  if (key === undefined) return 'code_key_unknown'
  return verify(null, signedBytes(body), createPublicKey(key), signature) ? code : 'code_signature_wrong'
}

/** Why it may not be used for this amount at this instant, whoever uses it; null where it may. */
export function refusalOfUse (
  { issuedAtMs, limitFen }: PhoneCode,
  { amountFen, atMs }: { readonly amountFen: number, readonly atMs: number }
): CodeRefusal | null {
  const { codeSeconds, clockSeconds } = codeRules
  if (atMs < issuedAtMs - clockSeconds * 1_000) return 'code_not_yet'
  if (atMs > issuedAtMs + (codeSeconds + clockSeconds) * 1_000) return 'code_expired'
  return amountFen > limitFen ? 'code_limit' : null
}

/* ---- phones ---- */

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description?: string) =>
  Type.Unsafe<T>(Type.String({ enum: [...values], ...(description === undefined ? {} : { description }) }))
const orNull = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()])

export const PhoneName = Type.String({
  pattern: '^P[0-9A-F]{16}$', description: 'names a phone; drawn by chance'
})
const Party = Type.String({
  pattern: '^[A-Z0-9-]{1,15}$', description: 'company whose program runs on the phone'
})

export const NewPhone = Type.Object({ party: Party }, { ...closed, $id: 'NewPhone' })
export type NewPhone = Static<typeof NewPhone>

export const BoundPhone = Type.Object({
  phone: PhoneName,
  token: Type.String({
    description: 'the consent of the holder: whoever has it gets codes for the card; ' +
      'shown again for the same key of the same clerk alone'
  })
}, { ...closed, $id: 'BoundPhone' })
export type BoundPhone = Static<typeof BoundPhone>

export const PhoneView = Type.Object({
  phone: PhoneName, party: Party, boundAt: Instant, boundBy: Type.String(), endedAt: orNull(Instant),
  lastCodeAt: orNull(Instant)
}, { ...closed, $id: 'PhoneView' })
export type PhoneView = Static<typeof PhoneView>

export const CodeAsk = Type.Object({
  token: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'as it was given when the phone was bound' })
}, { ...closed, $id: 'CodeAsk' })
export type CodeAsk = Static<typeof CodeAsk>

const CodeText = Type.String({
  minLength: codeChars, maxLength: codeChars, pattern: '^[0-9A-Za-z_-]+$',
  description: 'as the QR symbol has it'
})
const Fen = (description: string) => Type.Integer({ minimum: 1, maximum: limits.amountFenMax, description })

export const CodeReply = Type.Object({
  code: CodeText, goodUntil: Instant, limitFen: Fen('the most that may be taken with it')
}, { ...closed, $id: 'CodeReply' })
export type CodeReply = Static<typeof CodeReply>

/* ---- keys and uses ---- */

export const CodeKeys = Type.Array(Type.Object({
  keyId: Type.String({ pattern: '^[0-9A-F]{8}$' }), publicKey: Type.String({ description: 'Ed25519, PEM' })
}, closed), { $id: 'CodeKeys', description: 'keys that new codes are signed with' })
export type CodeKeys = Static<typeof CodeKeys>

const Place = Type.String({ maxLength: 64 })
/** Where somebody rode who has paid by the tariff. */
export const CodeRide = Type.Object({
  line: Place, vehicle: Place, stop: orNull(Place), sense: literals(senses),
  tariffVersion: Type.Integer({ minimum: 1, description: 'of the document that said the price' })
}, closed)
export type CodeRide = Static<typeof CodeRide>

/** A terminal has taken a code: it tells history, as a record does. */
export const CodeUse = Type.Object({
  code: CodeText, ...ofTerminal,
  amountFen: Type.Integer({
    minimum: 0, maximum: limits.amountFenMax, description: 'that was taken; 0: a ride that costs nothing'
  }),
  at: Instant,
  ride: Type.Optional(CodeRide)
}, { ...closed, $id: 'CodeUse' })
export type CodeUse = Static<typeof CodeUse>

export const codePayers = ['online', 'issuer'] as const
export type CodePayer = typeof codePayers[number]
const Reason = literals(Object.keys(codeReasons) as CodeReason[])

export const CodeUseReply = Type.Object({
  paid: Type.Boolean(),
  reason: Reason,
  payer: Type.Union([literals(codePayers), Type.Null()]),
  replayed: Type.Boolean({ description: 'true: told before; this is what holds of it now' }),
  clearingDate: LocalDate
}, { ...closed, $id: 'CodeUseReply' })
export type CodeUseReply = Static<typeof CodeUseReply>

export const CodeUseView = Type.Object({
  nonce: Type.String(), ...ofTerminal, amountFen: Type.Integer(), at: Instant, paid: Type.Boolean(),
  reason: Reason, words: Type.Object({ zh: Type.String(), en: Type.String() }, closed),
  payer: Type.Union([literals(codePayers), Type.Null()]),
  journal: Type.Union([Type.String(), Type.Null()], { description: 'that pays it; null where none does' }),
  toldAt: Instant
}, { ...closed, $id: 'CodeUseView' })
export type CodeUseView = Static<typeof CodeUseView>

export const CodesOfCard = Type.Object({
  card: CardRef, phones: Type.Array(PhoneView),
  uses: Type.Array(CodeUseView, { description: 'the newest first' })
}, { ...closed, $id: 'CodesOfCard' })
export type CodesOfCard = Static<typeof CodesOfCard>

/* ---- at the gateway ---- */

export const ScannedCode = Type.Object({
  code: Type.String({ minLength: 1, maxLength: 1_000, description: 'whatever the scanner has read' }),
  amountFen: Type.Optional(Fen('what the terminal asks for; absent: a ride, the tariff of the lane says')),
  reference: Type.Optional(Type.String({
    minLength: 1, maxLength: 64,
    description: 'names this scan: with the same code and amount it is a retry, and hears the first answer'
  }))
}, { ...closed, $id: 'ScannedCode' })
export type ScannedCode = Static<typeof ScannedCode>
