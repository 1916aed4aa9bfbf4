// The MAC under which a chip blocks its application. Runs in the worker thread, where the key store is open.
// It refuses to know which cards are to be blocked.
import { blockApplication } from '../../schemas/epurse/apdu.ts'
import { unhex } from '../../schemas/epurse/hex.ts'
import { secureMessagingMac } from '../../schemas/epurse/mac.ts'
import { suites, type SuiteName } from '../../schemas/epurse/suite.ts'
import type { BlockForm } from '../../schemas/card-block.ts'
import { withCardKeys } from '../keys/card-keys.ts'
import type { KeyStore } from '../keys/key-store.ts'

export type BlockQuestion = {
  readonly suite: SuiteName
  readonly keyVersion: number
  /** Last 8 bytes of the application serial, hexadecimal. */
  readonly cardFactor: string
  readonly challenge: string
  readonly form: BlockForm
}

/** Four bytes; null where there is no such key. */
export function answerBlock (store: KeyStore, asked: BlockQuestion): Uint8Array | null {
  const { suite: name, keyVersion, cardFactor, challenge, form } = asked
  const suite = suites[name]
  const scheme = { purpose: 'maintenance', suite: name, keyVersion } as const
  const card = { cards: unhex(cardFactor), city: null, order: 'city-first' } as const
  return withCardKeys(store, scheme, card, key => {
    let mac: Uint8Array = new Uint8Array(4)
    blockApplication(form, message => {
      mac = secureMessagingMac({ suite, key, challenge: unhex(challenge), message })
      return mac
    })
    return mac
  })
}
