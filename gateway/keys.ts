// The gateway's key file: master keys of terminals by name, sealed under a passphrase. It refuses to know
// what they are used for.
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { openSealedJson, sealJson } from '../runtime/sealed-json.ts'
import { unhex } from '../schemas/epurse/hex.ts'
import type { SuiteName } from '../schemas/epurse/suite.ts'

const closed = { additionalProperties: false } as const
export const TerminalKeys = Type.Object({
  keys: Type.Record(Type.String({ pattern: '^[0-9A-Za-z._-]{1,40}$' }), Type.Object({
    suite: Type.Union([Type.Literal('3des'), Type.Literal('sm4')]),
    master: Type.String({ pattern: '^[0-9A-Fa-f]{32}$' })
  }, closed), { description: 'by the name under which the terminal was enrolled, or its number' })
}, closed)
export type TerminalKeys = Static<typeof TerminalKeys>

export type MasterKey = { readonly suite: SuiteName, readonly key: Uint8Array }

const format = 'citizen-card-terminal-keys-1'

/** The text of a key file. `salt` has 16 random bytes, `iv` 12. */
export const sealTerminalKeys = (
  keys: TerminalKeys, passphrase: string, salt: Uint8Array, iv: Uint8Array
): string => sealJson(format, keys, passphrase, salt, iv)

/** Throws with the path and what to do where the file cannot be opened. */
export function openTerminalKeys (path: string, passphrase: string): (name: string) => MasterKey | null {
  const { keys } = Value.Parse(TerminalKeys, openSealedJson(format, path, passphrase))
  const opened = new Map(Object.entries(keys).map(([name, { suite, master }]) =>
    [name, { suite, key: unhex(master) }]))
  return name => opened.get(name) ?? null
}
