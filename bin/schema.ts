// npm run schema: writes ledger/store/schema.sql, what a database looks like after all migrations, from a
// fresh one. A change of the schema is then a change of that file, which a reader sees. Knows no tables.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startPostgres } from './postgres.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const folder = mkdtempSync(join(tmpdir(), 'schema-'))
const postgres = await startPostgres({ dataDir: join(folder, 'data'), settings: { fsync: 'off' } })
try {
  const url = await postgres.ensureDatabase('schema')
  const env = { ...process.env, LEDGER_DATABASE_URL: url, LOG_LEVEL: 'error' }
  const ledger = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath,
      [join(root, 'runtime/start.mjs'), join(root, 'ledger/main.ts'), ...args], { env, encoding: 'utf8' })
    if (status !== 0) throw new Error(`ledger/main.ts ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  ledger('migrate')
  const head = '-- What a database looks like after all migrations. Made by npm run schema; do not edit.\n\n'
  writeFileSync(join(root, 'ledger/store/schema.sql'), head + ledger('schema'))
} finally {
  await postgres.destroy()
  rmSync(folder, { recursive: true, force: true })
}
