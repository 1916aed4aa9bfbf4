// Reads and writes whole messages of the national medical insurance platform: bytes of JSON, an envelope, and
// the body that the table has for its number. Errors name the field. It refuses to know HTTP and signatures.
import { readList, readObject, writeObject, type Layout, type Values, type Wrong } from './layout.ts'
import {
  messages, nameOf, numberOf, rowOf, type Body, type Dialect, type MessageName, type Node
} from './messages.ts'

/** Around every request. What a signature covers is a province's own: those fields are passed on. */
export const requestHead = [
  { name: 'infno', format: 'text', max: 6, says: 'number of the message' },
  { name: 'msgid', format: 'text', max: 30, says: "the sender's id: institution 12, time 14, sequence 4" },
  { name: 'mdtrtarea_admvs', format: 'text', max: 6, says: 'region of the care' },
  { name: 'insuplc_admdvs', format: 'text', max: 6, optional: true, says: 'region of the insurance' },
  { name: 'recer_sys_code', format: 'text', max: 10, says: 'receiving system' },
  { name: 'dev_no', format: 'text', max: 100, optional: true, says: 'device' },
  { name: 'dev_safe_info', format: 'text', max: 2_000, optional: true, says: 'security of the device' },
  { name: 'cainfo', format: 'text', max: 1_024, optional: true, says: 'signature' },
  { name: 'signtype', format: 'text', max: 10, optional: true, says: 'kind of signature' },
  { name: 'infver', format: 'text', max: 6, says: 'version of the interface' },
  { name: 'opter_type', format: 'text', max: 3, says: 'kind of operator' },
  { name: 'opter', format: 'text', max: 30, says: 'operator' },
  { name: 'opter_name', format: 'text', max: 50, says: 'name of the operator' },
  { name: 'inf_time', format: 'instant', says: 'sent at' },
  { name: 'fixmedins_code', format: 'text', max: 30, says: 'institution' },
  { name: 'fixmedins_name', format: 'text', max: 200, says: 'name of the institution' },
  { name: 'sign_no', format: 'text', max: 30, optional: true, says: 'number of the sign-in' }
] as const satisfies Layout
export type RequestHead = Values<typeof requestHead>

export const answerHead = [
  { name: 'infcode', format: 'count', says: '0 where it was done' },
  { name: 'inf_refmsgid', format: 'text', max: 30, optional: true, says: "the centre's message id" },
  { name: 'refmsg_time', format: 'text', max: 20, optional: true, says: 'received at' },
  { name: 'respond_time', format: 'text', max: 20, optional: true, says: 'answered at' },
  { name: 'err_msg', format: 'text', max: 2_000, optional: true, says: 'what was wrong' }
] as const satisfies Layout
export type AnswerHead = Values<typeof answerHead>

type NodeValue<N> = N extends { readonly fields: infer L extends Layout }
  ? N extends { readonly list: true } ? readonly Values<L>[] : Values<L>
  : never
type BodyOf<B> = B extends null ? unknown : { readonly [N in keyof B]: NodeValue<B[N]> }
export type RequestBody<M extends MessageName> = BodyOf<typeof messages[M]['request']>
export type AnswerBody<M extends MessageName> = BodyOf<typeof messages[M]['answer']>

export type RequestMessage<M extends MessageName = MessageName> =
  { readonly [N in M]: { readonly name: N, readonly head: RequestHead, readonly body: RequestBody<N> } }[M]
export type AnswerMessage<M extends MessageName> =
  /** Null where the centre said no: `infcode` is not 0 and `err_msg` says why. */
  { readonly head: AnswerHead, readonly body: AnswerBody<M> | null }

export type Parsed<T> = { readonly ok: true, readonly message: T } | ({ readonly ok: false } & Wrong)

/* ---- requests ---- */

export function parseRequest (dialect: Dialect, bytes: Uint8Array): Parsed<RequestMessage> {
  const whole = objectIn(bytes)
  if (!whole.ok) return whole
  const head = readObject(requestHead, whole.message, 'head')
  if (!head.ok) return { ...head, field: head.field.replace(/^head\./, '') }
  const name = nameOf(dialect, head.value.infno)
  if (name === null) return { ok: false, field: 'infno', why: 'no message of this set has that number' }
  const body = readBody(rowOf(name).request, whole.message.input, 'input')
  if (!body.ok) return body
  return { ok: true, message: { name, head: head.value, body: body.message } as RequestMessage }
}

/** `infno` comes from the dialect. Throws RangeError naming a value that does not fit. */
export function buildRequest<M extends MessageName> (
  dialect: Dialect, name: M, head: Omit<RequestHead, 'infno'>, body: RequestBody<M>
): Uint8Array {
  const whole = { ...head, infno: numberOf(dialect, name) } as RequestHead
  return bytesOf({ ...writeObject(requestHead, whole), input: writeBody(rowOf(name).request, body) })
}

/* ---- answers ---- */

/** The answer to a request of that name: an answer does not say to what it is one. */
export function parseAnswer<M extends MessageName> (name: M, bytes: Uint8Array): Parsed<AnswerMessage<M>> {
  const whole = objectIn(bytes)
  if (!whole.ok) return whole
  const head = readObject(answerHead, whole.message, 'head')
  if (!head.ok) return { ...head, field: head.field.replace(/^head\./, '') }
  if (head.value.infcode !== 0) return { ok: true, message: { head: head.value, body: null } }
  const body = readBody(rowOf(name).answer, whole.message.output, 'output')
  if (!body.ok) return body
  return { ok: true, message: { head: head.value, body: body.message as AnswerBody<M> } }
}

export const buildAnswer = <M extends MessageName>(
  name: M, head: AnswerHead, body: AnswerBody<M> | null
): Uint8Array => bytesOf({
    ...writeObject(answerHead, head),
    ...(body === null ? {} : { output: writeBody(rowOf(name).answer, body) })
  })

/* ---- parts ---- */

const utf8 = new TextDecoder('utf-8', { fatal: true })
type Whole = Readonly<Record<string, unknown>>

function objectIn (bytes: Uint8Array): Parsed<Whole> {
  const wrong = (why: string) => ({ ok: false, field: 'message', why }) as const
  try {
    const value = JSON.parse(utf8.decode(bytes)) as unknown
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { ok: true, message: value as Whole }
    }
    return wrong('is no object')
  } catch (error) {
    if (error instanceof SyntaxError) return wrong('is no JSON')
    if (error instanceof TypeError) return wrong('is no UTF-8')
    throw error
  }
}

function readBody (body: Body | null, value: unknown, at: string): Parsed<unknown> {
  if (body === null) return { ok: true, message: value ?? null }
  if (typeof value !== 'object' || value === null) return { ok: false, field: at, why: 'is missing' }
  const nodes: Record<string, unknown> = {}
  for (const [name, { fields, list }] of Object.entries(body)) {
    const [part, where] = [(value as Whole)[name], `${at}.${name}`]
    const read = list === true ? readList(fields, part, where) : readObject(fields, part, where)
    if (!read.ok) return read
    nodes[name] = read.value
  }
  return { ok: true, message: nodes }
}

function writeBody (body: Body | null, value: unknown): unknown {
  if (body === null) return value
  return Object.fromEntries(Object.entries(body).map(([name, node]) =>
    [name, writeNode(node, (value as Whole)[name])]))
}

const writeNode = ({ fields, list }: Node, value: unknown): unknown => list === true
  ? (value as readonly Values<Layout>[]).map(row => writeObject(fields, row))
  : writeObject(fields, value as Values<Layout>)

const bytesOf = (value: unknown): Uint8Array => Uint8Array.from(Buffer.from(JSON.stringify(value), 'utf8'))
