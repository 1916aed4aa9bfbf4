// The encrypted key file of a development ledger. It refuses to know what keys are for.
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { openSealedJson, sealJson } from '../../runtime/sealed-json.ts'

const Masters = Type.Array(Type.Object({
  keyVersion: Type.Integer({ minimum: 0, maximum: 255 }),
  suite: Type.Union([Type.Literal('3des'), Type.Literal('sm4')]),
  master: Type.String({ pattern: '^[0-9A-Fa-f]{32}$' })
}, { additionalProperties: false }))

/**
 * Master keys, hexadecimal, by purpose; `tac` are the roots from which card TAC keys are diversified, `load`
 * those of the keys that put value onto chips, `maintenance` those that block them.
 */
export const KeySet = Type.Object({
  tac: Masters, load: Type.Optional(Masters), maintenance: Type.Optional(Masters)
}, { additionalProperties: false })
export type KeySet = Static<typeof KeySet>

const format = 'citizen-card-keys-1'

/** The text of a key file. `salt` has 16 random bytes, `iv` 12. */
export const sealKeys = (keys: KeySet, passphrase: string, salt: Uint8Array, iv: Uint8Array): string =>
  sealJson(format, keys, passphrase, salt, iv)

/**
 * Opens a key file. Throws with the path and what to do when it is missing, damaged, or the passphrase is
 * another.
 */
export const openKeys = (path: string, passphrase: string): KeySet =>
  Value.Parse(KeySet, openSealedJson(format, path, passphrase))
