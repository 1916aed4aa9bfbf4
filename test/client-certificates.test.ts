// Client certificates on a real HTTPS door, from an authority of its own: a token alone, a certificate alone,
// somebody else's, an old one and a revoked one are refused; while they are exchanged both are valid.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { issue, makeAuthority, makeRequest } from '../bin/enrol.ts'
import { bootstrap } from '../ledger/people/bootstrap.ts'
import { certify, revoke } from '../ledger/people/certificates.ts'
import { createHttpClient } from '../runtime/http-client.ts'
import { secretOf, startDoors } from './support/ledger-http.ts'

t.setTimeout(600_000)
const doors = await startDoors()
const dir = mkdtempSync(join(tmpdir(), 'certificates-'))
t.teardown(async () => {
  await doors.stop()
  rmSync(dir, { recursive: true, force: true })
})
const env = { ...process.env, ENROL_PASSPHRASE: 'correct horse battery' }
const authority = join(dir, 'ca')
const foreign = join(dir, 'foreign')
makeAuthority(authority, env)
makeAuthority(foreign, env)
const read = (name: string) => readFileSync(name, 'utf8')
const ca = read(join(authority, 'ca.pem'))

function made (name: string, file: string, more: { by?: string, server?: string[], days?: string } = {}) {
  const csr = makeRequest(join(dir, file), name, env)
  const out = join(dir, file, `${name}.pem`)
  const { by = authority, ...rest } = more
  issue({ authority: by, csr, out, ...rest }, env)
  return { cert: read(out), key: read(join(dir, file, `${name}.key`)) }
}

const server = made('ledger', 'ledger', { server: ['127.0.0.1', 'ledger.city.example'] })
await (await doors.open()).close() // the description is learnt over plain HTTP
const door = await doors.open(new Date().toISOString(), { tls: { ...server, ca } })
t.teardown(() => door.close())
await bootstrap(door.db, { clients: [{ id: 'GW2', kind: 'gateway', secret: secretOf('GW2') }] }, 0)

type Pair = { readonly cert: string, readonly key: string }
async function asked (id: string | null, pair: Pair | null, path = '/v1/blacklist'): Promise<string> {
  const http = createHttpClient({
    baseUrl: door.url, random: () => 0, tries: 1, tls: { ca, ...pair ?? {} },
    headers: id === null ? {} : { authorization: `Bearer ${id}.${secretOf(id)}` }
  })
  try {
    await http.get(path)
    return 'ok'
  } catch (error) {
    const { status, message } = error as Error & { status?: number }
    return status === undefined ? message : String(status)
  } finally {
    http.close()
  }
}

t.test('who has a certificate needs it with its token; who has none goes on as before', async t => {
  const first = made('GW1', 'first')
  t.equal(await asked('GW1', null), 'ok', 'none is bound yet')
  await certify(door.db, { client: 'GW1', pem: first.cert, atMs: door.clock.now() })
  const other = made('GW2', 'other')
  await certify(door.db, { client: 'GW2', pem: other.cert, atMs: door.clock.now() })
  const rows = [
    ['its own', 'GW1', first, 'ok'],
    ['a token alone', 'GW1', null, '401'],
    ['a certificate alone', null, first, '401'],
    ['the certificate of another client', 'GW1', other, '401'],
    ['the token of another client', 'GW2', first, '401'],
    ['the same name, never bound', 'GW1', made('GW1', 'unbound'), '401'],
    ['the same name, another authority', 'GW1', made('GW1', 'forged', { by: foreign }), '401'],
    ['a client without any', 'REGISTRAR', null, '403']
  ] as const
  for (const [what, id, pair, expected] of rows) t.equal(await asked(id, pair), expected, what)
  t.equal(await asked(null, null, '/healthz'), 'ok', 'health is for everyone')
})

t.test('renewal: both are valid for a while, then the old one is revoked; it does not come back', async t => {
  const [old, next] = [made('GW1', 'old'), made('GW1', 'next')]
  const atMs = door.clock.now()
  const fingerprint = await certify(door.db, { client: 'GW1', pem: old.cert, atMs })
  t.equal(fingerprint, execFileSync('openssl', ['x509', '-noout', '-fingerprint', '-sha256'],
    { input: old.cert })
    .toString().trim().split('=')[1]?.replaceAll(':', ''), 'as another program has it')
  await certify(door.db, { client: 'GW1', pem: next.cert, atMs })
  t.same([await asked('GW1', old), await asked('GW1', next)], ['ok', 'ok'])
  await revoke(door.db, { fingerprint, atMs })
  await certify(door.db, { client: 'GW1', pem: old.cert, atMs })
  t.same([await asked('GW1', old), await asked('GW1', next)], ['401', 'ok'])
  await t.rejects(revoke(door.db, { fingerprint, atMs }), /no certificate/)
  await t.rejects(certify(door.db, { client: 'GW2', pem: next.cert, atMs }), /the certificate is of GW1/)
  await t.rejects(certify(door.db, { client: 'GW7', pem: made('GW7', 'nobody').cert, atMs }), /no client GW7/)
  door.clock.advance(401 * 86_400_000)
  t.equal(await asked('GW1', next), '401', 'over')
  await t.rejects(certify(door.db, { client: 'GW1', pem: next.cert, atMs: door.clock.now() }),
    /is over since/)
})

t.test('downgrade: plain HTTP and old TLS get no answer; a client trusts its own authority only', async t => {
  const { port } = new URL(door.url)
  const plain = await new Promise<string>(resolve => {
    let text = ''
    const socket = connect(Number(port), '127.0.0.1',
      () => socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'))
    socket.on('data', chunk => { text += chunk.toString('latin1') })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
  })
  t.notMatch(plain, /200|ok/)
  const old = await new Promise<string>(resolve => {
    const socket = connectTls({
      port: Number(port), host: '127.0.0.1', ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0'
    }, () => resolve('connected'))
    socket.on('error', error => resolve(error.message))
  })
  t.match(old, /alert|protocol|version/i)
  t.not(old, 'connected')
  const http = createHttpClient({
    baseUrl: door.url, random: () => 0, tries: 1, tls: { ca: read(join(foreign, 'ca.pem')) }
  })
  await t.rejects(http.get('/healthz'), /certificate/)
  http.close()
})

t.test('nothing secret in the log or in an answer', async t => {
  const lines = door.logLines().join('\n')
  t.ok(lines.length > 500, 'there is a log')
  const secrets = [secretOf('GW1'), secretOf('GW2'), 'PRIVATE KEY', 'Bearer ', 'correct horse battery']
  for (const secret of secrets) t.notOk(lines.includes(secret), `no ${secret.slice(0, 12)}`)
  const answer = await asked('GW1', null)
  t.notOk(answer.includes(secretOf('GW1')))
  t.match(read(join(authority, 'ca.key')), /ENCRYPTED PRIVATE KEY/, 'the key of the authority is locked')
})
