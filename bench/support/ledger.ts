// A ledger as a process of its own on a fresh database, for benches of what calls it. It refuses to know what
// is asked of it.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Postgres } from '../../bin/postgres.ts'
import { bootstrap, type BootstrapFile } from '../../ledger/people/bootstrap.ts'
import { migrate } from '../../ledger/store/migrate.ts'
import { openDb } from '../../ledger/store/db.ts'
import { ensureHouseAccounts } from '../../ledger/store/registry.ts'
import { sealKeys } from '../../ledger/keys/key-file.ts'
import { type Child, nodeCommand, superviseChild } from '../../runtime/supervise.ts'
import { testMasterKey } from '../../terminal-sim/keys.ts'
import { hex } from '../../schemas/epurse/hex.ts'

export type LedgerProcess = {
  readonly child: Child<{ url: string }>
  readonly url: string
  /** The body of an answer that is good; throws for any other. */
  ask<T> (token: string | null, method: string, path: string, body?: unknown): Promise<T>
  /** The token of a member of staff. */
  signIn (name: string, password: string): Promise<string>
}

export async function startLedger (
  { folder, postgres, name, people }: {
    readonly folder: string, readonly postgres: Postgres, readonly name: string
    readonly people: BootstrapFile
  }
): Promise<LedgerProcess> {
  const databaseUrl = await postgres.ensureDatabase(name)
  const db = openDb(databaseUrl, { max: 1 })
  await migrate(db)
  await ensureHouseAccounts(db)
  await bootstrap(db, people, Date.now())
  await db.end()
  const keyFile = join(folder, `${name}-keys.json`)
  const keys = { tac: [{ keyVersion: 1, suite: '3des' as const, master: hex(testMasterKey('MTK')) }] }
  writeFileSync(keyFile, sealKeys(keys, 'bench', randomBytes(16), randomBytes(12)))
  const child = await superviseChild<{ url: string }>({
    name: 'ledger', ...nodeCommand('ledger/main.ts'), readyTimeoutMs: 120_000, stopTimeoutMs: 60_000,
    env: {
      ...process.env, LEDGER_DATABASE_URL: databaseUrl, LEDGER_KEYS: keyFile, LEDGER_KEYS_PASSPHRASE: 'bench',
      LEDGER_SIGNING_KEY: join(folder, `${name}.pem`), LOG_LEVEL: 'warn'
    },
    onLine: line => console.error(line)
  })
  const { url } = child.ready

  async function ask<T> (token: string | null, method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(new URL(path, url), {
      method,
      headers: {
        ...token === null ? {} : { authorization: `Bearer ${token}` },
        ...body === undefined ? {} : { 'content-type': 'application/json' }
      },
      ...body === undefined ? {} : { body: JSON.stringify(body) }
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return (text === '' ? null : JSON.parse(text)) as T
  }

  return {
    child, url, ask,
    signIn: async (name, password) =>
      (await ask<{ token: string }>(null, 'POST', '/v1/session', { name, password })).token
  }
}
