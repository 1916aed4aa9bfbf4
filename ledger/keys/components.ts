// A key in parts that different people hold: each part alone tells nothing, and each has a check value to be
// typed with it. It refuses to know who holds them.
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { suites, type SuiteName } from '../../schemas/epurse/suite.ts'
import { KeyRefused } from './master-keys.ts'

export const keyBytes = 16
const checkBytes = 3

/**
 * The leftmost three bytes of a block of zeros under the key: how custodians compare keys they cannot see.
 */
export const checkValue = (suite: SuiteName, key: Uint8Array): string =>
  checkOf(suites[suite].encrypt(key, zeroBlock(suite)))

/** The same, of the block that a store has encrypted. */
export const checkOf = (encrypted: Uint8Array): string => hex(encrypted.subarray(0, checkBytes))
export const zeroBlock = (suite: SuiteName): Uint8Array => new Uint8Array(suites[suite].block)

/** `KEY CHECK`, as a custodian writes it down. */
export const componentText = (suite: SuiteName, component: Uint8Array): string =>
  `${hex(component)} ${checkValue(suite, component)}`

/** Throws KeyRefused, naming which one it was and nothing of it. */
export function readComponent (suite: SuiteName, text: string, place: number): Uint8Array {
  const [, digits, check] = /^\s*([0-9A-Fa-f\s]{32,47}?)\s+([0-9A-Fa-f]{6})\s*$/.exec(text) ?? []
  if (digits === undefined || check === undefined || digits.replace(/\s+/g, '').length !== 2 * keyBytes) {
    throw new KeyRefused('component_wrong', `component ${place}`)
  }
  const component = unhex(digits)
  if (checkValue(suite, component) !== check.toUpperCase()) {
    throw new KeyRefused('check_value_wrong', `component ${place}`)
  }
  return component
}

/**
 * XOR of all of them; they are overwritten. Throws KeyRefused for less than two, and for the same one twice.
 */
export function combine (components: readonly Uint8Array[]): Uint8Array {
  const different = new Set(components.map(hex)).size
  if (different < 2 || different < components.length) {
    throw new KeyRefused('too_few_components', `${different} of ${components.length} differ`)
  }
  const key = new Uint8Array(keyBytes)
  for (const component of components) {
    for (let at = 0; at < keyBytes; at++) key[at] = (key[at] as number) ^ (component[at] as number)
    component.fill(0)
  }
  return key
}
