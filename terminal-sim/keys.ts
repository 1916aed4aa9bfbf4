// Test master keys, known to everyone: what makes a virtual card and a virtual PSAM one scheme.
// It refuses to know any key that guards real money.

import { createHash } from 'node:crypto'

/**
 * MPK purchase, MLK load, MTK TAC, MAMK application maintenance, MPUK and MRPK unblocking and reloading of
 * PINs, MMK writing of keys; TRK is the transport key of every blank card.
 */
export type MasterKeyName = 'MPK' | 'MLK' | 'MTK' | 'MAMK' | 'MPUK' | 'MRPK' | 'MMK' | 'TRK'

/** The first 16 bytes of SHA-256 of `citycard-test-NAME`. */
export const testMasterKey = (name: MasterKeyName | string): Uint8Array =>
  createHash('sha256').update(`citycard-test-${name}`).digest().subarray(0, 16)
