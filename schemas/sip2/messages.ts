// Every SIP2 message as data, after the 3M Standard Interchange Protocol 2.00: its fixed part, the tags that
// may follow, who says it and what answers it. It refuses to know bytes.

type FixedField = { readonly name: string, readonly length: number }
const f = <Name extends string>(name: Name, length: number) => ({ name, length })

const date = f('date', 18) // YYYYMMDD, zone 4, HHMMSS
const language = f('language', 3)
const patronStatus = f('patronStatus', 14) // Y where something is denied or wrong: patronFlags
const nbDueDate = f('nbDueDate', 18)
const noBlock = f('noBlock', 1) // done offline already: must not be refused
const magnetic = f('magneticMedia', 1)

type MessageRow = {
  readonly name: string
  /** Who says it. */
  readonly by: 'terminal' | 'library'
  /** Code of the answer to it; null for answers. */
  readonly answer: string | null
  readonly fixed: readonly FixedField[]
  readonly tags: readonly string[]
  /** Some terminals say a language of three digits behind the fixed part although none belongs there. */
  readonly strayLanguage?: true
}

/** In the order of a session. Tags stand in the order in which they are written. */
export const messages = {
  93: {
    name: 'Login', by: 'terminal', answer: '94',
    fixed: [f('uidAlgorithm', 1), f('pwdAlgorithm', 1)], tags: ['CN', 'CO', 'CP']
  },
  94: { name: 'Login answer', by: 'library', answer: null, fixed: [f('ok', 1)], tags: ['AF', 'AG'] },
  99: {
    name: 'SC status', by: 'terminal', answer: '98',
    fixed: [f('statusCode', 1), f('printWidth', 3), f('version', 4)], tags: []
  },
  98: {
    name: 'ACS status', by: 'library', answer: null,
    fixed: [
      f('online', 1), f('checkin', 1), f('checkout', 1), f('renewal', 1), f('statusUpdate', 1),
      f('offlineOk', 1), f('timeout', 3), f('retries', 3), date, f('version', 4)],
    tags: ['AO', 'AM', 'BX', 'AN', 'AF', 'AG']
  },
  23: {
    name: 'Patron status', by: 'terminal', answer: '24', fixed: [language, date],
    tags: ['AO', 'AA', 'AC', 'AD']
  },
  24: {
    name: 'Patron status answer', by: 'library', answer: null, fixed: [patronStatus, language, date],
    tags: ['AO', 'AA', 'AE', 'BL', 'CQ', 'BH', 'BV', 'AF', 'AG']
  },
  63: {
    name: 'Patron information', by: 'terminal', answer: '64', fixed: [language, date, f('summary', 10)],
    tags: ['AO', 'AA', 'AC', 'AD', 'BP', 'BQ']
  },
  64: {
    name: 'Patron information answer', by: 'library', answer: null,
    fixed: [
      patronStatus, language, date, f('holds', 4), f('overdue', 4), f('charged', 4), f('fines', 4),
      f('recalls', 4), f('unavailableHolds', 4)],
    tags: [
      'AO', 'AA', 'AE', 'BZ', 'CA', 'CB', 'BL', 'CQ', 'BH', 'BV', 'CC', 'AS', 'AT', 'AU', 'AV', 'BU', 'CD',
      'BD', 'BE', 'BF', 'AF', 'AG']
  },
  35: {
    name: 'End patron session', by: 'terminal', answer: '36', fixed: [date], tags: ['AO', 'AA', 'AC', 'AD']
  },
  36: {
    name: 'End session answer', by: 'library', answer: null, fixed: [f('ended', 1), date],
    tags: ['AO', 'AA', 'AF', 'AG']
  },
  37: {
    name: 'Fee paid', by: 'terminal', answer: '38',
    fixed: [date, f('feeType', 2), f('paymentType', 2), f('currency', 3)],
    tags: ['BV', 'AO', 'AA', 'AC', 'AD', 'CG', 'BK']
  },
  38: {
    name: 'Fee paid answer', by: 'library', answer: null, fixed: [f('accepted', 1), date],
    tags: ['AO', 'AA', 'BK', 'AF', 'AG']
  },
  '01': {
    name: 'Block patron', by: 'terminal', answer: '24', fixed: [f('retained', 1), date],
    tags: ['AO', 'AL', 'AA', 'AC']
  },
  25: { name: 'Patron enable', by: 'terminal', answer: '26', fixed: [date], tags: ['AO', 'AA', 'AC', 'AD'] },
  26: {
    name: 'Patron enable answer', by: 'library', answer: null, fixed: [patronStatus, language, date],
    tags: ['AO', 'AA', 'AE', 'BL', 'CQ', 'AF', 'AG']
  },
  11: {
    name: 'Checkout', by: 'terminal', answer: '12', fixed: [f('renewalPolicy', 1), noBlock, date, nbDueDate],
    tags: ['AO', 'AA', 'AB', 'AC', 'CH', 'AD', 'BO', 'BI']
  },
  12: {
    name: 'Checkout answer', by: 'library', answer: null,
    fixed: [f('ok', 1), f('renewed', 1), magnetic, f('desensitize', 1), date],
    tags: ['AO', 'AA', 'AB', 'AJ', 'AH', 'BT', 'CI', 'BH', 'BV', 'CK', 'CH', 'BK', 'AF', 'AG']
  },
  '09': {
    name: 'Checkin', by: 'terminal', answer: '10', fixed: [noBlock, date, f('returnDate', 18)],
    tags: ['AP', 'AO', 'AB', 'AC', 'CH', 'BI']
  },
  10: {
    name: 'Checkin answer', by: 'library', answer: null,
    fixed: [f('ok', 1), f('resensitize', 1), magnetic, f('alert', 1), date],
    tags: ['AO', 'AB', 'AQ', 'AJ', 'CL', 'AA', 'CK', 'CH', 'AF', 'AG']
  },
  29: {
    name: 'Renew', by: 'terminal', answer: '30', fixed: [f('thirdParty', 1), noBlock, date, nbDueDate],
    tags: ['AO', 'AA', 'AD', 'AB', 'AJ', 'AC', 'CH', 'BO']
  },
  30: {
    name: 'Renew answer', by: 'library', answer: null,
    fixed: [f('ok', 1), f('renewed', 1), magnetic, f('desensitize', 1), date],
    tags: ['AO', 'AA', 'AB', 'AJ', 'AH', 'BT', 'CI', 'BH', 'BV', 'CK', 'CH', 'BK', 'AF', 'AG']
  },
  65: {
    name: 'Renew all', by: 'terminal', answer: '66', fixed: [date], tags: ['AO', 'AA', 'AD', 'AC', 'BO']
  },
  66: {
    name: 'Renew all answer', by: 'library', answer: null,
    fixed: [f('ok', 1), f('renewedCount', 4), f('unrenewedCount', 4), date],
    tags: ['AO', 'BM', 'BN', 'AF', 'AG']
  },
  15: {
    name: 'Hold', by: 'terminal', answer: '16', fixed: [f('mode', 1), date],
    tags: ['BW', 'BS', 'BY', 'AO', 'AA', 'AD', 'AB', 'AJ', 'AC', 'BO']
  },
  16: {
    name: 'Hold answer', by: 'library', answer: null, fixed: [f('ok', 1), f('available', 1), date],
    tags: ['BW', 'BR', 'BS', 'AO', 'AA', 'AB', 'AJ', 'AF', 'AG']
  },
  17: {
    name: 'Item information', by: 'terminal', answer: '18', fixed: [date], tags: ['AO', 'AB', 'AC'],
    strayLanguage: true
  },
  18: {
    name: 'Item information answer', by: 'library', answer: null,
    fixed: [f('circulation', 2), f('security', 2), f('feeType', 2), date],
    tags: [
      'CF', 'AH', 'CJ', 'CM', 'AB', 'AJ', 'BG', 'BH', 'BV', 'CK', 'AQ', 'AP', 'CH', 'AF', 'AG']
  },
  19: {
    name: 'Item status update', by: 'terminal', answer: '20', fixed: [date],
    tags: ['AO', 'AA', 'AB', 'AC', 'CH']
  },
  20: {
    name: 'Item status update answer', by: 'library', answer: null, fixed: [f('ok', 1), date],
    tags: ['AB', 'AJ', 'CH', 'AF', 'AG']
  },
  97: { name: 'Request resend, to the library', by: 'terminal', answer: null, fixed: [], tags: [] },
  96: { name: 'Request resend, to the terminal', by: 'library', answer: null, fixed: [], tags: [] }
} as const satisfies Readonly<Record<string, MessageRow>>

type Rows = typeof messages
/** `93`, `09`: two digits as they stand on the wire. */
export type Code = Extract<keyof Rows, string> | `${Extract<keyof Rows, number>}`
type RowOf<C extends Code> = C extends keyof Rows ? Rows[C]
  : C extends `${infer N extends number}` ? N extends keyof Rows ? Rows[N] : never : never
/** Names of the fixed part of a message. */
export type FixedName<C extends Code> = RowOf<C>['fixed'][number]['name']

export const isCode = (text: string): text is Code => Object.hasOwn(messages, text)
export const messageRow = (code: Code): MessageRow => (messages as Record<Code, MessageRow>)[code]

/** What `patronStatus` says, place by place. */
export const patronFlags = [
  'chargeDenied', 'renewalDenied', 'recallDenied', 'holdDenied', 'cardLost', 'tooManyCharged',
  'tooManyOverdue', 'tooManyRenewals', 'tooManyClaims', 'tooManyLost', 'fines', 'fees', 'recallOverdue',
  'tooManyBilled'
] as const
export type PatronFlag = typeof patronFlags[number]

/** What BX says, place by place: which requests are answered. */
export const supportedOrder: readonly Code[] = [
  '23', '11', '09', '01', '99', '97', '93', '63', '35', '37', '17', '19', '25', '15', '29', '65'
]

/**
 * What a value is to those who write tapes and logs: a secret never stands there, a number of a card or a
 * person only where it is configured.
 */
type Kept = 'secret' | 'number' | 'person'
type TagRow = { readonly says: string, readonly kept?: Kept, readonly many?: true }

/** `many`: may stand several times in one message; of any other tag the first counts. */
export const tags = {
  AA: { says: 'patron identifier', kept: 'number' },
  AB: { says: 'item identifier' },
  AC: { says: 'terminal password', kept: 'secret' },
  AD: { says: 'patron password', kept: 'secret' },
  AE: { says: 'personal name', kept: 'person' },
  AF: { says: 'screen message', many: true },
  AG: { says: 'print line', many: true },
  AH: { says: 'due date' },
  AJ: { says: 'title' },
  AL: { says: 'blocked card message' },
  AM: { says: 'library name' },
  AN: { says: 'terminal location' },
  AO: { says: 'institution' },
  AP: { says: 'current location' },
  AQ: { says: 'permanent location' },
  AS: { says: 'hold item', many: true },
  AT: { says: 'overdue item', many: true },
  AU: { says: 'charged item', many: true },
  AV: { says: 'fine item', many: true },
  BD: { says: 'home address', kept: 'person' },
  BE: { says: 'e-mail address', kept: 'person' },
  BF: { says: 'telephone', kept: 'person' },
  BG: { says: 'owner' },
  BH: { says: 'currency' },
  BI: { says: 'cancel' },
  BK: { says: 'transaction id' },
  BL: { says: 'valid patron' },
  BM: { says: 'renewed item', many: true },
  BN: { says: 'unrenewed item', many: true },
  BO: { says: 'fee acknowledged' },
  BP: { says: 'first item' },
  BQ: { says: 'last item' },
  BR: { says: 'queue position' },
  BS: { says: 'pickup location' },
  BT: { says: 'fee type' },
  BU: { says: 'recall item', many: true },
  BV: { says: 'fee amount' },
  BW: { says: 'expiration date' },
  BX: { says: 'supported messages' },
  BY: { says: 'hold type' },
  BZ: { says: 'hold items limit' },
  CA: { says: 'overdue items limit' },
  CB: { says: 'charged items limit' },
  CC: { says: 'fee limit' },
  CD: { says: 'unavailable hold item', many: true },
  CF: { says: 'hold queue length' },
  CG: { says: 'fee identifier' },
  CH: { says: 'item properties' },
  CI: { says: 'security inhibit' },
  CJ: { says: 'recall date' },
  CK: { says: 'media type' },
  CL: { says: 'sort bin' },
  CM: { says: 'hold pickup date' },
  CN: { says: 'login user' },
  CO: { says: 'login password', kept: 'secret' },
  CP: { says: 'location code' },
  CQ: { says: 'valid patron password' }
} as const satisfies Readonly<Record<string, TagRow>>
export type Tag = keyof typeof tags

export const isTag = (text: string): text is Tag => Object.hasOwn(tags, text)
export const tagRow = (tag: Tag): TagRow => tags[tag]
