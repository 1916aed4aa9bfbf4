// The key of the virtual cards' TACs as `ledger/main.ts keys` takes it. Known to everyone; guards nothing.
import { createHash } from 'node:crypto'

/** Master: the first 16 bytes of SHA-256 of `citycard-test-MTK`. */
export const testKeys = {
  tac: [{
    keyVersion: 1,
    suite: '3des',
    master: createHash('sha256').update('citycard-test-MTK').digest('hex').slice(0, 32).toUpperCase()
  }]
}
