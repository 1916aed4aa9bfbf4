// The gateway's key file, sealed under a passphrase: the transport key under which terminals' master keys
// come with their enrolment, and master keys of terminals that were enrolled without one. It refuses to know
// what they are used for.
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { openSealedJson, sealJson } from '../runtime/sealed-json.ts'
import { hex, unhex } from '../schemas/epurse/hex.ts'
import { checkValue } from '../schemas/iso8583/mac.ts'
import type { EnrolledTerminal, TerminalRef } from '../schemas/terminals.ts'
import { type MasterKey, unwrapMaster, wrapMaster } from '../schemas/wrapped-key.ts'

const closed = { additionalProperties: false } as const
export const TerminalKeys = Type.Object({
  transport: Type.Optional(Type.String({
    pattern: '^[0-9A-Fa-f]{64}$', description: 'under which master keys come with enrolments; AES-256'
  })),
  keys: Type.Optional(Type.Record(Type.String({ pattern: '^[0-9A-Za-z._-]{1,40}$' }), Type.Object({
    suite: Type.Union([Type.Literal('3des'), Type.Literal('sm4')]),
    master: Type.String({ pattern: '^[0-9A-Fa-f]{32}$' })
  }, closed), { description: 'by the name under which the terminal was enrolled, or its number' }))
}, closed)
export type TerminalKeys = Static<typeof TerminalKeys>

const format = 'citizen-card-terminal-keys-1'

/** The text of a key file. `salt` has 16 random bytes, `iv` 12. */
export const sealTerminalKeys = (
  keys: TerminalKeys, passphrase: string, salt: Uint8Array, iv: Uint8Array
): string => sealJson(format, keys, passphrase, salt, iv)

export type KeyRing = {
  /** As it was enrolled, else from the file; null where neither has it, or it is not the one enrolled. */
  masterKey (terminal: EnrolledTerminal): MasterKey | null
  /** What an enrolment says of the keys of a terminal. Throws where the file has no transport key. */
  enrolmentOf (terminal: TerminalRef, name: string, key: MasterKey, iv: Uint8Array): EnrolledTerminal['keys']
}

/** Throws with the path and what to do where the file cannot be opened. */
export function openTerminalKeys (path: string, passphrase: string): KeyRing {
  const { transport, keys = {} } = Value.Parse(TerminalKeys, openSealedJson(format, path, passphrase))
  return keyRing(transport === undefined ? null : unhex(transport), new Map(
    Object.entries(keys).map(([name, { suite, master }]) => [name, { suite, key: unhex(master) }])))
}

function keyRing (transport: Uint8Array | null, kept: ReadonlyMap<string, MasterKey>): KeyRing {
  /** A terminal's enrolment stays the same object until it changes. */
  const opened = new WeakMap<EnrolledTerminal, MasterKey | null>()

  function open (terminal: EnrolledTerminal): MasterKey | null {
    const { keys } = terminal
    const found = keys?.wrapped === undefined
      ? kept.get(keys?.name ?? terminal.terminal) ?? null
      : transport === null ? null : unwrapMaster(transport, terminal, keys.wrapped)
    return found !== null && (keys?.check ?? checkOf(found)) === checkOf(found) ? found : null
  }

  return {
    masterKey: terminal => {
      if (!opened.has(terminal)) opened.set(terminal, open(terminal))
      return opened.get(terminal) ?? null
    },
    enrolmentOf: (terminal, name, key, iv) => {
      if (transport === null) throw new Error('the key file has no transport key')
      return { name, check: checkOf(key), wrapped: wrapMaster(transport, terminal, key, iv) }
    }
  }
}

const checkOf = ({ suite, key }: MasterKey): string => hex(checkValue(key, suite)).slice(0, 6)
