// The host's keys of the virtual cards as `ledger/main.ts keys` takes it. Known to everyone; guards nothing.
import { createHash } from 'node:crypto'

/** Masters: the first 16 bytes of SHA-256 of `citycard-test-MTK`, `citycard-test-MLK` and so on. */
const masterOf = (name: string) => [{
  keyVersion: 1,
  suite: '3des' as const,
  master: createHash('sha256').update(`citycard-test-${name}`).digest('hex').slice(0, 32).toUpperCase()
}]
export const testKeys = {
  tac: masterOf('MTK'), load: masterOf('MLK'), maintenance: masterOf('MAMK'), purchase: masterOf('MPK'),
  pin_unblock: masterOf('MPUK'), pin_reload: masterOf('MRPK'), card_master: masterOf('MMK'),
  transport: masterOf('TRK')
}
