// Sign-in: fresh working keys under the terminal's master key, the batch that is open, and what the host
// wants a terminal to fetch. It refuses to know who may sign in.
import { hex, unhex } from '../../schemas/epurse/hex.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import { field60, readField60 } from '../../schemas/iso8583/exchanges.ts'
import type { ProcessingRequest } from '../../schemas/iso8583/framing.ts'
import {
  checkValue, type KeyLayout, keyLayouts, keysField, macStyles, unwrapKey, wrapKey, type WrappedKey
} from '../../schemas/iso8583/mac.ts'
import type { TerminalRef } from '../../schemas/terminals.ts'
import type { EdgeHouse } from '../face.ts'
import { tariffAt } from '../tariff-at.ts'
import type { AdmissionSettings, Admitted } from './admission.ts'
import type { Book, PendingKey, Versions } from './book.ts'
import { batchFor, refused, type Said } from './decisions.ts'
import { next } from './session.ts'

export type SignIns = {
  /** The new key counts, and the session begins, with its first use. */
  signIn (asked: Admitted): Promise<Said>
  signOff (asked: Admitted): Promise<Said>
  /**
   * What the header asks a terminal for. It holds what there was when it signed in: that is known of whoever
   * signs, and believed of an echo, which moves nothing.
   */
  waitingFor (of: TerminalRef, signed: boolean): ProcessingRequest
}

export function openSignIns (
  { mac, macKeyBytes, unsigned }: Pick<AdmissionSettings, 'mac' | 'macKeyBytes' | 'unsigned'>,
  { randomBytes, parameters, clock }: EdgeHouse, book: Book
): SignIns {
  const { suite } = macStyles[mac]
  /** Nobody hears of a key before it is on disk. */
  const writing = new WeakMap<PendingKey, Promise<void>>()

  const versions = (of: TerminalRef): Versions => ({
    blacklist: parameters.blacklistVersion(), tariff: tariffAt(parameters, of, clock.now())?.version ?? null
  })

  function freshKey (master: Uint8Array, keyBytes: number): WrappedKey {
    const key = suite === '3des' ? withParity(randomBytes(keyBytes)) : randomBytes(keyBytes)
    return { wrapped: wrapKey(master, key, suite), check: checkOf(key) }
  }

  const checkOf = (key: Uint8Array): Uint8Array =>
    checkValue(key.subarray(0, suite === 'sm4' ? 16 : macKeyBytes), suite)

  /** Not one that was made under an earlier master key of the terminal. */
  const opensUnder = (master: Uint8Array, { wrapped, check }: PendingKey): boolean =>
    hex(checkOf(unwrapKey(master, unhex(wrapped), suite))) === check

  /**
   * Whoever asks gets the same keys until they were used, and nothing else is changed: a sign-in is not
   * signed, so a stranger's must not take away what the terminal was just given, nor move its batch.
   */
  async function signIn ({ terminal: of, master, values }: Admitted): Promise<Said> {
    const { terminal } = of
    const { batch: told, network } = readField60(values[60] ?? '')
    const { keyBytes } = keyLayouts[network as KeyLayout]
    if (keyBytes % suites[suite].block !== 0) return refused('unreadable')
    const state = book.of(terminal)
    const known = state.pending.find(one => one.network === network && opensUnder(master, one))
    const held = versions(of)
    const isFresh = known !== undefined && sameVersions(known.held, held)
    const pending = isFresh ? known : { ...known ?? freshKeys(master, network), held }
    if (!isFresh) writing.set(pending, book.change(terminal, { offered: pending }))
    await writing.get(pending)
    const batch = batchFor(state, told)
    return { code: '00', fields: { 60: field60({ type: '00', batch, network }), 62: pending.keys } }
  }

  function freshKeys (master: Uint8Array, network: string): Omit<PendingKey, 'held'> {
    const { keyBytes, track } = keyLayouts[network as KeyLayout]
    const fresh = (): WrappedKey => freshKey(master, keyBytes)
    const [pin, signing] = [fresh(), fresh()]
    const keys = hex(keysField({ pin, mac: signing, ...track ? { track: fresh() } : {} }))
    return { wrapped: hex(signing.wrapped), check: hex(signing.check), network, keys }
  }

  return {
    signIn,
    signOff: async ({ terminal: { terminal }, key, mti }) => {
      const { session } = book.of(terminal)
      // A stranger's ends nothing: without its key nobody can ask for anything in its name.
      if (key === null && !unsigned.includes(mti)) return { code: '00' }
      await book.change(terminal, { session: next[session].sign_off ?? session })
      return { code: '00' }
    },
    waitingFor: (of, signed) => {
      const { session, held, pending } = book.of(of.terminal)
      const last = signed ? undefined : pending.at(-1)
      if (session === 'signed_out' && last === undefined) return 'none'
      const now = versions(of)
      const has = last?.held ?? held
      if (now.tariff !== has.tariff) return 'parameters'
      return now.blacklist === has.blacklist ? 'none' : 'blacklist'
    }
  }
}

const sameVersions = (one: Versions, other: Versions): boolean =>
  one.blacklist === other.blacklist && one.tariff === other.tariff

/** Each byte of a DES key has an odd number of ones. */
const withParity = (key: Uint8Array): Uint8Array => key.map(byte => {
  let ones = 0
  for (let bit = 1; bit < 8; bit++) ones += byte >> bit & 1
  return byte & 0xfe | (ones + 1) & 1
})
