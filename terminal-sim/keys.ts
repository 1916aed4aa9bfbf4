// Test master keys, known to everyone: what makes a virtual card and a virtual PSAM one scheme.
// It refuses to know any key that guards real money.

import { createHash } from 'node:crypto'

/** MPK purchase, MLK load, MTK TAC, MAMK application maintenance. */
export type MasterKeyName = 'MPK' | 'MLK' | 'MTK' | 'MAMK'

/** The first 16 bytes of SHA-256 of `citycard-test-NAME`. */
export const testMasterKey = (name: MasterKeyName | string): Uint8Array =>
  createHash('sha256').update(`citycard-test-${name}`).digest().subarray(0, 16)
