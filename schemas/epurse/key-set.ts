// The keys of one card by what they are for, and the record in which a new one travels to the chip. It
// refuses to know masters and who holds them.
import type { Parsed } from './apdu.ts'
import { concat, sized, u8 } from './hex.ts'

/**
 * `maintenance` writes files and blocks, `pin_unblock` and `pin_reload` serve the PIN, `master` writes keys.
 * On a card without keys of its own `maintenance` and `master` are the transport key of its maker.
 */
export const keyNames = [
  'purchase', 'load', 'tac', 'maintenance', 'pin_unblock', 'pin_reload', 'master'
] as const
export type KeyName = typeof keyNames[number]

export type KeyUsages = Readonly<Record<KeyName, number>>

/**
 * The usage byte of each key: its group and index in the key set of one issuer of metro cards, a digit each
 * (02-02 the purchase key, 03-03 the master of the application). Other issuers number otherwise.
 */
export const keyUsages: KeyUsages = {
  load: 0x17, pin_unblock: 0x19, pin_reload: 0x1A, purchase: 0x22, tac: 0x24, master: 0x33, maintenance: 0x34
}

export type KeyRecord = {
  readonly usage: number, readonly version: number, readonly algorithm: number, readonly key16: Uint8Array
}

/** Usage 1, version 1, algorithm 1, key 16: the plain text of WRITE KEY. */
export const keyRecord = ({ usage, version, algorithm, key16 }: KeyRecord): Uint8Array =>
  concat(u8(usage), u8(version), u8(algorithm), sized(key16, 16, 'a key'))

export function parseKeyRecord (plain: Uint8Array): Parsed<KeyRecord> {
  const [usage, version, algorithm] = plain
  if (usage === undefined || version === undefined || algorithm === undefined || plain.length !== 19) {
    return { ok: false, error: `key record: 19 bytes wanted, ${plain.length} found` }
  }
  return { ok: true, usage, version, algorithm, key16: plain.slice(3) }
}

/** Null where no key has that usage. */
export const keyOfUsage = (usages: KeyUsages, usage: number): KeyName | null =>
  keyNames.find(name => usages[name] === usage) ?? null
