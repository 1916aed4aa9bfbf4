// Finished commands for chips: orders for a card in use, steps of making one of a blank card, and the PINs
// that go with them. Runs in the worker thread, where the key store is open. It refuses to know who ordered.
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { type CardSpec, keyring, planOf, signStep } from '../../schemas/epurse/issuing.ts'
import { type KeyName, keyNames } from '../../schemas/epurse/key-set.ts'
import { type Order, orderRules, signOrder } from '../../schemas/epurse/maintenance.ts'
import { profiles } from '../../schemas/epurse/profiles.ts'
import { suites, type SuiteName } from '../../schemas/epurse/suite.ts'
import { withCardKeys } from '../keys/card-keys.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { Purpose } from '../keys/master-keys.ts'

/** A card and the version of its keys; `cardFactor`: the last 8 bytes of its serial, hexadecimal. */
export type KeyedCard = {
  readonly suite: SuiteName, readonly keyVersion: number, readonly cardFactor: string
}
type OrderQuestion = KeyedCard & {
  readonly ask: 'order'
  readonly order: Order
  readonly challenge: string
  /** Which of its PINs the card gets with it. */
  readonly pinNo: number
}
type StepQuestion = {
  readonly ask: 'step'
  readonly spec: CardSpec
  readonly step: number
  readonly challenge: string
  /** Factor of the lot of blank cards, and the version of the transport key. */
  readonly lot: string
  readonly lotKeyVersion: number
}
type PinQuestion = KeyedCard & { readonly ask: 'pin', readonly pinNo: number }
export type ChipQuestion = OrderQuestion | StepQuestion | PinQuestion

/** `command`, or the digits of a PIN; null where the store has no such key. */
export type ChipAnswer = { readonly command: Uint8Array | null, readonly pin: string | null }

/** Throws RangeError where a spec has no plan, or its plan no such step: who asks has looked before. */
export function answerChip (store: KeyStore, asked: ChipQuestion): ChipAnswer {
  switch (asked.ask) {
    case 'order': return { command: answerOrder(store, asked), pin: null }
    case 'step': return { command: answerStep(store, asked), pin: null }
    case 'pin': return { command: null, pin: answerPin(store, asked) }
  }
}

function answerOrder (store: KeyStore, asked: OrderQuestion): Uint8Array | null {
  const { order, challenge, pinNo } = asked
  const { key: name } = orderRules[order.order]
  const wanted = [ownKey(asked, name), ...carriesPin.has(order.order) ? [ownKey(asked, 'pin_reload')] : []]
  return withKeys(store, wanted, ([key = none, pinKey = none]) => {
    const secret = carriesPin.has(order.order) ? { secret: unhex(pinOf(asked.suite, pinKey, pinNo)) } : {}
    return signOrder(order, { suite: suites[asked.suite], key, challenge: unhex(challenge), ...secret })
  })
}
const carriesPin: ReadonlySet<string> = new Set(['unblock_pin', 'reload_pin'])
const none = new Uint8Array(0)

/** All keys of a new card have one version. */
function answerStep (store: KeyStore, asked: StepQuestion): Uint8Array | null {
  const { spec, step, challenge, lot, lotKeyVersion } = asked
  const plan = planOf(spec)
  const card = { suite: spec.suite, keyVersion: spec.keyVersion, cardFactor: plan.serial.slice(4) }
  const city = profiles[spec.profile].psamFactors.includes('issuer') ? plan.issuer : null
  const transport: Wanted = {
    purpose: 'transport', suite: spec.suite, keyVersion: lotKeyVersion, cardFactor: lot, city: null
  }
  const wanted = [transport, ...keyNames.map(name => ownKey(card, name, city))]
  return withKeys(store, wanted, ([lotKey = none, ...keys]) => {
    const own = keyring(name => keys[keyNames.indexOf(name)] ?? none)
    const pin = spec.pin ? unhex(pinOf(spec.suite, own.pin_reload, firstPinNo)) : null
    return signStep(plan, step, unhex(challenge), { transport: lotKey, own, pin })
  })
}
/** Of a card that was never in use. */
export const firstPinNo = 0

const answerPin = (store: KeyStore, asked: PinQuestion): string | null =>
  withKeys(store, [ownKey(asked, 'pin_reload')], ([key = none]) => pinOf(asked.suite, key, asked.pinNo))

/**
 * A natural PIN, as the IBM 3624 method makes one: a number enciphered under a key of the card, its digits
 * decimalised. So no PIN has to be kept, and whoever holds no key cannot make one.
 */
function pinOf (suite: SuiteName, key: Uint8Array, pinNo: number): string {
  const block = new Uint8Array(suite === 'sm4' ? 16 : 8)
  new DataView(block.buffer).setUint32(block.length - 4, pinNo)
  return [...hex(suites[suite].encrypt(key, block)).slice(0, pinDigits)]
    .map(digit => parseInt(digit, 16) % 10).join('')
}
const pinDigits = 6

/* ---- keys ---- */

type Wanted = KeyedCard & { readonly purpose: Purpose, readonly city: string | null }

const purposeOf = (name: KeyName): Purpose => name === 'master' ? 'card_master' : name

/** Purchase keys have the levels that terminals of the family hand to their PSAM, all others the card's. */
const ownKey = (card: KeyedCard, name: KeyName, city: string | null = null): Wanted =>
  ({ ...card, purpose: purposeOf(name), city: name === 'purchase' ? city : null })

/** All of them at once, as long as `use` runs; null where the store lacks one. */
function withKeys<T> (
  store: KeyStore, [first, ...others]: readonly Wanted[], use: (keys: readonly Uint8Array[]) => T
): T | null {
  if (first === undefined) return use([])
  const { purpose, suite, keyVersion, cardFactor, city } = first
  const factors = {
    cards: unhex(cardFactor), city: city === null ? null : unhex(city), order: 'city-first'
  } as const
  return withCardKeys(store, { purpose, suite, keyVersion }, factors, key =>
    withKeys(store, others, keys => use([key, ...keys])))
}
