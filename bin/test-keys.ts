// The host's keys of the virtual cards as `ledger/main.ts keys` takes it. Known to everyone; guards nothing.
import { createHash } from 'node:crypto'

const testKey = (name: string): string =>
  createHash('sha256').update(`citycard-test-${name}`).digest('hex').slice(0, 32).toUpperCase()

/** Masters: the first 16 bytes of SHA-256 of `citycard-test-MTK`, `citycard-test-MLK` and so on. */
const masterOf = (name: string) => [{
  keyVersion: 1,
  suite: '3des' as const,
  master: testKey(name)
}]
export const testKeys = {
  tac: masterOf('MTK'), load: masterOf('MLK'), maintenance: masterOf('MAMK'), purchase: masterOf('MPK'),
  pin_unblock: masterOf('MPUK'), pin_reload: masterOf('MRPK'), card_master: masterOf('MMK'),
  transport: masterOf('TRK')
}

/** As `gateway/main.ts keys` takes it: the terminal of ISO 8583 in the town of `npm run sim -- stack`. */
export const terminalKeys = { keys: { '00000001': { suite: '3des', master: testKey('POS-1') } } } as const
