// Which master key is meant, from when until when, and what it may still do on a day: names, dates and states
// as data. It refuses to know the bytes of keys and where they are kept.
import { addDays } from '../../runtime/instants.ts'
import type { SuiteName } from '../../schemas/epurse/suite.ts'

/** What card keys are made from each. Names as in labels. */
export const purposes = {
  tac: 'what a chip proves a debit or a load with',
  load: 'puts value onto a chip',
  maintenance: 'blocks, unblocks and rewrites what is on a chip',
  purchase: 'debits a chip; in PSAMs too',
  pin_unblock: 'opens a blocked PIN',
  pin_reload: 'sets a PIN anew',
  card_master: 'writes all other keys onto a chip',
  transport: 'opens the blank cards of a maker, by the factor of their lot'
} as const
export type Purpose = keyof typeof purposes

/** All versions of one key. */
export type KeyLine = {
  readonly purpose: Purpose
  readonly suite: SuiteName
  /**
   * Factor of a city, 16 hexadecimal digits: this key is its alone. Null: a root, national or the only one.
   */
  readonly city: string | null
}
export type MasterRef = KeyLine & {
  /** As a chip tells it, 0 to 255. */
  readonly keyVersion: number
}

/** Dates, YYYY-MM-DD; both days count. `to` null: without an end. */
export type Validity = { readonly from: string, readonly to: string | null }

/** `check`: the leftmost three bytes of a block of zeros under the key, hexadecimal. */
export type HeldKey = MasterRef & Validity & { readonly check: string }

/**
 * coming: not yet. issuing: new cards get it, and there is one of these. verifying: its cards live on, new
 * ones get a later version. retired: what is dated after its last day is not believed.
 */
export type KeyState = 'coming' | 'issuing' | 'verifying' | 'retired'

export function stateOf (key: HeldKey, all: readonly HeldKey[], today: string): KeyState {
  if (key.to !== null && key.to < today) return 'retired'
  if (key.from > today) return 'coming'
  return issuingKey(all, key, today)?.keyVersion === key.keyVersion ? 'issuing' : 'verifying'
}

/** The version that new cards get: of those that are valid, what began last; the higher one of equals. */
export function issuingKey (all: readonly HeldKey[], line: KeyLine, today: string): HeldKey | null {
  const valid = versionsOf(all, line).filter(key => isValidOn(key, today))
  return valid.reduce<HeldKey | null>((best, key) =>
    best === null || key.from > best.from || (key.from === best.from && key.keyVersion > best.keyVersion)
      ? key
      : best, null)
}

export const isValidOn = ({ from, to }: Validity, day: string): boolean =>
  from <= day && (to === null || day <= to)

export const versionsOf = (all: readonly HeldKey[], line: KeyLine): readonly HeldKey[] =>
  all.filter(key => sameLine(key, line))

export const findKey = (all: readonly HeldKey[], ref: MasterRef): HeldKey | null =>
  all.find(key => sameLine(key, ref) && key.keyVersion === ref.keyVersion) ?? null

const sameLine = (one: KeyLine, other: KeyLine): boolean =>
  one.purpose === other.purpose && one.suite === other.suite && one.city === other.city

/* ---- names ---- */

/** `tac.3des.01`, `tac.3des.01.9900FF0000000000` for a city's: label of a key, and what people type. */
export const keyName = (ref: MasterRef): string =>
  `${ref.purpose}.${ref.suite}.${byteText(ref.keyVersion)}${ref.city === null ? '' : `.${ref.city}`}`

export const lineName = ({ purpose, suite, city }: KeyLine): string =>
  `${purpose}.${suite}${city === null ? '' : `.${city}`}`

/** Null where it is the name of no key. */
export function readKeyName (name: string): MasterRef | null {
  const [, purpose = '', suite = '', version = '', city = null] =
    /^([a-z_]+)\.(3des|sm4)\.([0-9A-F]{2})(?:\.([0-9A-F]{16}))?$/.exec(name) ?? []
  if (!isPurpose(purpose)) return null
  return { purpose, suite: suite as SuiteName, keyVersion: parseInt(version, 16), city }
}

export function readLineName (name: string): KeyLine | null {
  const [, purpose = '', suite = '', city = null] =
    /^([a-z_]+)\.(3des|sm4)(?:\.([0-9A-F]{16}))?$/.exec(name) ?? []
  return isPurpose(purpose) ? { purpose, suite: suite as SuiteName, city } : null
}

const isPurpose = (text: string): text is Purpose => Object.hasOwn(purposes, text)
const byteText = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0')

/* ---- refusals ---- */

export const keyReasons = {
  key_unknown: 'the store holds no such key',
  key_exists: 'the store holds this key already; versions are never written over',
  key_not_exportable: 'keys leave no store: make another one from its components',
  key_extractable: 'the store would give this key away: it must be made anew, sensitive and not extractable',
  key_still_issues: 'new cards get this key, and no later version takes its place',
  key_still_valid: 'its last day is not over',
  key_versions_used_up: 'a version is one byte, and all 255 are used',
  check_value_wrong: 'the check value is of another key',
  too_few_components: 'a key is put together from two components or more, held by different people',
  component_wrong: 'a component is 32 hexadecimal digits and its check value of 6',
  suite_not_in_token: 'the token does not know this cipher',
  store_unreachable: 'the key store does not answer',
  store_read_only: 'keys are made and ended over the socket for ceremonies',
  pin_wrong: 'the PIN of the token is wrong; after some tries it locks itself',
  dates_wrong: 'dates are YYYY-MM-DD, the first not after the last'
} as const
export type KeyReason = keyof typeof keyReasons

/** Why a key is not given, made or ended. */
export class KeyRefused extends Error {
  readonly reason: KeyReason

  constructor (reason: KeyReason, about: string, cause?: unknown) {
    super(`${reason}: ${about}: ${keyReasons[reason]}`, cause === undefined ? {} : { cause })
    this.name = 'KeyRefused'
    this.reason = reason
  }
}

/* ---- what a ceremony decides ---- */

/** The version after the highest there is. Throws KeyRefused. */
export function nextVersion (all: readonly HeldKey[], line: KeyLine): MasterRef {
  const versions = versionsOf(all, line).map(({ keyVersion }) => keyVersion)
  if (versions.length === 0) throw new KeyRefused('key_unknown', lineName(line))
  const keyVersion = Math.max(...versions) + 1
  if (keyVersion > 255) throw new KeyRefused('key_versions_used_up', lineName(line))
  const { purpose, suite, city } = line
  return { purpose, suite, keyVersion, city }
}

/** Throws KeyRefused where new cards would be left without a key on the day after. */
export function mayRetire (all: readonly HeldKey[], ref: MasterRef, to: string): void {
  const key = findKey(all, ref)
  if (key === null) throw new KeyRefused('key_unknown', keyName(ref))
  if (to < key.from) throw new KeyRefused('dates_wrong', keyName(ref))
  const dayAfter = addDays(to, 1)
  const others = all.filter(other => other !== key)
  if (issuingKey(all, key, dayAfter) === key && issuingKey(others, key, dayAfter) === null) {
    throw new KeyRefused('key_still_issues', keyName(ref))
  }
}

/** Only what nothing is verified with any more is destroyed. */
export function mayDestroy (all: readonly HeldKey[], ref: MasterRef, check: string, today: string): void {
  const key = findKey(all, ref)
  if (key === null) throw new KeyRefused('key_unknown', keyName(ref))
  if (key.check !== check.toUpperCase()) throw new KeyRefused('check_value_wrong', keyName(ref))
  if (stateOf(key, all, today) !== 'retired') throw new KeyRefused('key_still_valid', keyName(ref))
}

/** Throws KeyRefused. */
export function validityOf (name: string, from: string, to: string | null): Validity {
  if (!isDate(from) || (to !== null && (!isDate(to) || to < from))) throw new KeyRefused('dates_wrong', name)
  return { from, to }
}

const isDate = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) &&
  new Date(text).toISOString().startsWith(text)
