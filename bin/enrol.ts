// Certificates of a city: an authority of its own, requests that never let a key out of its machine, and what
// is signed for gateways and doors. `openssl` does the signing: Node makes no certificates, and an authority
// of ten files needs no further package. It refuses to know who is bound to what: that is the ledger's.
//
//   npm run enrol -- ca DIR                         make an authority; ENROL_PASSPHRASE locks its key
//   npm run enrol -- request DIR NAME               on the machine itself: NAME.key and NAME.csr
//   npm run enrol -- issue DIR FILE.csr OUT.pem     sign for a machine client (--days 400)
//   npm run enrol -- issue DIR FILE.csr OUT.pem --server ledger.city.example,10.0.0.5
//   npm run enrol -- fingerprint FILE.pem ...       `certificates` of a terminal's enrolment
import { execFileSync } from 'node:child_process'
import { randomBytes, X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const usage = 'ca DIR | request DIR NAME | issue DIR FILE.csr OUT.pem [--days N] [--server NAMES] | ' +
  'fingerprint FILE.pem ...'
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
const passphrase = 'ENROL_PASSPHRASE'
const daysOf = { authority: '3650', client: '400' } as const

/** Throws where `openssl` refuses, with its own words. */
export function makeAuthority (dir: string, env = process.env): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if ((env[passphrase] ?? '').length < 12) {
    throw new Error(`${passphrase} locks the key: twelve letters or more`)
  }
  openssl(['req', '-x509', '-new', ...curve, '-passout', `env:${passphrase}`, '-days', daysOf.authority,
    '-keyout', join(dir, 'ca.key'), '-out', join(dir, 'ca.pem'), '-subj', '/CN=Citizen Card Authority',
    '-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0', '-addext', 'keyUsage=critical,keyCertSign'],
  env)
}

/** The key stays where it is made. */
export function makeRequest (dir: string, name: string, env = process.env): string {
  if (!/^[0-9A-Za-z._-]{1,64}$/.test(name)) throw new Error(`not a name: ${name}`)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const csr = join(dir, `${name}.csr`)
  openssl(['req', '-new', ...curve, '-noenc', '-keyout', join(dir, `${name}.key`), '-out', csr,
    '-subj', `/CN=${name}`], env)
  return csr
}

export type Issue = {
  readonly authority: string, readonly csr: string, readonly out: string, readonly days?: string
  /** Names and addresses of a door; absent: the certificate of a machine client. */
  readonly server?: readonly string[]
}

export function issue ({ authority, csr, out, days = daysOf.client, server }: Issue,
  env = process.env): void {
  const scratch = mkdtempSync(join(tmpdir(), 'enrol-'))
  try {
    const extensions = join(scratch, 'extensions')
    writeFileSync(extensions, extensionsFor(server))
    openssl(['x509', '-req', '-in', csr, '-out', out, '-days', days, '-extfile', extensions,
      '-CA', join(authority, 'ca.pem'), '-CAkey', join(authority, 'ca.key'), '-passin', `env:${passphrase}`,
      '-set_serial', `0x${randomBytes(16).toString('hex')}`], env)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** SHA-256 of a certificate, as enrolments and ports name it. Throws where the text is none. */
export const fingerprintOf = (pem: string): string =>
  new X509Certificate(pem).fingerprint256.replaceAll(':', '')

const extensionsFor = (server: readonly string[] | undefined): string => [
  'basicConstraints=critical,CA:FALSE',
  'keyUsage=critical,digitalSignature',
  `extendedKeyUsage=${server === undefined ? 'clientAuth' : 'serverAuth'}`,
  ...server === undefined
    ? []
    : [`subjectAltName=${server.map(one => isIP(one) === 0 ? `DNS:${one}` : `IP:${one}`).join(',')}`]
].join('\n')

function openssl (args: readonly string[], env: NodeJS.ProcessEnv): void {
  execFileSync('openssl', args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
}

if (import.meta.filename === process.argv[1]) {
  const { values, positionals: [verb, ...args] } = parseArgs({
    allowPositionals: true, options: { days: { type: 'string' }, server: { type: 'string' } }
  })
  const [dir = '', name = '', out = ''] = args
  const { days, server } = values
  try {
    if (verb === 'ca' && dir !== '') makeAuthority(dir)
    else if (verb === 'request' && name !== '') makeRequest(dir, name)
    else if (verb === 'issue' && out !== '') {
      issue({
        authority: dir, csr: name, out, ...days === undefined ? {} : { days },
        ...server === undefined ? {} : { server: server.split(',') }
      })
    } else if (verb === 'fingerprint' && dir !== '') {
      const certificates = args.map(path => fingerprintOf(readFileSync(path, 'utf8')))
      process.stdout.write(`${JSON.stringify({ certificates })}\n`)
    } else throw new Error(usage)
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer }
    process.stderr.write(`enrol: ${stderr?.toString('utf8').trim() || message}\n`)
    process.exitCode = 1
  }
}
