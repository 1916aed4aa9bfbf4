// Sign-in: fresh working keys under the terminal's master key, the batch that is open, and what the host
// wants a terminal to fetch. It refuses to know who may sign in.
import { hex } from '../../schemas/epurse/hex.ts'
import { suites } from '../../schemas/epurse/suite.ts'
import { field60, readField60 } from '../../schemas/iso8583/exchanges.ts'
import type { ProcessingRequest } from '../../schemas/iso8583/framing.ts'
import {
  checkValue, type KeyLayout, keyLayouts, keysField, type MacStyle, macStyles, wrapKey, type WrappedKey
} from '../../schemas/iso8583/mac.ts'
import type { EdgeHouse } from '../face.ts'
import type { Admitted } from './admission.ts'
import { type Book, type TerminalState, totalsOf } from './book.ts'
import { batchFor, refused, type Said } from './decisions.ts'
import { next } from './session.ts'

export type SignIns = {
  /** The new key counts from its first use; whoever only listens cannot sign anything with it. */
  signIn (asked: Admitted): Promise<Said>
  signOff (asked: Admitted): Promise<Said>
  /** What the header asks a terminal for. It holds what there was when it signed in. */
  waitingFor (terminal: string): ProcessingRequest
}

export function openSignIns (
  { mac, macKeyBytes }: { readonly mac: MacStyle, readonly macKeyBytes: number },
  { randomBytes, parameters, log }: EdgeHouse, book: Book
): SignIns {
  const { suite } = macStyles[mac]

  const versions = (): TerminalState['held'] =>
    ({ blacklist: parameters.blacklistVersion(), tariff: parameters.tariff()?.version ?? null })

  function freshKey (master: Uint8Array, keyBytes: number): WrappedKey {
    const key = suite === '3des' ? withParity(randomBytes(keyBytes)) : randomBytes(keyBytes)
    const counted = key.subarray(0, suite === 'sm4' ? 16 : Math.min(keyBytes, macKeyBytes))
    return { wrapped: wrapKey(master, key, suite), check: checkValue(counted, suite) }
  }

  async function signIn ({ terminal: { terminal }, master, values }: Admitted): Promise<Said> {
    const { batch: told, network } = readField60(values[60] ?? '')
    const { keyBytes, track } = keyLayouts[network as KeyLayout]
    if (keyBytes % suites[suite].block !== 0) return refused('unreadable')
    const state = book.of(terminal)
    const fresh = (): WrappedKey => freshKey(master, keyBytes)
    const [pin, signing] = [fresh(), fresh()]
    const batch = batchFor(state, told)
    if (batch !== state.batch && state.items.size > 0) {
      log.error({ alarm: 'batch_left', terminal, batch: state.batch, totals: totalsOf(state.items.values()) },
        'a terminal leaves a batch that it did not settle')
    }
    const kept = { wrapped: hex(signing.wrapped), check: hex(signing.check) }
    const session = next[state.session].sign_in ?? 'signed_in'
    await book.change(terminal, { signedIn: kept, batch, held: versions(), session })
    const keys = keysField({ pin, mac: signing, ...track ? { track: fresh() } : {} })
    return { code: '00', fields: { 60: field60({ type: '00', batch, network }), 62: hex(keys) } }
  }

  return {
    signIn,
    signOff: async ({ terminal: { terminal } }) => {
      await book.change(terminal, { session: next.signed_in.sign_off ?? 'signed_out' })
      return { code: '00' }
    },
    waitingFor: terminal => {
      const { session, held } = book.of(terminal)
      const now = versions()
      if (session === 'signed_out') return 'none'
      if (now.tariff !== held.tariff) return 'parameters'
      return now.blacklist === held.blacklist ? 'none' : 'blacklist'
    }
  }
}

/** Each byte of a DES key has an odd number of ones. */
const withParity = (key: Uint8Array): Uint8Array => key.map(byte => {
  let ones = 0
  for (let bit = 1; bit < 8; bit++) ones += byte >> bit & 1
  return byte & 0xfe | (ones + 1) & 1
})
