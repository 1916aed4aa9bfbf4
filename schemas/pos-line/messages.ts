// The messages of a POS line: KIND|name=value|… in UTF-8, amounts in fen, cards by reference. A table of
// fields, a table of kinds, and a reader that names the field and the offset of what is wrong. It refuses to
// know frames and what becomes of a message.
import { codeReasons } from '../phone-code.ts'
import { answerReasons, type AnswerReason } from '../reasons.ts'
import { type CardRef, cardKey, parseCardKey } from '../record.ts'

/** Shape of a value, and what it becomes. */
const shapes = {
  key: /^[0-9A-Za-z.:_-]{4,39}$/,
  card: /^[0-9A-F]{16}-[0-9A-F]{20}-\d{1,3}$/,
  code: /^[0-9A-Za-z_-]{1,800}$/,
  fen: /^-?\d{1,10}$/,
  whole: /^\d{1,10}$/,
  hex: /^([0-9A-F]{2}){1,8}$/,
  word: /^[A-Za-z0-9_-]{1,15}$/,
  reason: /^[a-z0-9_]{1,40}$/,
  name: /^[^|]{1,64}$/,
  sense: /^(in|out|either)$/,
  person: /^[1-9]\d?$/,
  text: /^[^|]*$/
} as const
type Shape = keyof typeof shapes

export const posFields = {
  key: 'key', // of this request, never used for another; the same on every repeat
  of: 'key', // key of the sale that is taken back
  terminal: 'word',
  card: 'card',
  code: 'code', // of a phone, as its QR symbol has it
  amountFen: 'fen',
  partFen: 'fen', // less than the whole sale is taken back
  purse: 'word',
  type: 'hex',
  counter: 'whole',
  balanceBeforeFen: 'fen',
  psam: 'hex',
  sequence: 'whole',
  dateTime: 'hex',
  tac: 'hex',
  grey: 'whole', // 1: the POS does not know whether the chip paid
  keyVersion: 'whole',
  algorithm: 'whole',
  recordNo: 'whole',
  stop: 'name', // as tariff documents name it
  sense: 'sense',
  rider: 'person', // 1 the holder; 2, 3, … whom the holder pays for
  riders: 'person', // of so many
  tariffVersion: 'whole',
  blacklistVersion: 'whole',
  outcome: 'word',
  reason: 'reason',
  replayed: 'whole', // 1: answered before, this is the first answer again
  balanceFen: 'fen',
  journal: 'whole',
  time: 'text', // ISO 8601 with offset
  text: 'text' // for the clerk
} as const satisfies Record<string, Shape>
export type PosField = keyof typeof posFields

type KindRow = { readonly needs: readonly PosField[], readonly may: readonly PosField[] }
export const posKinds = {
  // What its clock shows, and which versions it has applied.
  ECHO: { needs: ['key'], may: ['terminal', 'time', 'blacklistVersion', 'tariffVersion'] },
  SALE: { needs: ['key', 'card', 'amountFen'], may: ['terminal'] },
  // What a scanner has read; never asked of the ledger: the gateway knows whether it is good.
  CODE: { needs: ['key', 'code', 'amountFen'], may: ['terminal'] },
  TOPUP: { needs: ['key', 'card', 'amountFen'], may: ['terminal'] },
  BALANCE: { needs: ['key', 'card'], may: ['terminal'] },
  // Card and amount of the sale: one that was never answered is settled first, then taken back.
  VOID: { needs: ['key', 'of', 'card', 'amountFen'], may: ['terminal', 'partFen'] },
  RECORD: {
    needs: [
      'key', 'card', 'purse', 'type', 'counter', 'balanceBeforeFen', 'amountFen', 'psam', 'sequence',
      'dateTime', 'keyVersion', 'algorithm', 'recordNo'
    ],
    may: [
      'terminal', 'tac', 'grey', 'stop', 'sense', 'rider', 'riders', 'tariffVersion', 'blacklistVersion'
    ]
  },
  ANSWER: {
    needs: ['key', 'outcome', 'reason'],
    may: ['replayed', 'amountFen', 'balanceFen', 'journal', 'time', 'blacklistVersion', 'text']
  }
} as const satisfies Record<string, KindRow>
export type PosKind = keyof typeof posKinds

/** All values as they were written, each of the shape of its field. */
export type PosMessage = {
  readonly kind: PosKind
  readonly fields: { readonly [F in PosField]?: string }
}
export type PosError = { readonly field: string, readonly offset: number, readonly why: string }

const declined = <R extends keyof typeof codeReasons>(reason: R) => {
  const { en, zh } = codeReasons[reason]
  return { outcome: 'declined', en, zh } as const
}

/** What an answer says beside the reasons of the ledger. */
export const posReasons = {
  ...Object.fromEntries(Object.entries(answerReasons).map(([reason, { en, zh }]) =>
    [reason, { outcome: reason === 'ok' ? 'approved' : 'declined', en, zh }])) as
    Record<AnswerReason, { outcome: 'approved' | 'declined', en: string, zh: string }>,
  stored: { outcome: 'approved', en: 'the record is kept, the POS may forget it', zh: '记录已保存' },
  spool_full: { outcome: 'declined', en: 'the record store is full: the POS keeps it', zh: '记录存储已满' },
  spool_failed: { outcome: 'declined', en: 'the record store cannot be written', zh: '记录存储故障' },
  code_unreadable: declined('code_unreadable'),
  code_key_unknown: declined('code_key_unknown'),
  code_signature_wrong: declined('code_signature_wrong'),
  code_not_yet: declined('code_not_yet'),
  code_expired: declined('code_expired'),
  code_limit: declined('code_limit'),
  code_used: declined('code_used'),
  blacklisted: declined('blacklisted'),
  unreadable: { outcome: 'declined', en: 'the message cannot be read', zh: '报文错误' },
  terminal_unknown: { outcome: 'declined', en: 'this terminal is not known here', zh: '终端未登记' },
  terminal_not_enrolled: { outcome: 'declined', en: 'this terminal is not enrolled', zh: '终端未入网' },
  terminal_suspended: { outcome: 'declined', en: 'this terminal is suspended', zh: '终端已停用' },
  too_busy: { outcome: 'declined', en: 'more requests than a terminal may send: wait', zh: '请求过于频繁' },
  key_conflict: { outcome: 'declined', en: 'this key was used for something else', zh: '流水号重复' },
  refused: { outcome: 'declined', en: 'the centre refuses, no repeat will help', zh: '中心拒绝' },
  unanswered: {
    outcome: 'unknown', en: 'no answer from the centre: repeat with the same key', zh: '中心无应答，请重发'
  }
} as const satisfies Record<string, { outcome: 'approved' | 'declined' | 'unknown', en: string, zh: string }>
export type PosReason = keyof typeof posReasons

export function readPosMessage (data: Uint8Array):
  { ok: true, message: PosMessage } | { ok: false, error: PosError } {
  const text = decode(data)
  if (text === null) return wrong('', 0, 'not UTF-8')
  const [kind = '', ...parts] = text.split('|')
  if (!Object.hasOwn(posKinds, kind)) return wrong('', 0, 'no such kind of message')
  const fields: { [F in PosField]?: string } = {}
  let offset = Buffer.byteLength(kind) + 1
  for (const part of parts) {
    const [name = '', value] = split(part)
    const why = whyNot(kind as PosKind, name, value, fields)
    if (why !== null || value === undefined) return wrong(name.slice(0, 32), offset, why ?? '')
    fields[name as PosField] = value
    offset += Buffer.byteLength(part) + 1
  }
  const missing = posKinds[kind as PosKind].needs.find(name => fields[name] === undefined)
  if (missing !== undefined) return wrong(missing, data.length, 'is missing')
  return { ok: true, message: { kind: kind as PosKind, fields } }
}

function whyNot (
  kind: PosKind, name: string, value: string | undefined, before: PosMessage['fields']
): string | null {
  const { needs, may }: KindRow = posKinds[kind]
  if (![...needs, ...may].includes(name as PosField)) return `does not belong into ${kind}`
  if (value === undefined) return 'has no value'
  if (before[name as PosField] !== undefined) return 'stands there twice'
  return shapes[posFields[name as PosField]].test(value) ? null : 'has not the shape of such a field'
}

function split (part: string): [string, string | undefined] {
  const at = part.indexOf('=')
  return at < 0 ? [part, undefined] : [part.slice(0, at), part.slice(at + 1)]
}

function decode (data: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return null
  }
}

const wrong = (field: string, offset: number, why: string) =>
  ({ ok: false, error: { field, offset, why } } as const)

/** Fields in the order of the table. Throws RangeError where {@link readPosMessage} would refuse it. */
export function writePosMessage ({ kind, fields }: PosMessage): Uint8Array {
  const parts = (Object.keys(posFields) as PosField[]).flatMap(name =>
    fields[name] === undefined ? [] : [`${name}=${fields[name]}`])
  const data = Buffer.from([kind, ...parts].join('|'))
  const read = readPosMessage(data)
  if (!read.ok) throw new RangeError(`${kind}: ${read.error.field} ${read.error.why}`)
  return data
}

export const posCard = (text: string): CardRef | null => parseCardKey(text)
export const posCardText = (card: CardRef): string => cardKey(card)
