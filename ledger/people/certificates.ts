// Which certificates a machine client calls with: bound, valid side by side while they are exchanged,
// revoked. It refuses to know who signs them: that is what the TLS of the door checks.
import { createHash, X509Certificate } from 'node:crypto'
import { audit } from './audit.ts'
import { Refusal } from '../refusal.ts'
import { bindCertificate, findClient, revokeCertificate } from '../store/staff.ts'
import { inTransaction, type Db } from '../store/db.ts'

/**
 * Binds a certificate in PEM; from then on the client's token alone is not enough. Returns its
 * fingerprint.
 */
export async function certify (
  db: Db, { client, pem, atMs }: { readonly client: string, readonly pem: string, readonly atMs: number }
): Promise<string> {
  const certificate = new X509Certificate(pem)
  const notAfterMs = Date.parse(certificate.validTo)
  if (notAfterMs <= atMs) {
    throw new Refusal('registry_invalid',
    `the certificate is over since ${certificate.validTo}`)
  }
  const named = /^CN=(.+)$/m.exec(certificate.subject)?.[1]
  if (named !== client) throw new Refusal('registry_invalid', `the certificate is of ${named ?? 'nobody'}`)
  const fingerprint = createHash('sha256').update(certificate.raw).digest()
  await inTransaction(db, async tx => {
    if (await findClient(tx, client) === null) throw new Refusal('not_found', `no client ${client}`)
    await bindCertificate(tx, { client, fingerprint, notAfterMs, atMs })
    const detail = { fingerprint: hexOf(fingerprint), notAfter: certificate.validTo }
    await audit(tx, atMs, { by: 'system', action: 'client.certify', subject: `client/${client}`, detail })
  })
  return hexOf(fingerprint)
}

/** Ends a certificate, for good. */
export async function revoke (
  db: Db, { fingerprint, atMs }: { readonly fingerprint: string, readonly atMs: number }
): Promise<string> {
  return await inTransaction(db, async tx => {
    const client = await revokeCertificate(tx, Buffer.from(fingerprint.replaceAll(':', ''), 'hex'), atMs)
    if (client === null) throw new Refusal('not_found', `no certificate ${fingerprint} that is not revoked`)
    const detail = { fingerprint }
    await audit(tx, atMs, { by: 'system', action: 'client.revoke', subject: `client/${client}`, detail })
    return client
  })
}

const hexOf = (bytes: Buffer): string => bytes.toString('hex').toUpperCase()
