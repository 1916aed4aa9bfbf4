// The way to the ledger, as its configuration says: address, token, certificates. It refuses to know what is
// asked there.
import { readFileSync } from 'node:fs'
import { createHttpClient, type HttpClient } from '../runtime/http-client.ts'
import type { GatewayConfig } from '../schemas/gateway.ts'

export type LedgerPlace = GatewayConfig['ledger']

export const ledgerClient = ({ url, token, tls }: LedgerPlace, random: () => number): HttpClient =>
  createHttpClient({
    baseUrl: url,
    headers: { authorization: `Bearer ${token}` },
    random,
    ...tls === undefined ? {} : { tls: tlsFrom(url, tls) },
    tries: 1 // whoever asks comes again by himself
  })

/** Read once: a new certificate is taken up at a start. Throws where the token would travel in clear. */
function tlsFrom (url: string, { ca, cert, key }: NonNullable<LedgerPlace['tls']>) {
  if (!url.startsWith('https:')) throw new Error(`configuration: ledger has tls, and ${url} is not https`)
  if ((cert === undefined) !== (key === undefined)) {
    throw new Error('configuration: cert and key of ledger.tls go together')
  }
  const read = (path: string) => readFileSync(path, 'utf8')
  const own = cert === undefined || key === undefined ? {} : { cert: read(cert), key: read(key) }
  return { ca: read(ca), ...own }
}
