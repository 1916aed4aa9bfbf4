// Whole ledgers behind their HTTP door on a real PostgreSQL: staff, machines, a clock that stands still.
// Every answer is held against the OpenAPI description that the ledger itself gives.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import pg from 'pg'
import { startPostgres } from '../../bin/postgres.ts'
import { testKeys } from '../../bin/test-keys.ts'
import { manualClock, type ManualClock } from '../../runtime/clock.ts'
import { createLog } from '../../runtime/log.ts'
import { createRandom } from '../../terminal-sim/random.ts'
import { bootstrap } from '../../ledger/people/bootstrap.ts'
import { buildLedger, type Ledger, type LedgerOptions } from '../../ledger/ledger.ts'
import { openSigner } from '../../ledger/proof/seal.ts'
import { openDb, type Db } from '../../ledger/store/db.ts'
import { migrate } from '../../ledger/store/migrate.ts'
import { ensureHouseAccounts } from '../../ledger/store/registry.ts'
import { sealKeys } from '../../ledger/keys/key-file.ts'
import { startTacPool } from '../../ledger/tac/tac-pool.ts'

/** Machine clients by kind, staff by name; `null` for nobody. */
export type Who = keyof typeof machines | keyof typeof staff | null
export const machines = {
  gateway: 'GW1', registrar: 'REGISTRAR', auditor: 'AUDITOR', centre: 'EXCHANGE', platform: 'CITY',
  'social-security': 'SOCIAL'
} as const
export const staff = {
  settler: ['settler'], 'approver-1': ['approver'], 'approver-2': ['approver'], chief: ['settler',
    'approver'],
  clerk: ['clerk'], hotline: ['hotline'], inspector: ['auditor'], 'admin-1': ['admin'], 'admin-2': ['admin']
} as const
export const password = 'correct horse battery'
export const secretOf = (id: string): string => createHash('sha256').update(`secret of ${id}`).digest('hex')

export type Answer = {
  readonly status: number
  readonly type: string
  readonly text: string
  readonly raw: Buffer
  /** The first answer to its key again. */
  readonly replayed: boolean
  // A test reads what it expects.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any
}
export type Sent = {
  readonly json?: unknown, readonly bytes?: Uint8Array | string, readonly type?: string,
  readonly token?: string
  /** Idempotency-Key. */
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

export type Door = {
  readonly url: string
  readonly ledger: Ledger
  /** Past the ledger, as whoever owns the database. */
  readonly db: Db
  readonly clock: ManualClock
  readonly databaseUrl: string
  readonly ask: (as: Who, method: string, path: string, sent?: Sent) => Promise<Answer>
  /** The body of a 200. Throws for anything else. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly ok: (as: Who, method: string, path: string, json?: unknown) => Promise<any>
  /** The bytes of a file. Throws for anything but a 200. */
  readonly bytes: (as: Who, path: string) => Promise<Buffer>
  readonly signIn: (name: string, password: string) => Promise<Answer>
  readonly logLines: () => string[]
  readonly close: () => Promise<void>
}

export type Doors = {
  readonly open: (at?: string, more?: Partial<LedgerOptions>) => Promise<Door>
  /** Environment of a ledger as a process on a database. */
  readonly env: (databaseUrl: string) => NodeJS.ProcessEnv
  /** `METHOD route` of the description that no call has used, and answers that did not match it. */
  readonly unused: () => string[]
  readonly mismatches: () => string[]
  readonly stop: () => Promise<void>
}

const template = 'template_ledger'

export async function startDoors (): Promise<Doors> {
  const folder = mkdtempSync(join(tmpdir(), 'doors-'))
  // Nothing here outlives the test: a process may be killed, the machine is not.
  const postgres = await startPostgres({ dataDir: join(folder, 'data'), settings: { fsync: 'off' } })
  const keyFile = join(folder, 'keys.json')
  const signingKey = join(folder, 'signing.pem')
  writeFileSync(keyFile, sealKeys(testKeys, 'test', new Uint8Array(16), new Uint8Array(12)))
  const tac = await startTacPool({ workers: 1, keyFile, passphrase: 'test' })
  const signer = openSigner(signingKey)
  await prepareTemplate(await postgres.ensureDatabase(template))
  const admin = new pg.Client({ connectionString: postgres.url('postgres') })
  await admin.connect()
  const contract = newContract()
  /** Doors that nobody has closed yet: one left open would keep its file from ever ending. */
  const openOnes = new Set<() => Promise<void>>()
  let databases = 0

  async function open (at = '2026-03-02T12:00:00+08:00', more: Partial<LedgerOptions> = {}): Promise<Door> {
    const name = `ledger_${databases++}`
    await admin.query(`create database ${name} template ${template} strategy file_copy`)
    const clock = manualClock(Date.parse(at))
    const random = createRandom(name)
    const lines = new PassThrough()
    const logged: string[] = []
    lines.on('data', (chunk: Buffer) => logged.push(...chunk.toString('utf8').split('\n').filter(Boolean)))
    const databaseUrl = postgres.url(name)
    const owner = openDb(databaseUrl, { max: 2 })
    const { app, ledger, close } = await buildLedger({
      databaseUrl, clock, tac, signer, random: length => Buffer.from(random.bytes(length)), partitionDays: 5,
      sessionMs: 12 * 3_600_000, log: createLog('test', { level: 'info', destination: lines }),
      sealEveryMs: 3_600_000, roundEveryMs: 3_600_000, ...more
    })
    const shut = async (): Promise<void> => {
      if (!openOnes.delete(shut)) return
      await close()
      await owner.end()
    }
    openOnes.add(shut)
    const url = await app.listen({ host: '127.0.0.1', port: 0 })
    if (!contract.known()) contract.learn(await (await fetch(`${url}/openapi.json`)).json())
    // Whoever asks: programs of a test do so themselves.
    app.server.on('request', (asked, reply) => {
      reply.on('finish', () => contract.note(String(asked.method), String(asked.url), reply.statusCode))
    })
    const tokens = new Map<string, Promise<{ token: string, untilMs: number }>>()
    const ask = async (as: Who, method: string, path: string, sent: Sent = {}) => {
      const token = sent.token ?? await tokenOf(as)
      const answer = await send(url, token, method, path, sent)
      contract.compare(method, path, answer)
      return answer
    }
    const signIn = (name: string, password: string) =>
      ask(null, 'POST', '/v1/session', { json: { name, password } })
    async function tokenOf (who: Who): Promise<string | null> {
      if (who === null) return null
      if (who in machines) {
        const id = machines[who as keyof typeof machines]
        return `${id}.${secretOf(id)}`
      }
      const known = await tokens.get(who)
      if (known !== undefined && known.untilMs > clock.now()) return known.token
      const signing = signIn(who, password).then(({ json }) =>
        ({ token: json.token as string, untilMs: Date.parse(json.expiresAt) }))
      tokens.set(who, signing)
      return (await signing).token
    }
    return {
      url, ledger, db: owner, clock, databaseUrl, ask, signIn,
      close: shut,
      bytes: async (as, path) => {
        const { status, text, raw } = await ask(as, 'GET', path)
        if (status !== 200) throw new Error(`GET ${path} as ${as}: ${status} ${text}`)
        return raw
      },
      ok: async (as, method, path, json) => {
        const answer = await ask(as, method, path, json === undefined ? {} : { json })
        const { status, text } = answer
        if (status >= 300) throw new Error(`${method} ${path} as ${as}: ${status} ${text}`)
        return answer.json
      },
      logLines: () => logged
    }
  }
  return {
    open,
    env: databaseUrl => ({
      ...process.env, LEDGER_DATABASE_URL: databaseUrl, LEDGER_KEYS: keyFile, LEDGER_KEYS_PASSPHRASE: 'test',
      LEDGER_SIGNING_KEY: signingKey, LEDGER_CLOCK: '2026-03-03T01:00:00+08:00', LOG_LEVEL: 'error'
    }),
    unused: contract.unused,
    mismatches: contract.mismatches,
    stop: async () => {
      writeDown(contract.seen())
      for (const shut of openOnes) await shut()
      await tac.close()
      await admin.end()
      await postgres.destroy()
      rmSync(folder, { recursive: true, force: true })
      const wrong = contract.mismatches()
      if (wrong.length > 0) throw new Error(`answers that are not as described:\n${wrong.join('\n')}`)
    }
  }
}

/** What was answered, for the test that looks at all of them when the others are over (bin/test.ts). */
function writeDown (seen: readonly string[]): void {
  const folder = process.env['CITIZEN_CARD_SEEN']
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  appendFileSync(join(folder, `${process.pid}.txt`), seen.map(line => `${line}\n`).join(''))
}

async function prepareTemplate (url: string): Promise<void> {
  const db = openDb(url, { max: 2 })
  await migrate(db)
  await ensureHouseAccounts(db)
  await bootstrap(db, {
    staff: Object.entries(staff).map(([name, roles]) => ({ name, password, roles: [...roles] })),
    clients: Object.entries(machines).map(([kind, id]) =>
      ({ id, kind: kind as keyof typeof machines, secret: secretOf(id) }))
  }, 0)
  await db.end()
}

async function send (
  url: string, token: string | null, method: string, path: string, { json, bytes, type, key, headers }: Sent
): Promise<Answer> {
  const body = bytes ?? (json === undefined ? undefined : JSON.stringify(json))
  const response = await fetch(new URL(path, url), {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': type ?? 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...headers
    },
    ...(body === undefined ? {} : { body })
  })
  const raw = Buffer.from(await response.arrayBuffer())
  const text = raw.toString('utf8')
  const answered = response.headers.get('content-type') ?? ''
  return {
    status: response.status, type: answered, text, raw,
    replayed: response.headers.get('idempotency-replayed') === 'true',
    json: answered.includes('json') && text !== '' ? JSON.parse(text) as unknown : null
  }
}

/* ---- the description, held against what is answered ---- */

type Operation = { responses: Record<string, { content?: Record<string, { schema?: unknown }> }> }
type Document = { paths: Record<string, Record<string, Operation>> }

function newContract () {
  const used = new Set<string>()
  const seen = new Set<string>()
  const wrong: string[] = []
  let document: Document | null = null
  const checking = { strict: false, allErrors: true, validateFormats: false }
  let ajv = new Ajv2020(checking)
  const compiled = new Map<string, ValidateFunction>()

  function learn (given: unknown): void {
    document = given as Document
    ajv = new Ajv2020(checking)
    ajv.addSchema(given as object, 'openapi')
  }
  function routeOf (method: string, path: string): { route: string, operation: Operation } | null {
    const plain = path.split('?')[0] ?? ''
    for (const [route, operations] of Object.entries(document?.paths ?? {})) {
      const pattern = new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`)
      const operation = operations[method.toLowerCase()]
      if (operation !== undefined && pattern.test(plain)) return { route, operation }
    }
    return null
  }
  function note (method: string, path: string, status: number): void {
    const found = routeOf(method, path)
    if (found !== null) seen.add(`${method} ${found.route} ${status}`)
  }
  function compare (method: string, path: string, answer: Answer): void {
    const found = routeOf(method, path)
    if (found === null) return
    const { route, operation } = found
    const status = String(answer.status)
    used.add(`${method} ${route}`)
    const described = operation.responses[status]
    if (described === undefined) {
      wrong.push(`${method} ${route} ${status}: is not declared`)
      return
    }
    if (answer.status === 204) return
    const [content] = Object.entries(described.content ?? {})
      .filter(([type]) => answer.type.startsWith(type.split(';')[0] ?? ''))
    if (content === undefined) {
      wrong.push(`${method} ${route} ${answer.status}: ${answer.type} is not described`)
      return
    }
    if (answer.json === null) return
    const parts = ['paths', route, method.toLowerCase(), 'responses', status, 'content', content[0], 'schema']
    const pointer = parts.map(part => part.replaceAll('~', '~0').replaceAll('/',
      '~1')).map(encodeURIComponent).join('/')
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `openapi#/${pointer}` })
    compiled.set(pointer, validate)
    if (validate(answer.json) === true) return
    const [first] = validate.errors ?? []
    wrong.push(`${method} ${route} ${answer.status} ${answer.json.reason ?? ''}: ${first?.instancePath} ` +
      `${first?.message} ${JSON.stringify(first?.params)}`)
  }
  return {
    learn, note, compare,
    known: () => document !== null,
    mismatches: () => wrong,
    seen: () => [...seen],
    unused: () => Object.entries(document?.paths ?? {}).flatMap(([route, operations]) =>
      Object.keys(operations).map(method => `${method.toUpperCase()} ${route}`)).filter(one => !used.has(one))
  }
}

/** A ledger with this registry, and machines of its companies beside those that every ledger has. */
export async function openWithClients (
  doors: Doors, registry: unknown,
  clients: Readonly<Record<string, readonly ['agent' | 'operator', string]>>
): Promise<Door> {
  const door = await doors.open()
  await door.ok('registrar', 'PUT', '/v1/registry', registry)
  await bootstrap(door.db, {
    clients: Object.entries(clients).map(([id, [kind, party]]) => ({ id, kind, party, secret: secretOf(id) }))
  }, door.clock.now())
  return door
}
