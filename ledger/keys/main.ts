// Key ceremonies, apart from any ledger: what comes in as components goes into the store and is overwritten
// here. It refuses to take a key out of one. LEDGER_KEYS names the store (a path, or pkcs11:…),
// LEDGER_KEYS_PASSPHRASE opens it. NAME is PURPOSE.SUITE.VERSION[.CITY], LINE the same without a version;
// dates are days that count, --from is today and --to never unless told.
//
//   npm run keys -- component 3des                   a new component with its check value, for one custodian
//   npm run keys -- list                             names, days, states and check values
//   npm run keys -- import NAME --check ABCDEF       from components, a line each on standard input
//   npm run keys -- generate NAME                    made inside the store: nobody sees it, nobody has a copy
//   npm run keys -- derive NAME                      a city's key, from the root of the same version
//   npm run keys -- rotate LINE --from DATE          the next version, generated; --components: read as above
//   npm run keys -- retire NAME --to DATE            its last day; refused while new cards would lack a key
//   npm run keys -- destroy NAME --check ABCDEF      of a retired one
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { Type } from 'typebox'
import { systemClock } from '../../runtime/clock.ts'
import { readConfig } from '../../runtime/config.ts'
import { localDate } from '../../runtime/instants.ts'
import { hold } from './ceremony.ts'
import { openKeyVault } from './open-store.ts'

const Environment = Type.Object({
  LEDGER_KEYS: Type.String({ description: 'path of the encrypted key file, or the pkcs11: URI of a token' }),
  LEDGER_KEYS_PASSPHRASE: Type.String({ description: 'opens the key file, or the PIN of the token' })
})

const ceremony = {
  openVault: async () => {
    const { LEDGER_KEYS: place, LEDGER_KEYS_PASSPHRASE: secret } = readConfig(Environment, process.env)
    return await openKeyVault(place, secret, randomBytes)
  },
  today: localDate(systemClock.now()),
  random: randomBytes,
  // Opened by whoever reads: a line that comes before it is lost.
  typed: { [Symbol.asyncIterator]: () => createInterface({ input: process.stdin })[Symbol.asyncIterator]() }
}

try {
  process.stdout.write(await hold(ceremony, process.argv.slice(2)) + '\n')
} catch (error) {
  process.stderr.write(`keys: ${(error as Error).message}\n`)
  process.exitCode = 1
}
