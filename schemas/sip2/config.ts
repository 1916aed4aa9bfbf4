// What a port that speaks SIP2 is told: whose library, who may sign in, how its terminals write. Everything
// that vendors do differently is here and nowhere else.
import { Type, type Static } from 'typebox'
import { codePages, type CodePageName } from './code-page.ts'

const closed = { additionalProperties: false } as const
const literals = <T extends string>(values: readonly T[], description: string) =>
  Type.Optional(Type.Unsafe<T>(Type.String({ enum: [...values], description })))
const seconds = (maximum: number, description: string) =>
  Type.Optional(Type.Number({ minimum: 0, maximum, description }))
const Code2 = Type.String({ pattern: '^\\d{2}$' })

export const Sip2Login = Type.Object({
  user: Type.String({ minLength: 1, maxLength: 64 }),
  password: Type.String({ minLength: 1, maxLength: 64 }),
  terminal: Type.String({ pattern: '^[A-Z0-9-]{1,8}$', description: 'number at the library' })
}, closed)
export type Sip2Login = Static<typeof Sip2Login>

/** A library that keeps its readers and books in a system of its own; then we only move money. */
export const Sip2Ils = Type.Object({
  host: Type.String({ minLength: 1 }),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  user: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  answerSeconds: seconds(300, 'a question that is not answered by then is open; 10'),
  lapseSeconds: seconds(3_600, 'a payment without answer that nobody repeats by then is taken back, where ' +
    'the library was not asked yet; else an alarm; 120'),
  issuer: Type.String({ pattern: '^[0-9A-F]{16}$', description: 'issuer of the cards that AA names' })
}, closed)
export type Sip2Ils = Static<typeof Sip2Ils>

export const Sip2Speaks = Type.Object({
  protocol: Type.Literal('sip2'),
  library: Type.String({ pattern: '^[A-Z0-9-]{1,15}$', description: 'party code' }),
  institution: Type.String({ maxLength: 64, description: 'AO in answers' }),
  name: Type.String({ maxLength: 64, description: 'AM in answers' }),
  login: literals(['message', 'prompt', 'none'],
    'message: 93 comes first; prompt: asked for as telnet does; none: on a line of its own; message'),
  logins: Type.Optional(Type.Array(Sip2Login, { maxItems: 1_000 })),
  terminal: Type.Optional(Type.String({
    pattern: '^[A-Z0-9-]{1,8}$', description: 'who speaks where nobody signs in'
  })),
  loginSeconds: seconds(3_600, 'who has not signed in by then is cut off; 30'),
  loginTries: Type.Optional(Type.Integer({ minimum: 1, maximum: 10, description: '3' })),
  detection: literals(['terminal', 'required'],
    'terminal: on and off as it says; required: a message without checksum is asked for again; terminal'),
  staleMinutes: Type.Optional(Type.Integer({
    minimum: 1, maximum: 10_080,
    description: 'what changes loans or readers and is dated further from now is refused; absent: any date'
  })),
  idleSeconds: seconds(86_400, 'who says nothing for so long is cut off; 0: never; 0'),
  lineEnd: literals(['cr', 'crlf'], 'of answers; cr'),
  codePage: literals<CodePageName>(codePages, 'utf-8'),
  answerSeconds: seconds(120, 'the ledger is waited for so long; 8'),
  timeoutTenths: Type.Optional(Type.Integer({ minimum: 0, maximum: 999, description: 'told in 98; 100' })),
  retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 999, description: 'told in 98; 3' })),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'CNY' })),
  payments: Type.Optional(Type.Record(Code2, Type.Unsafe<'online' | 'cash'>(
    Type.String({ enum: ['online', 'cash'] })), {
    description: 'what a payment type is; 00 cash, 01 and 02 online. What a chip has paid says its BK'
  })),
  overdueFee: Type.Optional({ ...Code2, description: 'fee type of fines; 04' } as typeof Code2),
  chinese: Type.Optional(Type.String({ pattern: '^\\d{3}$', description: 'code of Chinese; 019' })),
  ils: Type.Optional(Sip2Ils)
}, { ...closed, $id: 'Sip2Speaks' })
export type Sip2Speaks = Static<typeof Sip2Speaks>

export const sip2Defaults = {
  login: 'message', logins: [], loginSeconds: 30, loginTries: 3, idleSeconds: 0, lineEnd: 'cr',
  detection: 'terminal', codePage: 'utf-8', answerSeconds: 8, timeoutTenths: 100, retries: 3, currency: 'CNY',
  payments: { '00': 'cash', '01': 'online', '02': 'online' }, overdueFee: '04', chinese: '019'
} as const satisfies Partial<Sip2Speaks>
export type Sip2Settings = Sip2Speaks & Required<Pick<Sip2Speaks, keyof typeof sip2Defaults>>
