// The ledger as a process: reads the environment, migrates, listens, stops in order. Its other commands
// prepare a database, check it, or correct it:
//
//   ledger/main.ts                        serve
//   ledger/main.ts migrate [--citus]      bring the database to the present schema; spread it over shards
//   ledger/main.ts bootstrap FILE         add staff and machine clients
//   ledger/main.ts keys FILE.json OUT     seal master keys into an encrypted key file
//   ledger/main.ts verify [--since SIZE]  rebuild every projection, check the tree; 1 where they differ. With
//                                         LEDGER_SIGNING_KEY also against the last head that was shown
//   ledger/main.ts prove ID               an inclusion proof, as JSON; ID: a transfer, or CARD/COUNTER
//   ledger/main.ts prove --consistency OLD [NEW]   that one signed head grew into another, as JSON
//   ledger/main.ts prove --audit [ROWS]   the audit log after so many rows, up to a signed head, as JSON
//   ledger/main.ts accept-restore REASON  go on from a restored backup, under a new signing key
//   ledger/main.ts partitions [DAYS] [--check]   make room for dates to come; --check: 1 where too few
//   ledger/main.ts retention [--apply]    what has had its time; nothing of money is deleted
//   ledger/main.ts certify CLIENT CERT.pem   bind a certificate: its token alone is not enough any more
//   ledger/main.ts revoke FINGERPRINT     end a certificate at once
//   ledger/main.ts schema                 what the database looks like
//   ledger/main.ts journal DATE           the books of a clearing date as an hledger journal
//   ledger/main.ts archive FOLDER [DATE]  archived dates up to this one as folders, those that are missing
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { offsetClock, systemClock, type Clock } from '../runtime/clock.ts'
import { readConfig } from '../runtime/config.ts'
import { localDate, parseIso } from '../runtime/instants.ts'
import { createLog } from '../runtime/log.ts'
import { secretsIn } from '../runtime/secret-file.ts'
import { announceReady } from '../runtime/supervise.ts'
import { acceptRestore } from './proof/accept-restore.ts'
import type { DoorTls } from './http/app.ts'
import { certify, revoke } from './people/certificates.ts'
import { lastToArchive } from './store/archive.ts'
import { makeArchive, writeArchive } from './day/archive.ts'
import { readOidc } from './people/oidc-settings.ts'
import { bootstrap, BootstrapFile } from './people/bootstrap.ts'
import { startCourier } from './jobs/courier.ts'
import { hledgerJournal } from './exports/journal.ts'
import { openHeadMemory } from './proof/head-memory.ts'
import { buildLedger } from './ledger.ts'
import { prove, proveAudit, proveConsistency } from './proof/prove.ts'
import { openSigner } from './proof/seal.ts'
import { openDb } from './store/db.ts'
import { migrate } from './store/migrate.ts'
import { dumpSchema } from './store/schema-dump.ts'
import { partitionsAhead } from './store/upkeep.ts'
import { makeRoom, retain } from './upkeep.ts'
import { ensureHouseAccounts } from './store/registry.ts'
import { KeySet, sealKeys } from './keys/key-file.ts'
import { startTacPool } from './tac/tac-pool.ts'
import { verifyBooks } from './verifying/verify-books.ts'

const log = createLog('ledger')

const Database = {
  LEDGER_DATABASE_URL: Type.String({ description: 'postgres://USER:PASSWORD@HOST:PORT/DATABASE' })
}
const Passphrase = {
  LEDGER_KEYS_PASSPHRASE: Type.String({ description: 'opens the key file, or the PIN of the token' })
}
const Serving = Type.Object({
  ...Database,
  ...Passphrase,
  LEDGER_HOST: Type.String({ default: '127.0.0.1' }),
  LEDGER_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 0, description: '0: a free one' }),
  LEDGER_KEYS: Type.String({ description: 'path of the encrypted key file, or the pkcs11: URI of a token' }),
  LEDGER_SIGNING_KEY: Type.String({ description: 'path of the Ed25519 key; made when missing' }),
  LEDGER_CLOCK: Type.Optional(Type.String({ description: 'instant at which the clock starts' })),
  LEDGER_TAC_WORKERS: Type.Integer({ minimum: 1, maximum: 64, default: 1 }),
  LEDGER_CONNECTIONS: Type.Integer({ minimum: 2, maximum: 100, default: 10 }),
  LEDGER_PARTITION_DAYS: Type.Integer({ minimum: 1, maximum: 366, default: 35 }),
  LEDGER_COURIER: Type.Boolean({ default: true, description: 'tell others what happened' }),
  REDIS_URL: Type.Optional(Type.String({ description: 'the queue on Redis instead of PostgreSQL' })),
  LEDGER_WEBHOOK_KEY: Type.Optional(Type.String({
    description: 'path of the key that webhook secrets come from; made when missing; beside the signing key'
  })),
  LEDGER_PERSONAL_KEYS: Type.Optional(Type.String({
    description: 'path of the keys of personal data, a line each; the last one seals; made when missing; ' +
      'beside the signing key'
  })),
  LEDGER_PRIVATE_WEBHOOKS: Type.Boolean({
    default: false, description: 'webhooks may lead to private addresses'
  }),
  LEDGER_TLS_CERT: Type.Optional(Type.String({
    description: 'path of the certificate, PEM: the door is HTTPS'
  })),
  LEDGER_TLS_KEY: Type.Optional(Type.String({ description: 'path of its key, PEM' })),
  LEDGER_TLS_CLIENT_CA: Type.Optional(Type.String({
    description: 'path of the authority whose certificates machine clients call with, PEM'
  })),
  LEDGER_CONSOLE: Type.Optional(Type.String({
    description: 'folder of a build of the console (npm run console); absent: no pages for people'
  })),
  LEDGER_OIDC: Type.Optional(Type.String({
    description: 'path of the JSON that says how staff sign in at an identity provider (docs/security.md)'
  })),
  LEDGER_SESSION_HOURS: Type.Integer({ minimum: 1, maximum: 24 * 7, default: 12 }),
  LEDGER_IDLE_MINUTES: Type.Integer({ minimum: 1, maximum: 24 * 60, default: 30 })
})

const Keeping = Type.Object({
  LEDGER_KEY_DAYS: Type.Optional(Type.Integer({
    minimum: 1, maximum: 3_650, description: 'how long idempotency keys count'
  }))
})

type Command = (...args: string[]) => Promise<void>
const commands: Readonly<Record<string, Command>> = {
  serve, migrate: migrateOnly, bootstrap: addStaff, keys, verify, prove: printProof, journal: printJournal,
  archive,
  'accept-restore': acceptOlder, partitions, retention, certify: bind, revoke: end, schema: printSchema
}

const [name = 'serve', ...args] = process.argv.slice(2)
const command = commands[name]
if (command === undefined) {
  console.error(`ledger/main.ts ${name}: no such command; one of ${Object.keys(commands).join(', ')}`)
  process.exit(2)
}
await command(...args).catch((error: Error) => {
  console.error(`ledger ${name}: ${error.message}`)
  log.debug({ err: error }, 'command failed')
  process.exit(1)
})

/**
 * The collector waits until the heap is twice what it last left, not four times: what a file leaves lives for
 * some hundred milliseconds and is dead then. A million records: 470 instead of 560 MiB, at no speed that
 * could be told from chance; at half as much again 416 MiB, and a fifth of the speed was gone.
 */
function collectSooner (): void {
  setFlagsFromString('--heap-growing-percent=100')
}

async function serve (): Promise<void> {
  const config = readConfig(Serving, process.env)
  await migrateOnly()
  const tac = await startTacPool({
    workers: config.LEDGER_TAC_WORKERS, keyFile: config.LEDGER_KEYS, passphrase: config.LEDGER_KEYS_PASSPHRASE
  })
  const { app, ledger, close } = await buildLedger({
    databaseUrl: config.LEDGER_DATABASE_URL,
    connections: config.LEDGER_CONNECTIONS,
    clock: clockFrom(config.LEDGER_CLOCK),
    log,
    tac,
    signer: openSigner(config.LEDGER_SIGNING_KEY),
    memory: openHeadMemory(config.LEDGER_SIGNING_KEY),
    random: randomBytes,
    partitionDays: config.LEDGER_PARTITION_DAYS,
    sessionMs: config.LEDGER_SESSION_HOURS * 3_600_000,
    idleMs: config.LEDGER_IDLE_MINUTES * 60_000,
    webhookKey: secretsIn(config.LEDGER_WEBHOOK_KEY ?? `${config.LEDGER_SIGNING_KEY}.webhooks`)[0],
    personalKeys: secretsIn(config.LEDGER_PERSONAL_KEYS ?? `${config.LEDGER_SIGNING_KEY}.persons`),
    privateWebhooks: config.LEDGER_PRIVATE_WEBHOOKS,
    ...config.LEDGER_CONSOLE === undefined ? {} : { consoleFolder: config.LEDGER_CONSOLE },
    ...config.LEDGER_OIDC === undefined ? {} : { oidc: readOidc(config.LEDGER_OIDC) },
    ...tlsFrom(config)
  })
  const courier = !config.LEDGER_COURIER
    ? null
    : await startCourier(ledger, {
      databaseUrl: config.LEDGER_DATABASE_URL, redisUrl: config.REDIS_URL ?? null, chance: Math.random
    })
  const url = await app.listen({ host: config.LEDGER_HOST, port: config.LEDGER_PORT })
  announceReady({ url }, async () => {
    await courier?.close()
    await close()
    await tac.close()
  })
  // Not at once: what was compiled is kept for the next start, which begins without this flag.
  setImmediate(collectSooner)
}

function tlsFrom (
  { LEDGER_TLS_CERT: cert, LEDGER_TLS_KEY: key, LEDGER_TLS_CLIENT_CA: ca }: Static<typeof Serving>
): { tls?: DoorTls } {
  if (cert === undefined && key === undefined && ca === undefined) return {}
  if (cert === undefined || key === undefined) {
    throw new Error('LEDGER_TLS_CERT and LEDGER_TLS_KEY go together')
  }
  const read = (path: string) => readFileSync(path, 'utf8')
  return { tls: { cert: read(cert), key: read(key), ...ca === undefined ? {} : { ca: read(ca) } } }
}

async function bind (client = '', path = ''): Promise<void> {
  const pem = readFileSync(path, 'utf8')
  const fingerprint = await withDatabase(db => certify(db, { client, pem, atMs: systemClock.now() }))
  process.stdout.write(`${client} calls with ${fingerprint} from now on\n`)
}

async function end (fingerprint = ''): Promise<void> {
  const client = await withDatabase(db => revoke(db, { fingerprint, atMs: systemClock.now() }))
  process.stdout.write(`${client} cannot call with ${fingerprint} any more\n`)
}

function clockFrom (start: string | undefined): Clock {
  return start === undefined ? systemClock : offsetClock(parseIso(start))
}

async function withDatabase<T> (work: (db: ReturnType<typeof openDb>) => Promise<T>): Promise<T> {
  const db = openDb(readConfig(Type.Object(Database), process.env).LEDGER_DATABASE_URL, { max: 2 })
  try {
    return await work(db)
  } finally {
    await db.end()
  }
}

async function migrateOnly (...args: string[]): Promise<void> {
  const { values: { citus } } = parseArgs({ args, options: { citus: { type: 'boolean', default: false } } })
  const applied = await withDatabase(async db => {
    const names = await migrate(db, { citus })
    await ensureHouseAccounts(db)
    return names
  })
  if (applied.length > 0) log.info({ applied }, 'migrated')
}

async function acceptOlder (...reason: string[]): Promise<void> {
  const { LEDGER_SIGNING_KEY: path } =
    readConfig(Type.Object({ LEDGER_SIGNING_KEY: Type.String() }), process.env)
  if (reason.join(' ').length < 10) throw new Error('say why, in ten letters or more')
  const keyId = await withDatabase(db =>
    acceptRestore(db, path, { reason: reason.join(' '), atMs: systemClock.now() }))
  process.stdout.write(`the tree goes on under key ${keyId}: publish it, then have the gateways redeliver\n`)
}

async function partitions (...args: string[]): Promise<void> {
  const { values: { check }, positionals: [days = '35'] } =
    parseArgs({ args, allowPositionals: true, options: { check: { type: 'boolean', default: false } } })
  const ahead = await withDatabase(async db =>
    check ? await partitionsAhead(db) ?? 0 : await makeRoom(db, Number(days)))
  process.stdout.write(`room for ${ahead} dates after the open one\n`)
  if (ahead < Number(days)) process.exitCode = 1
}

async function retention (...args: string[]): Promise<void> {
  const { values: { apply } } =
    parseArgs({ args, options: { apply: { type: 'boolean', default: false } } })
  const { LEDGER_KEY_DAYS: keyDays } = readConfig(Keeping, process.env)
  const report = await withDatabase(db => retain(db, { nowMs: systemClock.now(), apply, keyDays }))
  process.stdout.write(JSON.stringify(report, null, 2) + '\n')
}

async function printSchema (): Promise<void> {
  process.stdout.write(await withDatabase(dumpSchema))
}

async function addStaff (path = ''): Promise<void> {
  const file = Value.Parse(BootstrapFile, JSON.parse(readFileSync(path, 'utf8')))
  await withDatabase(async db => { await bootstrap(db, file, systemClock.now()) })
}

async function keys (from = '', to = ''): Promise<void> {
  const { LEDGER_KEYS_PASSPHRASE: passphrase } = readConfig(Type.Object(Passphrase), process.env)
  const keySet = Value.Parse(KeySet, JSON.parse(readFileSync(from, 'utf8')))
  writeFileSync(to, sealKeys(keySet, passphrase, randomBytes(16), randomBytes(12)), { mode: 0o600 })
}

async function verify (...args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { since: { type: 'string', default: '0' } } })
  const { LEDGER_SIGNING_KEY: path } =
    readConfig(Type.Object({ LEDGER_SIGNING_KEY: Type.Optional(Type.String()) }), process.env)
  const shown = path === undefined ? null : openHeadMemory(path).shown()
  const report = await withDatabase(db => verifyBooks(db, { since: Number(values.since), shown }))
  process.stdout.write(JSON.stringify(report, null, 2) + '\n')
  process.exitCode = report.ok ? 0 : 1
}

async function printProof (...args: string[]): Promise<void> {
  const flag = { type: 'boolean', default: false } as const
  const { values, positionals: [id = '', second] } =
    parseArgs({ args, allowPositionals: true, options: { consistency: flag, audit: flag } })
  const document = await withDatabase<unknown>(async db => {
    if (values.audit) return await proveAudit(db, Number(id))
    if (!values.consistency) return await prove(db, id)
    return await proveConsistency(db, Number(id), second === undefined ? undefined : Number(second))
  })
  process.stdout.write(JSON.stringify(document, null, 2) + '\n')
}

async function archive (folder = '', until = ''): Promise<void> {
  if (folder === '') throw new Error('into which folder?')
  const clock = systemClock
  await withDatabase(async db => {
    const last = until === '' ? await lastToArchive(db, localDate(clock.now())) : until
    if (last === null) throw new Error('no date is instructed and over yet')
    await makeArchive({ db, clock }, last, 'system')
    for (const date of await writeArchive(db, folder, last)) console.log(date)
  })
}

async function printJournal (date = '', detail = 'transfer'): Promise<void> {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) throw new Error('which date? YYYY-MM-DD, and `kind` for sums only')
  await withDatabase(db => pipeline(
    hledgerJournal(db, date, detail === 'kind' ? 'kind' : 'transfer'), process.stdout, { end: false }))
}
