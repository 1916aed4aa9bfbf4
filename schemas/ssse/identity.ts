// Who a social-security card says its holder is: the records of files 05 and 06 put together and checked.
// Pure; it refuses to know readers and clocks. What is wrong is told by file, tag and length, never by what
// the card says.
import { isDate } from '../calendar-date.ts'
import { hex } from '../epurse/hex.ts'
import { type Holder, type SsseField, type SsseFile, readSsseRecord, ssseFiles } from './files.ts'

/** Dates as the card has them, YYYYMMDD; null: the card does not say. */
export type Identity = {
  readonly cardNumber: string
  readonly name: string
  /** The social-security number: that of the identity card. */
  readonly idNumber: string
  readonly validUntil: string
  readonly issuedOn: string | null
  /** Who initialised the card. */
  readonly institution: string | null
  readonly cardId: string | null
  readonly specification: string | null
  readonly sex: string | null
  readonly bornOn: string | null
}

export type IdentityRules = {
  /** YYYYMMDD */
  readonly today: string
  /** Whether the check character of the social-security number is looked at. */
  readonly numberChecked: boolean
}

export type IdentityFound =
  | { readonly ok: true, readonly identity: Identity }
  | {
    readonly ok: false
    readonly reason: 'identity_malformed' | 'identity_number_wrong' | 'card_not_started' | 'card_expired'
    readonly why?: string
  }

/** Records as the card has them, in any order. */
export type SsseRecords = Readonly<Record<SsseFile, readonly Uint8Array[]>>

export function identityIn (records: SsseRecords, { today, numberChecked }: IdentityRules): IdentityFound {
  const holder: Holder = {}
  for (const file of files) {
    for (const record of records[file]) {
      const why = take(holder, file, record)
      if (why !== null) return malformed(why)
    }
  }
  const missing = required.find(name => holder[name] === undefined)
  if (!isWhole(holder) || missing !== undefined) return malformed(`${placeOf(missing ?? 'name')} wanted`)
  const { cardNumber, name, idNumber, validUntil, issuedOn = null } = holder
  if (numberChecked && !isIdNumber(idNumber)) return { ok: false, reason: 'identity_number_wrong' }
  if (issuedOn !== null && today < issuedOn) return { ok: false, reason: 'card_not_started' }
  if (today > validUntil) return { ok: false, reason: 'card_expired' }
  const { institution = null, cardId = null, specification = null, bornOn = null, sexThen = null } = holder
  const { sex = sexThen } = holder
  return {
    ok: true,
    identity: {
      cardNumber, name, idNumber, validUntil, issuedOn, institution, cardId, specification, sex, bornOn
    }
  }
}

/**
 * GB 11643: the last of 18 characters checks the 17 digits before it (ISO/IEC 7064, MOD 11-2), X is ten.
 */
export function isIdNumber (text: string): boolean {
  let sum = 0
  for (const digit of text.slice(0, 17)) sum = (sum + Number(digit)) * 2 % 11
  const check = (12 - sum) % 11
  return text.length === 18 && text[17] === (check === 10 ? 'X' : String(check))
}

const required = ['cardNumber', 'name', 'idNumber', 'validUntil'] as const satisfies readonly SsseField[]
type Whole = Holder & Readonly<Record<typeof required[number], string>>
const isWhole = (holder: Holder): holder is Whole => required.every(name => holder[name] !== undefined)

const files = [0x05, 0x06] as const satisfies readonly SsseFile[]
const malformed = (why: string): IdentityFound => ({ ok: false, reason: 'identity_malformed', why })

/** Why the record cannot be, or null: what it says is in `holder` then. */
function take (holder: Holder, file: SsseFile, record: Uint8Array): string | null {
  const read = readSsseRecord(file, record)
  if (!read.ok) return read.error
  if (read.field === null || isBlank(read.field.value)) return null
  const { name, value } = read.field
  if (name in holder) return `${placeOf(name)} wanted once, it is there twice`
  const { form, fits } = forms[name]
  if (!fits(value)) return `${placeOf(name)}: ${form} wanted`
  holder[name] = value
  return null
}

/** Cards are delivered with fields that nobody has filled. */
const isBlank = (value: string): boolean => /^(0*|(FF)*)$/.test(value)

function placeOf (name: SsseField): string {
  const file = files.find(one => ssseFiles[one].some(field => field.name === name)) ?? 0x05
  const tag = ssseFiles[file].find(field => field.name === name)?.tag ?? 0
  return `file ${hex(Uint8Array.of(file))}, tag ${hex(Uint8Array.of(tag))}`
}

type Form = { readonly form: string, fits (value: string): boolean }
const pattern = (form: string, regexp: RegExp): Form => ({ form, fits: value => regexp.test(value) })
const bytes = (count: number): Form => pattern(`${count} bytes`, new RegExp(`^[0-9A-F]{${count * 2}}$`))
const date: Form = { form: 'a date of the calendar', fits: isDay }
const code = pattern('a digit', /^\d$/)

const forms: Readonly<Record<SsseField, Form>> = {
  cardId: bytes(16),
  cardClass: pattern('one character', /^[\x21-\x7e]$/),
  specification: pattern('digits and a dot', /^\d\.\d{1,2}$/),
  institution: bytes(12),
  issuedOn: date,
  validUntil: date,
  cardNumber: pattern('up to 9 letters and digits', /^[0-9A-Z]{1,9}$/),
  idNumber: pattern('17 digits and a digit or X', /^\d{17}[\dX]$/),
  name: pattern('text', /^[^\p{C}\p{Zl}\p{Zp}\uFFFD]+$/u),
  sexThen: code,
  sex: code,
  nation: bytes(1),
  bornOn: date
}

/** As `20260302`. */
function isDay (text: string): boolean {
  const [, year = '', month = '', day = ''] = /^(\d{4})(\d\d)(\d\d)$/.exec(text) ?? []
  return year > '1000' && isDate(`${year}-${month}-${day}`)
}
