// JSON under a passphrase, as a text file: scrypt for the passphrase, AES-256-GCM for the content. It refuses
// to know what is inside.
import { createCipheriv, createDecipheriv, scryptSync } from 'node:crypto'
import { readFileSync } from 'node:fs'

const scryptCost = { N: 2 ** 14, r: 8, p: 1 }

/** `salt` has 16 random bytes, `iv` 12. `format` names what is inside, in clear. */
export function sealJson (
  format: string, content: unknown, passphrase: string, salt: Uint8Array, iv: Uint8Array
): string {
  const cipher = createCipheriv('aes-256-gcm', scryptSync(passphrase, salt, 32, scryptCost), iv)
  const sealed = Buffer.concat([cipher.update(JSON.stringify(content), 'utf8'), cipher.final()])
  return JSON.stringify({
    format, salt: base64(salt), iv: base64(iv), tag: base64(cipher.getAuthTag()), sealed: base64(sealed)
  }, null, 2) + '\n'
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** Throws with the path and what to do when it is missing, damaged, or the passphrase is another. */
export function openSealedJson (format: string, path: string, passphrase: string): unknown {
  const file = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>
  if (file['format'] !== format) throw new Error(`${path} is no key file: format ${format} wanted`)
  const bytes = (name: string): Buffer => Buffer.from(file[name] ?? '', 'base64')
  const decipher = createDecipheriv(
    'aes-256-gcm', scryptSync(passphrase, bytes('salt'), 32, scryptCost), bytes('iv')
  )
  decipher.setAuthTag(bytes('tag'))
  const plain = openOrExplain(path, () => Buffer.concat([decipher.update(bytes('sealed')), decipher.final()]))
  return JSON.parse(plain.toString('utf8'))
}

function openOrExplain (path: string, open: () => Buffer): Buffer {
  try {
    return open()
  } catch (cause) {
    throw new Error(`${path} does not open: wrong passphrase, or the file was changed`, { cause })
  }
}
