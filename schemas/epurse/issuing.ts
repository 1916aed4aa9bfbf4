// Making one card of a blank one: the plan as a list of orders in the order in which they go onto the chip,
// and how far a chip is by what can be read of it. It refuses to know readers, and where keys come from.
import { isDate } from '../calendar-date.ts'
import { readBinary } from './apdu.ts'
import { type KeyName, keyNames } from './key-set.ts'
import { type Order, type OrderNumbers, orderRules, signOrder } from './maintenance.ts'
import type { ProfileName } from './profiles.ts'
import { suites, type SuiteName } from './suite.ts'

export type Directory = 'master' | 'application'

/** A whole binary file, hexadecimal. */
export type PlainFile = { readonly directory: Directory, readonly sfi: number, readonly bytes: string }

/** What becomes of a blank card. No secrets are in it. */
export type CardSpec = {
  readonly profile: ProfileName
  readonly suite: SuiteName
  /** As INITIALIZE will answer them. */
  readonly keyVersion: number
  readonly algorithm: number
  /** File 0015 of the application is among them. */
  readonly files: readonly PlainFile[]
  /** Whether it gets a first PIN. */
  readonly pin: boolean
}

/**
 * One order of a plan. `under`: the key is the maker's transport key, or the card's own. `done`: how a chip
 * that is read shows that it has obeyed; null where it does not show.
 */
export type PlanStep = {
  readonly name: string
  readonly directory: Directory
  readonly order: Order
  readonly under: 'transport' | 'own'
  readonly done: PlainFile | null
}

/**
 * The order is what makes a card resumable. Files come first, and each can be read back; the first names the
 * card. Then come keys and PIN, of which a chip shows nothing: writing the same again does no harm while the
 * transport key is the master. The card's own master is the last that the transport key signs, and what comes
 * behind it is signed by that: so whether a chip takes the step `probe` tells which side it is on. File 0015
 * says that the application is enabled at the very end.
 */
export type Plan = {
  readonly spec: CardSpec
  readonly issuer: string
  readonly serial: string
  /** Its last day, from file 0015; null where these bytes are none. */
  readonly validUntil: string | null
  readonly steps: readonly PlanStep[]
  /** The first step whose effect cannot be read. */
  readonly keysFrom: number
  /** The first step under the card's own master key. */
  readonly probe: number
}

/** Throws RangeError naming what is missing in the spec. */
export function planOf (spec: CardSpec): Plan {
  const published = spec.files.find(isPublished)
  if (published === undefined) throw new RangeError('a card needs its file 0015')
  const asleep = { ...published, bytes: withFlag(published.bytes, spec.profile, '00') }
  if (asleep.bytes === published.bytes) throw new RangeError('file 0015 must say that the card is enabled')
  const others = spec.files.filter(file => !isPublished(file))
  for (const file of [asleep, ...others]) {
    if (isUnwritten(file.bytes)) throw new RangeError(`file ${fidOf(file)} of FF is as a blank one`)
  }
  const files = [asleep, ...others].map(fileStep)
  const keys = [
    ...(['purchase', 'load', 'tac', 'pin_unblock', 'pin_reload'] as const)
      .map(key => keyStep(spec, key, 'transport')),
    ...spec.pin ? [pinStep] : [],
    keyStep(spec, 'master', 'transport')
  ]
  const steps = [...files, ...keys, keyStep(spec, 'maintenance', 'own'), wakeStep(spec.profile, published)]
  return {
    spec,
    issuer: published.bytes.slice(0, 16),
    serial: published.bytes.slice(20, 40),
    validUntil: dayOf(published.bytes.slice(48, 56)),
    steps,
    keysFrom: files.length,
    probe: files.length + keys.length
  }
}

/** YYYYMMDD as BCD. */
const dayOf = (digits: string): string | null => {
  const day = digits.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3')
  return isDate(day) ? day : null
}

const isPublished = ({ directory, sfi }: PlainFile): boolean => directory === 'application' && sfi === 0x15

/** Where file 0015 says that its application is enabled; a bank profile has its type there. */
const flagAt: Readonly<Record<ProfileName, number>> = { pboc: 8, cjt166: 8, 'cjt166-auth': 8, 't-union': 9 }

const withFlag = (bytes: string, profile: ProfileName, flag: string): string =>
  bytes.slice(0, 2 * flagAt[profile]) + flag + bytes.slice(2 * flagAt[profile] + 2)

/** As its maker delivers a file. */
export const isUnwritten = (bytes: string): boolean => /^F+$/.test(bytes)

const fidOf = ({ sfi }: PlainFile): string => sfi.toString(16).toUpperCase().padStart(4, '0')

const fileStep = (file: PlainFile): PlanStep => ({
  name: `file ${fidOf(file)}`,
  directory: file.directory,
  order: { order: 'update_binary', sfi: file.sfi, offset: 0, data: file.bytes },
  under: 'transport',
  done: file
})

const keyStep = (
  { keyVersion: version, algorithm }: CardSpec, key: KeyName, under: PlanStep['under']
): PlanStep => ({
  name: `${key} key`,
  directory: 'application',
  order: { order: 'write_key', key, version, algorithm },
  under,
  done: null
})

const pinStep: PlanStep = {
  name: 'PIN', directory: 'application', order: { order: 'reload_pin' }, under: 'own', done: null
}

function wakeStep (profile: ProfileName, published: PlainFile): PlanStep {
  const offset = flagAt[profile]
  const data = published.bytes.slice(2 * offset, 2 * offset + 2)
  return {
    name: 'enabled',
    directory: 'application',
    order: { order: 'update_binary', sfi: published.sfi, offset, data },
    under: 'own',
    done: published
  }
}

/* ---- how far a chip is ---- */

/** What of a chip has to be read, in this order. */
export const readsOf = ({ steps }: Plan): readonly PlainFile[] =>
  steps.flatMap(({ done, name }) => done === null || name === 'enabled' ? [] : [done])
export const readCommand = ({ sfi }: Pick<PlainFile, 'sfi'>): Uint8Array => readBinary(sfi, 0, 0)

export type Standing =
  /** Nobody has written into it. */
  | { readonly kind: 'blank' }
  /** The next step; all before it are done. */
  | { readonly kind: 'at', readonly step: number }
  /** Files are written, keys may be: the probe tells. */
  | { readonly kind: 'among_keys' }
  | { readonly kind: 'done' }
  /** It is another card's chip. */
  | { readonly kind: 'other' }

/** `read`: what was found in the files of {@link readsOf}, null where a file was not there. */
export function standingOf (plan: Plan, read: readonly (string | null)[]): Standing {
  const [published = null] = read
  if (published === null) return { kind: 'other' }
  if (isUnwritten(published)) return { kind: 'blank' }
  const isOurs = published.slice(0, 16) === plan.issuer && published.slice(20, 40) === plan.serial
  if (!isOurs) return { kind: 'other' }
  if (isEnabled(plan, published)) return { kind: 'done' }
  const step = readsOf(plan).findIndex(({ bytes }, index) => read[index] !== bytes)
  return step < 0 ? { kind: 'among_keys' } : { kind: 'at', step }
}

/** Whether that is file 0015 of the card when all is done. */
export const isEnabled = ({ steps }: Plan, published: string): boolean =>
  published === steps[steps.length - 1]?.done?.bytes

/* ---- signing ---- */

/** Held by whoever signs: never by who speaks to the chip. */
export type Issuing = {
  readonly transport: Uint8Array
  readonly own: Readonly<Record<KeyName, Uint8Array>>
  readonly pin: Uint8Array | null
  readonly numbers?: Partial<OrderNumbers>
}

/** The finished command of a step for the challenge that the chip gave just before. */
export function signStep (
  { spec, steps }: Plan, at: number, challenge: Uint8Array, { transport, own, pin, numbers }: Issuing
): Uint8Array {
  const step = steps[at]
  if (step === undefined) throw new RangeError(`the plan has ${steps.length} steps, and none ${at}`)
  const { order, under } = step
  const secret = order.order === 'write_key' ? own[order.key] : order.order === 'reload_pin' ? pin : null
  return signOrder(order, {
    suite: suites[spec.suite],
    key: under === 'transport' ? transport : own[orderRules[order.order].key],
    challenge,
    ...secret === null ? {} : { secret },
    ...numbers === undefined ? {} : { numbers }
  })
}

/** A key of each name. */
export const keyring = (keyFor: (name: KeyName) => Uint8Array): Issuing['own'] =>
  Object.fromEntries(keyNames.map(name => [name, keyFor(name)])) as Issuing['own']

/** For logs and reports. */
export const describeStep = ({ steps }: Plan, at: number): string => steps[at]?.name ?? `step ${at}`
