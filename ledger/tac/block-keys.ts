// The MAC under which a chip blocks its application. Runs in the worker thread, where the master keys are. It
// refuses to know which cards are to be blocked.
import { blockApplication } from '../../schemas/epurse/apdu.ts'
import { unhex } from '../../schemas/epurse/hex.ts'
import { diversify } from '../../schemas/epurse/keys.ts'
import { secureMessagingMac } from '../../schemas/epurse/mac.ts'
import { suites, type SuiteName } from '../../schemas/epurse/suite.ts'
import type { BlockForm } from '../../schemas/card-block.ts'
import type { KeySet } from './key-file.ts'

export type BlockQuestion = {
  readonly suite: SuiteName
  readonly keyVersion: number
  /** Last 8 bytes of the application serial, hexadecimal. */
  readonly cardFactor: string
  readonly challenge: string
  readonly form: BlockForm
}

/** Four bytes; null where there is no such key. */
export function answerBlock (keys: KeySet, asked: BlockQuestion): Uint8Array | null {
  const { suite: name, keyVersion, cardFactor, challenge, form } = asked
  const row = (keys.maintenance ?? []).find(one => one.suite === name && one.keyVersion === keyVersion)
  if (row === undefined) return null
  const suite = suites[name]
  const key = diversify(suite, unhex(row.master), [unhex(cardFactor)])
  let mac: Uint8Array = new Uint8Array(4)
  blockApplication(form, message => {
    mac = secureMessagingMac({ suite, key, challenge: unhex(challenge), message })
    return mac
  })
  return mac
}
