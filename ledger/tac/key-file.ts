// The encrypted key file of a development ledger: scrypt for the passphrase, AES-256-GCM for the keys. It
// refuses to know what keys are for.
import { createCipheriv, createDecipheriv, scryptSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'

const Masters = Type.Array(Type.Object({
  keyVersion: Type.Integer({ minimum: 0, maximum: 255 }),
  suite: Type.Union([Type.Literal('3des'), Type.Literal('sm4')]),
  master: Type.String({ pattern: '^[0-9A-Fa-f]{32}$' })
}, { additionalProperties: false }))

/**
 * Master keys, hexadecimal, by purpose; `tac` are the roots from which card TAC keys are diversified, `load`
 * those of the keys that put value onto chips.
 */
export const KeySet = Type.Object({
  tac: Masters, load: Type.Optional(Masters)
}, { additionalProperties: false })
export type KeySet = Static<typeof KeySet>

const format = 'citizen-card-keys-1'
const scryptCost = { N: 2 ** 14, r: 8, p: 1 }

/** The text of a key file. `salt` has 16 random bytes, `iv` 12. */
export function sealKeys (keys: KeySet, passphrase: string, salt: Uint8Array, iv: Uint8Array): string {
  const cipher = createCipheriv('aes-256-gcm', scryptSync(passphrase, salt, 32, scryptCost), iv)
  const sealed = Buffer.concat([cipher.update(JSON.stringify(keys), 'utf8'), cipher.final()])
  return JSON.stringify({
    format, salt: base64(salt), iv: base64(iv), tag: base64(cipher.getAuthTag()), sealed: base64(sealed)
  }, null, 2) + '\n'
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/**
 * Opens a key file. Throws with the path and what to do when it is missing, damaged, or the passphrase is
 * another.
 */
export function openKeys (path: string, passphrase: string): KeySet {
  const file = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
  if (file['format'] !== format) throw new Error(`${path} is no key file: format ${format} wanted`)
  const bytes = (name: string): Buffer => Buffer.from(file[name] ?? '', 'base64')
  const decipher = createDecipheriv(
    'aes-256-gcm', scryptSync(passphrase, bytes('salt'), 32, scryptCost), bytes('iv')
  )
  decipher.setAuthTag(bytes('tag'))
  const plain = openOrExplain(path, () => Buffer.concat([decipher.update(bytes('sealed')), decipher.final()]))
  return Value.Parse(KeySet, JSON.parse(plain.toString('utf8')))
}

function openOrExplain (path: string, open: () => Buffer): Buffer {
  try {
    return open()
  } catch (cause) {
    throw new Error(`${path} does not open: wrong passphrase, or the file was changed`, { cause })
  }
}
