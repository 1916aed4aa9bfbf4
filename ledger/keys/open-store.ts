// Opens the key store that a place names: a token for a pkcs11: URI, else an encrypted file.
import { openKeyFile, openKeyFileVault } from './key-file.ts'
import type { KeyStore, KeyVault } from './key-store.ts'
import { isTokenUri } from './token-uri.ts'
import { openToken, openTokenVault } from './token.ts'

/** `secret`: the PIN of a token, the passphrase of a file. */
export const openKeyStore = async (place: string, secret: string): Promise<KeyStore> =>
  isTokenUri(place) ? await openToken(place, secret) : openKeyFile(place, secret)

export const openKeyVault = async (
  place: string, secret: string, random: (length: number) => Uint8Array
): Promise<KeyVault> =>
  isTokenUri(place) ? await openTokenVault(place, secret) : openKeyFileVault(place, secret, random)
